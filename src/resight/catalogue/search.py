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

import numpy as np
import numpy.typing as npt

from resight.catalogue.gallery import Gallery, Rows
from resight.catalogue.loading import load_gallery
from resight.catalogue.vectors_file import Vectors

__all__ = [
    "Distances",
    "Found",
    "Gallery",
    "Rows",
    "Vectors",
    "Without",
    "best_of_individuals",
    "load_gallery",
    "nearest",
    "nearest_individuals",
]

Distances = npt.NDArray[np.float64]

_BLOCK_FLOATS = 1 << 24  # 64 MiB of similarities at a time
_TOGETHER = 128  # queries in a block
_MEASURED = 1 << 15  # vectors measured at a time
_OTHER_SIDE = {"left": "right", "right": "left"}


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


@dataclass(frozen=True, eq=False)
class Without:
    """What each of q queries must not find; whatever is None leaves nothing out.

    Attributes:
        photos: for each query the ids of photos.
        individuals: for each query the ids of individuals, none of whose photos is to be found.
        encounters: for each query the id of an encounter, or 0.
        sides: for each query the side that it shows, or None: "left" finds no "right", and the
            other way round; whatever has no known side is found by all.
    """

    photos: Sequence[Collection[int]] | None = None
    individuals: Sequence[Collection[int]] | None = None
    encounters: Sequence[int] | npt.NDArray[np.int64] | None = None
    sides: Sequence[str | None] | None = None

    def rows(self, gallery: Gallery, query: int) -> Rows:
        """The rows, ascending, that the query with this number must not find."""
        found = []
        if self.photos is not None and self.photos[query]:
            found.append(gallery.rows_of(self.photos[query]))
        if self.individuals is not None:
            found += [gallery.rows_with("individual", i) for i in self.individuals[query]]
        if self.encounters is not None and self.encounters[query]:
            found.append(gallery.rows_with("encounter", int(self.encounters[query])))
        if self.sides is not None:
            other = _OTHER_SIDE.get((self.sides[query] or "").casefold())
            for number, side in enumerate(gallery.sides):
                if other is not None and side.casefold() == other:  # people write "Left", too
                    found.append(gallery.rows_with("side", number))
        if len(found) == 1:
            return found[0]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def nearest(
    queries: Vectors, gallery: Gallery, k: int, *, without: Without | None = None
) -> list[tuple[Rows, Distances]]:
    """For each query its k nearest photos.

    Args:
        queries: float32 (q, dim), unit length.
        gallery: where to look.
        k: how many, or all there are if fewer.
        without: what each query must not find.

    Returns:
        For each query its rows int64 (k,) of the gallery, nearest first and equals by photo id, and
        their distances float64 (k,).
    """
    slack = _slack(gallery)
    hidden = not gallery.searched.all()
    results = []
    for some, left_out in _query_blocks(queries, gallery, without):
        best = [_Best(k, slack) for _ in some]
        for start, similarity in _row_blocks(some, gallery):
            if hidden:
                out = ~gallery.searched[start : start + similarity.shape[1]]
                np.copyto(similarity, -np.inf, where=out)
            for one, rows, values in zip(best, left_out, similarity, strict=True):
                _leave_out(values, rows, start)
                one.add(values, start)
        for query, one in zip(some, best, strict=True):
            rows, distances = _measure(query, gallery, one.rows)
            results.append((rows[:k], distances[:k]))
    return results


def nearest_individuals(
    queries: Vectors,
    gallery: Gallery,
    *,
    top: int,
    photos_each: int,
    without: Without | None = None,
) -> list[list[Found]]:
    """For each query the individuals whose nearest photo is nearest, each with its nearest photos.

    Args:
        queries: float32 (q, dim), unit length.
        gallery: where to look.
        top: how many individuals.
        photos_each: how many photos of each, or all it has if fewer.
        without: what each query must not find.

    Returns:
        For each query up to `top` individuals, nearest first; equals in the order in which their
        nearest photos were enrolled.
    """
    slack = _slack(gallery)
    results = []
    for some, left_out, best in _best_blocks(queries, gallery, without):
        for query, out, similarity in zip(some, left_out, best, strict=True):
            found = []
            for place in _at_least(similarity, top, slack):
                rows = _not_among(gallery.rows_with("code", int(place) + 1), out)
                if len(rows) > photos_each:
                    rows = rows[_at_least(gallery.take(rows) @ query, photos_each, slack)]
                rows, distances = _measure(query, gallery, rows)
                rows, distances = rows[:photos_each], distances[:photos_each]
                found.append(Found(int(gallery.people[place]), rows, distances))
            found.sort(key=lambda f: (f.distances[0], gallery.photo_ids[f.rows[0]]))
            results.append(found[:top])
    return results


