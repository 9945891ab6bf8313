"""`resight redo`."""

from __future__ import annotations

from resight.commands.common import CatalogueFile, Who, say_done


def redo(catalogue: CatalogueFile, who: Who = None) -> None:
    """Do again what was taken back last.

    As in an editor: as long as nothing else has been done since.

    \b
    Example:
      resight redo whales.db
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.redo(who=who)
    say_done(done, catalogue)
