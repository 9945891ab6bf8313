"""The tables of a catalogue, and the version of this lay-out.

SQLAlchemy Core, not its ORM: the statements are few, mostly in bulk, and the ORM would add a tenth
of a second to the cold start of every command.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    DDL,
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    false,
    func,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

# Kept where Alembic keeps it (`alembic_version`); `migrations/` leads from each to the next.
SCHEMA_VERSION = 3
# "RSGT", in the header of the SQLite file: tells our files from other people's.
APPLICATION_ID = 0x52534754
# The comment on the table `about`, which tells ours on PostgreSQL.
MARK = "A catalogue of Resight"
LONGEST_NAME = 200


def version_text(version: int) -> str:
    """The revision name of a schema version: 1 is "0001"."""
    return f"{version:04d}"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its time zone, kept as UTC (SQLite itself knows no zones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC on the way in; a moment without a zone is refused rather than guessed."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """As UTC on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _PostgresVector(UserDefinedType[str]):
    """pgvector's type, of any dimension; comes and goes as text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """How SQL calls it."""
        return "vector"


class FingerprintVector(TypeDecorator[bytes]):
    """A fingerprint: the bytes of its float32, little-endian; on PostgreSQL a pgvector `vector`."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Bytes on SQLite, pgvector's type on PostgreSQL."""
        postgres = dialect.name == "postgresql"
        return dialect.type_descriptor(_PostgresVector() if postgres else LargeBinary())

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> Any:
        """Bytes to what the engine keeps."""
        if value is None or dialect.name != "postgresql":
            return value
        return str(np.frombuffer(value, "<f4").tolist())

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        """What the engine keeps to bytes."""
        if value is None or isinstance(value, bytes):
            return value
        return np.fromstring(value[1:-1], np.float32, sep=",").astype("<f4").tobytes()


# Named constraints: without names, SQLite cannot alter them in a later migration.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), primary_key=True),
)

models = Table(
    "models",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("card", Text, nullable=False),  # JSON, as in the model file
    Column("path", Text, nullable=False),  # where the file was; relative to the catalogue if below
    Column("added_at", UtcDateTime, nullable=False),
)

# One row: what is true of the catalogue as a whole.
about = Table(
    "about",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True),
    Column("model_id", ForeignKey("models.id"), nullable=False),  # makes the fingerprints in use
    Column("made_with", String(32), nullable=False),  # version of Resight
    Column("made_at", UtcDateTime, nullable=False),
    Column("revision", Integer, nullable=False),  # one more with every change; tells caches
    Column("settings", JSON, nullable=False, server_default="{}"),  # such as {"sides_differ": true}
    comment=MARK,
)

individuals = Table(
    "individuals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("notes", Text, nullable=False, server_default=""),
    Column("fields", JSON(none_as_null=True)),  # sex and whatever else people keep
    Column("added_at", UtcDateTime, nullable=False),
    # Merged away, or its making undone: kept for history, seen nowhere else, its name free again.
    Column("gone", Boolean(name="gone"), nullable=False, server_default=false()),
    # The photo to know it by, where somebody has chosen one; counts while it is its own and "in".
    # No foreign key: photos refer to individuals, and a circle of tables cannot be made in order.
    Column("best_photo_id", Integer),
)
Index(
    "uq_individuals_name_here",
    individuals.c.name,
    unique=True,
    sqlite_where=~individuals.c.gone,
    info={"where": ~individuals.c.gone},
)

# Photos of one individual at one time and place; before anyone knows of whom, without individual.
encounters = Table(
    "encounters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("individual_id", ForeignKey("individuals.id"), index=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("began_at", UtcDateTime),
    Column("place", Text),
    Column("latitude", Float),  # degrees, WGS 84
    Column("longitude", Float),
    Column("observer", Text),
    Column("gone", Boolean(name="gone"), nullable=False, server_default=false()),
    UniqueConstraint("id", "individual_id"),
)
Index(
    "uq_encounters_name_here",
    func.coalesce(encounters.c.individual_id, 0),
    encounters.c.name,
    unique=True,
    sqlite_where=~encounters.c.gone,
    info={"where": ~encounters.c.gone},
)

photos = Table(
    "photos",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("content_hash", String(64), nullable=False),  # SHA-256 of the file's bytes, hex
    # "a,b,c,d", the four numbers of Photo.box; "" is the whole picture (NULL is never unique).
    Column("box", String(64), nullable=False, server_default=""),
    Column("path", Text, nullable=False),  # relative to the catalogue's folder when below it
    Column("individual_id", ForeignKey("individuals.id"), index=True),
    Column("encounter_id", Integer, index=True),
    Column("taken_at", DateTime),  # the camera's clock, which knows no zone
    Column("side", String(32)),
    Column("quality", Float),
    Column("added_at", UtcDateTime, nullable=False),
    # "in" the catalogue; "junk", which nobody is shown again; "gone", its adding undone.
    Column("state", String(8), nullable=False, server_default="in"),
    # The catalogue's revision at the last change of this row, so that a cache reads only news.
    Column("changed", Integer, nullable=False, server_default="0", index=True),
    UniqueConstraint("content_hash", "box"),
    # A photo and its encounter never name two individuals; a merge takes its photos along.
    ForeignKeyConstraint(
        ["encounter_id", "individual_id"],
        ["encounters.id", "encounters.individual_id"],
        onupdate="CASCADE",
    ),
    CheckConstraint("state IN ('in', 'junk', 'gone')", name="state"),
)

