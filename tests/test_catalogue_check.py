"""`check` finds what is wrong, names it, and finds nothing in a catalogue that is sound."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from catalogues import unit_vectors, write_files
from command_line import resight
from resight.catalogue import Catalogue, schema
from resight.catalogue.check import check
from resight.catalogue.store import Store, open_store
from resight.photos import Photo


@pytest.fixture
def book(place: str, tmp_path: Path, tiny_model: Path) -> str:
    """On each engine: Luna on photos 1 to 3 of Monday, Milo on 4 to 6, two parts of picture 6."""
    photos = write_files(tmp_path / "in", 6)
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", photos[:3], vectors=unit_vectors(3), encounter="Monday")
        catalogue.enrol("Milo", photos[3:5], vectors=unit_vectors(2, seed=1), encounter="Monday")
        parts = [
            Photo(photos[5], individual=name, box=(left, 0, left + 9, 9))
            for name, left in (("Milo", 0), ("Luna", 9))
        ]
        catalogue.enrol_many(parts, vectors=unit_vectors(2, seed=2))
        catalogue.not_same([photos[0]], [photos[3]])
    return place


@pytest.fixture
def store(book: str) -> Iterator[Store]:
    store = open_store(book)
    yield store
    store.close()


def found(store: Store, *, files: bool = False) -> dict[str, tuple[str, ...]]:
    return {finding.what: finding.where for finding in check(store, files=files).findings}


def spoil(store: Store, *statements: sa.Executable) -> None:
    """Change rows behind the back of everything that guards them."""
    with store.writing() as connection:
        if store.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


def test_a_sound_catalogue(store):
    done = check(store)
    assert done.sound, done.findings
    wanted = {"individuals": 2, "encounters": 2, "photos": 7, "fingerprints": 7, "files": 6}
    assert wanted.items() <= done.counts.items()


def test_after_all_kinds_of_work_it_is_sound(book, tmp_path):
    with Catalogue.open(book) as catalogue:
        more = write_files(tmp_path / "more", 3, word="more")
        catalogue.add(more, vectors=unit_vectors(3, seed=5))
        catalogue.junk(more[:1])
        catalogue.name(more[1:2], "Sol")
        catalogue.merge("Sol", into="Luna")
        catalogue.undo()
        catalogue.redo()
        catalogue.move(more[1:2], "Milo")
        catalogue.rename("Milo", "Milou")
        assert catalogue.check().findings == ()


P, E, F = schema.photos, schema.encounters, schema.fingerprints
WHO = schema.individuals
PHOTO = sa.update(P).where(P.c.id == 2)
SPOILT = {
    "named by somebody who is gone": (
        [sa.update(WHO).where(WHO.c.name == "Milo").values(gone=True)],
        ("photo 4", "photo 5", "photo 6"),
    ),
    "an encounter of somebody who is gone": (
        [sa.update(WHO).where(WHO.c.name == "Milo").values(gone=True)],
        ("encounter 2",),
    ),
    "of an encounter that is gone, or was never there": (
        [sa.update(E).where(E.c.id == 1).values(gone=True)],
        ("photo 1", "photo 2", "photo 3"),
    ),
    "named otherwise than its encounter": (
        [PHOTO.values(individual_id=None)],
        ("photo 2",),
    ),
    "without a fingerprint of the model in use (refingerprint makes it)": (
        [sa.delete(F).where(F.c.photo_id == 3)],
        ("photo 3",),
    ),
    "two parts of one picture, with one name": (
        [sa.update(P).where(P.c.id == 7).values(individual_id=2)],
        ("photos 6 and 7",),
    ),
    "said to be not the same, and with one name": (
        [sa.update(P).where(P.c.id == 4).values(individual_id=1, encounter_id=1)],
        ("photos 1 and 4",),
    ),
    "of another length than its model's": (
        [
            sa.update(F)
            .where(F.c.photo_id == 3)
            .values(vector=np.eye(8, dtype="<f4")[0].tobytes(), dim=8)
        ],
        ("fingerprint 3",),
    ),
    "not of unit length": (
        [sa.update(F).where(F.c.photo_id == 3).values(vector=np.ones(32, "<f4").tobytes())],
        ("fingerprint 3",),
    ),
    "out of order": (
        [sa.update(schema.about).values(revision=2)],
        ("action 4",),
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_wrong_is_named(store, what):
    statements, where = SPOILT[what]
    spoil(store, *statements)
    assert found(store)[what] == where


def test_junk_and_gone_photos_may_be_without_fingerprints(store):
    gone = sa.update(P).where(P.c.id == 3).values(state="junk")
    spoil(store, gone, sa.delete(F).where(F.c.photo_id == 3))
    assert found(store) == {}


def test_numbers_that_are_none(tmp_path, tiny_model):
    place = tmp_path / "c.db"
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", write_files(tmp_path / "in", 3), vectors=unit_vectors(3))
        with closing(sqlite3.connect(place)) as connection, connection:
            connection.execute("UPDATE fingerprints SET vector = ? WHERE id = 2", (b"\xff" * 128,))
            connection.execute("UPDATE fingerprints SET vector = ? WHERE id = 3", (b"\xff" * 12,))
        findings = {f.what: f.where for f in catalogue.check().findings}
    assert findings == {
        "with numbers that are none": ("fingerprint 2",),
        "of another length than its model's": ("fingerprint 3",),
    }


def test_files_that_are_away_or_others(book, store, tmp_path, tiny_model):
    (tmp_path / "in" / "file-1.png").unlink()
    (tmp_path / "in" / "file-4.png").write_text("something else")
    assert found(store, files=True) == {
        "the file cannot be read: no such file": (str(tmp_path / "in" / "file-1.png"),),
        "the file is not the picture that was enrolled": (str(tmp_path / "in" / "file-4.png"),),
    }
    assert found(store) == {}


def test_a_model_that_is_away(store):
    spoil(store, sa.update(schema.models).values(path="/none/tiny.onnx"))
    assert list(found(store, files=True)) == ["the model cannot be used"]


def test_a_log_that_somebody_cut(store):
    table = schema.decisions
    with store.writing() as connection:
        if store.dialect == "postgresql":
            connection.exec_driver_sql("DROP TRIGGER decisions_no_delete ON decisions")
        else:
            connection.exec_driver_sql("DROP TRIGGER decisions_no_delete")
        connection.execute(sa.delete(table).where(table.c.id == 2))
    findings = found(store)
    assert findings["the guard against changing the log is gone"] == ("decisions_no_delete",)
    if store.dialect == "sqlite":
        assert "rows have been taken out" in findings


def test_rows_that_refer_to_nothing_and_a_damaged_file(tmp_path, tiny_model):
    place = tmp_path / "c.db"
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        photos = write_files(tmp_path / "in", 300)
        catalogue.enrol("Luna", photos, vectors=unit_vectors(300))
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("UPDATE photos SET individual_id = 77 WHERE id = 5")
    ran = resight("check", place)
    assert ran.code == 1
    assert "refers to individuals that are not there (1):\n  photos 5\n" in ran.out
    with closing(sqlite3.connect(place)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_photos_changed'"
        ).fetchone()
    with place.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    ran = resight("check", place, "--json")
    assert ran.code == 1
    told = json.loads(ran.out)
    assert told["sound"] is False
    assert "damaged" in told["findings"][0]["what"]


def test_the_command(book, tmp_path):
    ran = resight("check", book)
    assert (ran.code, ran.err) == (0, "")
    assert "7 photos" in ran.out
    assert ran.out.endswith("All is well.\n")
    for photo in (tmp_path / "in").iterdir():
        photo.unlink()
    ran = resight("check", book)
    assert ran.code == 1
    assert "no such file (6):" in ran.out
    assert "  and 1 more (all with --json)" in ran.out
    told = json.loads(resight("check", book, "--json").out)
    assert len(told["findings"][0]["where"]) == 6
    assert resight("check", book, "--no-files").code == 0
