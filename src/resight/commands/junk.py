"""`resight junk`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, KnownPhotos, Who, known_photos, say_done


def junk(
    catalogue: CatalogueFile,
    photos: KnownPhotos,
    back: Annotated[
        bool, typer.Option("--back", help="They are good after all: back to where they were.")
    ] = False,
    who: Who = None,
) -> None:
    """Say that photos are good for nothing.

    Blurred, empty, or of the wrong thing.

    They are never searched or shown again, and adding their folder again passes over them.

    \b
    Examples:
      resight junk whales.db blurred-1.jpg blurred-2.jpg
      resight junk whales.db blurred-2.jpg --back
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.junk(known_photos(photos), back=back, who=who)
    say_done(done, catalogue)
