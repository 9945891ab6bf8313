"""The way in for whoever keeps a spreadsheet: a table with a photo a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from resight.errors import UnusablePhotos
from resight.photos.columns import BBOX, COLUMNS, SPAN, meaning_of
from resight.photos.dates import SUCH_AS, DateColumn, EitherWay
from resight.photos.finding import straight, whole
from resight.photos.photo import Photo
from resight.photos.problem import Problem, Taken
from resight.photos.rows import Rows, open_rows
from resight.photos.sound import is_sound
from resight.photos.values import (
    BBOX_SUCH_AS,
    BOX_SUCH_AS,
    LONGEST_NAME,
    as_bbox,
    as_box,
    as_latitude,
    as_longitude,
    as_name,
    as_span,
    as_text,
    is_nobody,
    of_nobody,
)

__all__ = ["COLUMNS", "photos_from_table", "taken_from_rows"]

_TOLD = 20  # errors of one table that are told

_Read = Callable[[Any], Any]
_NAME = f"one line of at most {LONGEST_NAME} characters"
_KINDS: Mapping[str, tuple[_Read, str]] = {
    "path": (as_text, "the name of the photo's file"),
    **{name: (as_name, _NAME) for name in COLUMNS if name not in ("path", "date")},
    "box": (as_box, BOX_SUCH_AS),
    BBOX: (as_bbox, BBOX_SUCH_AS),
    "latitude": (as_latitude, "degrees between -90 and 90, such as 48.39"),
    "longitude": (as_longitude, "degrees between -180 and 180, such as -4.49"),
}


def photos_from_table(
    table: str | Path,
    say: Callable[[str], None] = lambda words: None,
    *,
    columns: Mapping[str, str] | None = None,
) -> list[Photo]:
    """Photos from a table with a line of column names and then a line for each photo.

    The table is CSV, TSV, Parquet or Excel. `path` is the one column that it needs, from the
    table's folder or absolute. The others are those of `Photo`: `date` as 2025-04-03 or
    2025-04-03T12:30, `box` as four numbers with spaces between them, `latitude` and `longitude` in
    degrees, both or neither. What is empty is not known. Capitals and spaces around a column's
    name do not count; names that other programs give (`identity`, `bbox`, `orientation`, …) are
    known, and columns of any other name are passed over: see docs/photos.md.

    Args:
        table: the file.
        say: told in a sentence what was taken for what, and which columns are not used.
        columns: our name (or "bbox") to the table's own, such as {"path": "Image"}.

    Returns:
        A photo for each line, in their order; whether the files can be read is not looked at.

    Raises:
        UnusablePhotos: no such file, no column `path`, no photos, a photo with two names, or a
            value that cannot be one; of several such lines the first, the others in its notes.
    """
    table = Path(table)
    taken = taken_from_rows(table, open_rows(table, say, columns), columns=columns, say=say)
    slips = [*taken.problems, *_two_names(taken)]
    slips.sort(key=lambda slip: slip.row or 0)
    if slips:
        refusal = UnusablePhotos(str(slips[0]))
        for slip in slips[1:_TOLD]:
            refusal.add_note(str(slip))
        if len(slips) > _TOLD:
            refusal.add_note(f"{table}: and {len(slips) - _TOLD:,} more")
        raise refusal
    if not taken.photos:
        raise UnusablePhotos(f"{table}: has no photos; write a line for each")
    return taken.photos


def taken_from_rows(
    table: Path,
    rows: Rows,
    *,
    columns: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Taken:
    """The photos of all rows, and what is wrong with some.

    Paths are taken from the table's folder, and not looked at. Of a row with a problem there is
    a photo too, with what could be read, where it is known which photo it is about; see
    `Taken.spoilt`.

    Args:
        table: where the rows come from.
        rows: see `open_rows`.
        columns: our name (or "bbox") to the table's own; see `meaning_of`.
        say: told in a sentence what was taken for what, and which columns are not used.

    Raises:
        UnusablePhotos: the table has no path, or cannot be read to its end.
    """
    meant = meaning_of(table, rows.columns, columns or {}, say)
    reader = _Reader(table, rows.kind, meant)
    for number, values in rows.rows:
        reader.take(number, values, len(rows.columns))
    return reader.taken(say)


class _Reader:
    """Makes a photo of each row; dates are settled when all have been seen."""

    def __init__(self, table: Path, kind: str, meant: Mapping[str, int]) -> None:
        self.table, self.kind = table, kind
        self.folder = table.parent
        self.dates = DateColumn()
        self.photos: list[Photo] = []
        self.rows: list[int] = []
        self.problems: list[Problem] = []
        self.either: dict[int, tuple[EitherWay, str]] = {}
        self.spoilt: set[int] = set()
        self.nobody: Counter[str] = Counter()
        self.date = meant.get("date")
        self.cells = [
            ("box" if name == BBOX else name, name, place, *_KINDS[name])
            for name, place in meant.items()
            if name not in ("date", *SPAN)
        ]
        self.span = [meant[name] for name in SPAN if name in meant]

    def take(self, number: int, values: Sequence[Any], width: int) -> None:
        found: dict[str, Any] = {}
        wrong: list[str] = []
        failed: set[str] = set()
        count = len(values)
        if shifted := count > width and any(value not in (None, "") for value in values[width:]):
            wrong.append(
                f"has {count} cells where the heading has {width}; put quotes around what has a "
                "separator in it"
            )
        for field, name, place, read, such_as in self.cells:
            value = values[place] if place < count else None
            if value is None or value == "":
                continue
            try:
                found[field] = read(value)
            except (ValueError, OverflowError):
                wrong.append(f"{_shown(value)} is no {name}; write it as {such_as}")
                failed.add(field)
        date = self._date(values, wrong)
        path = found.pop("path", None)
        if path is None and "path" not in failed:
            if self.kind == "line" and not found and date is None and not wrong:
                return  # nothing but commas, as spreadsheets leave below what was deleted
            wrong.append("its path is empty; name the photo's file")
        alone = (found.get("latitude") is None) != (found.get("longitude") is None)
        if alone and not shifted and not failed & {"latitude", "longitude"}:
            lacks = "latitude" if found.get("latitude") is None else "longitude"
            wrong.append(f"its {lacks} is empty; give both, or neither")
        file = None if path is None else self.folder / path
        if file is not None and self.span and is_sound(file):
            told = [values[place] if place < count else None for place in self.span]
            if any(value not in (None, "") for value in told):
                try:
                    found["box"] = as_span(*told)
                except (TypeError, ValueError, OverflowError):
                    shown = " to ".join(_shown(value) for value in told)
                    wrong.append(f"{shown} is no part of a recording; write seconds, as 12.5 to 14")
                    failed.add("box")
        self.problems += [self._problem(number, words, file) for words in wrong]
        if file is None or shifted:
            return  # nobody knows what is in which cell
        if wrong:
            self.spoilt.add(number)
        if "box" in failed:
            found = {}  # it must not contradict what is said of another part, or of the whole
        who = found.get("individual")
        if who is not None and is_nobody(who):
            found["individual"] = None
            if not wrong:
                self.nobody[who] += 1
        side = found.get("side")
        if side is not None and is_nobody(side.casefold()):  # as unknown as a name can be
            found["side"] = None
        if isinstance(date, EitherWay):
            self.either[len(self.photos)] = date, _shown(values[self.date or 0])
            date = None
        self.photos.append(Photo(file, date=date, **found))
        self.rows.append(number)

    def _date(self, values: Sequence[Any], wrong: list[str]) -> datetime | EitherWay | None:
        if self.date is None or self.date >= len(values):
            return None
        value = values[self.date]
        try:
            return self.dates.read(value)
        except (ValueError, OverflowError):
            wrong.append(f"{_shown(value)} is no date; write it as {SUCH_AS}")
            return None

    def taken(self, say: Callable[[str], None]) -> Taken:
        settled = 0
        for place, (either, shown) in self.either.items():
            date = self.dates.settled(either)
            if date is not None:
                self.photos[place] = replace(self.photos[place], date=date)
                settled += 1
                continue
            day, month = (f"{one:%-d %B}" for one in (either.day_first, either.month_first))
            words = f"{shown} is {day} or {month}, no other line says which; write it as {SUCH_AS}"
            self.problems.append(self._problem(self.rows[place], words, self.photos[place].path))
            self.spoilt.add(self.rows[place])
        if settled:
            first = "day" if self.dates.day_first else "month"
            proof = self.dates.day_first or self.dates.month_first
            say(f"{self.table}: its dates are read with the {first} first, as in {proof}")
        if words := of_nobody(self.nobody):
            say(f"{self.table}: {words}")
        self.problems.sort(key=lambda problem: problem.row or 0)
        spoilt = frozenset(self.spoilt)
        return Taken(self.photos, self.problems, [*self.rows], self.table, self.kind, spoilt)

    def _problem(self, number: int, words: str, file: Path | None) -> Problem:
        return Problem(f"{self.table}, {self.kind} {number}", words, file, number)


def _two_names(taken: Taken) -> list[Problem]:
    """The rows that give another name to a photo that has one."""
    named: dict[tuple[Path, Any], tuple[str, int | None]] = {}
    problems = []
    for photo, row in zip(taken.photos, taken.rows, strict=True):
        if photo.individual is None:
            continue
        which = whole(straight(photo.path)), photo.box
        name, first = named.setdefault(which, (photo.individual, row))
        if name != photo.individual:
            words = (
                f"{photo.path.name} is {photo.individual!r} here, and {name!r} in {taken.kind} "
                f"{first}; a photo has one name"
            )
            where = f"{taken.table}, {taken.kind} {row}"
            problems.append(Problem(where, words, photo.path, row))
    return problems


def _shown(value: Any) -> str:
    """A value for a person's eyes, not longer than a line."""
    shown = repr(value) if isinstance(value, str) else f"'{value}'"
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
