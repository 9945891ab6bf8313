"""What a page shows of a catalogue: a few rows at a time, however many there are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.meanwhile import last_words
from resight.catalogue.store import Store, chunks
from resight.catalogue.undo import undone_ids
from resight.errors import ResightError

_AT_ONCE = 200  # photos looked through at a time, for some that nobody else has in hand


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo of the catalogue, as a page shows it.

    Attributes:
        id: its number.
        path: its file, absolute.
        content_hash: SHA-256 of the file, in hex.
        box: "left,top,right,bottom" where it is a part of a picture, else "".
        individual: the name of who is on it, or None.
        state: "in", "junk" or "gone".
        encounter_id: of its encounter, or None.
        encounter: that one's name.
        taken_at: by the camera's clock.
        side: in the catalogue's own words.
        place: where its encounter was, in words.
        latitude, longitude: degrees, WGS 84.
        last_word: number of the last decision on it, 0 for none; see `meanwhile`.
    """

    id: int
    path: Path
    content_hash: str
    box: str
    individual: str | None
    state: str
    encounter_id: int | None
    encounter: str | None
    taken_at: datetime | None
    side: str | None
    place: str | None
    latitude: float | None
    longitude: float | None
    last_word: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Photos that wait for one decision: those of an unnamed encounter, or a single one.

    Attributes:
        photos: in the order in which they came.
        put_off: whether somebody has said "later".
    """

    photos: tuple[Shown, ...]
    put_off: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are."""

    individuals: int
    photos: int
    waiting: int
    junk: int


def shown(store: Store, ids: Sequence[int], *, even_gone: bool = False) -> list[Shown]:
    """Photos by their numbers, in that order, junk included.

    Args:
        store: the open catalogue.
        ids: their numbers.
        even_gone: pass over those that are not there.

    Raises:
        ResightError: one that is not there.
    """
    with store.reading() as connection:
        found = {one.id: one for one in photos_shown(store, connection, ids)}
    missing = [i for i in ids if i not in found]
    if missing and not even_gone:
        raise ResightError(f"photo {missing[0]}: this photo is not in {store.place}")
    return [found[i] for i in ids if i in found]


def waiting(store: Store, count: int, *, skip: Collection[int] = ()) -> list[Waiting]:
    """The first that wait for a name, encounters whole; what was put off comes last.

    Args:
        store: the open catalogue.
        count: how many encounters and single photos.
        skip: photos that are in somebody's hands; with each, all of its encounter.
    """
    skipped = set(skip)
    found: list[tuple[list[int], bool]] = []
    with store.reading() as connection:
        done: set[int] = set()
        for photo, encounter, put_off in _queue(connection):
            if len(found) == count:
                break
            if photo in done:
                continue
            members = [photo] if encounter is None else _members(connection, encounter)
            done.update(members)
            if skipped.isdisjoint(members):
                found.append((members, put_off))
        rows = photos_shown(store, connection, [i for members, _ in found for i in members])
    photos = {one.id: one for one in rows}
    return [
        Waiting(tuple(photos[i] for i in members if i in photos), put_off)
        for members, put_off in found
    ]


def revision(store: Store) -> int:
    """One more with every change."""
    with store.reading() as connection:
        return connection.scalars(sa.select(schema.about.c.revision)).one()


def last_word(store: Store) -> int:
    """The number of the last decision on any photo; 0 for none."""
    with store.reading() as connection:
        return connection.scalar(sa.select(sa.func.max(schema.decisions.c.id))) or 0


def kept_files(store: Store, paths: Collection[Path]) -> set[Path]:
    """Which of these files the catalogue has a photo in."""
    kept = {store.kept_path(path): path for path in paths}
    photos = schema.photos
    found: set[Path] = set()
    with store.reading() as connection:
        for some in chunks(sorted(kept)):
            there = connection.scalars(
                sa.select(photos.c.path).where(photos.c.path.in_(some), photos.c.state != "gone")
            )
            found |= {kept[path] for path in there}
    return found


def counts(store: Store) -> Counts:
    """How many individuals and photos there are, and how many wait for a name."""
    photos, people = schema.photos, schema.individuals
    count = sa.func.count()
    with store.reading() as connection:
        states: dict[str, int] = dict(
            connection.execute(sa.select(photos.c.state, count).group_by(photos.c.state)).all()
        )
        unnamed = connection.scalar(
            sa.select(count).where(photos.c.individual_id.is_(None), photos.c.state == "in")
        )
        everybody = connection.scalar(sa.select(count).select_from(people).where(~people.c.gone))
    return Counts(everybody or 0, states.get("in", 0), unnamed or 0, states.get("junk", 0))


