"""Photos that come over the wire: checked, written into one folder, under harmless names."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from resight.errors import ResightError, UnreadablePhoto
from resight.photos.decode import read_image
from resight.photos.header import read_header
from resight.photos.photo import Photo
from resight.photos.readers import may_be_photo

MOST_FILES = 50
MOST_BYTES = 64 << 20  # of a file
_BLOCK = 1 << 20
_SMALL = 64  # pixels that a photo is decoded at to see whether it can be


@dataclass(frozen=True, slots=True)
class Received:
    """A photo that has been written down.

    Attributes:
        path: where.
        fresh: whether it was not there before.
    """

    path: Path
    fresh: bool


def receive(file: BinaryIO, name: str, folder: Path) -> Received:
    """Write a file from elsewhere into the folder, if it is a photo; whole, or not at all.

    The same bytes under the same name are there already, and are not written twice.

    Args:
        file: opened, at its beginning.
        name: what the sender calls it; only its harmless part is kept.
        folder: made when it is not there.

    Raises:
        UnreadablePhoto: no picture, damaged, or of more bytes or pixels than are taken.
        ResightError: it cannot be written.
    """
    shown = safe_name(name)
    part = folder / f".{os.urandom(8).hex()}.part{Path(shown).suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key = _copied(file, part, shown)
        try:
            read_image(part, channels=3, at_least=_SMALL)
        except UnreadablePhoto as error:
            raise UnreadablePhoto(shown, error.reason) from None
        return _kept(part, folder, shown, key)
    except OSError as error:
        raise ResightError(
            f"{folder}: photos cannot be written here ({error.strerror or error}); make room, or "
            "begin the review with another --uploads"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def safe_name(name: str) -> str:
    """A file's name without whatever could lead out of a folder or upset a system.

    Letters of all scripts, digits, dots, dashes, underscores and spaces stay.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = re.sub(r"[^\w .\-]+", "_", last).strip(" .")
    stem, ending = os.path.splitext(kept)  # noqa: PTH122 (a Path knows no empty name)
    if not may_be_photo(ending and f"photo{ending}"):
        stem, ending = kept, ".jpg"
    # 80 letters are at most 240 bytes, and a file's name may have 255.
    return f"{stem.strip(' .')[:80] or 'photo'}{ending.lower()}"[:84]


def as_photo(path: Path, encounter: str | None = None) -> Photo:
    """A file with when it was taken, as its camera wrote it.

    And where, if it is of an encounter: places are kept with those, and a photo by itself shall not
    become one encounter with all others of its day.
    """
    told = read_header(path).told
    if not encounter:
        return Photo(path, date=told.taken_at)
    return Photo(
        path,
        encounter=encounter,
        date=told.taken_at,
        latitude=told.latitude,
        longitude=told.longitude,
    )


def _copied(file: BinaryIO, part: Path, name: str) -> str:
    """Copy, counting; gives the SHA-256."""
    digest, size = hashlib.sha256(), 0
    with part.open("xb") as to:
        while block := file.read(_BLOCK):
            size += len(block)
            if size > MOST_BYTES:
                raise UnreadablePhoto(
                    name, f"more than the {MOST_BYTES >> 20} MB that are taken; make it smaller"
                )
            digest.update(block)
            to.write(block)
    return digest.hexdigest()


def _kept(part: Path, folder: Path, name: str, key: str) -> Received:
    from resight.photos.content import content_hash

    stem, ending = os.path.splitext(name)  # noqa: PTH122
    for number in range(1, 10_000):
        path = folder / (name if number == 1 else f"{stem}-{number}{ending}")
        try:
            os.link(part, path)  # never over another file, as `replace` would
            return Received(path, True)
        except FileExistsError:
            if content_hash(path) == key:
                return Received(path, False)
        except OSError:  # a file system without links
            if not path.exists():
                os.replace(part, path)  # noqa: PTH105
                return Received(path, True)
            if content_hash(path) == key:
                return Received(path, False)
    raise ResightError(f"{folder}: there are 10,000 files called {name}; empty it")
