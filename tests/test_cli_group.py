"""`resight group`: from photos without a name to names, by way of a file."""

import csv
import json
from pathlib import Path

import pytest

from command_line import resight
from herd import Herd, clouds, make_herd
from resight.catalogue import Catalogue


@pytest.fixture
def herd(tmp_path: Path) -> Herd:
    """Luna with three photos; three more of hers, a newcomer of three and a loner have no name."""
    made = make_herd(tmp_path / "herd.db")
    vectors, _ = clouds([6, 3, 1])
    made.add(vectors[:3], "Luna")
    made.add(vectors[3:])
    return made


def test_the_way_from_photos_to_names_and_back(herd: Herd, tmp_path: Path) -> None:
    book, file = tmp_path / "herd.db", tmp_path / "groups.csv"
    ran = resight("group", book, "--threshold", "0.3", "--out", file)
    assert ran.code == 0, ran.err
    assert "6 photos in 2 groups, 1 of them of individuals that the catalogue knows" in ran.out
    assert "1 photo near no other" in ran.out
    assert {("known", "Luna"), ("new", "New")} <= {
        (*line.split()[1:3],) for line in ran.out.splitlines()
    }
    assert "Who is known here is proposed by distance alone, without a probability" in ran.out
    assert "nothing has been named" in ran.out
    assert f"resight group {book} --confirm {file}" in ran.out
    text = file.read_text(encoding="utf-8").replace("New 1", "Sol")
    file.write_text(text, encoding="utf-8")
    number = next(row["group"] for row in csv.DictReader(text.splitlines()) if row["name"] == "Sol")
    ran = resight("group", book, "--confirm", file, "--only", number)
    back = f"To take it back: resight undo {book}\n"
    assert (ran.code, ran.out) == (0, f"Sol: 3 photos\n{back}")
    ran = resight("group", book, "--confirm", file)
    assert (ran.code, ran.out) == (0, f"Luna: 3 photos\n3 photos had the name already\n{back}")
    with Catalogue.open(book) as catalogue:
        catalogue.undo()
    left = json.loads(resight("group", book, "--threshold", "0.3", "--json").out)
    assert [(group["name"], group["proposal"]) for group in left["groups"]] == [("Luna", "known")]


def test_json_is_the_file_that_can_be_confirmed(herd: Herd, tmp_path: Path) -> None:
    book, file = tmp_path / "herd.db", tmp_path / "groups.json"
    ran = resight("group", book, "--threshold", "0.3", "--json", "--out", file)
    assert json.loads(ran.out) == json.loads(file.read_text(encoding="utf-8"))
    assert len(json.loads(ran.out)["loners"]) == 1
    done = json.loads(resight("group", book, "--confirm", file, "--json").out)
    assert len(done.pop("actions")) == 2
    assert done == {"named": {"Luna": 3, "New 1": 3}, "already": 0, "refused": []}


def test_how_the_threshold_came_about_is_said_aloud(herd: Herd, tmp_path: Path) -> None:
    ran = resight("group", tmp_path / "herd.db")
    assert "is a guess, a tenth of the median distance" in ran.out
    ran = resight("group", tmp_path / "herd.db", "--new-only", "--smallest", "4")
    assert "0 photos in 0 groups" in ran.out


def test_a_stale_proposal_fails_in_words_when_nothing_is_left_of_it(
    herd: Herd, tmp_path: Path
) -> None:
    book, file = tmp_path / "herd.db", tmp_path / "groups.csv"
    resight("group", book, "--threshold", "0.3", "--new-only", "--out", file)
    other = tmp_path / "other.csv"
    other.write_text(file.read_text(encoding="utf-8").replace("New", "Other"), encoding="utf-8")
    assert resight("group", book, "--confirm", file).code == 0
    ran = resight("group", book, "--confirm", other)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("Not named: ") == 6
    assert ran.err.count("meanwhile\n") == 6


@pytest.mark.parametrize(
    "words",
    [
        ["--only", "1"],
        ["--confirm", "none.csv"],
        ["--confirm", "none.csv", "--new-only"],
        ["--out", "groups.xlsx"],
        ["--out", "no/such/groups.csv"],
        ["--threshold", "3"],
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    herd: Herd, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    resight("group", "herd.db", *words).failed_in_one_line()


def test_no_photo_waits(tmp_path: Path) -> None:
    make_herd(tmp_path / "herd.db")
    assert "no photo here waits" in resight("group", tmp_path / "herd.db").failed_in_one_line()
