"""Photos that are not there, and what an inspection finds of them."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from resight.photos.examine import Examined, Facts
from resight.photos.findings import Finding
from resight.photos.header import NOTHING
from resight.photos.inspect import Inspection, inspect
from resight.photos.photo import Photo

DAY = datetime(2025, 4, 1)
SOME = ("luna", "sol")


def looked(photos: list[Photo], *, pixels: np.ndarray | None = None, **facts: object) -> Inspection:
    """An inspection of photos that are not there, each with facts of its own."""
    rng = np.random.default_rng(0)
    made = []
    for number, photo in enumerate(photos):
        known = {"content_hash": f"{number}", "bytes": 1, "width": 200, "height": 100}
        known |= {"exif": NOTHING, "brightness": 100.0}
        known |= {"difference_hash": int(rng.integers(1, 2**63))}
        known |= {
            name: value[photo.path.stem]
            for name, value in facts.items()
            if photo.path.stem in value
        }  # type: ignore[index, operator]
        made.append(Facts(**known))  # type: ignore[arg-type]
    if pixels is None:
        pixels = rng.integers(0, 256, (len(photos), 256), dtype=np.uint8)
    return inspect(photos, Examined(made, []), look=lambda places: pixels[places])


def found(inspection: Inspection, kind: str) -> Finding:
    return next(one for one in inspection.findings if one.kind == kind)


def kinds(inspection: Inspection) -> list[str]:
    return [one.kind for one in inspection.findings]


def herd(individuals: int = 6, days: int = 3, each: int = 2, **known: object) -> list[Photo]:
    return [
        Photo(Path(f"{who}-{day}-{n}.jpg"), f"cow {who}", date=DAY + timedelta(day), **known)  # type: ignore[arg-type]
        for who in range(individuals)
        for day in range(days)
        for n in range(each)
    ]
