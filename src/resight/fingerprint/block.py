"""A block of photos to the rows of a table: the piece of work that is done whole or again."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resight.errors import UnreadablePhoto
from resight.fingerprint.fingerprinter import Fingerprinter
from resight.fingerprint.folder import fetch, is_url
from resight.fingerprint.table import Held, Rows, write_part
from resight.photos.content import content_hash
from resight.photos.stream import in_threads, usable_processors

# Photos that are on their way from a store at once; they wait for it, not for the processor.
_FETCHERS = 16


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a block.

    Attributes:
        photos: how many it had.
        known: how many of them had bytes that had been read before, and so a fingerprint.
        worker: the process that did it.
    """

    photos: int
    known: int
    worker: int


class BlockWorker:
    """Fingerprints blocks of photos, each into a file of a table.

    Args:
        fingerprinter: with the model.
        held: what the table holds already.
        run: the number of the run, for the names of the files.
    """

    def __init__(self, fingerprinter: Fingerprinter, held: Held, run: int) -> None:
        self.fingerprinter, self.held, self.run = fingerprinter, held, run

    def __call__(self, paths: Sequence[str], versions: Sequence[str]) -> Done:
        """Do a block. Done again, it writes the same file with the same rows.

        Raises:
            UnusableModel: see `Fingerprinter`.
            OSError: what is made cannot be written.
        """
        rows, known = self.rows(paths, versions)
        self.write(rows)
        return Done(len(paths), known, self.process)

    def write(self, rows: Rows) -> None:
        """Write the rows of a block."""
        write_part(self.held.folder, self.run, rows, self.fingerprinter.id)

    @property
    def process(self) -> int:
        """The number of this process."""
        return os.getpid()

    def rows(self, paths: Sequence[str], versions: Sequence[str]) -> tuple[Rows, int]:
        """The rows of some photos, and how many of them had bytes that are known.

        Files with the same bytes, here or in the table, are read by the network once. No more
        files of a store lie on the disk than are on their way to it and in one batch.
        """
        contents: list[str | None] = [None] * len(paths)
        errors: list[str | None] = [None] * len(paths)
        vectors = np.zeros((len(paths), self.fingerprinter.dim), np.float32)
        asked: list[int] = []  # the places of the photos that the network is given, in order
        lent: deque[Path | None] = deque()  # their files, where they are to be deleted
        first: dict[str, int] = {}
        copies: list[tuple[int, int]] = []
        again: list[int] = []

        def files() -> Iterator[str]:
            for place, got in enumerate(self._files(paths, Path(folder))):
                if isinstance(got, UnreadablePhoto):
                    errors[place] = got.reason
                    continue
                file, content, ours = got
                contents[place] = content
                known = self.held.of_content(content)
                if content in first or known is not None:
                    again.append(place)
                    if known is None:
                        copies.append((place, first[content]))
                    elif known[0] is not None:
                        vectors[place] = known[0]
                    else:
                        errors[place] = known[1]
                    if ours:
                        Path(file).unlink()
                    continue
                first[content] = place
                asked.append(place)
                lent.append(Path(file) if ours else None)
                yield file

        def give_back(count: int) -> None:
            for _ in range(count):
                if (file := lent.popleft()) is not None:
                    file.unlink(missing_ok=True)

        with tempfile.TemporaryDirectory(prefix="resight-photos-") as folder:
            found = self.fingerprinter(files(), progress=give_back)
        places = np.array(asked, np.int64)
        vectors[places[found.index]] = found.vectors
        unread = np.setdiff1d(np.arange(len(asked)), found.index)
        for place, error in zip(places[unread].tolist(), found.unreadable, strict=True):
            errors[place] = error.reason
        for place, source in copies:
            vectors[place], errors[place] = vectors[source], errors[source]
        return Rows(paths, versions, contents, errors, vectors), len(again)

    def content_of(self, path: str) -> str | None:
        """What `content_hash` gives for a photo, wherever it lies; None where it cannot be had."""
        with tempfile.TemporaryDirectory(prefix="resight-photos-") as folder:
            (got,) = self._files([path], Path(folder))
            return None if isinstance(got, UnreadablePhoto) else got[1]

    def _files(
        self, paths: Sequence[str], folder: Path
    ) -> Iterator[tuple[str, str, bool] | UnreadablePhoto]:
        """For each photo a file on the disk, its content, and whether it is a copy of ours."""

        def have(some: list[tuple[int, str]]) -> list[tuple[str, str, bool] | UnreadablePhoto]:
            return [
                _file(path, str(folder / f"{place}{Path(path).suffix}")) for place, path in some
            ]

        remote = any(map(is_url, paths))
        threads = _FETCHERS if remote else self.fingerprinter.threads or usable_processors()
        for some in in_threads(have, enumerate(paths), threads=threads, chunk=1 if remote else 8):
            yield from some


def _file(path: str, copy: str) -> tuple[str, str, bool] | UnreadablePhoto:
    try:
        if is_url(path):
            fetch(path, copy)
            return copy, content_hash(copy), True
        return path, content_hash(path), False
    except UnreadablePhoto as error:
        if "\\udc" in path:
            return UnreadablePhoto(path, "its name is not Unicode; rename it")
        return error
