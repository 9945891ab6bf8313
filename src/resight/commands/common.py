"""What several commands share: their arguments, what they check first, and how they speak."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from resight.errors import ResightError, UnreadablePhoto

LEARNING = ("torch", "torchvision", "fastai", "timm", "onnx", "onnxscript", "mlxtend")

CatalogueFile = Annotated[
    Path, typer.Argument(metavar="CATALOGUE", help="The catalogue's file, such as whales.db.")
]
Photos = Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos, or folders of them.")]
MovedModel = Annotated[
    Path | None,
    typer.Option("--model", metavar="MODEL", help="The model's file, where it has been moved."),
]


def needs_learning(command: str) -> None:
    """Say in one line what to install, before anything is begun.

    Raises:
        ResightError: something of the train extra is not installed.
    """
    import warnings

    # A library of ours says this of itself when it is imported; nobody here can act on it.
    warnings.filterwarnings("ignore", ".*torch.jit.script.* is deprecated", FutureWarning)
    missing = [name for name in LEARNING if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ResightError(
            f"resight {command} learns, and {', '.join(missing)} {verb} not installed; "
            "get what it needs with: pip install 'resight[train]'"
        )


def check_output(path: Path, suffix: str) -> None:
    """Before the work, see whether its result can be written; so no slip overwrites a catalogue.

    Raises:
        ResightError: another kind of name, a folder, no folder to put it in, or not ours to write.
    """
    if path.suffix.lower() != suffix:
        raise ResightError(f"{path}: is no name for what is written; end it in {suffix}")
    if path.is_dir():
        raise ResightError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ResightError(f"{path}: its folder does not exist; make it first")
    if not os.access(path.parent, os.W_OK):
        raise ResightError(f"{path}: its folder is not yours to write in; choose another")


def report(unreadable: Sequence[UnreadablePhoto]) -> None:
    """Name on stderr the photos that could not be read; the others have been dealt with."""
    for error in unreadable:
        typer.echo(f"Passed over {one_line(str(error))}", err=True)


def say_error(words: str) -> None:
    """One line on stderr."""
    typer.echo(f"Error: {one_line(words)}", err=True)


def one_line(words: str) -> str:
    """The words without line breaks."""
    return " ".join(words.split())


def photos_in_words(count: int) -> str:
    """1 photo, 2 photos, …"""
    return "1 photo" if count == 1 else f"{count:,} photos"


def wants_bar(count: int) -> bool:
    """Whether a progress bar is worth its flicker."""
    return count > 50 and sys.stderr.isatty()
