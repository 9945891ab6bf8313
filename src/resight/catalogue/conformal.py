"""Candidate sets with a promise: the truth, "new" included, is among these with 95 % probability.

Split conformal prediction: whatever the probabilities are worth, a cut is taken at which the truth
of the catalogue's own questions was in the set as often as promised. It is taken apart for
individuals that are in the gallery and for "new" (label-conditional, Vovk 2012), so that the
promise holds for both, however many newcomers there will be; and apart for single photos and for
several together. What one encounter asks counts once, since its photos are near-copies.

A candidate is scored by its probability (LAC: Sadinle, Lei and Wasserman 2019), as it is or among
the known alone, by minus the probability of all that are at least as probable (APS: Romano, Sesia
and Candès 2020), or by its evidence alone; whichever makes the shortest sets on the catalogue's own
questions is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from resight.catalogue.decision import NEW, Probabilities
from resight.catalogue.evidence import Flags, Floats, Ints

LEVELS = (0.9, 0.95)
FEWEST_APART = 40  # encounters of several photos, for a cut of their own


@dataclass(frozen=True)
class Promise:
    """Where the sets of one level are cut.

    Attributes:
        level: how often the truth is in the set.
        score: "probability", "among known", "cumulative" or "evidence".
        known: a candidate of a single photo's is in the set from this score on; None: everybody.
        new: "new" is in it from these log odds on; None: always.
        known_together, new_together: the same for several photos.
        encounters: that asked of known individuals and of new ones.
    """

    level: float
    score: str
    known: float | None
    new: float | None
    known_together: float | None
    new_together: float | None
    encounters: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Promise:
        """Read back."""
        return cls(**{**values, "encounters": tuple(values["encounters"])})


def _among_known(found: Probabilities) -> Floats:
    """Each candidate's probability, given that it is anybody in the gallery."""
    rest = found.known.sum(axis=1) + found.beyond
    return found.known / np.maximum(rest, 1e-300)[:, None]


def _probability(found: Probabilities) -> Floats:
    """At equal shares of known and new."""
    return _among_known(found) * (1 / (1 + np.exp(np.minimum(found.odds, 700))))[:, None]


def _cumulative(found: Probabilities) -> Floats:
    p = _among_known(found)
    order = np.argsort(-p, axis=1, kind="stable")
    total = np.cumsum(np.take_along_axis(p, order, axis=1), axis=1)
    score = np.empty_like(p)
    np.put_along_axis(score, order, -total, axis=1)
    # Past the point where the sum is 1 to the last bit, the less probable still comes later.
    return np.where(p > 0, score + 1e-9 * p, -np.inf)


def _evidence(found: Probabilities) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(_among_known(found)) - found.odds[:, None]


SCORES: dict[str, Callable[[Probabilities], Floats]] = {
    "probability": _probability,
    "among known": _among_known,
    "cumulative": _cumulative,
    "evidence": _evidence,
}


def promise(
    found: Probabilities, truth: Ints, weights: Floats, alone: Flags, level: float
) -> Promise:
    """Take the cuts of a level from questions whose truth is known.

    Args:
        found: the probabilities of t questions, by parameters that did not see them.
        truth: int64 (t,), of each, as in `questions`.
        weights: float64 (t,), as in `questions`: 1 for what an encounter asks of one kind.
        alone: bool (t,), which are of single photos.
        level: 0.9 promises 90 %.
    """
    is_new = truth == NEW
    rows = np.arange(len(truth))
    best: tuple[float, Promise] | None = None
    kinds = [(alone, "alone"), (~alone, "together")]
    cuts: dict[str, float] = {}
    for which, name in kinds:
        cuts[f"new {name}"] = _cut(found.odds, is_new & which, is_new, weights, level)
    for score, of in SCORES.items():
        values = of(found)
        own = np.where(truth >= 0, values[rows, np.maximum(truth, 0)], -np.inf)
        for which, name in kinds:
            cuts[name] = _cut(own, ~is_new & which, ~is_new, weights, level)
        made = Promise(
            level,
            score,
            _finite(cuts["alone"]),
            _finite(cuts["new alone"]),
            _finite(cuts["together"]),
            _finite(cuts["new together"]),
            (float(weights[~is_new].sum()), float(weights[is_new].sum())),
        )
        members, _ = candidate_sets(found, made, alone)
        size = float(np.average(members.sum(axis=1), weights=weights))
        if best is None or size < best[0] - 1e-9:
            best = (size, made)
    assert best is not None
    return best[1]


def _finite(cut: float) -> float | None:
    return cut if np.isfinite(cut) else None


def candidate_sets(found: Probabilities, made: Promise, alone: Flags) -> tuple[Flags, Flags]:
    """Who is in the set of each question.

    Args:
        found: the probabilities of t questions with k candidates.
        made: the promise to keep.
        alone: bool (t,), which are of single photos.

    Returns:
        bool (t, k), the candidates; bool (t,), whether "new" is one of them. Where the promise's
        cut is None every candidate is in, and so are all individuals beyond them.
    """
    low = -np.inf
    known = [low if cut is None else cut for cut in (made.known_together, made.known)]
    new = [low if cut is None else cut for cut in (made.new_together, made.new)]
    single = alone.astype(int)
    members = SCORES[made.score](found) >= np.array(known)[single][:, None]
    return members & (found.known > 0), found.odds >= np.array(new)[single]


def covered(members: Flags, new: Flags, truth: Ints, everybody: Flags) -> Flags:
    """Whether the truth is in the set, (t,); `everybody`: sets that hold the whole catalogue."""
    rows = np.arange(len(truth))
    inside = np.where(truth >= 0, members[rows, np.maximum(truth, 0)], False)
    return np.where(truth == NEW, new, inside | everybody)


def unbounded(made: Promise, alone: Flags) -> Flags:
    """Which questions' sets hold everybody in the catalogue, (t,)."""
    return np.where(alone, made.known is None, made.known_together is None)


def _cut(values: Floats, which: Flags, instead: Flags, weights: Floats, level: float) -> float:
    """The greatest cut that keeps a share `level` of the weight at or above it.

    The question to come counts as one more encounter, which lies below every cut (Tibshirani,
    Barber, Candès and Ramdas, "Conformal prediction under covariate shift", 2019).
    """
    if 2 * weights[which].sum() < FEWEST_APART:
        which = instead  # too few of this kind for a cut of their own
    values, weights = values[which], weights[which]
    if not len(values):
        return -np.inf
    # An encounter's weight is split between its photos alone and together.
    share = 2.0 if which is not instead else 1.0
    order = np.argsort(-values, kind="stable")
    kept = np.cumsum(share * weights[order]) / (share * weights.sum() + 1)
    place = int(np.searchsorted(kept, level - 1e-12))
    return float(values[order][place]) if place < len(order) else -np.inf
