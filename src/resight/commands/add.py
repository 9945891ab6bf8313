"""`resight add`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import (
    AnimalBoxes,
    CatalogueFile,
    PhotosArgument,
    Who,
    fingerprinted_first,
    photos_at,
    report,
    say_differing,
    say_way_back,
    wants_bar,
    with_animals,
)
from resight.commands.photos_options import Columns, columns_of
from resight.errors import ResightError
from resight.words import counted


def add(
    catalogue: CatalogueFile,
    photos: Annotated[list[Path] | None, PhotosArgument] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table with a photo a line; see below."),
    ] = None,
    column: Columns = None,
    encounter: Annotated[
        str | None, typer.Option(help="They are of one individual, met once: a name for that.")
    ] = None,
    named: Annotated[
        bool,
        typer.Option(
            "--named",
            help="PHOTO is a folder with one folder per individual, called as it is; folders "
            "within these are encounters. Photos beside them come in without a name.",
        ),
    ] = False,
    boxes: AnimalBoxes = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="The model; a new catalogue needs it."),
    ] = None,
    even_junk: Annotated[
        bool, typer.Option("--even-junk", help="Take back in what somebody has said is junk.")
    ] = False,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Of photos that are there, write the table's dates, sides and encounters over "
            "what is kept; not the names.",
        ),
    ] = False,
    who: Who = None,
) -> None:
    """Add photos before anybody knows who they show.

    `name`, `group` and `identify` come later. Or they bring their names: photos in a folder per
    individual with --named, those of a table in its column.

    A photo that is there already is passed over, so the same command can be given again whenever
    photos have come to a folder.

    A table (CSV, TSV, Parquet, Excel) needs the column path, from its own folder; it may have
    individual (that photo comes in with its name), encounter, date, side, box, place, observer,
    latitude and longitude. Columns of other names are told with --column, such as
    --column path=Image.

    \b
    Examples:
      resight add whales.db new-photos/ --model whales.onnx
      resight add whales.db photos/ --named
      resight add whales.db --table season-2025.csv
      resight add whales.db dsc-0031.jpg dsc-0032.jpg --encounter "3 April, bay"
    """
    if (photos is None) == (table is None):
        raise ResightError("give either photos or --table FILE")
    if column and table is None:
        raise ResightError("--column is for the columns of a table; give --table FILE")
    if named and (table is not None or encounter is not None):
        raise ResightError("--named has folders say who and when; give neither table nor encounter")
    if table is not None:
        from resight.photos.table import photos_from_table

        if encounter is not None:
            raise ResightError("a table says the encounters itself: in its column encounter")
        several = photos_from_table(
            table, lambda words: typer.echo(words, err=True), columns=columns_of(column)
        )
    elif named:
        from resight.photos import photos_by_individual

        several = [one for place in photos or [] for one in photos_by_individual(place, loose=True)]
    else:
        several = photos_at(photos or [], encounter=encounter)
    several, unboxed = with_animals(several, boxes)
    from resight.catalogue import Catalogue

    several, vectors, unreadable = fingerprinted_first(catalogue, model, several)
    with Catalogue.open(catalogue, model=model, create=model is not None) as book:
        done = book.add(
            several,
            vectors=vectors,
            even_junk=even_junk,
            update=update,
            who=who,
            progress=wants_bar(len(several)),
        )
    report([*unboxed, *unreadable, *done.unreadable])
    before = f" ({done.already:,} there before)" if done.already else ""
    junk = f"; passed over {counted(len(done.junk), 'photo')} of junk" if done.junk else ""
    more = f"; {done.named:,} of them named" if done.named else ""
    if not update:
        say_differing(done, "--update")
    elif done.differing:
        more += f"; {done.differing:,} corrected"
    moved = f"; {done.moved:,} found at a new place" if done.moved else ""
    typer.echo(f"{counted(done.added, 'photo')} added{before} to {catalogue}{more}{moved}{junk}")
    say_way_back(done.action, catalogue)
