"""The nearest photos found by the PostgreSQL server itself, with pgvector.

For catalogues too large to keep a copy of all vectors on the asking computer. Exact, and then the
same as `search.nearest` finds; or by the index of `server_index`, in a fraction of the time, and
then some of the nearest are missed: `recall` measures how many.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.search import Distances, Rows, Vectors
from resight.catalogue.store import Store
from resight.errors import ResightError

EFFORT = 200  # candidates that HNSW keeps in sight (hnsw.ef_search); pgvector allows 1 to 1000


def has_index(store: Store, model_id: str) -> bool:
    """Whether there is an index that can be used."""
    if store.dialect != "postgresql":
        return False
    with store.reading() as connection:
        return _kind(connection, model_id) is not None


def index_name(model_id: str, *, half: bool = True) -> str:
    """What the index of a model is called."""
    kind = "half" if half else "hnsw"
    return f"ix_fingerprints_{kind}_{hashlib.sha256(model_id.encode()).hexdigest()[:12]}"


def nearest_on_server(
    store: Store,
    model_id: str,
    queries: Vectors,
    k: int,
    *,
    index: bool = False,
    effort: int = EFFORT,
) -> list[tuple[Rows, Distances]]:
    """For each query its k nearest photos, found by the server.

    Args:
        store: an open catalogue on PostgreSQL.
        model_id: whose fingerprints.
        queries: float32 (q, dim), unit length.
        k: how many, or all there are if fewer.
        index: ask the index of `make_index`, which may miss some; else exact.
        effort: with `index`: the more, the fewer are missed, and the longer it takes; 1 to 1000.

    Returns:
        For each query photo ids int64 (k,), nearest first and equals by id, and their distances
        float64 (k,), measured here.

    Raises:
        ResightError: not on PostgreSQL, or no index there.
    """
    on_postgres(store)
    with store.reading() as connection:
        kind = _kind(connection, model_id) if index else "exact"
        if kind is None:
            raise ResightError(
                f"{store.place}: has no index of this model; make one with: resight index URL"
            )
        if index:
            # Without the first, there would be no more answers than `effort`.
            connection.exec_driver_sql("SET LOCAL hnsw.iterative_scan = 'relaxed_order'")
            connection.exec_driver_sql("SET LOCAL enable_sort = off")  # but the index's order
            connection.exec_driver_sql(f"SET LOCAL hnsw.ef_search = {min(1000, max(1, effort)):d}")
        return [_nearest(connection, model_id, query, k, kind) for query in queries]


def recall(found: list[tuple[Rows, Distances]], truth: list[tuple[Rows, Distances]]) -> float:
    """The share of the true nearest, ties with the last aside, that were found."""
    right = total = 0
    for (_, distances), (rows, true) in zip(found, truth, strict=True):
        total += len(rows)
        right += int(np.count_nonzero(distances <= true[-1] + 1e-9)) if len(rows) else 0
    return right / total if total else 1.0


def _nearest(
    connection: sa.Connection, model_id: str, query: Vectors, k: int, kind: str
) -> tuple[Rows, Distances]:
    slack = (4 * len(query) + 64) * 2.0**-24  # of the server's float32, as in `search`
    limit, index = k + 16, kind != "exact"
    while True:
        rows, distances, most, exhausted = _ask(connection, model_id, query, limit, kind)
        order = np.lexsort((rows, distances))[:k]
        sure = len(order) == k and (index or distances[order[-1]] < most - slack)
        if exhausted or sure:
            return rows[order], distances[order]
        limit *= 4  # ties at the end, or photos in between that are not searched


def _ask(
    connection: sa.Connection, model_id: str, query: Vectors, limit: int, kind: str
) -> tuple[Rows, Distances, float, bool]:
    """Of the `limit` nearest fingerprints those that are searched, with exact distances.

    And the distance of the farthest as the server has it, and whether there are no others.
    """
    fingerprints, photos, people = schema.fingerprints, schema.photos, schema.individuals
    asked = sa.literal(np.asarray(query, "<f4").tobytes(), schema.FingerprintVector())
    left: Any = fingerprints.c.vector
    if kind != "exact":  # the index is of vectors cast so; without the cast it is not used
        left = sa.literal_column(f"vector::{kind}({len(query):d})")
    away = left.op("<#>", return_type=sa.Float)(asked)
    near = (
        of_model(
            sa.select(
                fingerprints.c.photo_id,
                sa.func.vector_send(fingerprints.c.vector, type_=sa.LargeBinary).label("bytes"),
                away.label("away"),
            ),
            model_id,
        )
        .order_by(away)
        .limit(limit)
        .cte("near")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    found = connection.execute(
        sa.select(near.c.photo_id, near.c.bytes, near.c.away, people.c.id)
        .outerjoin(photos, sa.and_(photos.c.id == near.c.photo_id, photos.c.state == "in"))
        .outerjoin(people, sa.and_(people.c.id == photos.c.individual_id, ~people.c.gone))
    ).all()
    kept = [row for row in found if row[3] is not None]
    rows = np.array([row[0] for row in kept], np.int64)
    raw = np.frombuffer(b"".join(row[1] for row in kept), np.uint8)
    raw = raw.reshape(len(kept), 4 + 4 * len(query))[:, 4:]
    vectors = np.ascontiguousarray(raw).view(">f4").reshape(-1, len(query)).astype(np.float64)
    distances: npt.NDArray[np.float64] = np.square(vectors - query).sum(axis=1) / 2
    most = 1 + max((row[2] for row in found), default=0.0)
    return rows, distances, most, len(found) < limit


def of_model(statement: sa.Select[Any], model_id: str) -> sa.Select[Any]:
    """A statement narrowed to the fingerprints of a model."""
    # Written into the statement: an index of one model is not used for "some" model.
    return statement.select_from(schema.fingerprints).where(
        schema.fingerprints.c.model_id == sa.literal(model_id, literal_execute=True)
    )


def _kind(connection: sa.Connection, model_id: str) -> str | None:
    """What the vectors of a model's index are cast to; None without one that can be used."""
    for half, kind in ((True, "halfvec"), (False, "vector")):
        if usable(connection, index_name(model_id, half=half)):
            return kind
    return None


def usable(connection: sa.Connection, name: str) -> bool:
    """Whether an index of this name is there and whole."""
    found = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(connection.scalar(found, {"name": name}))


def on_postgres(store: Store) -> None:
    """Refuse a catalogue that has no server.

    Raises:
        ResightError: that.
    """
    if store.dialect != "postgresql":
        raise ResightError(
            f"{store.place}: is searched here, exactly and in memory; only a catalogue on "
            "PostgreSQL has a server to ask"
        )