# Rows are only ever added, in the order of their ids: a cache reads on from the last it knows.
fingerprints = Table(
    "fingerprints",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("photo_id", ForeignKey("photos.id"), nullable=False, index=True),
    Column("dim", Integer, nullable=False),
    Column("vector", FingerprintVector, nullable=False),  # float32, unit length
    UniqueConstraint("model_id", "photo_id"),
    sqlite_autoincrement=True,
)

# What somebody did with one command or click: the unit of undo. Rows are added, never altered.
actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("verb", String(32), nullable=False),  # "enrol", "merge", …, "undo", "redo"
    Column("summary", Text, nullable=False),  # in words, for the history
    Column("revision", Integer, nullable=False),  # of the catalogue, after it
    Column("undoes", ForeignKey("actions.id"), index=True),  # for "undo" and "redo": of which
    sqlite_autoincrement=True,
)

# What an action changed, so that it can be taken back: rows before and after. Never altered.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action_id", ForeignKey("actions.id"), nullable=False, index=True),
    Column("table_name", String(32), nullable=False),
    Column("rows", JSON, nullable=False),  # ids, as [first, last] runs
    Column("before", JSON, nullable=False),  # {column: value of all, or a list of one for each row}
    Column("after", JSON, nullable=False),  # likewise
    sqlite_autoincrement=True,
)

# Who said what, when. Rows are added, never altered: a trigger sees to it.
decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action_id", ForeignKey("actions.id"), index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", String(32), nullable=False),  # "enrol", "same", "not the same", "new", "junk", …
    Column("photo_id", ForeignKey("photos.id"), index=True),
    Column("individual_id", ForeignKey("individuals.id"), index=True),
    Column("shown", JSON(none_as_null=True)),  # the candidates that the person saw
    Column("probability", Float),  # that was shown with them
    Column("details", JSON(none_as_null=True)),  # what else it takes to understand it
    sqlite_autoincrement=True,
)

# A "no" sticks: on photos, so that it outlives every merge, split and move of individuals.
not_same = Table(
    "not_same",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("first_photo_id", ForeignKey("photos.id"), nullable=False),
    Column("second_photo_id", ForeignKey("photos.id"), nullable=False),
    Column("decision_id", ForeignKey("decisions.id"), nullable=False),
    Column("gone", Boolean(name="gone"), nullable=False, server_default=false()),  # undone
    UniqueConstraint("first_photo_id", "second_photo_id"),
    CheckConstraint("first_photo_id < second_photo_id", name="ordered"),
    Index(None, "second_photo_id"),
)

# What `calibrate` found; the newest of the model in use counts.
calibrations = Table(
    "calibrations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("model_id", ForeignKey("models.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),  # of the catalogue that it was measured on
    Column("parameters", JSON, nullable=False),
    Column("figures", JSON, nullable=False),
    sqlite_autoincrement=True,
)


@event.listens_for(metadata, "before_create")
def _partial_on_postgres(_: MetaData, connection: Any, **__: Any) -> None:
    # Not with the indexes: it would load SQLAlchemy's PostgreSQL at the start of every command.
    if connection.dialect.name == "postgresql":
        for table in (individuals, encounters):
            for index in table.indexes:
                if "where" in index.info:
                    index.dialect_kwargs["postgresql_where"] = index.info["where"]


# Before the first table: what refuses on PostgreSQL.
event.listen(
    metadata,
    "before_create",
    DDL(
        "CREATE OR REPLACE FUNCTION only_ever_added() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE integrity_constraint_violation "
        "USING MESSAGE = TG_TABLE_NAME || '' are only ever added''; END'"
    ).execute_if(dialect="postgresql"),
)

for _table in (actions, changes, decisions):
    for _verb in ("UPDATE", "DELETE", "TRUNCATE"):
        _head = f"CREATE TRIGGER {_table.name}_no_{_verb.lower()} BEFORE {_verb} ON {_table.name} "
        _each = "STATEMENT" if _verb == "TRUNCATE" else "ROW"
        event.listen(
            _table,
            "after_create",
            DDL(f"{_head}FOR EACH {_each} EXECUTE FUNCTION only_ever_added()").execute_if(
                dialect="postgresql"
            ),
        )
        if _verb == "TRUNCATE":
            continue  # SQLite has none
        event.listen(
            _table,
            "after_create",
            DDL(
                f"{_head}BEGIN SELECT RAISE(ABORT, '{_table.name} are only ever added'); END"
            ).execute_if(dialect="sqlite"),
        )
