"""The catalogue's file: what is no catalogue is told so, and what is written is all there."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from catalogues import unit_vectors, write_files
from resight.catalogue import Catalogue, schema
from resight.catalogue.store import open_store
from resight.errors import UnusableCatalogue


@pytest.fixture
def made(tmp_path: Path, tiny_model: Path) -> Path:
    """A catalogue of three photos."""
    path = tmp_path / "made.db"
    with Catalogue.open(path, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", write_files(tmp_path / "in", 3), vectors=unit_vectors(3))
    return path


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(UnusableCatalogue) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_missing_file_says_how_to_make_one(tmp_path):
    place = tmp_path / "none.db"
    for create in (False, True):
        message = refusal(lambda create=create: Catalogue.open(place, create=create))
        assert str(place) in message
        assert "--model" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("create", [False, True])
def test_what_is_no_catalogue_is_refused_and_left_as_it_is(tmp_path, tiny_model, create):
    text = tmp_path / "notes.txt"
    text.write_text("Luna was seen on Monday")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
    connection.close()
    before = {path: path.read_bytes() for path in (text, other)}
    for place, word in ((text, "other kind"), (other, "database"), (tmp_path, "folder")):
        message = refusal(lambda p=place: Catalogue.open(p, model=tiny_model, create=create))
        assert word in message
    assert {path: path.read_bytes() for path in before} == before
    assert set(tmp_path.iterdir()) == set(before)


def test_a_new_catalogue_needs_its_folder(tmp_path, tiny_model):
    place = tmp_path / "none" / "new.db"
    assert "folder" in refusal(lambda: Catalogue.open(place, model=tiny_model, create=True))


def test_an_empty_file_is_filled_only_when_asked(tmp_path, tiny_model):
    place = tmp_path / "new.db"
    place.touch()
    assert "empty" in refusal(lambda: Catalogue.open(place, model=tiny_model))
    assert place.stat().st_size == 0
    Catalogue.open(place, model=tiny_model, create=True).close()
    Catalogue.open(place).close()


def test_odd_names_of_files_and_urls(tmp_path, tiny_model, made):
    odd = tmp_path / "a?b#c%20 'd\" é🐋.db"
    Catalogue.open(odd, model=tiny_model, create=True).close()
    assert odd.exists()
    with Catalogue.open(f"sqlite:///{made}") as catalogue:
        assert catalogue.path == made
    message = refusal(lambda: Catalogue.open("postgresql://me:secret@host/whales"))
    assert "SQLite" in message
    assert "secret" not in message
    for place in ("sqlite://", "sqlite:///:memory:", "what is://this", "", "a\0b"):
        refusal(lambda p=place: Catalogue.open(p, model=tiny_model, create=True))


def test_a_newer_layout_is_told_to_upgrade(made):
    with sqlite3.connect(made) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    connection.close()
    message = refusal(lambda: Catalogue.open(made))
    assert "newer" in message
    assert "upgrade" in message


@pytest.mark.parametrize("left", [100, 5000, 60_000])
def test_a_file_cut_short_is_told_damaged(made, left):
    made.write_bytes(made.read_bytes()[:left])
    assert "damaged" in refusal(lambda: Catalogue.open(made).vectors())


@pytest.mark.parametrize("vector", [b"\0" * 12, b"\0" * 128, b"\xff" * 128])
def test_a_damaged_fingerprint_is_told(made, vector):
    """Another length, no length, NaN."""
    with sqlite3.connect(made) as connection:
        connection.execute("UPDATE fingerprints SET vector = ? WHERE photo_id = 2", (vector,))
    connection.close()
    with Catalogue.open(made) as catalogue:
        assert "damaged" in refusal(catalogue.vectors)


@pytest.fixture
def as_somebody_else(made: Path, tiny_model: Path) -> Iterator[Path]:
    """A folder with a catalogue and a model in it, that this process may only read."""
    folder = Path(tempfile.mkdtemp())
    shutil.copy(made, folder / "made.db")
    shutil.copy(tiny_model, folder / "tiny.onnx")
    folder.chmod(0o555)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # for root, nothing is read-only
    yield folder
    os.seteuid(before)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_folder_is_told(as_somebody_else):
    folder = as_somebody_else
    assert "read-only" in refusal(lambda: Catalogue.open(folder / "made.db"))
    new = folder / "new.db"
    message = refusal(lambda: Catalogue.open(new, model=folder / "tiny.onnx", create=True))
    assert "read-only" in message
    assert not new.exists()


def test_a_full_disk_is_told_and_loses_nothing(made, tmp_path):
    """A limit on the size of files stands for the disk's end."""
    photos = write_files(tmp_path / "in", 1000, word="more")
    script = f"""
import resource, signal
from pathlib import Path
from resight.catalogue import Catalogue
from resight.errors import UnusableCatalogue
from catalogues import unit_vectors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Catalogue.open({str(made)!r}) as catalogue:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    photos = sorted(Path({str(photos[0].parent)!r}).glob("more-*"))
    try:
        catalogue.enrol("Sol", photos, vectors=unit_vectors(len(photos)))
    except UnusableCatalogue as error:
        print(error)
"""
    done = run_python(script)
    assert "disk" in done.stdout
    assert done.stdout.count("\n") == 1
    with Catalogue.open(made) as catalogue:
        assert [(who.name, who.photos) for who in catalogue.individuals()] == [("Luna", 3)]


def run_python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )


def test_decisions_are_only_ever_added(made):
    store = open_store(made)
    for change in (sa.update(schema.decisions).values(who="me"), sa.delete(schema.decisions)):
        with pytest.raises(sa.exc.IntegrityError, match="only ever added"), store.writing() as c:
            c.execute(change)
    store.close()


def test_the_schema_holds_what_it_promises(made):
    """Unique names and contents, foreign keys, and one individual for photo and encounter."""
    store = open_store(made)
    now = "2025-01-01 00:00:00"
    photo = "INSERT INTO photos (content_hash, path, individual_id, encounter_id, added_at) VALUES "
    broken = [
        f"INSERT INTO individuals (name, added_at) VALUES ('Luna', '{now}')",
        f"INSERT INTO photos (content_hash, path, added_at) "
        f"SELECT content_hash, 'x', '{now}' FROM photos",
        photo + f"('a', 'x', 99, NULL, '{now}')",
        photo + f"('b', 'x', 1, 7, '{now}')",  # the encounter is another's
        "UPDATE about SET id = 2",
        "INSERT INTO not_same VALUES (2, 1, 1)",
    ]
    with store.writing() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO individuals (id, name, added_at) VALUES (5, 'Sol', '{now}')"
        )
        connection.exec_driver_sql(
            "INSERT INTO encounters (id, individual_id, name) VALUES (7, 5, 'Monday')"
        )
    for statement in broken:
        with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
            connection.exec_driver_sql(statement)
    store.close()


def test_a_block_that_fails_writes_nothing(made):
    store = open_store(made)

    def fail() -> None:
        with store.writing() as connection:
            connection.execute(sa.update(schema.individuals).values(name="Sol"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.reading() as connection:
        assert connection.scalar(sa.select(schema.individuals.c.name)) == "Luna"
    store.close()


def test_closing_leaves_one_file(made):
    assert [path.name for path in made.parent.glob("made.db*")] == ["made.db"]