def best_of_individuals(
    queries: Vectors, gallery: Gallery, *, without: Without | None = None
) -> Iterator[Vectors]:
    """Every individual's greatest cosine similarity to each query, some queries at a time.

    Args:
        queries: float32 (q, dim), unit length.
        gallery: where to look.
        without: what each query must not find.

    Yields:
        float32 (b, individuals), for the next b queries, individuals as in `gallery.people`; -inf
        where nothing of an individual may be found. Right to about dim x 2^-24.
    """
    for _, _, best in _best_blocks(queries, gallery, without):
        yield best


def _best_blocks(
    queries: Vectors, gallery: Gallery, without: Without | None
) -> Iterator[tuple[Vectors, list[Rows], Vectors]]:
    """Some queries, the rows they must not find, and the greatest similarities as above."""
    codes = gallery.codes
    for some, left_out in _query_blocks(queries, gallery, without):
        best = np.full((len(some), len(gallery.people) + 1), -np.inf, np.float32)
        for start, similarity in _row_blocks(some, gallery):
            whose = codes[start : start + similarity.shape[1]]
            for one, rows, values in zip(best, left_out, similarity, strict=True):
                _leave_out(values, rows, start)
                np.maximum.at(one, whose, values)
        yield some, left_out, best[:, 1:]


def _query_blocks(
    queries: Vectors, gallery: Gallery, without: Without | None
) -> Iterator[tuple[Vectors, list[Rows]]]:
    """Some queries at a time, with the rows that they must not find."""
    none = np.empty(0, np.int64)
    for start in range(0, len(queries), _TOGETHER):
        some = queries[start : start + _TOGETHER]
        numbers = range(start, start + len(some))
        yield some, [without.rows(gallery, i) if without else none for i in numbers]


def _row_blocks(queries: Vectors, gallery: Gallery) -> Iterator[tuple[int, Vectors]]:
    """The first row of each block of a gallery, and the similarities (q, rows) to its rows."""
    for start, vectors in gallery.blocks(max(1, _BLOCK_FLOATS // len(queries))):
        if len(queries) == 1:
            yield start, (vectors @ queries[0])[None]  # twice as fast as with one row
        else:
            yield start, queries @ vectors.T


class _Best:
    """The rows that may be among the k most similar to a query, given the error of values."""

    def __init__(self, k: int, slack: float) -> None:
        self.k = k
        self.slack = np.float32(slack)
        self.bar = np.float32(-np.inf)
        self.rows: Rows = np.empty(0, np.int64)
        self.values: Vectors = np.empty(0, np.float32)

    def add(self, values: Vectors, start: int) -> None:
        """Look at the similarities of the rows from `start` on."""
        if np.isneginf(self.bar) and len(values) > self.k:
            # Cheaper than sorting: the k-th greatest of some values is at most that of all.
            self._raise(values[:: max(1, len(values) // (64 * self.k))])
        rows = (
            np.flatnonzero(values >= self.bar)
            if self.bar > -np.inf
            else np.flatnonzero(values > -np.inf)
        )
        if not len(rows):
            return
        self.values = np.concatenate([self.values, values[rows]])
        self.rows = np.concatenate([self.rows, start + rows])
        self._raise(self.values)
        kept = self.values >= self.bar
        self.values, self.rows = self.values[kept], self.rows[kept]

    def _raise(self, values: Vectors) -> None:
        if len(values) >= self.k:
            place = len(values) - self.k
            self.bar = max(self.bar, np.partition(values, place)[place] - self.slack)


def _leave_out(values: Vectors, rows: Rows, start: int) -> None:
    """Make the similarities of some rows -inf; `values` are those of the rows from `start` on."""
    if len(rows):
        first, last = np.searchsorted(rows, (start, start + len(values)))
        values[rows[first:last] - start] = -np.inf


def _not_among(rows: Rows, out: Rows) -> Rows:
    """Those of the ascending `rows` that are not among the ascending `out`."""
    if not len(out):
        return rows
    places = np.searchsorted(out, rows)
    places[places == len(out)] = 0
    return rows[out[places] != rows]


def _slack(gallery: Gallery) -> float:
    # A sum of dim products of unit vectors in float32, in any order, is off by at most about
    # dim x 2^-24; so are two that are compared. And unit length itself is kept to a few 2^-24.
    return (4 * gallery.dim + 64) * 2.0**-24


def _at_least(values: Vectors, k: int, slack: float) -> Rows:
    """Ascending positions of all that may be among the k greatest, given the error of values."""
    if len(values) > k:
        bar = np.partition(values, len(values) - k)[len(values) - k]
        return np.flatnonzero((values >= bar - np.float32(slack)) & (values > -np.inf))
    return np.flatnonzero(values > -np.inf)


def _measure(query: Vectors, gallery: Gallery, rows: Rows) -> tuple[Rows, Distances]:
    """Rows and their exact distances, nearest first, equals by photo id."""
    distances = np.empty(len(rows))
    for start in range(0, len(rows), _MEASURED):
        some = slice(start, start + _MEASURED)
        difference = gallery.take(rows[some]).astype(np.float64) - query
        distances[some] = np.square(difference).sum(axis=1) / 2
    order = np.lexsort((gallery.photo_ids[rows], distances))
    return rows[order], distances[order]
