"""One photo and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture of one individual.

    Attributes:
        path: the file.
        individual: the name of who is on it; None when not known.
        encounter: the meeting it was taken at (photos of one individual at one time and place).
        date: when it was taken.
        side: which side of the body it shows, in the catalogue's own words ("left", "tail", …).
        box: (left, top, right, bottom) in pixels of the upright picture, where the individual is
            only a part of it; right and bottom are exclusive.
        place: where it was taken, in words.
        observer: who took it.
        latitude: degrees, WGS 84, north positive.
        longitude: degrees, WGS 84, east positive.
        split: the part of the photos that the table puts it into, in the table's own word
            ("train", "test", "query", "database", …).
    """

    path: Path
    individual: str | None = None
    encounter: str | None = None
    date: datetime | None = None
    side: str | None = None
    box: tuple[int, int, int, int] | None = None
    place: str | None = None
    observer: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    split: str | None = None
