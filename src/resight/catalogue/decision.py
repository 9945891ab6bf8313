"""From similarities to probabilities: is it one of these individuals, or somebody new?

A question is one photo, or several of one encounter. To each individual i of the gallery belongs
the log likelihood ratio of "it is i" against "it is somebody new",

    l_i = m^together ((gain + growth log n_i) z_i + support s_i - others o - offset
                      + photos log n_i + closely k_i)

where all similarities are measured in standard deviations of the similarity between strangers, and
averaged over the m photos of the question:
    z_i  of i's most similar photo;
    s_i  of i's three most similar photos on average, less z_i;
    o    of the ten next best individuals: a photo that is like everybody's says less (the query's
         half of the "adaptive S-norm" of speaker verification);
    n_i  is the number of i's photos: the best of many is higher by chance, and it says more;
    k_i  where somebody looked closely, by keypoints or strokes, log(1 + score) of the best match
         with a photo of i; 0 for those not looked at (see `closely`).
Were the m photos independent, `together` would be 1; of near-copies it is near 0. By Bayes' rule

    P(i) = (1 - share) / N exp(l_i) / Z,    P(new) = share / Z

with N individuals and `share`, how often somebody new is expected. The parameters maximise the
likelihood of the answers on the catalogue's own labelled photos (see `calibrate`), held near a
prior by a Gaussian, so that a few labels move them little.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from resight.catalogue.evidence import Evidence, Floats, Ints
from resight.errors import ResightError

NEW = -1  # the truth of a question whose individual is not in the gallery
BEYOND = -2  # … whose individual is in it, but not among the candidates kept


@dataclass(frozen=True)
class Parameters:
    """The parameters of the decision; what they mean stands at the head of this file.

    Attributes:
        centre, scale: mean and standard deviation of the similarity between strangers: of a photo
            to the most similar photo of each other individual.
        gain, growth, support, others, offset, photos, together, closely: see above.
        share: how often somebody new is expected.
        threshold: "new" is answered where log P(new) / P(known), taken at equal shares of both, is
            above it.
    """

    centre: float = 0.3
    scale: float = 0.15
    gain: float = 2.0
    growth: float = 0.0
    support: float = 0.5
    others: float = 0.5
    offset: float = 0.5
    photos: float = -0.2
    together: float = 0.2
    closely: float = 3.0
    share: float = 0.2
    threshold: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Parameters:
        """Read back; what is missing has its default, what is unknown is passed over."""
        known = {f.name for f in fields(cls)}
        return cls(**{name: float(v) for name, v in values.items() if name in known})


def usual_parameters(*, drawings: bool, closely: bool) -> Parameters:
    """What is usual of catalogues: their guess until they are calibrated, and then the prior.

    Chosen on whales' and cows' photos (docs/tried.md). Keypoints match some of strangers', too, so
    more must match for somebody to be known; strokes are of another scale. Of drawings there may be
    a thousand of one, which would hardly be found if their number counted for as much.

    Args:
        drawings: whether the model is of drawings (`Card.drawings`); sounds are as photos.
        closely: whether candidates are looked at closely.
    """
    if drawings:
        return Parameters()
    of_photos = Parameters(photos=-0.5)
    return replace(of_photos, closely=6.0, offset=6.0) if closely else of_photos


# Bounds keep an answer from falling when the similarity rises. The spread is that of the prior
# around the parameters begun with.
_FITTED = ("gain", "growth", "support", "others", "offset", "photos", "together", "closely")
_SPREAD = np.array([3.0, 0.7, 2.0, 2.0, 6.0, 0.7, 0.4, 2.0])
_BOUNDS = [
    (0.05, 30.0),
    (0.0, 5.0),
    (0.0, 15.0),
    (0.0, 15.0),
    (-90.0, 150.0),
    (-2.0, 1.0),
    (0.0, 1.0),
    (0.0, 15.0),
]


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Of t questions; `known`, `beyond` and `new` of each sum to 1.

    Attributes:
        known: float64 (t, k), of each candidate; 0 where there is none.
        beyond: float64 (t,), of all individuals together that are not among the candidates.
        new: float64 (t,), that it is somebody new.
        odds: float64 (t,), log P(new) / P(not new) at equal shares: what the photos themselves say,
            whatever is expected.
    """

    known: Floats
    beyond: Floats
    new: Floats
    odds: Floats

    def of(self, rows: Ints) -> Probabilities:
        """Some of the questions."""
        return Probabilities(*(getattr(self, f.name)[rows] for f in fields(self)))

    def of_truth(self, truth: Ints) -> Floats:
        """The probability of what is true: a column, NEW or BEYOND, (t,)."""
        rows = np.arange(len(truth))
        return np.where(
            truth >= 0,
            self.known[rows, np.maximum(truth, 0)],
            np.where(truth == NEW, self.new, self.beyond),
        )


