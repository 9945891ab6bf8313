"""`resight inspect`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resight.commands.common import AsJson, check_output, one_line, wants_bar
from resight.commands.photos_options import (
    Boxes,
    Columns,
    PhotosPlace,
    ProblemsFile,
    Root,
    columns_of,
)
from resight.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resight.photos.inspect import Inspection
    from resight.photos.problem import Problem

_GRADES = {"mend": "To mend", "look": "To look at", "know": "To know"}
_COLOURS = {"mend": "red", "look": "yellow", "know": "blue"}
_SHOWN = 3  # examples of each finding on the terminal


def inspect(
    photos: PhotosPlace,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a report with the pictures: NAME.html."),
    ] = None,
    column: Columns = None,
    root: Root = None,
    boxes: Boxes = None,
    problems: ProblemsFile = None,
    as_json: AsJson = False,
) -> None:
    """Look over photos before training.

    Every file is opened once. Found are broken files, the same picture twice (also under two
    names), names that are probably one name, bursts, individuals with one photo or one side,
    dates that cannot be, and photos that show hardly anything: each with how many, what it costs
    and what to do.

    The last sentence says whether training can begin. What is found is no error: the exit code
    is 0. See docs/inspect.md.

    \b
    Examples:
      resight inspect photos/
      resight inspect whales.csv --column individual=whaleID --report inspect.html
    """
    columns = columns_of(column)
    if report is not None:
        check_output(report, ".html")
    if problems is not None:
        check_output(problems, ".csv")
    from contextlib import ExitStack

    from resight.photos.examine import examine
    from resight.photos.gather import write_problems
    from resight.photos.inspect import inspect
    from resight.photos.near import look_at
    from resight.photos.stream import progress_bar
    from resight.photos.ways_in import take_in

    taken = take_in(
        photos,
        columns=columns,
        root=root,
        boxes=boxes,
        say=lambda words: typer.echo(one_line(words), err=True),
        progress="Reading dates",
    )
    seen = examine(taken.photos, progress="Opening photos")
    told = [taken.problem(one.place or 0, one.what) for one in seen.problems]
    every = taken.without(told).problems
    if problems is not None:
        write_problems(problems, every)
    with ExitStack() as stack:
        advance = lambda done: None  # noqa: E731
        if wants_bar(len(taken.photos)):
            advance = stack.enter_context(progress_bar("Comparing near-copies", None))
        found = inspect(
            taken.photos,
            replace(seen, problems=told),
            problems=taken.problems,
            look=look_at(taken.photos, advance),
        )
    if report is not None:
        from resight.photos.inspect_report import write_report

        write_report(found, report, title=photos.name or str(photos))
    if as_json:
        typer.echo(json.dumps(entry(found, every), indent=2, ensure_ascii=False))
        return
    _print(found)
    if problems is None and len(every) > _SHOWN:
        typer.echo(f"--problems FILE.csv lists all {len(every)} problems")
    for file in (report, problems):
        if file is not None:
            typer.echo(f"Wrote {file}")


def entry(found: Inspection, problems: Sequence[Problem]) -> dict[str, Any]:
    """An inspection as JSON has it, with all problems; photos by their paths."""
    return {
        "photos": sum(found.counts.values()),
        "individuals": len(found.counts),
        "encounters": found.encounters,
        "days": len(found.days),
        "findings": [
            {
                "kind": one.kind,
                "grade": one.grade,
                "count": one.count,
                "title": one.title,
                "cost": one.cost,
                "advice": one.advice,
                "examples": [
                    {
                        "words": example.words,
                        "photos": [str(found.photos[place].path) for place in example.photos],
                    }
                    for example in one.examples
                ],
            }
            for one in found.findings
        ],
        "problems": [one.entry() for one in problems],
        "can_train": found.can_train,
        "verdict": found.verdict,
    }


def _print(found: Inspection) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=False)
    days = list(found.days)
    span = f", {days[0]} to {days[-1]}" if days else ""
    met = f", {counted(found.encounters, 'encounter')}" if found.encounters else ""
    console.print(
        f"{counted(sum(found.counts.values()), 'photo')} of "
        f"{counted(len(found.counts), 'individual')}{met}{span}"
    )
    grade = None
    for one in found.findings:
        if one.grade != grade:
            grade = one.grade
            console.print(Text(f"\n{_GRADES[grade]}", style=f"bold {_COLOURS[grade]}"))
        console.print(Padding(Text(one.title, style="bold"), (0, 0, 0, 2), expand=False))
        for words in (one.cost, one.advice):
            console.print(Padding(Text(words), (0, 0, 0, 4), expand=False))
        for example in one.examples[:_SHOWN]:
            names = [found.photos[place].path.name for place in example.photos[:2]]
            more = f" ({', '.join(names)})" if names else ""
            case = Text(one_line(f"{example.words}{more}"), style="dim")
            console.print(Padding(case, (0, 0, 0, 6), expand=False))
        if len(one.examples) > _SHOWN:
            console.print(Padding(Text("…", style="dim"), (0, 0, 0, 6), expand=False))
    console.print()
    console.print(Text(found.verdict, style="bold"))
