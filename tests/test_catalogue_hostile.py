"""What a catalogue is given in bad faith or bad luck: a clear error or a right result, no loss."""

import os
import resource
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import working_day
from catalogues import unit_vectors, write_files
from command_line import resight
from resight.catalogue import Catalogue
from resight.catalogue.check import check
from resight.catalogue.store import open_store
from resight.errors import ResightError, UnusableCatalogue

NAMES = [
    "O'Brien",
    '"; DROP TABLE photos; --',
    "Robert'); DELETE FROM decisions; --",
    "%s %(name)s {0} $1 :name ?",
    "\\N \\\\ \\x00 \\u0000",
    "🐋🏳️‍🌈👩‍👩‍👧",
    "לונה \u202eanuL\u202c",
    "é" * 200,
    "NULL",
    "0",
    "None",
    "../../etc/passwd",
    "a" * 200,
]
NO_NAMES = ["", " ", "a" * 201, "x" * 10_000, "a\nb", "a\0b", "\u200f", "\ud800", "\x1b[31mred"]


@pytest.fixture
def book(place: str, tiny_model: Path) -> str:
    Catalogue.open(place, model=tiny_model, create=True).close()
    return place


def test_any_name_comes_back_as_it_was(book, tmp_path):
    photos = write_files(tmp_path / "in", len(NAMES))
    vectors = unit_vectors(len(NAMES))
    with Catalogue.open(book) as catalogue:
        for name, photo, vector in zip(NAMES, photos, vectors, strict=True):
            catalogue.enrol(name, [photo], vectors=vector[None], encounter=name, who=name)
        assert [who.name for who in catalogue.individuals()] == NAMES
        for name, photo in zip(NAMES, photos, strict=True):
            (kept,) = catalogue.photos_of(name)
            assert (kept.path, kept.encounter) == (photo, name)
        assert {event.who for event in catalogue.history()} == set(NAMES)
        for name in NAMES:
            catalogue.undo(who=name)
        assert catalogue.individuals() == []
        for name in NAMES:
            catalogue.redo(who=name)
        assert [who.name for who in catalogue.individuals()] == NAMES
        assert catalogue.check().findings == ()
        catalogue.backup(tmp_path / "copy.db")
    with Catalogue.open(tmp_path / "copy.db") as copy:
        assert [who.name for who in copy.individuals()] == NAMES


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_cannot_be_a_name_is_told_and_nothing_written(book, tmp_path, name):
    (photo,) = write_files(tmp_path / "in", 1)
    with Catalogue.open(book) as catalogue:
        for bad in ({"name": name}, {"encounter": name or " "}, {"who": name or " "}):
            with pytest.raises(ResightError) as caught:
                catalogue.enrol(**{"name": "Luna", **bad}, photos=[photo], vectors=unit_vectors(1))
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 300
        assert catalogue.history() == []
        assert catalogue.individuals() == []


@hypothesis.settings(
    max_examples=15, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(name=st.text(max_size=250))
def test_any_text_is_a_name_or_is_told(book, tmp_path, name):
    (photo,) = write_files(tmp_path / "in", 1)
    with Catalogue.open(book) as catalogue:
        before = len(catalogue.history())
        try:
            done = catalogue.enrol(name, [photo], vectors=unit_vectors(1))
        except ResightError:
            assert len(catalogue.history()) == before
        else:
            assert [who.name for who in catalogue.individuals()] == [done.individual]
            catalogue.undo()


VECTORS = {
    "NaN": np.full((1, 32), np.nan, np.float32),
    "infinite": np.full((1, 32), np.inf, np.float32),
    "one NaN": np.where(np.arange(32) == 5, np.nan, unit_vectors(1)),
    "of no length": np.zeros((1, 32), np.float32),
    "too long": unit_vectors(1) * 2,
    "huge": unit_vectors(1) * np.float64(1e300),
    "of another dimension": unit_vectors(1, 31),
    "too many": unit_vectors(2),
    "none": unit_vectors(1)[:0],
    "one alone": unit_vectors(1)[0],
    "whole numbers": np.eye(32, dtype=np.int64)[:1],
    "words": [["a"] * 32],
    "ragged": [[1.0], [1.0, 2.0]],
}


@pytest.mark.parametrize("what", VECTORS)
def test_what_is_no_fingerprint_is_told_and_nothing_written(book, tmp_path, what):
    (photo,) = write_files(tmp_path / "in", 1)
    with Catalogue.open(book) as catalogue:
        for enrol in (lambda v: catalogue.enrol("Luna", [photo], vectors=v), catalogue.neighbours):
            if what in ("too many", "none") and enrol == catalogue.neighbours:
                continue  # any number of questions is welcome
            with pytest.raises(ResightError):
                enrol(VECTORS[what])
        assert catalogue.history() == []
        assert check(catalogue._store).counts["photos"] == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of a whole day's work in it."""
    folder = tmp_path_factory.mktemp("whole")
    working_day.begin(folder / "whole.db", folder / "in")
    working_day.work(folder / "whole.db", folder / "in", say=lambda step: None)
    return folder


@pytest.mark.parametrize("part", [0.0005, 0.01, 0.1, 0.3, 0.6, 0.9, 0.99])
def test_a_file_cut_short_is_told_by_every_command(whole, tmp_path, part):
    place = tmp_path / "cut.db"
    shutil.copy(whole / "whole.db", place)
    size = place.stat().st_size
    os.truncate(place, int(size * part))
    cut = place.read_bytes()
    ran = resight("check", place, "--no-files")
    assert ran.code == 1
    assert "damaged" in ran.out + ran.err
    assert "Traceback" not in ran.out + ran.err
    assert resight("backup", place, "--out", tmp_path / "copy.db").code == 1
    assert not (tmp_path / "copy.db").exists()
    assert place.read_bytes() == cut


def test_other_people_s_databases_are_left_alone(tmp_path, tiny_model):
    """Also one that looks much like ours."""
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.executescript(
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES "
            "('0001'); CREATE TABLE about (id, model_id, revision); CREATE TABLE photos (id);"
        )
    before = other.read_bytes()
    for words in (["check", other], ["backup", other, "--out", tmp_path / "x.db"]):
        assert "not a catalogue" in resight(*words).failed_in_one_line()
    with pytest.raises(UnusableCatalogue, match="not a catalogue"):
        Catalogue.open(other, model=tiny_model, create=True)
    assert other.read_bytes() == before
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.parametrize("room", [5_000, 40_000, 150_000, 250_000])
def test_a_disk_that_fills_up_in_the_middle_of_work(tmp_path, room):
    """A limit on the size of files stands for the disk's end; later there is room again."""
    folder = tmp_path / "in"
    states = working_day.states()
    place = tmp_path / "c.db"
    working_day.begin(place, folder)
    read, write = os.pipe()

    def go() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = place.stat().st_size + room
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            working_day.work(place, folder, say=lambda step: os.write(write, b"%d\n" % step))
        except UnusableCatalogue as error:
            os.write(write, b"full\n" if "disk" in str(error) else str(error).encode())

    child = working_day.forked(go)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        lines = said.read().split()
    assert os.waitpid(child, 0)[1] == 0
    acknowledged = max((int(line) for line in lines if line.isdigit()), default=0)
    if room < 200_000:
        assert lines[-1] == b"full"
    store = open_store(place)
    assert working_day.state(store) == states[acknowledged]
    assert check(store, files=False).findings == ()
    working_day.work(place, folder, say=lambda step: None)
    assert working_day.state(store) == states[-1]
    assert check(store, files=False).findings == ()
    store.close()
