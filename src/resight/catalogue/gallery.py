"""What is searched: the fingerprints of a catalogue's photos, and whose they are.

A `Gallery` is one unchanging view. Its vectors lie in segments: the mapped file beside the
database first (`vectors_file.py`), then what came since (`loading.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from resight.catalogue.vectors_file import COLUMNS, Columns, History, Mapped, Vectors

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Gallery:
    """The fingerprints of one model, in the order in which they were made.

    Attributes:
        segments: float32 (n_i, dim), unit length; one after another they are the n rows.
        columns: the arrays (n,) of `vectors_file.COLUMNS`: each row's fingerprint, photo,
            individual and encounter (0: none), side, and whether the photo is "in".
        sides: the word for each value of the column `side`; 0 is "".
        searched: bool (n,): the rows that a search may find.
        history: up to where in the catalogue's history this view reaches.
        mapped: the file that the first segment lies in, if any.
        fresh: how many rows were added or edited since that file was written.
    """

    segments: tuple[Vectors, ...]
    columns: Columns
    sides: tuple[str, ...]
    searched: Mask
    history: History
    mapped: Mapped | None = None
    fresh: int = 0
    _rows: dict[tuple[str, int], Rows] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        vectors: Vectors,
        photo_ids: Any,
        individual_ids: Any,
        *,
        encounter_ids: Any = None,
        sides: Sequence[str | None] | None = None,
    ) -> Gallery:
        """A gallery from memory: all arrays of n rows; individual 0 is nobody."""
        count = len(photo_ids)
        words = ("", *sorted({side for side in sides or () if side}))
        columns = {
            "fingerprint": np.arange(1, count + 1),
            "photo": photo_ids,
            "individual": individual_ids,
            "encounter": encounter_ids if encounter_ids is not None else np.zeros(count),
            "side": [words.index(side or "") for side in sides] if sides else np.zeros(count),
            "present": np.ones(count),
        }
        typed = {name: np.asarray(columns[name], kind) for name, kind in COLUMNS.items()}
        return cls((vectors,), typed, words, typed["individual"] > 0, History())

    def __len__(self) -> int:
        """How many photos are searched."""
        return int(np.count_nonzero(self.searched))

    @property
    def photo_ids(self) -> Rows:
        """Each row's photo."""
        return self.columns["photo"]

    @property
    def individual_ids(self) -> Rows:
        """Each row's individual; 0 for none."""
        return self.columns["individual"]

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self.segments[0].shape[1]

    @cached_property
    def starts(self) -> list[int]:
        """The first row of each segment, and the number of rows."""
        return [0, *np.cumsum([len(segment) for segment in self.segments]).tolist()]

    @cached_property
    def people(self) -> Rows:
        """The ids of the individuals that can be found, ascending."""
        ids = self.individual_ids[self.searched]
        if self._ids_are_dense:
            return np.flatnonzero(np.bincount(ids))
        return np.unique(ids)

    @cached_property
    def codes(self) -> Rows:
        """Each row's place in `people`, counted from 1; 0 for rows that are not searched."""
        if self._ids_are_dense:
            table = np.zeros(int(self.individual_ids.max(initial=0)) + 1, np.int64)
            table[self.people] = np.arange(1, len(self.people) + 1)
            codes = table[self.individual_ids]
        else:
            codes = np.searchsorted(self.people, self.individual_ids) + 1
        codes[~self.searched] = 0
        return codes

    @property
    def _ids_are_dense(self) -> bool:
        """Whether a table by individual is small; then it is ten times as fast as sorting."""
        return bool(self.individual_ids.max(initial=0) < 8 * len(self.individual_ids))

    def only(self, photo_ids: Any) -> Gallery:
        """This gallery, with none searched but these photos."""
        kept = self.searched & np.isin(self.photo_ids, np.asarray(photo_ids, np.int64))
        rows = np.flatnonzero(kept)
        if len(rows) * 8 > len(kept):
            return replace(self, searched=kept, _rows={})
        # Of so few, a copy is searched sooner than all are passed over.
        columns = {name: values[rows] for name, values in self.columns.items()}
        searched = np.ones(len(rows), np.bool_)
        return Gallery((self.take(rows),), columns, self.sides, searched, self.history)

    def take(self, rows: Any) -> Vectors:
        """The vectors of some rows, float32 (r, dim), in memory."""
        rows = np.asarray(rows, np.int64)
        if len(self.segments) == 1:
            return self.segments[0][rows]
        taken = np.empty((len(rows), self.dim), np.float32)
        which = np.searchsorted(self.starts, rows, side="right") - 1
        for number, segment in enumerate(self.segments):
            here = which == number
            taken[here] = segment[rows[here] - self.starts[number]]
        return taken

    def blocks(self, size: int) -> Iterator[tuple[int, Vectors]]:
        """All rows, at most `size` at a time, each block with the number of its first row."""
        for first, segment in zip(self.starts, self.segments, strict=False):
            for start in range(0, len(segment), size):
                yield first + start, segment[start : start + size]

    def rows_with(self, column: str, value: int) -> Rows:
        """The rows, ascending, with this value in a column ("code" for `codes`)."""
        if (column, value) not in self._rows:
            values = self.codes if column == "code" else self.columns[column]
            self._rows[column, value] = np.flatnonzero(values == value)
        return self._rows[column, value]

    def rows_of(self, photo_ids: Iterable[int]) -> Rows:
        """The rows of some photos, ascending; photos without a fingerprint have none."""
        wanted = np.unique(np.fromiter(photo_ids, np.int64))
        if len(wanted) < 8:
            found = [np.flatnonzero(self.photo_ids == i) for i in wanted]
            return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)
        return np.flatnonzero(np.isin(self.photo_ids, wanted))
