"""Match lines between two photos: the places that are the same on both, by their keypoints."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field

from resight.catalogue.browse import Shown
from resight.web.desk import Desk

MOST = 60
_VERSION = 1  # of what is kept


class Lines(BaseModel):
    """Places that fit, the surest first."""

    lines: list[Annotated[list[float], Field(min_length=4, max_length=4)]] = Field(
        description="x and y on the first photo, x and y on the second; shares of its width and "
        "height, from 0 to 1."
    )
    score: float = Field(description="How many fit, and how distinct they are.")


def match_lines(desk: Desk, first: Shown, second: Shown) -> Lines:
    """Compare two photos; what was found is kept beside their pictures.

    Raises:
        UnreadablePhoto: a file is away or damaged.
    """
    file = desk.pictures.folder / "lines" / f"{_key(first)}-{_key(second)}.json"
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["version"] == _VERSION:
            return Lines(lines=kept["lines"], score=kept["score"])
    except (OSError, ValueError, KeyError):
        pass  # not there, or damaged
    found = _compared(desk, first, second)
    _keep(file, found)
    return found


def _compared(desk: Desk, first: Shown, second: Shown) -> Lines:
    from resight.compare import KeypointCache, match
    from resight.web.pictures import box_of

    cache = KeypointCache(desk.pictures.folder / "keypoints")
    one, other = (cache.of(photo.path, box_of(photo)) for photo in (first, second))
    found = match(one, other)
    surest = np.flatnonzero(found.fits)
    surest = surest[np.argsort(found.ratios[surest], kind="stable")][:MOST]
    ends = np.hstack(
        [
            (points.places[found.pairs[surest, side]] + 0.5) / [points.size[1], points.size[0]]
            for side, points in enumerate((one, other))
        ]
    )
    return Lines(lines=ends.round(5).tolist(), score=found.score)


def _key(photo: Shown) -> str:
    return photo.content_hash[:32] + (f"_{photo.box.replace(',', '_')}" if photo.box else "")


def _keep(file: Path, found: Lines) -> None:
    part = file.with_name(f".{os.urandom(8).hex()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"version": _VERSION, **found.model_dump()}), encoding="utf-8")
        part.replace(file)
    except OSError:  # a full disk must not stop a comparison
        part.unlink(missing_ok=True)
