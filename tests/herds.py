"""Made-up individuals whose truth is known: met on several days, each day a little different."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Herd:
    """Photos in order of their days."""

    vectors: NDArray[np.float32]
    who: NDArray[np.int64]
    days: NDArray[np.datetime64]

    def of(self, rows: NDArray) -> "Herd":
        return Herd(self.vectors[rows], self.who[rows], self.days[rows])

    @property
    def no_encounters(self) -> NDArray[np.int64]:
        return np.full(len(self.who), -1)


def herd(
    seed: int = 0,
    *,
    individuals: int = 60,
    dim: int = 16,
    shift: float = 0.55,
    noise: float = 0.4,
    days: int = 8,
    met: float = 0.6,
    most: int = 5,
    newcomers: float = 0.5,
) -> Herd:
    """Directions around each individual's own, moved for each encounter and for each photo.

    Args:
        seed: of all that is drawn.
        individuals: how many there are in the end.
        dim: of the vectors.
        shift: of an encounter, `noise`: of a photo, beside 1 between individuals.
        days: how many.
        met: chance that somebody known is met on a day.
        most: photos of an encounter, at least one.
        newcomers: share that comes after the first day.
    """
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((individuals, dim))
    first = np.where(rng.random(individuals) < newcomers, rng.integers(0, days, individuals), 0)
    vectors, who, when = [], [], []
    for day in range(days):
        for one in np.flatnonzero(first <= day):
            if first[one] == day or rng.random() < met:
                count = rng.integers(1, most + 1)
                here = own[one] + shift * rng.standard_normal(dim)
                vectors.append(here + noise * rng.standard_normal((count, dim)))
                who += [one] * count
                when += [np.datetime64("2024-05-01") + day] * count
    flat = np.concatenate(vectors)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    return Herd(flat.astype(np.float32), np.array(who), np.array(when, "datetime64[D]"))
