"""What a catalogue holds, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.refs import individual_id
from resight.catalogue.store import Store
from resight.photos.photo import Photo


@dataclass(frozen=True, slots=True)
class Individual:
    """Somebody with a name.

    Attributes:
        name: its name.
        photos: how many photos there are of it, junk not counted.
        notes: what people have written down.
        fields: sex and whatever else people keep.
        best: the file of the photo that somebody has chosen to know it by, or None.
    """

    name: str
    photos: int
    notes: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    best: Path | None = None


def individuals(store: Store) -> list[Individual]:
    """Everybody, in the order in which they came."""
    people, photos = schema.individuals, schema.photos
    with store.reading() as connection:
        counts = (
            sa.select(photos.c.individual_id, sa.func.count().label("photos"))
            .where(photos.c.state == "in")
            .group_by(photos.c.individual_id)
            .subquery()
        )
        rows = connection.execute(
            sa.select(
                people.c.name, counts.c.photos, people.c.notes, people.c.fields, photos.c.path
            )
            .outerjoin(counts, counts.c.individual_id == people.c.id)
            .outerjoin(photos, its_best())
            .where(~people.c.gone)
            .order_by(people.c.id)
        )
        return [
            Individual(name, n or 0, notes, fields or {}, path and store.whole_path(path))
            for name, n, notes, fields, path in rows
        ]


def its_best() -> sa.ColumnElement[bool]:
    """Joins individuals with their best photos, as far as these are still their own."""
    people, photos = schema.individuals, schema.photos
    return sa.and_(
        photos.c.id == people.c.best_photo_id,
        photos.c.individual_id == people.c.id,
        photos.c.state == "in",
    )


def photos_of(store: Store, name: str) -> list[Photo]:
    """The photos of an individual, in the order in which they were enrolled.

    Raises:
        ResightError: nobody has this name.
    """
    with store.reading() as connection:
        owner = individual_id(store, connection, name)
        return _photos(store, connection, schema.photos.c.individual_id == owner, "in")


def unnamed(store: Store) -> list[Photo]:
    """The photos that nobody has given a name yet, in the order in which they came."""
    with store.reading() as connection:
        return _photos(store, connection, schema.photos.c.individual_id.is_(None), "in")


def junked(store: Store) -> list[Photo]:
    """The photos that are junk, in the order in which they came."""
    with store.reading() as connection:
        return _photos(store, connection, sa.true(), "junk")


def _photos(
    store: Store, connection: sa.Connection, which: sa.ColumnElement[bool], state: str
) -> list[Photo]:
    people, photos, encounters = schema.individuals, schema.photos, schema.encounters
    rows = connection.execute(
        sa.select(
            photos,
            people.c.name,
            encounters.c.name.label("encounter"),
            encounters.c.place,
            encounters.c.observer,
            encounters.c.latitude,
            encounters.c.longitude,
        )
        .outerjoin(people, people.c.id == photos.c.individual_id)
        .outerjoin(encounters, encounters.c.id == photos.c.encounter_id)
        .where(which, photos.c.state == state)
        .order_by(photos.c.id)
    )
    return [
        Photo(
            store.whole_path(row.path),
            row.name,
            row.encounter,
            row.taken_at,
            row.side,
            _box(row.box) if row.box else None,
            row.place,
            row.observer,
            row.latitude,
            row.longitude,
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


def _box(text: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = map(int, text.split(","))
    return left, top, right, bottom
