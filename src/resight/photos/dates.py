"""Dates as people and programs write them, without guessing what is day and what is month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

# 2025-04-14, 2025/04/14, 2025.04.14, 2025:04:14 (EXIF); and 14.04.2025, 14/04/2025, 4/14/2025.
_YEAR_FIRST = re.compile(r"(\d{4})([-/.:])(\d{1,2})\2(\d{1,2})(?:[T ](.+))?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:[T ,]+(.+))?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?\s*([AaPp][Mm])?")
_ZEROS = re.compile(r"0000[-:/]00[-:/]00([T ]00:00(:00)?)?")  # what programs write for unknown
_FIRST_PHOTOGRAPH = 1826
_LAST_YEAR = datetime.now(UTC).year  # what came before it needs no clock
SUCH_AS = "2025-04-03 or 2025-04-03T12:30, not in the future"


@dataclass(frozen=True, slots=True)
class EitherWay:
    """A date whose day may be its month: 03/04/2025.

    Attributes:
        day_first: what it is where the day comes first.
        month_first: what it is where the month does.
    """

    day_first: datetime
    month_first: datetime


class DateColumn:
    """The dates of one column: they are read one by one, and their order is known at the end.

    Where a row proves that the day comes first (25/04/2025) and no row the contrary, the column
    has it so, and likewise for the month; otherwise dates that may be either are not read.
    """

    def __init__(self) -> None:
        self.day_first: str | None = None
        self.month_first: str | None = None

    def read(self, value: Any) -> datetime | EitherWay | None:
        """One cell.

        Raises:
            ValueError: it is no date, or one in the future or before photography.
        """
        if value is None:
            return None
        if isinstance(value, datetime):
            return _sensible(value)
        if isinstance(value, date):
            return _sensible(datetime.combine(value, time()))
        if not isinstance(value, str):
            raise ValueError(value)
        text = value.strip()
        if not text or _ZEROS.fullmatch(text):
            return None
        if found := _YEAR_LAST.fullmatch(text):
            return self._year_last(text, found)
        if found := _YEAR_FIRST.fullmatch(text):
            day = date(int(found[1]), int(found[3]), int(found[4]))
            if found[5] is None or _TIME.fullmatch(found[5].strip()):
                return _sensible(datetime.combine(day, _clock(found[5])))
            text = f"{day}T{found[5]}"  # with a zone
        elif text.isdecimal() and len(text) != 8:
            raise ValueError(text)
        return _sensible(datetime.fromisoformat(text))

    def settled(self, found: EitherWay) -> datetime | None:
        """What such a date is in this column; None where no row says, or rows contradict."""
        if (self.day_first is None) == (self.month_first is None):
            return None
        return found.day_first if self.day_first else found.month_first

    def _year_last(self, text: str, found: re.Match[str]) -> datetime | EitherWay:
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        clock = _clock(found[5])
        if first > 12:
            read = _sensible(datetime.combine(date(year, second, first), clock))
            self.day_first = self.day_first or text
            return read
        if second > 12:
            read = _sensible(datetime.combine(date(year, first, second), clock))
            self.month_first = self.month_first or text
            return read
        day_first = datetime.combine(date(year, second, first), clock)
        if first == second:
            return _sensible(day_first)
        return EitherWay(day_first, datetime.combine(date(year, first, second), clock))


def sensible(found: datetime) -> bool:
    """Whether a photo may have been taken then: not before there were any, and not in the future.

    A day's grace: the camera's clock may be of any zone.
    """
    if _FIRST_PHOTOGRAPH <= found.year < _LAST_YEAR:
        return True
    latest = datetime.now(UTC) + timedelta(days=1)
    return found.year >= _FIRST_PHOTOGRAPH and found.replace(tzinfo=found.tzinfo or UTC) <= latest


def _sensible(found: datetime) -> datetime:
    if not sensible(found):
        raise ValueError(str(found))
    return found


def _clock(text: str | None) -> time:
    if text is None:
        return time()
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    hour = int(found[1])
    if found[5]:
        if not 1 <= hour <= 12:
            raise ValueError(text)
        hour = hour % 12 + (12 if found[5].lower() == "pm" else 0)
    return time(hour, int(found[2]), int(found[3] or 0), int((found[4] or "0").ljust(6, "0")))
