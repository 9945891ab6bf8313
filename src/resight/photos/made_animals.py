"""Made animals: photographs of spotted salamanders that never lived, to try everything on.

Each has spots of its own, laid down in the coordinates of its body. A photograph bends the body,
turns it, sets it on the ground of the place where it was met, and lights it. Photos of one
encounter share place, light and moment, as real ones do: a split at random flatters here too, and
what is around the animal helps to cheat. The same seed makes the same photos.

For the tutorial, for demonstrations (`resight.photos.made_animals.make_photos("photos")`) and for
tests; how well a model does here says nothing about real animals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from resight.photos.decode import Pixels
from resight.photos.photo import Photo

Floats = NDArray[np.floating]

# Half the width of a body along it, nose to tip of the tail, in parts of its length.
_WIDTH = (
    (0.0, 0.05, 0.12, 0.19, 0.30, 0.46, 0.60, 0.72, 0.86, 1.0),
    (0.035, 0.075, 0.085, 0.066, 0.100, 0.102, 0.070, 0.048, 0.028, 0.006),
)
_GROUNDS = ((112, 84, 58), (128, 124, 118), (74, 96, 58), (176, 156, 120), (94, 72, 66))
_FIRST_DAY = datetime(2025, 4, 3, 20, 30)


@dataclass(frozen=True, slots=True)
class Salamander:
    """One individual: its spots, and nothing else that would tell it from another.

    Attributes:
        spots: float64 (k, 5): where along the body (0 nose, 1 tail), where across it (-1 left,
            1 right), half length and half width in the same units, and a slant in radians. The
            left is not the mirrored right: never mirror them.
    """

    spots: Floats


@dataclass(frozen=True, slots=True)
class Place:
    """Where and in which light an encounter was: all its photos share it."""

    seed: int
    ground: tuple[float, float, float]
    light: tuple[float, float, float]
    blur: float


def new_salamander(rng: np.random.Generator) -> Salamander:
    """A salamander with 11 to 18 spots."""
    count = int(rng.integers(11, 19))
    along = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    across = rng.uniform(-0.85, 0.85, count)
    sizes = rng.uniform(0.02, 0.05, count), rng.uniform(0.18, 0.5, count)
    return Salamander(np.stack([along, across, *sizes, rng.uniform(-0.7, 0.7, count)], 1))


def new_place(rng: np.random.Generator) -> Place:
    """A piece of ground, and the light of that evening."""
    red, green, blue = _GROUNDS[rng.integers(len(_GROUNDS))]
    tone = float(rng.uniform(0.8, 1.2))
    warm, bright = rng.uniform(-0.12, 0.12), rng.uniform(0.75, 1.15)
    light = bright * (1 + warm), bright, bright * (1 - warm)
    seed = int(rng.integers(2**31))
    return Place(seed, (tone * red, tone * green, tone * blue), light, float(rng.uniform(0.2, 0.9)))


def draw_salamander(
    salamander: Salamander, place: Place, rng: np.random.Generator, *, size: int = 192
) -> tuple[Pixels, tuple[int, int, int, int]]:
    """Photograph a salamander from above.

    Args:
        salamander: whom.
        place: where; photos of one encounter have one place.
        rng: how it lies, where the camera is held, glare and grain: no two photos are alike.
        size: height and width in pixels.

    Returns:
        uint8 (size, size, 3), and the (left, top, right, bottom) of the animal in it.
    """
    spine, heading, length = _lie_down(rng, size)
    along, across, edge = _body(spine, heading, length, size)
    cover = np.clip(0.5 - edge, 0, 1)
    cover = np.maximum(cover, _legs(spine, heading, length, size, rng) * (cover < 0.5))
    picture = _ground(place, rng, size) * (1 - 0.35 * _shadow(cover, size)[..., None])
    skin = np.array([38, 34, 32]) * np.ones((size, size, 1))
    inside = edge < 0.5
    spotted, glare = np.zeros((size, size, 1)), np.zeros((size, size, 1))
    spotted[inside, 0] = _spots(salamander, along[inside], across[inside])
    glare[inside, 0] = _glare(along[inside], across[inside], rng)
    skin = skin + spotted * (np.array([226, 176, 42]) - skin)
    round_body = 0.62 + 0.45 * np.sqrt(np.clip(1 - (across - rng.uniform(-0.4, 0.4)) ** 2, 0, 1))
    skin = skin * round_body[..., None] + 150 * glare
    picture += cover[..., None] * (skin - picture)
    slope = 1 + rng.uniform(-0.2, 0.2) * np.linspace(-1, 1, size)[None, :, None]
    picture = picture * np.array(place.light) * slope * rng.uniform(0.92, 1.08)
    soft = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(place.blur * rng.uniform(0.7, 1.3) * size / 192)
    )
    grain = rng.normal(0, 4, (size, size, 1))
    ys, xs = np.nonzero(cover > 0.5)
    box = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    return np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8), box


def make_photos(
    folder: str | Path,
    *,
    individuals: int = 24,
    days: int = 5,
    photos: int = 3,
    size: int = 192,
    seed: int = 0,
) -> list[Photo]:
    """Write photographs of made salamanders: `folder/S07/2025-04-10/2.jpg`.

    Each is met on about two thirds of the days, a week apart, and then photographed once to
    `photos` times within some minutes. The files carry their date in EXIF, as a camera's do.

    Args:
        folder: where to; made if it is not there.
        individuals: how many of them.
        days: how many days in the field.
        photos: at most so many photos of an encounter.
        size: height and width of the photos in pixels.
        seed: another seed, other salamanders.

    Returns:
        The photos with individual, encounter, date, and the box of the animal, in the order of
        their paths.
    """
    made: list[Photo] = []
    for number in range(individuals):
        rng = np.random.default_rng([seed, number])
        salamander = new_salamander(rng)
        met = rng.random(days) < 2 / 3
        met[rng.integers(days)] = True
        for day in np.flatnonzero(met):
            place = new_place(rng)
            moment = _FIRST_DAY + timedelta(days=7 * int(day), minutes=int(rng.integers(90)))
            where = Path(folder) / f"S{number + 1:02d}" / f"{moment:%Y-%m-%d}"
            where.mkdir(parents=True, exist_ok=True)
            for shot in range(int(rng.integers(1, photos + 1))):
                pixels, box = draw_salamander(salamander, place, rng, size=size)
                path = where / f"{shot + 1}.jpg"
                _save(pixels, path, moment)
                made.append(Photo(path, path.parts[-3], path.parts[-2], moment, box=box))
                moment += timedelta(seconds=int(rng.integers(3, 40)))
    return made


def _save(pixels: Pixels, path: Path, moment: datetime) -> None:
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif.get_ifd(0x8769)[0x9003] = f"{moment:%Y:%m:%d %H:%M:%S}"  # Exif's DateTimeOriginal
    picture.save(path, quality=90, exif=exif)


def _lie_down(rng: np.random.Generator, size: int) -> tuple[Floats, Floats, float]:
    """A bent line from nose to tail: points (n, 2) as x, y; directions (n,); its length."""
    steps = np.linspace(0, 1, 56)
    bend = rng.uniform(-1.1, 1.1) * (steps - 0.5)
    bend = bend + rng.uniform(-0.7, 0.7) * np.sin(2 * np.pi * steps)
    bend = bend + rng.uniform(-1.2, 1.2) * np.clip(steps - 0.55, 0, 1)  # tails move most
    heading = rng.normal(np.pi / 2, 0.45) + bend
    length = size * rng.uniform(0.8, 0.98)
    line = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0) * length / len(steps)
    middle = (line.min(0) + line.max(0)) / 2
    slack = np.maximum(0, size * 0.44 - np.ptp(line, axis=0) / 2)
    return line - middle + size / 2 + rng.uniform(-1, 1, 2) * slack, heading, length


def _body(spine: Floats, heading: Floats, length: float, size: int) -> tuple[Floats, ...]:
    """Each pixel's place along the body, across it, and its distance in pixels from the edge."""
    y, x = np.mgrid[:size, :size].astype(np.float32) + 0.5
    pixels, spine = np.stack([x.ravel(), y.ravel()], 1), spine.astype(np.float32)
    squares = (pixels**2).sum(1)[:, None] + (spine**2).sum(1) - 2 * pixels @ spine.T
    nearest = squares.argmin(1)
    away = pixels - spine[nearest]
    ahead = np.stack([np.cos(heading), np.sin(heading)], 1).astype(np.float32)[nearest]
    along = nearest / (len(spine) - 1) + (away * ahead).sum(1) / length
    width = np.interp(along, *_WIDTH) * length
    side = ahead[:, 0] * away[:, 1] - ahead[:, 1] * away[:, 0]
    edge = np.sqrt(np.maximum(squares[np.arange(len(pixels)), nearest], 0)) - width
    shape = (size, size)
    return along.reshape(shape), (side / width).reshape(shape), edge.reshape(shape)


