"""What makes a file this file, wherever it lies: its bytes."""

from __future__ import annotations

import hashlib
import os
import stat

from resight.errors import UnreadablePhoto

_SMALL = 1 << 16  # bytes that are read in one go; `file_digest` takes 40 µs to begin


def content_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes, in hex.

    Raises:
        UnreadablePhoto: missing, no file, or not ours to read.
    """
    name = os.fspath(path)
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 (a pipe would block)
            raise UnreadablePhoto(name, "not a file")
        with open(name, "rb", buffering=0) as file:  # noqa: PTH123 (thousands of them)
            start = file.read(_SMALL)
            if len(start) < _SMALL and not file.read(1):
                return hashlib.sha256(start).hexdigest()
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise UnreadablePhoto(name, "no such file") from None
    except OSError as error:
        raise UnreadablePhoto(name, error.strerror or str(error)) from None
    except ValueError:
        raise UnreadablePhoto(ascii(name), "not a file's name") from None
