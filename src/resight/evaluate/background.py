"""The background test: is an individual known by the animal, or by the fence behind it?

The same model is asked of the same photos twice more: with the animal blanked out and only the
background left, and with the background blanked out and only the animal left. What the background
alone finds, beyond chance, is not the animal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from resight.errors import UnreadablePhoto
from resight.evaluate.metrics import Figure, mean_figures
from resight.evaluate.nearest import mark, nearest
from resight.evaluate.ranking import Floats, Ints
from resight.photos.decode import Pixels, read_image
from resight.photos.photo import Photo
from resight.photos.stream import in_threads

FRAME = 0.1  # of each side, where there are no surroundings: a third of the picture in all
_SURROUNDINGS = 2.0  # times the box, each way
_WHOLE = 0.7  # of the picture; a box larger than that leaves no surroundings to speak of
MOST = 3000  # photos that are looked at again
_CHUNK = 4  # photos that a thread reads in one go

Verdict = Literal["nothing", "unsure", "animal", "partly", "background"]
_PARTLY, _MOSTLY = 0.15, 0.5  # of what the model knows beyond chance


@dataclass(frozen=True, slots=True)
class Background:
    """R@1 of the same queries in the same gallery, thrice.

    Attributes:
        full: of the photos as they are.
        background: with the animal blanked out, in queries and gallery.
        animal: with the outermost part of each side blanked out.
        chance: what naming the individual of a gallery photo drawn blindly would reach.
        share: of what the model knows beyond chance, how much it knows from the background alone,
            0 to 1; None where it knows nothing beyond chance.
        verdict: "animal" when the background says little (under 15 % of `share`), "background"
            from half on, "partly" between them; "unsure" when it is 15 % or more, but of so few
            individuals that it may be chance; and "nothing" when the photos themselves are found
            no better than by chance.
        surroundings: photos whose background lies around a box; of the others it is the outermost
            part of the picture.
        photos, queries, gallery, individuals: how many took part.
    """

    full: Figure
    background: Figure
    animal: Figure
    chance: float
    share: float | None
    verdict: Verdict
    surroundings: int
    photos: int
    queries: int
    gallery: int
    individuals: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "full R@1": self.full.to_dict(),
            "background R@1": self.background.to_dict(),
            "animal R@1": self.animal.to_dict(),
            "chance": self.chance,
            "share": self.share,
            "verdict": self.verdict,
            "surroundings": self.surroundings,
            "photos": self.photos,
            "queries": self.queries,
            "gallery": self.gallery,
            "individuals": self.individuals,
        }


def parts(photo: Photo, *, channels: int, at_least: int | None = None) -> tuple[Pixels, Pixels]:
    """A photo without its animal, and without its background.

    Where the photo has a box in a larger picture, the background is what lies around the box, as
    far again each way; the box is blanked out. Else it is the outermost tenth of each side, and
    the middle is blanked out: a third of the picture remains. Blanks have the mean colour of what
    remains, and so tell nothing by themselves.

    Args:
        photo: with its box.
        channels: 1 or 3.
        at_least: see `read_image`.

    Returns:
        background and animal, uint8 (H, W, channels).

    Raises:
        UnreadablePhoto: the file cannot be read.
    """
    if photo.box is None:
        picture = read_image(photo.path, channels=channels, at_least=at_least)
        part, around = picture, None
    else:
        picture = read_image(photo.path, channels=channels)
        left, top, right, bottom = photo.box
        height, width = picture.shape[:2]
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise UnreadablePhoto(
                str(photo.path), f"the box {photo.box} does not lie within {width} × {height}"
            )
        part = picture[top:bottom, left:right]
        around = _around(picture, photo.box) if has_surroundings(photo, width, height) else None
    high, wide = part.shape[:2]
    edge_y, edge_x = max(1, round(high * FRAME)), max(1, round(wide * FRAME))
    inner = np.zeros((high, wide), bool)
    inner[edge_y : high - edge_y, edge_x : wide - edge_x] = True
    return (_blanked(part, inner) if around is None else around), _blanked(part, ~inner)


def has_surroundings(photo: Photo, width: int, height: int) -> bool:
    """Whether a photo's box is only a part of its picture, whose upright size is given."""
    if photo.box is None:
        return False
    left, top, right, bottom = photo.box
    return (right - left) * (bottom - top) < _WHOLE * width * height


