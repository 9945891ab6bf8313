"""The figures of an open set: is this somebody we know, or somebody new?"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError
from resight.evaluate.metrics import Array, Figure, table, with_intervals
from resight.evaluate.ranking import Labels, encode, listed


@dataclass(frozen=True, slots=True)
class OpenSet:
    """How well known individuals are told from new ones.

    Attributes:
        auroc: chance that a known query's score is above a new one's (ties count half).
        tpr_at_1_fpr, tpr_at_5_fpr: share of the known queries accepted, at the lowest threshold
            that accepts at most 1 % (5 %) of the new ones.
        baks: balanced accuracy on known samples: right individual and not called new.
        baus: balanced accuracy on unknown samples: called new.
        geometric_mean: of the two.
        threshold: a score below it says "new"; None if none was given, and so no BAKS and BAUS.
        known, unknown: queries of each kind.
    """

    auroc: Figure
    tpr_at_1_fpr: Figure
    tpr_at_5_fpr: Figure
    baks: Figure | None
    baus: Figure | None
    geometric_mean: Figure | None
    threshold: float | None
    known: int
    unknown: int

    def figures(self) -> dict[str, Figure | None]:
        """All figures by name; None for those that need a threshold when there is none."""
        return {
            "AUROC": self.auroc,
            "TPR at 1 % FPR": self.tpr_at_1_fpr,
            "TPR at 5 % FPR": self.tpr_at_5_fpr,
            "BAKS": self.baks,
            "BAUS": self.baus,
            "geometric mean": self.geometric_mean,
        }

    def __str__(self) -> str:
        at = "" if self.threshold is None else f", threshold {self.threshold:.4g}"
        title = f"Open set: {self.known} known and {self.unknown} new queries{at}"
        return table(title, self.figures())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **{name: figure and figure.to_dict() for name, figure in self.figures().items()},
            "threshold": self.threshold,
            "known": self.known,
            "unknown": self.unknown,
        }


def open_set_figures(
    scores: NDArray[Any],
    nearest: Labels,
    labels: Labels,
    enrolled: Sequence[Hashable] | set[Hashable] | NDArray[Any],
    *,
    threshold: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> OpenSet:
    """Measure the decision known / new from the score of each query's nearest photo.

    BAKS, BAUS and their geometric mean are those of AnimalCLEF 2025
    (https://imageclef.org/AnimalCLEF2025): the share of right answers of each individual, averaged
    over the individuals of the catalogue (BAKS), and over those that are not in it (BAUS).

    Args:
        scores: (q,) similarity of the nearest photo; higher is more surely known.
        nearest: (q,) individual of the nearest photo.
        labels: (q,) true individuals of the queries.
        enrolled: individuals of the catalogue; queries of any other are new.
        threshold: a score below it answers "new".
        resamples, seed: of the bootstrap, which draws known and new individuals apart.

    Raises:
        ResightError: no known or no new query, a threshold of NaN, or lengths that do not fit.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ResightError("scores must be one finite number a query")
    if threshold is not None and math.isnan(threshold):
        raise ResightError("the threshold is NaN, so it parts nothing; give a number, or None")
    codes: dict[Hashable, int] = {}
    in_catalogue = encode(listed(enrolled), codes, len(enrolled), "enrolled")
    truth = encode(labels, codes, len(scores), "queries")
    answer = encode(nearest, codes, len(scores), "nearest")
    known = np.isin(truth, in_catalogue)
    if known.all() or not known.any():
        raise ResightError(
            f"an open set needs known and new queries, got {known.sum()} known and "
            f"{(~known).sum()} new"
        )
    # Individuals numbered anew: the known first, so that each kind is a stratum.
    _, own_known = np.unique(truth[known], return_inverse=True)
    _, own_new = np.unique(truth[~known], return_inverse=True)
    n_known, n_new = int(own_known.max()) + 1, int(own_new.max()) + 1
    levels, level = np.unique(scores, return_inverse=True)
    level_known, level_new = level[known], level[~known]
    rates: list[Array] = []
    if threshold is not None:
        accepted = scores >= threshold
        right = (accepted & (answer == truth))[known]
        for own, good in ((own_known, right), (own_new, ~accepted[~known])):
            rates.append(np.bincount(own, good) / np.bincount(own))

    def statistic(weights: Array) -> list[float]:
        of_known, of_new = weights[:n_known], weights[n_known:]
        at_known = np.bincount(level_known, of_known[own_known], len(levels))
        at_new = np.bincount(level_new, of_new[own_new], len(levels))
        # Shares accepted with the threshold at each level, the lowest level first.
        from_known = np.cumsum(at_known[::-1])[::-1] / at_known.sum()
        from_new = np.cumsum(at_new[::-1])[::-1] / at_new.sum()
        share_known = at_known / at_known.sum()
        auroc = 1 - float(share_known @ (from_new - at_new / at_new.sum() / 2))
        values = [auroc]
        for rate in (0.01, 0.05):
            allowed = from_new <= rate + 1e-12
            values.append(float(from_known[allowed].max(initial=0.0)))
        if rates:
            baks = float(of_known @ rates[0] / of_known.sum())
            baus = float(of_new @ rates[1] / of_new.sum())
            values += [baks, baus, math.sqrt(baks * baus)]
        return values

    fewest = min(n_known, n_new)
    n = [fewest] * 3 + ([n_known, n_new, fewest] if rates else [])
    auroc, tpr_1, tpr_5, *at_threshold = with_intervals(
        statistic, [n_known, n_new], n, resamples, seed
    )
    baks, baus, mean = at_threshold or (None, None, None)
    return OpenSet(
        auroc=auroc,
        tpr_at_1_fpr=tpr_1,
        tpr_at_5_fpr=tpr_5,
        baks=baks,
        baus=baus,
        geometric_mean=mean,
        threshold=threshold,
        known=int(known.sum()),
        unknown=int((~known).sum()),
    )