def _legs(
    spine: Floats, heading: Floats, length: float, size: int, rng: np.random.Generator
) -> Floats:
    """Four legs, each an upper and a lower part: cover, float64 (size, size)."""
    from PIL import ImageDraw

    picture = Image.new("L", (2 * size, 2 * size))
    pen = ImageDraw.Draw(picture)
    for where, forward in ((0.22, -1), (0.52, 1)):
        at = int(where * (len(spine) - 1))
        for side in (-1, 1):
            turn = heading[at] + side * (np.pi / 2 - forward * rng.uniform(-0.3, 0.5))
            knee = spine[at] + length * 0.16 * np.array([np.cos(turn), np.sin(turn)])
            turn += side * forward * rng.uniform(0.3, 1.1)
            foot = knee + length * 0.09 * np.array([np.cos(turn), np.sin(turn)])
            points = [tuple(2 * point) for point in (spine[at], knee, foot)]
            pen.line(points, fill=255, width=max(2, round(length * 0.07)), joint="curve")
    return np.asarray(picture.resize((size, size), Image.Resampling.BOX)) / 255.0


def _spots(salamander: Salamander, along: Floats, across: Floats) -> Floats:
    total = np.zeros_like(along)
    for where, side, long, wide, slant in salamander.spots.tolist():
        far, off = (along - where) / long, (across - side) / wide
        far, off = (
            np.cos(slant) * far + np.sin(slant) * off,
            np.cos(slant) * off - np.sin(slant) * far,
        )
        total += np.exp(-np.minimum(far**2 + off**2, 40))
    covered: Floats = np.clip((total - 0.42) * 6, 0, 1)
    return covered


