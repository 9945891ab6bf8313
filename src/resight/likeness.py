"""How like an individual a photo is, by all photos that there are of that individual."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Where the right individuals of photos that trainings held back were likeliest (docs/tried.md).
SHARPNESS = 25.0


def likeness(
    cosines: npt.NDArray[np.floating[Any]], whose: npt.NDArray[np.int64], individuals: int
) -> npt.NDArray[Any]:
    """The likeness of queries to individuals, in units of a cosine.

    Of an individual with n photos, at cosines c_j from the query, it is

        log(mean of exp(SHARPNESS c_j)) / SHARPNESS

    which lies between their mean and their greatest, nearer to the latter. Whoever has one photo
    has its cosine. The greatest alone would favour those who have many, since the best of many is
    high by chance; the mean alone would punish those who look different from another angle. Up to a
    constant it is the logarithm of a density on the sphere: each photo is a von Mises-Fisher kernel
    (Mardia and Jupp, "Directional Statistics", 2000), and all individuals are as likely beforehand.

    Args:
        cosines: float (..., n), of the gallery's photos; -inf for one that does not count.
        whose: int64 (n,), the number of each photo's individual, from 0.
        individuals: how many there are.

    Returns:
        float (..., individuals), float32 of float32; -inf for those of whom no photo counts.
    """
    kind = np.result_type(cosines, np.float32)
    values = np.full((*cosines.shape[:-1], individuals), -np.inf, kind)
    if not len(whose):
        return values
    if (np.diff(whose) < 0).any():
        order = np.argsort(whose, kind="stable")
        cosines, whose = cosines[..., order], whose[order]
    there, starts, count = np.unique(whose, return_index=True, return_counts=True)
    # Less 1, the greatest cosine: nothing overflows, and e^-50 is far from vanishing in float32.
    cells = cosines.astype(kind)
    cells -= 1
    cells *= SHARPNESS
    total = np.add.reduceat(np.exp(cells, out=cells), starts, axis=-1)
    counts = np.broadcast_to(count, total.shape)
    # Few do not count, if any: to look them up takes less than to count along with the sums.
    gone = np.nonzero(cosines == -np.inf)
    if len(gone[0]):
        counts = counts.copy()
        np.subtract.at(counts, (*gone[:-1], np.repeat(np.arange(len(there)), count)[gone[-1]]), 1)
    with np.errstate(divide="ignore"):
        found = np.log(total / np.maximum(counts, 1)) / SHARPNESS + 1
    single = np.flatnonzero(count == 1)
    found[..., single] = cosines[..., starts[single]]  # without rounding, so that ties are ties
    values[..., there] = found
    return values
