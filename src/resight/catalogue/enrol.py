"""Enrolling: a photo gets its name. All photos of one call, or none of them."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.checks import checked_name, checked_path, content_hash, none_readable
from resight.catalogue.search import Rows, Vectors
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.photo import Photo

# Paths in; out come float32 (m, dim), the m places of those that could be read, and the errors.
Fingerprint = Callable[[list[Path]], tuple[Vectors, Rows, Sequence[UnreadablePhoto]]]
Key = tuple[str, str]  # content hash and box: what makes a photo this photo


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What an enrolment did.

    Attributes:
        individuals: whose photos they were, each name once, in the order given.
        added: how many photos are new in the catalogue.
        already: how many were there before, under the same name.
        unreadable: the errors of the others; each names its file and says why.
    """

    individuals: tuple[str, ...]
    added: int
    already: int
    unreadable: tuple[UnreadablePhoto, ...] = ()

    @property
    def individual(self) -> str:
        """The name, where there is only one."""
        (name,) = self.individuals
        return name


def enrol(
    store: Store,
    model_id: str,
    photos: Sequence[Photo],
    *,
    vectors: Vectors | None,
    fingerprint: Fingerprint,
) -> Enrolled:
    """Write photos, their fingerprints and the decision to name them so into the catalogue.

    Args:
        store: the open catalogue.
        model_id: of the model that makes the fingerprints.
        photos: each with its individual's name.
        vectors: float32 (n, dim) unit vectors of the photos, checked; or None to make them.
        fingerprint: makes them; asked only for photos that are not there yet.

    Raises:
        UnreadablePhoto: the only photo cannot be read.
        ResightError: none can be read, a name that cannot be one, or a photo that is enrolled
            under another name. Nothing has been written then.
    """
    photos = [_checked(photo) for photo in photos]
    if not photos:
        raise none_readable([], 0)
    keys, unreadable = _keys(photos)
    with store.reading() as connection:
        known = _names(connection, keys.values())
    first: dict[Key, int] = {}
    for place, key in keys.items():
        _same_name(photos[place], known.get(key))
        _same_name(photos[place], photos[first.setdefault(key, place)].individual)
    fresh = [place for key, place in first.items() if key not in known]
    if vectors is not None:
        made = vectors[fresh]
    elif fresh:
        made, places, errors = fingerprint([photos[place].path for place in fresh])
        unreadable += errors
        fresh = [fresh[place] for place in places.tolist()]
    good = known.keys() | {keys[place] for place in fresh}
    readable = [place for place, key in keys.items() if key in good]
    if not readable:
        raise none_readable(unreadable, len(photos))
    added = 0
    if fresh:
        with store.writing() as connection:
            # Others may have written while the fingerprints were made.
            known = _names(connection, [keys[place] for place in fresh])
            for place in fresh:
                _same_name(photos[place], known.get(keys[place]))
            new = [row for row, place in enumerate(fresh) if keys[place] not in known]
            added = len(new)
            some = [photos[fresh[row]] for row in new]
            _write(store, connection, model_id, some, [keys[fresh[row]] for row in new], made[new])
    return Enrolled(
        tuple(dict.fromkeys(str(photos[place].individual) for place in readable)),
        added,
        len(readable) - added,
        tuple(unreadable),
    )


def photo_ids(store: Store, hashes: Sequence[str]) -> dict[str, list[int]]:
    """The ids of the photos with these contents."""
    photos = schema.photos
    found: dict[str, list[int]] = {}
    with store.reading() as connection:
        for some in chunks(hashes):
            for key, photo_id in connection.execute(
                sa.select(photos.c.content_hash, photos.c.id)
                .where(photos.c.content_hash.in_(some))
                .order_by(photos.c.id)
            ):
                found.setdefault(key, []).append(photo_id)
    return found


def _checked(photo: Photo) -> Photo:
    if photo.individual is None:
        raise ResightError(f"{photo.path}: whose photo is it? Enrolling needs a name")
    encounter = photo.encounter
    return replace(
        photo,
        individual=checked_name(photo.individual),
        encounter=encounter and checked_name(encounter, "an encounter's name"),
    )


