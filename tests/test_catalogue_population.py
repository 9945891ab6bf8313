"""Who was seen when, the curve of discovery, and Chapman's estimate, checked by hand."""

import csv
import math
import re
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from herd import Herd, make_herd, unit
from resight.catalogue.population import (
    Chapman,
    Sighting,
    Sightings,
    chapman,
    discovery,
    estimates,
    histories,
    sightings,
)
from resight.catalogue.population_files import write_inp, write_population
from resight.errors import ResightError


def seen(*days: tuple[str, str], undated: int = 0) -> Sightings:
    """One photo of one encounter for each (day, individual)."""
    ordered = sorted((date.fromisoformat(day), name) for day, name in days)
    return Sightings(tuple(Sighting(day, name, 1, 1) for day, name in ordered), undated)


THREE = seen(
    ("2023-06-01", "Luna"), ("2023-06-01", "Sol"), ("2023-07-09", "Luna"),
    ("2024-06-30", "Luna"), ("2024-12-30", "Io"), ("2026-01-01", "Sol"),
)  # fmt: skip


@pytest.fixture
def herd(tmp_path: Path) -> Herd:
    return make_herd(tmp_path / "herd.db")


def test_sightings_are_counted_by_day(place: str) -> None:
    herd = make_herd(place)
    dawn = herd.encounter("dawn", "Luna")
    dusk = herd.encounter("dusk", "Luna", began_at=datetime(2025, 4, 3, 23, tzinfo=UTC))
    nine = datetime(2025, 4, 3, 9)
    herd.add(unit(2), "Luna", taken_at=nine, encounter=dawn)
    herd.add(unit(3), "Luna", taken_at=nine)  # without an encounter: one together
    herd.add(unit(1), "Luna", encounter=dusk)  # the day that its encounter began on
    herd.add(unit(1), "Luna", taken_at=datetime(2025, 4, 4, 1), encounter=dusk)  # its own counts
    herd.add(unit(1), "Sol", taken_at=nine)
    herd.add(unit(2), "Sol")  # no date
    herd.add(unit(1), "Sol", taken_at=datetime(2020, 1, 1), state="junk")
    herd.add(unit(1), taken_at=nine)  # nobody has named it
    herd.individual("Merged", gone=True)
    herd.add(unit(1), "Merged", taken_at=nine)
    found = sightings(herd.store)
    assert found.undated == 2
    assert found.sightings == (
        Sighting(date(2025, 4, 3), "Luna", 6, 3),
        Sighting(date(2025, 4, 3), "Sol", 1, 1),
        Sighting(date(2025, 4, 4), "Luna", 1, 1),
    )
    herd.store.close()


def test_one_side_alone_is_counted_when_asked(herd: Herd) -> None:
    day = datetime(2025, 4, 3)
    herd.add(unit(3), ["Luna", "Sol", "Io"], taken_at=day, side=["left", "right", None])
    assert [s.individual for s in sightings(herd.store, side=" Left ").sightings] == ["Luna"]
    herd.add(unit(1), ["Mars"], taken_at=day, side="ÖSTLICH")  # SQLite's lower() would leave the Ö
    for typed in ("östlich", "O\u0308stlich"):
        assert [s.individual for s in sightings(herd.store, side=typed).sightings] == ["Mars"]
    with pytest.raises(ResightError, match="no photo is of the side 'top'; there are: "):
        sightings(herd.store, side="top")


def test_nobody_seen_is_said(herd: Herd) -> None:
    with pytest.raises(ResightError, match="no photo has both a name and a date"):
        sightings(herd.store)


def test_a_year_nobody_was_seen_in_is_no_occasion() -> None:
    who = histories(THREE, by="year")
    assert [occasion.name for occasion in who.occasions] == ["2023", "2024", "2026"]
    assert who.individuals == ("Luna", "Sol", "Io")
    assert who.seen.tolist() == [
        [True, True, False], [True, False, True], [False, True, False],
    ]  # fmt: skip


