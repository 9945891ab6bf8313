"""The reliability diagram: what was called 80 % sure, and how much of it was right."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# Of the Okabe-Ito palette, which the colour-blind can tell apart.
BLUE, ORANGE = "#0072b2", "#d55e00"


def draw_reliability(
    diagrams: Mapping[str, Mapping[str, Any]],
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "",
    note: str = "",
) -> bytes:
    """Draw diagrams side by side, with the number of answers in each bin below.

    Args:
        diagrams: by their titles, what `Reliability.to_dict` gives; one at least.
        path: the PNG file to write, whole or not at all; None for none.
        title: above all.
        note: below all.

    Returns:
        the PNG file's bytes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(diagrams), 5.2), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    above, below = figure.subplots(
        2, len(diagrams), squeeze=False, sharex=True, height_ratios=(3.2, 1)
    )
    for column, (name, found) in enumerate(diagrams.items()):
        ax, bars = above[column], below[column]
        counts = np.array(found["counts"])
        there = counts > 0
        predicted, observed, low, high = (
            np.array(found[key], float)[there] for key in ("predicted", "observed", "low", "high")
        )
        ax.plot((0, 1), (0, 1), color="0.6", linestyle="--", linewidth=1, label="true")
        points = ax.errorbar(
            predicted,
            observed,
            yerr=np.clip([observed - low, high - observed], 0, 1),
            color=BLUE,
            marker="o",
            markersize=5,
            linewidth=1.5,
            capsize=3,
            label="measured, with 95 % interval",
        )
        for part in points.get_children():
            part.set_clip_on(False)  # whole also in the corners, where the surest are
        for place, words in (((0.03, 0.93), "not sure enough"), ((0.68, 0.3), "too sure")):
            ax.text(*place, words, color="0.45", fontsize=8, transform=ax.transAxes)
        ax.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that came true")
        ax.set_title(f"{name}\nexpected calibration error {found['error']:.3f}", fontsize=11)
        ax.legend(loc="lower right", fontsize=8, frameon=False)
        edges = np.linspace(0, 1, len(counts) + 1)
        bars.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=ORANGE, ec="white")
        bars.set(xlabel="probability given", ylabel="answers", ylim=(0, counts.max() * 1.3))
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
            if count:
                bars.text((left + right) / 2, count, f"{count:,}", ha="center", va="bottom", size=6)
    if title:
        figure.suptitle(title)
    if note:
        figure.supxlabel(note, fontsize=8, color="0.3")
    drawn = io.BytesIO()
    canvas.print_png(drawn)
    if path is not None:
        part = Path(f"{path}.part")
        try:
            part.write_bytes(drawn.getvalue())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return drawn.getvalue()
