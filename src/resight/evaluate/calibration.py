"""Is a probability true? Of all that was called 80 % sure, were 80 % right?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Probabilities against what came true.

    Attributes:
        predicted, observed: float64 (bins,), mean probability and share that came true in each bin
            (NaN where it is empty).
        low, high: float64 (bins,), the 95 % Wilson interval of `observed`, for the effective number
            of groups in the bin.
        counts: int64 (bins,), answers in each bin.
        error: expected calibration error: |predicted - observed|, averaged over the answers.
        floor: the error that perfectly true probabilities would show on as few groups as these,
            on average; an error is worth nothing below it.
        answers, groups: how many there were.
    """

    predicted: Array
    observed: Array
    low: Array
    high: Array
    counts: NDArray[np.int64]
    error: float
    floor: float
    answers: int
    groups: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""

        def plain(values: Array) -> list[float | None]:
            return [None if np.isnan(v) else round(float(v), 6) for v in values]

        return {
            "predicted": plain(self.predicted),
            "observed": plain(self.observed),
            "low": plain(self.low),
            "high": plain(self.high),
            "counts": self.counts.tolist(),
            "error": self.error,
            "floor": self.floor,
            "answers": self.answers,
            "groups": self.groups,
        }


def reliability(
    probability: NDArray[Any],
    came_true: NDArray[Any],
    *,
    weights: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    bins: int = 10,
    seed: int = 0,
) -> Reliability:
    """Compare probabilities with what came true, in bins of equal width.

    The expected calibration error is that of Naeini, Cooper and Hauskrecht ("Obtaining well
    calibrated probabilities using Bayesian binning", 2015).

    Args:
        probability: (n,) between 0 and 1.
        came_true: (n,) whether it did.
        weights: (n,) of each answer, 1 by default.
        groups: (n,) what stands or falls together, such as encounters; each its own by default.
        bins: how many.
        seed: of the draws for `floor`.

    Raises:
        ResightError: nothing to compare, lengths that do not fit, or a value outside 0 to 1.
    """
    p = np.asarray(probability, np.float64)
    true = np.asarray(came_true, np.float64)
    weight = np.ones(len(p)) if weights is None else np.asarray(weights, np.float64)
    if not len(p) or p.shape != true.shape or p.shape != weight.shape:
        raise ResightError(
            f"a probability and an outcome each, got {p.shape}, {true.shape} and {weight.shape}"
        )
    if not ((p >= 0) & (p <= 1)).all():
        raise ResightError("probabilities lie between 0 and 1")
    group = np.arange(len(p)) if groups is None else np.unique(groups, return_inverse=True)[1]
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    mass = np.bincount(place, weight, bins)
    there = np.maximum(mass, 1e-300)

    def error(outcome: Array) -> float:
        gap = np.bincount(place, weight * (p - outcome), bins)
        return float(np.abs(gap).sum() / mass.sum())

    rng = np.random.default_rng(seed)
    drawn = [error((rng.random(group.max() + 1)[group] < p) * 1.0) for _ in range(200)]
    empty = mass == 0
    observed = np.where(empty, np.nan, np.bincount(place, weight * true, bins) / there)
    low, high = wilson(observed, _effective(place, group, weight, bins))
    return Reliability(
        np.where(empty, np.nan, np.bincount(place, weight * p, bins) / there),
        observed,
        low,
        high,
        np.bincount(place, minlength=bins),
        error(true),
        float(np.mean(drawn)),
        len(p),
        int(group.max()) + 1,
    )


def _effective(
    place: NDArray[np.int64], group: NDArray[np.int64], weight: Array, bins: int
) -> Array:
    """Groups in each bin, those of little weight counting less (Kish)."""
    width = int(group.max()) + 1
    cells, inverse = np.unique(place * width + group, return_inverse=True)
    mass = np.bincount(inverse, weight)
    of_bin = cells // width
    return np.bincount(of_bin, mass, bins) ** 2 / np.maximum(
        np.bincount(of_bin, mass**2, bins), 1e-300
    )


def wilson(share: Array, n: Array, z: float = 1.96) -> tuple[Array, Array]:
    """Wilson's 95 % interval of a share of n, element by element."""
    n = np.maximum(n, 1e-9)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - half, middle + half
