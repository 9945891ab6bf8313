"""`resight add`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import (
    CatalogueFile,
    Who,
    is_there,
    photos_at,
    photos_in_words,
    report,
    say_way_back,
    wants_bar,
)
from resight.errors import ResightError, UnreadablePhoto


def add(
    catalogue: CatalogueFile,
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO", help="Photos, or folders of them.")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A CSV file with a photo a line; see below."),
    ] = None,
    encounter: Annotated[
        str | None, typer.Option(help="They are of one individual, met once: a name for that.")
    ] = None,
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

    `name`, `group` and `identify` come later.

    A photo that is there already is passed over, so the same command can be given again whenever
    photos have come to a folder.

    A table needs the column path, from its own folder; it may have individual (that photo comes in
    with its name), encounter, date, side, box, place, observer, latitude and longitude.

    \b
    Examples:
      resight add whales.db new-photos/ --model whales.onnx
      resight add whales.db --table season-2025.csv
      resight add whales.db dsc-0031.jpg dsc-0032.jpg --encounter "3 April, bay"
    """
    from resight.photos.photo import Photo

    if (photos is None) == (table is None):
        raise ResightError("give either photos or --table FILE")
    if table is not None:
        from resight.photos.table import photos_from_table

        if encounter is not None:
            raise ResightError("a table says the encounters itself: in its column encounter")
        several = photos_from_table(table, lambda words: typer.echo(words, err=True))
    else:
        several = [Photo(path, encounter=encounter) for path in photos_at(photos or [])]
    from resight.catalogue import Catalogue

    unreadable: Sequence[UnreadablePhoto] = ()
    vectors = None
    if model is not None and not is_there(catalogue):
        # Whatever is wrong with the photos must not leave an empty catalogue.
        from resight.catalogue.checks import none_readable
        from resight.catalogue.incoming import checked_photo
        from resight.fingerprint import Fingerprinter

        several = [checked_photo(photo) for photo in several]
        found = Fingerprinter(model)(several, progress=wants_bar(len(several)))
        if not len(found):
            raise none_readable(found.unreadable, len(several))
        unreadable, vectors = found.unreadable, found.vectors
        several = [several[place] for place in found.index]
    with Catalogue.open(catalogue, model=model, create=model is not None) as book:
        done = book.add(
            several,
            vectors=vectors,
            even_junk=even_junk,
            update=update,
            who=who,
            progress=wants_bar(len(several)),
        )
    report([*unreadable, *done.unreadable])
    before = f" ({done.already:,} there before)" if done.already else ""
    junk = f"; passed over {photos_in_words(len(done.junk))} of junk" if done.junk else ""
    named = f"; {done.named:,} of them named" if done.named else ""
    if done.differing and not update:
        are = "1 photo is" if done.differing == 1 else f"{done.differing:,} photos are"
        typer.echo(
            f"{are} there already with another date, side or encounter; not changed (use --update)",
            err=True,
        )
    elif done.differing:
        named += f"; {done.differing:,} corrected"
    moved = f"; {done.moved:,} found at a new place" if done.moved else ""
    typer.echo(f"{photos_in_words(done.added)} added{before} to {catalogue}{named}{moved}{junk}")
    say_way_back(done.action, catalogue)
