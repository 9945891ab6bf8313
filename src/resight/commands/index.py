"""`resight index`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile


def index(
    catalogue: CatalogueFile,
    memory: Annotated[
        float | None,
        typer.Option(
            metavar="GIB",
            min=0.0625,
            max=2047,
            help="Memory that the server may take to make it; by default what it needs, up to 2.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=1024, help="Processes of the server that help to make it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make an index for a large catalogue on PostgreSQL.

    And measure what it misses.

    Up to about a million photos the exact search needs none. The index (HNSW) is asked by
    Catalogue.neighbours(…, by="index"); identify goes on to search exactly. While it is made,
    everybody goes on working, and from then on the server keeps it up to date. Where there is one
    already, it is measured only.

    What it costs with ten million: docs/postgres-at-scale.md.

    \b
    Examples:
      resight index "postgresql://me@host/team?schema=whales"
      resight index "postgresql://me@host/team?schema=whales" --memory 12 --workers 7
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        made = book.index(memory=memory, workers=workers)
    if as_json:
        typer.echo(json.dumps(asdict(made)))
        return
    typer.echo(f"{made.name}: ready after {made.made_in:.1f} s")
    typer.echo(
        f"{made.asked} photos asked for their nearest ten: it finds {made.recall:.1%} of them, "
        f"in {1000 * made.seconds:.1f} ms a question ({1000 * made.exact_seconds:.1f} ms exactly)"
    )
    if made.slowed:
        typer.echo(
            "Its graph did not fit into the server's memory while it was made, which took longer; "
            "another time, give it more: --memory",
            err=True,
        )
