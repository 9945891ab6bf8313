"""A population's files: histories for MARK and R, the discovery curve, the estimates."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from resight.catalogue.chapman import Chapman
from resight.catalogue.export import harmless, whole_folder
from resight.catalogue.population import Histories

Curve = Sequence[tuple[date, int, int, int]]


def write_population(
    out: str | os.PathLike[str],
    who: Histories,
    curve: Curve,
    chapmans: Sequence[Chapman | str] | None,
) -> None:
    """Write all files into a new folder, or nothing.

    Args:
        out: the folder; it must not exist, or be empty.
        who: goes into histories.inp and histories.csv.
        curve: from `discovery`; goes into discovery.csv and discovery.png.
        chapmans: from `estimates`; goes into chapman.csv. None where there are none.

    Raises:
        ResightError: a folder that is there or cannot be made.
    """
    with whole_folder(out) as folder:
        write_inp(who, folder / "histories.inp")
        write_histories(who, folder / "histories.csv")
        write_discovery(curve, folder / "discovery.csv")
        draw_discovery(curve, folder / "discovery.png")
        if chapmans is not None:
            write_estimates(who, chapmans, folder / "chapman.csv")


def write_inp(who: Histories, path: Path) -> None:
    """Encounter histories as MARK reads them, `/* name */ 1010 1;`, a line each.

    A first line of comment has the occasions. RMark's `convert.inp` ends a line at its first
    semicolon, in a comment too, so names lose theirs; and lines end as on Windows, where MARK runs.
    """
    span = f"{who.occasions[0].name} to {who.occasions[-1].name}"
    lines = [f"/* {len(who.occasions)} occasions, {span}: 1 seen, 0 not */"]
    for name, row in zip(who.individuals, who.seen, strict=True):
        lines.append(f"/* {_comment(name)} */ {_history(row)} 1;")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\r\n")


def write_histories(who: Histories, path: Path) -> None:
    """The same as CSV: `id`, `ch` (the history as text), `freq`, and a column for each occasion."""
    rows = (
        [harmless(name), _history(row), 1, *row.astype(int).tolist()]
        for name, row in zip(who.individuals, who.seen, strict=True)
    )
    _write(path, ["id", "ch", "freq", *(occasion.name for occasion in who.occasions)], rows)


def write_discovery(curve: Curve, path: Path) -> None:
    """The discovery curve: at the end of each day, how much there was."""
    rows = ([day.isoformat(), *counts] for day, *counts in curve)
    _write(path, ["day", "photos", "encounters", "individuals"], rows)


def write_estimates(who: Histories, chapmans: Sequence[Chapman | str], path: Path) -> None:
    """Chapman's estimates, a line for each occasion and the next."""
    names = ["first", "second", "both", "estimate", "error", "low", "high", "level"]
    rows = []
    for (one, other), found in zip(pairwise(who.occasions), chapmans, strict=True):
        numbers = [""] * 8 if isinstance(found, str) else [getattr(found, name) for name in names]
        rows.append([one.name, other.name, *numbers, found if isinstance(found, str) else ""])
    _write(path, ["from", "to", "n1", "n2", "m2", *names[3:], "why_none"], rows)


def draw_discovery(curve: Curve, path: Path) -> None:
    """Individuals known against encounters, as a PNG of 1200 × 800 pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    encounters = [0, *(point[2] for point in curve)]
    individuals = [0, *(point[3] for point in curve)]
    figure = Figure(figsize=(8, 16 / 3), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    most = individuals[-1]
    axes.plot([0, most], [0, most], color="#B8B8B8", linestyle="--", label="everybody new")
    axes.plot(encounters, individuals, color="#0072B2", linewidth=2, label="known")
    axes.set_xlabel("Encounters")
    axes.set_ylabel("Individuals known")
    axes.set_title(f"{curve[0][0]} to {curve[-1][0]}", loc="left")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Software": None})


def _history(row: Iterable[Any]) -> str:
    return "".join("1" if seen else "0" for seen in row)


def _comment(text: str) -> str:
    return text.replace(";", ",").replace("/*", "/ *").replace("*/", "* /")


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(head)
        table.writerows(rows)
