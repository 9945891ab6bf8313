"""What a page shows of an individual with all its photos, and where everybody was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.browse import Shown, photos_shown
from resight.catalogue.contents import its_best
from resight.catalogue.faces import by_camera
from resight.catalogue.store import Store
from resight.errors import ResightError

MOST_PLACES = 5000


@dataclass(frozen=True, slots=True)
class Meeting:
    """Photos of one individual at one time and place, as far as that is known.

    Attributes:
        name: of the encounter; None for photos of one day, or without a date, that have none.
        at: when it began, by the camera's clock.
        place, observer: in words.
        latitude, longitude: degrees, WGS 84.
        photos: in the order in which they were taken.
    """

    name: str | None
    at: datetime | None
    place: str | None
    observer: str | None
    latitude: float | None
    longitude: float | None
    photos: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Portrait:
    """All of an individual.

    Attributes:
        id: its number.
        name: its name.
        best: the number of the photo that somebody has chosen to know it by, or None.
        junk: how many more photos of it are junk.
        notes: what people have written down.
        fields: sex and whatever else people keep.
        meetings: with all its photos; the newest first, those without a date last.
    """

    id: int
    name: str
    best: int | None
    junk: int
    notes: str
    fields: Mapping[str, str]
    meetings: tuple[Meeting, ...]

    @property
    def photos(self) -> list[Shown]:
        """Of all meetings."""
        return [photo for meeting in self.meetings for photo in meeting.photos]


@dataclass(frozen=True, slots=True)
class Place:
    """Where encounters were.

    Attributes:
        latitude, longitude: degrees, WGS 84, to as many places as tell them apart on a small map.
        encounters: how many.
    """

    latitude: float
    longitude: float
    encounters: int


def portrait(store: Store, number: int) -> Portrait:
    """An individual by its number, with all its photos.

    Raises:
        ResightError: there is none, or it has been merged into another, or let go of.
    """
    people, photos, meetings = schema.individuals, schema.photos, schema.encounters
    with store.reading() as connection:
        row = connection.execute(
            sa.select(people, photos.c.id.label("best"))
            .outerjoin(photos, its_best())
            .where(people.c.id == number)
        ).first()
        if row is None:
            raise ResightError(f"individual {number}: nobody in {store.place} has this number")
        if row.gone:
            raise ResightError(
                f"{row.name!r} is not there any more: merged into another, or let go of, or its "
                "making was taken back; the history tells, and takes back"
            )
        ids: dict[str, list[int]] = {"in": [], "junk": []}
        for photo, state in connection.execute(
            sa.select(photos.c.id, photos.c.state)
            .where(photos.c.individual_id == number, photos.c.state != "gone")
            .order_by(photos.c.id)
        ):
            ids[state].append(photo)
        shown = photos_shown(store, connection, ids["in"])
        known = {
            one.id: one
            for one in connection.execute(
                sa.select(meetings).where(meetings.c.individual_id == number, ~meetings.c.gone)
            )
        }
    return Portrait(
        number,
        row.name,
        row.best,
        len(ids["junk"]),
        row.notes,
        row.fields or {},
        _meetings(shown, known),
    )


def places(store: Store) -> list[Place]:
    """Where the catalogue's encounters were, those within some 100 m as one.

    Of very many, those within a km, 10 km or 100 km are one, so that a few thousand are left.
    """
    meetings = schema.encounters
    where = (meetings.c.latitude, meetings.c.longitude)
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(*where, sa.func.count())
            .where(~meetings.c.gone, *(degrees.is_not(None) for degrees in where))
            .group_by(*where)
        ).all()
    spots = np.array([row[:2] for row in rows]).reshape(-1, 2)
    counts = np.array([row[2] for row in rows], np.int64)
    for digits in (3, 2, 1, 0):
        apart, group = np.unique(spots.round(digits), axis=0, return_inverse=True)
        if len(apart) <= MOST_PLACES:
            break
    many = np.bincount(group.reshape(-1), counts, len(apart)).astype(np.int64)
    return [
        Place(latitude, longitude, encounters)
        for (latitude, longitude), encounters in zip(apart.tolist(), many.tolist(), strict=True)
    ]


def _meetings(photos: Sequence[Shown], known: Mapping[int, Any]) -> tuple[Meeting, ...]:
    groups: dict[Any, list[Shown]] = {}
    for photo in photos:
        day = photo.taken_at and photo.taken_at.date()
        key = day if photo.encounter_id is None else photo.encounter_id
        groups.setdefault(key, []).append(photo)
    found = []
    for key, some in groups.items():
        some.sort(key=lambda photo: (photo.taken_at or datetime.max, photo.id))
        row = known.get(key) if isinstance(key, int) else None
        began = by_camera(None if row is None else row.began_at)
        found.append(
            Meeting(
                None if row is None else row.name,
                some[0].taken_at or (began[0] if began else None),
                None if row is None else row.place,
                None if row is None else row.observer,
                None if row is None else row.latitude,
                None if row is None else row.longitude,
                tuple(some),
            )
        )
    dated = [one for one in found if one.at is not None]
    dated.sort(key=lambda one: one.at or datetime.min, reverse=True)
    return (*dated, *(one for one in found if one.at is None))
