"""A table of fingerprints that grows: a folder of Parquet files, one row a photo.

Pandas, DuckDB, Spark and the like read the folder as one table. Its columns:

- `path`: the photo's file, absolute, or its URL;
- `version`: by which a later run sees whether the file has changed (see `Listed`);
- `content`: the SHA-256 of the file's bytes, in hex; null where it could not be had;
- `vector`: float32, of unit length; null where there is an error;
- `error`: why there is no fingerprint; null where there is one.

Files are never changed but replaced whole, and named by the run that wrote them: where a photo has
rows in several, as one that has changed since, the latest counts, and `tidy` drops the others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from resight.errors import ResightError
from resight.fingerprint.folder import Folder

Numbers = npt.NDArray[np.uint64]

_PART = re.compile(r"part-(\d{6})-[0-9a-f]{16}\.parquet")
_MODEL = b"resight.model"
_OPEN = 4  # files whose vectors are at hand at once


@dataclass(frozen=True)
class Rows:
    """Some photos' rows, on the way into a table.

    Attributes:
        paths, versions, contents, errors: (n,), as the columns.
        vectors: float32 (n, dim); those of rows with an error do not count.
    """

    paths: Sequence[str]
    versions: Sequence[str]
    contents: Sequence[str | None]
    errors: Sequence[str | None]
    vectors: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Held:
    """What a table holds, in 24 bytes a photo.

    Attributes:
        folder: where it is.
        parts: its files, the oldest first.
        done: (n,) sorted, a number for each photo and version that has been read.
        contents: (m,) sorted, the first 64 bits of each content that is known.
        where: int32 (m, 2), the file and row of each.
        fingerprints, unreadable: how many photos have a fingerprint, and how many have none.
        stale: for each file with rows that do not count, which rows do.
        errors: the first few photos without a fingerprint, and why.
    """

    folder: Folder
    parts: tuple[str, ...]
    done: Numbers
    contents: Numbers
    where: npt.NDArray[np.int32]
    fingerprints: int
    unreadable: int
    stale: dict[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    errors: tuple[tuple[str, str], ...] = ()
    _open: dict[str, pa.Table] = field(default_factory=dict, repr=False)

    @property
    def next_run(self) -> int:
        """The number for the files of the next run."""
        return 1 + max((int(part[5:11]) for part in self.parts), default=0)

    def lacks(self, paths: Sequence[str], versions: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Which of these photos are still to be read: bool (n,)."""
        asked = np.fromiter(map(_number_of, paths, versions), np.uint64, len(paths))
        at = np.searchsorted(self.done, asked).clip(max=max(0, len(self.done) - 1))
        return self.done[at] != asked if len(self.done) else np.ones(len(asked), bool)

    def of_content(self, content: str) -> tuple[npt.NDArray[np.float32] | None, str | None] | None:
        """The fingerprint or the error of a file with these bytes, if one has been read."""
        number = np.uint64(int(content[:16], 16))
        at = int(np.searchsorted(self.contents, number))
        if at == len(self.contents) or self.contents[at] != number:
            return None
        part, row = self.where[at].tolist()
        found = self._opened(self.parts[part])
        if found["content"][row].as_py() != content:
            return None
        vector = found["vector"][row]
        return (vector.values.to_numpy() if vector.is_valid else None), found["error"][row].as_py()

    def _opened(self, part: str) -> pa.Table:
        if part not in self._open:
            if len(self._open) >= _OPEN:
                self._open.clear()
            with self.folder.open(part) as file:
                rows = pq.read_table(file, columns=["content", "vector", "error"])
            self._open[part] = rows.combine_chunks()
        return self._open[part]


def write_part(folder: Folder, run: int, rows: Rows, model: str) -> str:
    """Write a file of a table; its name, which follows from the run and the photos."""
    dim = rows.vectors.shape[1]
    empty = np.array([error is not None for error in rows.errors])
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(rows.vectors, np.float32).ravel()), dim, mask=pa.array(empty)
    )
    text = pa.string()
    columns = {
        "path": pa.array(rows.paths, text),
        "version": pa.array(rows.versions, text),
        "content": pa.array(rows.contents, text),
        "vector": vectors,
        "error": pa.array(rows.errors, text),
    }
    part = f"part-{run:06d}-{name_of(rows.paths)}.parquet"
    _write(folder, part, pa.table(columns).replace_schema_metadata({_MODEL: model}))
    return part


