"""What the catalogue's tests share: photos that differ, and fingerprints for them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_photos(folder: Path, count: int, *, seed: int = 0) -> list[Path]:
    """Grey noise, 28×28, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    paths = [folder / f"{seed}-{number}.png" for number in range(count)]
    for path, photo in zip(paths, pixels, strict=True):
        Image.fromarray(photo).save(path)
    return paths


def write_files(folder: Path, count: int, *, word: str = "file") -> list[Path]:
    """Files that differ; where vectors are given, a photo's pixels are never looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{word}-{number}.png" for number in range(count)]
    for path in paths:
        path.write_text(path.name)
    return paths


def unit_vectors(count: int, dim: int = 32, *, seed: int = 0) -> NDArray[np.float32]:
    """Random directions."""
    vectors = np.random.default_rng(seed).standard_normal((count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
