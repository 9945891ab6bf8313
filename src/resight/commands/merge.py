"""`resight merge`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, say_done


def merge(
    catalogue: CatalogueFile,
    individual: Annotated[
        str, typer.Argument(metavar="NAME", help="Who turns out to be somebody else; it goes.")
    ],
    into: Annotated[str, typer.Option(metavar="NAME", help="Who it is; this name stays.")],
    who: Who = None,
) -> None:
    """Say that two individuals are one.

    All of the first becomes the second's: photos, encounters and notes go along. It is refused
    where somebody has said that photos of the two are not the same.

    \b
    Example:
      resight merge whales.db "Luna 2" --into Luna
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.merge(individual, into=into, who=who)
    say_done(done, catalogue)
