"""`resight doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def doctor(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL", help="Say what this model's file tells of itself instead."),
    ] = None,
) -> None:
    """Say what is installed and what is missing.

    And how to get it; or, of a model, what its file tells of itself. The exit code is 1 when
    something is missing that every command needs.

    Of a model: its body, what it was trained on and how, what it reached, which photos were left
    out, and the licence of the weights that it began with.

    \b
    Examples:
      resight doctor
      resight doctor whales.onnx
    """
    from resight.doctor import examine, examine_model, print_findings, print_tables

    if model is not None:
        print_tables(examine_model(model))
        return
    findings = examine()
    print_findings(findings)
    if any(finding.broken for finding in findings):
        raise typer.Exit(1)
