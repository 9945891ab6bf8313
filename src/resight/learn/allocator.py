"""Memory that a training gives back is kept by the process instead of by the kernel."""

from __future__ import annotations

import ctypes
import platform

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Tell glibc to reuse large blocks; returns whether it was told.

    The layers of a network on the CPU take and give back blocks of many megabytes in every step.
    By default glibc maps each anew, and the kernel hands it over page by page, filled with zeros:
    a fifth to a third of the time of a training step (docs/tried.md). Kept in the process they
    cost nothing; it stays as large as it once was.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 64 << 20))
    told = [mallopt(what, value) == 1 for what, value in settings]
    return all(told)
