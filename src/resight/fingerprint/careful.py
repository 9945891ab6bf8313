"""Blocks whose worker dies: a photo that kills who reads it costs one row, not the run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Self

import numpy as np

from resight.fingerprint.block import BlockWorker, Done
from resight.fingerprint.folder import Folder
from resight.fingerprint.table import Rows, name_of

# Workers die for reasons of their own too: a block is begun so often before it goes by photos.
_PATIENCE = 2
_PREFIX = ".tried-"
KILLS = "the process that reads it dies: damaged, or too large for its memory"


class CarefulWorker(BlockWorker):
    """A `BlockWorker` that does not outlive every photo.

    A block that has been begun twice without being finished is done photo by photo. Beside the
    table stands which photo it is at, so that the next worker knows which one it was.
    """

    def __call__(self, paths: Sequence[str], versions: Sequence[str]) -> Done:
        """See `BlockWorker`."""
        folder, name = self.held.folder, f"{_PREFIX}{name_of(paths)}"
        tried = _Tried.read(folder, name)
        if tried.at is not None:
            tried.kills.append(tried.at)
        tried.begun += 1
        tried.write(folder, name)
        if tried.begun <= _PATIENCE:
            rows, known = self.rows(paths, versions)
        else:
            rows, known = self._one_by_one(paths, versions, tried, name)
        self.write(rows)
        folder.remove(name)
        return Done(len(paths), known, self.process)

    def _one_by_one(
        self, paths: Sequence[str], versions: Sequence[str], tried: _Tried, name: str
    ) -> tuple[Rows, int]:
        parts = []
        for place, (path, version) in enumerate(zip(paths, versions, strict=True)):
            if place in tried.kills:
                nothing = np.zeros((1, self.fingerprinter.dim), np.float32)
                content = self.content_of(path)
                parts.append((Rows([path], [version], [content], [KILLS], nothing), 0))
                continue
            tried.at = place
            tried.write(self.held.folder, name)
            parts.append(self.rows([path], [version]))
        rows = [part for part, _ in parts]
        joined = Rows(
            paths,
            versions,
            [content for one in rows for content in one.contents],
            [error for one in rows for error in one.errors],
            np.concatenate([one.vectors for one in rows]),
        )
        return joined, sum(known for _, known in parts)


def forget_tries(folder: Folder) -> None:
    """Remove what stands beside a table whose run is through."""
    for name in folder.names():
        if name.startswith(_PREFIX):
            folder.remove(name)


@dataclass
class _Tried:
    """How far a block has come.

    Attributes:
        begun: by how many workers.
        at: the place of the photo that the last one was at, where it went photo by photo.
        kills: the places of photos that workers died of.
    """

    begun: int = 0
    at: int | None = None
    kills: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Folder, name: str) -> Self:
        with suppress(FileNotFoundError), folder.open(name) as file:
            return cls(**json.load(file))
        return cls()

    def write(self, folder: Folder, name: str) -> None:
        folder.write(name, json.dumps(asdict(self)).encode())
