"""The command line: the library's verbs, a command each.

What a command needs is imported when it runs, so that help and short answers come at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import resight
from resight.commands.common import say_error
from resight.commands.demo import demo
from resight.commands.doctor import doctor
from resight.commands.enrol import enrol
from resight.commands.fingerprint import fingerprint
from resight.commands.identify import identify
from resight.commands.map import draw
from resight.commands.train import train
from resight.errors import ResightError


class _Commands(TyperGroup):
    """Turns what goes wrong into one line on stderr and an exit code: see docs/commands.md."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:  # whoever read the output has gone, as `head` does: no error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from None
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)
            raise typer.Exit(130) from None
        except ResightError as error:
            say_error(str(error))
            raise typer.Exit(1) from None
        except OSError as error:  # a full disk, a folder that is not ours to write in
            where = f"{error.filename}: " if error.filename else ""
            say_error(f"{where}{error.strerror or error}")
            raise typer.Exit(1) from None


app = typer.Typer(
    name="resight",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"resight {resight.__version__}")
        raise typer.Exit


@app.callback()
def _about(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Train a fingerprint from photos grouped by individual, and ask of new photos who they show.

    \b
    Begin with:
      resight demo
    """


app.command()(demo)
app.command()(train)
app.command()(fingerprint)
app.command()(enrol)
app.command()(identify)
app.command("map")(draw)
app.command()(doctor)


def main() -> None:
    """Run the `resight` program."""
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is no error
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="resight")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
