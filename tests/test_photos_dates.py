"""Dates as people write them: what is certain is read, what is not is never guessed."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resight.photos.dates import DateColumn, EitherWay
from resight.photos.values import as_bbox, as_box, as_name, as_text

DAYS = st.dates(date(1900, 1, 1), date(2025, 12, 31))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2025-04-03", datetime(2025, 4, 3)),
        ("2025-04-03T12:30", datetime(2025, 4, 3, 12, 30)),
        ("2025-04-03 12:30:05.5", datetime(2025, 4, 3, 12, 30, 5, 500_000)),
        ("2025-04-03T12:30:00Z", datetime(2025, 4, 3, 12, 30, tzinfo=UTC)),
        ("2025/04/14", datetime(2025, 4, 14)),
        ("2025/4/3 9:05", datetime(2025, 4, 3, 9, 5)),
        ("2025:04:14 10:11:12", datetime(2025, 4, 14, 10, 11, 12)),
        ("14.04.2025", datetime(2025, 4, 14)),
        ("14/4/2025 10:11", datetime(2025, 4, 14, 10, 11)),
        ("4/14/2025 1:05:06 PM", datetime(2025, 4, 14, 13, 5, 6)),
        ("4/14/2025, 12:05 am", datetime(2025, 4, 14, 0, 5)),
        ("03/03/2025", datetime(2025, 3, 3)),
        ("2025-4-3", datetime(2025, 4, 3)),
        ("20250414", datetime(2025, 4, 14)),
        (datetime(2025, 4, 14, 1), datetime(2025, 4, 14, 1)),
        (date(2025, 4, 14), datetime(2025, 4, 14)),
    ],
)
def test_certain_dates_are_read(written: Any, meant: datetime) -> None:
    assert DateColumn().read(written) == meant


@pytest.mark.parametrize("nothing", [None, "", "  ", "0000:00:00 00:00:00", "0000-00-00"])
def test_what_programs_write_for_unknown_is_unknown(nothing: str | None) -> None:
    assert DateColumn().read(nothing) is None


@pytest.mark.parametrize(
    "none",
    ["soon", "2025", 2025, 45761.0, "45761", "31/31/2025", "30.02.2025", "2025-13-01", "03/04/25",
     "0003-04-05", "9025-01-01", "14/04/2025 25:00", "14/4/2025 13:00 pm", "14/04-2025", time(1),
     [], b"2025-04-03", float("nan"), "١٤/٤/٢٠٢٥x", "2025-04-03\n2025-04-04",
     datetime.now() + timedelta(days=3)],
)  # fmt: skip
def test_what_is_no_date_is_refused(none: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        DateColumn().read(none)


@given(DAYS, st.sampled_from("/.-"), st.booleans())
def test_a_date_is_never_read_as_another_day(day: date, mark: str, day_first: bool) -> None:
    parts = (day.day, day.month) if day_first else (day.month, day.day)
    column = DateColumn()
    read = column.read(mark.join(map(str, (*parts, day.year))))
    if isinstance(read, EitherWay):
        assert max(parts) <= 12
        meant = read.day_first if day_first else read.month_first
        assert meant.date() == day
        assert column.settled(read) is None
    else:
        assert read is not None
        assert read.date() == day


@given(st.lists(DAYS, min_size=1, max_size=20), st.booleans())
def test_a_column_is_settled_by_a_row_that_proves_its_order(
    days: list[date], day_first: bool
) -> None:
    form = "{0.day}/{0.month}/{0.year}" if day_first else "{0.month}/{0.day}/{0.year}"
    column = DateColumn()
    read = [column.read(form.format(day)) for day in days]
    proven = any(day.day > 12 for day in days)
    for day, one in zip(days, read, strict=True):
        settled = column.settled(one) if isinstance(one, EitherWay) else one
        assert (None if settled is None else settled.date()) in ({day} if proven else {day, None})
        if proven:
            assert settled is not None


def test_rows_that_contradict_settle_nothing() -> None:
    column = DateColumn()
    either = column.read("03/04/2025")
    assert isinstance(either, EitherWay)
    column.read("25/04/2025")
    assert column.settled(either) == datetime(2025, 4, 3)
    column.read("04/25/2025")
    assert column.settled(either) is None


CELL = st.one_of(st.text(), st.floats(), st.integers(), st.binary(), st.none())


@given(CELL | st.lists(CELL, max_size=5))
def test_any_value_is_read_or_refused(value: Any) -> None:
    for read in (as_text, as_name, as_box, as_bbox, DateColumn().read):
        with suppress(ValueError, OverflowError):
            read(value)


@given(st.tuples(*[st.integers(0, 5000)] * 2), st.tuples(*[st.integers(1, 5000)] * 2))
def test_box_and_bbox_say_the_same(corner: tuple[int, int], sides: tuple[int, int]) -> None:
    (x, y), (width, height) = corner, sides
    box = (x, y, x + width, y + height)
    assert as_box(" ".join(map(str, box))) == as_box(list(box)) == box
    assert as_bbox(f"[{x}, {y}, {width}.0, {height}]") == as_bbox((x, y, width, height)) == box


def test_names_of_numbers() -> None:
    assert [as_name(value) for value in (998230000006455.0, 12, "0012", float("nan"), " é ")] == [
        "998230000006455", "12", "0012", None, "é",
    ]  # fmt: skip
    for value in ("a\nb", "a\u2028b", "x" * 201, ["a"], {"a": 1}):
        with pytest.raises(ValueError):  # noqa: PT011 (the value is all it says)
            as_name(value)
