"""Small pictures for the report, and the numbers of its drawings."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.photos.decode import Pixels


@dataclass(frozen=True, slots=True)
class Thumb:
    """A small picture with words.

    Attributes:
        uri: the picture as a data: URI.
        caption: below it.
        below: a second line of the caption.
        state: "right", "wrong", "enrolled" or "".
        words: for who cannot see it, and when pointed at.
    """

    uri: str
    caption: str = ""
    state: str = ""
    words: str = ""
    below: str = ""


def thumb(
    pixels: Pixels, caption: str = "", state: str = "", words: str = "", below: str = ""
) -> Thumb:
    """A grey picture, uint8 (H, W), with its words."""
    return Thumb(data_uri(pixels), caption, state, words or caption, below)


def data_uri(pixels: Pixels) -> str:
    """A grey picture, uint8 (H, W), as text that a page can hold."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def polyline(
    values: ArrayLike, width: float, height: float, low: float, high: float, most: int = 240
) -> str:
    """The points of an SVG polyline: values from left to right, `high` at the top.

    More than `most` values are averaged in as many equal parts.
    """
    line = np.asarray(values, np.float64)
    if len(line) > most:
        line = np.array([part.mean() for part in np.array_split(line, most)])
    x = np.linspace(0, width, len(line))
    y = height * (1 - np.clip((line - low) / max(high - low, 1e-12), 0, 1))
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, in the units of its drawing."""

    x: float
    width: float
    height: float


def bars(values: NDArray[np.floating], width: float, height: float, high: float) -> list[Bar]:
    """A histogram of values from 0 to `high` in 60 parts; the fullest part has the whole height."""
    counts, _ = np.histogram(values, 60, (0, high))
    scale = height / max(int(counts.max()), 1)
    step = width / len(counts)
    return [
        Bar(round(i * step, 2), round(step * 0.86, 2), round(float(count) * scale, 2))
        for i, count in enumerate(counts)
        if count
    ]


def spread(values: Sequence[float], width: float, high: float) -> list[float]:
    """Where values from 0 to `high` stand on a line."""
    return [round(min(value / high, 1) * width, 1) for value in values]
