"""Names in a picture: any text made safe to draw, and room found for it."""

import unicodedata
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

INK = "#1A1A1A"
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Hiragino Sans", "Microsoft YaHei", "Noto Emoji")


def shortened(name: object, longest: int = 22) -> str:
    """Make any name one short line that the fonts at hand can show."""
    known = _characters()
    text = unicodedata.normalize("NFC", " ".join(str(name).split()))
    text = "".join(
        (c if ord(c) in known else "\N{REPLACEMENT CHARACTER}")
        for c in text
        if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Mn", "Me") or c == " "
    )
    while "\N{REPLACEMENT CHARACTER}" * 2 in text:
        text = text.replace("\N{REPLACEMENT CHARACTER}" * 2, "\N{REPLACEMENT CHARACTER}")
    if len(text) > longest:
        text = f"{text[: longest - 8].rstrip()}…{text[-7:].lstrip()}"
    return text or "(no name)"


@cache
def families() -> tuple[str, ...]:
    """Fonts at hand, the first one that has a letter draws it."""
    from matplotlib import font_manager

    there = set(font_manager.get_font_names())
    return tuple(family for family in _FONTS if family in there)


@cache
def _characters() -> frozenset[int]:
    from matplotlib import font_manager

    files = (font_manager.findfont(family) for family in families())
    return frozenset().union(*(font_manager.get_font(file).get_charmap() for file in files))


def write(where: Any, x: float, y: float, text: str, *, size: float, **options: Any) -> Any:
    """Write text as it is: names are no formulas."""
    options = {"family": list(families()) or None, "color": INK, **options}
    return where.text(x, y, text, fontsize=size, parse_math=False, usetex=False, **options)


class Room:
    """What is taken in the picture (in pixels), so that names do not cover one another."""

    def __init__(self, axes: Any) -> None:
        self.axes = axes
        self.renderer = axes.figure.canvas.get_renderer()
        self.pixel = axes.figure.dpi / 72
        area = axes.bbox
        self.inside = np.array([area.x0, area.y0, area.x1, area.y1])
        self.boxes = np.empty((0, 4))

    def free(self, box: NDArray[np.float64]) -> bool:
        """Say whether a box (x0, y0, x1, y1) lies inside and covers nothing taken."""
        if (box[:2] < self.inside[:2]).any() or (box[2:] > self.inside[2:]).any():
            return False
        taken = self.boxes
        return not ((taken[:, :2] < box[2:]) & (taken[:, 2:] > box[:2])).all(axis=1).any()

    def take(self, box: NDArray[np.float64]) -> None:
        """Keep a box (x0, y0, x1, y1) for what is drawn there."""
        self.boxes = np.vstack((self.boxes, box))

    def dot(self, place: NDArray[np.float64]) -> None:
        """Keep a place from being written over."""
        spot = self.axes.transData.transform(place)
        self.take(np.concatenate((spot - 4, spot + 4)))

    def name(
        self,
        place: NDArray[np.float64],
        name: str,
        size: float,
        colour: str,
        *,
        on: bool,
        bold: bool,
    ) -> None:
        """Write a name on a place (or only beside it), or close by, or not at all."""
        from matplotlib import patheffects

        x, y = self.axes.transData.transform(place)
        text = write(
            self.axes, 0, 0, name, size=size, color=colour, ha="center", va="center", zorder=6,
            weight="bold" if bold else "normal", transform=None,
            path_effects=[patheffects.withStroke(linewidth=max(2.0, size / 4), foreground="white")],
        )  # fmt: skip
        area = text.get_window_extent(self.renderer)
        half = np.array([area.width, area.height]) / 2
        gap = np.array([9.0, 7.0])
        around = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
        tries = np.array([(0, 0), *around, *np.multiply(around, 2), *np.multiply(around, 3.5)])
        for toward in tries if on else np.array(around):
            middle = np.array([x, y]) + (half + gap) * toward
            box = np.concatenate((middle - half - 1, middle + half + 1))
            if self.free(box):
                text.set_position(tuple(middle))
                self.take(box)
                return
        text.remove()