def _glare(along: Floats, across: Floats, rng: np.random.Generator) -> Floats:
    """Wet skin shines in a few places."""
    total = np.zeros_like(along)
    for _ in range(int(rng.integers(0, 4))):
        where, side = rng.uniform(0.05, 0.7), rng.uniform(-0.5, 0.5)
        far = ((along - where) / rng.uniform(0.01, 0.03)) ** 2 + ((across - side) / 0.2) ** 2
        total += np.exp(-np.minimum(far, 40))
    return np.clip(total, 0, 1)


def _shadow(cover: Floats, size: int) -> Floats:
    dark = Image.fromarray((cover * 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(size / 40)
    )
    return np.roll(np.asarray(dark), (size // 60, size // 60), (0, 1)) / 255.0


def _ground(place: Place, rng: np.random.Generator, size: int) -> Floats:
    """Ground with stones and leaves: the place's own, seen from a little elsewhere each time."""
    own = np.random.default_rng(place.seed)
    whole = int(size * 1.25)
    total = np.zeros((whole, whole))
    for cells, weight in ((7, 1.0), (19, 0.8), (61, 0.7)):
        coarse = Image.fromarray((own.random((cells, cells)) * 255).astype(np.uint8))
        fine = coarse.resize((whole, whole), Image.Resampling.BICUBIC)
        total += weight * (np.asarray(fine) / 255.0 - 0.5)
    colour = np.array(place.ground) * (1 + 0.55 * total[..., None])
    y, x = np.mgrid[:whole, :whole].astype(np.float32) / whole
    for _ in range(int(own.integers(6, 18))):
        cx, cy, turn, long = (own.uniform((0, 0, 0, 0.02), (1, 1, 1, 0.09))).tolist()
        far = np.cos(3.2 * turn) * (x - cx) + np.sin(3.2 * turn) * (y - cy)
        off = np.cos(3.2 * turn) * (y - cy) - np.sin(3.2 * turn) * (x - cx)
        stone = (far / long) ** 2 + (off / (0.55 * long)) ** 2 < 1
        colour[stone] *= own.uniform(0.6, 1.5)
    left, top = rng.integers(0, whole - size + 1, 2)
    return colour[top : top + size, left : left + size].copy()
