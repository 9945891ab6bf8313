"""Photos for tests of keypoints: a pattern of its own for each individual, as on a spotted cow."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def texture(seed: int, side: int = 200) -> Pixels:
    """Blotches of several sizes: uint8 (side, side)."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side))
    for cells, weight in ((6, 1.0), (14, 0.8), (30, 0.6)):
        coarse = (rng.random((cells, cells)) * 255).astype(np.uint8)
        size = (side, side)
        total += weight * np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    low, high = total.min(), total.max()
    return ((total - low) / (high - low) * 255).astype(np.uint8)


def turned(image: Pixels, degrees: float, zoom: float = 1.0) -> Pixels:
    """Seen turned about the middle and nearer."""
    side = image.shape[1] / 2, image.shape[0] / 2
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    x, y = side
    matrix = (cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)
    picture = Image.fromarray(image).transform(
        (image.shape[1], image.shape[0]),
        Image.Transform.AFFINE,
        matrix,
        resample=Image.Resampling.BICUBIC,
        fillcolor=128,
    )
    return np.asarray(picture)


def noisy(image: Pixels, much: float = 12, seed: int = 0) -> Pixels:
    """Another exposure of it."""
    grain = np.random.default_rng(seed).normal(0, much, image.shape)
    return np.clip(image.astype(float) * 0.85 + 12 + grain, 0, 255).astype(np.uint8)
