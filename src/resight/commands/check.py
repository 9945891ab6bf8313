"""`resight check`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, typed
from resight.words import counted

_SHOWN = 5
_REMEDIES = {
    "no such file": "resight add CATALOGUE FOLDER, where they are now: their bytes tell who they "
    "are",
    "not the picture that was enrolled": "put the old file back from a copy; a new picture of it "
    "is a photo of its own, for resight add",
    "with numbers that are none": "take your backup",
    "not of unit length": "take your backup",
    "of another length": "take your backup",
    "refers to": "take your backup",
}


def check(
    catalogue: CatalogueFile,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Also read every photo's file.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every place.")] = False,
) -> None:
    """Go through a catalogue and say what is wrong with it.

    The file itself, what its rows say of one another, every fingerprint (numbers, of unit length),
    the log of decisions, and every photo's file (there, and the same bytes). The exit code is 1
    when something is wrong. Nothing is changed.

    \b
    Examples:
      resight check whales.db
      resight check whales.db --no-files --json
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        found = book.check(files=files, progress=sys.stderr.isatty())
    if as_json:
        typer.echo(json.dumps({"sound": found.sound, **asdict(found)}, ensure_ascii=False))
    else:
        if found.counts:
            counts = found.counts.items()
            typer.echo(", ".join(counted(count, what.removesuffix("s")) for what, count in counts))
        for finding in found.findings:
            typer.echo(f"{finding.what} ({len(finding.where):,}):")
            for where in finding.where[:_SHOWN]:
                typer.echo(f"  {where}")
            if len(finding.where) > _SHOWN:
                typer.echo(f"  and {len(finding.where) - _SHOWN:,} more (all with --json)")
            for words, remedy in _REMEDIES.items():
                if words in finding.what:
                    typer.echo(f"  To do: {remedy.replace('CATALOGUE', typed(catalogue))}")
            if "no such file" in finding.what and len(finding.where) == found.counts.get("files"):
                typer.echo(
                    "  None is there. A copy in another folder, such as a backup, looks for the "
                    "photos from its own folder: put it where the catalogue was."
                )
        typer.echo("Something is wrong." if found.findings else "All is well.")
    if not found.sound:
        raise typer.Exit(1)
