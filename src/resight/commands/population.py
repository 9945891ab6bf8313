"""`resight population`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resight.commands.common import CatalogueFile
from resight.errors import ResightError
from resight.words import counted

if TYPE_CHECKING:
    from resight.catalogue.chapman import Chapman
    from resight.catalogue.population import Histories

_CAVEAT = (
    "Chapman's estimate holds where nobody was born, died, came or left between the two occasions, "
    "all are as likely to be photographed, and nobody is taken for another. One individual held "
    "twice in the catalogue makes it too high. For more than a quick look: MARK, or RMark, marked "
    "or secr in R."
)


def population(
    catalogue: CatalogueFile,
    by: Annotated[
        str, typer.Option(metavar="PERIOD", help="An occasion is a day, week, month or year.")
    ] = "year",
    starts: Annotated[
        str | None,
        typer.Option(metavar="DATES", help="Or the first day of each: 2024-05-01,2025-05-01"),
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="Count photos of this side only, such as left.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the files into this new folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Count who was seen when, and estimate how many there are.

    Encounter histories, a discovery curve and a first estimate. An individual was seen on an
    occasion when one of its photos was taken then. With --out it writes histories.inp (for
    MARK) and histories.csv (for R), discovery.csv and discovery.png, and chapman.csv: see
    docs/export.md.

    \b
    Examples:
      resight population whales.db --by year
      resight population whales.db --starts 2024-05-01,2025-05-01 --out population/
    """
    from resight.catalogue import Catalogue
    from resight.catalogue.population import PERIODS, discovery, estimates, histories

    period = next((period for period in PERIODS if period == by), None)
    if period is None:
        raise ResightError(f"{by!r} is no length of an occasion; choose {', '.join(PERIODS)}")
    with Catalogue.open(catalogue) as book:
        seen = book.sightings(side=side)
    who = histories(seen, by=period, starts=_dates(starts) if starts is not None else None)
    curve = discovery(seen)
    chapmans, none = None, ""
    try:
        chapmans = estimates(who)
    except ResightError as error:
        none = str(error)
    if out is not None:
        from resight.catalogue.population_files import write_population

        write_population(out, who, curve, chapmans)
    if as_json:
        typer.echo(json.dumps(_entry(who, chapmans, none), indent=2))
        return
    _print(who, chapmans, none)
    if out is not None:
        typer.echo(f"Wrote {out}")


def _dates(text: str) -> list[date]:
    try:
        return [date.fromisoformat(word.strip()) for word in text.split(",")]
    except ValueError:
        raise ResightError(
            f"{text!r}: dates are written 2025-05-01, with commas between them"
        ) from None


def _entry(who: Histories, chapmans: list[Chapman | str] | None, none: str) -> dict[str, Any]:
    return {
        "occasions": [
            {"name": o.name, "first": str(o.first), "last": o.last and str(o.last)}
            for o in who.occasions
        ],
        "individuals": {
            name: row.astype(int).tolist()
            for name, row in zip(who.individuals, who.seen, strict=True)
        },
        "undated_photos": who.undated,
        "earlier_photos": who.outside,
        "chapman": [
            {"from": one.name, "to": other.name}
            | ({"error": found} if isinstance(found, str) else asdict(found))
            for (one, other), found in zip(pairwise(who.occasions), chapmans or [], strict=False)
        ],
        "why_no_estimate": none or None,
    }


def _print(who: Histories, chapmans: list[Chapman | str] | None, none: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from resight.catalogue.chapman import ENOUGH_RECAPTURES

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD)
    for title in ("Occasion", "Seen", "New", "Again", "Chapman, with the one before"):
        table.add_column(title, justify="left" if title == "Occasion" else "right")
    few = False
    known = who.seen[:, 0] & False
    for place, occasion in enumerate(who.occasions):
        seen = who.seen[:, place]
        again = int((seen & known).sum())
        words = ""
        if chapmans is not None and place > 0:
            found = chapmans[place - 1]
            words = "no recaptures"
            if not isinstance(found, str):
                few = few or found.both < ENOUGH_RECAPTURES
                words = f"{found.estimate:.0f} ({found.low:.0f} to {found.high:.0f})"
                words += " *" if found.both < ENOUGH_RECAPTURES else ""
        total = int(seen.sum())
        table.add_row(occasion.name, f"{total:,}", f"{total - again:,}", f"{again:,}", words)
        known = known | seen
    console.print(table)
    people = counted(len(who.individuals), "individual")
    notes = [f"{people} on {counted(len(who.occasions), 'occasion')}."]
    if who.undated:
        notes.append(f"{counted(who.undated, 'photo')} without a date count nowhere.")
    if who.outside:
        notes.append(
            f"{counted(who.outside, 'photo')} from before the first occasion do not count."
        )
    if few:
        notes.append(f"* fewer than {ENOUGH_RECAPTURES} recaptures: take it with great care.")
    notes.append(f"No estimate: {none}." if none else f"In brackets the 95 % interval. {_CAVEAT}")
    console.print("\n".join(notes), style="dim")
