"""What people have done and said: the history of a catalogue, a photo, an individual."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.refs import individual_id
from resight.catalogue.store import Store
from resight.catalogue.undo import undone_ids


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody said of a photo.

    Attributes:
        at: when, in UTC.
        who: said it.
        what: "enrol", "same", "new", "not the same", "junk", …
        individual: whose it is by this, by its name now; None when it says nothing of that.
        photo: the photo's file, absolute.
        undone: whether it has been taken back.
        shown: the candidates that the person saw, or None.
        probability: that was shown with them, or None.
        details: what else it takes to understand it, or None.
    """

    at: datetime
    who: str
    what: str
    individual: str | None
    photo: Path
    undone: bool = False
    shown: Any = None
    probability: float | None = None
    details: Any = None


@dataclass(frozen=True, slots=True)
class Event:
    """What somebody did: an action.

    Attributes:
        action: its number, to take it back by.
        at: when, in UTC.
        who: did it.
        verb: "enrol", "merge", …, "undo", "redo".
        summary: it in words.
        undone: whether it has been taken back.
        undoes: for an undo and a redo the number of the action; else None.
        said: in the history of a photo, what the action says of it.
    """

    action: int
    at: datetime
    who: str
    verb: str
    summary: str
    undone: bool
    undoes: int | None = None
    said: tuple[Decision, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The event in strings, numbers, lists and dictionaries, ready for JSON."""
        return {
            "action": self.action,
            "at": self.at.isoformat(),
            "who": self.who,
            "verb": self.verb,
            "summary": self.summary,
            "undone": self.undone,
            "undoes": self.undoes,
            "said": [
                {
                    "what": one.what,
                    "individual": one.individual,
                    "photo": str(one.photo),
                    "shown": one.shown,
                    "probability": one.probability,
                    "details": one.details,
                }
                for one in self.said
            ],
        }


def decisions(store: Store, photo_id: int | None = None) -> list[Decision]:
    """Every decision, or every one on a photo, the oldest first."""
    with store.reading() as connection:
        return [said for _, said in _said(store, connection, photo_id)]


def history(store: Store) -> list[Event]:
    """Everything that was done, the oldest first."""
    with store.reading() as connection:
        return _events(connection, None)


def newest_events(store: Store, count: int, *, before: int | None = None) -> list[Event]:
    """The last things that people did, the newest first; of those before an action's number."""
    with store.reading() as connection:
        table = schema.actions
        ids = sa.select(table.c.id).order_by(table.c.id.desc()).limit(count)
        if before is not None:
            ids = ids.where(table.c.id < before)
        return _events(connection, set(connection.scalars(ids)))[::-1]


def photo_history(store: Store, photo_id: int) -> list[Event]:
    """What was done to a photo and said of it, the oldest first."""
    with store.reading() as connection:
        said: dict[int, list[Decision]] = {}
        for action_id, one in _said(store, connection, photo_id):
            if action_id is not None:
                said.setdefault(action_id, []).append(one)
        ids = _touching(connection, schema.photos, photo_id) | set(said)
        return [
            replace(event, said=tuple(said.get(event.action, ())))
            for event in _events(connection, ids)
        ]


def individual_history(store: Store, name: str) -> list[Event]:
    """What was done to an individual and with its photos, the oldest first.

    Raises:
        ResightError: nobody has this name.
    """
    table = schema.decisions
    with store.reading() as connection:
        owner = individual_id(store, connection, name)
        ids = _touching(connection, schema.individuals, owner) | _leaving(connection, owner)
        ids |= set(
            connection.scalars(
                sa.select(table.c.action_id)
                .where(table.c.individual_id == owner, table.c.action_id.is_not(None))
                .distinct()
            )
        )
        return _events(connection, ids)


def _said(
    store: Store, connection: sa.Connection, photo_id: int | None
) -> Iterator[tuple[int | None, Decision]]:
    table, people, photos = schema.decisions, schema.individuals, schema.photos
    undone = set(connection.scalars(undone_ids()))
    query = (
        sa.select(table, people.c.name, photos.c.path)
        .outerjoin(people, people.c.id == table.c.individual_id)
        .join(photos, photos.c.id == table.c.photo_id)
        .order_by(table.c.id)
    )
    if photo_id is not None:
        pairs = schema.not_same  # a "no" is said of both its photos
        both = (pairs.c.first_photo_id == photo_id) | (pairs.c.second_photo_id == photo_id)
        nos = sa.select(pairs.c.decision_id).where(both)
        query = query.where((table.c.photo_id == photo_id) | table.c.id.in_(nos))
    for row in connection.execute(query):
        yield (
            row.action_id,
            Decision(
                row.at,
                row.who,
                row.what,
                row.name,
                store.whole_path(row.path),
                row.action_id in undone,
                row.shown,
                row.probability,
                row.details,
            ),
        )


def _events(connection: sa.Connection, ids: set[int] | None) -> list[Event]:
    undone = set(connection.scalars(undone_ids()))
    query = sa.select(schema.actions).order_by(schema.actions.c.id)
    if ids is not None:  # a few of many, or many: what lies between them is read in vain
        query = query.where(schema.actions.c.id.between(min(ids, default=0), max(ids, default=0)))
    return [
        Event(row.id, row.at, row.who, row.verb, row.summary, row.id in undone, row.undoes)
        for row in connection.execute(query)
        if ids is None or row.id in ids
    ]


def _touching(connection: sa.Connection, table: sa.Table, row_id: int) -> set[int]:
    """The actions that changed a row."""
    changes = schema.changes
    return {
        action_id
        for action_id, spans in connection.execute(
            sa.select(changes.c.action_id, changes.c.rows).where(changes.c.table_name == table.name)
        )
        if any(first <= row_id <= last for first, last in spans)
    }


def _leaving(connection: sa.Connection, owner: int) -> set[int]:
    """The actions that took photos from an individual."""
    changes = schema.changes
    found = set()
    for action_id, before in connection.execute(
        sa.select(changes.c.action_id, changes.c.before).where(
            changes.c.table_name == schema.photos.name
        )
    ):
        whose = before.get("individual_id")
        if owner in whose if isinstance(whose, list) else whose == owner:
            found.add(action_id)
    return found
