"""The nearest photos found by the PostgreSQL server itself, with pgvector.

For catalogues too large to keep a copy of all vectors on the asking computer. Exact, and then the
same as `search.nearest` finds; or by an HNSW index (Malkov and Yashunin, 2018), in a fraction of
the time, and then some of the nearest are missed: `recall` measures how many.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from resight.catalogue import schema
from resight.catalogue.search import Distances, Rows, Vectors
from resight.catalogue.store import Store
from resight.errors import ResightError

EFFORT = 200  # candidates that HNSW keeps in sight (hnsw.ef_search); pgvector allows 1 to 1000
MEASURED = 50  # questions that an index is measured by
ASKED = 10  # photos each of them asks for
_MOST_MEMORY = 2 << 30  # bytes that making an index may take; beyond, it takes longer


@dataclass(frozen=True, slots=True)
class Indexed:
    """An index of a catalogue's fingerprints, and how good it is.

    Attributes:
        name: on the server.
        made_in: seconds; next to nothing where it was there already.
        asked: how many of the catalogue's own photos were asked for their ten nearest others.
        recall: the share of those that the index finds, in [0, 1].
        seconds, exact_seconds: for one question, with the index and without.
    """

    name: str
    made_in: float
    asked: int
    recall: float
    seconds: float
    exact_seconds: float


def make_index(store: Store, model_id: str, dim: int) -> str:
    """Make an HNSW index of a model's fingerprints, unless there is one; others go on writing.

    Args:
        store: an open catalogue on PostgreSQL.
        model_id: whose fingerprints.
        dim: their length; pgvector takes up to 2000.

    Returns:
        The index's name. From now on the server keeps it up to date.

    Raises:
        ResightError: not on PostgreSQL.
        UnusableCatalogue: the server refuses.
    """
    _on_postgres(store)
    name = index_name(model_id)
    table = schema.fingerprints
    with store.altering(isolation_level="AUTOCOMMIT") as connection:
        if not _usable(connection, name):
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")  # a try that broke off
        count = connection.scalar(_of_model(sa.select(sa.func.count()), model_id)) or 0
        memory = min(_MOST_MEMORY, max(64 << 20, count * (4 * dim + 400)))
        connection.exec_driver_sql(f"SET maintenance_work_mem = '{memory >> 10}kB'")
        try:
            # Not blocking those who write; an index that breaks off is left unusable, see above.
            connection.exec_driver_sql(
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table.name} "
                f"USING hnsw ((vector::vector({dim:d})) vector_ip_ops) "
                f"WHERE model_id = {_literal(model_id)}"
            )
        finally:
            connection.exec_driver_sql("RESET maintenance_work_mem")
    return name


def index(store: Store, model_id: str, dim: int) -> Indexed:
    """Make an index as `make_index` does, and measure it: fingerprints of the catalogue are asked.

    Each finds itself, so k + 1 are asked for and it is left out of the count.
    """
    begun = time.perf_counter()
    name = make_index(store, model_id, dim)
    seconds = time.perf_counter() - begun
    table = schema.fingerprints
    with store.reading() as connection:
        ids = connection.scalars(_of_model(sa.select(table.c.id), model_id).order_by(table.c.id))
        drawn = np.array(ids.all(), np.int64)
        drawn = np.random.default_rng(0).permutation(drawn)[:MEASURED]
        vectors = connection.scalars(
            sa.select(table.c.vector).where(table.c.id.in_(drawn.tolist()))
        )
        queries = np.frombuffer(b"".join(vectors), "<f4").reshape(len(drawn), dim)
    taken, found = {}, {}
    for with_index in (False, True):
        begun = time.perf_counter()
        found[with_index] = nearest_on_server(store, model_id, queries, ASKED + 1, index=with_index)
        taken[with_index] = (time.perf_counter() - begun) / max(1, len(drawn))
    found = {how: [(rows[1:], away[1:]) for rows, away in each] for how, each in found.items()}
    return Indexed(
        name, seconds, len(drawn), recall(found[True], found[False]), taken[True], taken[False]
    )


def drop_index(store: Store, model_id: str) -> None:
    """Take the index away again."""
    _on_postgres(store)
    with store.altering() as connection:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {index_name(model_id)}")


def has_index(store: Store, model_id: str) -> bool:
    """Whether there is an index that can be used."""
    if store.dialect != "postgresql":
        return False
    with store.reading() as connection:
        return _usable(connection, index_name(model_id))


def index_name(model_id: str) -> str:
    """What the index of a model is called."""
    return f"ix_fingerprints_hnsw_{hashlib.sha256(model_id.encode()).hexdigest()[:12]}"


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
    _on_postgres(store)
    if index and not has_index(store, model_id):
        raise ResightError(
            f"{store.place}: has no index of this model; make one with: resight index URL"
        )
    with store.reading() as connection:
        if index:
            # Without the first, there would be no more answers than `effort`.
            connection.exec_driver_sql("SET LOCAL hnsw.iterative_scan = 'relaxed_order'")
            connection.exec_driver_sql("SET LOCAL enable_sort = off")  # but the index's order
            connection.exec_driver_sql(f"SET LOCAL hnsw.ef_search = {min(1000, max(1, effort)):d}")
        return [_nearest(connection, model_id, query, k, index) for query in queries]


def recall(found: list[tuple[Rows, Distances]], truth: list[tuple[Rows, Distances]]) -> float:
    """The share of the true nearest, ties with the last aside, that were found."""
    right = total = 0
    for (_, distances), (rows, true) in zip(found, truth, strict=True):
        total += len(rows)
        right += int(np.count_nonzero(distances <= true[-1] + 1e-9)) if len(rows) else 0
    return right / total if total else 1.0


def _nearest(
    connection: sa.Connection, model_id: str, query: Vectors, k: int, index: bool
) -> tuple[Rows, Distances]:
    slack = (4 * len(query) + 64) * 2.0**-24  # of the server's float32, as in `search`
    limit = k + 16
    while True:
        rows, distances, most, exhausted = _ask(connection, model_id, query, limit, index)
        order = np.lexsort((rows, distances))[:k]
        sure = len(order) == k and (index or distances[order[-1]] < most - slack)
        if exhausted or sure:
            return rows[order], distances[order]
        limit *= 4  # ties at the end, or photos in between that are not searched


def _ask(
    connection: sa.Connection, model_id: str, query: Vectors, limit: int, index: bool
) -> tuple[Rows, Distances, float, bool]:
    """Of the `limit` nearest fingerprints those that are searched, with exact distances.

    And the distance of the farthest as the server has it, and whether there are no others.
    """
    fingerprints, photos, people = schema.fingerprints, schema.photos, schema.individuals
    asked = sa.literal(np.asarray(query, "<f4").tobytes(), schema.FingerprintVector())
    # The index is of vectors cast to their length; without the cast it is not used.
    sized: Any = sa.literal_column(f"vector::vector({len(query):d})")
    away = (sized if index else fingerprints.c.vector).op("<#>", return_type=sa.Float)(asked)
    near = (
        _of_model(
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


def _of_model(statement: sa.Select[Any], model_id: str) -> sa.Select[Any]:
    # Written into the statement: an index of one model is not used for "some" model.
    return statement.select_from(schema.fingerprints).where(
        schema.fingerprints.c.model_id == sa.literal(model_id, literal_execute=True)
    )


def _usable(connection: sa.Connection, name: str) -> bool:
    found = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(connection.scalar(found, {"name": name}))


def _literal(text: str) -> str:
    compiled = sa.literal(text).compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )
    return str(compiled)  # with any % doubled, as the driver wants it


def _on_postgres(store: Store) -> None:
    if store.dialect != "postgresql":
        raise ResightError(
            f"{store.place}: is searched here, exactly and in memory; only a catalogue on "
            "PostgreSQL has a server to ask"
        )
