"""Whether a catalogue is sound: its rows, its fingerprints, and the photos' files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.own_model import find_model
from resight.catalogue.parts import exclude_here
from resight.catalogue.store import Store
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.stream import progress_bar, usable_processors

_AT_ONCE = 8192  # fingerprints in memory at a time
people, meetings, photos = schema.individuals, schema.encounters, schema.photos
prints, decisions, not_same = schema.fingerprints, schema.decisions, schema.not_same


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        what: in a few words, the same for all of its kind.
        where: each place where it is so.
    """

    what: str
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check looked at, and what it found.

    Attributes:
        counts: how many rows of each kind it went through, and how many files it read.
        findings: what is wrong; nothing, if all is well.
    """

    counts: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def check(store: Store, *, files: bool = True, progress: bool = False) -> Checked:
    """Go through a whole catalogue.

    Args:
        store: the open catalogue.
        files: also whether each photo's file is where it was and holds the same bytes.
        progress: show a bar on stderr while reading them.

    Raises:
        UnusableCatalogue: it cannot be read at all.
    """
    found: list[Finding] = []
    with store.reading() as connection:
        if store.dialect == "sqlite":
            broken = _damage(connection)
            if broken != ["ok"]:  # what else is asked of it would be of no worth
                return Checked({}, (Finding("the file is damaged; take your backup", (*broken,)),))
            for table, row, other, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                found.append(Finding(f"refers to {other} that are not there", (f"{table} {row}",)))
        counts = {
            table.name: connection.scalars(sa.select(sa.func.count()).select_from(table)).one()
            for table in (people, meetings, photos, prints, decisions, schema.actions)
        }
        for look in (_rows, _log, _vectors):
            found += [Finding(what, tuple(where)) for what, where in look(connection) if where]
        rows = connection.execute(
            sa.select(photos.c.path, photos.c.content_hash)
            .where(photos.c.state == "in")
            .distinct()
            .order_by(photos.c.path)
        ).all()
        model_id = connection.scalars(sa.select(schema.about.c.model_id)).one()
    if files:
        counts["files"] = len(rows)
        found += _files(store, rows, progress)
        try:
            find_model(store, model_id)
        except ResightError as error:
            found.append(Finding("the model cannot be used", (str(error),)))
    return Checked(counts, tuple(found))


def _damage(connection: sa.Connection) -> list[str]:
    try:
        return [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    except sa.exc.DatabaseError as error:  # too damaged to say where
        return [str(error.orig)]


Told = Iterator[tuple[str, Sequence[str]]]


def _ids(connection: sa.Connection, query: sa.Select[Any], word: str) -> list[str]:
    return [f"{word} {' and '.join(map(str, row))}" for row in connection.execute(query)]


def _rows(connection: sa.Connection) -> Told:
    """What the tables' own rules cannot hold them to."""
    here = photos.c.state != "gone"
    own = sa.select(photos.c.id).order_by(photos.c.id)
    queries = {
        "named by somebody who is gone": own.join(people, people.c.id == photos.c.individual_id)
        .where(here, people.c.gone),
        "of an encounter that is gone, or was never there": own.outerjoin(
            meetings, meetings.c.id == photos.c.encounter_id
        ).where(here, photos.c.encounter_id.is_not(None), meetings.c.gone.is_not(sa.false())),
        "named otherwise than its encounter": own.join(
            meetings, meetings.c.id == photos.c.encounter_id
        ).where(here, meetings.c.individual_id.is_distinct_from(photos.c.individual_id)),
        "without a fingerprint of the model in use (refingerprint makes it)": own.where(
            photos.c.state == "in",
            photos.c.individual_id.is_not(None),
            ~sa.exists().where(
                prints.c.photo_id == photos.c.id,
                prints.c.model_id == sa.select(schema.about.c.model_id).scalar_subquery(),
            ),
        ),
    }  # fmt: skip
    for what, query in queries.items():
        yield what, _ids(connection, query, "photo")
    yield (
        "an encounter of somebody who is gone",
        _ids(
            connection,
            sa.select(meetings.c.id)
            .join(people, people.c.id == meetings.c.individual_id)
            .where(~meetings.c.gone, people.c.gone),
            "encounter",
        ),
    )
    yield (
        "best known by a photo that was never there",
        _ids(
            connection,
            sa.select(people.c.id)
            .outerjoin(photos, photos.c.id == people.c.best_photo_id)
            .where(people.c.best_photo_id.is_not(None), photos.c.id.is_(None)),
            "individual",
        ),
    )
    one, two = photos.alias("one"), photos.alias("two")
    both = (one.c.state == "in", two.c.state == "in", one.c.individual_id == two.c.individual_id)
    pair = sa.select(one.c.id, two.c.id)
    yield "two parts of one picture, with one name", _ids(
        connection,
        pair.join(two, sa.and_(two.c.content_hash == one.c.content_hash, two.c.id > one.c.id))
        .where(*both, one.c.box != "", two.c.box != "", exclude_here(one.c.path)),
        "photos",
    )  # fmt: skip
    yield (
        "said to be not the same, and with one name",
        _ids(
            connection,
            pair.select_from(not_same)
            .join(one, one.c.id == not_same.c.first_photo_id)
            .join(two, two.c.id == not_same.c.second_photo_id)
            .where(
                one.c.individual_id == two.c.individual_id,
                one.c.state != "gone",
                two.c.state != "gone",
                ~not_same.c.gone,
            ),
            "photos",
        ),
    )


