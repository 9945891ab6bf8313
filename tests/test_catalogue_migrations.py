"""A file of an older Resight is brought up to date: everything kept, nothing by halves."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

import working_day
from catalogues import unit_vectors, write_files
from resight.catalogue import Catalogue, migrations, schema
from resight.catalogue.store import create_store, lay_out, open_store
from resight.errors import ResightError, UnusableCatalogue

HERE = Path(__file__).parent


NEWEST = f"{schema.SCHEMA_VERSION:04d}"


def as_written(folder: Path, version: str) -> Path:
    """A file as a Resight of that lay-out left it."""
    path = folder / "whales.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((HERE / f"catalogue_{version}.sql").read_text(encoding="utf-8"))
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as Resight 0.1 left it."""
    return as_written(tmp_path, "0001")


@pytest.fixture(params=["0001", "0002"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of each older lay-out."""
    return as_written(tmp_path, request.param)


def rows(path: Path) -> dict[str, list[dict[str, object]]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY rowid")]
            for (name,) in names
        }


def layout(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Names and statements of all tables, indices and triggers, whatever their spacing."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(name, re.sub(r'[\s"]+', "", sql)) for name, sql in found}


def fresh_layout() -> set[tuple[str, str]]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        lay_out(connection)
        return layout(connection.connection.driver_connection)


def test_everything_is_kept_and_the_layout_is_that_of_a_new_catalogue(older):
    before = rows(older)
    open_store(older).close()
    after = rows(older)
    for table in before.keys() - {"sqlite_sequence"}:
        assert len(before[table]) == len(after[table]), table
    for table in before.keys() - {"alembic_version", "sqlite_sequence"}:
        assert before[table], table  # the file has rows everywhere
        kept = [
            {key: row[key] for key in was}
            for was, row in zip(before[table], after[table], strict=True)
        ]
        assert kept == before[table], table
    assert after["alembic_version"] == [{"version_num": NEWEST}]
    assert {row["best_photo_id"] for row in after["individuals"]} == {None}
    with closing(sqlite3.connect(older)) as connection:
        assert layout(connection) == fresh_layout()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)


def test_what_the_first_lay_out_did_not_know_is_what_was_so_then(old):
    open_store(old).close()
    after = rows(old)
    assert [row["id"] for row in after["fingerprints"]] == [1, 2, 3, 4]
    assert {row["state"] for row in after["photos"]} == {"in"}
    assert {row["gone"] for table in ("individuals", "not_same") for row in after[table]} == {0}
    assert [row["settings"] for row in after["about"]] == ["{}"]


def test_people_go_on_with_it(old):
    with Catalogue.open(old) as catalogue:
        assert {who.name for who in catalogue.individuals()} == {"Luna", "Sól 🐋", "Milo"}
        vectors, names, _ = catalogue.vectors()
        assert names == ["Luna", "Sól 🐋", "Sól 🐋", "Milo"]
        assert vectors[0].tolist() == [1, 0, 0, 0]
        catalogue.enrol("Milo", write_files(old.parent, 1), vectors=unit_vectors(1, dim=4))
        assert len(catalogue.vectors()[0]) == 5


def test_of_the_second_lay_out_everything_can_still_be_taken_back(tmp_path):
    with Catalogue.open(as_written(tmp_path, "0002")) as catalogue:
        assert catalogue.settings() == {"sides_differ": True}
        (luna, _) = catalogue.individuals()
        assert (luna.name, luna.notes, luna.best) == ("Luna", "a nick in the fin", None)
        catalogue.best_photo(2)
        assert catalogue.individuals()[0].best == tmp_path / "1.jpg"
        for _ in range(5):  # that, the settings, the junk, the "no", the notes
            catalogue.undo()
        with pytest.raises(ResightError, match="nothing to take back"):
            catalogue.undo()  # the split was taken back then
        (luna, _) = catalogue.individuals()
        assert (luna.notes, luna.best) == ("", None)
        assert len(catalogue.unnamed()) == 1
        assert catalogue.check(files=False).sound


def test_a_server_s_catalogue_is_brought_up_to_date_too(postgres):
    store = create_store(postgres, model_id="x", card="{}", model_path=Path("/x.onnx"))
    with store.altering() as connection:
        connection.execute(sa.text("ALTER TABLE individuals DROP COLUMN best_photo_id"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0002'"))
    store.close()
    store = open_store(postgres)
    with store.reading() as connection:
        kept = connection.scalar(sa.select(schema.alembic_version.c.version_num))
        assert kept == NEWEST
        assert connection.scalars(sa.select(schema.individuals.c.best_photo_id)).all() == []
    store.close()


def test_a_copy_of_the_old_file_is_kept_and_an_earlier_one_is_left_alone(old):
    before = rows(old)
    earlier = old.with_name(f"whales.db.before-{NEWEST}")
    earlier.write_text("of last year")
    open_store(old).close()
    assert earlier.read_text() == "of last year"
    assert rows(old.with_name(f"whales.db.before-{NEWEST}-2")) == before
    assert {path.name for path in old.parent.iterdir()} == {
        "whales.db",
        f"whales.db.before-{NEWEST}",
        f"whales.db.before-{NEWEST}-2",
    }
    open_store(old).close()  # which is up to date now
    assert len(list(old.parent.iterdir())) == 3


@pytest.mark.parametrize("moment", ["_keep_copy", "_upgrade"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_the_middle_the_old_file_is_whole_and_the_next_goes_on(old, moment, when):
    before = rows(old)
    real = getattr(migrations, moment)

    def killed(*given: object) -> None:
        if when == "after":
            real(*given)
        os.kill(os.getpid(), signal.SIGKILL)

    def opening() -> None:
        setattr(migrations, moment, killed)
        open_store(old)

    child = working_day.forked(opening)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert rows(old) == before
    open_store(old).close()
    assert rows(old)["alembic_version"] == [{"version_num": NEWEST}]
    assert rows(old.with_name(f"whales.db.before-{NEWEST}")) == before


def test_a_step_that_fails_leaves_the_old_file(old):
    """Here a table that is in the way of the new ones."""
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("CREATE TABLE calibrations (x)")
        connection.commit()
    before = rows(old)
    with pytest.raises(UnusableCatalogue, match="calibrations already exists"):
        open_store(old)
    assert rows(old) == before


def test_rows_that_refer_to_nothing_are_told_and_left(old):
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE fingerprints SET photo_id = 77 WHERE photo_id = 3")
        connection.commit()
    before = rows(old)
    with pytest.raises(UnusableCatalogue, match="damaged: row 4 of fingerprints refers to a row"):
        open_store(old)
    assert rows(old) == before


def test_several_come_at_once_and_one_does_it(old):
    children = [working_day.forked(lambda: open_store(old).close()) for _ in range(6)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert len(list(old.parent.glob("*before*"))) == 1
    with closing(sqlite3.connect(old)) as connection:
        assert layout(connection) == fresh_layout()


def test_where_nothing_can_be_written_it_is_told(old):
    folder = Path(tempfile.mkdtemp())
    place = folder / old.name
    place.write_bytes(old.read_bytes())
    before = os.geteuid()
    folder.chmod(0o555)
    try:
        if before == 0:
            os.seteuid(65534)  # for root, nothing is read-only
        with pytest.raises(UnusableCatalogue, match="read-only"):
            open_store(place)
    finally:
        os.seteuid(before)
        folder.chmod(0o755)
    assert rows(place) == rows(old)


def test_alembic_is_imported_only_when_it_is_due(old, tmp_path):
    create_store(tmp_path / "new.db", model_id="x", card="{}", model_path=old).close()
    script = (
        "import sys; from resight.catalogue.store import open_store\n"
        f"open_store({str(tmp_path / 'new.db')!r}).close(); print('alembic' in sys.modules)\n"
        f"open_store({str(old)!r}).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\nTrue\n", "")


def test_the_layout_is_the_one_that_the_code_knows_on_postgresql_too(postgres):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store = create_store(postgres, model_id="x", card="{}", model_path=Path("/x.onnx"))
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    store.close()
