"""How like an individual a photo is, by all photos that there are of that individual."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Where the right individuals of photos that trainings held back, and of digits that a network had
# not learned, were likeliest (docs/tried.md).
SHARPNESS, DIMENSIONS = 18.0, 18


def likeness(
    cosines: npt.NDArray[np.floating[Any]], whose: npt.NDArray[np.int64], individuals: int
) -> npt.NDArray[Any]:
    """The likeness of queries to individuals, on the scale of a cosine.

    Of an individual with n photos, at cosines c_j from the query, it is, with
    s = SHARPNESS n^(2 / (DIMENSIONS + 4)),

        1 + (log(mean of exp(s (c_j - 1))) + DIMENSIONS / (DIMENSIONS + 4) log n) / SHARPNESS

    Whoever has one photo has its cosine. Of more, the greatest cosine alone would favour those who
    have many, since the best of many is high by chance; the mean alone would punish those who look
    different from another angle. With many photos close by it exceeds 1.

    Up to a constant and a factor it is the logarithm of a density on the sphere, to which each
    photo contributes a von Mises-Fisher kernel (Mardia and Jupp, "Directional Statistics", 2000):
    the more photos, the narrower, by Scott's rule ("Multivariate Density Estimation", 1992), as if
    fingerprints spread over so many DIMENSIONS. Narrow kernels are higher in their middle, by
    s^(DIMENSIONS / 2), so that everybody's density comes to one. With few photos it reaches far;
    with many it says more exactly where the individual ends. All individuals are held to be as
    likely beforehand.

    Args:
        cosines: float (..., n), of the gallery's photos; -inf for one that does not count.
        whose: int64 (n,), the number of each photo's individual, from 0.
        individuals: how many there are.

    Returns:
        float (..., individuals), float32 of float32; -inf for those of whom no photo counts.
    """
    kind = np.result_type(cosines, np.float32)
    values = np.full((*cosines.shape[:-1], individuals), -np.inf, kind)
    if not cosines.size:
        return values
    if (np.diff(whose) < 0).any():
        order = np.argsort(whose, kind="stable")
        cosines, whose = cosines[..., order], whose[order]
    there, starts, many = np.unique(whose, return_index=True, return_counts=True)
    cells = cosines.reshape(-1, len(whose)).astype(kind)
    count = np.broadcast_to(many, (len(cells), len(there)))
    total = np.add.reduceat(_kernels(cells, np.repeat(_sharpness(many), many)), starts, axis=1)
    row, photo = np.nonzero(cells == -np.inf)
    if len(row):  # few, so these individuals alone are summed once more, with the kernels they have
        place = np.repeat(np.arange(len(there)), many)
        pair, without = np.unique(row * len(there) + place[photo], return_counts=True)
        row, one = np.divmod(pair, len(there))
        count = count.copy()
        count[row, one] -= without
        size, first = many[one], np.cumsum(many[one]) - many[one]
        photo = np.arange(size.sum()) + np.repeat(starts[one] - first, size)
        own = cells[np.repeat(row, size), photo]
        sharp = _sharpness(np.maximum(count[row, one], 1))
        total[row, one] = np.add.reduceat(_kernels(own, np.repeat(sharp, size)), first)
    narrow = 4 / (DIMENSIONS + 4) * np.log(np.maximum(count, 1))
    with np.errstate(divide="ignore"):
        found = ((np.log(total) - narrow) / SHARPNESS + 1).astype(kind)
    # Of one photo the cosine itself, without rounding, so that ties are ties.
    single = np.flatnonzero(many == 1)
    found[:, single] = cells[:, starts[single]]
    if len(row):
        left = count[row, one] == 1
        found[row[left], one[left]] = np.maximum.reduceat(own, first)[left]
    values[..., there] = found.reshape(*cosines.shape[:-1], len(there))
    return values


def _sharpness(photos: npt.NDArray[np.int64]) -> Floats:
    """How sharp the kernels of somebody with so many photos are."""
    return np.asarray(SHARPNESS * photos ** (2 / (DIMENSIONS + 4)), np.float64)


def _kernels(cosines: npt.NDArray[Any], sharp: Floats) -> npt.NDArray[Any]:
    """exp(sharp (cosine - 1)); in float64 where float32 has no number so small."""
    small = 2 * sharp.max() > -np.log(np.finfo(cosines.dtype).tiny)  # of the cosine -1
    kind = np.dtype(np.float64) if small else cosines.dtype
    cells = cosines.astype(kind)
    cells -= 1
    cells *= sharp.astype(kind)
    return np.exp(cells, out=cells)
