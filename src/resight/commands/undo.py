"""`resight undo`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, typed


def undo(
    catalogue: CatalogueFile,
    action: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Of an older action; resight history lists them."),
    ] = None,
    who: Who = None,
) -> None:
    """Take back what was done last, or an older action.

    An action on which a later one builds is refused; the later one is named. Nothing is deleted:
    what is taken back can be done again with redo, until something else is done.

    \b
    Examples:
      resight undo whales.db
      resight undo whales.db --action 12
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.undo(action, who=who)
    typer.echo(f"{done.summary[:1].upper()}{done.summary[1:]}.")
    typer.echo(f"To do it again after all: resight redo {typed(catalogue)}")
