"""The report's figures as numbers: where each line, point and bar of an SVG drawing stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.evaluate.calibration import Reliability
from resight.evaluate.metrics import Figure, Retrieval


@dataclass(frozen=True, slots=True)
class Curve:
    """The cumulative match characteristic: lines over `ticks`, y downwards."""

    line: str
    band: str
    points: list[tuple[float, float, str]]
    ticks: list[tuple[float, str]]


def cmc_curve(closed: Retrieval, width: float, height: float) -> Curve:
    """R@k over k, k on a logarithmic scale, with the band of the 95 % intervals."""
    ks = sorted(closed.cmc)
    most = max(np.log(ks[-1]), 1e-9)
    x = [float(np.log(k) / most * width) for k in ks]

    def y(share: float) -> float:
        return height * (1 - share)

    figures = [closed.cmc[k] for k in ks]
    lows, highs = ([_end(f, end) for f in figures] for end in ("low", "high"))
    band = [*zip(x, map(y, highs), strict=True), *reversed([*zip(x, map(y, lows), strict=True)])]
    line = [*zip(x, (y(f.value) for f in figures), strict=True)]
    return Curve(
        _points(line),
        _points(band),
        [
            (round(a, 1), round(b, 1), f"R@{k}: {100 * f.value:.1f} %")
            for (a, b), k, f in zip(line, ks, figures, strict=True)
        ],
        [(round(a, 1), str(k)) for a, k in zip(x, ks, strict=True)],
    )


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of the reliability diagram, its interval, and the bar of how many answers it had."""

    x: float
    y: float
    low: float
    high: float
    left: float
    width: float
    bar: float
    count: int
    words: str


def reliability_dots(found: Reliability, width: float, height: float, bars: float) -> list[Dot]:
    """Dots of the bins that have answers; `bars` is the height of the fullest bin's bar."""
    counts = found.counts
    step = width / len(counts)
    return [
        Dot(
            x=round(float(found.predicted[i]) * width, 1),
            y=round(height * (1 - float(found.observed[i])), 1),
            low=round(height * (1 - float(np.clip(found.low[i], 0, 1))), 1),
            high=round(height * (1 - float(np.clip(found.high[i], 0, 1))), 1),
            left=round(i * step + 1, 1),
            width=round(step - 2, 1),
            bar=round(float(counts[i] / counts.max()) * bars, 1),
            count=int(counts[i]),
            words=f"said {100 * found.predicted[i]:.0f} %, came true "
            f"{100 * found.observed[i]:.0f} % of {counts[i]:,}",
        )
        for i in np.flatnonzero(counts)
    ]


@dataclass(frozen=True, slots=True)
class Hill:
    """How often each cosine occurred, as an SVG path's points."""

    line: str
    low: float
    high: float


def hills(
    parts: list[NDArray[np.floating]], width: float, height: float, cuts: int = 40
) -> tuple[list[Hill], float, float]:
    """Histograms of several sets of cosines over one range, each with its greatest part as high.

    Returns:
        the hills, and the range (low, high).
    """
    together = np.concatenate(parts)
    low, high = float(together.min()), float(together.max())
    high = max(high, low + 1e-3)
    drawn = []
    for values in parts:
        counts, edges = np.histogram(values, cuts, (low, high))
        tall = max(int(counts.max()), 1)
        x = (edges - low) / (high - low) * width
        steps = [(0.0, height)]
        for left, right, count in zip(x[:-1], x[1:], counts, strict=True):
            top = height * (1 - count / tall)
            steps += [(float(left), float(top)), (float(right), float(top))]
        drawn.append(Hill(_points([*steps, (width, height)]), low, high))
    return drawn, low, high


@dataclass(frozen=True, slots=True)
class Bar:
    """A share as a bar, with its interval as a whisker; lengths in hundredths of the full width."""

    name: str
    words: str
    length: float
    low: float | None
    high: float | None
    kind: str


def bar(name: str, figure: Figure | float, kind: str = "") -> Bar:
    """A bar of a share between 0 and 1."""
    if isinstance(figure, float):
        return Bar(name, f"{100 * figure:.1f} %", round(100 * figure, 2), None, None, kind)
    words = f"{100 * figure.value:.1f} %"
    if figure.low != figure.low:
        return Bar(name, words, round(100 * figure.value, 2), None, None, kind)
    return Bar(
        name,
        f"{words} [{100 * figure.low:.1f}, {100 * figure.high:.1f}]",
        round(100 * figure.value, 2),
        round(100 * figure.low, 2),
        round(100 * figure.high, 2),
        kind,
    )


def _end(figure: Figure, end: str) -> float:
    value = float(getattr(figure, end))
    return figure.value if value != value else value


def _points(line: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
