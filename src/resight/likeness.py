"""How like an individual a photo is, by all photos that there are of that individual."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Chosen on whales that a training held back, where 15 to 30 did as well (docs/tried.md).
SHARPNESS = 20.0


def likeness(cosines: npt.NDArray[Any], whose: npt.NDArray[np.int64], individuals: int) -> Any:
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
        the same kind of float (..., individuals); -inf for those of whom no photo counts.
    """
    values = np.full((*cosines.shape[:-1], individuals), -np.inf, cosines.dtype)
    if not len(whose):
        return values
    if (np.diff(whose) < 0).any():
        order = np.argsort(whose, kind="stable")
        cosines, whose = cosines[..., order], whose[order]
    there, starts = np.unique(whose, return_index=True)
    # Less 1, the greatest cosine: nothing overflows, and e^-40 is far from vanishing in float32.
    total = np.add.reduceat(np.exp(SHARPNESS * (cosines - 1)), starts, axis=-1)
    count = np.add.reduceat(np.isfinite(cosines), starts, axis=-1, dtype=np.int64)
    with np.errstate(divide="ignore"):
        found = np.log(total / np.maximum(count, 1)) / SHARPNESS + 1
    values[..., there] = found
    return values
