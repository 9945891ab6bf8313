"""Searching on the server: the same answers as in memory, and an index that misses few."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from catalogues import unit_vectors, write_files
from command_line import resight
from resight.catalogue import Catalogue, loading, schema, server_index
from resight.catalogue.journal import acting
from resight.catalogue.loading import load_gallery
from resight.catalogue.search import nearest
from resight.catalogue.server_index import drop_index, index, make_index
from resight.catalogue.server_search import has_index, index_name, nearest_on_server, recall
from resight.catalogue.store import Store, create_store
from resight.errors import ResightError
from resight.photos.photo import Photo

DIM, MODEL = 16, "it's 100% {model}"


def fill(store: Store, vectors: np.ndarray) -> None:
    """A photo for each, of twenty individuals; every seventh has no name."""
    with acting(store, "enrol", "photos") as act:
        names = [{"name": f"no. {i}", "added_at": act.now} for i in range(20)]
        people = act.insert(schema.individuals, names)
        rows = [
            {
                "content_hash": f"{i:064x}",
                "path": f"{i}.png",
                "individual_id": people[i % 20] if i % 7 else None,
                "added_at": act.now,
            }
            for i in range(len(vectors))
        ]
        photos = act.insert(schema.photos, rows)
        act.connection.execute(
            sa.insert(schema.fingerprints),
            [
                {"photo_id": i, "model_id": MODEL, "dim": DIM, "vector": vector.tobytes()}
                for i, vector in zip(photos, vectors, strict=True)
            ],
        )
        act.update(schema.photos, photos[:9], state="junk")


@pytest.fixture
def store(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(loading, "WORTH_A_FILE", 10)
    monkeypatch.setattr(loading, "_NEWS", 3)
    path = Path("m.onnx").absolute()
    store = create_store(postgres, model_id=MODEL, card="{}", model_path=path)
    yield store
    store.close()


def test_exact_answers_are_those_of_memory(store: Store, tmp_path: Path):
    vectors = unit_vectors(300, DIM)
    vectors[100:180] = vectors[100]  # more equals than are asked for
    fill(store, vectors)
    gallery = load_gallery(store, MODEL, DIM)
    assert gallery.mapped is not None
    assert list((tmp_path / "resight").glob("*.vectors-*"))
    queries = np.concatenate([vectors[[3, 100, 250]], unit_vectors(5, DIM, seed=1)])
    for k in (1, 10, 290, 1000):
        ours = nearest(queries, gallery, k)
        theirs = nearest_on_server(store, MODEL, queries, k)
        for (rows, distances), (photo_ids, their_distances) in zip(ours, theirs, strict=True):
            assert gallery.photo_ids[rows].tolist() == photo_ids.tolist()
            assert distances.tolist() == their_distances.tolist()
    assert load_gallery(store, MODEL, DIM).segments[0].tolist() == vectors.tolist()


def test_an_index_finds_nearly_all_and_is_used(store: Store):
    fill(store, unit_vectors(3000, DIM))
    queries = unit_vectors(20, DIM, seed=1)
    with pytest.raises(ResightError, match="has no index of this model; make one with"):
        nearest_on_server(store, MODEL, queries, 10, index=True)
    name = make_index(store, MODEL, DIM)
    assert make_index(store, MODEL, DIM) == name
    truth = nearest_on_server(store, MODEL, queries, 10)
    found = nearest_on_server(store, MODEL, queries, 10, index=True)
    assert recall(found, truth) > 0.95
    used = sa.text("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = :name")
    with store.reading() as connection:
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    with store.reading() as connection:
        assert connection.scalar(used, {"name": name}) == len(queries)
    found = nearest_on_server(store, MODEL, queries[:1], 1500, index=True)
    assert len(found[0][0]) == 1500  # more than HNSW keeps in sight
    drop_index(store, MODEL)
    assert not has_index(store, MODEL)


def test_half_precision_finds_the_same_in_less_space(store: Store):
    fill(store, unit_vectors(2000, DIM))
    queries = unit_vectors(20, DIM, seed=1)
    truth = nearest_on_server(store, MODEL, queries, 10)
    size = sa.text("SELECT pg_relation_size(to_regclass(:name))")
    bytes_of, missed = [], []
    for half in (False, True, False):
        name = make_index(store, MODEL, DIM, half=half, workers=0)
        with store.reading() as connection:
            bytes_of.append(connection.scalar(size, {"name": name}))
            # There is one, not both: each would have to be kept up to date.
            other = index_name(MODEL, half=not half)
            assert connection.scalar(size, {"name": other}) is None
        found = nearest_on_server(store, MODEL, queries, 10, index=True)
        missed.append(1 - recall(found, truth))
        # Distances are the fingerprints' own, not those of their short copies.
        for (rows, far), (true, exact) in zip(found, truth, strict=True):
            known = dict(zip(true.tolist(), exact.tolist(), strict=True))
            mine = dict(zip(rows.tolist(), far.tolist(), strict=True))
            assert {row: mine[row] for row in mine.keys() & known} == {
                row: known[row] for row in mine.keys() & known
            }
    assert max(missed) < 0.05
    assert bytes_of[1] < 0.95 * min(bytes_of[0], bytes_of[2])


def test_too_little_memory_for_the_graph_is_said(store: Store, monkeypatch):
    fill(store, unit_vectors(3000, DIM))
    assert not index(store, MODEL, DIM).slowed
    drop_index(store, MODEL)
    monkeypatch.setattr(server_index, "graph_bytes", lambda *_, **__: 0)
    monkeypatch.setattr(server_index, "_LEAST_MEMORY", 1 << 20)
    made = index(store, MODEL, DIM)
    assert made.slowed
    assert made.recall > 0.9


def test_a_person_makes_and_asks_an_index(postgres: str, tmp_path: Path, tiny_model: Path):
    vectors = unit_vectors(200, 32)
    with Catalogue.open(postgres, model=tiny_model, create=True) as catalogue:
        photos = write_files(tmp_path, 200)
        named = [Photo(path, individual=path.stem) for path in photos]
        catalogue.enrol_many(named, vectors=vectors)
        with pytest.raises(ResightError, match="make one with: resight index"):
            catalogue.neighbours(vectors[:1], by="index")
        told = json.loads(resight("index", postgres, "--json").out)
        assert told["asked"] == 50
        assert told["recall"] > 0.95
        words = resight("index", postgres).out
        assert told["name"] in words
        assert f"finds {told['recall']:.1%} of them" in words
        here = catalogue.neighbours(vectors[:3], 5)
        assert [match[0].path for match in here] == photos[:3]
        assert catalogue.neighbours(vectors[:3], 5, by="server") == here
        assert [m[0] for m in catalogue.neighbours(vectors[:3], 5, by="index")] == [
            match[0] for match in here
        ]


def test_only_a_server_has_an_index(tmp_path: Path):
    path = tmp_path / "whales.db"
    store = create_store(path, model_id=MODEL, card="{}", model_path=tmp_path / "m.onnx")
    assert not has_index(store, MODEL)
    for ask in (make_index, lambda *_: nearest_on_server(store, MODEL, unit_vectors(1, DIM), 1)):
        with pytest.raises(ResightError, match="only a catalogue on PostgreSQL"):
            ask(store, MODEL, DIM)
    store.close()
