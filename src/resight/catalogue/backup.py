"""A copy of a catalogue in one SQLite file, checked before it gets its name."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from resight.catalogue import schema, sqlite
from resight.catalogue.store import Store, lay_out
from resight.errors import ResightError, UnusableCatalogue

_AT_ONCE = 1000  # rows that are read from a server at a time


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made.

    Attributes:
        path: the file.
        photos: how many it knows (the photos' own files are not in it).
        bytes: its size.
    """

    path: Path
    photos: int
    bytes: int


def backup(store: Store, out: str | os.PathLike[str], *, replace: bool = False) -> Backup:
    """Copy a catalogue, as it is at one moment, into an SQLite file; others may go on writing.

    From PostgreSQL it is the same tables, row by row: a catalogue to take home.

    Args:
        store: the open catalogue.
        out: the file; it appears when it is whole and has been read through, and not before.
        replace: put it in the place of an older file.

    Raises:
        ResightError: there is a file already, or the catalogue's own.
        UnusableCatalogue: no such folder, no room, or the copy is damaged as the catalogue is.
    """
    target = Path(out).absolute()
    _check_target(store, target, replace)
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)  # of a backup that was stopped
        if store.path is not None:
            with closing(sqlite3.connect(store.path)) as old, closing(sqlite3.connect(part)) as new:
                old.backup(new)
        else:
            _copy_rows(store, part)
        photos = _read_through(store, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        words = sqlite.why(error) if isinstance(error, sqlite3.Error) else error.strerror
        raise UnusableCatalogue(f"{target}: {words or error}; there is no backup") from error
    finally:
        for beside in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + beside).unlink(missing_ok=True)
    return Backup(target, photos, target.stat().st_size)


def _check_target(store: Store, target: Path, replace: bool) -> None:
    if not target.parent.is_dir():
        raise UnusableCatalogue(f"{target}: its folder does not exist; make it first")
    if target.is_dir():
        raise UnusableCatalogue(f"{target}: is a folder; name a file in it")
    if not target.exists():
        return
    if store.path is not None and target.samefile(store.path):
        raise ResightError(f"{target}: is the catalogue itself; name another file")
    if not replace:
        raise ResightError(
            f"{target}: is there already; name another file, or put this one in its place with "
            "--replace"
        )


def _copy_rows(store: Store, path: Path) -> None:
    """Every row of every table into a new file, in the order of their ids."""
    engine = sa.create_engine(sa.URL.create("sqlite+pysqlite", database=str(path)))
    try:
        with store.reading() as old, engine.begin() as new:
            lay_out(new)
            old = old.execution_options(yield_per=_AT_ONCE)
            for table in schema.metadata.sorted_tables:
                if table is schema.alembic_version:
                    continue
                rows = old.execute(sa.select(table).order_by(*table.primary_key))
                for some in rows.mappings().partitions():
                    new.execute(sa.insert(table), [dict(row) for row in some])
            # A server gives the number of a refused action to nobody else; `check` must know.
            gaps = sum(
                new.scalars(sa.select(sa.func.coalesce(sa.func.max(t.c.id), 0))).one()
                - new.scalars(sa.select(sa.func.count(t.c.id))).one()
                for t in (schema.actions, schema.decisions, schema.changes)
            )
            new.exec_driver_sql(f"PRAGMA user_version = {gaps:d}")
    except sa.exc.DBAPIError as error:
        raise UnusableCatalogue(
            f"{path}: {sqlite.why(error.orig or error)}; there is no backup"
        ) from error
    finally:
        engine.dispose()


def _read_through(store: Store, path: Path) -> int:
    """Whether the copy is sound; how many photos it has."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise UnusableCatalogue(
                f"{store.place}: is damaged ({found[0]}), and a copy of it would be too; "
                "take an older backup"
            )
        return connection.execute("SELECT count(*) FROM photos WHERE state <> 'gone'").fetchone()[0]
