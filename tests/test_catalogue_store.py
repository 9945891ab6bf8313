"""The catalogue's file: what is no catalogue is told so, and what is written is all there."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import sqlalchemy as sa

import catalogues
from catalogues import unit_vectors, write_files
from resight.catalogue import Catalogue, schema
from resight.catalogue.store import Store, open_store
from resight.errors import UnusableCatalogue


@pytest.fixture
def made(tmp_path: Path, tiny_model: Path) -> Path:
    """A catalogue of three photos."""
    path = tmp_path / "made.db"
    with Catalogue.open(path, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", write_files(tmp_path / "in", 3), vectors=unit_vectors(3))
    return path


def refusal(action: Callable[[], object]) -> str:
    return catalogues.refusal(action, UnusableCatalogue)


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
    for place in ("sqlite://", "sqlite:///:memory:", "what is://this", "mysql://me:secret@host/w"):
        message = refusal(lambda p=place: Catalogue.open(p, model=tiny_model, create=True))
        assert "SQLite" in message or "URL" in message
        assert "secret" not in message
    for place in ("", "a\0b"):
        refusal(lambda p=place: Catalogue.open(p, model=tiny_model, create=True))


def test_a_newer_layout_is_told_to_upgrade(made):
    with sqlite3.connect(made) as connection:
        newer = schema.version_text(schema.SCHEMA_VERSION + 1)
        connection.execute("UPDATE alembic_version SET version_num = ?", (newer,))
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


@pytest.fixture
def store(place: str, tmp_path: Path, tiny_model: Path) -> Iterator[Store]:
    """On each engine, a catalogue of three photos of Luna."""
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", write_files(tmp_path / "in", 3), vectors=unit_vectors(3))
    store = open_store(place)
    yield store
    store.close()


@pytest.mark.parametrize("table", [schema.actions, schema.changes, schema.decisions])
def test_the_log_is_only_ever_added_to(store, table):
    with store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table))
    for change in (sa.update(table).values(id=table.c.id + 100), sa.delete(table)):
        with pytest.raises(sa.exc.IntegrityError, match="only ever added"), store.writing() as c:
            c.execute(change)
    if store.dialect == "postgresql":
        with pytest.raises(sa.exc.IntegrityError, match="only ever"), store.writing() as c:
            c.exec_driver_sql(f"TRUNCATE {table.name} CASCADE")


NOW = datetime(2025, 1, 1, tzinfo=UTC)
PHOTO = {"content_hash": "a", "path": "x", "added_at": NOW}
BROKEN = {
    "a name twice": sa.insert(schema.individuals).values(name="Luna", added_at=NOW),
    "a photo twice": sa.insert(schema.photos).from_select(
        ["content_hash", "path", "added_at"],
        sa.select(schema.photos.c.content_hash, sa.literal("x"), schema.photos.c.added_at),
    ),
    "nobody's": sa.insert(schema.photos).values(**PHOTO, individual_id=99),
    "the encounter is another's": sa.insert(schema.photos).values(
        **PHOTO, individual_id=1, encounter_id=7
    ),
    "no such state": sa.insert(schema.photos).values(**PHOTO, state="lost"),
    "another catalogue": sa.update(schema.about).values(id=2),
    "the wrong way round": sa.insert(schema.not_same).values(
        first_photo_id=2, second_photo_id=1, decision_id=1
    ),
    "an encounter twice": sa.insert(schema.encounters).values(individual_id=50, name="Monday"),
    "an encounter of nobody twice": sa.insert(schema.encounters).values(name="Monday"),
    "a fingerprint twice": sa.insert(schema.fingerprints).from_select(
        ["model_id", "photo_id", "dim", "vector"],
        sa.select(
            *(schema.fingerprints.c[name] for name in ("model_id", "photo_id", "dim", "vector"))
        ),
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_schema_holds_what_it_promises(store, what):
    """Unique names and contents, foreign keys, and one individual for photo and encounter."""
    with store.writing() as connection:
        connection.execute(sa.insert(schema.individuals).values(id=50, name="Sol", added_at=NOW))
        for i, whose in ((7, 50), (8, None)):
            connection.execute(
                sa.insert(schema.encounters).values(id=i, individual_id=whose, name="Monday")
            )
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        connection.execute(BROKEN[what])


def test_who_is_gone_leaves_the_name_free(store):
    people = schema.individuals
    with store.writing() as connection:
        connection.execute(sa.update(people).where(people.c.name == "Luna").values(gone=True))
        connection.execute(sa.insert(people), [{"id": 50, "name": "Luna", "added_at": NOW}])
    with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
        connection.execute(sa.update(people).values(gone=False))


@hypothesis.settings(
    max_examples=30, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(
    values=st.lists(
        st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40
    )
)
def test_vectors_come_back_to_the_last_bit(store, values):
    vector = np.array(values, "<f4").tobytes()
    prints = schema.fingerprints
    with store.writing() as connection:
        connection.execute(
            sa.update(prints).where(prints.c.photo_id == 1).values(vector=vector, dim=len(values))
        )
    with store.reading() as connection:
        back = connection.scalar(sa.select(prints.c.vector).where(prints.c.photo_id == 1))
    # But for the sign of zero, which is no number's business.
    assert np.array_equal(np.frombuffer(back, "<f4"), np.array(values, "<f4"))


def test_a_block_that_fails_writes_nothing(store):
    def fail() -> None:
        with store.writing() as connection:
            connection.execute(sa.update(schema.individuals).values(name="Sol"))
            raise ZeroDivisionError

    with store.reading() as connection:
        before = connection.scalar(sa.select(schema.about.c.revision))
    with pytest.raises(ZeroDivisionError):
        fail()
    with store.reading() as connection:
        assert connection.scalar(sa.select(schema.individuals.c.name)) == "Luna"
        assert connection.scalar(sa.select(schema.about.c.revision)) == before


def test_who_reads_sees_one_moment(store):
    name = sa.select(schema.individuals.c.name)
    with store.reading() as reader:
        assert reader.scalar(name) == "Luna"
        with store.writing() as connection:
            connection.execute(sa.update(schema.individuals).values(name="Sol"))
        assert reader.scalar(name) == "Luna"
    with store.reading() as reader:
        assert reader.scalar(name) == "Sol"


def test_a_writer_waits_its_turn_and_then_sees_what_the_other_wrote(store):
    """In one process, from threads: each adds one to a number that it read."""

    def count(times: int) -> None:
        notes = schema.individuals.c.notes
        for _ in range(times):
            with store.writing() as connection:
                found = int(connection.scalar(sa.select(notes)) or 0)
                connection.execute(sa.update(schema.individuals).values(notes=str(found + 1)))

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(count, 25) for _ in range(4)]:
            done.result()
    with store.reading() as connection:
        assert connection.scalar(sa.select(schema.individuals.c.notes)) == "100"


def test_closing_leaves_one_file(made):
    assert [path.name for path in made.parent.glob("made.db*")] == ["made.db"]


def test_a_name_is_free_again_on_postgres_too() -> None:
    made: list[str] = []

    def note(ddl: sa.DDL, *_: object, **__: object) -> None:
        made.append(str(ddl.compile(dialect=engine.dialect)))

    engine = sa.create_mock_engine("postgresql+psycopg://", note)
    schema.metadata.create_all(engine, checkfirst=False)
    here = [one for one in made if "_name_here" in one]
    assert len(here) == 2
    assert all(one.endswith("WHERE NOT gone") for one in here)
