"""All fingerprints of a catalogue with their photos' numbers, named or not: what a map shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.gallery import Gallery, Mask, Rows
from resight.catalogue.store import Store
from resight.catalogue.vectors_file import Vectors

_STIR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / the golden ratio (Knuth, TAOCP 3, 6.4)


@dataclass(frozen=True, eq=False)
class Prints:
    """Photos that are in the catalogue and have a fingerprint of the model in use.

    Attributes:
        photos: int64 (n,), their numbers, ascending.
        individuals: int64 (n,), the number of who is on each; 0 for nobody yet.
        encounters: int64 (n,), the number of its encounter; 0 for none.
        names: of the individuals, by number.
        total: how many there are; more than n where some were drawn.
        model: that made the fingerprints.
        apart: int64 (k, 2), pairs of photos that somebody has said are not the same.
    """

    photos: Rows
    individuals: Rows
    encounters: Rows
    names: dict[int, str]
    total: int
    model: str
    apart: Rows
    _gallery: Gallery = field(repr=False)
    _rows: Rows = field(repr=False)

    def __len__(self) -> int:
        return len(self.photos)

    @cached_property
    def vectors(self) -> Vectors:
        """float32 (n, dim), unit length."""
        return self._gallery.take(self._rows)

    def take(self, places: Rows | Mask) -> Vectors:
        """The vectors of some, float32 (m, dim), by their places among the n."""
        return self._gallery.take(self._rows[places])


def prints(store: Store, gallery: Gallery, most: int | None = None) -> Prints:
    """The photos of a gallery, searched or not.

    Args:
        store: the open catalogue.
        gallery: of the model in use.
        most: of more photos than this so many are drawn, by their numbers alone: the same ones next
            time, and hardly others when some have come.
    """
    rows = np.flatnonzero(gallery.columns["present"])
    rows = rows[np.argsort(gallery.photo_ids[rows], kind="stable")]
    total = len(rows)
    if most is not None and total > most:
        stirred = gallery.photo_ids[rows].astype(np.uint64) * _STIR
        rows = rows[np.sort(np.argpartition(stirred, most)[:most])]
    people, pairs = schema.individuals, schema.not_same
    with store.reading() as connection:
        named = connection.execute(sa.select(people.c.id, people.c.name).where(~people.c.gone))
        names: dict[int, str] = dict(named.all())
        apart = connection.execute(
            sa.select(pairs.c.first_photo_id, pairs.c.second_photo_id).where(~pairs.c.gone)
        ).all()
    who = gallery.individual_ids[rows].astype(np.int64)
    return Prints(
        photos=gallery.photo_ids[rows].astype(np.int64),
        individuals=np.where(np.isin(who, list(names)), who, 0),
        encounters=gallery.columns["encounter"][rows].astype(np.int64),
        names=names,
        total=total,
        model=gallery.history.model,
        apart=np.array([tuple(pair) for pair in apart], np.int64).reshape(-1, 2),
        _gallery=gallery,
        _rows=rows,
    )