def test_days_weeks_and_months() -> None:
    by = {p: histories(THREE, by=p).occasions for p in ("day", "week", "month")}  # type: ignore[arg-type]
    assert [o.name for o in by["day"]] == [
        "2023-06-01", "2023-07-09", "2024-06-30", "2024-12-30", "2026-01-01",
    ]  # fmt: skip
    # ISO 8601: 30 December 2024 is a Monday, and of the first week of 2025.
    assert [o.name for o in by["week"]] == [
        "2023-W22", "2023-W27", "2024-W26", "2025-W01", "2026-W01",
    ]  # fmt: skip
    assert (by["week"][3].first, by["week"][3].last) == (date(2024, 12, 30), date(2025, 1, 5))
    assert [o.name for o in by["month"]] == ["2023-06", "2023-07", "2024-06", "2024-12", "2026-01"]
    assert (by["month"][3].first, by["month"][3].last) == (date(2024, 12, 1), date(2024, 12, 31))


def test_given_dates_are_occasions_seen_or_not() -> None:
    starts = [date(2023, 7, 1), date(2024, 1, 1), date(2025, 1, 1), date(2026, 1, 1)]
    who = histories(THREE, starts=starts)
    assert who.individuals == ("Luna", "Io", "Sol")
    assert who.seen.astype(int).tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert who.outside == 2
    assert who.occasions[0].last == date(2023, 12, 31)
    assert who.occasions[-1].last is None
    for bad in ([], [starts[1], starts[0]], [starts[0], starts[0]]):
        with pytest.raises(ResightError, match="come in order"):
            histories(THREE, starts=bad)
    with pytest.raises(ResightError, match="nobody was seen on any"):
        histories(THREE, starts=[date(2030, 1, 1)])
    with pytest.raises(ResightError, match="choose day, week, month, year"):
        histories(THREE, by="decade")  # type: ignore[arg-type]


days = st.dates(date(2019, 12, 20), date(2021, 1, 10))


@given(st.lists(st.tuples(days, st.sampled_from("abcdef")), min_size=1), st.sampled_from(
    ["day", "week", "month", "year"]))  # fmt: skip
def test_every_sighting_is_in_its_occasion_and_nothing_else(
    pairs: list[tuple[date, str]], by: Any
) -> None:
    all_seen = seen(*((day.isoformat(), name) for day, name in {*pairs}))
    who = histories(all_seen, by=by)
    want = {(s.individual, s.day) for s in all_seen.sightings}
    got = set()
    for row, column in np.argwhere(who.seen):
        occasion = who.occasions[column]
        inside = {
            (name, day) for name, day in want
            if name == who.individuals[row] and occasion.first <= day <= occasion.last
        }  # fmt: skip
        assert inside
        got |= inside
    assert got == want
    assert who.seen.any(axis=0).all()
    curve = discovery(all_seen)
    assert curve[-1][1:] == (len(want), len(want), len({name for name, _ in want}))
    assert all(a[0] < b[0] and a[3] <= b[3] for a, b in pairwise(curve))


def test_the_curve_of_discovery() -> None:
    two = Sightings(
        (Sighting(date(2025, 1, 1), "Luna", 3, 2), Sighting(date(2025, 1, 1), "Sol", 1, 1),
         Sighting(date(2025, 1, 9), "Luna", 2, 1)), 0)  # fmt: skip
    assert discovery(two) == [(date(2025, 1, 1), 4, 3, 2), (date(2025, 1, 9), 6, 4, 2)]


