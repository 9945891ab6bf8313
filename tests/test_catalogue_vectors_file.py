"""The mapped vectors beside a catalogue: always what the database says, or not believed."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogues import unit_vectors
from resight.catalogue import loading, schema, vectors_file
from resight.catalogue.gallery import Gallery
from resight.catalogue.journal import acting
from resight.catalogue.loading import load_gallery
from resight.catalogue.store import Store, create_store, open_store
from resight.errors import UnusableCatalogue

DIM = 8


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for ten photos, and a new one for every third change."""
    monkeypatch.setattr(loading, "WORTH_A_FILE", 10)
    monkeypatch.setattr(loading, "_NEWS", 3)
    monkeypatch.setattr(loading, "_AT_ONCE", 4)


def make(place: Path | str) -> Store:
    return create_store(place, model_id="m", card="{}", model_path=Path("m.onnx").absolute())


def add(store: Store, count: int, *, individual: int | None = 1, model_id: str = "m") -> list[int]:
    """So many photos with fingerprints, of an individual that is made if need be."""
    with acting(store, "enrol", "some photos") as act:
        people, connection = schema.individuals, act.connection
        there = connection.scalars(sa.select(people.c.id)).all()
        for new in range(len(there) + 1, (individual or 0) + 1):
            act.insert(people, [{"name": f"no. {new}", "added_at": act.now}])
        start = connection.scalar(sa.select(sa.func.count()).select_from(schema.photos)) or 0
        rows = [
            {
                "content_hash": f"{start + number:064x}",
                "path": f"{start + number}.png",
                "individual_id": individual,
                "added_at": act.now,
                "side": ("left", "right", None)[number % 3],
            }
            for number in range(count)
        ]
        ids = act.insert(schema.photos, rows)
        vectors = np.concatenate([unit_vectors(1, DIM, seed=i) for i in ids])
        connection.execute(
            sa.insert(schema.fingerprints),
            [
                {"photo_id": i, "model_id": model_id, "dim": DIM, "vector": vector.tobytes()}
                for i, vector in zip(ids, vectors, strict=True)
            ],
        )
    return ids


def told(gallery: Gallery) -> dict[int, tuple]:
    """What a gallery says of each photo that it searches."""
    rows = np.flatnonzero(gallery.searched)
    vectors = gallery.take(rows)
    columns = {name: values[rows].tolist() for name, values in gallery.columns.items()}
    return {
        photo: (columns["individual"][n], gallery.sides[columns["side"][n]], vectors[n].tobytes())
        for n, photo in enumerate(columns["photo"])
    }


def truth(store: Store) -> dict[int, tuple]:
    """The same from the database, in the plainest way."""
    photos, people, fingerprints = schema.photos, schema.individuals, schema.fingerprints
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(photos.c.id, photos.c.individual_id, photos.c.side, fingerprints.c.vector)
            .join(people, people.c.id == photos.c.individual_id)
            .join(fingerprints, fingerprints.c.photo_id == photos.c.id)
            .where(photos.c.state == "in", ~people.c.gone, fingerprints.c.model_id == "m")
        )
        return {photo: (individual, side or "", vector) for photo, individual, side, vector in rows}


def files(store: Store) -> vectors_file.Place:
    return vectors_file.place_for(store, "m")


def opened(store: Store) -> Gallery:
    """As a new process finds it."""
    gallery = load_gallery(store, "m", DIM)
    assert told(gallery) == truth(store)
    return gallery


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = make(tmp_path / "whales.db")
    yield store
    store.close()


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


def cut_vectors(place: vectors_file.Place) -> None:
    os.truncate(place.vectors, place.vectors.stat().st_size - 1)


def zero_vectors(place: vectors_file.Place) -> None:
    """As a power cut leaves pages that were not written yet."""
    data = place.vectors.read_bytes()
    place.vectors.write_bytes(data[:64] + bytes(len(data) - 64))


def cut_rows(place: vectors_file.Place) -> None:
    os.truncate(place.rows, place.rows.stat().st_size - 1)


def flip_a_bit_of_rows(place: vectors_file.Place) -> None:
    data = bytearray(place.rows.read_bytes())
    data[-50] ^= 1
    place.rows.write_bytes(data)


def rows_are_a_folder(place: vectors_file.Place) -> None:
    place.rows.unlink()
    place.rows.mkdir()


def vectors_are_gone(place: vectors_file.Place) -> None:
    place.vectors.unlink()


def head_is(**changes: object):
    def spoil(place: vectors_file.Place) -> None:
        head, body = place.rows.read_bytes().split(b"\n", 1)
        place.rows.write_bytes(json.dumps(json.loads(head) | changes).encode() + b"\n" + body)

    return spoil


def head_is_not_json(place: vectors_file.Place) -> None:
    place.rows.write_bytes(b"\x80" * 4000)