def _around(picture: Pixels, box: tuple[int, int, int, int]) -> Pixels:
    left, top, right, bottom = box
    height, width = picture.shape[:2]
    more_x = round((right - left) * (_SURROUNDINGS - 1) / 2)
    more_y = round((bottom - top) * (_SURROUNDINGS - 1) / 2)
    x, y = max(0, left - more_x), max(0, top - more_y)
    cut = picture[y : min(height, bottom + more_y), x : min(width, right + more_x)]
    inside = np.zeros(cut.shape[:2], bool)
    inside[top - y : bottom - y, left - x : right - x] = True
    return _blanked(cut, inside)


def _blanked(picture: Pixels, where: NDArray[np.bool_]) -> Pixels:
    """The picture with some pixels in the mean colour of the others."""
    result = picture.copy()
    result[where] = 128 if where.all() else np.rint(picture[~where].mean(axis=0))
    return result


def both_parts(
    photos: Sequence[Photo],
    *,
    channels: int,
    at_least: int | None = None,
    threads: int | None = None,
) -> Iterator[tuple[int, Pixels, Pixels]]:
    """`parts` of many photos, read in threads a few ahead, each with its place among them.

    A file that can no longer be read is passed over.
    """

    def read(place: int) -> tuple[int, Pixels, Pixels] | None:
        try:
            return place, *parts(photos[place], channels=channels, at_least=at_least)
        except UnreadablePhoto:
            return None

    def read_some(places: list[int]) -> list[tuple[int, Pixels, Pixels] | None]:
        return [read(place) for place in places]

    for some in in_threads(read_some, range(len(photos)), threads=threads, chunk=_CHUNK):
        yield from (found for found in some if found is not None)


def chosen(
    individuals: Sequence[Hashable] | NDArray[Any],
    queries: Ints,
    gallery: Ints,
    *,
    most: int = MOST,
    seed: int = 0,
) -> Ints:
    """Positions of the photos to look at again: everything, or whole individuals up to `most`."""
    everything = np.union1d(queries, gallery)
    if len(everything) <= most:
        return everything
    names = np.unique(np.asarray([str(name) for name in individuals]), return_inverse=True)[1]
    of = names[everything]
    order = np.random.default_rng(seed).permutation(int(of.max()) + 1)
    counts = np.bincount(of, minlength=len(order))[order]
    taken = order[: max(2, int(np.searchsorted(np.cumsum(counts), most, "right")))]
    return everything[np.isin(of, taken)]


def background_test(
    full: Floats,
    background: Floats,
    animal: Floats,
    individuals: Sequence[Hashable] | NDArray[Any],
    encounters: Sequence[Hashable] | NDArray[Any] | None,
    queries: Ints,
    gallery: Ints,
    *,
    apart: bool,
    surroundings: int = 0,
    resamples: int = 1000,
    seed: int = 0,
) -> Background | None:
    """Compare what is found in the photos, in their backgrounds, and in the animals.

    Args:
        full, background, animal: float32 (n, d), fingerprints of the n photos that take part: as
            they are, and of their `parts`.
        individuals, encounters: (n,) of each.
        queries, gallery: positions among the n.
        apart: whether photos of a query's own encounter are passed over.
        surroundings: photos whose background lies around a box.
        resamples, seed: of the bootstrap over individuals.

    Returns:
        None where no query's individual is in the gallery.
    """
    hits = []
    known = np.zeros(len(queries), bool)
    photos = mark(full, individuals, encounters)
    for vectors in (full, background, animal):
        found = nearest(mark(vectors, individuals, encounters), queries, gallery, apart=apart)
        hits.append(found.right)
        known = found.known
    if not known.any():
        return None
    values = np.stack(hits, axis=1)[known].astype(np.float64)
    person = np.unique(photos.who[queries[known]], return_inverse=True)[1]
    as_they_are, behind, before = mean_figures(values, person, resamples, seed)
    counts = np.bincount(photos.who[gallery], minlength=len(photos.names))
    chance = float(counts[photos.who[queries[known]]].mean() / len(gallery))
    knows = as_they_are.value - chance
    sure = as_they_are.value if np.isnan(as_they_are.low) else as_they_are.low
    share = float(np.clip((behind.value - chance) / knows, 0, 1)) if knows > 0 else None
    verdict: Verdict
    if share is None or sure <= chance:
        verdict = "nothing"
    elif share < _PARTLY:
        verdict = "animal"
    elif behind.low <= chance:
        verdict = "unsure"  # more than chance, but of few individuals
    else:
        verdict = "background" if share >= _MOSTLY else "partly"
    return Background(
        as_they_are,
        behind,
        before,
        chance,
        share,
        verdict,
        surroundings,
        len(full),
        int(known.sum()),
        len(gallery),
        len(np.unique(photos.who[np.union1d(queries, gallery)])),
    )
