"""The journal: whatever people do is an action, written down so that it can be taken back.

An action is one transaction. Rows are never deleted: one that goes is hidden, by `gone` (or, of a
photo, by `state`). So all that it takes to undo an action, or to redo it, are the values of some
columns before and after, and those are in `changes`.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from resight.catalogue import bulk, schema
from resight.catalogue.checks import checked_name
from resight.catalogue.images import HIDDEN, SHOWN, compact, runs, spread, to_json
from resight.catalogue.store import Store, chunks

Ids = Sequence[int]


@contextmanager
def acting(
    store: Store, verb: str, summary: str, who: str | None = None, *, undoes: int | None = None
) -> Iterator[Action]:
    """Do something to the catalogue: all that the block does, or nothing of it.

        with acting(store, "rename", "Luna is now called Lune", who) as act:
            act.update(schema.individuals, [7], name="Lune")

    A block that changes nothing and decides nothing leaves no trace.

    Args:
        store: the open catalogue.
        verb: what is done, one word ("enrol", "merge", …).
        summary: that in a sentence for the history; a block that knows more sets `act.summary`
            before it changes the first row.
        who: does it; the computer's user by default.
        undoes: the id of the action that an "undo" takes back or a "redo" does again.

    Raises:
        ResightError: a name for `who` that cannot be one.
    """
    who = computer_user() if who is None else checked_name(who, "the name of who does it")
    try:
        with store.writing() as connection:
            action = Action(connection, verb, summary, who, undoes)
            yield action
            if not action.begun:
                raise _NothingDone  # leaves the transaction, so that not even the revision counts
    except _NothingDone:
        pass


@dataclass(frozen=True, slots=True)
class Done:
    """What was done.

    Attributes:
        action: its number, to take it back by; None when there was nothing to do.
        summary: it in words.
        along: how many photos went along that were not given, as they are of the same encounters.
    """

    action: int | None
    summary: str
    along: int = 0


class Action:
    """An action under way; `acting` makes it.

    Attributes:
        connection: the open transaction. What a person may want back goes through the methods
            below; fingerprints, a cache of facts, are written here directly.
        revision: the catalogue's revision when this is done.
        now: the moment, in UTC.
        who: does it.
        summary: in a sentence; fixed, as `undoes` is, once the first row is changed.
        undoes: the id of the action that this one takes back or does again.
    """

    def __init__(
        self, connection: sa.Connection, verb: str, summary: str, who: str, undoes: int | None
    ) -> None:
        self.connection = connection
        self.verb = verb
        self.summary = summary
        self.who = who
        self.now = datetime.now(UTC)
        about = schema.about.c.revision
        # FOR UPDATE: on PostgreSQL writers queue here, as on SQLite they do at the file's lock.
        self.revision = 1 + connection.scalars(sa.select(about).with_for_update()).one()
        self.undoes = undoes
        self._id: int | None = None

    @property
    def begun(self) -> bool:
        """Whether anything has been changed or decided."""
        return self._id is not None

    @property
    def done(self) -> Done:
        """What has been done, as a value."""
        return Done(self._id, self.summary)

    @property
    def id(self) -> int:
        """Of the action; asking for it writes the action down."""
        if self._id is None:
            row = {
                "at": self.now,
                "who": self.who,
                "verb": self.verb,
                "summary": self.summary,
                "revision": self.revision,
                "undoes": self.undoes,
            }
            actions = schema.actions
            self._id = self.connection.scalars(
                sa.insert(actions).returning(actions.c.id), [row]
            ).one()
        return self._id

    def insert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add rows, all with the same columns; gives their ids, in order."""
        if not rows:
            return []
        if table is schema.photos:
            rows = [{**row, "changed": self.revision} for row in rows]
        ids = insert_rows(self.connection, table, rows)
        self._write_down(table, sorted(ids), HIDDEN[table.name], SHOWN[table.name])
        return ids

    def update(self, table: sa.Table, ids: Iterable[int], **columns: Any) -> list[int]:
        """Give columns of some rows other values; gives the ids of the rows that this changes.

        The photos of an encounter go with it when its individual changes.

        Args:
            table: of individuals, encounters, photos, not_same or about.
            ids: whose rows.
            columns: for each column one value for all rows, or a list with one for each.
        """
        ids = list(ids)
        new = {
            name: dict(zip(ids, value, strict=True))
            if isinstance(value, list)
            else dict.fromkeys(ids, value)
            for name, value in columns.items()
        }
        old = read_columns(self.connection, table, ids, list(columns))
        changed = sorted(i for i in set(ids) if any(new[c][i] != old[c][i] for c in columns))
        names = [c for c in columns if any(new[c][i] != old[c][i] for i in changed)]
        if not changed:
            return []
        after = {name: compact([new[name][i] for i in changed]) for name in names}
        before = {name: compact([old[name][i] for i in changed]) for name in names}
        if table is schema.encounters and "individual_id" in names:
            self._take_photos_along(changed, before, after)
        else:
            self._set(table, changed, after)
            self._write_down(table, changed, before, after)
        return changed

    def decide(
        self,
        what: str,
        photo_ids: Ids,
        individual_ids: int | list[int] | None = None,
        *,
        shown: Any = None,
        probability: float | None = None,
        details: Any = None,
    ) -> list[int]:
        """Write down what a person says of photos; gives the decisions' ids, in order.

        Args:
            what: "enrol", "same", "new", "not the same", "junk", …
            photo_ids: of which photos.
            individual_ids: whose they are by this; one for all, or a list with one for each.
            shown: the candidates that the person saw, ready for JSON.
            probability: that was shown with them.
            details: what else it takes to understand it; for all, or a list with one for each.
        """
        if not photo_ids:
            return []
        count = len(photo_ids)
        whose = individual_ids if isinstance(individual_ids, list) else [individual_ids] * count
        more = details if isinstance(details, list) else [details] * count
        same = {"action_id": self.id, "at": self.now, "who": self.who, "what": what}
        same |= {"shown": shown} if shown is not None else {}  # None would be JSON's null
        same |= {"probability": probability}
        rows = [
            {**same, "photo_id": photo, "individual_id": individual}
            | ({"details": detail} if details is not None else {})
            for photo, individual, detail in zip(photo_ids, whose, more, strict=True)
        ]
        return insert_rows(self.connection, schema.decisions, rows)

    def _take_photos_along(self, ids: Ids, before: dict[str, Any], after: dict[str, Any]) -> None:
        photos, encounters = schema.photos, schema.encounters
        members: dict[int, int] = {}
        for some in chunks(ids):
            rows = self.connection.execute(
                sa.select(photos.c.id, photos.c.encounter_id).where(photos.c.encounter_id.in_(some))
            )
            members |= dict(rows.all())
        photo_ids = sorted(members)
        old = read_columns(self.connection, photos, photo_ids, ["individual_id"])["individual_id"]
        self._set(encounters, ids, after)  # the foreign key takes along photos that had a name
        self._write_down(encounters, ids, before, after)
        whose = dict(zip(ids, spread(after["individual_id"], len(ids)), strict=True))
        changed = [i for i in photo_ids if old[i] != whose[members[i]]]
        if changed:
            new = {"individual_id": compact([whose[members[i]] for i in changed])}
            self._set(photos, changed, new)
            was = {"individual_id": compact([old[i] for i in changed])}
            self._write_down(photos, changed, was, new)

    def _set(self, table: sa.Table, ids: Ids, values: Mapping[str, Any]) -> None:
        one_for_all = {name: v for name, v in values.items() if not isinstance(v, list)}
        if table is schema.photos:
            one_for_all["changed"] = self.revision
        each = {name: v for name, v in values.items() if isinstance(v, list)}
        if not each:
            for some in chunks(ids):
                self.connection.execute(
                    sa.update(table).where(table.c.id.in_(some)).values(one_for_all)
                )
            return
        self.connection.execute(
            sa.update(table)
            .where(table.c.id == sa.bindparam("_id"))
            .values(**one_for_all, **{name: sa.bindparam(f"_{name}") for name in each}),
            [
                {"_id": i, **{f"_{name}": value[place] for name, value in each.items()}}
                for place, i in enumerate(ids)
            ],
        )

    def _write_down(
        self, table: sa.Table, ids: Ids, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        row = {
            "action_id": self.id,
            "table_name": table.name,
            "rows": runs(ids),
            "before": to_json(before),
            "after": to_json(after),
        }
        self.connection.execute(sa.insert(schema.changes), [row])


def computer_user() -> str:
    """Who uses this computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def insert_rows(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Add rows to a table with an integer `id`; gives their ids, in order."""
    if connection.dialect.name == "sqlite" and len(rows) > 1:
        # SQLite gives new ids row by row only, three times slower; but who writes there is alone,
        # so that the next ids are known.
        first = 1 + (connection.scalar(sa.select(sa.func.max(table.c.id))) or 0)
        ids = list(range(first, first + len(rows)))
        numbered = [{**row, "id": i} for i, row in zip(ids, rows, strict=True)]
        connection.execute(sa.insert(table), numbered)
        return ids
    if bulk.worth_it(connection, rows):
        return bulk.copy_rows(connection, table, rows)
    statement = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list(connection.scalars(statement, list(rows)).all())


def read_columns(
    connection: sa.Connection, table: sa.Table, ids: Ids, names: Sequence[str]
) -> dict[str, dict[int, Any]]:
    """For each column the values of these rows, by id."""
    found: dict[str, dict[int, Any]] = {name: {} for name in names}
    for some in chunks(ids):
        rows = connection.execute(
            sa.select(table.c.id, *(table.c[name] for name in names)).where(table.c.id.in_(some))
        )
        for i, *values in rows:
            for name, value in zip(names, values, strict=True):
                found[name][i] = value
    return found


class _NothingDone(Exception):
    """The block of an `acting` has changed nothing."""
