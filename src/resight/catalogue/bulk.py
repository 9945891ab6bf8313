"""Many rows at once into PostgreSQL, by COPY: what INSERT does, in a fraction of the time.

The rows are the same to the last byte, in the same transaction, under the same constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from resight.catalogue import schema

# Below so many rows, an INSERT is as quick.
WORTH_IT = 256
_AT_ONCE = 16384  # fingerprints that are laid out in memory at a time
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no further header
_END = b"\xff\xff"


def worth_it(connection: sa.Connection, rows: Sequence[Any]) -> bool:
    """Whether these rows should come in by COPY."""
    return connection.dialect.name == "postgresql" and len(rows) >= WORTH_IT


def copy_rows(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Add rows, all with the same columns, to a table with an integer `id`.

    Returns:
        Their ids, ascending, in the order of the rows.

    Raises:
        sqlalchemy.exc.DBAPIError: the server refuses; as an INSERT would have raised it.
    """
    ids = _next_ids(connection, table, len(rows))
    columns = [table.c[name] for name in rows[0]]
    to_server = [_processor(column, connection.dialect) for column in columns]
    names = [column.name for column in columns]
    with _copying(connection, table, ["id", *names]) as copy:
        for i, row in zip(ids, rows, strict=True):
            values = (row[name] for name in names)
            copy.write_row((i, *(p(v) if p else v for p, v in zip(to_server, values, strict=True))))
    return ids


def copy_fingerprints(
    connection: sa.Connection,
    model_id: str,
    photo_ids: npt.ArrayLike,
    vectors: npt.NDArray[np.float32],
) -> None:
    """Add fingerprints of one model: pgvector's binary form, without a detour through text.

    Args:
        connection: to PostgreSQL, in a transaction.
        model_id: of the model that made them.
        photo_ids: integers (n,).
        vectors: float32 (n, dim), unit length.

    Raises:
        sqlalchemy.exc.DBAPIError: the server refuses.
    """
    photo_ids = np.asarray(photo_ids, np.int64)
    count, dim = vectors.shape
    ids = _next_ids(connection, schema.fingerprints, count)
    name = model_id.encode()
    # One row as it is sent: the number of its fields, and each with its length before it. An int32
    # has 4 bytes, a vector its length and a zero as int16 before its float32; all big-endian.
    row = np.zeros(
        min(count, _AT_ONCE),
        [
            ("fields", ">i2"),
            *(("id_length", ">i4"), ("id", ">i4")),
            *(("model_length", ">i4"), ("model", f"V{len(name)}")),
            *(("photo_length", ">i4"), ("photo", ">i4")),
            *(("dim_length", ">i4"), ("dim", ">i4")),
            *(("vector_length", ">i4"), ("size", ">i2"), ("zero", ">i2")),
            ("vector", ">f4", (dim,)),
        ],
    )
    row["fields"] = 5
    row["id_length"] = row["photo_length"] = row["dim_length"] = 4
    row["model_length"], row["model"] = len(name), np.void(name)
    row["dim"] = row["size"] = dim
    row["vector_length"] = 4 + 4 * dim
    order = ["id", "model_id", "photo_id", "dim", "vector"]
    with _copying(connection, schema.fingerprints, order, " WITH (FORMAT BINARY)") as copy:
        copy.write(_SIGNATURE)
        for start in range(0, count, _AT_ONCE):
            some = slice(start, min(count, start + _AT_ONCE))
            part = row[: some.stop - start]
            part["id"], part["photo"], part["vector"] = ids[some], photo_ids[some], vectors[some]
            copy.write(part.tobytes())
        copy.write(_END)


@contextmanager
def _copying(
    connection: sa.Connection, table: sa.Table, columns: Sequence[str], form: str = ""
) -> Iterator[Any]:
    """A COPY into a table; what goes wrong is raised as SQLAlchemy raises it."""
    import psycopg

    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN{form}"
    try:
        with _cursor(connection) as cursor, cursor.copy(statement) as copy:
            yield copy
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(
            statement, None, error, psycopg.Error, dialect=connection.dialect
        ) from error


def _cursor(connection: sa.Connection) -> Any:
    """A cursor of the driver itself, psycopg."""
    return connection.connection.cursor()


def _next_ids(connection: sa.Connection, table: sa.Table, count: int) -> list[int]:
    """Ids that nobody else will get, as an INSERT would have taken them."""
    drawn = sa.text(
        "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)"
    )
    return sorted(connection.scalars(drawn, {"name": table.name, "count": count}).all())


def _processor(column: sa.Column[Any], dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    """What SQLAlchemy makes of a column's values before the driver gets them."""
    return column.type.dialect_impl(dialect).bind_processor(dialect)
