"""The comparison's tables and plots, from the file of results into the page."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from resight.errors import ResightError

ORDER = ("raw pixels", "body as it comes", "RootSIFT", "RootSIFT, no geometric check")
DOT, MARK = "#0072B2", "#D55E00"  # Okabe and Ito
Cell = dict[str, Any]


def write_page(cells: list[Cell], folder: Path, budget: str) -> None:
    """Fill in what stands between the markers of `comparison.md`, and draw the plots.

    Raises:
        ResightError: nothing is measured yet, or the page or its markers are missing.
    """
    page = folder / "comparison.md"
    if not page.is_file():
        raise ResightError(f"{page}: there is no such page to fill in")
    text = page.read_text(encoding="utf-8")
    sets = [cell for cell in cells if cell["cell"].endswith(f", {budget}")]
    if not sets:
        raise ResightError("nothing is measured yet: run this command without --write first")
    for about in sets:
        name = about["cell"].rpartition(", ")[0]
        mine = [cell for cell in cells if cell["cell"].startswith(f"{about['cell']}, ")]
        rows = rows_of(mine)
        if not rows:
            continue
        picture = f"pictures/comparison-{name}.png"
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        steps = sorted({c["steps"] for c in mine if c["kind"] == "figures" and c["steps"]})
        words = f"{about['words'][0].upper()}{about['words'][1:]}. "
        words += f"{' or '.join(map(str, steps))} steps each."
        body = [words, "", *table(rows, columns), "", f"![{columns[0]}]({picture})", ""]
        body += [*knobs(mine, about["second knob"]), "", *notes(mine)]
        text = between(text, name, "\n".join(body).rstrip(), page)
        draw(rows, columns[0], folder / picture)
    part = page.with_name(f".{page.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(page)


def rows_of(cells: Iterable[Cell]) -> dict[str, dict[str, list[Cell]]]:
    """Method, figure, and what each seed gave."""
    rows: dict[str, dict[str, list[Cell]]] = {}
    for cell in cells:
        if cell["kind"] == "figures":
            parts = {cell["method"]: cell["figures"]}
        elif cell["kind"] == "keypoints":
            parts = dict(zip(ORDER[2:], (cell["figures"], cell["one against many"]), strict=True))
        else:
            continue
        for method, figures in parts.items():
            for figure, value in figures.items():
                rows.setdefault(method, {}).setdefault(figure, []).append(value)
    known = [name for name in ORDER if name in rows]
    return {name: rows[name] for name in (*known, *(name for name in rows if name not in known))}


def table(rows: dict[str, dict[str, list[Cell]]], columns: list[str]) -> list[str]:
    """Lines of Markdown; the best mean of each column in bold."""
    best = {column: _best(rows, column) for column in columns}
    lines = [f"| method | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for method, figures in rows.items():
        shown = []
        for column in columns:
            words = shown_figure(figures[column]) if column in figures else ""
            shown.append(f"**{words}**" if words and best[column] == method else words)
        lines.append(f"| {method} | {' | '.join(shown)} |")
    return lines


def shown_figure(values: list[Cell]) -> str:
    """Mean and spread over seeds, and the interval over individuals (the mean of the seeds')."""
    mean = np.mean([value["value"] for value in values])
    words = f"{mean:.3f}"
    if len(values) > 1:
        words += f" ± {np.std([value['value'] for value in values], ddof=1):.3f}"
    ends = [(value["low"], value["high"]) for value in values if value["low"] is not None]
    if ends:
        low, high = np.mean(ends, axis=0)
        words += f" [{low:.3f}, {high:.3f}]"
    return words


def _best(rows: dict[str, dict[str, list[Cell]]], column: str) -> str:
    means = {
        method: float(np.mean([value["value"] for value in figures[column]]))
        for method, figures in rows.items()
        if column in figures
    }
    return (min if "error" in column else max)(means, key=lambda name: means[name])


def knobs(cells: list[Cell], second: str) -> list[str]:
    """What was tried for each loss, and what was taken."""
    lines = [
        f"| loss | settings tried: knob at {second} → on the watched part | taken | training |"
    ]
    lines.append("|---|---|---|---|")
    for method in dict.fromkeys(cell["method"] for cell in cells if cell["kind"] == "choice"):
        tried = [c for c in cells if c["kind"] == "choice" and c["method"] == method]
        runs = [c for c in cells if c["kind"] == "figures" and c["method"] == method]
        words = "; ".join(f"{c['knob']:g} at {c['rate']:g} → {c['value']:.3f}" for c in tried)
        best = max(tried, key=lambda cell: cell["value"])
        seconds = f"{np.mean([run['seconds'] for run in runs]):.0f} s" if runs else ""
        lines.append(f"| {method} | {words} | {best['knob']:g} at {best['rate']:g} | {seconds} |")
    return lines if len(lines) > 2 else []


def notes(cells: list[Cell]) -> list[str]:
    """Collapses, and what matching keypoints costs."""
    lines = []
    fallen = [
        f"{c['method']}, seed {c['seed']}" for c in cells if c.get("collapsed") and "seed" in c
    ]
    if fallen:
        lines.append(f"Collapsed (all photos got nearly one embedding): {'; '.join(fallen)}.")
    for cell in cells:
        if cell["kind"] == "keypoints":
            lines.append(
                f"RootSIFT was asked {cell['queries']} queries, drawn by seed, at "
                f"{cell['seconds a query']:.2f} s a query, {cell['of these checking']:.2f} s of "
                "these for the geometric check of a shortlist of 20."
            )
    return lines


def between(text: str, name: str, body: str, page: Path) -> str:
    """The page with another body between the markers of a set."""
    start, stop = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if text.count(start) != 1 or text.count(stop) != 1 or text.index(start) > text.index(stop):
        raise ResightError(f"{page}: lacks the lines {start} and {stop}, once each, in this order")
    before, _, rest = text.partition(start)
    return f"{before}{start}\n{body}\n{stop}{rest.partition(stop)[2]}"


def draw(rows: dict[str, dict[str, list[Cell]]], column: str, path: Path) -> None:
    """A line a method: every seed a dot, their mean a bar, the interval over individuals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    shown = [(name, figures[column]) for name, figures in rows.items() if column in figures]
    figure = Canvas(figsize=(7, 0.38 * len(shown) + 1.1), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for y, (_, values) in enumerate(shown):
        places = [value["value"] for value in values]
        ends = [(value["low"], value["high"]) for value in values if value["low"] is not None]
        if ends:
            axes.plot(np.mean(ends, axis=0), (y, y), color="#999999", lw=2, zorder=1)
        axes.plot(places, [y] * len(places), "o", color=DOT, ms=5, zorder=3)
        axes.plot(np.mean(places), y, "|", color=MARK, ms=16, mew=2, zorder=2)
    axes.set_yticks(range(len(shown)), [name for name, _ in shown])
    axes.invert_yaxis()
    axes.set_xlabel(f"{column}  (dots: seeds; bar: mean; grey: 95 % over individuals)", fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
