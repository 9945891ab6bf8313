"""The end of a story: where the report is, and what to try next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def next_commands(out: Path) -> list[tuple[str, str]]:
    """What to type next and why: commands that work where the story was told."""
    program = program_name()

    def line(*words: str | Path) -> str:
        return " ".join([program, *(shlex.quote(str(word)) for word in words)])

    book, glyphs = out / "catalogue.db", out / "glyphs"
    return [
        ("Who is this star?", line("identify", book, glyphs / "star" / "02.png")),
        ("Enrol a wave, which nobody knows yet …",
         line("enrol", book, "wave", glyphs / "wave" / "00.png")),
        ("… and ask another who it is", line("identify", book, glyphs / "wave" / "01.png")),
    ]  # fmt: skip


def draw_command(out: Path) -> str:
    """What to type to draw a star by hand and see it recognised."""
    return f"{program_name()} review {shlex.quote(str(out / 'catalogue.db'))}"


def say_farewell(console: Console, out: Path, *, show: bool) -> None:
    """Say where things are, and open the report where somebody can see it."""
    from rich.text import Text

    report = (out / "report.html").resolve()
    console.print("\n[bold]The whole story, with pictures[/]")
    console.print(Text(f"  {report.as_uri()}", style="cyan"), soft_wrap=True)
    console.print("\n[bold]Try next[/]")
    for why, command in next_commands(out):
        console.print(Text(f"  # {why}", style="dim"), soft_wrap=True)
        console.print(Text(f"  {command}"), soft_wrap=True)
    console.print("\n[bold]Draw a star yourself, and see it recognised[/]")
    console.print(Text("  # opens a page in your browser: choose Draw at its top", style="dim"))
    console.print(Text(f"  {draw_command(out)}"), soft_wrap=True)
    if show and console.is_terminal and _screen():
        import webbrowser

        webbrowser.open(report.as_uri())


def program_name() -> str:
    """How to call this program again: `resight`, or its path where that would not find it."""
    here = Path(sys.argv[0])
    if here.stem != "resight" or not here.exists():
        return "resight"
    found = shutil.which("resight")
    if found and Path(found).resolve() == here.resolve():
        return "resight"
    path = Path(os.path.relpath(here)) if here.is_relative_to(Path.cwd()) else here
    return shlex.quote(str(path))


def _screen() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
