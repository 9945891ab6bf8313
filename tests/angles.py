"""Fingerprints of which a test knows how alike they are."""

import numpy as np
from numpy.typing import NDArray


def at(*degrees: float) -> NDArray[np.float32]:
    """Unit vectors in the plane: the nearer the angle, the more similar."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def crowd(seed: int, individuals: int, photos: int, noise: float, d: int = 16):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(individuals), photos)
    vectors = rng.standard_normal((individuals, d))[labels]
    vectors = vectors + noise * rng.standard_normal(vectors.shape)
    return vectors.astype(np.float32), labels
