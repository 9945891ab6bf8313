"""Readers of other files: whatever a function makes a picture of is a photo.

Recordings and photographs need none; docs/signals.md shows one for the traces of an accelerometer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from resight.photos.sound import SOUNDS

Reader = Callable[[Path], NDArray[Any]]

# fmt: off
SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".pgm",
    ".ppm", ".pbm", ".jp2", ".avif", ".heic", ".heif", ".hif",
})
# fmt: on
_READERS: dict[str, Reader] = {}


def register_reader(suffix: str, reader: Reader) -> None:
    """Have files of a suffix read by a function, from here on, by everything in this program.

    Args:
        suffix: such as ".acc"; not one of pictures or recordings.
        reader: given the file's path, it gives uint8 (H, W) or (H, W, 3). It is called from
            several threads. What it raises is told with the file's name.

    Raises:
        ValueError: no suffix, or one that is read without.
    """
    suffix = suffix.lower()
    if not suffix.startswith(".") or len(suffix) < 2 or os.sep in suffix:
        raise ValueError(f"a suffix is like '.acc', not {suffix!r}")
    if suffix in SUFFIXES | SOUNDS:
        raise ValueError(f"{suffix} is read already; give the files another suffix")
    _READERS[suffix] = reader


def reader_of(path: object) -> Reader | None:
    """The function that reads a file, where there is one."""
    if not _READERS or not isinstance(path, str | os.PathLike):
        return None
    return _READERS.get(_suffix(os.fspath(path)))


def may_be_photo(name: str) -> bool:
    """Whether a file's name is that of something that is read: picture, recording, other signal."""
    suffix = _suffix(name)
    return suffix in SUFFIXES or suffix in SOUNDS or suffix in _READERS


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path costs as much as a small file)
