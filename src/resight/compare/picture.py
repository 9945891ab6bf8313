"""The picture that convinces a person: two photos side by side, and lines between what matches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.compare.keypoints import Keypoints
from resight.compare.matching import Match
from resight.errors import ResightError
from resight.photos.decode import Pixels

# Of Okabe and Ito's colours, which colour-blind people can tell apart: vermilion stands out from
# fur, skin and water, and the dark edge from bright ground.
LINE, EDGE = (213, 94, 0), (0, 0, 0)
HEIGHT = 480
MOST_LINES = 60
_GAP = 12
_FINE = 2  # drawn so many times larger, then averaged down


def draw_match(
    first: Pixels,
    second: Pixels,
    first_points: Keypoints,
    second_points: Keypoints,
    found: Match,
    *,
    path: str | Path | None = None,
    height: int = HEIGHT,
    most: int = MOST_LINES,
) -> Pixels:
    """Draw two photos side by side, with a line between each pair of keypoints that fits.

    Args:
        first, second: uint8 (H, W), (H, W, 1) or (H, W, 3), the photos as they were given to
            `find_keypoints`.
        first_points, second_points: their keypoints.
        found: what `match` says of the two.
        path: also write a PNG file there; it appears whole or not at all.
        height: of the photos in the picture, in pixels.
        most: lines at most, the surest ones; more would hide the animal.

    Returns:
        uint8 (height, width, 3), the picture.

    Raises:
        ValueError: a photo of another size than its keypoints come from.
        ResightError: the file cannot be written.
    """
    from PIL import Image, ImageDraw

    for image, points in ((first, first_points), (second, second_points)):
        if image.shape[:2] != points.size:
            raise ValueError(f"keypoints of a photo of {points.size} on one of {image.shape[:2]}")
    fine = height * _FINE
    sides = [_at_height(image, fine) for image in (first, second)]
    gap = _GAP * _FINE
    canvas = Image.new("RGB", (sides[0].width + gap + sides[1].width, fine), "white")
    canvas.paste(sides[0], (0, 0))
    canvas.paste(sides[1], (sides[0].width + gap, 0))
    surest = np.flatnonzero(found.fits)
    surest = surest[np.argsort(found.ratios[surest], kind="stable")][:most]
    left = _places(first_points, found.pairs[surest, 0], sides[0].size)
    right = _places(second_points, found.pairs[surest, 1], sides[1].size)
    right[:, 0] += sides[0].width + gap
    draw = ImageDraw.Draw(canvas)
    for colour, wide, radius in ((EDGE, 4, 5), (LINE, 2, 4)):
        for start, stop in zip(left.tolist(), right.tolist(), strict=True):
            draw.line([*start, *stop], fill=colour, width=wide)
            for x, y in (start, stop):
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
    small = canvas.resize((canvas.width // _FINE, height), Image.Resampling.BOX)
    if path is not None:
        _save(small, Path(path))
    return np.asarray(small)


def _at_height(image: Pixels, height: int) -> Any:
    from PIL import Image

    flat = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    picture = Image.fromarray(np.ascontiguousarray(flat)).convert("RGB")
    width = max(1, round(picture.width * height / picture.height))
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _places(
    points: Keypoints, chosen: NDArray[np.int64], size: tuple[int, int]
) -> NDArray[np.float64]:
    """Where keypoints lie on the photo drawn at `size` (width, height)."""
    stretch = np.array([size[0] / points.size[1], size[1] / points.size[0]])
    return (points.places[chosen].astype(np.float64) + 0.5) * stretch


def _save(picture: Any, path: Path) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        picture.save(part, format="png")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ResightError(
            f"{path}: the picture cannot be written here ({error.strerror or error}); "
            "choose another place"
        ) from error
