"""The catalogue's file: opening it, reading from it, and writing to it, all or nothing.

Everything that goes wrong with the file comes out as one `UnusableCatalogue` in plain words.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from resight.catalogue import schema
from resight.errors import UnusableCatalogue

T = TypeVar("T")

# How long a writer waits for its turn before a person hears of it.
PATIENCE_SECONDS = 30


class Store:
    """An open catalogue file. Usable from several threads; every block below is one transaction.

    Attributes:
        path: the file, absolute.
        folder: its folder; paths below it are kept relative to it, so that the whole can move.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self._engine = sa.create_engine(
            # Not a string: a file's name may hold "?", "#" or "%".
            sa.URL.create("sqlite+pysqlite", database=str(path)),
            connect_args={"timeout": PATIENCE_SECONDS},
        )
        sa.event.listen(self._engine, "connect", _prepare)
        sa.event.listen(self._engine, "begin", _begin)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One unchanging view of the catalogue, whatever others write meanwhile."""
        with self._in_words(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """All that is written in the block, or nothing of it; waits its turn behind others.

        Counts the catalogue's revision up by one, so that every cache notices.
        """
        with self._in_words(), self._engine.connect() as connection:
            connection = connection.execution_options(resight_writes=True)
            with connection.begin():
                yield connection
                about = schema.about
                connection.execute(sa.update(about).values(revision=about.c.revision + 1))

    def close(self) -> None:
        """Let go of the file. What SQLite kept beside it (`-wal`, `-shm`) goes back into it."""
        self._engine.dispose()

    def kept_path(self, path: str | os.PathLike[str]) -> str:
        """How a path is written down: relative to the folder when below it, else absolute."""
        absolute = os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)
        below = os.path.join(self.folder, "")  # noqa: PTH118
        if absolute.startswith(below):
            return absolute[len(below) :].replace(os.sep, "/")
        return absolute

    def whole_path(self, kept: str) -> Path:
        """The absolute path of one that was written down."""
        return self.folder / kept

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise  # the schema stopped a mistake of ours, which is nobody's file's fault
        except DBAPIError as error:
            raise UnusableCatalogue(f"{self.path}: {_why(str(error.orig))}") from error


def open_store(place: str | os.PathLike[str]) -> Store:
    """Open the catalogue at `place`: a file's path, or its URL (`sqlite:///whales.db`).

    Raises:
        UnusableCatalogue: nothing there, or something else, or of a newer Resight, or not ours
            to read.
    """
    path = _file(place)
    if path.is_dir():
        raise UnusableCatalogue(f"{path}: is a folder; name the catalogue's file in it")
    if not path.exists():
        raise UnusableCatalogue(
            f"{path}: there is no catalogue here; to make one, enrol a first photo with --model "
            "(in Python: open it with model= and create=True)"
        )
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise UnusableCatalogue(f"{path}: {error.strerror or error}") from error
    if start and start != b"SQLite format 3\x00":
        raise UnusableCatalogue(f"{path}: is not a catalogue but some other kind of file")
    store = Store(path)
    try:
        with store.reading() as connection:
            _check(connection, path)
    except BaseException:
        store.close()
        raise
    return store


def create_store(
    place: str | os.PathLike[str], *, model_id: str, card: str, model_path: Path
) -> Store:
    """Make a catalogue for one model, or open it when somebody was quicker.

    Args:
        place: where; its folder must exist.
        model_id: of the model whose fingerprints it will hold.
        card: the model's card, as JSON.
        model_path: where the model's file is now.

    Raises:
        UnusableCatalogue: no such folder, not ours to write in, or another kind of file there.
    """
    path = _file(place)
    if not path.parent.is_dir():
        raise UnusableCatalogue(f"{path}: its folder does not exist; make it first")
    if path.exists() and path.stat().st_size > 0:
        try:
            return open_store(path)
        except _EmptyFile:
            pass
    store = Store(path)
    try:
        _use_wal(store)
        with store.reading() as connection:
            connection = connection.execution_options(resight_writes=True)
            with connection.begin():
                if not sa.inspect(connection).get_table_names():
                    _lay_out(connection, store, model_id, card, model_path)
                _check(connection, path)
    except BaseException:
        store.close()
        raise
    return store


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """A few thousand at a time: SQLite takes no more than 32,766 values in a statement."""
    for start in range(0, len(values), 5000):
        yield values[start : start + 5000]


class _EmptyFile(UnusableCatalogue):
    """A database with nothing in it, such as an interrupted start leaves."""


def _file(place: str | os.PathLike[str]) -> Path:
    text = os.fspath(place)
    if not text or "\0" in text:
        raise UnusableCatalogue(f"{text!r} is not a file's name; give the catalogue's file")
    if "://" not in text:
        return Path(text).absolute()
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError as error:
        raise UnusableCatalogue(f"{text}: is neither a path nor a database's URL") from error
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        shown = url.render_as_string(hide_password=True)
        raise UnusableCatalogue(
            f"{shown}: this version keeps a catalogue in an SQLite file; give its path"
        )
    return Path(url.database).absolute()


def _prepare(connection: Any, record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves; Python's own rules are patchy
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: sa.Connection) -> None:
    # A writer queues for its turn at once: one that reads first and then wants to write can be
    # refused however long it waits.
    writes = connection.get_execution_options().get("resight_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(store: Store) -> None:
    """Let readers and a writer work at once (a file system that cannot keeps SQLite's default)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with closing(sqlite3.connect(store.path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except sqlite3.Error as error:
            # SQLite does not wait its turn for this one.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise UnusableCatalogue(f"{store.path}: {_why(str(error))}") from error
            time.sleep(0.02)


def _lay_out(
    connection: sa.Connection,
    store: Store,
    model_id: str,
    card: str,
    model_path: Path,
) -> None:
    from importlib.metadata import version

    now = datetime.now(UTC)
    schema.metadata.create_all(connection)
    connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute(
        sa.insert(schema.alembic_version).values(
            version_num=schema.version_text(schema.SCHEMA_VERSION)
        )
    )
    connection.execute(
        sa.insert(schema.models).values(
            id=model_id, card=card, path=store.kept_path(model_path), added_at=now
        )
    )
    connection.execute(
        sa.insert(schema.about).values(
            id=1, model_id=model_id, made_with=version("resight"), made_at=now, revision=0
        )
    )


def _check(connection: sa.Connection, path: Path) -> None:
    """Ours, and of a lay-out that we know."""
    if connection.exec_driver_sql("PRAGMA application_id").scalar() != schema.APPLICATION_ID:
        if not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
            raise _EmptyFile(f"{path}: is empty; enrolling a first photo with a model fills it")
        raise UnusableCatalogue(f"{path}: is a database, but not a catalogue of Resight")
    found = connection.scalar(sa.select(schema.alembic_version.c.version_num))
    known = schema.version_text(schema.SCHEMA_VERSION)
    if found is not None and found > known:
        raise UnusableCatalogue(
            f"{path}: was written by a newer Resight (lay-out {found}, this one knows {known}); "
            "upgrade Resight to open it"
        )
    if found != known:
        raise UnusableCatalogue(f"{path}: its lay-out {found!r} is unknown to this Resight")


def _why(message: str) -> str:
    """What SQLite says, in words that tell what to do."""
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
