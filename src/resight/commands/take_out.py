"""`resight take-out`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, KnownPhotos, Who, known_photos, say_done


def take_out(
    catalogue: CatalogueFile,
    individual: Annotated[
        str, typer.Argument(metavar="NAME", help="Who has photos that are not of it.")
    ],
    photos: KnownPhotos,
    who: Who = None,
) -> None:
    """Take wrong photos out of an individual, for good.

    They wait for a name again, and this individual is not offered for them any more. Where you
    know whom they show, see move and split.

    \b
    Example:
      resight take-out whales.db Luna luna-7.jpg
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.take_out(individual, known_photos(photos), who=who)
    say_done(done, catalogue)