def name_of(paths: Sequence[str]) -> str:
    """Sixteen hex digits that tell a block of photos from others."""
    return hashlib.blake2b("\0".join(paths).encode(), digest_size=8).hexdigest()


def read_held(folder: Folder, model: str | None = None) -> Held:
    """See what a table holds, without its vectors; nothing where there is none yet.

    Args:
        folder: where.
        model: the id of the model whose fingerprints they have to be.

    Raises:
        ResightError: they are another model's, or a file is broken or none of a table's.
    """
    names = folder.names()
    parts = [name for name in names if _PART.fullmatch(name)]
    foreign = [name for name in names if not name.startswith(".") and name not in parts]
    if foreign:
        raise ResightError(
            f"{folder.place}: holds what is not of a table of fingerprints ({foreign[0]}); give "
            "another name"
        )
    seen = [_seen(folder, part, model) for part in parts]
    paths = _joined([one[0] for one in seen], np.uint64)
    counts = np.zeros(len(paths), bool)
    if len(paths):  # the last row of each path
        counts[len(paths) - 1 - np.unique(paths[::-1], return_index=True)[1]] = True
    done, contents = _joined([o[1] for o in seen], np.uint64), _joined([o[2] for o in seen], "u8")
    bad = _joined([one[3] for one in seen], np.bool_)
    read = _joined([one[4] for one in seen], np.bool_)
    sizes = [len(one[0]) for one in seen]
    ends = np.cumsum([0, *sizes])
    where = np.empty((len(paths), 2), np.int32)
    stale = {}
    for number, part in enumerate(parts):
        first, end = ends[number], ends[number + 1]
        where[first:end] = np.column_stack([np.full(end - first, number), np.arange(end - first)])
        if not counts[first:end].all():
            stale[part] = counts[first:end]
    order = np.argsort(contents[counts & read], kind="stable")
    return Held(
        folder,
        tuple(parts),
        np.sort(done[counts & read]),
        contents[counts & read][order],
        where[counts & read][order],
        fingerprints=int((counts & ~bad).sum()),
        unreadable=int((counts & bad).sum()),
        stale=stale,
        errors=tuple(error for one in seen for error in one[5])[:20],
    )


def tidy(held: Held) -> None:
    """Drop rows that no longer count: of photos that have changed, or were asked for twice."""
    for part, counts in held.stale.items():
        if counts.any():
            with held.folder.open(part) as file:
                rows = pq.read_table(file)
            _write(held.folder, part, rows.filter(pa.array(counts)))
        else:
            held.folder.remove(part)


def _seen(folder: Folder, part: str, model: str | None) -> tuple[Any, ...]:
    """Of a file's rows: numbers of path, of path and version, of content; what is bad, and read."""
    try:
        with folder.open(part) as file:
            rows = pq.read_table(file, columns=["path", "version", "content", "error"])
        whose = (rows.schema.metadata or {})[_MODEL].decode()
        paths, versions, contents, errors = (column.to_pylist() for column in rows.columns)
    except (pa.ArrowException, KeyError, ValueError) as error:
        why = " ".join(str(error).split())[:120]
        raise ResightError(
            f"{folder.place}/{part}: cannot be read as part of a table of fingerprints ({why}); "
            "take it away, and its photos are done again"
        ) from None
    if model not in (None, whose):
        raise ResightError(
            f"{folder.place}: holds the fingerprints of another model ({whose}); give another name"
        )
    return (
        np.fromiter(map(_number_of, paths), np.uint64, len(paths)),
        np.fromiter(map(_number_of, paths, versions), np.uint64, len(paths)),
        np.array([int((content or "0")[:16], 16) for content in contents], np.uint64),
        np.array([error is not None for error in errors], bool),
        np.array([content is not None for content in contents], bool),
        [(path, error) for path, error in zip(paths, errors, strict=True) if error][:20],
    )


def _write(folder: Folder, part: str, rows: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd", use_dictionary=False)
    folder.write(part, sink.getvalue().to_pybytes())


def _number_of(*words: str) -> int:
    """64 bits: of ten million photos two have the same once in 300,000 tables."""
    text = "\0".join(words).encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _joined(parts: Iterable[npt.NDArray[Any]], kind: Any) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind, copy=False)
