"""`resight export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile
from resight.errors import ResightError
from resight.words import counted


def export(
    catalogue: CatalogueFile,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The new folder to write into.")],
    form: Annotated[
        str, typer.Option("--format", metavar="csv|parquet", help="What the files are.")
    ] = "csv",
    vectors: Annotated[
        bool | None,
        typer.Option(
            "--vectors/--no-vectors", help="With fingerprints? Parquet has them, CSV does not."
        ),
    ] = None,
) -> None:
    """Write all that a catalogue holds as plain files.

    A table each, as they are at one moment, and a README.txt that says what the columns are:
    individuals, encounters, photos, decisions, 'not the same' pairs, what was done and changed,
    calibrations, models, and the fingerprints. The photos' own files stay where they are.

    \b
    Examples:
      resight export whales.db --out whales-2025/
      resight export whales.db --out whales-2025/ --format parquet
    """
    from resight.catalogue import Catalogue
    from resight.catalogue.export import FORMATS

    known = next((one for one in FORMATS if one == form), None)
    if known is None:
        raise ResightError(f"{form!r} is no format to export in; choose {' or '.join(FORMATS)}")
    with Catalogue.open(catalogue) as book:
        done = book.export(out, form=known, vectors=vectors)
    for name, rows in done.rows.items():
        typer.echo(f"{name}: {counted(rows, 'row')}")
    typer.echo(f"Wrote {out}")
