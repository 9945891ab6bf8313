"""What a random split would have said of the same model: how much it flatters."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from resight.evaluate.metrics import Figure, mean_figures
from resight.evaluate.nearest import Marked, Nearest
from resight.evaluate.ranking import Ints


@dataclass(frozen=True, slots=True)
class Effect:
    """R@1 of the same photos in two ways.

    Attributes:
        honest: no photo of the query's encounter stands in the gallery.
        random: as many photos of its individual stand in the gallery, but drawn at random from all
            there are, those of its encounter among them.
        flatters: random less honest.
        asked: queries.
    """

    honest: Figure
    random: Figure
    flatters: Figure
    asked: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "honest R@1": self.honest.to_dict(),
            "random R@1": self.random.to_dict(),
            "flatters by": self.flatters.to_dict(),
            "asked": self.asked,
        }


def effect_of_split(
    photos: Marked,
    queries: Ints,
    gallery: Ints,
    everything: Ints,
    found: Nearest,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Effect | None:
    """Compare like with like: the same queries, model, strangers, and number of own photos.

    Of the N other photos of a query's individual, m are nearer than any stranger, and the honest
    gallery holds n photos of it. Were these n drawn at random from the N, one of the m would be
    among them with probability 1 - C(N - m, n) / C(N, n): no draw is made, the mean is exact.

    Args:
        photos: all of them.
        queries, gallery: positions of those that ask and those that are searched.
        everything: positions of all that a random split could deal out.
        found: what the queries find with their own encounters left out.
        resamples, seed: of the bootstrap over individuals.

    Returns:
        None where no query has a photo of its individual both in the honest gallery and in its own
        encounter: then nothing tells a random split from this one.
    """
    values = np.full((len(queries), 2), np.nan)
    mixed = False
    for person in np.unique(photos.who[queries]):
        own = everything[photos.who[everything] == person]
        searched = gallery[photos.who[gallery] == person]
        asks = np.flatnonzero((photos.who[queries] == person) & found.known)
        if not len(asks):
            continue
        left = photos.vectors[queries[asks]].astype(np.float64)
        similar = (left @ photos.vectors[own].T.astype(np.float64)).astype(np.float32)
        for row, place in enumerate(asks):
            itself = queries[place]
            others = own != itself
            group = photos.group[itself]
            n = int((photos.group[searched] != group).sum())
            near = int((similar[row][others] > found.other[place]).sum())
            count = int(others.sum())
            values[place] = found.right[place], 1 - comb(count - near, n) / comb(count, n)
            mixed |= bool((photos.group[own[others]] == group).any())
    rows = np.flatnonzero(~np.isnan(values[:, 0]))
    if not mixed or not len(rows):
        return None
    pairs = np.column_stack((values[rows], values[rows, 1] - values[rows, 0]))
    person = np.unique(photos.who[queries[rows]], return_inverse=True)[1]
    honest, random, flatters = mean_figures(pairs, person, resamples, seed)
    return Effect(honest, random, flatters, len(rows))
