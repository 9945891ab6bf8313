"""Tables that are large, broken, or made to do harm: a line says so, and nothing else happens."""

import io
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.errors import UnusablePhotos
from resight.photos.table import photos_from_table
from resight.photos.ways_in import take_in


def refused(file: Path) -> str:
    with pytest.raises(UnusablePhotos) as error:
        take_in(file)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)
    return str(error.value)


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """Ask what it gives, after the block, for the most bytes that were held within it."""
    tracemalloc.start()
    held = 0
    try:
        yield lambda: held
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def excel(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(whole: bytes, name: str, content: bytes) -> bytes:
    """A zip with one of its parts put in another's place."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
START = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    b'<row r="1"><c r="A1" t="inlineStr"><is><t>path</t></is></c></row>'
)


def test_a_bomb_in_excel_is_refused_unopened(tmp_path: Path) -> None:
    file = tmp_path / "bomb.xlsx"
    file.write_bytes(with_part(excel(["path"], ["a.png"]), SHEET, START + b" " * (60 << 20)))
    assert file.stat().st_size < 1 << 20
    with peak_memory() as peak:
        assert "would unpack to 60 megabytes" in refused(file)
    assert peak() < 5 << 20


def test_a_row_of_an_enormous_number_ends(tmp_path: Path) -> None:
    far = b'<row r="9999999999"><c r="A9999999999"><v>1</v></c></row></sheetData></worksheet>'
    file = tmp_path / "far.xlsx"
    file.write_bytes(with_part(excel(["path"]), SHEET, START + far))
    began = time.process_time()
    assert "has no photos" in refused(file)
    assert time.process_time() - began < 10


def test_entities_that_grow_are_refused(tmp_path: Path) -> None:
    grow = b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 1000 + b'">'
    for n in range(9):
        name, before = bytes([98 + n]), bytes([97 + n])
        grow += b"<!ENTITY " + name + b' "' + (b"&" + before + b";") * 10 + b'">'
    sheet = START.replace(b"path", b"&j;") + b"</sheetData></worksheet>"
    file = tmp_path / "grow.xlsx"
    file.write_bytes(with_part(excel(["path"]), SHEET, grow + b"]>" + sheet))
    with peak_memory() as peak:
        assert "is no Excel file, or a damaged one" in refused(file)
    assert peak() < 200 << 20


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet", ".csv", ".tsv", ".json"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PAR1PAR1", b"\0" * 1000, b"\xff" * 99])
def test_nonsense_under_any_name_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = tmp_path / f"file{suffix}"
    file.write_bytes(content)
    refused(file)


def test_files_of_other_programs_are_named(tmp_path: Path) -> None:
    for suffix in (".xls", ".ods"):
        file = tmp_path / f"file{suffix}"
        file.write_bytes(b"x")
        assert "save it as .xlsx or as CSV" in refused(file)


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    pq.write_table(pa.table({"path": ["a.png", "b.png"], "bbox": [[1, 2, 3, 4], None]}), packed)
    goods = {
        ".xlsx": excel(["path", "date"], ["a.png", "2025-04-03"], ["b.png", None]),
        ".parquet": packed.getvalue(),
        ".csv": b'path,date,box\na.png,2025-04-03,0 0 9 9\n"b.png",,\n',
        ".json": b'{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1}]}',
    }
    rng = np.random.default_rng(0)
    outcomes = set()
    for suffix, good in goods.items():
        for _ in range(40):
            raw = bytearray(good)
            for place in rng.integers(0, len(raw), rng.integers(1, 5)):
                raw[place] = rng.integers(0, 256)
            end = len(raw) if rng.random() < 0.5 else rng.integers(1, len(raw))
            file = tmp_path / f"t{suffix}"
            file.write_bytes(bytes(raw[:end]))
            try:
                take_in(file)
            except UnusablePhotos:
                outcomes.add((suffix, "refused"))
            else:
                outcomes.add((suffix, "read"))
    assert len(outcomes) == 8


@given(st.text(max_size=300))
@settings(max_examples=150)
def test_any_text_is_a_table_or_refused(tmp_path_factory: Any, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_text(f"path,individual,date,box\n{text}", encoding="utf-8", errors="replace")
    try:
        taken = take_in(file)
    except UnusablePhotos:
        return
    assert taken.photos == [] or all(photo.path.is_file() for photo in taken.photos)
    for problem in taken.problems:
        assert problem.row is not None
        assert problem.row >= 2


def test_parquet_with_nested_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "path": pa.array(["a.png", "b.png", None, "d.png"]),
            "individual": pa.array([["Luna"], ["Sol"], None, None]),
            "bbox": pa.array([{"x": 1}, None, None, None]),
            "keypoints": pa.array([[[1, 2], [3]], None, [], None]),
            "date": pa.array([1, None, 2, None], pa.duration("s")),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "d.png").write_bytes(b"x")
    taken = take_in(tmp_path / "t.parquet", exif=False)
    assert [photo.path.name for photo in taken.photos] == ["d.png"]
    assert [problem.row for problem in taken.problems] == [1, 1, 1, 1, 2, 2, 3, 3]
    assert "row 1: '['Luna']' is no individual" in str(taken.problems[0])
    path = pa.table({"path": [["a.png"], ["b.png"]]})
    pq.write_table(path, tmp_path / "lists.parquet")
    assert len(take_in(tmp_path / "lists.parquet").problems) == 2


def test_text_of_spreadsheets_of_many_kinds(tmp_path: Path) -> None:
    (tmp_path / "é.png").write_bytes(b"x")
    words = "path\tindividual\r\né.png\tLuna\r\n"
    for name, raw in {
        "wide.txt": words.encode("utf-16"),
        "mark.csv": words.replace("\t", ";").encode("utf-8-sig"),
        "blank.csv": b"\n\n" + words.replace("\t", ",").encode() + b",\n\n",
        "old-mac.csv": words.replace("\t", ",").replace("\r\n", "\r").encode(),
    }.items():
        (tmp_path / name).write_bytes(raw)
        (photo,) = take_in(tmp_path / name, exif=False).photos
        assert (photo.path.name, photo.individual) == ("é.png", "Luna"), name
    (tmp_path / "latin.csv").write_bytes("path\né.png\n".encode("latin-1"))
    assert "save it as CSV UTF-8" in refused(tmp_path / "latin.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("above", ["\n", "{0}{0}{0}\n", "\n{0}{0}\n\n", '""{0}\n\r\n'])
def test_the_heading_is_the_first_line_with_a_letter(
    tmp_path: Path, above: str, separator: str
) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    words = above.format(separator) + "path,name\na.png,Luna\n".replace(",", separator)
    (tmp_path / "t.csv").write_text(words, newline="")
    taken = take_in(tmp_path / "t.csv", exif=False)
    assert [photo.individual for photo in taken.photos] == ["Luna"]
    assert taken.rows == [above.count("\n") + 2]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ('path,name\na.png,"Lu\nna"\n\nb.png,"bay\nc.png,x\n', 5),
        ('path,name\na.png,Luna\nb.png,"bay\n' + "c.png,x\n" * 30_000, 3),
        ('path,name\na.png,"bay\nb.png,"bay"\n', 2),
        ('"path,name\na.png,Luna\n', 1),
    ],
)
def test_a_quote_that_is_not_closed_is_told_with_its_line(
    tmp_path: Path, words: str, line: int
) -> None:
    (tmp_path / "t.csv").write_text(words)
    told = refused(tmp_path / "t.csv")
    assert f"t.csv, line {line}: is no CSV (" in told
    assert "close its quotes" in told


def test_two_hundred_thousand_lines_are_read_in_seconds(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("image_id,identity,path,bbox,date,orientation,split\n")
        for n in range(200_000):
            day = f"{n % 28 + 1:02}/{n % 12 + 1:02}/2024"
            out.write(f'{n},whale {n % 999},a/{n}.jpg,"[0.0, 0.0, 9.0, 9.0]",{day},left,train\n')
    began = time.process_time()
    photos = photos_from_table(file)
    assert time.process_time() - began < 20  # 6 here
    assert len(photos) == 200_000
    assert all(photo.date is not None and photo.date.day == n % 28 + 1
               for n, photo in enumerate(photos[:1000]))  # fmt: skip


def test_memory_for_a_photo_of_a_table_is_small(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    lines = "".join(f"some/folder/{n}.jpg,whale {n % 99},2024-01-01\n" for n in range(20_000))
    file.write_text("path,individual,date\n" + lines)
    with peak_memory() as peak:
        photos = photos_from_table(file)
    assert peak() / len(photos) < 2000


def test_an_excel_table_of_two_sheets_says_which_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "photos"
    for row in (["path", "identity"], ["a.png", 998230000006455], ["b.png", 12.0], [None, None]):
        book.active.append(row)
    book.create_sheet("notes").append(["nothing"])
    book.save(tmp_path / "t.xlsx")
    said: list[str] = []
    taken = take_in(tmp_path / "t.xlsx", say=said.append)
    assert said[0].endswith("read is its first sheet, photos; not notes")
    assert [(problem.row, problem.what.split(": ")[1]) for problem in taken.problems] == [
        (2, "no such file"), (3, "no such file"),
    ]  # fmt: skip
    names = [photo.individual for photo in photos_from_table(tmp_path / "t.xlsx")]
    assert names == ["998230000006455", "12"]


def sheets(file: Path, **rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, some in rows.items():
        sheet = book.create_sheet(title)
        for row in some:
            sheet.append(row)
    book.save(file)
    return file


def test_of_several_sheets_the_first_with_paths_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    file = sheets(
        tmp_path / "t.xlsx",
        about=[["These are Anna's photos"]],
        empty=[],
        whales=[[], ["Image", "Id"], ["a.png", "Luna"]],
        more=[["path", "name"], ["a.png", "Sol"]],
    )
    said: list[str] = []
    (photo,) = take_in(file, exif=False, say=said.append).photos
    assert photo.individual == "Luna"
    assert said[0] == (
        f"{file}: read is its sheet whales, the first with a column of paths; not about, empty, "
        "more"
    )
    file = sheets(tmp_path / "t.xlsx", about=[["x"]], mine=[["Which", "Who"], ["a.png", "Sol"]])
    assert "not one of its sheets (about, mine) has a column called path" in refused(file)
    columns = {"path": "which", "individual": "Who"}
    assert take_in(file, exif=False, columns=columns).photos[0].individual == "Sol"
    assert photos_from_table(file, columns=columns)[0].individual == "Sol"
