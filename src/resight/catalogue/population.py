"""From a catalogue to a population: who was seen when, how the list of the known grows, and a first
estimate of how many there are.

An individual was seen on an occasion when one of its photos was taken then. The camera's clock
counts (`taken_at`); a photo without it takes the beginning of its encounter, in UTC.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.chapman import Chapman, chapman
from resight.catalogue.checks import checked_side
from resight.catalogue.store import Store
from resight.catalogue.where import check_side
from resight.errors import ResightError

Period = Literal["day", "week", "month", "year"]
PERIODS: tuple[Period, ...] = ("day", "week", "month", "year")


@dataclass(frozen=True, slots=True)
class Sighting:
    """An individual on one day.

    Attributes:
        day: the date.
        individual: its name.
        photos: how many of them.
        encounters: how many; photos without an encounter are one together.
    """

    day: date
    individual: str
    photos: int
    encounters: int


@dataclass(frozen=True, slots=True)
class Sightings:
    """Who was seen on which day, by day and then in the order in which individuals came.

    Attributes:
        sightings: one for each individual and day.
        undated: how many photos with a name have no date, and so count nowhere.
    """

    sightings: tuple[Sighting, ...]
    undated: int


@dataclass(frozen=True, slots=True)
class Occasion:
    """A time at which animals were looked for.

    Attributes:
        name: in words, such as "2025-04" or "2025-W14".
        first: its first day.
        last: its last day; None for the last of given dates, which has no end.
    """

    name: str
    first: date
    last: date | None


@dataclass(frozen=True, eq=False)
class Histories:
    """Encounter histories.

    Attributes:
        individuals: n names, in the order of their first sighting.
        occasions: k, in time.
        seen: bool (n, k), whether the individual was seen then.
        outside: how many photos lie before the first of the given dates.
        undated: how many photos have no date.
    """

    individuals: tuple[str, ...]
    occasions: tuple[Occasion, ...]
    seen: npt.NDArray[np.bool_]
    outside: int
    undated: int


def sightings(store: Store, *, side: str | None = None) -> Sightings:
    """Who was seen on which day; only photos that are in the catalogue and have a name.

    Args:
        store: the open catalogue.
        side: count only photos of this side, where left and right cannot be told to be one.

    Raises:
        ResightError: no photo with a name and a date.
    """
    photos, people, encounters = schema.photos, schema.individuals, schema.encounters
    query = (
        sa.select(people.c.id, people.c.name, photos.c.taken_at, encounters.c.began_at,
                  photos.c.encounter_id, photos.c.side)
        .join(people, people.c.id == photos.c.individual_id)
        .outerjoin(encounters, encounters.c.id == photos.c.encounter_id)
        .where(photos.c.state == "in", ~people.c.gone)
        .order_by(photos.c.id)
        .execution_options(yield_per=10_000)
    )  # fmt: skip
    wanted = None if side is None else checked_side(side).casefold()
    taken: Counter[tuple[date, int]] = Counter()
    met: dict[tuple[date, int], set[int | None]] = {}
    names: dict[int, str] = {}
    undated = 0
    with store.reading() as connection:
        for number, name, taken_at, began_at, encounter, shown in connection.execute(query):
            # Compared here: SQLite's lower() knows no letters beyond ASCII.
            if wanted is not None and (shown or "").casefold() != wanted:
                continue
            moment = taken_at or (began_at and began_at.astimezone(UTC))
            if moment is None:
                undated += 1
                continue
            names[number] = name
            taken[moment.date(), number] += 1
            met.setdefault((moment.date(), number), set()).add(encounter)
    if not taken:
        if side is not None and not undated:
            check_side(store, side)
        which = f" of the side {side!r}" if side else ""
        raise ResightError(
            f"{store.place}: no photo{which} has both a name and a date, so nobody was seen at any "
            "time; give photos dates or encounters their beginnings"
        )
    found = [
        Sighting(day, names[number], taken[day, number], len(met[day, number]))
        for day, number in sorted(taken)
    ]
    return Sightings(tuple(found), undated)


def histories(
    seen: Sightings, *, by: Period = "year", starts: Sequence[date] | None = None
) -> Histories:
    """Who was seen on which occasion.

    Args:
        seen: from `sightings`.
        by: an occasion is a day, a week (Monday to Sunday, ISO 8601), a month or a year; those on
            which nobody was seen are left out, since nobody says that anyone looked.
        starts: instead, the first day of each occasion; each lasts to the day before the next, the
            last has no end. All of them stay, seen or not.

    Raises:
        ResightError: dates out of order, or nobody seen on any of them.
    """
    if starts is not None:
        if not starts or any(b <= a for a, b in pairwise(starts)):
            raise ResightError("the first days of occasions come in order, each once")
        lasts = [day - timedelta(days=1) for day in starts[1:]]
        occasions = [
            Occasion(first.isoformat(), first, last)
            for first, last in zip(starts, [*lasts, None], strict=True)
        ]
    elif by in PERIODS:
        occasions = sorted({_period(s.day, by) for s in seen.sightings}, key=lambda o: o.first)
    else:
        raise ResightError(f"{by!r} is no length of an occasion; choose {', '.join(PERIODS)}")
    firsts = [occasion.first for occasion in occasions]
    columns = [bisect_right(firsts, s.day) - 1 for s in seen.sightings]
    within = [(s, column) for s, column in zip(seen.sightings, columns, strict=True) if column >= 0]
    if not within:
        raise ResightError("nobody was seen on any of these occasions; give earlier dates")
    rows = {name: row for row, name in enumerate(dict.fromkeys(s.individual for s, _ in within))}
    table = np.zeros((len(rows), len(occasions)), np.bool_)
    for sighting, column in within:
        table[rows[sighting.individual], column] = True
    outside = sum(s.photos for s, column in zip(seen.sightings, columns, strict=True) if column < 0)
    return Histories(tuple(rows), tuple(occasions), table, outside, seen.undated)


def discovery(seen: Sightings) -> list[tuple[date, int, int, int]]:
    """How the list of the known grew: day, and up to its end photos, encounters and individuals."""
    known: set[str] = set()
    photos = encounters = 0
    curve: dict[date, tuple[date, int, int, int]] = {}
    for sighting in seen.sightings:
        known.add(sighting.individual)
        photos += sighting.photos
        encounters += sighting.encounters
        curve[sighting.day] = (sighting.day, photos, encounters, len(known))
    return list(curve.values())


def estimates(who: Histories, *, level: float = 0.95) -> list[Chapman | str]:
    """Chapman's estimate from each occasion and the next, or in words why there is none.

    Raises:
        ResightError: there is only one occasion, or nobody was seen on two in a row.
    """
    if len(who.occasions) < 2:
        raise ResightError(
            f"all photos are of one occasion, {who.occasions[0].name}, and an estimate takes two; "
            "take shorter occasions, or wait for the next"
        )
    found: list[Chapman | str] = []
    for one, other in pairwise(who.seen.T):
        try:
            found.append(
                chapman(int(one.sum()), int(other.sum()), int((one & other).sum()), level=level)
            )
        except ResightError as error:
            found.append(str(error))
    if not any(isinstance(one, Chapman) for one in found):
        raise ResightError(
            f"of {len(who.occasions)} occasions no two in a row saw the same individual: without "
            "recaptures there is no estimate; take longer occasions, or more photos"
        )
    return found


def _period(day: date, by: Period) -> Occasion:
    if by == "day":
        return Occasion(day.isoformat(), day, day)
    if by == "week":
        year, week, weekday = day.isocalendar()
        first = day - timedelta(days=weekday - 1)
        return Occasion(f"{year}-W{week:02d}", first, first + timedelta(days=6))
    if by == "month":
        first = day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        return Occasion(f"{day:%Y-%m}", first, after - timedelta(days=1))
    return Occasion(f"{day.year:04d}", date(day.year, 1, 1), date(day.year, 12, 31))
