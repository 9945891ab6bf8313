"""What a question finds in the gallery: the few numbers that the decision is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from resight.errors import ResightError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

KEPT = 50  # candidates of a question; all others are taken to be as near as the last of them
FEW = 3  # photos of a candidate that speak for it
COHORT = 10  # individuals after the first, whose likeness tells what a photo is worth


@dataclass(frozen=True, eq=False)
class Evidence:
    """What questions found; t questions, up to k candidates each.

    Every number of a candidate is the mean over the question's photos.

    Attributes:
        similarity: float64 (t, k), of the candidate's most similar photo; descending, -inf where
            there are fewer candidates.
        support: float64 (t, k), mean of its three most similar photos less `similarity`; 0 if it
            has one photo.
        photos: int64 (t, k), photos of each in the gallery (1 where there is none).
        others: float64 (t,), mean similarity of the ten individuals after the first; NaN where
            there is no other.
        individuals: int64 (t,), in the gallery.
        asked: int64 (t,), photos of the question.
        closely: float64 (t, k), log(1 + score) of the best match (`match_scores`) with a photo
            of the candidate; 0 where nobody looked closely, or nothing matched.
    """

    similarity: Floats
    support: Floats
    photos: Ints
    others: Floats
    individuals: Ints
    asked: Ints
    closely: Floats

    def __len__(self) -> int:
        return len(self.similarity)

    def of(self, rows: npt.NDArray[Any]) -> Evidence:
        """Some of the questions."""
        return Evidence(*(getattr(self, f.name)[rows] for f in fields(self)))


def evidence(
    similarity: npt.NDArray[Any],
    photos: npt.NDArray[Any],
    *,
    support: npt.NDArray[Any] | None = None,
    individuals: int | None = None,
    closely: npt.NDArray[Any] | None = None,
    keep: int = KEPT,
) -> tuple[Evidence, Ints]:
    """The evidence of one question.

    Args:
        similarity: (m, n), of each of m photos to the most similar photo of each individual.
        photos: (n,) how many photos of each there are.
        support: (m, n), see `Evidence`; 0 where not given.
        individuals: in the gallery, where the n are only the nearest of them.
        closely: (m, n), see `Evidence`; 0 where not given.
        keep: how many candidates to keep.

    Returns:
        The evidence (t = 1), and the columns of its candidates in their order, int64 (k,).

    Raises:
        ResightError: shapes that do not fit, no photo, nobody to compare with, or NaN.
    """
    found = np.asarray(similarity, np.float64)
    counts = np.asarray(photos, np.int64)
    if found.ndim != 2 or not found.size or counts.shape != found.shape[1:]:
        raise ResightError(
            "similarities are (photos, individuals), one of each at least, with a number of "
            f"photos for each individual; got {found.shape} and {counts.shape}"
        )
    if not np.isfinite(found).all() or counts.min() < 1:
        raise ResightError("similarities must be finite, and everybody must have a photo")
    mean = found.mean(axis=0)
    order = np.argsort(-mean, kind="stable")[:keep]

    def laid(values: Any, empty: float) -> Any:
        row = np.full((1, keep), empty)
        if values is not None:
            row[0, : len(order)] = np.asarray(values, np.float64).mean(axis=0)[order]
        return row

    number = laid(counts[None], 1).astype(np.int64)
    # Each photo by its own next best: what one is like, another of the encounter need not be.
    several = min(COHORT + 1, found.shape[1])
    top = -np.partition(-found, several - 1, axis=1)[:, :several]
    none = np.full(len(found), np.nan)
    others = (top.sum(axis=1) - top.max(axis=1)) / (several - 1) if several > 1 else none
    count = max(individuals or 0, found.shape[1])
    return (
        Evidence(
            laid(found, -np.inf),
            laid(support, 0.0),
            number,
            np.array([others.mean()]),
            np.array([count]),
            np.array([len(found)]),
            laid(closely, 0.0),
        ),
        order,
    )


def combined(parts: Sequence[Evidence]) -> Evidence:
    """Several questions' evidence as one."""
    return Evidence(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Evidence))
    )


def nearest_few(cells: npt.NDArray[Any], starts: Ints) -> tuple[Floats, Floats]:
    """What the nearest photos of each individual say.

    Args:
        cells: (m, r) similarities to r photos, those of an individual side by side; -inf for one
            that does not count. Every individual has one that does.
        starts: (n,) the first photo of each individual.

    Returns:
        similarity and support, float64 (m, n) each, as in `Evidence`.
    """
    left = cells.astype(np.float64)
    lengths = np.diff(np.append(starts, left.shape[1]))
    owner = np.repeat(np.arange(len(starts)), lengths)
    best = np.maximum.reduceat(left, starts, axis=1)
    total, number = np.where(np.isfinite(best), best, 0), np.isfinite(best).astype(np.int64)
    top = best
    for _ in range(FEW - 1):
        # Take out the first that is the greatest; its equals have their turn.
        row, column = np.nonzero(left == top[:, owner])
        _, first = np.unique(row * len(starts) + owner[column], return_index=True)
        left[row[first], column[first]] = -np.inf
        top = np.maximum.reduceat(left, starts, axis=1)
        total += np.where(np.isfinite(top), top, 0)
        number += np.isfinite(top)
    return best, total / np.maximum(number, 1) - best


def rows_of(individuals: Ints, starts: Ints, photos: int) -> tuple[Ints, Ints]:
    """The rows of some individuals of a gallery, side by side, and where each begins there.

    Args:
        individuals: (n,) which.
        starts: first row of every individual of the gallery.
        photos: rows of the gallery.
    """
    lengths = np.append(starts[1:], photos)[individuals] - starts[individuals]
    first = np.cumsum(lengths) - lengths
    return np.repeat(starts[individuals] - first, lengths) + np.arange(lengths.sum()), first
