"""Decoded photos that are too many for the memory: a file on disk, mapped, in their place.

A file is named by what is in it: the photos' bytes, their boxes, and how they were fitted. So a
second training on the same photos decodes nothing. It has its name only once it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from resight.errors import ResightError
from resight.photos.content import content_hash
from resight.photos.decode import Box, Pixels
from resight.photos.stream import in_threads

# What one set of pixels may take of the memory; a training holds two, all and those it learns from.
_SHARE = 0.25
_ABANDONED = 24 * 3600  # seconds without a change: whoever wrote it was killed
_UNUSED = 30 * 24 * 3600
_FORM = 1


def cache_folder() -> Path:
    """Where programs keep what they can make again."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def fits_in_memory(shape: tuple[int, ...]) -> bool:
    """Whether uint8 pixels of a shape may be held in memory; yes where its size is not known."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return True
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(np.prod(shape, dtype=np.int64)) <= _SHARE * memory


def key_of(sources: Iterable[tuple[Path, Box | None]], how: Any) -> str:
    """A name for the pixels that photos give, from their bytes, boxes and `how` they are fitted.

    Args:
        sources: the photos, with the box to cut or None.
        how: plain values; a change of what decoding gives must change `_FORM`.

    Raises:
        UnreadablePhoto: a file that is missing or cannot be read.
    """
    total = hashlib.sha256(json.dumps([_FORM, how]).encode())

    def hashes(some: list[tuple[Path, Box | None]]) -> list[str]:
        return [f"{content_hash(path)} {box}\n" for path, box in some]

    for lines in in_threads(hashes, sources):
        total.update("".join(lines).encode())
    return total.hexdigest()


def scratch(shape: tuple[int, ...]) -> Pixels:
    """Room for uint8 pixels: in memory, or on disk where they do not fit; gone with the process.

    Raises:
        ResightError: the disk has no room either, or the folder is not ours to write in.
    """
    if fits_in_memory(shape):
        return np.empty(shape, np.uint8)
    path = _part("scratch")
    try:
        return _mapped(path, shape)
    finally:
        with suppress(OSError):  # Windows keeps the name while it is mapped; `_part` removes it
            path.unlink()


def kept(key: str, shape: tuple[int, ...], fill: Callable[[Pixels], bool]) -> Pixels:
    """Pixels from the file of this name; where there is none, they are made, and kept in it.

    Args:
        key: of `key_of`.
        shape: of the pixels.
        fill: writes them, and says whether all were written and may be kept.

    Raises:
        ResightError: the disk has no room, or the folder is not ours to write in.
    """
    whole = _folder() / f"{key}.npy"
    with suppress(OSError, ValueError):  # there is none, or it is not what it should be
        np.lib.format.open_memmap(whole, mode="r")  # fails where it is cut off; "r+" would fill it
        there = np.lib.format.open_memmap(whole, mode="r+")
        if there.shape == shape and there.dtype == np.uint8:
            os.utime(whole)
            return there
    path = _part(key)
    try:
        pixels = _mapped(path, shape)
        if fill(pixels):
            pixels.flush()  # type: ignore[attr-defined]
            with suppress(OSError):  # Windows renames no mapped file: then it is not kept
                path.replace(whole)
        return pixels
    finally:
        with suppress(OSError):
            path.unlink()


def _folder() -> Path:
    return cache_folder() / "resight" / "pixels"


def _part(key: str) -> Path:
    """A file to begin; what others left behind is taken away first."""
    folder, now = _folder(), time.time()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_room(folder, error) from None
    for pattern, after in (("*.part", _ABANDONED), ("*.npy", _UNUSED)):
        for path in folder.glob(pattern):
            with suppress(OSError):
                if now - path.stat().st_mtime > after:
                    path.unlink()
    return folder / f"{key}.{secrets.token_hex(4)}.part"


def _mapped(path: Path, shape: tuple[int, ...]) -> Pixels:
    """A new file, mapped, whose place on the disk is taken: a write into a hole could kill us."""
    try:
        needed = int(np.prod(shape, dtype=np.int64))
        if shutil.disk_usage(path.parent).free < needed:
            raise OSError("no space left there")
        pixels: Pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise _no_room(path.parent, error, needed) from None
    return pixels


def _no_room(folder: Path, error: OSError, needed: int = 0) -> ResightError:
    size = f" of {needed / 1e9:.1f} GB" if needed else ""
    return ResightError(
        f"{folder}: the decoded photos are too many for the memory, and a file{size} cannot be "
        f"made there ({error.strerror or error}); free some space, set XDG_CACHE_HOME to a folder "
        "on another disk, or train on a smaller size"
    )
