"""Folders and files on a disk or, by a URL such as s3://bucket/photos, wherever fsspec reaches."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from resight.errors import ResightError, UnreadablePhoto, UnusablePhotos
from resight.photos.sources import SUFFIXES

# What a store says of a file that changes when the file does; the first that it has is taken.
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "updated")


def is_url(place: str) -> bool:
    """Whether it is for fsspec."""
    return "://" in place


def reached(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path there.

    Raises:
        ResightError: fsspec, or what it needs for such URLs, is not installed.
    """
    try:
        from fsspec.core import url_to_fs

        found: tuple[Any, str] = url_to_fs(url)
        return found
    except (ImportError, ValueError) as error:
        raise ResightError(
            f"{url}: cannot be reached ({_words(error)}); pip install 'resight[ray]' brings "
            "fsspec, and each kind of store has its package, as s3fs for s3://"
        ) from None


@dataclass(frozen=True)
class Folder:
    """A folder that files are written into, each whole or not at all.

    Attributes:
        place: a path or a URL.
    """

    place: str

    def names(self) -> list[str]:
        """The names of the files in it, sorted; none where it does not exist yet."""
        if not is_url(self.place):
            with suppress(FileNotFoundError):
                return sorted(os.listdir(self.place))  # noqa: PTH208
            return []
        fs, root = reached(self.place)
        fs.invalidate_cache()
        try:
            return sorted(name.rstrip("/").rpartition("/")[2] for name in fs.ls(root, detail=False))
        except FileNotFoundError:
            return []

    def open(self, name: str) -> BinaryIO:
        """To read."""
        if not is_url(self.place):
            return Path(self.place, name).open("rb")
        fs, root = reached(self.place)
        return cast(BinaryIO, fs.open(f"{root}/{name}", "rb"))

    def write(self, name: str, data: bytes) -> None:
        """In the place of what has that name."""
        part = f".{name}.{secrets.token_hex(4)}"
        if not is_url(self.place):
            folder = Path(self.place)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                (folder / part).write_bytes(data)
                (folder / part).replace(folder / name)
            finally:
                (folder / part).unlink(missing_ok=True)
            return
        fs, root = reached(self.place)
        fs.makedirs(root, exist_ok=True)
        fs.pipe_file(f"{root}/{part}", data)
        fs.mv(f"{root}/{part}", f"{root}/{name}")

    def remove(self, name: str) -> None:
        """If it is there."""
        if not is_url(self.place):
            Path(self.place, name).unlink(missing_ok=True)
            return
        fs, root = reached(self.place)
        with suppress(FileNotFoundError):
            fs.rm_file(f"{root}/{name}")


@dataclass(frozen=True, slots=True)
class Listed:
    """A photo's file as a listing shows it.

    Attributes:
        path: absolute, or a URL.
        version: changes when the file does: its size, and its time or the store's own mark.
    """

    path: str
    version: str


def listed(places: list[str]) -> Iterator[Listed]:
    """The photos at some places, one after another, as `find_photos` finds them; also at URLs.

    A folder is read when its turn comes, so that only its own names are held.

    Raises:
        UnusablePhotos: there is not one photo at any of the places.
        ResightError: a place does not exist, or cannot be read.
    """
    none = True
    for place in places:
        for one in _in_store(place) if is_url(place) else _on_disk(place):
            none = False
            yield one
    if none:
        where = ", ".join(places) or "nowhere"
        raise UnusablePhotos(f"{where}: no photos there (files such as .jpg, .png or .tif)")


def fetch(path: str, to: str) -> None:
    """Copy a photo from a store to the disk.

    Raises:
        UnreadablePhoto: it cannot be had.
    """
    try:
        fs, name = reached(path)
        fs.get_file(name, to)
    except FileNotFoundError:
        raise UnreadablePhoto(path, "no such file") from None
    except Exception as error:  # each store has its own errors
        raise UnreadablePhoto(path, f"cannot be fetched ({_words(error)})") from None


def _on_disk(place: str) -> Iterator[Listed]:
    path = os.path.abspath(place)  # noqa: PTH100  (without following links, as it was named)
    if os.path.isdir(path):  # noqa: PTH112
        yield from _below(path)
    elif os.path.exists(path):  # noqa: PTH110
        yield Listed(_text(path), _version(os.stat(path)))  # noqa: PTH116
    else:
        raise ResightError(f"{place}: no such file or folder; check the path")


def _below(folder: str) -> Iterator[Listed]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise ResightError(f"{folder}: this folder cannot be read ({error.strerror})") from None
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
        elif _is_photo(entry.name) and not entry.is_dir():
            with suppress(OSError):  # gone meanwhile, or a link to nowhere
                yield Listed(_text(entry.path), _version(entry.stat()))


def _text(path: str) -> str:
    """A path that can be written down; no file has the name that one of other bytes becomes."""
    return path.encode(errors="backslashreplace").decode()


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _in_store(place: str) -> Iterator[Listed]:
    fs, root = reached(place)
    try:
        if fs.isfile(root):
            yield _listed(fs, fs.info(root))
            return
        if not fs.exists(root):
            raise ResightError(f"{place}: no such file or folder; check the URL")
        for _, folders, files in fs.walk(root, detail=True, topdown=True, on_error="raise"):
            for name in sorted(folders):
                if name.startswith("."):
                    del folders[name]
            for name in sorted(files):
                if not name.startswith(".") and _is_photo(name):
                    yield _listed(fs, files[name])
    except ResightError:
        raise
    except Exception as error:  # each store has its own errors
        raise ResightError(f"{place}: cannot be listed ({_words(error)})") from None


def _listed(fs: Any, info: dict[str, Any]) -> Listed:
    mark = next((info[mark] for mark in (*_MARKS, "mtime", "created") if info.get(mark)), "")
    return Listed(fs.unstrip_protocol(info["name"]), f"{info.get('size')}-{mark}")


def _is_photo(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122


def _words(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