def other_vectors(place: vectors_file.Place) -> None:
    """A whole file, but not the one that the rows speak of."""
    data = place.vectors.read_bytes()
    place.vectors.write_bytes(data[:20] + bytes(16) + data[36:])


@pytest.mark.parametrize(
    "spoil",
    [
        cut_vectors,
        zero_vectors,
        cut_rows,
        flip_a_bit_of_rows,
        rows_are_a_folder,
        vectors_are_gone,
        head_is_not_json,
        other_vectors,
        head_is(count=7),
        head_is(count=-1),
        head_is(count=10**12),
        head_is(count="many"),
        head_is(dim=4),
        head_is(format=99),
        head_is(token="../../etc"),
        head_is(token=None),
        head_is(sides=None),
        head_is(history={}),
        head_is(history=[1]),
        head_is(crc32=None),
    ],
    ids=lambda spoil: getattr(spoil, "__name__", "head"),
)
def test_a_spoilt_file_is_not_believed_and_made_anew(store: Store, spoil):
    add(store, 20)
    opened(store)
    spoil(files(store))
    opened(store)
    if spoil is not rows_are_a_folder:
        assert opened(store).mapped is not None


def test_what_a_killed_process_leaves_is_overwritten_or_swept_away(store: Store):
    add(store, 20)
    gallery = opened(store)
    with files(store).vectors.open("ab") as out:  # appended, but not yet counted
        out.write(b"\xff" * 100)
    fresh, old = (store.folder / f"{files(store).rows.name}.{name}.new" for name in ("a", "b"))
    fresh.touch()
    old.touch()
    os.utime(old, (0, 0))
    assert opened(store).mapped is not None
    add(store, 5)
    gallery = load_gallery(store, "m", DIM, known=gallery)
    assert told(gallery) == truth(store)
    assert len(opened(store).mapped.vectors) == 25
    assert fresh.exists()
    assert not old.exists()


def test_a_backup_put_in_place_is_noticed(store: Store, tmp_path: Path):
    """Same catalogue, same numbers of rows and revisions: but another history."""
    add(store, 12)
    opened(store)
    with acting(store, "backup", "a line in the sand") as act:
        act.insert(schema.individuals, [{"name": "second", "added_at": act.now}])
    with store.writing() as connection:
        connection.exec_driver_sql("SELECT 1")
    kept = tmp_path / "backup.db"
    with store.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql(f"VACUUM INTO '{kept}'")
    with acting(store, "move", "three photos") as act:
        act.update(schema.photos, [1, 2, 3], individual_id=2)
    opened(store)
    store.close()
    for path in tmp_path.glob("whales.db-*"):
        path.unlink()
    shutil.copy(kept, tmp_path / "whales.db")
    restored = open_store(tmp_path / "whales.db")
    opened(restored)
    with acting(restored, "move", "three other photos") as act:
        act.update(schema.photos, [4, 5, 6], individual_id=2)
    opened(restored)
    opened(restored)
    restored.close()


def test_the_files_of_another_catalogue_are_not_believed(store: Store, tmp_path: Path):
    add(store, 20)
    opened(store)
    other = make(tmp_path / "dolphins.db")
    add(other, 20, individual=2)
    for old, new in zip(
        (files(store).vectors, files(store).rows),
        (files(other).vectors, files(other).rows),
        strict=True,
    ):
        shutil.copy(old, new)
    opened(other)
    other.close()


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


def test_where_nothing_can_be_written_memory_serves(store: Store, monkeypatch):
    add(store, 20)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vectors_file.os, "fsync", full)
    gallery = opened(store)
    assert gallery.mapped is None
    assert sorted(p.name for p in store.folder.iterdir() if "vectors" in p.name) == []
    add(store, 5)
    assert told(load_gallery(store, "m", DIM, known=gallery)) == truth(store)
    monkeypatch.undo()
    monkeypatch.setattr(vectors_file, "_SPARE", 1 << 60)  # a disk that is nearly full
    monkeypatch.setattr(loading, "WORTH_A_FILE", 10)
    assert opened(store).mapped is None


@pytest.mark.skipif(os.name == "nt", reason="folders have other rights there")
def test_a_read_only_folder_is_read_with_the_files_that_are_there(store: Store):
    if os.geteuid() == 0:
        pytest.skip("nothing is read-only to root")
    add(store, 20)
    opened(store)
    store.folder.chmod(0o555)
    try:
        assert opened(store).mapped is not None
        files(store).vectors.chmod(0)
        assert opened(store).mapped is None
    finally:
        store.folder.chmod(0o755)


def test_a_damaged_fingerprint_is_said_in_words(store: Store):
    add(store, 5)
    with store.writing() as connection:
        connection.execute(sa.update(schema.fingerprints).values(vector=b"\0" * 4 * DIM))
    with pytest.raises(UnusableCatalogue, match=r"is damaged: a fingerprint is not 8 numbers"):
        load_gallery(store, "m", DIM)


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
import test_catalogue_vectors_file as t
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