def names(store: Store, part: str = "", *, count: int = 20) -> list[str]:
    """Names that have this in them, whatever the capitals; those that begin so first."""
    people = schema.individuals
    plain = part.casefold()
    with store.reading() as connection:
        everybody = connection.scalars(sa.select(people.c.name).where(~people.c.gone)).all()
    found = [name for name in everybody if plain in name.casefold()]
    found.sort(key=lambda name: (not name.casefold().startswith(plain), natural(name)))
    return found[:count]


def natural(name: str) -> tuple[Any, ...]:
    """A key that puts "whale 9" before "whale 10", whatever the capitals."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
        for part in re.split(r"(\d+)", name)
    )


def suggested_name(store: Store) -> str:
    """A free name for somebody new, after the pattern of the names that are there."""
    people = schema.individuals
    with store.reading() as connection:
        taken = set(connection.scalars(sa.select(people.c.name).where(~people.c.gone)))
    numbered = [m for name in taken if (m := re.fullmatch(r"(.*?)(\d{1,9})", name, re.DOTALL))]
    word, wide, number = "New ", 1, 0
    if len(numbered) * 2 >= max(1, len(taken)):
        word = Counter(m[1] for m in numbered).most_common(1)[0][0]
        mine = [m[2] for m in numbered if m[1] == word]
        number = max(map(int, mine))
        wide = min(map(len, mine)) if any(one.startswith("0") for one in mine) else 1
    while (name := f"{word}{number + 1:0{wide}}") in taken:
        number += 1
    return name[: schema.LONGEST_NAME]


def last_action(store: Store, who: str) -> tuple[int, str, str] | None:
    """The last thing that somebody did and that still stands: number, verb and summary."""
    actions = schema.actions
    with store.reading() as connection:
        row = connection.execute(
            sa.select(actions.c.id, actions.c.verb, actions.c.summary)
            .where(
                actions.c.who == who,
                actions.c.undoes.is_(None),
                actions.c.id.not_in(undone_ids()),
            )
            .order_by(actions.c.id.desc())
            .limit(1)
        ).first()
    return None if row is None else (row.id, row.verb, row.summary)


def _queue(connection: sa.Connection) -> Iterator[tuple[int, int | None, bool]]:
    """Photo, encounter, and whether it was put off, for all that wait, in order."""
    photos, said = schema.photos, schema.decisions
    mine = (photos.c.individual_id.is_(None), photos.c.state == "in")
    stands = sa.or_(said.c.action_id.is_(None), said.c.action_id.not_in(undone_ids()))
    put_off = (
        sa.select(sa.func.max(said.c.id).label("last"), said.c.photo_id)
        .where(said.c.what == "later", stands)
        .group_by(said.c.photo_id)
        .subquery()
    )
    rows = sa.select(photos.c.id, photos.c.encounter_id)
    after = 0
    while True:
        some = connection.execute(
            rows.where(
                *mine,
                photos.c.id > after,
                ~sa.exists().where(said.c.photo_id == photos.c.id, said.c.what == "later", stands),
            )
            .order_by(photos.c.id)
            .limit(_AT_ONCE)
        ).all()
        yield from ((photo, encounter, False) for photo, encounter in some)
        if len(some) < _AT_ONCE:
            break
        after = some[-1][0]
    for photo, encounter in connection.execute(
        rows.join(put_off, put_off.c.photo_id == photos.c.id).where(*mine).order_by(put_off.c.last)
    ).all():
        yield photo, encounter, True


def _members(connection: sa.Connection, encounter: int) -> list[int]:
    photos = schema.photos
    return list(
        connection.scalars(
            sa.select(photos.c.id)
            .where(photos.c.encounter_id == encounter, photos.c.state == "in")
            .order_by(photos.c.id)
        )
    )


def photos_shown(store: Store, connection: sa.Connection, ids: Sequence[int]) -> list[Shown]:
    """Those of these photos that are there, in no order, where a transaction is open already."""
    people, photos, meetings = schema.individuals, schema.photos, schema.encounters
    found = []
    for some in chunks(ids):
        words = last_words(connection, some)
        for row in connection.execute(
            sa.select(
                *photos.c["id", "path", "content_hash", "box", "state", "encounter_id"],
                *photos.c["taken_at", "side"],
                people.c.name,
                meetings.c.name.label("encounter"),
                *meetings.c["place", "latitude", "longitude"],
            )
            .outerjoin(people, people.c.id == photos.c.individual_id)
            .outerjoin(meetings, meetings.c.id == photos.c.encounter_id)
            .where(photos.c.id.in_(some), photos.c.state != "gone")
        ):
            found.append(
                Shown(
                    row.id,
                    store.whole_path(row.path),
                    row.content_hash,
                    row.box,
                    row.name,
                    row.state,
                    row.encounter_id,
                    row.encounter,
                    row.taken_at,
                    row.side,
                    row.place,
                    row.latitude,
                    row.longitude,
                    words[row.id],
                )
            )
    return found
