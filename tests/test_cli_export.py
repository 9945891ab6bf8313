"""`resight export` and `resight population`: everything out again, and who was seen when."""

import json
import math
from datetime import datetime
from pathlib import Path

import pytest

from command_line import resight
from herd import Herd, make_herd, unit
from resight.catalogue.export import read_table


@pytest.fixture
def herd(tmp_path: Path) -> Herd:
    """Twelve individuals in 2024, ten in 2025, eight of them both times; two photos undated."""
    made = make_herd(tmp_path / "herd.db")
    for year, names in ((2024, range(12)), (2025, range(4, 14))):
        whose = [f"Cow {name}" for name in names]
        made.add(unit(len(whose)), whose, taken_at=datetime(year, 5, 1, 9))
    made.add(unit(2), "Cow 1")
    return made


def test_export_writes_what_the_library_reads(herd: Herd, tmp_path: Path) -> None:
    ran = resight("export", tmp_path / "herd.db", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert "photos.csv: 24 rows\n" in ran.out
    assert ran.out.endswith(f"Wrote {tmp_path / 'out'}\n")
    assert read_table(tmp_path / "out" / "photos.csv").num_rows == 24
    ran = resight(
        "export", tmp_path / "herd.db", "--out", tmp_path / "p", "--format", "parquet"
    )  # fmt: skip
    assert "fingerprints.parquet: 24 rows\n" in ran.out
    ran = resight("export", tmp_path / "herd.db", "--out", tmp_path / "v", "--vectors")
    assert "fingerprints.csv: 24 rows\n" in ran.out


def test_export_refuses_in_one_line(herd: Herd, tmp_path: Path) -> None:
    book = tmp_path / "herd.db"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    for words in (
        ["--out", tmp_path / "full"],
        ["--out", tmp_path / "x", "--format", "xlsx"],
        ["--out", tmp_path / "no" / "such"],
        ["--out", book],
    ):
        resight("export", book, *words).failed_in_one_line()
    assert book.stat().st_size > 0


def test_population_prints_what_it_counted(herd: Herd, tmp_path: Path) -> None:
    ran = resight("population", tmp_path / "herd.db")
    assert ran.code == 0, ran.err
    # 13 × 11 / 9 - 1 = 14.9; 14 were seen.
    assert [line.split() for line in ran.out.splitlines() if line.strip().startswith("202")] == [
        ["2024", "12", "12", "0"],
        ["2025", "10", "2", "8", "15", "(14", "to", "20)"],
    ]
    assert "14 individuals on 2 occasions." in ran.out
    assert "2 photos without a date count nowhere." in ran.out
    assert "nobody was born, died, came or left" in " ".join(ran.out.split())
    assert max(map(len, ran.out.splitlines())) <= 80


def test_population_as_json_and_files(herd: Herd, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = resight("population", tmp_path / "herd.db", "--json", "--out", out)
    found = json.loads(ran.out)
    assert [occasion["name"] for occasion in found["occasions"]] == ["2024", "2025"]
    assert found["individuals"]["Cow 0"] == [1, 0]
    assert found["chapman"][0]["estimate"] == pytest.approx(13 * 11 / 9 - 1)
    assert found["chapman"][0]["error"] == pytest.approx(math.sqrt(13 * 11 * 4 * 2 / (81 * 10)))
    assert found["why_no_estimate"] is None
    assert {path.name for path in out.iterdir()} == {
        "histories.inp", "histories.csv", "discovery.csv", "discovery.png", "chapman.csv",
    }  # fmt: skip
    resight("population", tmp_path / "herd.db", "--out", out).failed_in_one_line()


def test_population_without_recaptures_says_so_and_writes_the_rest(
    herd: Herd, tmp_path: Path
) -> None:
    ran = resight(
        "population", tmp_path / "herd.db", "--starts", "2024-01-01", "--out", tmp_path / "out"
    )
    assert ran.code == 0, ran.err
    assert "No estimate: all photos are of one occasion, 2024-01-01" in ran.out
    assert not (tmp_path / "out" / "chapman.csv").exists()
    assert (tmp_path / "out" / "histories.inp").exists()


def test_few_recaptures_are_marked(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "herd.db")
    for year in (2024, 2025):
        herd.add(unit(3), ["a", "b", f"{year}"], taken_at=datetime(year, 5, 1))
    ran = resight("population", tmp_path / "herd.db")
    assert "* fewer than 7 recaptures: take it with great care." in ran.out


def test_population_refuses_in_one_line(herd: Herd, tmp_path: Path) -> None:
    book = tmp_path / "herd.db"
    for words in (
        ["--by", "decade"],
        ["--starts", "2024-13-01"],
        ["--starts", ""],
        ["--starts", "2025-01-01,2024-01-01"],
        ["--starts", "2030-01-01"],
        ["--side", "left"],
    ):
        resight("population", book, *words).failed_in_one_line()
