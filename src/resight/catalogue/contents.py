"""What a catalogue holds, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import Store
from resight.errors import ResightError
from resight.photos.photo import Photo


@dataclass(frozen=True, slots=True)
class Individual:
    """Somebody with a name, and how many photos there are of it."""

    name: str
    photos: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody said of a photo.

    Attributes:
        at: when, in UTC.
        who: the name of the computer's user.
        what: "enrol".
        individual: its name now.
        photo: the photo's file, absolute.
    """

    at: datetime
    who: str
    what: str
    individual: str
    photo: Path


def individuals(store: Store) -> list[Individual]:
    """Everybody, in the order in which they came."""
    people, photos = schema.individuals, schema.photos
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(people.c.name, sa.func.count(photos.c.id))
            .outerjoin(photos, photos.c.individual_id == people.c.id)
            .group_by(people.c.id)
            .order_by(people.c.id)
        )
        return [Individual(name, count) for name, count in rows]


def photos_of(store: Store, name: str) -> list[Photo]:
    """The photos of an individual, in the order in which they were enrolled.

    Raises:
        ResightError: nobody has this name.
    """
    people, photos, encounters = schema.individuals, schema.photos, schema.encounters
    with store.reading() as connection:
        individual = connection.scalar(sa.select(people.c.id).where(people.c.name == name))
        if individual is None:
            raise ResightError(f"{store.path}: nobody here is called {name!r}")
        rows = connection.execute(
            sa.select(photos, encounters.c.name.label("encounter"))
            .outerjoin(encounters, encounters.c.id == photos.c.encounter_id)
            .where(photos.c.individual_id == individual)
            .order_by(photos.c.id)
        ).all()
    return [
        Photo(
            store.whole_path(row.path),
            name,
            row.encounter,
            row.taken_at,
            row.side,
            _box(row.box) if row.box else None,
        )
        for row in rows
    ]


def names_and_paths(store: Store) -> dict[int, tuple[str, Path]]:
    """For the id of every photo that has a name: that name, and its file."""
    people, photos = schema.individuals, schema.photos
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(photos.c.id, people.c.name, photos.c.path).join(
                people, people.c.id == photos.c.individual_id
            )
        )
        return {i: (name, store.whole_path(path)) for i, name, path in rows}


def history(store: Store) -> list[Decision]:
    """Every decision, the oldest first."""
    decisions, people, photos = schema.decisions, schema.individuals, schema.photos
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(
                decisions.c.at, decisions.c.who, decisions.c.what, people.c.name, photos.c.path
            )
            .join(people, people.c.id == decisions.c.individual_id)
            .join(photos, photos.c.id == decisions.c.photo_id)
            .order_by(decisions.c.id)
        )
        return [
            Decision(at, who, what, name, store.whole_path(path))
            for at, who, what, name, path in rows
        ]


def _box(text: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = map(int, text.split(","))
    return left, top, right, bottom
