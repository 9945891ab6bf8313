"""The vectors of a catalogue in a file that is mapped into memory: opened in no time, not copied.

Two files lie beside an SQLite catalogue, for PostgreSQL in the user's cache folder:

- `whales.db.vectors-MODEL`: 64 bytes of header, then the vectors as float32, in the order of their
  fingerprints' ids. Rows are only appended, and what row r holds follows from the database alone:
  so processes that append at once write the same bytes to the same place.
- `whales.db.rows-MODEL`: a line of JSON (how many rows count, up to which point of the catalogue's
  history, for which vectors file), then what is known of each row, as in `COLUMNS`. Replaced whole.

Both may be deleted at any time: they hold nothing that the database does not. What is cut short,
half written or made for another catalogue is not believed; where none can be written (a read-only
folder, a full disk), nothing is.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from resight.catalogue.store import Store
from resight.photos.store import cache_folder

Vectors = npt.NDArray[np.float32]
Columns = dict[str, npt.NDArray[Any]]

# Little-endian, as the vectors are. 0: of no individual, no encounter.
COLUMNS: dict[str, str] = {
    "fingerprint": "<i8",
    "photo": "<i8",
    "individual": "<i8",
    "encounter": "<i8",
    "side": "<i2",
    "present": "|b1",  # whether the photo is "in" the catalogue
}
_ROW_BYTES = sum(np.dtype(kind).itemsize for kind in COLUMNS.values())
_FORMAT = 1
_MAGIC = b"Resight vectors\n"
_HEADER = 64
_SPARE = 64 << 20  # bytes of the disk that are left to others
_ABANDONED = 3600  # seconds after which an unfinished file is nobody's


@dataclass(frozen=True, slots=True)
class History:
    """A point in a catalogue's history: two catalogues that agree in it agree up to there.

    Attributes:
        model: whose fingerprints are looked at.
        made_at: when the catalogue was made.
        revision: its revision.
        action, action_at: its last action, and when that was.
    """

    model: str = ""
    made_at: str = ""
    revision: int = 0
    action: int = 0
    action_at: str = ""


@dataclass(frozen=True, eq=False)
class Mapped:
    """A mapped file of vectors.

    Attributes:
        file: its device and number there, by which to see whether others have replaced it.
        token: tells it from every other.
        vectors: float32 (n, dim), read from the disk as they are used.
        columns: for each row; in memory.
        sides: the words that the column `side` counts.
        history: up to where the rows reach.
    """

    file: tuple[int, int]
    token: str
    vectors: Vectors
    columns: Columns
    sides: tuple[str, ...]
    history: History


@dataclass(frozen=True, slots=True)
class Place:
    """Where the two files of a catalogue and a model are."""

    vectors: Path
    rows: Path


def place_for(store: Store, model_id: str) -> Place:
    """Where the files lie: beside an SQLite file, else in the user's cache folder."""
    model = hashlib.sha256(model_id.encode()).hexdigest()[:12]
    if store.path is not None:
        folder, name = store.path.parent, store.path.name
    else:
        folder = cache_folder() / "resight"
        name = hashlib.sha256(store.place.encode()).hexdigest()[:24]
    return Place(folder / f"{name}.vectors-{model}", folder / f"{name}.rows-{model}")


def read(place: Place, dim: int) -> Mapped | None:
    """Open the files, if both are there, whole, and belong together.

    Whether they belong to the catalogue as it is now is for the caller to find out: see `History`.
    """
    try:
        with place.rows.open("rb") as rows:
            head = json.loads(rows.readline(1 << 20))
            body = rows.read()
        count = int(head["count"])
        expected = {"format": _FORMAT, "dim": dim}
        if any(head[key] != value for key, value in expected.items()) or count < 1:
            return None
        if len(body) != count * _ROW_BYTES or zlib.crc32(body) != head["crc32"]:
            return None
        with place.vectors.open("rb") as file:
            if file.read(_HEADER) != _header(head["token"], dim):
                return None
            return Mapped(
                _number(file),
                head["token"],
                _map(file, count, dim),
                _split(body, count),
                tuple(head["sides"]),
                History(**head["history"]),
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(
    place: Place,
    known: Mapped | None,
    segments: Sequence[Vectors],
    columns: Columns,
    sides: Sequence[str],
    history: History,
) -> Mapped | None:
    """Write the rows of a gallery: append to the file it was read from, or make a new one.

    Args:
        place: where.
        known: what the gallery's first segment is mapped from, if anything.
        segments: float32 (n_i, dim), all rows, one after another.
        columns: for each row.
        sides: the words that the column `side` counts.
        history: up to where the rows reach.

    Returns:
        What is written, mapped; None where nothing can be written.
    """
    dim = segments[0].shape[1]
    count = sum(map(len, segments))
    try:
        place.rows.parent.mkdir(parents=True, exist_ok=True)
        needed = 4 * dim * count + _ROW_BYTES * count
        if shutil.disk_usage(place.rows.parent).free < needed + _SPARE:
            return None
        if known is not None and _append(place, known, segments[1:]):
            token = known.token
        else:
            token = secrets.token_hex(16)
            _replace(place.vectors, (_header(token, dim), *segments))
        body = b"".join(np.ascontiguousarray(columns[name], COLUMNS[name]).data for name in COLUMNS)
        head = {
            "format": _FORMAT,
            "dim": dim,
            "count": count,
            "token": token,
            "crc32": zlib.crc32(body),
            "sides": list(sides),
            "history": asdict(history),
        }
        _replace(place.rows, (json.dumps(head).encode() + b"\n", body))
    except OSError:
        return None
    return read(place, dim)


def _append(place: Place, known: Mapped, parts: Sequence[Vectors]) -> bool:
    """Write parts behind the rows that are mapped; False if another file lies there now."""
    try:
        with place.vectors.open("r+b") as out:
            if _number(out) != known.file:
                return False
            out.seek(_HEADER + known.vectors.nbytes)
            _pour(out, parts)
    except FileNotFoundError:
        return False
    return True


def _number(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino


def _header(token: str, dim: int) -> bytes:
    return (_MAGIC + dim.to_bytes(4, "little") + bytes.fromhex(token)).ljust(_HEADER, b"\0")


def _map(file: BinaryIO, count: int, dim: int) -> Vectors:
    """Raises ValueError for a file that is too short."""
    if os.fstat(file.fileno()).st_size < _HEADER + 4 * dim * count:
        raise ValueError("cut short")
    mapped = np.memmap(file, "<f4", "r", _HEADER, (count, dim))
    return mapped.view(np.ndarray)


def _split(body: bytes, count: int) -> Columns:
    columns, start = {}, 0
    for name, kind in COLUMNS.items():
        columns[name] = np.frombuffer(body, kind, count, start)
        start += columns[name].nbytes
    return columns


def _pour(out: BinaryIO, parts: Iterable[Any]) -> None:
    for part in parts:
        out.write(np.ascontiguousarray(part, "<f4").data if isinstance(part, np.ndarray) else part)
    out.flush()
    os.fsync(out.fileno())  # on the disk before anything says so


def _replace(path: Path, parts: Iterable[Any]) -> None:
    """A whole new file in the place of an old one, or no change."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.new"):
        with suppress(OSError):  # by a process that was killed; another's may be under way
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with temporary.open("xb") as out:
            _pour(out, parts)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
