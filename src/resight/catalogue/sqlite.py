"""A catalogue in one SQLite file."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import PATIENCE_SECONDS, NothingThere, Store
from resight.errors import UnusableCatalogue

_HEADER = b"SQLite format 3\x00"


def connect(place: str | os.PathLike[str], *, create: bool) -> Store:
    """The store of a file; nothing is written yet, but where it is to be made, an empty file."""
    path = _file(place)
    if path.is_dir():
        raise UnusableCatalogue(f"{path}: is a folder; name the catalogue's file in it")
    if create and not path.parent.is_dir():
        raise UnusableCatalogue(f"{path}: its folder does not exist; make it first")
    if not create and not path.exists():
        raise UnusableCatalogue(
            f"{path}: there is no catalogue here; to make one, enrol a first photo with --model "
            "(in Python: open it with model= and create=True)"
        )
    try:
        start = path.open("rb").read(16) if path.exists() else b""
    except OSError as error:
        raise UnusableCatalogue(f"{path}: {error.strerror or error}") from error
    if start and start != _HEADER:
        raise UnusableCatalogue(f"{path}: is not a catalogue but some other kind of file")
    engine = sa.create_engine(
        # Not a string: a file's name may hold "?", "#" or "%".
        sa.URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"timeout": PATIENCE_SECONDS},
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    store = Store(
        engine, place=str(path), path=path, why=why, reads={}, writes={"resight_writes": True}
    )
    if create and not start:
        _use_wal(path)
    return store


def prepare(connection: sa.Connection, store: Store) -> bool:
    """Whether the file is empty, so that the tables are to be made."""
    return not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()


def check_ours(connection: sa.Connection, store: Store) -> None:
    """Tell our files from other people's."""
    if connection.exec_driver_sql("PRAGMA application_id").scalar() == schema.APPLICATION_ID:
        return
    if prepare(connection, store):
        raise NothingThere(
            f"{store.place}: is empty; enrolling a first photo with a model fills it"
        )
    raise UnusableCatalogue(f"{store.place}: is a database, but not a catalogue of Resight")


def why(error: BaseException) -> str:
    """What SQLite says, in words that tell what to do."""
    message = str(error)
    for sign, words in {
        "locked": f"another program has held it for {PATIENCE_SECONDS} s; try again later",
        "readonly": "cannot be written to: it or its folder is read-only; copy it to another",
        "unable to open": "cannot be opened: it or its folder is read-only, or not yours to read",
        "disk is full": "the disk is full; nothing was written",
        "disk I/O error": "the disk refused (full or failing?); nothing was written",
        "malformed": "is damaged (cut short, or not copied whole); take your backup",
        "not a database": "is damaged or not a catalogue; take your backup",
        "no such table": "is damaged: a table is missing; take your backup",
    }.items():
        if sign in message:
            return words
    return message


def _file(place: str | os.PathLike[str]) -> Path:
    text = os.fspath(place)
    if not text or "\0" in text:
        raise UnusableCatalogue(f"{text!r} is not a file's name; give the catalogue's file")
    if "://" not in text:
        return Path(text).absolute()
    kind = text.partition("://")[0]
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):  # its words might hold a password
        raise UnusableCatalogue(f"{kind}://…: is neither a path nor a database's URL") from None
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise UnusableCatalogue(
            f"{kind}://…: a catalogue is kept in an SQLite file (give its path) or on PostgreSQL "
            "(postgresql://user@host/database)"
        )
    return Path(url.database).absolute()


def _prepare(connection: Any, record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; Python's own rules are patchy
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if options.get("resight_rebuilds", False):
        # To rebuild a table is to drop it first; whoever asks for this checks the keys afterwards.
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    # A writer queues for its turn at once: one that reads first and then wants to write can be
    # refused however long it waits.
    writes = options.get("resight_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(path: Path) -> None:
    """Let readers and a writer work at once (a file system that cannot keeps SQLite's default)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except sqlite3.Error as error:
            # SQLite does not wait its turn for this one.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise UnusableCatalogue(f"{path}: {why(error)}") from error
            time.sleep(0.02)
