"""Everybody with the photo that each is shown by, and after a decision only those it touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.contents import its_best
from resight.catalogue.images import unrolled
from resight.catalogue.store import Store, chunks

# More changes, or rows changed, than this since are not followed: everybody is read again.
_MOST_CHANGES, _MOST_ROWS = 500, 5000


@dataclass(frozen=True, slots=True)
class Face:
    """An individual on the wall.

    Attributes:
        id: its number; it stays through every renaming.
        name: its name.
        photos: how many there are of it, junk not counted.
        encounters: how many of them are known by a name.
        last: when it was seen last, by the camera's clock; None where no photo has a date.
        photo: the number of the photo that it is shown by: its best one, or else its first; None
            where it has none.
    """

    id: int
    name: str
    photos: int
    encounters: int
    last: datetime | None
    photo: int | None


@dataclass(frozen=True, eq=False)
class Faces:
    """Everybody at one moment.

    Attributes:
        everybody: by number.
        touched: who may be another since the view that this one goes on from, or be gone; None
            where everybody was read.
    """

    everybody: Mapping[int, Face]
    touched: frozenset[int] | None
    _revision: int
    _last: tuple[int, Any]  # the last action and when it was: tells a backup put in its place


def faces(store: Store) -> list[Face]:
    """Everybody, in the order in which they came."""
    with store.reading() as connection:
        return _read(connection)


def faces_now(store: Store, known: Faces | None = None) -> Faces:
    """Everybody as of now, read on from what an earlier call gave: that itself if it still is so.

    Whatever people do is in the journal; so only whom that names is read again.
    """
    about, actions = schema.about, schema.actions
    with store.reading() as connection:
        revision = connection.scalars(sa.select(about.c.revision)).one()
        last = connection.execute(
            sa.select(actions.c.id, actions.c.at).order_by(actions.c.id.desc()).limit(1)
        ).first()
        now = (revision, tuple(last) if last else (0, None))
        if known is not None and now == (known._revision, known._last):
            return known
        touched = None if known is None else _touched(connection, known, revision)
        if known is None or touched is None:
            return Faces({one.id: one for one in _read(connection)}, None, *now)
        everybody = {**known.everybody}
        for number in touched:
            everybody.pop(number, None)
        everybody |= {one.id: one for one in _read(connection, sorted(touched))}
    return Faces(everybody, frozenset(touched), *now)


def _touched(connection: sa.Connection, known: Faces, revision: int) -> set[int] | None:
    """Whose rows, photos or encounters were changed since; None where that is not to be told."""
    actions, changes = schema.actions, schema.changes
    before, at = known._last
    if before and connection.scalar(sa.select(actions.c.at).where(actions.c.id == before)) != at:
        return None
    since = connection.scalar(sa.select(sa.func.count()).where(actions.c.id > before))
    if since != revision - known._revision:  # something was written that is no action
        return None
    some = connection.execute(
        sa.select(changes.c.table_name, changes.c.rows, changes.c.before, changes.c.after)
        .where(changes.c.action_id > before)
        .limit(_MOST_CHANGES + 1)
    ).all()
    rows: dict[str, set[int]] = {"individuals": set(), "photos": set(), "encounters": set()}
    for name, spans, was, new in some:
        if name not in rows:
            continue
        if len(some) > _MOST_CHANGES or sum(1 + end - start for start, end in spans) > _MOST_ROWS:
            return None
        rows[name] |= {*unrolled(spans)}
        for image in (was, new):  # an owner between two changes is in the first of them
            whose = image.get("individual_id")
            rows["individuals"] |= {*(whose if isinstance(whose, list) else [whose])}
    for table in (schema.photos, schema.encounters):
        for ids in chunks(sorted(rows[table.name])):
            owners = sa.select(table.c.individual_id).where(table.c.id.in_(ids)).distinct()
            rows["individuals"] |= {*connection.scalars(owners)}
    found = rows["individuals"] - {None}
    return found if len(found) <= _MOST_CHANGES else None


def _read(connection: sa.Connection, only: Sequence[int] | None = None) -> list[Face]:
    """Everybody, or some few, in the order in which they came."""
    people, photos, meetings = schema.individuals, schema.photos, schema.encounters
    count, latest = sa.func.count, sa.func.max

    def among(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return column.is_not(None) if only is None else column.in_(only)

    # Three plain queries: joined into one they take twice as long, and pages wait for this.
    own = (
        sa.select(
            photos.c.individual_id, count(), sa.func.min(photos.c.id), latest(photos.c.taken_at)
        )
        .where(photos.c.state == "in", among(photos.c.individual_id))
        .group_by(photos.c.individual_id)
    )
    met = (
        sa.select(meetings.c.individual_id, count(), latest(meetings.c.began_at))
        .where(~meetings.c.gone, among(meetings.c.individual_id))
        .group_by(meetings.c.individual_id)
    )
    everybody = (
        sa.select(people.c.id, people.c.name, photos.c.id)
        .outerjoin(photos, its_best())
        .where(~people.c.gone, among(people.c.id))
        .order_by(people.c.id)
    )
    of = {who: row for who, *row in connection.execute(own)}
    at = {who: row for who, *row in connection.execute(met)}
    found = []
    for number, name, best in connection.execute(everybody):
        many, first, taken = of.get(number, (0, None, None))
        encounters, began = at.get(number, (0, None))
        last = max(by_camera(taken, began), default=None)
        found.append(Face(number, name, many, encounters, last, first if best is None else best))
    return found


def by_camera(*moments: datetime | None) -> list[datetime]:
    """Those that are there, by the camera's clock; an encounter's has that as if it were UTC."""
    return [one.replace(tzinfo=None) for one in moments if one is not None]
