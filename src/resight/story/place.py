"""A folder that is made anew, whole or not at all, and that takes nothing else away."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resight.errors import ResightError

MARK = ".resight-demo"  # says that a folder is the demo's own, and lists what the demo wrote


def check_place(place: Path) -> Path:
    """The whole path of a folder that may be written anew.

    Raises:
        ResightError: a file, the folder one is in (or one above), or one with others' files in it.
    """
    whole = place.resolve()
    if whole.exists() and not whole.is_dir():
        raise ResightError(f"{place}: is a file; give a folder")
    if Path.cwd().is_relative_to(whole):
        raise ResightError(f"{place}: you are in it; give a folder of its own, such as out/demo")
    if whole.is_dir() and any(whole.iterdir()) and not (whole / MARK).is_file():
        raise ResightError(
            f"{place}: is there already and is not of the demo's making; give another folder"
        )
    return whole


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """Fill a folder beside `place`; when the block is through, it takes that name.

    Of an earlier folder of that name, what the demo wrote is removed; files that somebody else put
    there move into the new one. If the block fails, everything is as it was.
    """
    whole = check_place(place)
    whole.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{whole.name}.", suffix=".part", dir=whole.parent))
    try:
        made.chmod(0o755)
        yield made
        own = sorted(str(path.relative_to(made)) for path in _files(made))
        (made / MARK).write_text("\n".join([*own, MARK, ""]), encoding="utf-8")
        check_place(place)  # somebody may have put something there meanwhile
        _put_in_place(made, whole)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _put_in_place(made: Path, whole: Path) -> None:
    if not whole.exists():
        made.rename(whole)
        return
    old = made.with_suffix(".old")
    whole.rename(old)
    try:
        made.rename(whole)
    except OSError:
        old.rename(whole)
        raise
    own = set((old / MARK).read_text(encoding="utf-8").splitlines()) if any(old.iterdir()) else {}
    for path in list(_files(old)):
        name = path.relative_to(old)
        if str(name) in own or name.name in ("catalogue.db-wal", "catalogue.db-shm"):
            continue
        to = whole / name
        while os.path.lexists(to):
            to = to.with_name(f"{to.stem}-earlier{to.suffix}")
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
    shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in [*files, *links])
