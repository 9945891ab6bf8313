"""`resight divide`: a table that says who trains and who asks, and that is read again."""

import csv
import json
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from catalogues import write_photos
from command_line import resight
from resight.photos.photo import Photo
from resight.photos.split import Split, split_photos
from resight.photos.split_table import write_split
from resight.photos.ways_in import take_in


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Four individuals on four days, two photos each."""
    lines = ["path,individual,date,side"]
    for who in range(4):
        for day in range(4):
            for path in write_photos(tmp_path / "photos" / f"{who}{day}", 2, seed=10 * who + day):
                lines.append(f"{path.relative_to(tmp_path)},cow {who},2025-04-0{day + 1},left")
    place = tmp_path / "herd.csv"
    place.write_text("\n".join(lines) + "\n")
    return place


def rows(out: Path) -> list[dict[str, str]]:
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_is_written_and_read_again(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "split.csv"
    ran = resight("divide", table, "--out", out, "--by", "date", "--until", "2025-04-02",
                  "--since", "2025-04-04")  # fmt: skip
    assert ran.code == 0, ran
    assert "16 photos of 4 individuals to train on" in ran.out
    assert "8 photos on neither side" in ran.out
    found = rows(out)
    assert list(found[0]) == ["path", "individual", "date", "side", "split"]
    assert found[0]["path"] == "photos/00/0-0.png"
    assert [row["split"] for row in found[:8]] == ["train"] * 4 + ["", ""] + ["query"] * 2
    photos = take_in(out).photos
    again = split_photos(photos, "given")
    asked = split_photos(photos, "date", until=date(2025, 4, 2), since=date(2025, 4, 4))
    assert again.train.tolist() == asked.train.tolist()
    assert again.query.tolist() == asked.query.tolist()
    assert split_photos(photos).by == "given"


def test_random_warns_and_json_says_so(table: Path, tmp_path: Path) -> None:
    ran = resight("divide", table, "--out", tmp_path / "a.csv", "--by", "random")
    assert ran.code == 0
    assert "Warning: split by random: " in ran.err
    assert "own encounter" in ran.err
    ran = resight("divide", table, "--out", tmp_path / "b.csv", "--json")
    entry = json.loads(ran.out)
    assert (entry["by"], entry["flatters"], entry["query_new"]) == ("day", None, 0)
    assert entry["train"] + entry["query"] == 32


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--by", "week"], "no way to divide"),
        (["--until", "2025-04-02"], "--by date"),
        (["--by", "individual", "--share", "0.5", "--column", "path"], "NAME=COLUMN"),
        (["--by", "given"], "column split"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    table: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    ran = resight("divide", table, "--out", tmp_path / "split.csv", *words)
    assert ran.code == 1
    assert says in ran.err
    assert not (tmp_path / "split.csv").exists()


def test_it_does_not_write_over_what_is_there(table: Path, tmp_path: Path) -> None:
    before = table.read_bytes()
    for words in ([], ["--replace"]):
        assert "is there already" in resight("divide", table, "--out", table, *words).err
    assert table.read_bytes() == before
    (tmp_path / "old.csv").write_text("old")
    assert resight("divide", table, "--out", tmp_path / "old.csv").code == 1
    assert resight("divide", table, "--out", tmp_path / "old.csv", "--replace").code == 0


def test_all_that_is_known_comes_along(tmp_path: Path) -> None:
    paths = [*write_photos(tmp_path / "in", 2), *write_photos(tmp_path / "in", 1, seed=3)]
    photos = [
        Photo(paths[0], 'Lu, "na"', "3 April", datetime(2025, 4, 3, 12, 30), "left",
              (1, 2, 20, 24), "bay", "Ana", 48.5, -4.25),
        Photo(paths[1], "Milo"),
        Photo(paths[2]),
    ]  # fmt: skip
    split = Split("given", np.array([0]), np.array([1]), np.array([2]), None)
    (tmp_path / "out").mkdir()
    write_split(photos, split, tmp_path / "out" / "split.csv")
    again = take_in(tmp_path / "out" / "split.csv").photos
    assert [photo.split for photo in again] == ["train", "query", None]
    for one, two in zip(photos, again, strict=True):
        for name in ("path", "individual", "encounter", "date", "side", "box", "latitude", "place"):
            assert getattr(one, name) == getattr(two, name), name