def _log(connection: sa.Connection) -> Told:
    """Whether what people said and did is all there, in order, and guarded."""
    actions = schema.actions
    rows = connection.execute(sa.select(actions.c.id, actions.c.revision).order_by(actions.c.id))
    known = connection.scalars(sa.select(schema.about.c.revision)).one()
    last, wrong = 0, []
    for i, revision in rows:
        if not last < revision <= known:
            wrong.append(f"action {i}")
        last = revision
    yield "out of order", wrong
    if connection.dialect.name == "sqlite":
        guards = set(
            connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            .scalars()
            .all()
        )
        # A number once given is given no second time, and none is skipped but on a server, before
        # the catalogue came home from there: `backup` writes down how many.
        missing, gone = 0, []
        for table in (actions, decisions, schema.changes):
            count, highest, given = connection.exec_driver_sql(
                f"SELECT count(*), coalesce(max(id), 0), coalesce((SELECT seq FROM "
                f"sqlite_sequence WHERE name = '{table.name}'), 0) FROM {table.name}"
            ).one()
            missing += given - count
            if not count == highest == given:
                gone.append(f"{table.name}: {count} of {given} are left")
        if missing != connection.exec_driver_sql("PRAGMA user_version").scalar():
            yield "rows have been taken out", gone
    else:
        query = (
            "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace "
            "n ON n.oid = c.relnamespace WHERE nspname = current_schema() AND tgenabled = 'O'"
        )
        guards = set(connection.exec_driver_sql(query).scalars().all())
    wanted = {f"{t}_no_{v}" for t in ("actions", "changes", "decisions") for v in _VERBS}
    yield "the guard against changing the log is gone", sorted(wanted - guards)


_VERBS = ("update", "delete")


def _vectors(connection: sa.Connection) -> Told:
    """Whether each fingerprint is a unit vector as long as its model says."""
    dims = {
        i: json.loads(card).get("dim")
        for i, card in connection.execute(sa.select(schema.models.c.id, schema.models.c.card))
    }
    wrong: dict[str, list[str]] = {}
    query = sa.select(prints.c.id, prints.c.model_id, prints.c.dim, prints.c.vector)
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(query.order_by(prints.c.id))
    for some in rows.partitions():
        alike: dict[int, list[tuple[int, bytes]]] = {}
        for i, model_id, dim, vector in some:
            if len(vector) != 4 * dim or dims[model_id] not in (dim, None):
                wrong.setdefault("of another length than its model's", []).append(f"{i}")
            else:
                alike.setdefault(dim, []).append((i, vector))
        for dim, pairs in alike.items():
            block = np.frombuffer(b"".join(v for _, v in pairs), "<f4").reshape(-1, dim)
            lengths = np.linalg.norm(block.astype(np.float64), axis=1)
            for what, bad in (
                ("with numbers that are none", ~np.isfinite(lengths)),
                ("not of unit length", np.isfinite(lengths) & (np.abs(lengths - 1) > 1e-3)),
            ):
                if bad.any():
                    wrong.setdefault(what, []).extend(
                        str(pairs[place][0]) for place in np.flatnonzero(bad)
                    )
    for what, ids in wrong.items():
        yield what, [f"fingerprint {i}" for i in ids]


def _files(store: Store, rows: Sequence[Any], progress: bool) -> list[Finding]:
    def look(row: Any) -> tuple[str, str] | None:
        path = store.whole_path(row.path)
        try:
            same = content_hash(path) == row.content_hash
        except UnreadablePhoto as error:
            return f"the file cannot be read: {error.reason}", str(path)
        return None if same else ("the file is not the picture that was enrolled", str(path))

    wrong: dict[str, list[str]] = {}
    bar = progress_bar("Reading photos", len(rows)) if progress else nullcontext(_silent)
    with bar as advance, ThreadPoolExecutor(usable_processors()) as pool:
        for told in pool.map(look, rows):
            advance(1)
            if told is not None:
                wrong.setdefault(told[0], []).append(told[1])
    return [Finding(what, tuple(where)) for what, where in wrong.items()]


_silent: Callable[[int], None] = lambda done: None  # noqa: E731
