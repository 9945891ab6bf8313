"""The index that the PostgreSQL server finds the nearest photos by: making it, and how good it is.

HNSW (Malkov and Yashunin, 2018) as pgvector has it. What it costs and finds with how many
fingerprints: docs/postgres-at-scale.md.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from resight.catalogue import schema
from resight.catalogue.search import Vectors
from resight.catalogue.server_search import (
    index_name,
    nearest_on_server,
    of_model,
    on_postgres,
    recall,
    usable,
)
from resight.catalogue.store import Store

MEASURED = 50  # questions that an index is measured by
ASKED = 10  # photos each of them asks for
_LEAST_MEMORY, _MOST_MEMORY = 64 << 20, 2 << 30  # bytes that making an index may take unasked


@dataclass(frozen=True, slots=True)
class Indexed:
    """An index of a catalogue's fingerprints, and how good it is.

    Attributes:
        name: on the server.
        made_in: seconds; next to nothing where it was there already.
        asked: how many of the catalogue's own photos were asked for their ten nearest others.
        recall: the share of those that the index finds, in [0, 1].
        seconds, exact_seconds: for one question, with the index and without.
        slowed: whether the server's memory was too little for its graph, so that it took longer.
    """

    name: str
    made_in: float
    asked: int
    recall: float
    seconds: float
    exact_seconds: float
    slowed: bool = False


def make_index(
    store: Store,
    model_id: str,
    dim: int,
    *,
    half: bool = True,
    memory: float | None = None,
    workers: int | None = None,
) -> str:
    """Make an HNSW index of a model's fingerprints, unless there is one; others go on writing.

    Args:
        store: an open catalogue on PostgreSQL.
        model_id: whose fingerprints.
        dim: their length; pgvector takes up to 4000, and up to 2000 in whole precision.
        half: keep the index's copies in half precision (float16). It is smaller so, and the
            answers' distances are measured from the fingerprints themselves either way.
        memory: GiB that the server may take for it; by default what the graph needs, up to 2.
            With less than it needs, it takes many times as long.
        workers: processes of the server that help; by default as the server is set.

    Returns:
        The index's name. From now on the server keeps it up to date.

    Raises:
        ResightError: not on PostgreSQL.
        UnusableCatalogue: the server refuses.
    """
    return _make(store, model_id, dim, half, memory, workers)[0]


def _make(
    store: Store, model_id: str, dim: int, half: bool, memory: float | None, workers: int | None
) -> tuple[str, bool]:
    """The index's name, and whether the memory was too little for its graph."""
    on_postgres(store)
    name = index_name(model_id, half=half)
    kind = "halfvec" if half else "vector"
    said: list[str] = []
    with store.altering(isolation_level="AUTOCOMMIT") as connection:
        if not usable(connection, name):
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")  # a try that broke off
        count = connection.scalar(of_model(sa.select(sa.func.count()), model_id)) or 0
        allowed = _MOST_MEMORY if memory is None else int(memory * 2**30)
        taken = min(allowed, max(_LEAST_MEMORY, graph_bytes(count, dim, half=half)))
        driver: Any = connection.connection.driver_connection
        driver.add_notice_handler(heard := lambda notice: said.append(notice.message_primary))
        connection.exec_driver_sql(f"SET maintenance_work_mem = '{taken >> 10}kB'")
        if workers is not None:
            connection.exec_driver_sql(f"SET max_parallel_maintenance_workers = {workers:d}")
        try:
            # Not blocking those who write; an index that breaks off is left unusable, see above.
            connection.exec_driver_sql(
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {schema.fingerprints.name} "
                f"USING hnsw ((vector::{kind}({dim:d})) {kind}_ip_ops) "
                f"WHERE model_id = {_literal(model_id)}"
            )
            connection.exec_driver_sql(
                f"DROP INDEX IF EXISTS {index_name(model_id, half=not half)}"
            )
        finally:
            connection.exec_driver_sql("RESET maintenance_work_mem")
            connection.exec_driver_sql("RESET max_parallel_maintenance_workers")
            driver.remove_notice_handler(heard)
    return name, any("no longer fits" in words for words in said)


def graph_bytes(count: int, dim: int, *, half: bool = True) -> int:
    """What the server needs to make an index in memory.

    A fingerprint's copy, 2 x 16 neighbours of 16 bytes each in the lowest layer, a fifteenth of
    half as many above, and what pgvector keeps of each (its 0.8's hnsw.h), rounded up: 800 bytes
    are enough, measured, and 650 are not.
    """
    return count * ((2 if half else 4) * dim + 800)


def index(
    store: Store,
    model_id: str,
    dim: int,
    *,
    memory: float | None = None,
    workers: int | None = None,
) -> Indexed:
    """Make an index as `make_index` does, and measure it: fingerprints of the catalogue are asked.

    Each finds itself, so k + 1 are asked for and it is left out of the count.
    """
    begun = time.perf_counter()
    name, slowed = _make(store, model_id, dim, True, memory, workers)
    seconds = time.perf_counter() - begun
    with store.reading() as connection:
        queries = _drawn(connection, model_id, dim)
    taken, found = {}, {}
    for with_index in (False, True):
        begun = time.perf_counter()
        found[with_index] = nearest_on_server(store, model_id, queries, ASKED + 1, index=with_index)
        taken[with_index] = (time.perf_counter() - begun) / max(1, len(queries))
    found = {how: [(rows[1:], away[1:]) for rows, away in each] for how, each in found.items()}
    right = recall(found[True], found[False])
    return Indexed(name, seconds, len(queries), right, taken[True], taken[False], slowed)


def _drawn(connection: sa.Connection, model_id: str, dim: int) -> Vectors:
    """Some of a model's fingerprints, the same every time; without a look at all of them."""
    table = schema.fingerprints
    ends = of_model(sa.select(sa.func.min(table.c.id), sa.func.max(table.c.id)), model_id)
    first, last = connection.execute(ends).one()
    if first is None:
        return np.empty((0, dim), np.float32)
    rng = np.random.default_rng(0)
    found: dict[int, bytes] = {}
    for _ in range(20):  # those of other models lie in between
        some = rng.integers(first, last + 1, 4 * MEASURED).tolist()
        if last - first < 4 * MEASURED:
            some = rng.permutation(np.arange(first, last + 1)).tolist()
        chosen = of_model(sa.select(table.c.id, table.c.vector), model_id)
        rows = connection.execute(chosen.where(table.c.id.in_(some))).all()
        there = {row.id: row.vector for row in rows}
        found |= {i: there[i] for i in some if i in there}
        if len(found) >= MEASURED or last - first < 4 * MEASURED:
            break
    vectors = b"".join(list(found.values())[:MEASURED])
    return np.frombuffer(vectors, "<f4").reshape(-1, dim)


def drop_index(store: Store, model_id: str) -> None:
    """Take the index away again."""
    on_postgres(store)
    with store.altering() as connection:
        for half in (True, False):
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {index_name(model_id, half=half)}")


def _literal(text: str) -> str:
    compiled = sa.literal(text).compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )
    return str(compiled)  # with any % doubled, as the driver wants it
