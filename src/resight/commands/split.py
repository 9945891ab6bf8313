"""`resight split`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, KnownPhotos, Who, known_photos, say_done


def split(
    catalogue: CatalogueFile,
    individual: Annotated[
        str, typer.Argument(metavar="NAME", help="Who has photos that are not of it.")
    ],
    photos: KnownPhotos,
    new: Annotated[
        str, typer.Option(metavar="NAME", help="A new name, for whom these photos show.")
    ],
    who: Who = None,
) -> None:
    """Say that some photos show another, who is new.

    For photos of somebody who is in the catalogue already, see move.

    \b
    Example:
      resight split whales.db Luna luna-7.jpg luna-8.jpg --new "Luna 2"
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.split(individual, known_photos(photos), new=new, who=who)
    say_done(done, catalogue)
