"""An export holds everything, gives it back as it was, and is there whole or not at all."""

import csv
import json
import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from herd import MODEL, NOW, Herd, as_json, clouds, make_herd
from resight.catalogue import export as export_module
from resight.catalogue import schema
from resight.catalogue.export import FORMATS, TABLES, bare, export, harmless, read_table
from resight.catalogue.export_readme import COLUMNS, FILES
from resight.errors import ResightError

NASTY = [
    '=HYPERLINK("http://x","Luna")', "+1", "-1", "@SUM(A1)", "'quoted'", "''", "＝1+1", "\t=1",
    'a "b", c; d', "line\nbreak", "crlf\r\nbreak", "Łuna 🐋", "\u202eanul", "1e5", "007", "true",
    "NULL", "NA", "None", "2025-01-01", " spaces ", "=",
]  # fmt: skip


def fill(herd: Herd) -> None:
    """Rows in every table, with all that is hard about them."""
    vectors, _ = clouds([len(NASTY), 3])
    for name in NASTY:
        herd.individual(name, notes=name, fields={"sex": name, "n": [1, None, 0.1]})
    met = herd.encounter("dawn", NASTY[0], began_at=NOW - timedelta(days=1), latitude=-33.5,
                         longitude=151.25, place="-Bay", observer="")  # fmt: skip
    ids = herd.add(vectors[: len(NASTY)], NASTY, taken_at=datetime(2025, 4, 3, 9, 30, 0, 123456))
    ids += herd.add(vectors[-3:-2], NASTY[0], encounter=met, side="", quality=0.1)
    ids += herd.add(vectors[-2:], state=["junk", "gone"])
    herd.not_same(ids[0], ids[1])
    action = herd.insert(
        schema.actions, at=NOW, who="=ada", verb="name", summary="named, twice", revision=3
    )
    herd.insert(
        schema.changes, action_id=action, table_name="photos", rows=[[1, 3]],
        before={"individual_id": None}, after={"individual_id": [1, 2, 1]},
    )  # fmt: skip
    herd.insert(
        schema.decisions, action_id=action, at=NOW, who="ada", what="new", photo_id=ids[0],
        individual_id=1, shown=["Luna", "="], probability=0.1 + 0.2, details={"k": "é"},
    )  # fmt: skip
    herd.insert(
        schema.calibrations, at=NOW, model_id=MODEL, revision=3, parameters={"a": 1},
        figures={"ece": 0.01},
    )  # fmt: skip
    other = "n" * 64
    with herd.store.writing() as connection:
        connection.execute(
            sa.insert(schema.models).values(id=other, card="{}", path="n.onnx", added_at=NOW)
        )
        connection.execute(
            sa.insert(schema.fingerprints).values(
                model_id=other, photo_id=ids[0], dim=2, vector=np.array([0.6, 0.8], "<f4").tobytes()
            )
        )


def rows_of(herd: Herd, name: str) -> list[dict[str, Any]]:
    """A table as the database has it."""
    table = schema.metadata.tables[name]
    with herd.store.reading() as connection:
        found = connection.execute(sa.select(table).order_by(table.c.id)).mappings()
        return [dict(row) for row in found]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_read_back_is_what_was_there(place: str, form: Any, tmp_path: Path) -> None:
    herd = make_herd(place)
    fill(herd)
    done = export(herd.store, tmp_path / "out", form=form, vectors=True)
    assert set(done.rows) == {
        f"{name}.{form}" for name in (*TABLES, "fingerprints", f"fingerprints-{'n' * 12}")
    }
    for name in TABLES:
        want = rows_of(herd, name)
        assert want, f"{name} is not tested"
        assert done.rows[f"{name}.{form}"] == len(want)
        table = schema.metadata.tables[name]
        got = read_table(tmp_path / "out" / f"{name}.{form}").to_pylist()
        for row, wanted in zip(got, want, strict=True):
            for column in table.c:
                value = row[column.name]
                if isinstance(column.type, sa.JSON):
                    value = as_json(value)
                assert value == wanted[column.name], (name, column.name)
    herd.store.close()