def probabilities(
    asked: Evidence, parameters: Parameters, share: float | None = None
) -> Probabilities:
    """P of every candidate and of "new".

    Args:
        asked: what the questions found.
        parameters: of the decision.
        share: how often somebody new is expected, 0 to 1; the parameters' where None.

    Raises:
        ResightError: a share outside 0 to 1.
    """
    share = parameters.share if share is None else share
    if not 0 <= share <= 1:
        raise ResightError(f"the share of new individuals lies between 0 and 1, not {share}")
    terms, _, _ = _Features.of(asked, parameters.centre, parameters.scale).terms(parameters)
    highest = terms.max(axis=1)
    lift = np.exp(terms - highest[:, None])
    known = highest + np.log(lift.sum(axis=1))  # log likelihood ratio of anybody known to new
    with np.errstate(divide="ignore"):
        expected = np.log(share) - np.log1p(-share) if share < 1 else np.inf
    new = _logistic(expected - known)
    each = lift / lift.sum(axis=1, keepdims=True) * (1 - new)[:, None]
    return Probabilities(each[:, :-1], each[:, -1], new, -known)


def fit(
    asked: Evidence,
    truth: Ints,
    weights: Floats,
    begin: Parameters,
    start: Parameters | None = None,
) -> Parameters:
    """The parameters under which the truth is likeliest, and which lie near those begun with.

    Known and new questions count alike, whatever their number, so that the result holds for equal
    shares of both; `probabilities` brings in the share that is expected.

    Args:
        asked: what t questions found.
        truth: int64 (t,), the column of the right candidate, NEW or BEYOND.
        weights: float64 (t,); photos and groups of one encounter share a weight of 1.
        begin: the middle of the prior.
        start: where the search begins, which saves time and changes nothing else.
    """
    from scipy.optimize import minimize

    is_new = truth == NEW
    total = weights.sum()
    of_new, of_known = weights[is_new].sum(), weights[~is_new].sum()
    if not of_new or not of_known:
        return begin
    weights = weights * np.where(is_new, total / 2 / of_new, total / 2 / of_known)
    column = np.where(truth == BEYOND, asked.similarity.shape[1], truth)
    rows = np.flatnonzero(~is_new)
    middle = np.array([getattr(begin, name) for name in _FITTED])
    features = _Features.of(asked, begin.centre, begin.scale)
    first = middle if start is None else np.array([getattr(start, name) for name in _FITTED])

    def loss(values: Floats) -> tuple[float, Floats]:
        terms, factor, core = features.terms(
            replace(begin, **dict(zip(_FITTED, values, strict=True)))
        )
        highest = np.maximum(terms.max(axis=1), 0)
        lift = np.exp(terms - highest[:, None])
        normal = lift.sum(axis=1) + np.exp(-highest)
        lost = highest + np.log(normal)
        lost[rows] -= terms[rows, column[rows]]
        pull = lift / normal[:, None]
        pull[rows, column[rows]] -= 1
        pull *= weights[:, None]
        away = (values - middle) / _SPREAD
        gradient = np.array(features.slopes(pull, factor, core)) + away / _SPREAD
        return float(weights @ lost + 0.5 * away @ away), gradient

    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=_BOUNDS)
    return replace(begin, **dict(zip(_FITTED, map(float, found.x), strict=True)))


