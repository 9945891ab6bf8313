"""Labelled photos as questions with their answers, from which a `Fusion` is learned."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from resight.compare.fuse import SHORTLIST, Details, Floats, Fusion, Ints, match_scores
from resight.compare.matching import numbered
from resight.likeness import likeness


class Pairs(NamedTuple):
    """Pairs of photos to learn from: a query, and one of the photos nearest to it.

    Attributes:
        first, second: int64 (p,), positions of those that ask and of those that answer.
        same: bool (p,), whether the two show one individual.
        alike: float64 (p,), likeness of the query to the individual on the second, by all photos
            that are not of the query's encounter.
    """

    first: Ints
    second: Ints
    same: npt.NDArray[np.bool_]
    alike: Floats


def labelled_pairs(
    vectors: npt.NDArray[np.float32],
    individuals: Sequence[Any] | npt.NDArray[Any],
    encounters: Sequence[Any] | npt.NDArray[Any] | None = None,
    *,
    ask: npt.NDArray[np.bool_] | None = None,
    queries: int = 300,
    shortlist: int = SHORTLIST,
    seed: int = 0,
) -> Pairs:
    """Pairs to learn a fusion from: photos, each with the shortlist that it would get.

    They are as hard as those that will be judged, since each is of a photo and the nearest to it.
    No pair is of one encounter, in which photos are near-copies.

    Args:
        vectors: float32 (n, dim), unit length.
        individuals: (n,) who is on each.
        encounters: (n,) the encounter of each; None in it, or None instead of it: its own.
        ask: bool (n,), which may ask. A model knows the photos that it was trained on too well to
            tell what its cosines are worth, so let others ask, where there are such.
        queries: how many photos ask at most, drawn by chance.
        shortlist: how many of the nearest each is paired with.
        seed: of the draw.
    """
    count = len(vectors)
    names, who = numbered(individuals)
    met: list[Any] = [None] * count if encounters is None else list(encounters)
    _, together = numbered(
        ("photo", i) if met[i] is None else (int(who[i]), met[i]) for i in range(count)
    )
    may = np.arange(count) if ask is None else np.flatnonzero(ask)
    drawn = np.sort(np.random.default_rng(seed).permutation(may)[:queries])
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    alike = [np.empty(0)]
    for query in drawn.tolist():
        near = np.where(together == together[query], -np.inf, vectors @ vectors[query])
        nearest = np.argsort(-near, kind="stable")[:shortlist]
        nearest = nearest[np.isfinite(near[nearest])]
        first.append(np.full(len(nearest), query))
        second.append(nearest)
        alike.append(likeness(near.astype(np.float64), who, len(names))[who[nearest]])
    one, other = np.concatenate(first), np.concatenate(second)
    return Pairs(one, other, who[one] == who[other], np.concatenate(alike))


def learn_fusion(
    pairs: Pairs,
    individuals: Sequence[Any] | npt.NDArray[Any],
    details_of: Callable[[int], Details],
) -> Fusion:
    """Compare the two photos of each pair closely, and learn what a match is worth.

    Args:
        pairs: from `labelled_pairs`.
        individuals: (n,) as given there.
        details_of: as for `rerank`, of all photos.

    Raises:
        ResightError: as `Fusion.fit`.
        UnreadablePhoto: a photo of a pair cannot be looked at.
    """
    first, second, same, alike = pairs
    _, who = numbered(individuals)
    scores = np.zeros(len(first))
    for query in np.unique(first).tolist():
        rows = np.flatnonzero(first == query)
        others = [details_of(place) for place in second[rows].tolist()]
        scores[rows] = match_scores(details_of(query), others)
    return Fusion.fit(*best_of_each(first, who[second], alike, scores, same))


def best_of_each(
    queries: Sequence[Hashable] | npt.NDArray[Any],
    individuals: Sequence[Hashable] | npt.NDArray[Any],
    cosines: Sequence[float] | Floats,
    scores: Sequence[float] | Floats,
    same: Sequence[bool] | npt.NDArray[np.bool_],
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Pairs of photos as queries with individuals, from which `Fusion.fit` learns.

    Args:
        queries: (p,) which photo asks in a pair, such as the first that `labelled_pairs` gives.
        individuals: (p,) who is on the other, anything hashable.
        cosines, scores, same: (p,) of the pairs; likenesses in place of cosines do as well.

    Returns:
        for each query and individual, in the order they first come in, the highest cosine, the
        best score, float64 (n,) each, and bool (n,), whether the query shows that one.

    Raises:
        ValueError: not as many of each.
    """
    given = (queries, individuals, cosines, scores, same)
    if len({len(values) for values in given}) > 1:
        lengths = ", ".join(str(len(values)) for values in given)
        raise ValueError(f"of so many pairs there is one of each, not {lengths}")
    keys, which = numbered(zip(queries, individuals, strict=True))
    near, best = np.full((2, len(keys)), -np.inf)
    is_it = np.zeros(len(keys), bool)
    np.maximum.at(near, which, np.asarray(cosines, np.float64))
    np.maximum.at(best, which, np.asarray(scores, np.float64))
    np.logical_or.at(is_it, which, np.asarray(same, bool))
    return near, best, is_it
