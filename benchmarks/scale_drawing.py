"""The picture and the table of `scale.py`: how what a catalogue on PostgreSQL costs grows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"  # Okabe and Ito
Cell = dict[str, Any]


def draw(cells: list[Cell], picture: Path) -> None:
    """Four plots over the number of fingerprints, both axes logarithmic but for the recall."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams |= {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.4), layout="constrained")
    (making, space), (asking, finding) = axes
    _lines(making, cells, "Making the index", "processor time, s", "processor_seconds")
    loading = _points(cells, "groups", lambda cell: cell.get("copy_processor_seconds"))
    if loading[0]:
        making.plot(*loading, "o--", color=GREY, label="loading by COPY")
    _lines(space, cells, "Space", "GB", "bytes", 1e9)
    table = _points(cells, "groups", lambda cell: cell["fingerprints_bytes"] / 1e9)
    space.plot(*table, "o--", color=GREY, label="the fingerprints")
    for kind, line in (("groups", "-"), ("random", ":")):
        exact = _points(cells, kind, lambda cell: cell["exact"]["processor_ms"])
        if kind == "groups":
            asking.plot(*exact, "o--", color=GREY, label="exactly, by the server")
        for effort, colour in ((40, BLUE), (200, ORANGE)):
            for axis, what in ((asking, "processor_ms"), (finding, "recall")):
                found = _points(cells, kind, _of_effort(effort, what))
                if len(found[0]):
                    axis.plot(*found, f"o{line}", color=colour, label=f"{kind}, effort {effort}")
    asking.set(title="One question", ylabel="processor time, ms", yscale="log")
    finding.set(title="Found of the nearest ten (half precision)", ylabel="recall", ylim=(0, 1.03))
    for axis in axes.flat:
        axis.set(xscale="log", xlabel="fingerprints")
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, fontsize=8)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=130, metadata={"Software": None})
    plt.close(figure)


def write_table(cells: list[Cell], page: Path) -> None:
    """Put what was measured between the marks of a page."""
    rows = [
        "| fingerprints | made in | index | one question: exactly | effort 40 | effort 200 "
        "| effort 1,000 | found: 40 | 200 | 1,000 |",
        "|---" * 10 + "|",
    ]
    for cell in sorted(cells, key=lambda cell: (cell["kind"], cell["size"])):
        for precision, made in cell["index"].items():
            efforts = [made[f"effort_{effort}"] for effort in (40, 200, 1000)]
            columns = [
                f"{cell['size']:,} {cell['kind']}, {precision}",
                f"{made['processor_seconds']:.0f} s",
                f"{made['bytes'] / 1e6:,.0f} MB",
                f"{cell['exact']['processor_ms']:.0f} ms",
                *(f"{effort['processor_ms']:.1f} ms" for effort in efforts),
                *(f"{effort['recall']:.3f}" for effort in efforts),
            ]
            rows.append(f"| {' | '.join(columns)} |")
    first, rest = page.read_text(encoding="utf-8").split("<!-- scale -->")
    _, last = rest.split("<!-- /scale -->")
    text = "\n".join(rows)
    part = page.with_name(f".{page.name}.part")
    part.write_text(f"{first}<!-- scale -->\n\n{text}\n\n<!-- /scale -->{last}", encoding="utf-8")
    part.replace(page)


def _points(
    cells: list[Cell], kind: str, value: Callable[[Cell], float | None]
) -> tuple[list[int], list[float]]:
    found = sorted(
        (cell["size"], made)
        for cell in cells
        if cell["kind"] == kind and (made := value(cell)) is not None
    )
    return [size for size, _ in found], [made for _, made in found]


def _of_effort(effort: int, what: str) -> Callable[[Cell], float | None]:
    def value(cell: Cell) -> float | None:
        made = cell["index"].get("half", {}).get(f"effort_{effort}")
        return None if made is None else float(made[what])

    return value


def _lines(
    axis: Any, cells: list[Cell], title: str, unit: str, what: str, scale: float = 1.0
) -> None:
    for precision, colour in (("full", BLUE), ("half", ORANGE)):
        found = _points(
            cells,
            "groups",
            lambda cell, p=precision: (  # type: ignore[misc]
                cell["index"][p][what] / scale if p in cell["index"] else None
            ),
        )
        if found[0]:
            axis.plot(*found, "o-", color=colour, label=f"index, {precision} precision")
    axis.set(title=title, ylabel=unit, yscale="log")
