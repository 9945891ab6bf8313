"""The places of a photo that can be found again, and what each looks like: RootSIFT.

A photo is brought to a bounded size first, so that a drawing of 28×28 pixels and a picture of 50
megapixels both give some hundreds of keypoints in some hundredths of a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.compare.latest import Latest
from resight.errors import UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.decode import Box, Pixels, opened, read_image
from resight.photos.header import is_turned
from resight.photos.readers import reader_of
from resight.photos.sound import is_sound

Floats = NDArray[np.float32]
# What is kept of a photo: float32 (k, 4), x, y, diameter and angle in pixels of the photo as it was
# given; SIFT's histograms, uint8 (k, 128); (height, width) of the photo as it was given.
Found = tuple[Floats, NDArray[np.uint8], tuple[int, int]]

MOST = 500
# The longer side of a photo as it is looked at, in pixels: smaller ones are enlarged, as SIFT
# finds nothing within some pixels of an edge, and larger ones shrunk.
SHORTEST_SIDE, LONGEST_SIDE = 192, 512
_DIMENSIONS = 128
# Half of OpenCV's threshold: fur and skin are of less contrast than the houses it was chosen on.
_CONTRAST = 0.02
_VERSION = 2  # of what is kept: an entry of another one is made anew


@dataclass(frozen=True, slots=True)
class Keypoints:
    """What was found on one photo, strongest first.

    Attributes:
        places: float32 (k, 2), x and y in pixels of the photo as it was given.
        sizes: float32 (k,), diameters in the same pixels.
        angles: float32 (k,), radians.
        descriptors: float32 (k, 128) RootSIFT, of length 1.
        size: (height, width) of the photo as it was given.
    """

    places: Floats
    sizes: Floats
    angles: Floats
    descriptors: Floats
    size: tuple[int, int]

    def __len__(self) -> int:
        """How many."""
        return len(self.places)


def find_keypoints(
    image: Pixels, *, most: int = MOST, clahe: bool = False, upright: bool = False
) -> Keypoints:
    """Find the keypoints of a photo, and describe each by RootSIFT.

    RootSIFT is the square root of SIFT's histogram brought to sum 1; the Euclidean distance of
    two is then the Hellinger distance of the histograms (Arandjelović and Zisserman, "Three things
    everyone should know to improve object retrieval", CVPR 2012). SIFT is Lowe's (IJCV 2004), as
    OpenCV has it.

    Args:
        image: uint8 (H, W), (H, W, 1) or (H, W, 3) RGB, at least one pixel.
        most: how many to keep at most, those of the strongest contrast.
        clahe: even out the contrast over the photo first, for glare and shadow.
        upright: describe every place as it lies, instead of turned by its own gradients: for
            photos that all show the animal the same way up, where it tells more apart.

    Returns:
        the keypoints; none where the photo shows nothing, as a blank one does.

    Raises:
        ValueError: not such an image, or `most` below 1.
    """
    return _keypoints(*_look(image, None, most, clahe, upright))


def _look(
    image: Pixels, size: tuple[int, int] | None, most: int, clahe: bool, upright: bool
) -> Found:
    """Find and describe; places are those of a photo of `size`, where it was read smaller."""
    import cv2

    shape = image.shape
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise ValueError(f"a photo is uint8 (H, W), (H, W, 1 or 3), not {image.dtype} {shape}")
    if not image.size or most < 1:
        raise ValueError(f"nothing to find: a photo of shape {shape}, {most} keypoints at most")
    size = size or (shape[0], shape[1])
    grey: Any = np.ascontiguousarray(image)
    if image.ndim == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY) if shape[2] == 3 else grey[..., 0]
    longer = max(shape[:2])
    scale = np.clip(longer, SHORTEST_SIDE, LONGEST_SIDE) / longer
    width, height = (max(1, round(side * scale)) for side in (shape[1], shape[0]))
    if (height, width) != shape[:2]:
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        grey = cv2.resize(grey, (width, height), interpolation=how)
    if clahe:
        grey = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(grey)
    # Of one place SIFT makes several keypoints, one for each strong gradient; upright they are one.
    sift = cv2.SIFT.create(nfeatures=0 if upright else most, contrastThreshold=_CONTRAST)
    found: Any
    if upright:
        found, described = sift.compute(grey, _as_they_lie(sift.detect(grey, None), most))
    else:
        found, described = sift.detectAndCompute(grey, None)
    if not found or described is None:
        return np.empty((0, 4), np.float32), np.empty((0, _DIMENSIONS), np.uint8), size
    order = sorted(range(len(found)), key=lambda i: -found[i].response)[:most]
    rows = np.array([[*found[i].pt, found[i].size, np.deg2rad(found[i].angle)] for i in order])
    # OpenCV's pixels have their middles at whole numbers, so the scaling is about −½.
    stretch = np.array([size[1] / width, size[0] / height])
    rows[:, :2] = (rows[:, :2] + 0.5) * stretch - 0.5
    rows[:, 2] *= stretch.mean()
    # OpenCV gives bytes as floats: whole numbers to 255.
    return rows.astype(np.float32), described[order].astype(np.uint8), size


def _as_they_lie(found: Any, most: int) -> list[Any]:
    """The strongest places, each once and unturned."""
    places: dict[tuple[float, float, float], Any] = {}
    for point in sorted(found, key=lambda point: -point.response):
        point.angle = 0.0
        places.setdefault((*point.pt, point.size), point)
    return list(places.values())[:most]


def _keypoints(rows: Floats, histograms: NDArray[np.uint8], size: tuple[int, int]) -> Keypoints:
    """What `_look` found, as RootSIFT."""
    counts = histograms.astype(np.float32)
    descriptors = np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1))
    return Keypoints(rows[:, :2].copy(), rows[:, 2].copy(), rows[:, 3].copy(), descriptors, size)


def _whole_size(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """(height, width) of a JPEG, which may be read smaller than it is; None of what never is."""
    if is_sound(path) or reader_of(path) is not None:
        return None
    with opened(path) as picture:
        if picture.format not in ("JPEG", "MPO"):
            return None
        width, height = picture.size
        return (width, height) if is_turned(picture) else (height, width)


class KeypointCache:
    """Keypoints of photo files, found once: the last ones in memory, all in a folder if given.

    They are kept by what the file holds (SHA-256 of its bytes), by the box and by the settings, so
    that a photo that was moved is not looked at again, and one that was changed is. A file of the
    cache that is damaged, or of an older Resight, is made anew. What is kept are SIFT's bytes: 144
    a keypoint, to the bit what was found. May be shared by threads and by processes.

    Args:
        folder: where to keep them; None for memory alone.
        most, clahe, upright: as for `find_keypoints`.
        in_memory: of how many photos, the last ones asked for.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        most: int = MOST,
        clahe: bool = False,
        upright: bool = False,
        in_memory: int = 2000,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.most, self.clahe, self.upright = most, clahe, upright
        self._latest: Latest[str, Keypoints] = Latest(in_memory)

    def of(
        self, path: str | os.PathLike[str], box: Box | None = None, *, content: str | None = None
    ) -> Keypoints:
        """The keypoints of a photo, or of a box of it; places count from the box's corner.

        Args:
            path: its file.
            box: (left, top, right, bottom) of the part to look at.
            content: the SHA-256 of the file that is meant, in hex, where it is known. The file is
                then opened only if its keypoints are not here yet.

        Raises:
            UnreadablePhoto: the file is missing, no photo, or not the one that is meant.
        """
        key = self._key(Path(path), box, content)
        if (known := self._latest.get(key)) is not None:
            return known
        found = self._load(key) if key else None
        if found is None:
            if content is not None and content_hash(path) != content:
                raise UnreadablePhoto(os.fspath(path), "is another picture by now")
            image = read_image(path, channels=1, box=box, at_least=LONGEST_SIDE)
            size = _whole_size(path) if box is None else None
            looked = _look(image, size, self.most, self.clahe, self.upright)
            found = _keypoints(*looked)
            if key:
                self._keep(key, looked)
        if key:
            self._latest.keep(key, found)
        return found

    def of_image(self, image: Pixels) -> Keypoints:
        """The keypoints of a picture in memory, as `find_keypoints` takes it; not kept."""
        return find_keypoints(image, most=self.most, clahe=self.clahe, upright=self.upright)

    def _key(self, path: Path, box: Box | None, content: str | None) -> str:
        """Name of the entry; "" for a file that cannot be read, of which `read_image` will tell."""
        settings = f"{box} {self.most} {self.clahe} {_CONTRAST} {SHORTEST_SIDE} {LONGEST_SIDE}"
        if self.upright:
            settings += " upright"
        try:
            content = content or content_hash(path)
        except UnreadablePhoto:
            return ""
        return hashlib.sha256(f"{content} {settings}".encode()).hexdigest()

    def _load(self, key: str) -> Keypoints | None:
        if self.folder is None:
            return None
        try:
            with np.load(self._file(key), allow_pickle=False) as kept:
                if kept["version"] != _VERSION:
                    return None
                rows, histograms, size = kept["rows"], kept["histograms"], kept["size"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # not there, or damaged
        if rows.ndim != 2 or rows.shape[1] != 4 or histograms.shape != (len(rows), _DIMENSIONS):
            return None
        return _keypoints(rows, histograms, (int(size[0]), int(size[1])))

    def _keep(self, key: str, looked: Found) -> None:
        if self.folder is None:
            return
        rows, histograms, size = looked
        file = self._file(key)
        part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as to:
                np.savez(to, version=_VERSION, rows=rows, histograms=histograms, size=size)
            part.replace(file)
        except OSError:  # a full disk must not stop a comparison: the cache is a convenience
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _file(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}.npz"
