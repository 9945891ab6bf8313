"""Photos on their way into a catalogue: checked, recognised by their bytes, fingerprinted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import bulk, schema
from resight.catalogue.checks import (
    checked_box,
    checked_name,
    checked_path,
    checked_place,
    checked_side,
    checked_text,
)
from resight.catalogue.journal import insert_rows
from resight.catalogue.own_model import check_in_use
from resight.catalogue.refs import kept_box
from resight.catalogue.search import Rows, Vectors
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.photo import Photo
from resight.photos.stream import progress_bar

# Photos in, and what to call with each number done (or False); out come float32 (m, dim), the m
# places of those that could be read, and the errors.
Fingerprint = Callable[
    [list[Photo], bool | Callable[[int], None]], tuple[Vectors, Rows, Sequence[UnreadablePhoto]]
]
Key = tuple[str, str]  # content hash and box: what makes a photo this photo

STAGED = 1024  # fingerprints that are made before they are put away


@dataclass(slots=True)
class Incoming:
    """A photo on its way in: its key, its row if it has one, its fingerprint if it was made."""

    photo: Photo
    key: Key
    row: Any = None
    vector: Any = None
    explicit: bool = False  # its encounter's name was given, not made of the day and the place


def checked_photo(photo: Photo) -> Photo:
    """A photo with its words as they are kept.

    Raises:
        ResightError: a word that cannot be one, or degrees that are nowhere on Earth.
    """
    checked_place(photo.latitude, photo.longitude)
    place = photo.place and checked_text(photo.place, "a place")
    encounter = photo.encounter
    if not encounter and (place or photo.observer or photo.latitude is not None):
        # What is known of the place and the observer is kept with an encounter; so there is one.
        encounter = encounter_name(photo.date, place)
    return replace(
        photo,
        individual=None if photo.individual is None else checked_name(photo.individual),
        encounter=encounter and checked_name(encounter, "an encounter's name"),
        side=photo.side and checked_side(photo.side),
        box=photo.box and checked_box(photo.box),
        place=place,
        observer=photo.observer and checked_name(photo.observer, "an observer's name"),
    )


def encounter_name(date: datetime | None, place: str | None) -> str:
    """What an encounter is called that nobody gave a name: its day and place."""
    day = date.date().isoformat() if date else ""
    return f"{day} {place or ''}".strip()[: schema.LONGEST_NAME] or "unnamed"


def photo_keys(photos: Sequence[Photo]) -> tuple[dict[int, Key], list[UnreadablePhoto]]:
    """The keys of the photos that can be read, by their places, and the others' errors."""
    keys: dict[int, Key] = {}
    unreadable = []
    for place, photo in enumerate(photos):
        try:
            checked_path(photo.path)
            hashed = content_hash(photo.path)
        except UnreadablePhoto as error:
            unreadable.append(error)
        else:
            keys[place] = (hashed, kept_box(photo))
    return keys, unreadable


def same_name(photo: Photo, other: str | None) -> None:
    """Refuse a photo that has another name already.

    Raises:
        ResightError: that.
    """
    if None not in (other, photo.individual) and other != photo.individual:
        raise ResightError(
            f"{photo.path}: this photo is enrolled as {other!r}, so it cannot also be "
            f"{photo.individual!r}; nothing was enrolled (to move it: resight move)"
        )


