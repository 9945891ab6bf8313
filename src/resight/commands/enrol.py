"""`resight enrol`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import (
    AnimalBoxes,
    CatalogueFile,
    Photos,
    Who,
    fingerprinted_first,
    photos_at,
    report,
    say_differing,
    say_way_back,
    wants_bar,
    with_animals,
)
from resight.words import counted


def enrol(
    catalogue: CatalogueFile,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who is on the photos.")],
    photos: Photos,
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="The model; a new catalogue needs it."),
    ] = None,
    encounter: Annotated[
        str | None, typer.Option(help="A name for the time and place they were taken at.")
    ] = None,
    boxes: AnimalBoxes = None,
    even_junk: Annotated[
        bool, typer.Option("--even-junk", help="Take back in what somebody has said is junk.")
    ] = False,
    who: Who = None,
) -> None:
    """Give photos a name in a catalogue.

    One photo is enough. A catalogue that is not there yet is made with --model, and keeps to
    that model. Photos that have been added without a name get this one. Folders within a folder
    are encounters, unless --encounter says which it was.

    \b
    Examples:
      resight enrol whales.db Luna luna-1.jpg luna-2.jpg --model whales.onnx
      resight enrol whales.db Milo photos/milo/
    """
    from resight.catalogue import Catalogue

    several, unboxed = with_animals(photos_at(photos, name, encounter), boxes)
    several, vectors, unreadable = fingerprinted_first(catalogue, model, several)
    with Catalogue.open(catalogue, model=model, create=model is not None) as book:
        done = book.enrol(
            name,
            several,
            vectors=vectors,
            even_junk=even_junk,
            who=who,
            progress=wants_bar(len(several)),
        )
    report([*unboxed, *unreadable, *done.unreadable])
    say_differing(done, "resight add --named --update, or a table")
    did = [f"{counted(done.added, 'photo')} enrolled"] if done.added or not done.named else []
    did += [f"{counted(done.named, 'photo')} named"] if done.named else []
    before = done.already - done.named
    there = f" ({before:,} there before)" if before else ""
    moved = f"; {done.moved:,} found at a new place" if done.moved else ""
    typer.echo(f"{done.individual}: {', '.join(did)}{there} in {catalogue}{moved}")
    say_way_back(done.action, catalogue)
