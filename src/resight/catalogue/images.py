"""The images that the journal keeps: which rows, and what their columns held before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema

# What a row looks like where it is not, and where it is: all that an insertion needs to write down.
HIDDEN: dict[str, dict[str, Any]] = {
    "individuals": {"gone": True},
    "encounters": {"gone": True},
    "not_same": {"gone": True},
    "photos": {"state": "gone"},
}
SHOWN: dict[str, dict[str, Any]] = {
    "individuals": {"gone": False},
    "encounters": {"gone": False},
    "not_same": {"gone": False},
    "photos": {"state": "in"},
}


def runs(ids: Sequence[int]) -> list[list[int]]:
    """Ascending ids as [first, last] runs: 3, 4, 5, 9 are [[3, 5], [9, 9]]."""
    ends = [place for place, (a, b) in enumerate(pairwise(ids), 1) if b != a + 1]
    bounds = [0, *ends, len(ids)] if ids else []
    return [[ids[start], ids[end - 1]] for start, end in pairwise(bounds)]


def unrolled(spans: Iterable[Sequence[int]]) -> list[int]:
    """The ids of runs, ascending."""
    return [i for first, last in spans for i in range(first, last + 1)]


def spread(value: Any, count: int) -> list[Any]:
    """One value for each of `count` rows, from one for all or a list with one for each."""
    return value if isinstance(value, list) else [value] * count


def from_json(table: sa.Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `before` or `after`, as the columns' types have them."""

    def whole(name: str, value: Any) -> Any:
        if not isinstance(table.c[name].type, schema.UtcDateTime | sa.DateTime):
            return value
        if isinstance(value, list):
            return [one and datetime.fromisoformat(one) for one in value]
        return value and datetime.fromisoformat(value)

    return {name: whole(name, value) for name, value in values.items()}


def to_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """The other way round: what JSON can hold."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(one) for one in value]
        return value.isoformat() if isinstance(value, datetime) else value

    return {name: plain(value) for name, value in values.items()}


def compact(values: list[Any]) -> Any:
    """One value where all are equal."""
    return values[0] if all(value == values[0] for value in values) else values
