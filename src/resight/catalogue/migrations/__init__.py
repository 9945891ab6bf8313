"""From every older lay-out of the tables to the newest (Alembic); the steps are in `versions/`."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.sqlite import why
from resight.catalogue.store import Store
from resight.errors import UnusableCatalogue


def bring_up_to_date(store: Store) -> Path | None:
    """Bring a catalogue of an older lay-out to this one: all of it, or nothing.

    Of an SQLite file a copy is kept beside it first, such as `whales.db.before-0003`. Of several
    programs that come at once, one does the work and the others wait for it.

    Returns:
        The copy, or None when somebody else was quicker, or on PostgreSQL.

    Raises:
        UnusableCatalogue: not ours to write in, no room for it, or its rows are no longer sound.
            The catalogue is as it was then.
    """
    newest = schema.version_text(schema.SCHEMA_VERSION)
    with store.altering(resight_rebuilds=True) as connection:
        version = schema.alembic_version.c.version_num
        found = connection.scalar(sa.select(version).with_for_update())
        if found == newest:
            return None
        kept = _keep_copy(store.path, f"before-{newest}") if store.path else None
        _upgrade(connection, newest)
        if store.dialect == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken:
                raise UnusableCatalogue(
                    f"{store.place}: is damaged: row {broken[1]} of {broken[0]} refers to a row of "
                    f"{broken[2]} that is not there; it was left at lay-out {found}"
                )
        return kept


def _upgrade(connection: sa.Connection, newest: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, newest)


def _keep_copy(path: Path, word: str) -> Path:
    """Copy a file that this process holds for writing; an earlier copy is left alone."""
    names = (path.with_name(f"{path.name}.{word}{f'-{n}' if n > 1 else ''}") for n in count(1))
    target = next(name for name in names if not name.exists())
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)  # of an attempt that was stopped
        with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(part)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise UnusableCatalogue(
            f"{path}: is of an older lay-out, and a copy of it must be kept before it is brought "
            f"up to date; {target.name} {why(error)}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target