def test_chapmans_estimate_by_hand() -> None:
    # 200 marked, 150 seen later, 30 of them marked: 201 × 151 / 31 - 1 = 978.0645…;
    # the variance 201 × 151 × 170 × 120 / (31² × 32) = 619160400 / 30752 = 20133.9880…
    found = chapman(200, 150, 30)
    assert found.estimate == pytest.approx(30351 / 31 - 1)
    assert found.estimate == pytest.approx(978.064516, abs=1e-6)
    assert found.error == pytest.approx(math.sqrt(20133.988033), abs=1e-6)
    # Seen 320, so never 658.0645: 20133.988 / 658.0645² = 0.046494; √ln 1.046494 = 0.213179;
    # C = exp(1.959964 × 0.213179) = 1.51865
    assert found.low == pytest.approx(320 + 658.064516 / 1.51865, abs=1e-2)
    assert found.high == pytest.approx(320 + 658.064516 * 1.51865, abs=1e-2)


def test_a_small_estimate_by_hand() -> None:
    # 5 and 4, 2 on both: 6 × 5 / 3 - 1 = 9; variance 6 × 5 × 3 × 2 / (9 × 4) = 5.
    # Seen 7, never 2: C = exp(1.959964 × √ln(1 + 5 / 2²)) = exp(1.959964 × 0.900517) = 5.8415…
    found = chapman(5, 4, 2)
    assert found.estimate == pytest.approx(9)
    assert found.error == pytest.approx(math.sqrt(5))
    spread = math.exp(1.959963985 * math.sqrt(math.log(2.25)))
    assert spread == pytest.approx(5.8415, abs=1e-4)
    assert found.low == pytest.approx(7 + 2 / spread)
    assert found.high == pytest.approx(7 + 2 * spread)


def test_all_seen_again_leaves_no_doubt() -> None:
    assert chapman(5, 9, 5) == Chapman(5, 9, 5, 9.0, 0.0, 9.0, 9.0, 0.95)


def test_without_recaptures_there_is_no_estimate() -> None:
    with pytest.raises(ResightError, match=r"nobody was seen both times \(7 and 9 individuals\)"):
        chapman(7, 9, 0)
    for bad in ((3, 4, 5), (3, 4, -1)):
        with pytest.raises(ResightError, match="cannot have been seen both times"):
            chapman(*bad)
    for level in (0.0, 1.0, 95.0, math.nan):
        with pytest.raises(ResightError, match="lies between 0 and 1"):
            chapman(5, 4, 2, level=level)


@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_the_interval_holds_the_estimate_and_never_fewer_than_were_seen(
    first: int, second: int, data: st.DataObject
) -> None:
    both = data.draw(st.integers(1, min(first, second)))
    found = chapman(first, second, both)
    assert first + second - both <= found.low <= found.estimate + 1e-9 <= found.high + 2e-9
    wider = chapman(first, second, both, level=0.99)
    assert wider.low <= found.low
    assert wider.high >= found.high
    assert chapman(second, first, both).estimate == pytest.approx(found.estimate)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    truth, tries, held, sum_of = 300, 1500, 0, 0.0
    for _ in range(tries):
        first, second = rng.random((2, truth)) < [[0.3], [0.25]]
        found = chapman(int(first.sum()), int(second.sum()), int((first & second).sum()))
        held += found.low <= truth <= found.high
        sum_of += found.estimate
    assert 0.93 <= held / tries <= 0.98
    assert sum_of / tries == pytest.approx(truth, rel=0.02)


def test_estimates_run_from_each_occasion_to_the_next() -> None:
    who = histories(THREE, by="year")
    first, second = estimates(who)
    assert isinstance(first, Chapman)
    assert (first.first, first.second, first.both) == (2, 2, 1)
    assert first.estimate == pytest.approx(3.5)
    assert isinstance(second, str)
    assert "without recaptures" in second


def test_one_occasion_or_no_recaptures_at_all_are_refused() -> None:
    with pytest.raises(ResightError, match="all photos are of one occasion, 2023, and an estimate"):
        estimates(histories(seen(("2023-01-01", "Luna"), ("2023-02-01", "Luna")), by="year"))
    with pytest.raises(ResightError, match="no two in a row saw the same individual"):
        estimates(histories(seen(("2023-01-01", "Luna"), ("2024-02-01", "Sol")), by="year"))


