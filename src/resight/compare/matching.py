"""Which keypoints of two photos are the same place, and one query against a whole gallery."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from resight.compare.keypoints import Floats, Keypoints

Ints = NDArray[np.int64]
Shape = Literal["similarity", "affine"]

RATIO = 0.8
TOLERANCE = 0.03
_LEAST: dict[str, int] = {"similarity": 4, "affine": 5}
_MOST_ZOOM = 4.0
_BLOCK = 8192  # descriptors of the gallery at a time: 16 MB of similarities for 500 of a query


@dataclass(frozen=True, slots=True)
class Match:
    """What two photos have in common.

    Attributes:
        pairs: int64 (m, 2), which keypoint of the first goes with which of the second.
        ratios: float32 (m,), distance to it over distance to the next best; the lower the surer.
        fits: bool (m,), which pairs agree on one way to lay the first photo over the second.
        transform: float64 (2, 3), that way, in pixels of the photos as given; None without one.
        score: the sum of 1 − ratio over the pairs that fit: how many, and how distinct. 0 or more.
    """

    pairs: Ints
    ratios: Floats
    fits: NDArray[np.bool_]
    transform: NDArray[np.float64] | None
    score: float

    @property
    def inliers(self) -> int:
        """How many pairs fit."""
        return int(self.fits.sum())


def match(
    first: Keypoints,
    second: Keypoints,
    *,
    ratio: float = RATIO,
    tolerance: float = TOLERANCE,
    shape: Shape = "similarity",
    seed: int = 0,
) -> Match:
    """Compare two photos: nearest descriptors, Lowe's ratio test, and a geometric check.

    A pair counts if each is the other's nearest, and nearer than `ratio` times the second nearest
    (Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004). Those that
    agree on one turn, zoom and shift (found by RANSAC) fit; fewer than four that agree are chance.

    Args:
        first, second: from `find_keypoints`.
        ratio: of the ratio test, in (0, 1].
        tolerance: how far off a place may be, as a share of the second photo's longer side: skin
            bends, and heads turn.
        shape: "similarity", or "affine", which also slants, for flat animals seen askew.
        seed: of RANSAC.
    """
    if not 0 < ratio <= 1 or not tolerance > 0 or shape not in _LEAST:
        raise ValueError(f"no comparison with ratio {ratio}, tolerance {tolerance}, {shape!r}")
    if len(first) < 2 or len(second) < 2:
        return no_match()
    cells = first.descriptors @ second.descriptors.T
    rows = np.arange(len(first))
    nearest = cells.argmax(1)
    best = cells[rows, nearest]
    mutual = cells.argmax(0)[nearest] == rows
    cells[rows, nearest] = -1
    # Unit vectors at cosine c lie √(2 − 2c) apart; the 2 goes out of the ratio.
    ratios = np.sqrt(np.maximum(1 - best, 0) / np.maximum(1 - cells.max(1), 1e-12))
    good = np.flatnonzero(mutual & (ratios < ratio))
    pairs = np.column_stack([good, nearest[good]]).astype(np.int64)
    kept = ratios[good].astype(np.float32)
    return agreement(first, second, pairs, kept, tolerance=tolerance, shape=shape, seed=seed)


def match_many(query: Keypoints, shortlist: Sequence[Keypoints], **options: Any) -> list[Match]:
    """Compare a query with each photo of a shortlist, in its order; options as for `match`."""
    return [match(query, other, **options) for other in shortlist]


def agreement(
    first: Keypoints,
    second: Keypoints,
    pairs: Ints,
    ratios: Floats,
    *,
    tolerance: float = TOLERANCE,
    shape: Shape = "similarity",
    seed: int = 0,
) -> Match:
    """The geometric check of pairs, int64 (m, 2), that lie `ratios` (m,) apart; as for `match`."""
    fits, transform = _fit(first, second, pairs, tolerance, shape, seed)
    score = float((1 - ratios[fits].astype(np.float64)).sum())
    return Match(pairs, ratios, fits, transform, score)


def _fit(
    first: Keypoints, second: Keypoints, pairs: Ints, tolerance: float, shape: Shape, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
    """Which pairs agree, and on what."""
    import cv2

    none = np.zeros(len(pairs), bool)
    if len(pairs) < _LEAST[shape]:
        return none, None
    away = tolerance * max(second.size)
    estimate: Any = cv2.estimateAffinePartial2D if shape == "similarity" else cv2.estimateAffine2D
    cv2.setRNGSeed(seed)
    transform, inside = estimate(
        first.places[pairs[:, 0]],
        second.places[pairs[:, 1]],
        method=cv2.RANSAC,
        ransacReprojThreshold=away,
        maxIters=1000,
        confidence=0.995,
    )
    if transform is None or not np.isfinite(transform).all():
        return none, None
    zooms = np.linalg.svd(transform[:, :2], compute_uv=False)
    # Against the photos' sizes: a thumbnail of a photo is no zoom.
    zooms = zooms * max(first.size) / max(second.size)
    fits = inside[:, 0].astype(bool)
    # Keypoints in one place (one spot has several angles) are one witness.
    witnesses = min(
        len(np.unique(np.rint(points.places[pairs[fits, side]]), axis=0))
        for side, points in enumerate((first, second))
    )
    if witnesses < _LEAST[shape] or zooms.max() > _MOST_ZOOM or zooms.min() < 1 / _MOST_ZOOM:
        return none, None
    return fits, np.asarray(transform, np.float64)


def no_match() -> Match:
    """Nothing in common."""
    empty = np.empty((0, 2), np.int64)
    return Match(empty, np.empty(0, np.float32), np.empty(0, bool), None, 0.0)


def numbered(names: Iterable[Hashable]) -> tuple[list[Hashable], Ints]:
    """Names, each once in the order they first come in, and int64 (n,), the place of each there."""
    places: dict[Hashable, int] = {}
    each = [places.setdefault(name, len(places)) for name in names]
    return list(places), np.array(each, np.int64)


class Gallery:
    """The descriptors of a gallery in one array, grouped by individual: a copy, 512 bytes each.

    Args:
        photos: keypoints of the gallery's photos, in order.
        individuals: who is on each, anything hashable.

    Attributes:
        names: the individuals, in the order they first come in.
        descriptors: float32 (n, 128), of all photos.
        whose: int64 (n,), positions in `names`.
    """

    def __init__(self, photos: Sequence[Keypoints], individuals: Sequence[Hashable]) -> None:
        if len(photos) != len(individuals):
            raise ValueError(f"{len(photos)} photos but {len(individuals)} individuals")
        self.names, who = numbered(individuals)
        counts = [len(points) for points in photos]
        self.whose = np.repeat(who, counts)
        self.descriptors = np.empty((sum(counts), 128), np.float32)
        at = 0
        for points in photos:
            self.descriptors[at : at + len(points)] = points.descriptors
            at += len(points)


def one_against_many(query: Keypoints, gallery: Gallery, *, neighbours: int = 5) -> Floats:
    """Score a query against every individual at once, without any training (LNBNN).

    Each of the query's descriptors looks up its nearest neighbours among those of all photos; the
    individuals of the nearest few gain by how much nearer they are than the next one after these
    (McCann and Lowe, "Local Naive Bayes Nearest Neighbor for image classification", CVPR 2012;
    for animals HotSpotter, Crall et al., WACV 2013). The search is exact: a matrix product of
    blocks, from which only what beats the nearest so far is sorted.

    Args:
        query: from `find_keypoints`.
        gallery: all photos to search.
        neighbours: the nearest few.

    Returns:
        float32 (individuals,), in the order of `gallery.names`; higher is more alike, 0 for those
        that nothing was found of.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours is 1 or more, not {neighbours}")
    scores = np.zeros(len(gallery.names), np.float64)
    count = min(neighbours, len(gallery.descriptors) - 1)
    if not len(query) or count < 1:
        return scores.astype(np.float32)
    cosine, at = nearest_descriptors(query.descriptors, gallery.descriptors, count + 1)
    whose = gallery.whose[at[:, :-1]]
    gain = 2.0 * (cosine[:, :-1] - cosine[:, -1:])  # of squared distances, 2 − 2·cosine
    # Of several neighbours of one individual the nearest alone counts.
    again = np.zeros(whose.shape, bool)
    for column in range(1, count):
        again[:, column] = (whose[:, :column] == whose[:, column : column + 1]).any(1)
    np.add.at(scores, whose[~again], gain[~again])
    return scores.astype(np.float32)


