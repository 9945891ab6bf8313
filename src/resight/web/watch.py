"""What goes on beside the pages: new photos of a watched folder, and a warm gallery."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from resight.catalogue.schema import LONGEST_NAME
from resight.errors import ResightError
from resight.photos.photo import Photo
from resight.photos.readers import may_be_photo
from resight.web.desk import Desk
from resight.web.uploads import as_photo

SECONDS = 2.0
_AT_ONCE = 32

State = tuple[int, int]  # bytes, and when they were written


def watch(desk: Desk, folder: Path) -> Callable[[], None]:
    """Add the photos of a folder to the catalogue as they come; gives what stops it.

    A file is taken when it has stopped growing. Photos of a folder in it are one encounter, called
    as that folder. By looking, not by the system's notices: those do not come from a network drive.
    """
    stopped = threading.Event()

    def look() -> None:
        looker = Watched(desk, folder)
        while not stopped.wait(SECONDS):
            looker.look()

    threading.Thread(target=look, name="resight-watch", daemon=True).start()
    return stopped.set


class Watched:
    """A folder, and what has been taken from it."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk = desk
        self.folder = folder
        self._before: dict[str, State] = {}
        self._done: dict[str, State] = {}
        self._said = ""

    def look(self) -> int:
        """Take what has come since and is whole; gives how many were taken."""
        now = dict(_files(self.folder))
        ready = [
            path
            for path, state in now.items()
            if self._done.get(path) != state and self._before.get(path) == state
        ]
        self._before = now
        taken = 0
        for start in range(0, len(ready), _AT_ONCE):
            some = ready[start : start + _AT_ONCE]
            if not self._add([self._photo(path) for path in some]):
                return taken  # the catalogue is busy or away: the next look tries again
            self._done |= {path: now[path] for path in some}
            taken += len(some)
        return taken

    def _photo(self, path: str) -> Photo:
        parent = Path(path).parent
        encounter = None if parent == self.folder else parent.relative_to(self.folder).as_posix()
        return as_photo(Path(path), encounter and encounter[:LONGEST_NAME])

    def _add(self, photos: list[Photo]) -> bool:
        from resight.errors import UnusableCatalogue, UnusableModel

        try:
            found = self.desk.catalogue.add(photos, who=self.desk.reviewer)
            for error in found.unreadable:
                self._say(f"Passed over {error}")
        except (UnusableCatalogue, UnusableModel) as error:
            self._say(str(error))
            return False
        except ResightError as error:
            if len(photos) > 1:  # one of them spoils it for all: each by itself
                alone = [self._add([photo]) for photo in photos]  # all, whatever the first gives
                return all(alone)
            self._say(f"Passed over {error}")
        return True

    def _say(self, words: str) -> None:
        if words != self._said:  # once, not every two seconds
            self._said = words
            print(" ".join(words.split()), file=sys.stderr)


def warm(desk: Desk) -> Callable[[], None]:
    """Get the gallery, the other pages and everybody's faces ready beside the first page.

    Begun when that has been sent, so that it does not wait for this; gives what waits for the end.
    """
    ended = threading.Event()

    def read() -> None:
        desk.answered.wait()
        try:
            if not ended.is_set():
                desk.catalogue.warm()
            if not ended.is_set():
                desk.other_rooms()
            if not ended.is_set():
                from resight.web.wall import everybody

                everybody(desk, "name")
        except ResightError as error:  # the page that needs it says so too
            print(" ".join(str(error).split()), file=sys.stderr)

    thread = threading.Thread(target=read, name="resight-warm", daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        desk.answered.set()
        thread.join()

    return end


def _files(folder: Path) -> Iterator[tuple[str, State]]:
    """The photos below a folder, hidden ones left out."""
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                elif may_be_photo(entry.name) and entry.is_file():
                    status = entry.stat()
                    yield entry.path, (status.st_size, status.st_mtime_ns)
    except OSError:  # a drive that is away for a moment
        return