@pytest.mark.parametrize("form", FORMATS)
def test_fingerprints_come_back_bit_by_bit(tmp_path: Path, form: Any) -> None:
    herd = make_herd(tmp_path / "a.db")
    fill(herd)
    export(herd.store, tmp_path / "out", form=form, vectors=True)
    table = read_table(tmp_path / "out" / f"fingerprints.{form}")
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 16)
    want = [row for row in rows_of(herd, "fingerprints") if row["model_id"] == MODEL]
    got = np.array(table["vector"].to_pylist(), np.float32)
    assert got.tobytes() == b"".join(row["vector"] for row in want)
    assert table["photo_id"].to_pylist() == [row["photo_id"] for row in want]
    other = read_table(tmp_path / "out" / f"fingerprints-{'n' * 12}.{form}")
    assert other["vector"].to_pylist() == [[np.float32(0.6), np.float32(0.8)]]


def test_csv_has_no_fingerprints_unless_asked_and_parquet_has(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    herd.add(clouds([2])[0])
    assert "fingerprints.csv" not in export(herd.store, tmp_path / "csv").rows
    assert "fingerprints.parquet" in export(herd.store, tmp_path / "p", form="parquet").rows
    bare_one = export(herd.store, tmp_path / "q", form="parquet", vectors=False)
    assert "fingerprints.parquet" not in bare_one.rows


def test_no_cell_of_a_csv_begins_a_formula(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    fill(herd)
    export(herd.store, tmp_path / "out", vectors=True)
    cells = 0
    for path in (tmp_path / "out").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                for cell in row:
                    cells += 1
                    try:
                        float(cell)  # -33.5 is a number, and stays one
                    except ValueError:
                        assert not cell.startswith(export_module.FORMULA), (path.name, cell)
    assert cells > 500
    text = (tmp_path / "out" / "encounters.csv").read_text(encoding="utf-8")
    assert "-33.5" in text
    assert "'-33.5" not in text
    assert '"\'-Bay"' in text


@given(st.text(max_size=20) | st.sampled_from(NASTY))
def test_harmless_is_undone_by_bare(text: str) -> None:
    assert bare(harmless(text)) == text
    assert not (harmless(text) or "").startswith(export_module.FORMULA)


names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
)


@given(st.lists(names, unique=True, min_size=1, max_size=8), st.data())
@settings(max_examples=25)
def test_any_text_goes_through_csv_and_parquet(
    tmp_path_factory: pytest.TempPathFactory, some: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("text")
    herd = make_herd(folder / "a.db")
    notes = [data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=9)) for _ in some]
    with herd.store.writing() as connection:
        connection.execute(
            sa.insert(schema.individuals),
            [
                {"name": name, "notes": note.replace("\0", ""), "added_at": NOW}
                for name, note in zip(some, notes, strict=True)
            ],
        )
    for form in FORMATS:
        export(herd.store, folder / form, form=form)
        table = read_table(folder / form / f"individuals.{form}")
        assert table["name"].to_pylist() == some
        assert table["notes"].to_pylist() == [note.replace("\0", "") for note in notes]
    herd.store.close()


