"""Which of several processes this one is, as `accelerate launch` says; known before torch is."""

from __future__ import annotations

import os


def count() -> int:
    """How many processes train together; 1 where nothing launched several."""
    return max(1, _number("WORLD_SIZE", 1)) if "MASTER_ADDR" in os.environ else 1


def rank() -> int:
    """The number of this one, from 0; process 0 writes the files and tells how it goes."""
    return _number("RANK", 0) if count() > 1 else 0


def _number(name: str, otherwise: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else otherwise
