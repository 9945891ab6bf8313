"""`resight best-photo`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, known_photos, say_done


def best_photo(
    catalogue: CatalogueFile,
    photo: Annotated[
        str,
        typer.Argument(
            metavar="PHOTO",
            help="A photo of the catalogue; FILE@left,top,right,bottom is a part.",
        ),
    ],
    who: Who = None,
) -> None:
    """Choose the photo that an individual is best known by.

    Until somebody has, it is the first; the review's wall of faces shows it.

    \b
    Example:
      resight best-photo whales.db luna-3.jpg
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.best_photo(known_photos([photo])[0], who=who)
    say_done(done, catalogue)