def share_among(odds: Floats, weights: Floats, expected: tuple[float, float]) -> float:
    """How many of the questions asked together are of somebody new, without knowing which.

    Expectation maximisation (Saerens, Latinne and Decaestecker, "Adjusting the outputs of a
    classifier to new a priori probabilities", 2002), begun from and held by a Beta prior.

    Args:
        odds: float64 (t,), of `Probabilities`.
        weights: float64 (t,), 1 for an encounter, shared among its photos.
        expected: the prior as counts of new and known encounters.
    """
    new, known = expected
    share = new / (new + known)
    for _ in range(200):
        before = share
        of_new = _logistic(odds + np.log(share) - np.log1p(-share))
        share = float((weights @ of_new + new) / (weights.sum() + new + known))
        if abs(share - before) < 1e-6:
            break
    return share


def assign(known: Floats, new: Floats) -> list[int | None]:
    """Who is on each of several parts of one picture: nobody is on two.

    Args:
        known: float64 (t, n), the probability that part t shows individual n.
        new: float64 (t,), that it shows somebody new.

    Returns:
        For each part a column, or None for somebody new: the likeliest of all assignments.
    """
    from scipy.optimize import linear_sum_assignment

    count, people = known.shape
    with np.errstate(divide="ignore"):
        gain = np.maximum(np.log(known), -700)
        own = np.full((count, count), -1e6)  # each part has a newcomer of its own
        np.fill_diagonal(own, np.maximum(np.log(new), -700))
    _, columns = linear_sum_assignment(np.append(gain, own, axis=1), maximize=True)
    return [int(column) if column < people else None for column in columns]


@dataclass(frozen=True, eq=False)
class _Features:
    """What does not change while parameters are tried: (t, k + 1) each, last for all beyond."""

    z: Floats
    support: Floats
    others: Floats
    size: Floats
    log_m: Floats
    closely: Floats
    room: Floats  # log of how many individuals the column stands for, over N; -inf for none

    @classmethod
    def of(cls, asked: Evidence, centre: float, scale: float) -> _Features:
        there = np.isfinite(asked.similarity)
        last = np.maximum(there.sum(axis=1) - 1, 0)[:, None]

        def and_beyond(values: Floats) -> Floats:
            return np.append(values, np.take_along_axis(values, last, axis=1), axis=1)

        beyond = np.maximum(asked.individuals - there.sum(axis=1), 0)
        with np.errstate(divide="ignore"):
            room = np.append(np.where(there, 0.0, -np.inf), np.log(beyond)[:, None], axis=1)
        return cls(
            and_beyond(np.where(there, (asked.similarity - centre) / scale, 0.0)),
            and_beyond(asked.support / scale),
            np.nan_to_num((asked.others - centre) / scale)[:, None],
            and_beyond(np.log(asked.photos)),
            np.log(asked.asked)[:, None],
            np.append(asked.closely, np.zeros((len(asked), 1)), axis=1),
            room - np.log(asked.individuals)[:, None],
        )

    def terms(self, p: Parameters) -> tuple[Floats, Floats, Floats]:
        """Log of each column's likelihood ratio times its share of N; its factor and core."""
        factor = np.exp(p.together * self.log_m)
        core = (p.gain + p.growth * self.size) * self.z
        core += p.support * self.support + p.photos * self.size
        core += p.closely * self.closely
        core -= p.others * self.others + p.offset
        return factor * core + self.room, factor, core

    def slopes(self, pull: Floats, factor: Floats, core: Floats) -> list[float]:
        """The derivative of the loss by each of `_FITTED`, where `pull` is that by the terms."""
        along = pull * factor
        with_z = along * self.z
        each = along.sum(axis=1, keepdims=True)
        return [
            with_z.sum(),
            (with_z * self.size).sum(),
            (along * self.support).sum(),
            -(each * self.others).sum(),
            -each.sum(),
            (along * self.size).sum(),
            (along * self.log_m * core).sum(),
            (along * self.closely).sum(),
        ]


def _logistic(x: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))
