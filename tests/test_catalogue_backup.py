"""A copy of a catalogue: the same catalogue, at one moment, or no file at all."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

import working_day
from catalogues import unit_vectors, write_files
from command_line import all_below, resight
from resight.catalogue import Catalogue, schema
from resight.catalogue.backup import backup
from resight.catalogue.store import open_store
from resight.errors import ResightError, UnusableCatalogue


@pytest.fixture
def book(place: str, tmp_path: Path, tiny_model: Path) -> str:
    """On each engine a catalogue with some history."""
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        photos = write_files(tmp_path / "in", 6)
        catalogue.enrol("Luna", photos[:3], vectors=unit_vectors(3), encounter="Monday")
        catalogue.enrol('Sól 🐋 "x"', photos[3:], vectors=unit_vectors(3, seed=2))
        catalogue.rename("Luna", "Lune")
        catalogue.undo()
    return place


def everything(place: str | Path) -> dict[str, list[dict[str, object]]]:
    store = open_store(place)
    with store.reading() as connection:
        found = {
            table.name: [
                dict(row)
                for row in connection.execute(
                    sa.select(table).order_by(*table.primary_key)
                ).mappings()
            ]
            for table in schema.metadata.sorted_tables
        }
    store.close()
    return found


def test_it_is_the_same_catalogue_whatever_the_engine(book, tmp_path):
    out = tmp_path / "out" / "copy.db"
    out.parent.mkdir()
    with Catalogue.open(book) as catalogue:
        done = catalogue.backup(out)
        vectors = catalogue.vectors()[0]
    assert (done.path, done.photos, done.bytes) == (out, 6, out.stat().st_size)
    assert list(out.parent.iterdir()) == [out]
    assert everything(out) == everything(book)
    assert all(everything(out)[table] for table in ("actions", "changes", "decisions"))
    with Catalogue.open(out) as copy:
        assert np.array_equal(copy.vectors()[0], vectors)
        copy.redo()  # it goes on where the other was
        assert {who.name for who in copy.individuals()} == {"Lune", 'Sól 🐋 "x"'}
        assert copy.check(files=False).sound


def test_a_file_that_is_there_is_left_alone_unless_asked(book, tmp_path):
    out = tmp_path / "copy.db"
    out.write_text("dear")
    with Catalogue.open(book) as catalogue:
        with pytest.raises(ResightError, match=r"is there already.*--replace"):
            catalogue.backup(out)
        assert out.read_text() == "dear"
        catalogue.backup(out, replace=True)
        with pytest.raises(UnusableCatalogue, match="is a folder"):
            catalogue.backup(tmp_path)
        with pytest.raises(UnusableCatalogue, match="folder does not exist"):
            catalogue.backup(tmp_path / "none" / "copy.db")
    assert everything(out) == everything(book)


def test_never_over_itself(tmp_path, tiny_model):
    place = tmp_path / "c.db"
    Catalogue.open(place, model=tiny_model, create=True).close()
    (tmp_path / "link.db").symlink_to(place)
    with Catalogue.open(place) as catalogue:
        for out in (place, tmp_path / "link.db"):
            with pytest.raises(ResightError, match="is the catalogue itself"):
                catalogue.backup(out, replace=True)
    Catalogue.open(place).close()


def test_it_is_of_one_moment_while_others_write(book, tmp_path):
    """Two numbers that are always equal, in two tables."""
    stop = threading.Event()

    def write() -> None:
        store = open_store(book)
        number = 0
        while not stop.is_set():
            number += 1
            with store.writing() as connection:
                connection.execute(sa.update(schema.about).values(made_with=str(number)))
                connection.execute(sa.update(schema.individuals).values(notes=str(number)))
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        store = open_store(book)
        for turn in range(5):
            out = tmp_path / f"copy-{turn}.db"
            backup(store, out)
            found = everything(out)
            (about,) = found["about"]
            notes = {row["notes"] for row in found["individuals"]}
            assert notes == {about["made_with"]} or (turn == 0 and notes == {""})
        store.close()
    finally:
        stop.set()
        writer.join()


def test_a_damaged_catalogue_gives_no_backup(tmp_path, tiny_model):
    place, out = tmp_path / "c.db", tmp_path / "copy.db"
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        photos = write_files(tmp_path / "in", 300)
        catalogue.enrol("Luna", photos, vectors=unit_vectors(300))
    with place.open("r+b") as file:
        file.seek(100_000)
        file.write(b"\xa5" * 20_000)
    before = all_below(tmp_path)
    store = open_store(place)
    with pytest.raises(UnusableCatalogue, match="damaged"):
        backup(store, out)
    store.close()
    assert all_below(tmp_path) == before


def test_a_full_disk_leaves_the_older_backup(tmp_path, book):
    """A limit on the size of files stands for the disk's end."""
    out = tmp_path / "copy.db"
    with Catalogue.open(book) as catalogue:
        catalogue.backup(out)
    before = all_below(tmp_path)

    def filling() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = open_store(book)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        with pytest.raises(UnusableCatalogue, match="disk"):
            backup(store, out, replace=True)

    child = working_day.forked(filling)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    after = all_below(tmp_path)
    assert after["copy.db"] == before["copy.db"]
    assert not [name for name in after if "part" in name]


def test_killed_in_the_middle_it_leaves_no_file_of_that_name(tmp_path, book):
    script = f"""
import os, signal
from resight.catalogue import backup
from resight.catalogue.store import open_store
backup._read_through = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
backup.backup(open_store({str(book)!r}), {str(tmp_path / "copy.db")!r})
"""
    done = subprocess.run([sys.executable, "-c", script])
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "copy.db").exists()
    with Catalogue.open(book) as catalogue:
        catalogue.backup(tmp_path / "copy.db")
    assert not list(tmp_path.glob(".*part*"))
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_command(tmp_path, book):
    ran = resight("backup", book, "--out", tmp_path / "copy.db")
    assert ran.code == 0, ran
    assert "copy.db: 6 photos, 0." in ran.out
    error = resight("backup", book, "--out", tmp_path / "copy.db").failed_in_one_line()
    assert "--replace" in error
    assert resight("backup", book, "--out", tmp_path / "copy.db", "--replace").code == 0


def test_home_from_a_server_what_was_refused_there_is_not_missed(book, tmp_path):
    """A server gives the number of a refused action to nobody else."""
    out, again = tmp_path / "out.db", tmp_path / "again.db"
    with Catalogue.open(book) as catalogue:
        photos = catalogue.photos_of("Luna")
        other = catalogue.photos_of('Sól 🐋 "x"')[0]
        catalogue.not_same(photos[0].path, other.path)
        with pytest.raises(ResightError, match="not the same"):
            catalogue.merge("Luna", into='Sól 🐋 "x"')
        catalogue.rename("Luna", "Lune")
        catalogue.backup(out)
    with Catalogue.open(out) as copy:
        assert copy.check(files=False).findings == ()
        copy.backup(again)
    with closing(sqlite3.connect(again)) as connection:
        connection.execute("DROP TRIGGER decisions_no_delete")
        connection.execute("DELETE FROM decisions WHERE id = 2")
        connection.commit()
    with Catalogue.open(again) as copy:
        found = [finding.what for finding in copy.check(files=False).findings]
        assert "rows have been taken out" in found
