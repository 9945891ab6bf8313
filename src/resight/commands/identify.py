"""`resight identify`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resight.commands.common import CatalogueFile, MovedModel, Photos, report, wants_bar

if TYPE_CHECKING:
    from resight.catalogue import Answer, Answers


def identify(
    catalogue: CatalogueFile,
    photos: Photos,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    top: Annotated[int, typer.Option(min=1, help="How many individuals to offer.")] = 3,
    photos_each: Annotated[
        int, typer.Option("--photos", min=1, help="How many photos of each.")
    ] = 3,
    leave_out_itself: Annotated[
        bool,
        typer.Option("--leave-out-itself", help="A photo that is enrolled shall not find itself."),
    ] = False,
    model: MovedModel = None,
) -> None:
    """Ask of photos who they show.

    Answers with the nearest individuals, and the nearest photos of each. That is a ranking by
    distance, from 0 (the same) to 2, and not yet a decision: somebody is always nearest, to a
    newcomer too.

    \b
    Examples:
      resight identify whales.db who-is-this.jpg
      resight identify whales.db new-photos/ --json
    """
    from resight.photos import find_photos

    paths = find_photos(photos)
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue, model=model) as book:
        answers = book.identify(
            paths,
            top=top,
            photos_each=photos_each,
            leave_out_itself=leave_out_itself,
            progress=wants_bar(len(paths)),
        )
    report(answers.unreadable)
    if as_json:
        typer.echo(json.dumps(_entries(paths, answers), indent=2))
    else:
        _print(answers)


def _entries(paths: Sequence[Path], answers: Answers) -> list[dict[str, Any]]:
    """One entry a photo, in the order asked; `error` says why where there is no answer."""
    entries = {answer.query: answer.to_dict() | {"error": None} for answer in answers}
    keys = entries[answers[0].query]
    for error in answers.unreadable:
        entries[error.source] = dict.fromkeys(keys) | {
            "query": error.source,
            "candidates": [],
            "error": error.reason,
        }
    return [entries[str(path)] for path in paths]


def _print(answers: Answers) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for answer in answers:
        console.print(_table(answer))
    searched = answers[0].searched
    console.print(
        f"Searched {searched.individuals:,} individuals with {searched.photos:,} photos. Distances "
        "run from 0 (the same) to 2.\nThis is a ranking, not yet a decision: somebody is always "
        "nearest, to a newcomer too.",
        style="dim",
        soft_wrap=True,
    )


def _table(answer: Answer) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    title = Text(answer.query)  # Text: a name's brackets are no markup
    if answer.enrolled_as:
        title.append(f"  (this very photo is enrolled as {answer.enrolled_as})", style="dim")
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("Individual", overflow="fold", min_width=10)
    table.add_column("Distance", justify="right")
    table.add_column("Its nearest photos", overflow="fold")
    for place, candidate in enumerate(answer.candidates):
        photos = "\n".join(
            f"{match.distance:.3f}  {_short(match.path)}" for match in candidate.photos
        )
        table.add_row(
            Text(candidate.individual, style="bold green" if place == 0 else ""),
            f"{candidate.distance:.3f}",
            Text(photos),
        )
    return table


def _short(path: Path) -> str:
    """As seen from here, where it lies below."""
    here = os.path.join(Path.cwd(), "")  # noqa: PTH118
    return str(path).removeprefix(here)
