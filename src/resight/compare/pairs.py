"""Labelled photos as questions with their answers, from which a `Fusion` is learned."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from resight.compare.fuse import SHORTLIST, Floats, Ints
from resight.compare.matching import numbered


def labelled_pairs(
    vectors: npt.NDArray[np.float32],
    individuals: Sequence[Any] | npt.NDArray[Any],
    encounters: Sequence[Any] | npt.NDArray[Any] | None = None,
    *,
    ask: npt.NDArray[np.bool_] | None = None,
    queries: int = 300,
    shortlist: int = SHORTLIST,
    seed: int = 0,
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
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

    Returns:
        int64 (p,) positions of those that ask, int64 (p,) of those that answer, and bool (p,)
        whether the two show one individual.
    """
    count = len(vectors)
    _, who = numbered(individuals)
    met: list[Any] = [None] * count if encounters is None else list(encounters)
    codes: dict[Any, int] = {}
    together = np.array(
        [
            codes.setdefault(("photo", i) if met[i] is None else (int(who[i]), met[i]), len(codes))
            for i in range(count)
        ],
        np.int64,
    )
    may = np.arange(count) if ask is None else np.flatnonzero(ask)
    drawn = np.sort(np.random.default_rng(seed).permutation(may)[:queries])
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for query in drawn.tolist():
        near = np.where(together == together[query], -np.inf, vectors @ vectors[query])
        nearest = np.argsort(-near, kind="stable")[:shortlist]
        nearest = nearest[np.isfinite(near[nearest])]
        first.append(np.full(len(nearest), query))
        second.append(nearest)
    one, other = np.concatenate(first), np.concatenate(second)
    return one, other, who[one] == who[other]


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
        cosines, scores, same: (p,) of the pairs.

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
