"""`resight enrol`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Photos, photos_in_words, report, wants_bar
from resight.errors import UnreadablePhoto


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
) -> None:
    """Give photos a name in a catalogue.

    One photo is enough. A catalogue that is not there yet is made with --model, and keeps to
    that model.

    \b
    Examples:
      resight enrol whales.db Luna luna-1.jpg luna-2.jpg --model whales.onnx
      resight enrol whales.db Milo photos/milo/
    """
    from resight.photos import find_photos

    paths = find_photos(photos)
    from resight.catalogue import Catalogue

    unreadable: Sequence[UnreadablePhoto] = ()
    vectors = None
    if model is not None and not catalogue.exists():
        # Whatever is wrong with the name or the photos must not leave an empty catalogue.
        from resight.catalogue.checks import checked_name, none_readable
        from resight.fingerprint import Fingerprinter

        checked_name(name)
        if encounter:
            checked_name(encounter, "an encounter's name")
        found = Fingerprinter(model)(paths, progress=wants_bar(len(paths)))
        if not len(found):
            raise none_readable(found.unreadable, len(paths))
        unreadable, vectors = found.unreadable, found.vectors
        paths = [paths[place] for place in found.index]
    with Catalogue.open(catalogue, model=model, create=model is not None) as book:
        done = book.enrol(
            name, paths, vectors=vectors, encounter=encounter, progress=wants_bar(len(paths))
        )
    report([*unreadable, *done.unreadable])
    before = f" ({done.already:,} there before)" if done.already else ""
    typer.echo(f"{done.individual}: {photos_in_words(done.added)} enrolled{before} in {catalogue}")
