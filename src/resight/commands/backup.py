"""`resight backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile
from resight.words import counted


def backup(
    catalogue: CatalogueFile,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The backup's file.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of an older file.")
    ] = False,
) -> None:
    """Copy a catalogue, as it is now, into one file.

    Others may go on working meanwhile. The file is read through before it gets its name, and is a
    catalogue itself: to restore it, put it where the catalogue was (places of photos below the
    catalogue's folder are kept relative to that). The photos' own files are not in it. From
    PostgreSQL, too, it is an SQLite file.

    \b
    Examples:
      resight backup whales.db --out backups/whales-monday.db
      resight backup postgresql://anna@server/whales --out whales.db
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.backup(out, replace=replace)
    typer.echo(f"{done.path}: {counted(done.photos, 'photo')}, {done.bytes / 2**20:,.1f} MB")