def test_nothing_and_an_empty_text_differ_in_csv(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    herd.encounter("a", place="")
    herd.encounter("b")
    export(herd.store, tmp_path / "out")
    assert read_table(tmp_path / "out" / "encounters.csv")["place"].to_pylist() == ["", None]


def test_moments_are_utc_whatever_zone_they_came_in(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    moment = datetime(2025, 4, 3, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    herd.encounter("a", began_at=moment)
    export(herd.store, tmp_path / "out")
    assert "2025-04-04 04:30:00.000000Z" in (tmp_path / "out" / "encounters.csv").read_text()
    assert read_table(tmp_path / "out" / "encounters.csv")["began_at"].to_pylist() == [moment]


def test_an_empty_catalogue_has_all_its_tables(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    for form in FORMATS:
        done = export(herd.store, tmp_path / form, form=form)
        assert done.rows[f"photos.{form}"] == 0
        table = read_table(tmp_path / form / f"photos.{form}")
        assert table.num_rows == 0
        assert "individual" in table.column_names


def test_photos_bring_the_names_along(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    herd.add(clouds([1])[0], "Luna", encounter=herd.encounter("dawn", "Luna"))
    herd.add(clouds([1])[0])
    export(herd.store, tmp_path / "out")
    table = read_table(tmp_path / "out" / "photos.csv")
    assert table["individual"].to_pylist() == ["Luna", None]
    assert table["encounter"].to_pylist() == ["dawn", None]


def test_the_readme_has_a_word_for_every_column_of_every_file(tmp_path: Path) -> None:
    for name in (*TABLES, "fingerprints"):
        of_photos = ["individual", "encounter"] if name == "photos" else []
        columns = [column.name for column in schema.metadata.tables[name].c]
        assert list(COLUMNS[name]) == columns + of_photos
        assert FILES[name]
    # And there is no table that an export leaves out.
    assert {*TABLES, "fingerprints", "alembic_version"} == {*schema.metadata.tables}
    herd = make_herd(tmp_path / "a.db")
    herd.add(clouds([3])[0])
    export(herd.store, tmp_path / "out")
    text = (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")
    assert "photos.csv (3 rows)" in text
    assert "apostrophe" in text
    assert MODEL in text


def test_an_export_is_read_by_the_tables_own_readers(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    fill(herd)
    export(herd.store, tmp_path / "p", form="parquet")
    assert pq.read_table(tmp_path / "p" / "photos.parquet").num_rows == len(NASTY) + 3
    export(herd.store, tmp_path / "c")
    with (tmp_path / "c" / "individuals.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bare(row["name"]) for row in rows] == NASTY
    assert json.loads(bare(rows[0]["fields"]) or "")["n"] == [1, None, 0.1]


def test_when_it_fails_half_way_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    herd = make_herd(tmp_path / "a.db")
    herd.add(clouds([3])[0])
    before = sorted(path.name for path in tmp_path.iterdir())
    real = export_module._writer
    calls = []

    def failing(path: Path, *more: Any) -> Any:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", str(path))
        return real(path, *more)

    monkeypatch.setattr(export_module, "_writer", failing)
    with pytest.raises(ResightError, match=r"out: cannot be written: No space left.*; nothing was"):
        export(herd.store, tmp_path / "out")
    assert len(calls) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    calls.clear()
    monkeypatch.setattr(export_module, "_writer", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(herd.store, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("full", "file"):
        with pytest.raises(ResightError, match="is there already; name a new folder"):
            export(herd.store, tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    with pytest.raises(ResightError, match="the folder above it does not exist"):
        export(herd.store, tmp_path / "no" / "such")
    with pytest.raises(ResightError, match="no format to export in"):
        export(herd.store, tmp_path / "x", form="xlsx")  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    export(herd.store, tmp_path / "empty")
    assert (tmp_path / "empty" / "README.txt").is_file()
    assert not list(tmp_path.glob(".*part"))


def test_the_files_are_as_readable_as_any_others(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "a.db")
    export(herd.store, tmp_path / "out")
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_reading_what_is_no_export_is_refused(tmp_path: Path) -> None:
    for name in ("photos.csv", "photos.txt", "whales.csv"):
        with pytest.raises(ResightError, match=r"no such file|not a table of an export"):
            read_table(tmp_path / name)


@pytest.mark.slow
def test_a_million_rows_do_not_fill_memory(tmp_path: Path) -> None:
    import subprocess

    herd = make_herd(tmp_path / "a.db")
    row = {"at": NOW, "who": "ada", "what": "same", "details": {"k": "x" * 100}}
    for _ in range(10):
        with herd.store.writing() as connection:
            connection.execute(sa.insert(schema.decisions), [row] * 100_000)
    herd.store.close()
    program = (
        "import resource, sys\n"
        "from resight.catalogue.store import open_store\n"
        "from resight.catalogue.export import export\n"
        "store = open_store(sys.argv[1])\n"
        "import pyarrow.csv, pyarrow.parquet\n"
        "rest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "export(store, sys.argv[2], form=sys.argv[3])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rest)\n"
    )
    scale = 1024 if sys.platform != "darwin" else 1
    for form in FORMATS:
        ran = subprocess.run(
            [sys.executable, "-c", program, tmp_path / "a.db", tmp_path / form, form],
            capture_output=True, text=True, check=True, env={**os.environ},
        )  # fmt: skip
        assert int(ran.stdout) * scale < 150 * 2**20, f"{form}: {int(ran.stdout) / 1024:.0f} MB"
