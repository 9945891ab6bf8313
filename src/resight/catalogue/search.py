"""Exact nearest neighbours among the fingerprints of a catalogue.

A blocked matrix product in float32 finds everything that can be among the nearest; those few are
then measured again in float64, one by one. So the answer is the exact one, ties fall to the photo
enrolled first, and a query gets the same answer alone as among thousands (the last bits of a
float32 product depend on its shape).

The distance is the cosine distance 1 - cos, in [0, 2]. For unit vectors it equals half the squared
Euclidean distance, |a - b|^2 / 2, which is computed here because it is 0 for equal vectors.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import Store
from resight.errors import UnusableCatalogue

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Distances = npt.NDArray[np.float64]

_BLOCK_FLOATS = 1 << 24  # 64 MiB of similarities at a time


@dataclass(frozen=True, eq=False)
class Gallery:
    """The fingerprints of every named photo, photos of one individual side by side.

    Attributes:
        vectors: float32 (n, dim), unit length; rows sorted by individual, then by photo.
        photo_ids: int64 (n,), in the order of enrolment within an individual.
        individual_ids: int64 (n,), ascending.
        starts: int64 (individuals,), the first row of each.
        revision: of the catalogue when this was read.
    """

    vectors: Vectors
    photo_ids: Rows
    individual_ids: Rows
    starts: Rows
    revision: int

    @classmethod
    def of(
        cls, vectors: Vectors, photo_ids: Rows, individual_ids: Rows, *, revision: int = 0
    ) -> Gallery:
        """Put rows that come in any order in order."""
        order = np.lexsort((photo_ids, individual_ids))
        if not np.array_equal(order, np.arange(len(order))):
            vectors, photo_ids = vectors[order], photo_ids[order]
            individual_ids = individual_ids[order]
        starts = np.unique(individual_ids, return_index=True)[1]
        return cls(vectors, photo_ids, individual_ids, starts, revision)

    def __len__(self) -> int:
        return len(self.photo_ids)


@dataclass(frozen=True, eq=False)
class Found:
    """An individual near a query.

    Attributes:
        individual_id: who.
        rows: int64 (k,), its nearest rows of the gallery, nearest first.
        distances: float64 (k,), theirs.
    """

    individual_id: int
    rows: Rows
    distances: Distances


def load_gallery(store: Store, model_id: str, dim: int, *, known: Gallery | None = None) -> Gallery:
    """Read the fingerprints that a model made of the photos that have a name.

    Args:
        store: the open catalogue.
        model_id: whose fingerprints.
        dim: their length.
        known: what an earlier call gave; given back when nothing has been written since.

    Raises:
        UnusableCatalogue: a fingerprint is not `dim` numbers of unit length.
    """
    about, photos, fingerprints = schema.about, schema.photos, schema.fingerprints
    with store.reading() as connection:
        revision = connection.scalars(sa.select(about.c.revision)).one()
        if known is not None and known.revision == revision:
            return known
        found: Sequence[Any] = connection.execute(
            sa.select(fingerprints.c.vector, photos.c.id, photos.c.individual_id)
            .join(photos, photos.c.id == fingerprints.c.photo_id)
            .where(fingerprints.c.model_id == model_id, photos.c.individual_id.is_not(None))
        ).all()
    blobs, photo_ids, individual_ids = zip(*found, strict=True) if found else ((), (), ())
    sound = all(len(blob) == 4 * dim for blob in blobs)
    if sound:
        vectors = np.frombuffer(b"".join(blobs), "<f4").astype(np.float32, copy=False)
        vectors = vectors.reshape(-1, dim)
        lengths = np.einsum("nd,nd->n", vectors, vectors)
        sound = bool(np.all(np.abs(lengths - 1) < 1e-3))  # NaN is not
    if not sound:
        raise UnusableCatalogue(
            f"{store.path}: is damaged: a fingerprint is not {dim} numbers of unit length; "
            "take your backup"
        )
    return Gallery.of(
        vectors,
        np.array(photo_ids, np.int64),
        np.array(individual_ids, np.int64),
        revision=revision,
    )


def nearest(queries: Vectors, gallery: Gallery, k: int) -> list[tuple[Rows, Distances]]:
    """For each query its k nearest photos.

    Args:
        queries: float32 (q, dim), unit length.
        gallery: where to look.
        k: how many, or all there are if fewer.

    Returns:
        For each query its rows int64 (k,) of the gallery, nearest first and equals by photo id, and
        their distances float64 (k,).
    """
    results = []
    for query, similarity in _similarities(queries, gallery.vectors):
        rows = _at_least(similarity, k, _slack(gallery))
        rows, distances = _measure(query, gallery, rows)
        results.append((rows[:k], distances[:k]))
    return results


def nearest_individuals(
    queries: Vectors,
    gallery: Gallery,
    *,
    top: int,
    photos_each: int,
    without: Sequence[Collection[int]] | None = None,
) -> list[list[Found]]:
    """For each query the individuals whose nearest photo is nearest, each with its nearest photos.

    Args:
        queries: float32 (q, dim), unit length.
        gallery: where to look.
        top: how many individuals.
        photos_each: how many photos of each, or all it has if fewer.
        without: for each query the photo ids that must not be found.

    Returns:
        For each query up to `top` individuals, nearest first; equals in the order in which their
        nearest photos were enrolled.
    """
    slack = _slack(gallery)
    ends = np.append(gallery.starts[1:], len(gallery))
    results = []
    for number, (query, similarity) in enumerate(_similarities(queries, gallery.vectors)):
        if without is not None and without[number]:
            similarity = similarity.copy()
            similarity[np.isin(gallery.photo_ids, list(without[number]))] = -np.inf
        found = []
        best = np.maximum.reduceat(similarity, gallery.starts) if len(gallery) else similarity
        for individual in _at_least(best, top, slack):
            start, end = gallery.starts[individual], ends[individual]
            rows = start + _at_least(similarity[start:end], photos_each, slack)
            rows, distances = _measure(query, gallery, rows)
            found.append(
                Found(
                    int(gallery.individual_ids[start]), rows[:photos_each], distances[:photos_each]
                )
            )
        found.sort(key=lambda f: (f.distances[0], gallery.photo_ids[f.rows[0]]))
        results.append(found[:top])
    return results


def _similarities(queries: Vectors, vectors: Vectors) -> Iterator[tuple[Vectors, Vectors]]:
    """Each query with its float32 (n,) similarities, a block of queries in memory at a time."""
    block = max(1, _BLOCK_FLOATS // max(1, len(vectors)))
    for start in range(0, len(queries), block):
        some = queries[start : start + block]
        yield from zip(some, some @ vectors.T, strict=True)


def _slack(gallery: Gallery) -> float:
    # A sum of dim products of unit vectors in float32, in any order, is off by at most about
    # dim x 2^-24; so are two that are compared. And unit length itself is kept to a few 2^-24.
    return (4 * gallery.vectors.shape[1] + 64) * 2.0**-24


def _at_least(values: Vectors, k: int, slack: float) -> Rows:
    """Ascending positions of all that may be among the k greatest, given the error of values."""
    if len(values) > k:
        bar = np.partition(values, len(values) - k)[len(values) - k]
        return np.flatnonzero((values >= bar - np.float32(slack)) & (values > -np.inf))
    return np.flatnonzero(values > -np.inf)


def _measure(query: Vectors, gallery: Gallery, rows: Rows) -> tuple[Rows, Distances]:
    """Rows and their exact distances, nearest first, equals by photo id."""
    difference = gallery.vectors[rows].astype(np.float64) - query
    distances = np.square(difference).sum(axis=1) / 2
    order = np.lexsort((gallery.photo_ids[rows], distances))
    return rows[order], distances[order]
