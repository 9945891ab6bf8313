"""Where the files of a table lie: beside it, in a folder that is named, or in one below."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from resight.errors import UnusablePhotos
from resight.photos.problem import Taken

_SAMPLE = 50  # paths that are tried in each folder, before all are


def found(
    table: Path,
    taken: Taken,
    *,
    root: Path | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Taken:
    """Photos with the paths that their files really have; a problem for each that is not there.

    Paths are taken from `root` or the table's folder. Where not one of them is there, and one
    folder directly below has at least half of them, they are taken from that.

    Args:
        table: the table, whose folder the photos' paths begin with.
        taken: photos as the table has them.
        root: the folder that relative paths begin at, where it is not the table's.
        say: told in a sentence from which folder they are taken, where nobody has named it.

    Raises:
        UnusablePhotos: `root` is no folder.
    """
    if root is not None and not root.is_dir():
        raise UnusablePhotos(f"{root}: no such folder; name the one that the paths begin at")
    begin = table.parent if root is None else root
    names = [_relative(photo.path, table.parent) for photo in taken.photos]
    missing = {name: wrong for name in dict.fromkeys(names) if (wrong := _wrong(begin, name))}
    if names and len(missing) == len(set(names)):
        below = _folder_below(begin, list(missing))
        if below is None:
            say(
                f"{table}: not one of its files is in {begin}; say with --root which folder its "
                "paths begin at"
            )
        else:
            say(f"{table}: its photos are taken from {below}")
            begin = below
            missing = {name: wrong for name in missing if (wrong := _wrong(begin, name))}
    photos = [
        photo if (path := straight(_path(begin, name))) == photo.path else replace(photo, path=path)
        for name, photo in zip(names, taken.photos, strict=True)
    ]
    taken = replace(taken, photos=photos)
    near = _Near()
    return taken.without(
        taken.problem(place, missing[name] + near.hint(photos[place].path))
        for place, name in enumerate(names)
        if name in missing
    )


def straight(path: Path) -> Path:
    """A path without detours, where it is the same file: sub/../a.jpg is a.jpg."""
    if ".." not in path.parts:
        return path
    shorter = Path(os.path.normpath(path))
    try:
        # Behind a link to a folder, .. leads elsewhere.
        same = shorter == path or shorter.samefile(path)
    except (OSError, ValueError):
        return path
    return shorter if same else path


def whole(path: Path) -> Path:
    """A path from the root on, by which one file is one: rows may have it in either way."""
    # Not resolved: behind a link to a folder, .. leads elsewhere, and a link has a name of its own.
    return path if path.is_absolute() else Path.cwd() / path


def _relative(path: Path, folder: Path) -> str:
    """A path as the table has it."""
    text, begin = str(path), str(folder)
    if begin == ".":
        return text
    begin = begin if begin.endswith(os.sep) else begin + os.sep
    return text[len(begin) :] if text.startswith(begin) else text


def _path(begin: Path, name: str) -> Path:
    """The file of that name; names from Windows have their own separator."""
    if os.sep == "/" and "\\" in name and not os.path.lexists(begin / name):
        return begin / name.replace("\\", "/")
    return begin / name


def _wrong(begin: Path, name: str) -> str | None:
    try:
        mode = os.stat(_path(begin, name)).st_mode  # noqa: PTH116 (hundreds of thousands)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        return "no such file" if missing else (error.strerror or str(error))
    except ValueError:
        return "not a file's name"
    if stat.S_ISREG(mode):
        return None
    return "a folder, not a photo" if stat.S_ISDIR(mode) else "not a file"


def _folder_below(begin: Path, names: Sequence[str]) -> Path | None:
    """The one folder directly below that has most of these files."""
    try:
        below = sorted(place for place in begin.iterdir() if place.is_dir())
    except OSError:
        return None
    step = max(len(names) // _SAMPLE, 1)
    some = names[::step]
    having = [
        place
        for place in below
        if sum(_wrong(place, name) is None for name in some) * 2 >= len(some)
    ]
    return having[0] if len(having) == 1 else None


class _Near:
    """Looks, for the first few that are missing, for a file that differs in capitals only."""

    def __init__(self, most: int = 20) -> None:
        self.left = most
        self.folders: dict[Path, dict[str, str]] = {}

    def hint(self, path: Path) -> str:
        if self.left == 0:
            return ""
        self.left -= 1
        if path.parent not in self.folders:
            try:
                here = {name.casefold(): name for name in os.listdir(path.parent)}  # noqa: PTH208
            except (OSError, ValueError):
                here = {}
            self.folders[path.parent] = here
        like = self.folders[path.parent].get(path.name.casefold())
        return "" if like is None or like == path.name else f"; is {like} it?"
