"""PHOTOS on the command line: what a command is given, what is said, what is left out."""

import csv
from pathlib import Path

import pytest

from catalogues import write_photos
from command_line import resight
from resight.commands.photos_options import columns_of, gathered
from resight.errors import ResightError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Five photos of two individuals, of which one is broken and one is missing."""
    photos = write_photos(tmp_path / "photos", 4)
    photos[3].write_bytes(b"broken")
    lines = [f"{photo.name},whale {n % 2}" for n, photo in enumerate(photos)]
    file = tmp_path / "season.csv"
    file.write_text("\n".join(["Image,whaleID", *lines, "none.png,whale 1"]) + "\n")
    return file


def test_problems_end_a_command_before_it_begins(table: Path) -> None:
    listing = table.parent / "problems.csv"
    with pytest.raises(ResightError, match=r"2 problems; put them right, or go on .* --skip-bad"):
        gathered(table, problems=listing)
    with listing.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["5", "6"]
    assert [Path(row["file"]).name for row in rows] == ["0-3.png", "none.png"]
    assert "no such file" in rows[1]["problem"]
    assert sorted(path.name for path in table.parent.iterdir()) == [
        "photos", "problems.csv", "season.csv",
    ]  # fmt: skip


def test_skip_bad_goes_on_and_names_them(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = gathered(table, skip_bad=True, column=["individual=whaleID"])
    assert [photo.individual for photo in found.photos] == ["whale 0", "whale 1", "whale 0"]
    assert [facts.content_hash is not None for facts in found.facts] == [True] * 3
    assert [one.row for one in found.left_out] == [5, 6]
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert [line.split(",")[0] for line in lines if line.startswith("Left out")] == [
        f"Left out {table}"
    ] * 2
    assert f"{table}: taken are Image as path" in lines


@pytest.mark.parametrize("words", [["individual"], ["=whaleID"], ["path=a", "Path = b"], [""]])
def test_a_column_is_told_in_one_way(words: list[str]) -> None:
    with pytest.raises(ResightError, match="--column"):
        columns_of(words)


def test_columns_are_told(table: Path) -> None:
    assert columns_of(["path=Image", " Date = when taken ", "side="]) == {
        "path": "Image", "date": "when taken", "side": "",
    }  # fmt: skip
    assert columns_of(None) == {}
    with pytest.raises(ResightError, match=r"end it in \.csv"):
        gathered(table, problems=table.parent / "problems.txt")


def test_add_reads_any_table(table: Path, tiny_model: Path) -> None:
    import openpyxl

    sheet = openpyxl.Workbook()
    for row in (["the photo", "who"], ["photos/0-0.png", "Luna"], ["photos/0-1.png", None]):
        sheet.active.append(row)
    sheet.save(table.parent / "season.xlsx")
    book = table.parent / "book.db"
    words = ("add", book, "--table", table.parent / "season.xlsx", "--model", tiny_model)
    assert "which it is with --column path=NAME" in resight(*words).failed_in_one_line()
    ran = resight(*words, "--column", "path=the photo", "--column", "individual=who")
    assert ran.code == 0, ran
    assert ran.out.startswith("2 photos added")
    assert "Luna" in resight("individuals", book).out
    ran = resight("add", book, table.parent / "photos", "--column", "path=x")
    assert "give --table FILE" in ran.failed_in_one_line()
