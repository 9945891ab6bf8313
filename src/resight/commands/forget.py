"""`resight forget`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, say_done


def forget(
    catalogue: CatalogueFile,
    individual: Annotated[str, typer.Argument(metavar="NAME", help="Who has no photos.")],
    who: Who = None,
) -> None:
    """Let go of somebody who has no photos.

    Its name is free again. Somebody with photos is not forgotten: see merge and move.

    \b
    Example:
      resight forget whales.db "Luna 2"
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.forget(individual, who=who)
    say_done(done, catalogue)
