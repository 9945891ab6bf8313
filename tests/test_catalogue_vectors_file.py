"""The mapped vectors beside a catalogue: always what the database says."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogues import unit_vectors
from resight.catalogue import loading, schema, vectors_file
from resight.catalogue.gallery import Gallery
from resight.catalogue.journal import acting
from resight.catalogue.loading import load_gallery
from resight.catalogue.store import Store
from vectors_files import DIM, add, files, make, opened, told, truth

pytestmark = pytest.mark.usefixtures("small_files")


def test_a_catalogue_of_some_size_is_mapped_when_it_is_opened_again(store: Store):
    add(store, 9)
    assert opened(store).mapped is None
    assert not files(store).vectors.exists()
    add(store, 11, individual=2)
    opened(store)
    again = opened(store)
    assert again.mapped is not None
    assert [len(segment) for segment in again.segments] == [20]
    assert not again.segments[0].flags.writeable
    assert not again.segments[0].flags.owndata


def test_opening_reads_no_vector_of_the_database_but_a_few_samples(store: Store, monkeypatch):
    add(store, 200)
    opened(store)
    read = []
    vectors = loading._Fingerprints.vectors
    monkeypatch.setattr(
        loading._Fingerprints,
        "vectors",
        lambda self, rows, dim: read.append(len(rows)) or vectors(self, rows, dim),
    )
    add(store, 2)
    opened(store)
    assert sum(read) == 16 + 2


def test_news_is_appended_and_kept_in_memory_until_there_is_some(store: Store):
    add(store, 20)
    gallery = opened(store)
    size = files(store).vectors.stat().st_size
    add(store, 2)
    gallery = load_gallery(store, "m", DIM, known=gallery)
    assert [len(segment) for segment in gallery.segments] == [20, 2]
    assert files(store).vectors.stat().st_size == size
    add(store, 1)
    token = gallery.mapped.token
    gallery = load_gallery(store, "m", DIM, known=gallery)
    assert [len(segment) for segment in gallery.segments] == [23]
    assert files(store).vectors.stat().st_size == size + 3 * 4 * DIM
    assert gallery.mapped.token == token
    assert told(gallery) == truth(store)


def test_the_same_view_is_given_back_when_nothing_was_written(store: Store):
    add(store, 12)
    gallery = opened(store)
    assert load_gallery(store, "m", DIM, known=gallery) is gallery


def test_edits_of_photos_and_people_are_seen(store: Store):
    ids = add(store, 12)
    add(store, 12, individual=2)
    gallery = opened(store)
    for table, rows, columns in [
        (schema.photos, ids[:3], {"individual_id": 2}),
        (schema.photos, ids[4:6], {"state": "junk"}),
        (schema.photos, ids[6:9], {"side": "above"}),
        (schema.photos, ids[4:5], {"state": "in"}),
        (schema.photos, ids[8:9], {"individual_id": None}),
        (schema.individuals, [1], {"gone": True}),
    ]:
        before = told(gallery)
        with acting(store, "edit", "something") as act:
            act.update(table, rows, **columns)
        seen = load_gallery(store, "m", DIM, known=gallery)
        assert told(seen) == truth(store) != before
        assert told(gallery) == before  # a view does not change
        gallery = seen
        opened(store)


def test_photos_without_a_name_are_there_but_not_searched(store: Store):
    add(store, 3, individual=None)
    add(store, 12)
    gallery = opened(store)
    assert len(gallery) == 12
    unnamed = gallery.columns["present"] & (gallery.individual_ids == 0)
    assert gallery.photo_ids[unnamed].tolist() == [1, 2, 3]


def test_two_models_have_a_file_each(store: Store):
    add(store, 20)
    with store.writing() as connection:
        row = {"id": "other", "card": "{}", "path": "o.onnx", "added_at": "now"}
        row["added_at"] = connection.scalar(sa.select(schema.about.c.made_at))
        connection.execute(sa.insert(schema.models), [row])
        connection.execute(
            sa.insert(schema.fingerprints),
            [
                {"photo_id": i, "model_id": "other", "dim": DIM, "vector": v.tobytes()}
                for i, v in enumerate(unit_vectors(15, DIM, seed=77), 1)
            ],
        )
    assert len(opened(store)) == 20
    assert len(load_gallery(store, "other", DIM)) == 15
    assert len(list(store.folder.glob("whales.db.vectors-*"))) == 2
    assert opened(store).mapped is not None


def test_postgres_keeps_its_files_in_the_users_cache_folder(monkeypatch, tmp_path):
    class Remote:
        path = None
        place = "postgresql://team@host/db"

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = vectors_file.place_for(Remote(), "m")
    assert place.vectors.parent == tmp_path / "resight"
    Remote.place = "postgresql://team@host/other"
    assert vectors_file.place_for(Remote(), "m") != place


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 9)), max_size=14))
def test_any_order_of_writing_and_looking_by_three_openers(tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("openers")
    store = make(folder / "whales.db")
    views: list[Gallery | None] = [None, None, None]
    try:
        add(store, 12)
        for what, who, number in steps:
            if what == 0:
                add(store, number, individual=who + 1)
            elif what == 1:
                with acting(store, "edit", "some photos") as act:
                    state = ("in", "junk", "gone")[who]
                    act.update(schema.photos, range(number, number + 3), state=state)
            elif what == 2:
                views[who] = None  # closed, to be opened again
            else:
                views[who] = load_gallery(store, "m", DIM, known=views[who])
                assert told(views[who]) == truth(store)
        for view in views:
            assert told(load_gallery(store, "m", DIM, known=view)) == truth(store)
    finally:
        store.close()


WRITER = """
import sys
import vectors_files as t
from resight.catalogue import loading
from resight.catalogue.store import open_store
loading.WORTH_A_FILE, loading._NEWS, loading._AT_ONCE = 10, 3, 4
store = open_store(sys.argv[1])
gallery = None
for turn in range(6):
    t.add(store, 5)
    gallery = loading.load_gallery(store, "m", t.DIM, known=gallery if turn % 4 else None)
print(len(gallery) >= 30)
"""


def test_several_processes_write_and_read_at_once(store: Store):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.path)],
            cwd=Path(__file__).parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    gallery = None
    while any(writer.poll() is None for writer in writers):
        gallery = load_gallery(store, "m", DIM, known=gallery)
        time.sleep(0.01)
    assert [writer.communicate()[0].strip() for writer in writers] == ["True"] * 2
    gallery = load_gallery(store, "m", DIM, known=gallery)
    assert told(gallery) == truth(store)
    assert len(opened(store)) == 60
    assert not list(store.folder.glob("*.new"))
