"""Mapped vectors that a kill, a crash or somebody spoilt are not believed, and made anew."""

import json
import os
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from resight.catalogue import loading, schema, vectors_file
from resight.catalogue.journal import acting
from resight.catalogue.loading import load_gallery
from resight.catalogue.store import Store, open_store
from resight.errors import UnusableCatalogue
from vectors_files import DIM, add, files, make, opened, told, truth

pytestmark = pytest.mark.usefixtures("small_files")


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
