"""The way in for whoever keeps a spreadsheet: a table with a photo a line."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from resight.errors import UnusablePhotos
from resight.photos.photo import Photo

COLUMNS = (
    "path",
    "individual",
    "encounter",
    "date",
    "side",
    "box",
    "place",
    "observer",
    "latitude",
    "longitude",
)
_TOLD = 20  # errors of one table that are told


def photos_from_table(
    table: str | Path, say: Callable[[str], None] = lambda words: None
) -> list[Photo]:
    """Photos from a CSV file with a line of column names and then a line for each photo.

    `path` is the one column that it needs, from the table's folder or absolute. The others are
    those of `Photo`: `date` as 2025-04-03 or 2025-04-03T12:30, `box` as four numbers with spaces
    between them, `latitude` and `longitude` in degrees, both or neither. What is empty is not
    known. Capitals and spaces around a column's name do not count; columns of other names are
    passed over.

    Args:
        table: the file.
        say: told in a sentence which columns are not used, if any.

    Returns:
        A photo for each line, in their order; whether the files can be read is not looked at.

    Raises:
        UnusablePhotos: no such file, no column `path`, no photos, a photo with two names, or a
            value that cannot be one; of several such lines the first, the others in its notes.
    """
    table = Path(table)
    try:
        text = table.read_text(encoding="utf-8-sig")  # as spreadsheets write it, with its mark
    except UnicodeDecodeError:
        raise UnusablePhotos(f"{table}: is not text in UTF-8; save it as CSV UTF-8") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UnusablePhotos(f"{table}: {why}") from None
    lines = text.splitlines(keepends=True)
    separator = max(",;\t", key=lines[0].count) if lines else ","  # spreadsheets differ by country
    try:
        reader = csv.DictReader(lines, delimiter=separator, strict=True)
        reader.fieldnames = _columns(table, reader.fieldnames or (), say)
        photos, wrong = _photos(table, reader)
    except csv.Error as error:
        raise UnusablePhotos(f"{table}: is no CSV file ({error})") from None
    if wrong:
        refusal = UnusablePhotos(wrong[0])
        for words in wrong[1:_TOLD]:
            refusal.add_note(words)
        if len(wrong) > _TOLD:
            refusal.add_note(f"{table}: and {len(wrong) - _TOLD:,} more")
        raise refusal
    if not photos:
        raise UnusablePhotos(f"{table}: has no photos; write a line for each")
    return photos


def _columns(table: Path, found: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """The columns by the names that we know, the others as they are."""
    found = [name.strip() for name in found]
    names = [name.casefold() if name.casefold() in COLUMNS else name for name in found]
    others = [name for name in names if name and name not in COLUMNS]
    near = {name: difflib.get_close_matches(name.casefold(), COLUMNS, 1) for name in others}
    if "path" not in names:
        like = next((f"; is {name!r} it?" for name, (*one,) in near.items() if one == ["path"]), "")
        here = f" (it has {', '.join(others[:8])}{like})" if others else ""
        raise UnusablePhotos(
            f"{table}: has no column called path{here}; name its columns in its first line, such "
            "as: path,individual,date"
        )
    twice = next((name for name in COLUMNS if names.count(name) > 1), None)
    if twice is not None:
        raise UnusablePhotos(f"{table}: has two columns called {twice}; rename one of them")
    if others:
        words = [f"{name} (is it {near[name][0]}?)" if near[name] else name for name in others]
        say(f"{table}: not used: {', '.join(words)}; known are {', '.join(COLUMNS)}")
    return names


def _photos(table: Path, reader: csv.DictReader[str]) -> tuple[list[Photo], list[str]]:
    """The photos of all lines, and what is wrong with the others."""
    photos: list[Photo] = []
    wrong: list[str] = []
    named: dict[tuple[Path, Any], tuple[str, int]] = {}
    for row in reader:
        line = reader.line_num
        try:
            photo = _photo(table, line, row)
        except UnusablePhotos as error:
            wrong.append(str(error))
            continue
        if photo.individual is not None:
            key = (photo.path, photo.box)
            name, first = named.setdefault(key, (photo.individual, line))
            if name != photo.individual:
                wrong.append(
                    f"{table}, line {line}: {photo.path.name} is {photo.individual!r} here, and "
                    f"{name!r} in line {first}; a photo has one name"
                )
        photos.append(photo)
    return photos, wrong


def _photo(table: Path, line: int, row: dict[str, Any]) -> Photo:
    words = {name: (row.get(name) or "").strip() or None for name in COLUMNS}

    def read(name: str, kind: Callable[[str], Any], such_as: str) -> Any:
        word = words[name]
        try:
            return None if word is None else kind(word)
        except ValueError:
            raise UnusablePhotos(
                f"{table}, line {line}: {word!r} is no {name}; write it as {such_as}"
            ) from None

    if words["path"] is None:
        raise UnusablePhotos(f"{table}, line {line}: its path is empty; name the photo's file")
    found = Photo(
        table.parent / words["path"],
        words["individual"],
        words["encounter"],
        read("date", _date, "2025-04-03 or 2025-04-03T12:30, not in the future"),
        words["side"],
        read("box", _box, "left top right bottom, such as 0 0 640 480"),
        words["place"],
        words["observer"],
        read("latitude", _degrees(90), "degrees between -90 and 90, such as 48.39"),
        read("longitude", _degrees(180), "degrees between -180 and 180, such as -4.49"),
    )
    if (found.latitude is None) != (found.longitude is None):
        lacks = "latitude" if found.latitude is None else "longitude"
        raise UnusablePhotos(f"{table}, line {line}: its {lacks} is empty; give both, or neither")
    return found


def _date(text: str) -> datetime:
    date = datetime.fromisoformat(text)
    # A day's grace: the camera's clock may be of any zone.
    if date.replace(tzinfo=date.tzinfo or UTC) > datetime.now(UTC) + timedelta(days=1):
        raise ValueError(text)
    return date


def _degrees(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        degrees = float(text)
        if not -most <= degrees <= most:
            raise ValueError(text)
        return degrees

    return read


def _box(text: str) -> tuple[int, int, int, int]:
    left, top, right, bottom = map(int, text.replace(",", " ").split())
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError(text)
    return left, top, right, bottom
