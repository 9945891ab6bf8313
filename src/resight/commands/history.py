"""`resight history`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from resight.commands.common import AsJson, CatalogueFile, known_photos


def history(
    catalogue: CatalogueFile,
    photo: Annotated[
        str | None, typer.Option(metavar="PHOTO", help="What was done to this photo.")
    ] = None,
    individual: Annotated[
        str | None, typer.Option(metavar="NAME", help="What was done to this individual.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what people have done, the oldest first.

    Who did it, when, and what is taken back. Each action has a number, to take it back by.

    \b
    Examples:
      resight history whales.db
      resight history whales.db --individual Luna
      resight history whales.db --photo luna-1.jpg --json
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        events = book.history(
            photo=None if photo is None else known_photos([photo])[0], individual=individual
        )
    if as_json:
        typer.echo(json.dumps([event.to_dict() for event in events], indent=2))
        return
    for event in events:
        back = "  (taken back)" if event.undone else ""
        at = event.at.astimezone()
        typer.echo(f"{event.action:>6}  {at:%Y-%m-%d %H:%M}  {event.who}: {event.summary}{back}")
        for said in event.said:
            sure = "" if said.probability is None else f", shown at {said.probability:.0%}"
            whom = "" if said.individual is None else f" {said.individual}"
            typer.echo(f"        {said.what}{whom}{sure}")
