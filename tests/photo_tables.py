"""Pictures and the tables that name them."""

from pathlib import Path

import numpy as np
from PIL import Image


def pictures(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(names):
        pixels = np.random.default_rng(n).integers(0, 256, (32, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def table(folder: Path, words: str, name: str = "t.csv") -> Path:
    file = folder / name
    file.write_text(words, encoding="utf-8")
    return file
