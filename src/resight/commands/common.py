"""What several commands share: their arguments, what they check first, and how they speak."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resight.errors import ResightError, UnreadablePhoto, UnusablePhotos

if TYPE_CHECKING:
    from resight.catalogue import Done, Enrolled
    from resight.catalogue.search import Vectors
    from resight.photos.photo import Photo

LEARNING = (
    "torch",
    "torchvision",
    "fastai",
    "timm",
    "onnx",
    "onnxscript",
    "mlxtend",
    "pytorch_metric_learning",
)

CatalogueFile = Annotated[
    str,  # a Path would spoil a URL
    typer.Argument(
        metavar="CATALOGUE",
        help="The catalogue's file, such as whales.db, or its database's URL (postgresql://…).",
    ),
]
PhotosArgument = typer.Argument(
    metavar="PHOTO",
    help="Photos, or folders of them; FILE@left,top,right,bottom is a part of one.",
)
Photos = Annotated[list[Path], PhotosArgument]
AnimalBoxes = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="MegaDetector's JSON: where on the photos the animals are. Each counts as a photo; "
        "where there is none, a photo is left out.",
    ),
]
MovedModel = Annotated[
    Path | None,
    typer.Option("--model", metavar="MODEL", help="The model's file, where it has been moved."),
]

Who = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who does it; by default the computer's user.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
KnownPhotos = Annotated[
    list[str],
    typer.Argument(
        metavar="PHOTO",
        help="Photos of the catalogue, or folders of them; FILE@left,top,right,bottom is a part.",
    ),
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


def photos_at(
    places: Sequence[Path], name: str | None = None, encounter: str | None = None
) -> list[Photo]:
    """The photos at these places; one that is missing beside others stays, to be passed over.

    Args:
        places: files, folders that are walked, and parts: FILE@left,top,right,bottom.
        name: who is on them. Folders within a folder of somebody's photos are encounters.
        encounter: of all of them, instead.

    Raises:
        ResightError: none of the places exists, or there are no photos.
    """
    from resight.photos import find_photos
    from resight.photos.photo import Photo

    photos: list[Photo] = []
    there = False
    for place, part in zip(places, known_photos(places), strict=True):
        if isinstance(part, Photo):
            photos.append(replace(part, individual=name, encounter=encounter))
            there = True
        elif place.is_dir():
            with suppress(UnusablePhotos):  # a folder without photos, beside others
                for path in find_photos(place):
                    within = "/".join(path.relative_to(place).parts[:-1]) if name else ""
                    photos.append(Photo(path, name, encounter or within or None))
                    there = True
        else:
            photos.append(Photo(place, name, encounter))
            there = there or place.exists()
    if not there:
        find_photos(places)  # says what is wrong
    return photos


def with_animals(
    photos: list[Photo], boxes: Path | None
) -> tuple[list[Photo], list[UnreadablePhoto]]:
    """A photo for each animal that MegaDetector found; the photos as they are without its file.

    Returns:
        They, and why others have none, to be reported.

    Raises:
        ResightError: no such file, another kind of file, or no photo is left.
    """
    if boxes is None:
        return photos, []
    from resight.photos.from_files import each_animal
    from resight.photos.megadetector import Detections

    parts, bad = each_animal(
        photos,
        Detections(boxes),
        lambda words: typer.echo(one_line(words), err=True),
        "Looking where the animals are" if wants_bar(len(photos)) else None,
    )
    if not parts:
        raise bad[0] if bad else ResightError(f"{boxes}: no animal on any of these photos")
    return parts, bad


def is_there(catalogue: str) -> bool:
    """Whether a catalogue's file exists; of a database, only opening it tells."""
    return "://" in catalogue or Path(catalogue).exists()


def fingerprinted_first(
    catalogue: str, model: Path | None, photos: list[Photo]
) -> tuple[list[Photo], Vectors | None, Sequence[UnreadablePhoto]]:
    """For a catalogue that is still to be made: whatever is wrong must not leave an empty one.

    Returns:
        The photos that can be read and their fingerprints, and the errors of the others; the
        photos as they are, and None, where the catalogue is there.

    Raises:
        ResightError: a word that cannot be a name, or no photo that can be read.
    """
    if model is None or is_there(catalogue):
        return photos, None, ()
    from resight.catalogue.checks import none_readable
    from resight.catalogue.incoming import checked_photo
    from resight.fingerprint import Fingerprinter

    photos = [checked_photo(photo) for photo in photos]
    found = Fingerprinter(model)(photos, progress=wants_bar(len(photos)))
    if not len(found):
        raise none_readable(found.unreadable, len(photos))
    return [photos[place] for place in found.index], found.vectors, found.unreadable


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


def wants_bar(count: int) -> bool:
    """Whether a progress bar is worth its flicker."""
    return count > 50 and sys.stderr.isatty()


def known_photos(words: Sequence[str | Path]) -> list[str | Photo]:
    """Photos as they are named on the command line: FILE, or FILE@left,top,right,bottom."""
    from resight.photos.photo import Photo

    refs: list[str | Photo] = []
    for word in map(str, words):
        part = re.fullmatch(r"(.+)@(\d+),(\d+),(\d+),(\d+)", word, re.DOTALL)
        if part is None or Path(word).exists():
            refs.append(word)
        else:
            left, top, right, bottom = map(int, part.groups()[1:])
            refs.append(Photo(Path(part[1]), box=(left, top, right, bottom)))
    return refs


def say_differing(done: Enrolled, how: str) -> None:
    """Say how many photos are there with other facts, and what writes the new ones."""
    if done.differing:
        are = "1 photo is" if done.differing == 1 else f"{done.differing:,} photos are"
        typer.echo(
            f"{are} there already with another date, side or encounter; not changed (use {how})",
            err=True,
        )


def say_done(done: Done, catalogue: str, more: Sequence[str] = ()) -> None:
    """Say what was done, what else there is to know of it, and how to take it back."""
    typer.echo(f"{done.summary[:1].upper()}{done.summary[1:]}.")
    for words in more:
        typer.echo(words)
    say_way_back(done.action, catalogue)


def say_way_back(action: int | None, catalogue: str, steps: int = 1) -> None:
    """Say how to take back an action, if there was one; or several, the last ones."""
    if action is not None:
        again = f", {steps} times (an individual each time)" if steps > 1 else ""
        typer.echo(f"To take it back: resight undo {typed(catalogue)}{again}")


def typed(catalogue: str) -> str:
    """A catalogue for a command that may be typed; a URL stays out, as it may have a password."""
    return "CATALOGUE" if "://" in catalogue else shlex.quote(catalogue)
