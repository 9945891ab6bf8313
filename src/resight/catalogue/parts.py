"""Two parts of one picture show two individuals; two parts of a recording may be one's calls."""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa

from resight.photos.sound import SOUNDS, is_sound


def exclude(path: str | os.PathLike[str]) -> bool:
    """Whether another part of this file is somebody else."""
    return not is_sound(path)


def exclude_here(path: Any) -> sa.ColumnElement[bool]:
    """The same of a column of paths, for a query."""
    return sa.and_(*(~sa.func.lower(path).like(f"%{suffix}") for suffix in sorted(SOUNDS)))
