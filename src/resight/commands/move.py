"""`resight move`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, KnownPhotos, Who, known_photos, say_done
from resight.errors import ResightError


def move(
    catalogue: CatalogueFile,
    photos: KnownPhotos,
    to: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who is on them; it is there already.")
    ] = None,
    nobody: Annotated[
        bool, typer.Option("--nobody", help="Take their name from them: nobody knows who it is.")
    ] = False,
    who: Who = None,
) -> None:
    """Say that photos show another known individual.

    \b
    Examples:
      resight move whales.db luna-7.jpg --to Milo
      resight move whales.db luna-8.jpg --nobody
    """
    if (to is None) != nobody:
        raise ResightError("say where the photos go: either --to NAME or --nobody")
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.move(known_photos(photos), to, who=who)
    say_done(done, catalogue)
