"""PHOTOS on the command line: a folder or a table, and the options that say how to read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resight.commands.common import check_output, one_line
from resight.errors import ResightError

if TYPE_CHECKING:
    from resight.photos.gather import Gathered

PhotosPlace = Annotated[
    Path,
    typer.Argument(
        metavar="PHOTOS",
        help="A folder with one folder per individual, or a table of photos (CSV, TSV, Parquet, "
        "Excel, COCO's JSON).",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=COLUMN",
        help="What a table's column is, such as individual=whaleID; may be given several times.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where a table's paths begin, if not at its own folder."),
]
Boxes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="MegaDetector's JSON: where on the photos the animals are."),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Go on without photos that have problems, and list them.")
]
ProblemsFile = Annotated[
    Path | None,
    typer.Option("--problems", metavar="FILE", help="Write all problems to this CSV file."),
]

# How photos are divided.
Share = Annotated[float, typer.Option(min=0.01, max=0.99, help="About how much of them asks.")]
Until = Annotated[
    datetime | None,
    typer.Option(
        metavar="DAY", formats=["%Y-%m-%d"], help="By date: the last of those that do not ask."
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(metavar="DAY", formats=["%Y-%m-%d"], help="By date: the first that asks."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of what is drawn.")]


def day(time: datetime | None) -> date | None:
    """The day that `Until` or `Since` names."""
    return None if time is None else time.date()


def gathered(
    place: Path,
    *,
    column: Sequence[str] | None = None,
    root: Path | None = None,
    boxes: Path | None = None,
    skip_bad: bool = False,
    problems: Path | None = None,
    named: bool = True,
) -> Gathered:
    """The photos that a command is given, every one of which can be read.

    What was taken for what goes to stderr, and so do the photos that --skip-bad leaves out (the
    first 20); its `left_out` has all of them.

    Args:
        place: and the others: what the options of the same names were given.
        named: photos that do not say who they show are left out.

    Raises:
        ResightError: an option that cannot be, or problems with the photos, listed.
    """
    columns = columns_of(column)
    if problems is not None:
        check_output(problems, ".csv")
    from resight.photos.gather import TOLD, gather

    found = gather(
        place,
        columns=columns,
        root=root,
        boxes=boxes,
        named=named,
        skip_bad=skip_bad,
        listing=problems,
        say=_say,
        progress=True,
    )
    for one in found.left_out[:TOLD]:
        _say(f"Left out {one}")
    if (more := len(found.left_out) - TOLD) > 0:
        where = f"all are in {problems}" if problems else "--problems FILE.csv lists all"
        _say(f"Left out {more:,} more; {where}")
    return found


def columns_of(words: Sequence[str] | None) -> dict[str, str]:
    """What --column says: our name to the table's.

    Raises:
        ResightError: not NAME=COLUMN, or a name given twice.
    """
    columns: dict[str, str] = {}
    for word in words or ():
        ours, is_given, theirs = word.partition("=")
        ours = ours.strip().casefold()
        if not is_given or not ours:
            raise ResightError(f"--column is NAME=COLUMN, such as individual=whaleID, not {word!r}")
        if ours in columns:
            raise ResightError(f"--column {ours}=… is given twice; give it once")
        columns[ours] = theirs.strip()
    return columns


def _say(words: str) -> None:
    typer.echo(one_line(words), err=True)
