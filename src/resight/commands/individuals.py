"""`resight individuals`."""

from __future__ import annotations

import json

import typer

from resight.commands.common import AsJson, CatalogueFile, one_line, typed
from resight.words import counted


def individuals(catalogue: CatalogueFile, as_json: AsJson = False) -> None:
    """List everybody, with the number of their photos.

    And with what is written down of them.

    \b
    Examples:
      resight individuals whales.db
      resight individuals whales.db --json
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        everybody, unnamed = book.individuals(), len(book.unnamed())
    if as_json:
        found = [
            {
                "name": one.name,
                "photos": one.photos,
                "notes": one.notes,
                "fields": {**one.fields},
                "best": one.best and str(one.best),
            }
            for one in everybody
        ]
        typer.echo(json.dumps(found, indent=2))
        return
    for one in everybody:
        fields = "".join(f"  {key}: {value}" for key, value in one.fields.items())
        notes = f"  {one_line(one.notes)}" if one.notes else ""
        count = counted(one.photos, "photo") if one.photos else "no photos"
        typer.echo(f"{one.name}  ({count}){fields}{notes}")
    typer.echo(f"{len(everybody):,} in {catalogue}; {counted(unnamed, 'photo')} without a name.")
    if any(not one.photos for one in everybody):
        way = f"resight forget {typed(catalogue)} NAME"
        typer.echo(f"Who has no photos is let go of with: {way}")
