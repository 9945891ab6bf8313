"""`resight rename`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, say_done


def rename(
    catalogue: CatalogueFile,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Its name now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its name from now on.")],
    who: Who = None,
) -> None:
    """Give an individual another name.

    A name that somebody has already is refused: two individuals become one with merge only.

    \b
    Example:
      resight rename whales.db NA0042 Luna
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.rename(old, new, who=who)
    say_done(done, catalogue)
