"""The photos that `group` works on, and what people have decided of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.describe import settings_in
from resight.catalogue.linkage import Clusters
from resight.catalogue.parts import exclude
from resight.catalogue.search import Rows, Vectors
from resight.catalogue.store import Store
from resight.errors import UnusableCatalogue

READ_AT_ONCE = 10_000
PEOPLE = schema.individuals
IN = schema.photos.c.state == "in"


class Row(NamedTuple):
    """What is known of a photo."""

    id: int
    content_hash: str
    box: str
    path: str
    individual_id: int | None
    encounter_id: int | None
    taken_at: datetime | None
    side: str | None


@dataclass(frozen=True, eq=False)
class Pool:
    """Photos in the order of their content, which no order of adding changes.

    Attributes:
        rows: n of them.
        vectors: float32 (n, dim), unit length.
    """

    rows: list[Row]
    vectors: Vectors

    def owners(self) -> Rows:
        """int64 (n,): whose photo each is, -1 where nobody knows."""
        return np.array([row.individual_id or -1 for row in self.rows], np.int64)

    def together(self, key: Callable[[Row], Any]) -> list[list[int]]:
        """The places of the rows that share a key other than None."""
        found: dict[Any, list[int]] = {}
        for place, row in enumerate(self.rows):
            if (value := key(row)) is not None:
                found.setdefault(value, []).append(place)
        return [places for places in found.values() if len(places) > 1]


def fingerprinted(model_id: str, condition: Any) -> sa.Select[Any]:
    """Asks for the photos in the catalogue that have a fingerprint of the model."""
    photos, fingerprints = schema.photos, schema.fingerprints
    return (
        sa.select(
            *photos.c["id", "content_hash", "box", "path", "individual_id"],
            *photos.c["encounter_id", "taken_at", "side"],
            fingerprints.c.vector,
        )
        .join(fingerprints, fingerprints.c.photo_id == photos.c.id)
        .outerjoin(PEOPLE, PEOPLE.c.id == photos.c.individual_id)
        .where(fingerprints.c.model_id == model_id, IN, condition)
        .where(photos.c.individual_id.is_(None) | ~PEOPLE.c.gone)
        .order_by(photos.c.content_hash, photos.c.box)
        .execution_options(yield_per=READ_AT_ONCE)
    )


def _batches(
    connection: sa.Connection, store: Store, dim: int, query: sa.Select[Any]
) -> Iterator[tuple[list[Any], Vectors]]:
    for rows in connection.execute(query).partitions():
        blob = b"".join(row.vector for row in rows if len(row.vector) == 4 * dim)
        vectors = np.frombuffer(blob, "<f4").astype(np.float32, copy=False).reshape(-1, dim)
        sound = np.abs(np.einsum("nd,nd->n", vectors, vectors) - 1) < 1e-3  # NaN is not
        if len(vectors) != len(rows) or not sound.all():
            raise UnusableCatalogue(
                f"{store.place}: is damaged: a fingerprint is not {dim} numbers of unit length; "
                "take your backup"
            )
        yield [Row(*row[:-1]) for row in rows], vectors


def read_pool(connection: sa.Connection, store: Store, dim: int, query: sa.Select[Any]) -> Pool:
    """What a query of `fingerprinted` finds.

    Raises:
        UnusableCatalogue: a fingerprint that is damaged.
    """
    rows: list[Row] = []
    parts = [np.empty((0, dim), np.float32)]
    for some, vectors in _batches(connection, store, dim, query):
        rows += some
        parts.append(vectors)
    return Pool(rows, np.concatenate(parts))


def near_individuals(
    connection: sa.Connection,
    store: Store,
    dim: int,
    query: sa.Select[Any],
    vectors: Vectors,
    threshold: float,
) -> set[int]:
    """Whoever has a photo so near to one of the vectors that they may come together."""
    bar = 1 - threshold - 1e-4  # a little more does no harm
    near: set[int] = set()
    for rows, theirs in _batches(connection, store, dim, query):
        best = np.full(len(rows), -np.inf, np.float32)
        for start in range(0, len(vectors), 2000):
            np.maximum(best, (theirs @ vectors[start : start + 2000].T).max(axis=1), out=best)
        near.update(rows[place].individual_id or 0 for place in np.flatnonzero(best >= bar))
    return near


def decided_clusters(
    connection: sa.Connection, photos: Pool, *, blind: bool = False
) -> tuple[Clusters, int]:
    """The photos with all that people have decided of them, and how many encounters clash.

    `blind` leaves out whose they are, and the 'no's; photos that one individual has of one
    encounter or one day are then put together, since they are near-copies.
    """
    place = {row.id: number for number, row in enumerate(photos.rows)}
    pairs = [] if blind else _said_apart(connection, photos, place)
    differ = settings_in(connection)["sides_differ"]
    sides = [(row.side or "").strip().casefold() if differ else "" for row in photos.rows]
    kinds = sorted({*sides} - {""})
    # A whole picture and a part of it may show one individual; two parts never do, of a photo.
    pictures: dict[str, int] = {}
    cut_from = [
        row.content_hash
        if row.box and exclude(row.path)
        else f"{row.content_hash}, {row.box or 'whole'}"
        for row in photos.rows
    ]
    clusters = Clusters(
        photos.vectors,
        apart=pairs,
        pictures=np.array(
            [pictures.setdefault(picture, len(pictures)) for picture in cut_from], np.int64
        ),
        owners=None if blind else photos.owners(),
        sides=np.array([kinds.index(side) if side else -1 for side in sides], np.int64),
    )
    if blind:
        keys: list[Callable[[Row], Any]] = [
            lambda row: row.encounter_id and (row.individual_id, row.encounter_id),
            lambda row: row.taken_at and (row.individual_id, row.taken_at.date()),
        ]
    else:
        keys = [lambda row: row.individual_id, lambda row: row.encounter_id]
    clashes = [sum(not clusters.join(rows) for rows in photos.together(key)) for key in keys]
    return clusters, clashes[-1]


def _said_apart(
    connection: sa.Connection, photos: Pool, place: dict[int, int]
) -> list[tuple[int, int]]:
    """The places of rows that people have said are not the same.

    For a photo that is not among them, such as one that became junk, stands one of its individual:
    all of an individual are together.
    """
    whose: dict[int, int] = {}
    for number, row in enumerate(photos.rows):
        if row.individual_id is not None:
            whose.setdefault(row.individual_id, number)
    table = schema.not_same
    one, other = schema.photos.alias("one"), schema.photos.alias("other")
    found = []
    for a, owner_a, b, owner_b in connection.execute(
        sa.select(one.c.id, one.c.individual_id, other.c.id, other.c.individual_id)
        .select_from(table)
        .join(one, one.c.id == table.c.first_photo_id)
        .join(other, other.c.id == table.c.second_photo_id)
        .where(~table.c.gone, one.c.state != "gone", other.c.state != "gone")
    ):
        here, there = place.get(a, whose.get(owner_a)), place.get(b, whose.get(owner_b))
        if here is not None and there is not None and here != there:
            found.append((here, there))
    return found
