"""The tables of a catalogue, and the version of this lay-out.

SQLAlchemy Core, not its ORM: the statements are few, mostly in bulk, and the ORM would add a tenth
of a second to the cold start of every command.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
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
)

# Kept where Alembic keeps it (`alembic_version`), so the first migration starts from here.
SCHEMA_VERSION = 1
# "RSGT", in the header of the SQLite file: tells our files from other people's.
APPLICATION_ID = 0x52534754
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
)

individuals = Table(
    "individuals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(LONGEST_NAME), nullable=False, unique=True),
    Column("notes", Text, nullable=False, server_default=""),
    Column("fields", JSON),  # sex and whatever else people keep
    Column("added_at", UtcDateTime, nullable=False),
)

# Photos of one individual at one time and place; before anyone knows of whom, without individual.
encounters = Table(
    "encounters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("individual_id", ForeignKey("individuals.id")),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("began_at", UtcDateTime),
    Column("place", Text),
    Column("latitude", Float),  # degrees, WGS 84
    Column("longitude", Float),
    Column("observer", Text),
    UniqueConstraint("individual_id", "name"),
    UniqueConstraint("id", "individual_id"),
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
    UniqueConstraint("content_hash", "box"),
    # A photo and its encounter never name two individuals; a merge takes its photos along.
    ForeignKeyConstraint(
        ["encounter_id", "individual_id"],
        ["encounters.id", "encounters.individual_id"],
        onupdate="CASCADE",
    ),
)

fingerprints = Table(
    "fingerprints",
    metadata,
    Column("model_id", ForeignKey("models.id"), primary_key=True),
    Column("photo_id", ForeignKey("photos.id"), primary_key=True, index=True),
    Column("dim", Integer, nullable=False),
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian, unit length
)

# Who said what, when. Rows are added, never altered: a trigger sees to it.
decisions = Table(
    "decisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", String(32), nullable=False),  # "enrol", …
    Column("photo_id", ForeignKey("photos.id"), index=True),
    Column("individual_id", ForeignKey("individuals.id"), index=True),
    Column("shown", JSON),  # the candidates that the person saw
    Column("probability", Float),  # that was shown with them
    Column("details", JSON),  # what else it takes to understand it, or to undo it
    sqlite_autoincrement=True,
)

for _verb in ("UPDATE", "DELETE"):
    event.listen(
        decisions,
        "after_create",
        DDL(
            f"CREATE TRIGGER decisions_no_{_verb.lower()} BEFORE {_verb} ON decisions "
            "BEGIN SELECT RAISE(ABORT, 'decisions are only ever added'); END"
        ).execute_if(dialect="sqlite"),
    )

# A "no" sticks: on photos, so that it outlives every merge, split and move of individuals.
not_same = Table(
    "not_same",
    metadata,
    Column("first_photo_id", ForeignKey("photos.id"), primary_key=True),
    Column("second_photo_id", ForeignKey("photos.id"), primary_key=True),
    Column("decision_id", ForeignKey("decisions.id"), nullable=False),
    CheckConstraint("first_photo_id < second_photo_id", name="ordered"),
    Index(None, "second_photo_id"),
)