def as_rmark_reads(path: Path) -> dict[str, str]:
    """What RMark's `convert.inp(…, use.comments = TRUE)` makes of a file, step by step."""
    lines = [line.replace(";", "", 1) for line in path.read_text(encoding="utf-8").splitlines()]
    found = {}
    for line in lines:
        start, end = line.find("/*"), line.find("*/")
        if start == 0 and end == len(line) - 2:
            continue  # a line of comment
        name = line[start + 2 : end].strip()
        fields = (line[:start] + " " * (end + 2 - start) + line[end + 2 :]).split()
        assert len(fields) == 2, line
        assert fields[1] == "1"
        found[name] = fields[0]
    return found


def test_the_inp_file_has_the_form_of_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.inp"
    write_inp(histories(THREE, by="year"), path)
    assert path.read_bytes() == (
        b"/* 3 occasions, 2023 to 2026: 1 seen, 0 not */\r\n"
        b"/* Luna */ 110 1;\r\n/* Sol */ 101 1;\r\n/* Io */ 010 1;\r\n"
    )


def test_no_name_breaks_the_inp_file(tmp_path: Path) -> None:
    names = ["a;b", "c*/d", "/*e", "Łuna 🐋", "*/", "'q'", 'r"s', "1010 1;", "x" * 200]
    path = tmp_path / "a.inp"
    write_inp(histories(seen(*(("2024-01-01", name) for name in names)), by="year"), path)
    found = as_rmark_reads(path)
    assert len(found) == len(names)
    assert {*found.values()} == {"1"}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        assert re.fullmatch(r"/\* (?:(?!\*/)[^;])* \*/ 1 1;", line), line


def test_all_files_of_a_population(tmp_path: Path) -> None:
    who = histories(THREE, by="year")
    write_population(tmp_path / "out", who, discovery(THREE), estimates(who))

    def rows(name: str) -> list[dict[str, str]]:
        with (tmp_path / "out" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    assert rows("histories.csv") == [
        {"id": "Luna", "ch": "110", "freq": "1", "2023": "1", "2024": "1", "2026": "0"},
        {"id": "Sol", "ch": "101", "freq": "1", "2023": "1", "2024": "0", "2026": "1"},
        {"id": "Io", "ch": "010", "freq": "1", "2023": "0", "2024": "1", "2026": "0"},
    ]
    assert as_rmark_reads(tmp_path / "out" / "histories.inp") == {
        row["id"]: row["ch"] for row in rows("histories.csv")
    }
    assert rows("discovery.csv")[-1] == {
        "day": "2026-01-01", "photos": "6", "encounters": "6", "individuals": "3",
    }  # fmt: skip
    first, second = rows("chapman.csv")
    assert (first["from"], first["to"], first["n1"], first["m2"]) == ("2023", "2024", "2", "1")
    assert float(first["estimate"]) == pytest.approx(3.5)
    assert second["estimate"] == ""
    assert "without recaptures" in second["why_none"]
    with Image.open(tmp_path / "out" / "discovery.png") as image:
        assert image.size == (1200, 800)
        assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_the_same_population_gives_the_same_files(tmp_path: Path) -> None:
    who = histories(THREE)
    for name in ("a", "b"):
        write_population(tmp_path / name, who, discovery(THREE), None)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["discovery.csv", "discovery.png", "histories.csv", "histories.inp"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_name_is_no_formula_in_the_csv(tmp_path: Path) -> None:
    who = histories(seen(("2024-01-01", "=1+1")))
    write_population(tmp_path / "out", who, discovery(seen(("2024-01-01", "=1+1"))), None)
    assert "\n'=1+1,1,1,1" in (tmp_path / "out" / "histories.csv").read_text().replace("\r", "")
