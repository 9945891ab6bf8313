"""The part of docs/commands.md that is the commands' own help; run this file to refresh it."""

import os
from pathlib import Path
from unittest.mock import patch

import typer

from command_line import resight
from resight.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
MARK = "<!-- From here on written by: python tests/command_page.py -->\n"


def page() -> str:
    """The page as it should be."""
    parts = [PAGE.read_text(encoding="utf-8").split(MARK)[0] + MARK]
    with patch.dict(os.environ, {"COLUMNS": "88"}):
        for command in typer.main.get_command(app).commands:
            told = resight(command, "--help").out
            parts.append(f"\n### resight {command}\n\n```text\n{told.strip()}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
