"""What a gallery can say of itself: when to answer "new", and how likely the nearest is right.

Its photos are asked of one another, each without its own encounter: once as they are, and once
without their individual, so that they are of somebody new. What is learned so knows nothing of the
queries that it is then shown on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.evaluate.metrics import Array
from resight.evaluate.nearest import Marked, nearest
from resight.evaluate.ranking import Ints

MOST = 3000  # photos of the gallery that are asked
ENOUGH = 50  # photos that the model was not trained on, to ask with them alone
_FLAT = 0.003  # thresholds as good as the best but for this much


@dataclass(frozen=True, eq=False)
class Asked:
    """A gallery's questions to itself.

    Attributes:
        known, new: float32, cosine of the nearest photo when the individual is in the gallery, and
            when it has been left out.
        right: bool, whether the nearest one found shows the individual, for each of `known`.
        known_who, new_who: int64, whose photo asks.
        trained_on: whether the model was trained on the photos that ask, so that they are found
            too easily.
    """

    known: NDArray[np.float32]
    new: NDArray[np.float32]
    right: NDArray[np.bool_]
    known_who: Ints
    new_who: Ints
    trained_on: bool


def ask_gallery(
    photos: Marked, gallery: Ints, seen: NDArray[np.bool_] | None = None, seed: int = 0
) -> Asked:
    """Ask a gallery of itself.

    Args:
        photos: all of them.
        gallery: positions of the gallery.
        seen: (n,) which photos the model was trained on. Where there are enough others, only
            those ask.
        seed: of the draw, where the gallery is larger than `MOST`.
    """
    fresh = gallery if seen is None else gallery[~seen[gallery]]
    trained_on = len(fresh) < ENOUGH and len(fresh) < len(gallery)
    asks = gallery if trained_on else fresh
    if len(asks) > MOST:
        asks = np.sort(np.random.default_rng(seed).choice(asks, MOST, replace=False))
    found = nearest(photos, asks, gallery, apart=True)
    known, new = found.known, found.other_at >= 0
    return Asked(
        found.score[known],
        found.other[new],
        found.right[known],
        photos.who[asks[known]],
        photos.who[asks[new]],
        trained_on,
    )


def choose_threshold(asked: Asked) -> float | None:
    """The cosine below which to answer "new": known and new then come off equally well.

    The greatest geometric mean of BAKS and BAUS (see `resight.evaluate.open_set`) over the
    gallery's own questions; of thresholds about as good, the middle one. None where the gallery
    has no individual with two encounters, or one individual only.
    """
    if not len(asked.known) or not len(asked.new):
        return None
    levels = np.unique(np.concatenate((asked.known, asked.new))).astype(np.float64)
    cuts = np.concatenate((levels[:1] - 1e-3, (levels[1:] + levels[:-1]) / 2))
    good = np.where(asked.right, evenly(asked.known_who), 0.0)
    order_known, order_new = np.argsort(asked.known), np.argsort(asked.new)
    refused = np.searchsorted(asked.known[order_known], cuts)
    called_new = np.searchsorted(asked.new[order_new], cuts)
    baks = good.sum() - np.append(0, np.cumsum(good[order_known]))[refused]
    baus = np.append(0, np.cumsum(evenly(asked.new_who)[order_new]))[called_new]
    mean = np.sqrt(np.maximum(baks, 0) * baus)
    return float(np.median(cuts[mean >= mean.max() - _FLAT]))


def evenly(who: Ints) -> Array:
    """Weights (n,) that sum to 1, every individual having the same."""
    _, own, counts = np.unique(who, return_inverse=True, return_counts=True)
    return np.asarray(1 / (counts[own] * len(counts)), np.float64)


def learn_probability(asked: Asked, share_new: float = 0.0) -> tuple[float, float] | None:
    """Learn how likely the nearest photo shows the query's individual, from its cosine.

    A logistic curve by maximum likelihood (Platt, "Probabilistic outputs for support vector
    machines", 1999), held near the middle by a weak Gaussian prior, so that it exists where
    everything is right.

    Args:
        asked: the gallery's questions.
        share_new: how often somebody new is expected among the queries.

    Returns:
        (slope, offset) for `probability`, or None where there is nothing to learn from.
    """
    from scipy.optimize import minimize

    if not len(asked.known):
        return None
    score = asked.known.astype(np.float64)
    right = asked.right.astype(np.float64)
    weight = np.full(len(score), 1.0)
    if share_new and len(asked.new):
        # Together they weigh as much as there are photos.
        total = len(score)
        weight *= 1 - share_new
        score = np.append(score, asked.new)
        right = np.append(right, np.zeros(len(asked.new)))
        weight = np.append(weight, np.full(len(asked.new), share_new * total / len(asked.new)))
    middle, spread = score.mean(), max(float(score.std()), 1e-3)
    z = (score - middle) / spread

    def cost(parameters: Array) -> tuple[float, Array]:
        gain, offset = parameters
        log_odds = gain * z + offset
        p = 1 / (1 + np.exp(-np.clip(log_odds, -50, 50)))
        gap = weight * (p - right)
        value = weight @ (np.logaddexp(0, log_odds) - right * log_odds)
        held = ((gain - 1) ** 2 + offset**2) / 50
        return float(value + held), np.array(
            [gap @ z + (gain - 1) / 25, gap.sum() + offset / 25], np.float64
        )

    gain, offset = minimize(cost, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    return float(gain / spread), float(offset - gain * middle / spread)


def probability(curve: tuple[float, float], score: NDArray[np.floating]) -> Array:
    """What `learn_probability` says of these cosines, float64 (n,) between 0 and 1."""
    slope, offset = curve
    odds = np.clip(slope * np.asarray(score, np.float64) + offset, -50, 50)
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)