def nearest_descriptors(queries: Floats, gallery: Floats, count: int) -> tuple[Floats, Ints]:
    """The nearest of all, exactly: cosines (q, count), best first, and positions (q, count).

    Of equals the first comes first.
    """
    if not 1 <= count <= len(gallery):
        raise ValueError(f"cannot find {count} nearest among {len(gallery)}")
    best = np.full((len(queries), count), -np.inf, np.float32)
    at = np.zeros((len(queries), count), np.int64)
    # A short first block sets the bar, and few of the later ones get over it.
    edges = [0, *range(min(max(count, 512), len(gallery)), len(gallery), _BLOCK), len(gallery)]
    for start, stop in pairwise(edges):
        cells = queries @ gallery[start:stop].T
        rows, columns = np.nonzero(cells > best[:, -1:])
        if not len(rows):
            continue
        whole = np.unique(rows)
        similar = np.concatenate([best[whole].ravel(), cells[rows, columns]])
        where = np.concatenate([at[whole].ravel(), columns + start])
        row = np.concatenate([np.repeat(whole, count), rows])
        order = np.lexsort((where, -similar, row))
        first = np.searchsorted(row[order], whole)
        chosen = order[first[:, None] + np.arange(count)]
        best[whole], at[whole] = similar[chosen], where[chosen]
    return best, at
