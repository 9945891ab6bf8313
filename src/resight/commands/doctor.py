"""`resight doctor`."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Say what is installed and what is missing.

    And how to get it. The exit code is 1 when something is missing that every command needs.

    \b
    Example:
      resight doctor
    """
    from resight.doctor import examine, print_findings

    findings = examine()
    print_findings(findings)
    if any(finding.broken for finding in findings):
        raise typer.Exit(1)
