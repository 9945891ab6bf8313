"""The catalogue's place: opening it, reading from it, and writing to it, all or nothing.

One `Store` on two engines: an SQLite file (`sqlite.py`) or a PostgreSQL server (`postgres.py`).
Everything that goes wrong with either comes out as one `UnusableCatalogue` in plain words.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


class NothingThere(UnusableCatalogue):
    """An empty file, such as an interrupted start leaves, or a schema without our tables."""


class Store:
    """An open catalogue. Usable from several threads; every block below is one transaction.

    Attributes:
        dialect: "sqlite" or "postgresql".
        place: what to call it in a sentence: the file, or the URL without its password.
        path: the file, absolute; None on PostgreSQL.
        folder: the file's folder; paths below it are kept relative to it, so that the whole can
            move. On PostgreSQL the current folder, and all paths are kept absolute.
        engine: SQLAlchemy's.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        place: str,
        path: Path | None,
        why: Callable[[BaseException], str],
        reads: Mapping[str, Any],
        writes: Mapping[str, Any],
    ) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self.place = place
        self.path = path
        self.folder = path.parent if path else Path.cwd()
        self._why = why
        self._reads = dict(reads)
        self._writes = dict(writes)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One unchanging view of the catalogue, whatever others write meanwhile."""
        with self._in_words(), self.engine.connect() as connection:
            yield connection.execution_options(**self._reads)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """All that is written in the block, or nothing of it; waits its turn behind others.

        Counts the catalogue's revision up by one, so that every cache notices.
        """
        about = schema.about
        with self.altering() as connection:
            if self.dialect == "postgresql":
                # Writers queue here, as they do before an SQLite file, and then see all that those
                # before them wrote: so there is nothing to serialise and no deadlock.
                connection.execute(sa.select(about.c.id).with_for_update())
            yield connection
            connection.execute(sa.update(about).values(revision=about.c.revision + 1))

    @contextmanager
    def altering(self, **options: Any) -> Iterator[sa.Connection]:
        """A transaction that may write, but not what caches read: the revision stays."""
        with self._in_words(), self.engine.connect() as connection:
            connection = connection.execution_options(**{**self._writes, **options})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of it. What SQLite kept beside a file (`-wal`, `-shm`) goes back into it."""
        self.engine.dispose()

    def kept_path(self, path: str | os.PathLike[str]) -> str:
        """How a path is written down: relative to the folder when below it, else absolute."""
        absolute = os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)
        below = os.path.join(self.folder, "")  # noqa: PTH118
        if self.path is not None and absolute.startswith(below):
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
            raise UnusableCatalogue(f"{self.place}: {self._why(error.orig or error)}") from error


def open_store(place: str | os.PathLike[str]) -> Store:
    """Open the catalogue at `place`; one of an older lay-out is brought up to date first.

    Args:
        place: a file's path or URL (`sqlite:///whales.db`), or a database's
            (`postgresql://me@host/team`, with `?schema=whales` where it holds several catalogues).

    Raises:
        UnusableCatalogue: nothing there, or something else, or of a newer Resight, or not ours
            to read; a server that does not answer or does not let us in.
    """
    store = _engine(place).connect(place, create=False)
    try:
        _check(store)
    except BaseException:
        store.close()
        raise
    return store


def create_store(
    place: str | os.PathLike[str], *, model_id: str, card: str, model_path: Path
) -> Store:
    """Make a catalogue for one model, or open it when somebody was quicker.

    Args:
        place: where, as for `open_store`; a file's folder must exist, and so must a database.
        model_id: of the model whose fingerprints it will hold.
        card: the model's card, as JSON.
        model_path: where the model's file is now.

    Raises:
        UnusableCatalogue: no such folder or database, not ours to write in, or another kind of
            file or other tables there.
    """
    engine = _engine(place)
    store = engine.connect(place, create=True)
    try:
        try:
            _check(store)
        except NothingThere:
            with store.altering() as connection:
                if engine.prepare(connection, store):  # nobody was quicker
                    _lay_out(connection, store, model_id, card, model_path)
            _check(store)
    except BaseException:
        store.close()
        raise
    return store


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """A few thousand at a time: SQLite takes no more than 32,766 values in a statement."""
    for start in range(0, len(values), 5000):
        yield values[start : start + 5000]


def lay_out(connection: sa.Connection) -> None:
    """Make the tables of an empty catalogue, without a row but the lay-out's number."""
    schema.metadata.create_all(connection, checkfirst=False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute(
        sa.insert(schema.alembic_version).values(
            version_num=schema.version_text(schema.SCHEMA_VERSION)
        )
    )


def _engine(place: str | os.PathLike[str]) -> Any:
    """The module that knows what `place` names."""
    from resight.catalogue import postgres, sqlite

    return postgres if postgres.is_url(place) else sqlite


def _lay_out(
    connection: sa.Connection, store: Store, model_id: str, card: str, model_path: Path
) -> None:
    from importlib.metadata import version

    now = datetime.now(UTC)
    lay_out(connection)
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


def _check(store: Store) -> None:
    """Ours, and of a lay-out that we know, if need be now."""
    known = schema.version_text(schema.SCHEMA_VERSION)
    with store.reading() as connection:
        _engine(store.place).check_ours(connection, store)
        found = connection.scalar(sa.select(schema.alembic_version.c.version_num))
    if found is not None and found > known:
        raise UnusableCatalogue(
            f"{store.place}: was written by a newer Resight (lay-out {found}, this one knows "
            f"{known}); upgrade Resight to open it"
        )
    if found in [schema.version_text(older) for older in range(1, schema.SCHEMA_VERSION)]:
        from resight.catalogue.migrations import bring_up_to_date

        bring_up_to_date(store)
    elif found != known:
        raise UnusableCatalogue(f"{store.place}: its lay-out {found!r} is unknown to this Resight")
