"""`resight refingerprint`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, report, typed
from resight.words import counted


def refingerprint(
    catalogue: CatalogueFile,
    model: Annotated[
        Path, typer.Argument(metavar="NEWMODEL", help="The new model's file, an .onnx.")
    ],
    leave_out_unreadable: Annotated[
        bool,
        typer.Option(
            "--leave-out-unreadable",
            help="Change the model though photos cannot be read; nobody finds those any more.",
        ),
    ] = False,
    who: Who = None,
) -> None:
    """Change a catalogue's model for another one.

    Every photo is fingerprinted again. Until the last one is done, everybody goes on with the old
    model. Stopped, the same command goes on where it was. The old fingerprints stay, so
    that resight undo can change back at once. Probabilities belong to a model: run resight
    calibrate again afterwards.

    \b
    Example:
      resight refingerprint whales.db whales-2026.onnx
    """
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        done = book.refingerprint(
            model,
            leave_out_unreadable=leave_out_unreadable,
            who=who,
            progress=sys.stderr.isatty(),
        )
        again = done.switched and book.newest_calibration() is None
    report(done.unreadable)
    before = f" ({done.already:,} were there)" if done.already else ""
    now = "is now the model of" if done.switched else "stays the model of"
    typer.echo(f"{counted(done.made, 'photo')} fingerprinted{before}; {model} {now} {catalogue}")
    if again:
        typer.echo("It has no calibration yet, so no probability to trust: run resight calibrate.")
    if done.switched:
        typer.echo(f"To take it back: resight undo {typed(catalogue)}")