def _keys(photos: Sequence[Photo]) -> tuple[dict[int, Key], list[UnreadablePhoto]]:
    keys: dict[int, Key] = {}
    unreadable = []
    for place, photo in enumerate(photos):
        try:
            checked_path(photo.path)
            hashed = content_hash(photo.path)
        except UnreadablePhoto as error:
            unreadable.append(error)
        else:
            keys[place] = (hashed, ",".join(map(str, photo.box)) if photo.box else "")
    return keys, unreadable


def _same_name(photo: Photo, other: str | None) -> None:
    if other is not None and other != photo.individual:
        raise ResightError(
            f"{photo.path}: this photo is enrolled as {other!r}, so it cannot also be "
            f"{photo.individual!r}; nothing was enrolled"
        )


def _names(connection: sa.Connection, keys: Any) -> dict[Key, str]:
    """Under which names those of the photos are enrolled that are."""
    photos, individuals = schema.photos, schema.individuals
    found: dict[Key, str] = {}
    for some in chunks(sorted({hashed for hashed, _ in keys})):
        for hashed, box, name in connection.execute(
            sa.select(photos.c.content_hash, photos.c.box, individuals.c.name)
            .join(individuals, individuals.c.id == photos.c.individual_id)
            .where(photos.c.content_hash.in_(some))
        ):
            found[hashed, box] = name
    return found


def _write(
    store: Store,
    connection: sa.Connection,
    model_id: str,
    photos: Sequence[Photo],
    keys: Sequence[Key],
    vectors: Vectors,
) -> None:
    if not photos:
        return
    now = datetime.now(UTC)
    who = _who()
    individuals = _individual_ids(connection, [str(photo.individual) for photo in photos], now)
    encounters = _encounter_ids(
        connection,
        [(individuals[str(p.individual)], p.encounter) for p in photos if p.encounter],
    )
    rows = []
    for photo, (hashed, box) in zip(photos, keys, strict=True):
        individual_id = individuals[str(photo.individual)]
        rows.append(
            {
                "content_hash": hashed,
                "box": box,
                "path": store.kept_path(photo.path),
                "individual_id": individual_id,
                "encounter_id": encounters.get((individual_id, photo.encounter or "")),
                "taken_at": photo.date and photo.date.replace(tzinfo=None),
                "side": photo.side,
                "added_at": now,
            }
        )
    ids = connection.scalars(
        sa.insert(schema.photos).returning(schema.photos.c.id, sort_by_parameter_order=True), rows
    ).all()
    dim = vectors.shape[1]
    connection.execute(
        sa.insert(schema.fingerprints),
        [
            {"photo_id": i, "model_id": model_id, "dim": dim, "vector": vector.tobytes()}
            for i, vector in zip(ids, vectors.astype("<f4", copy=False), strict=True)
        ],
    )
    connection.execute(
        sa.insert(schema.decisions),
        [
            {
                "at": now,
                "who": who,
                "what": "enrol",
                "photo_id": i,
                "individual_id": row["individual_id"],
            }
            for i, row in zip(ids, rows, strict=True)
        ],
    )


def _individual_ids(
    connection: sa.Connection, names: Sequence[str], now: datetime
) -> dict[str, int]:
    table = schema.individuals
    wanted = list(dict.fromkeys(names))
    found: dict[str, int] = {}
    for some in chunks(wanted):
        rows = connection.execute(sa.select(table.c.name, table.c.id).where(table.c.name.in_(some)))
        found |= {row.name: row.id for row in rows}
    missing = [name for name in wanted if name not in found]
    if missing:
        ids = connection.scalars(
            sa.insert(table).returning(table.c.id, sort_by_parameter_order=True),
            [{"name": name, "added_at": now} for name in missing],
        )
        found |= dict(zip(missing, ids, strict=True))
    return found


def _encounter_ids(
    connection: sa.Connection, wanted: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], int]:
    table = schema.encounters
    found: dict[tuple[int, str], int] = {}
    for some in chunks(sorted({individual for individual, _ in wanted})):
        for individual, name, i in connection.execute(
            sa.select(table.c.individual_id, table.c.name, table.c.id).where(
                table.c.individual_id.in_(some)
            )
        ):
            found[individual, name] = i
    missing = [key for key in dict.fromkeys(wanted) if key not in found]
    if missing:
        ids = connection.scalars(
            sa.insert(table).returning(table.c.id, sort_by_parameter_order=True),
            [{"individual_id": individual, "name": name} for individual, name in missing],
        )
        found |= dict(zip(missing, ids, strict=True))
    return found


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
