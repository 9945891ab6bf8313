"""`resight not-same`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, known_photos, say_done
from resight.errors import ResightError


def not_same(
    catalogue: CatalogueFile,
    photo: Annotated[str, typer.Argument(metavar="PHOTO", help="A photo of the catalogue.")],
    other: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="The photo that it is not the same as.")
    ] = None,
    individual: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead of OTHER: who is not on PHOTO.")
    ] = None,
    who: Who = None,
) -> None:
    """Say that two photos do not show the same individual. It sticks.

    That individual is not offered for the photo any more, and nobody can merge the two. With
    --individual it is said of the photo of that individual that is nearest.

    \b
    Examples:
      resight not-same whales.db new/dsc-0031.jpg luna-1.jpg
      resight not-same whales.db new/dsc-0031.jpg --individual Luna
    """
    if (other is None) == (individual is None):
        raise ResightError("not the same as what? Give another photo, or --individual NAME")
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.not_same(
            known_photos([photo]),
            None if other is None else known_photos([other])[0],
            individual=individual,
            who=who,
        )
    say_done(done, catalogue)
