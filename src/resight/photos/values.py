"""Single values of a table, whatever kind of file it came from: text, boxes, degrees."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from datetime import date, datetime
from typing import Any

from resight.photos.decode import Box
from resight.photos.sound import BANDS, COLUMNS
from resight.words import counted

LONGEST_NAME = 200  # characters, as in a catalogue
BOX_SUCH_AS = "left top right bottom, such as 0 0 640 480"
BBOX_SUCH_AS = "x y width height, such as 0 0 640 480"
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")  # as half of Europe's spreadsheets write it
# What tables say of whoever has no name, without spaces and punctuation. Whole values only.
_NOBODY = frozenset(
    {
        "", "unknown", "unknownindividual", "unidentified", "notidentified", "unnamed", "newwhale",
        "newindividual", "na", "nan", "none", "null",
    }
)  # fmt: skip
_NO_LETTERS = re.compile(r"[\s_/?.\u2013\u2014-]+")  # also the dashes of word processors
# What Excel shows where a formula went wrong.
_FAULTS = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"})


def as_text(value: Any) -> str | None:
    """A value as text without spaces around it; None where it is empty or not a number.

    12.0 becomes "12", as spreadsheets keep all numbers as fractions.

    Raises:
        ValueError: a list, bytes, … or a fault of a formula.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text in _FAULTS:
            raise ValueError(text)
        return text or None
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise ValueError(value)


def as_name(value: Any) -> str | None:
    """A name: text in one line, of 200 characters at most.

    Raises:
        ValueError: it is none.
    """
    text = as_text(value)
    if text is None or (text.isascii() and text.isprintable() and len(text) <= LONGEST_NAME):
        return text
    if len(text) > LONGEST_NAME or any(
        unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text
    ):
        raise ValueError(text)
    return text


def is_nobody(name: str) -> bool:
    """Whether it is no name but says that there is none: unknown, new_whale, N/A, nan, ?, -."""
    if name in ("Na", "Nan"):  # so written it is somebody's name
        return False
    return _NO_LETTERS.sub("", name.casefold()) in _NOBODY


def of_nobody(names: Counter[str]) -> str:
    """What to tell of photos with such names; empty where there are none."""
    listed = " or ".join(map(repr, list(names)[:4]))
    return f"{counted(names.total(), 'photo')} of {listed}, that is of nobody" if names else ""


def as_box(value: Any) -> Box | None:
    """left, top, right, bottom: four numbers in text, with or without brackets, or a list.

    Fractions of pixels are rounded; what reaches over the left or upper edge by less than a
    pixel begins at it.

    Raises:
        ValueError: not four finite numbers, or nothing between them.
    """
    four = _four(value)
    return None if four is None else _box(*four)


def as_bbox(value: Any) -> Box | None:
    """x, y, width, height, as COCO and wildlife-datasets have it; see `as_box`.

    Raises:
        ValueError: as `as_box`.
    """
    four = _four(value)
    if four is None:
        return None
    x, y, width, height = four
    return _box(x, y, x + width, y + height)


def as_span(begin: Any, end: Any) -> Box:
    """The box of a part of a recording, from seconds.

    Raises:
        ValueError, TypeError: they are none, or the end does not lie behind the beginning.
    """
    return _box(_number(begin) * COLUMNS, 0, _number(end) * COLUMNS, BANDS)


def as_latitude(value: Any) -> float | None:
    """Degrees, -90 to 90.

    Raises:
        ValueError: it is none.
    """
    return _degrees(value, 90)


def as_longitude(value: Any) -> float | None:
    """Degrees, -180 to 180.

    Raises:
        ValueError: it is none.
    """
    return _degrees(value, 180)


def _four(value: Any) -> tuple[float, float, float, float] | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        text = value.strip().strip("[]()")
        if not text:
            return None
        value = text.replace(",", " ").split()
        if len(value) != 4:  # the commas may be in the numbers, not between them
            value = [word.strip(",") for word in text.split()]
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise ValueError(value)
    try:
        a, b, c, d = map(_number, value)
    except TypeError:
        raise ValueError(value) from None
    return a, b, c, d


def _number(value: Any) -> float:
    if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
        value = value.replace(",", ".")
    return float(value)


def _box(*edges: float) -> Box:
    if not all(map(math.isfinite, edges)):
        raise ValueError(edges)
    left, top, right, bottom = (0 if -1 < edge < 0 else round(edge) for edge in edges)
    if not (0 <= left < right and 0 <= top < bottom):
        raise ValueError(edges)
    return left, top, right, bottom


def _degrees(value: Any, most: float) -> float | None:
    text = as_text(value)
    if text is None:
        # "nan" in text is a slip, and says so below; an empty cell is not known.
        return None
    degrees = _number(text)
    if not -most <= degrees <= most:
        raise ValueError(text)
    return degrees
