"""A catalogue on a PostgreSQL server with pgvector, in a schema of its own.

`postgresql://me@host/team` is the schema "resight" of the database "team"; a database may hold
several catalogues, a schema each: `postgresql://me@host/team?schema=whales`. What else libpq takes
(`sslmode=require`, `host=/run/postgresql`, a password from ~/.pgpass) goes into the URL as usual.
"""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import PATIENCE_SECONDS, NothingThere, Store
from resight.errors import UnusableCatalogue

SCHEMA = "resight"
_KINDS = ("postgresql", "postgres", "postgresql+psycopg")
_SECRETS = ("password", "sslpassword", "passfile", "sslkey")
# One at a time makes a catalogue in a database: "RSGT", as in the header of an SQLite file.
_MAKING = sa.text(f"SELECT pg_advisory_xact_lock({schema.APPLICATION_ID})")
# Where tables are sought: in the catalogue's schema, and where the extension has its types.
_PATH = (
    "SELECT set_config('search_path', quote_ident(%(name)s) || coalesce((SELECT ', ' || "
    "quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
    "WHERE e.extname = 'vector'), ''), false), set_config('lock_timeout', %(patience)s, false)"
)


def is_url(place: str | os.PathLike[str]) -> bool:
    """Whether a place is a PostgreSQL server's."""
    return os.fspath(place).partition("://")[0] in _KINDS and "://" in os.fspath(place)


def connect(place: str | os.PathLike[str], *, create: bool) -> Store:
    """The store of a database's schema; nobody has called the server yet."""
    try:
        url = sa.make_url(os.fspath(place))
    except (sa.exc.ArgumentError, ValueError):  # its words might hold the password
        raise UnusableCatalogue(
            "postgresql://…: is not a URL; write postgresql://user@host/database?schema=name"
        ) from None
    name = url.query.get("schema", SCHEMA)
    if not isinstance(name, str) or not name or len(name.encode()) > 63 or "\0" in name:
        raise UnusableCatalogue("postgresql://…: schema= is one name of up to 63 letters")
    secretless = sa.URL.create(  # URL.set() takes no None
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    ).difference_update_query(_SECRETS)
    url = url.set(drivername="postgresql+psycopg").difference_update_query(["schema"])
    try:
        engine = sa.create_engine(
            url, pool_pre_ping=True, connect_args={"connect_timeout": 10} | dict(_timeout(url))
        )
    except ImportError as error:  # not there, or without the library that it wraps
        raise UnusableCatalogue(
            f"a catalogue on PostgreSQL needs {error.name or 'psycopg'}, which is not installed "
            "(whole); get it with: pip install 'resight[postgres]'"
        ) from None
    sa.event.listen(engine, "connect", lambda raw, _: _prepare(raw, name))
    return Store(
        engine,
        place=secretless.render_as_string(),
        path=None,
        why=why,
        reads={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        # Not stricter, whatever the server's default: writers queue, see `Store.writing`.
        writes={"isolation_level": "READ COMMITTED"},
    )


def prepare(connection: sa.Connection, store: Store) -> bool:
    """Whether there is no catalogue yet; then the schema and pgvector are made ready for one."""
    connection.execute(_MAKING)
    name = _schema(store)
    if _mark(connection, name) is not None:
        check_ours(connection, store)
        return False
    found = connection.execute(
        sa.text(
            "SELECT to_regnamespace(quote_ident(:name)) IS NOT NULL, "
            "EXISTS (SELECT FROM pg_extension WHERE extname = 'vector'), "
            "EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector'), "
            "EXISTS (SELECT FROM pg_tables WHERE schemaname = :name AND tablename = ANY(:ours))"
        ),
        {"name": name, "ours": list(schema.metadata.tables)},
    ).one()
    there, installed, available, taken = found
    if taken:
        raise _foreign(store, name)
    if not installed and not available:
        raise UnusableCatalogue(
            f"{store.place}: the server lacks pgvector; have it installed there "
            "(package postgresql-NN-pgvector, or https://github.com/pgvector/pgvector)"
        )
    if not there:
        connection.execute(sa.schema.CreateSchema(name))
    if not installed:
        try:
            connection.exec_driver_sql("CREATE EXTENSION vector SCHEMA public")
        except sa.exc.ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != "42501":
                raise
            raise UnusableCatalogue(
                f"{store.place}: pgvector is not enabled in this database, and its user may not "
                "do that; ask whoever looks after it for: CREATE EXTENSION vector"
            ) from None
    connection.exec_driver_sql(_PATH, _settings(name))
    return True


def check_ours(connection: sa.Connection, store: Store) -> None:
    """Tell our schemas from other people's."""
    name = _schema(store)
    mark = _mark(connection, name)
    if mark is None:
        raise NothingThere(
            f"{store.place}: there is no catalogue here (in the schema {name!r}); to make one, "
            "enrol a first photo with --model (in Python: open it with model= and create=True)"
        )
    if mark != schema.MARK:
        raise _foreign(store, name)


def why(error: BaseException) -> str:
    """What the server or its driver says, in words that tell what to do."""
    state = getattr(error, "sqlstate", None) or ""
    message = " ".join(str(error).split())
    for sign, words in {
        "55P03": f"another program has held it for {PATIENCE_SECONDS} s; try again later",
        "42501": f"its user may not do this ({message}); ask whoever looks after the server",
        "53100": "the server's disk is full; nothing was written",
        "25006": "the server is read-only (a standby?); nothing was written",
        "42P01": "its user may not look into the schema, or a table is missing there",
        "57P01": "the server was shut down; nothing was written",
        "XX001": "is damaged, says the server; take your backup",
    }.items():
        if state == sign:
            return words
    for sign, words in {
        "password": "the server refuses this user or password (give it in ~/.pgpass, PGPASSWORD "
        "or the URL)",
        "does not exist": "there is no such database or user on the server; "
        "make a database with: createdb",
        "pg_hba.conf": "the server does not let this user in from here (see its pg_hba.conf)",
        "too many clients": "the server has too many clients; try again later",
    }.items():
        if not state and sign in message:
            return words
    if not state and any(sign in message for sign in ("connection", "timeout", "resolve host")):
        return f"the server does not answer, or went away ({message[:200]})"
    return message.partition(" LINE ")[0]


def _schema(store: Store) -> str:
    return str(sa.make_url(store.place).query.get("schema", SCHEMA))


def _settings(name: str) -> dict[str, str]:
    return {"name": name, "patience": f"{PATIENCE_SECONDS}s"}


def _prepare(raw: Any, name: str) -> None:
    with raw.cursor() as cursor:
        cursor.execute(_PATH, _settings(name))
    raw.commit()


def _timeout(url: sa.URL) -> list[tuple[str, str]]:
    """The patience that a URL asks for itself."""
    asked = url.query.get("connect_timeout")
    return [("connect_timeout", asked)] if isinstance(asked, str) else []


def _mark(connection: sa.Connection, name: str) -> str | None:
    """The comment on the schema's table `about`; "" without one, None without such a table."""
    return connection.scalar(
        sa.text(
            "SELECT coalesce(obj_description(c.oid, 'pg_class'), '') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = :name AND c.relname = 'about'"
        ),
        {"name": name},
    )


def _foreign(store: Store, name: str) -> UnusableCatalogue:
    return UnusableCatalogue(
        f"{store.place}: the schema {name!r} has tables of another program; "
        "choose one of its own for the catalogue: ?schema=NAME"
    )
