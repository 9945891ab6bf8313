"""What a calibration is worth, measured on questions that it did not see."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from resight.catalogue.conformal import LEVELS, candidate_sets, covered, promise, unbounded
from resight.catalogue.decision import NEW, Probabilities
from resight.catalogue.evidence import Floats, Ints
from resight.catalogue.questions import Questions
from resight.evaluate.calibration import reliability, wilson
from resight.evaluate.metrics import with_intervals
from resight.evaluate.open_set import open_set_figures


def measure(
    questions: Questions, found: Probabilities, cuts: Floats, fold: Ints, share: float
) -> dict[str, Any]:
    """What was measured across folds, in plain values.

    Args:
        questions: with what is true.
        found: their probabilities, each by parameters that did not see its individual.
        cuts: float64 (t,), the threshold for each, chosen likewise.
        fold: int64 (t,), of each question.
        share: how often somebody new is expected; known and new questions are weighed by it.

    Returns:
        "answer" and "new": how true the probability of the likelier answer is, and that of "new"
        (`Reliability`). "single" and "encounter": how well known and new are told apart by single
        photos and by several (`OpenSet`), and "right", the share of right answers at the threshold.
        "set 90%", "set 95%": how often the candidate sets hold the truth, and their mean size.
    """
    truth, alone, asked = questions.truth, questions.alone, questions.asked
    is_new = truth == NEW
    best = found.known.argmax(axis=1)
    sure = np.maximum(found.known.max(axis=1), found.new)
    says_new = found.new >= found.known.max(axis=1)
    right = np.where(says_new, is_new, best == truth)
    weights = questions.weights
    expected = weights * np.where(
        is_new, share / weights[is_new].sum(), (1 - share) / weights[~is_new].sum()
    )
    figures: dict[str, Any] = {
        "answer": reliability(sure, right, weights=expected, groups=questions.encounter).to_dict(),
        "new": reliability(
            found.new, is_new, weights=expected, groups=questions.encounter
        ).to_dict(),
    }
    for name, which in (("single", alone), ("encounter", ~alone)):
        rows = np.flatnonzero(which)
        kinds = is_new[rows]
        if not len(rows) or kinds.all() or not kinds.any():
            continue
        who = questions.individual[rows]
        labels = [f"new {w}" if n else str(w) for w, n in zip(who, kinds, strict=True)]
        guess = [
            own if good else f"not {own}"
            for own, good in zip(labels, best[rows] == truth[rows], strict=True)
        ]
        opened = open_set_figures(
            cuts[rows] - found.odds[rows],
            guess,
            labels,
            {own for own, n in zip(labels, kinds, strict=True) if not n},
            threshold=0.0,
            resamples=300,
        )
        good = np.where(found.odds[rows] > cuts[rows], kinds, best[rows] == truth[rows])
        person = np.unique(who, return_inverse=True)[1]
        of_right = np.bincount(person, expected[rows] * good).astype(np.float64)
        of_all = np.bincount(person, expected[rows]).astype(np.float64)
        (right_share,) = with_intervals(
            partial(_ratio, of_right, of_all), [len(of_all)], [len(of_all)], resamples=300
        )
        if right_share.high - right_share.low < 1e-9:  # all right or all wrong: nothing to draw
            low, high = wilson(np.array([right_share.value]), np.array([right_share.n]))
            right_share = replace(right_share, low=float(low[0]), high=float(high[0]))
        figures[name] = {**opened.to_dict(), "right": right_share.to_dict()}
    for level in LEVELS:
        inside = np.empty(len(truth), bool)
        sizes = np.empty(len(truth))
        for number in np.unique(fold):
            teach, asks = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            made = promise(found.of(teach), truth[teach], weights[teach], alone[teach], level)
            members, new = candidate_sets(found.of(asks), made, alone[asks])
            everybody = unbounded(made, alone[asks])
            inside[asks] = covered(members, new, truth[asks], everybody)
            sizes[asks] = np.where(
                everybody, asked.individuals[asks], members.sum(axis=1)
            ) + new.astype(int)
        figures[f"set {level:.0%}"] = {
            "coverage": float(np.average(inside, weights=expected)),
            "of known": float(np.average(inside[~is_new], weights=weights[~is_new])),
            "of new": float(np.average(inside[is_new], weights=weights[is_new])),
            "size": float(np.average(sizes, weights=expected)),
        }
    return figures


def _ratio(above: Floats, below: Floats, weights: Floats) -> list[float]:
    return [float(weights @ above / (weights @ below))]