def look_up(
    connection: sa.Connection, model_id: str, some: dict[Key, Incoming], even_junk: bool
) -> list[Path]:
    """Note the rows of photos that are there; gives, and leaves out, junk to be passed over."""
    photos, individuals, prints = schema.photos, schema.individuals, schema.fingerprints
    meetings = schema.encounters
    wanted = (
        sa.select(
            photos.c.id,
            photos.c.content_hash,
            photos.c.box,
            photos.c.path,
            photos.c.state,
            photos.c.taken_at,
            photos.c.side,
            photos.c.individual_id,
            photos.c.encounter_id,
            meetings.c.name.label("encounter"),
            *meetings.c["began_at", "place", "observer", "latitude", "longitude"],
            individuals.c.name,
            prints.c.id.label("fingerprint_id"),
        )
        .outerjoin(individuals, individuals.c.id == photos.c.individual_id)
        .outerjoin(meetings, meetings.c.id == photos.c.encounter_id)
        .outerjoin(prints, sa.and_(prints.c.photo_id == photos.c.id, prints.c.model_id == model_id))
    )
    for part in chunks(sorted({hashed for hashed, _ in some})):
        for row in connection.execute(wanted.where(photos.c.content_hash.in_(part))):
            if (row.content_hash, row.box) in some:
                some[row.content_hash, row.box].row = row
    junk = []
    for key, one in list(some.items()):
        if one.row is None or one.row.state == "gone":
            continue
        if one.row.state == "in" or even_junk:
            same_name(one.photo, one.row.name)
        elif one.photo.individual is not None:
            raise ResightError(
                f"{one.photo.path}: somebody has said that this photo is junk; nothing was "
                "enrolled (to take that back: resight junk --back)"
            )
        else:
            junk.append(some.pop(key).photo.path)
    return junk


def make_fingerprints(
    store: Store,
    model_id: str,
    some: dict[Key, Incoming],
    fingerprint: Fingerprint,
    *,
    progress: bool = False,
) -> list[UnreadablePhoto]:
    """Make the fingerprints that are missing, and leave out photos that cannot be read.

    When they are many, they are put away as they come, on rows of photos that are not in the
    catalogue yet: memory stays small, and a call that is killed need not begin at the beginning.
    """
    missing = [
        one
        for one in some.values()
        if one.row is None or (one.row.state != "in" and one.row.fingerprint_id is None)
    ]
    unreadable: list[UnreadablePhoto] = []
    # One bar for all of them.
    bar = progress_bar("Fingerprinting", len(missing)) if progress else nullcontext(False)
    with bar as advance:
        for start in range(0, len(missing), STAGED):
            block = missing[start : start + STAGED]
            vectors, places, errors = fingerprint([one.photo for one in block], advance)
            unreadable += errors
            good = [block[place] for place in places.tolist()]
            for one, vector in zip(good, vectors, strict=True):
                one.vector = vector
            for one in block:
                if one.vector is None:
                    del some[one.key]
            if len(missing) > STAGED:
                with store.writing() as connection:
                    check_in_use(connection, store, model_id)
                    look_up(connection, model_id, {one.key: one for one in good}, even_junk=True)
                    _stage(store, connection, model_id, good)
    return unreadable


def _stage(
    store: Store, connection: sa.Connection, model_id: str, some: Sequence[Incoming]
) -> None:
    new = [one for one in some if one.row is None]
    common = {
        "state": "gone",
        "added_at": datetime.now(UTC),
        "changed": 1 + connection.scalars(sa.select(schema.about.c.revision)).one(),
    }
    rows = [facts(store, one) | common for one in new]
    ids = insert_rows(connection, schema.photos, rows) if rows else []
    keep_fingerprints(connection, model_id, dict(zip(ids, new, strict=True)))
    bare = [one for one in some if one.row is not None and one.row.fingerprint_id is None]
    keep_fingerprints(connection, model_id, {one.row.id: one for one in bare})
    for one in some:
        one.vector = None


def facts(store: Store, one: Incoming) -> dict[str, Any]:
    """What a photo's row says of it that does not depend on whose it is."""
    photo = one.photo
    return {
        "content_hash": one.key[0],
        "box": one.key[1],
        "path": store.kept_path(photo.path),
        "taken_at": photo.date and photo.date.replace(tzinfo=None),
        "side": photo.side,
    }


def keep_fingerprints(
    connection: sa.Connection, model_id: str, some: Mapping[int, Incoming]
) -> None:
    """Write the fingerprints of photos, given by the ids of their rows."""
    if bulk.worth_it(connection, list(some)):
        vectors = np.stack([one.vector for one in some.values()])
        bulk.copy_fingerprints(connection, model_id, list(some), vectors)
    elif some:
        connection.execute(
            sa.insert(schema.fingerprints),
            [
                {
                    "photo_id": photo_id,
                    "model_id": model_id,
                    "dim": len(one.vector),
                    "vector": one.vector.astype("<f4", copy=False).tobytes(),
                }
                for photo_id, one in some.items()
            ],
        )
