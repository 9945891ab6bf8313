"""Make the catalogue's probabilities true: fit the decision on its own labelled photos.

Everything that is reported was measured across folds: the parameters, the threshold and the cuts
of the candidate sets that a question meets come from other individuals than its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from resight.catalogue.closely import Look
from resight.catalogue.conformal import LEVELS, Promise, promise
from resight.catalogue.decision import NEW, Parameters, Probabilities, fit, probabilities
from resight.catalogue.evidence import Flags, Ints
from resight.catalogue.measure import measure
from resight.catalogue.questions import Days, Questions, ask_itself, encounters_of

FOLDS = 5
ENOUGH = 20  # encounters with somebody seen before, with somebody new, and individuals
RECENT = 0.5  # of the encounters: the later part, by which the share of new ones is judged
# Half a newcomer in the 20 encounters that the past counts for (as in `--new-share asked`): however
# long nobody new has come, it is not ruled out that somebody does.
LEAST_NEW = 0.5 / 21


@dataclass(frozen=True)
class Calibration:
    """How a catalogue decides, and what that rests on.

    Attributes:
        parameters: of the decision.
        promises: the cuts of the candidate sets, one a level.
        resightings: encounters that asked with their individual in the gallery.
        newcomers: encounters that asked with their individual left out, or not yet known.
        encounters, individuals, photos: of the questions; `photos` are the labelled ones there are.
        trained_on: of those photos, how many the model was trained on; they asked nothing.
        closely: whether candidates were looked at closely; then they are when anybody asks.
        forward: whether they were asked of what was known before, by date.
        expected: of recent encounters, how many were of somebody new and how many not, plus a half
            each (Jeffreys' prior); their ratio is the share that is expected.
        figures: what was measured; see `measure`.
    """

    parameters: Parameters
    promises: tuple[Promise, ...] = ()
    resightings: int = 0
    newcomers: int = 0
    encounters: int = 0
    individuals: int = 0
    photos: int = 0
    trained_on: int = 0
    closely: bool = False
    forward: bool = False
    expected: tuple[float, float] = (0.5, 2.0)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def enough(self) -> bool:
        """Whether there was enough to call the probabilities calibrated."""
        return min(self.resightings, self.newcomers, self.individuals) >= ENOUGH

    def missing(self) -> str:
        """What there is of what it takes, where that is not enough; else ""."""
        counts = {
            "encounters with somebody seen before": self.resightings,
            "encounters with somebody new": self.newcomers,
            "individuals": self.individuals,
        }
        few = [f"{n} of {ENOUGH} {what}" for what, n in counts.items() if n < ENOUGH]
        return ", ".join(few)

    def to_dict(self) -> dict[str, Any]:
        """All but the figures, in plain values for JSON."""
        plain = asdict(self)
        del plain["figures"]
        return {**plain, "parameters": self.parameters.to_dict()}

    @classmethod
    def from_dict(
        cls, values: dict[str, Any], figures: dict[str, Any] | None = None
    ) -> Calibration:
        """Read back."""
        return cls(
            **{
                **values,
                "parameters": Parameters.from_dict(values["parameters"]),
                "promises": tuple(Promise.from_dict(p) for p in values["promises"]),
                "expected": tuple(values["expected"]),
                "figures": figures or {},
            }
        )


def calibrate(
    vectors: npt.NDArray[np.float32],
    individuals: npt.NDArray[Any],
    encounters: npt.NDArray[Any],
    days: Days,
    *,
    usual: Parameters,
    share: float | None = None,
    since: np.datetime64 | None = None,
    seen: npt.NDArray[np.bool_] | None = None,
    look: Look | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit the decision on labelled photos and measure it across folds.

    Args:
        vectors: float32 (n, dim), unit length.
        individuals: (n,) who is on each.
        encounters: (n,) number of each photo's encounter, -1 where there is none: then its day
            stands for one, else its near-copies.
        days: datetime64[D] (n,), NaT where unknown.
        usual: the prior's middle, such as `usual_parameters` gives.
        share: how often somebody new is expected; judged from the past where None.
        since: ask only with photos of this day or later, such as those that the model was not
            trained on.
        seen: bool (n,), which photos the model was trained on, where that is known.
        look: looks at candidates closely, by positions in `vectors`; then so must whoever asks.
        seed: of the draws.
    """
    together = encounters_of(vectors, individuals, encounters, days)
    expected = expected_new(individuals, together, days)
    if share is not None:
        expected = (share * sum(expected), (1 - share) * sum(expected))
    begin = replace(
        usual,
        share=max(expected[0] / sum(expected), LEAST_NEW if share is None else 0.0),
    )
    trained_on = 0 if seen is None else int(np.count_nonzero(seen))
    questions = ask_itself(
        vectors, individuals, together, days, since=since, seen=seen, look=look, seed=seed
    )
    closely = look is not None
    if questions is None:
        return Calibration(
            begin,
            photos=len(vectors),
            trained_on=trained_on,
            closely=closely,
            expected=expected,
        )
    begin = replace(begin, centre=questions.centre, scale=questions.scale)
    truth, weights, alone = questions.truth, questions.weights, questions.alone
    known = truth != NEW
    counted: dict[str, Any] = {
        "resightings": len(np.unique(questions.encounter[known])),
        "newcomers": len(np.unique(questions.encounter[~known])),
        "encounters": len(np.unique(questions.encounter)),
        "individuals": len(np.unique(questions.individual)),
        "photos": len(vectors),
        "trained_on": trained_on,
        "closely": closely,
        "forward": questions.forward,
        "expected": expected,
    }
    if not known.any() or known.all():
        return Calibration(begin, **counted)
    # Across folds, so that neither the threshold nor the cuts know the answers.
    fold = np.random.default_rng(seed).permutation(questions.individual.max() + 1) % FOLDS
    fold = fold[questions.individual]
    whole = fit(questions.asked, truth, weights, begin)
    across = _across(questions, fold, begin, whole)
    cuts = np.empty(len(truth))
    for number in np.unique(fold):
        cuts[fold == number] = best_threshold(questions, across, fold != number)
    parameters = replace(
        whole,
        threshold=best_threshold(questions, across, np.ones(len(truth), bool)),
    )
    promises = tuple(promise(across, truth, weights, alone, level) for level in LEVELS)
    figures = measure(questions, across, cuts, fold, begin.share)
    return Calibration(parameters, promises, figures=figures, **counted)


def expected_new(
    individuals: npt.NDArray[Any], encounters: Ints, days: Days
) -> tuple[float, float]:
    """Of recent encounters, how many were of somebody new and how many were not.

    With dates: among the later half of all encounters, those that were an individual's first.
    Without: the share of encounters whose individual was met only then, which estimates the chance
    that the next one is new (Good, "The population frequencies of species", 1953).
    """
    codes, first = np.unique(encounters, return_index=True)
    who, day = np.asarray(individuals)[first], days[first]
    dated = ~np.isnat(day)
    if dated.mean() >= RECENT:
        who, day = who[dated], day[dated]
        order = np.argsort(day, kind="stable")
        _, firsts = np.unique(who[order], return_index=True)
        is_first = np.zeros(len(order), bool)
        is_first[firsts] = True
        recent = is_first[int(len(order) * (1 - RECENT)) :]
        return float(recent.sum() + 0.5), float((~recent).sum() + 0.5)
    _, times = np.unique(who, return_counts=True)
    once = float((times == 1).sum())
    return once + 0.5, len(codes) - once + 0.5


def best_threshold(questions: Questions, found: Probabilities, rows: Flags) -> float:
    """The log odds above which to answer "new", so that known and new both come off well.

    The greatest geometric mean of BAKS and BAUS (see `resight.evaluate.open_set`); on the flat top
    of its curve, what is nearest to even odds: where nobody is seen to be wrong, the likelier of
    the two is the answer.
    """
    odds, is_new = found.odds[rows], questions.truth[rows] == NEW
    right = (found.known.argmax(axis=1) == questions.truth)[rows]
    individual, weights = questions.individual[rows], questions.weights[rows]
    if is_new.all() or not is_new.any():
        return 0.0
    order = np.argsort(odds, kind="stable")
    # Every individual weighs the same among those of its kind.
    shares = np.zeros(len(odds))
    for kind in (is_new, ~is_new):
        total = np.bincount(individual[kind], weights[kind])
        shares[kind] = weights[kind] / total[individual[kind]] / (total > 0).sum()
    baks = np.cumsum(np.where(right & ~is_new, shares, 0)[order])
    baus = 1 - np.cumsum(np.where(is_new, shares, 0)[order])
    mean = np.sqrt(baks * np.maximum(baus, 0))
    top = int(mean.argmax())
    flat = mean >= mean[top] - 0.003
    left, after = top, top
    while left > 0 and flat[left - 1]:
        left -= 1
    while after < len(flat) - 1 and flat[after + 1]:
        after += 1
    # The top reaches from one question's odds to just below those of the first one beyond it.
    ends = np.append(odds[order], np.inf)
    if ends[left] <= 0 < ends[after + 1]:
        return 0.0
    nearest = after if ends[after + 1] <= 0 else left
    return float((ends[nearest] + min(ends[nearest + 1], ends[nearest] + 1)) / 2)


def _across(
    questions: Questions, fold: Ints, begin: Parameters, start: Parameters
) -> Probabilities:
    """The probabilities of each question, by parameters fitted on the other folds; equal shares."""
    known = np.empty_like(questions.asked.similarity)
    beyond, new, odds = np.empty((3, len(questions)))
    for number in np.unique(fold):
        asks = np.flatnonzero(fold == number)
        teach = np.flatnonzero(fold != number)
        made = fit(
            questions.asked.of(teach),
            questions.truth[teach],
            questions.weights[teach],
            begin,
            start,
        )
        found = probabilities(questions.asked.of(asks), made, begin.share)
        known[asks], beyond[asks], new[asks], odds[asks] = (
            found.known,
            found.beyond,
            found.new,
            found.odds,
        )
    return Probabilities(known, beyond, new, odds)
