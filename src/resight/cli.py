"""The command line: the library's verbs, a command each.

What a command needs is imported when it runs, so that help and short answers come at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import resight
from resight.commands.add import add
from resight.commands.backup import backup
from resight.commands.best_photo import best_photo
from resight.commands.calibrate import calibrate
from resight.commands.check import check
from resight.commands.common import say_error
from resight.commands.compare import compare
from resight.commands.demo import demo
from resight.commands.describe import describe
from resight.commands.divide import divide
from resight.commands.doctor import doctor
from resight.commands.enrol import enrol
from resight.commands.evaluate import evaluate
from resight.commands.export import export
from resight.commands.fingerprint import fingerprint
from resight.commands.forget import forget
from resight.commands.group import group
from resight.commands.history import history
from resight.commands.identify import identify
from resight.commands.index import index
from resight.commands.individuals import individuals
from resight.commands.inspect import inspect
from resight.commands.junk import junk
from resight.commands.map import draw
from resight.commands.merge import merge
from resight.commands.move import move
from resight.commands.name import name
from resight.commands.not_same import not_same
from resight.commands.population import population
from resight.commands.redo import redo
from resight.commands.refingerprint import refingerprint
from resight.commands.rename import rename
from resight.commands.review import review
from resight.commands.split import split
from resight.commands.take_out import take_out
from resight.commands.train import train
from resight.commands.tutorial import tutorial
from resight.commands.undo import undo
from resight.errors import ResightError


class _Commands(TyperGroup):
    """Turns what goes wrong into one line on stderr and an exit code: see docs/commands.md."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands under their headings."""
        names = self.list_commands(ctx)
        wide = max(map(len, names))
        room = formatter.width - wide - 6
        listed: dict[str, list[tuple[str, str]]] = {}
        for word in names:
            command: Any = self.get_command(ctx, word)
            row = (word.ljust(wide), command.get_short_help_str(room))
            listed.setdefault(command.rich_help_panel, []).append(row)
        for heading, rows in listed.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

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
            for words in (str(error), *getattr(error, "__notes__", ())):
                say_error(words)
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


_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Begin": {"demo": demo, "tutorial": tutorial, "doctor": doctor},
    "Photos and models": {
        "inspect": inspect,
        "divide": divide,
        "train": train,
        "evaluate": evaluate,
        "fingerprint": fingerprint,
    },
    "A catalogue": {
        "add": add,
        "enrol": enrol,
        "calibrate": calibrate,
        "identify": identify,
        "group": group,
        "compare": compare,
        "review": review,
    },
    "Say who it is": {
        "name": name,
        "not-same": not_same,
        "junk": junk,
        "move": move,
        "take-out": take_out,
        "split": split,
        "merge": merge,
        "rename": rename,
        "forget": forget,
        "describe": describe,
        "best-photo": best_photo,
    },
    "Take back": {"undo": undo, "redo": redo, "history": history},
    "What is in it": {
        "individuals": individuals,
        "map": draw,
        "population": population,
        "export": export,
    },
    "Look after it": {
        "backup": backup,
        "check": check,
        "refingerprint": refingerprint,
        "index": index,
    },
}
for _heading, _commands in _COMMANDS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_heading)(_command)


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
