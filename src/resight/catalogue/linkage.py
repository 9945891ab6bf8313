"""Agglomerative clustering of fingerprints, average linkage, that keeps what people have decided.

The distance of two clusters is the mean cosine distance of a photo of the one and a photo of the
other. For unit vectors that is 1 - mean(a)·mean(b), with the means of the vectors: so the linkage
stays exact though no matrix of all pairs is ever made, and the graph of near photos only tells
which clusters to look at. Always the two nearest that may be joined are joined next.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from resight.catalogue.search import Rows, Vectors

# Up to here the graph holds every pair of photos, and past it so many neighbours of each.
ALL_PAIRS = 2000
NEIGHBOURS = 50
_BLOCK_FLOATS = 1 << 24  # 64 MiB of similarities at a time
_MANY = 1 / 32  # share of the pairs from which on it is quicker to look for each row's k-th first


class Link(NamedTuple):
    """Cluster `gone` joined cluster `kept`; each is called by its first row."""

    distance: float
    kept: int
    gone: int


class Clusters:
    """Rows of vectors, each at first a cluster of its own, and what keeps them apart.

    Args:
        vectors: float32 (n, dim), unit length.
        apart: pairs of rows that are never of one cluster.
        pictures: int64 (n,), which picture each is cut from; two of one picture are never of one
            cluster. Default: all differ.
        owners: int64 (n,), whose photo it is known to be, -1 where nobody knows; two owners are
            never of one cluster. Default: nobody knows.
        sides: int64 (n,), which side it shows, -1 where nobody knows. Photos of two sides are not
            compared, and only come together where `join` puts them together. Default: no sides.
    """

    def __init__(
        self,
        vectors: Vectors,
        *,
        apart: Iterable[tuple[int, int]] = (),
        pictures: Rows | None = None,
        owners: Rows | None = None,
        sides: Rows | None = None,
    ) -> None:
        count = len(vectors)
        unknown = np.full(count, -1, np.int64)
        self.vectors = vectors
        self.pictures = np.arange(count) if pictures is None else pictures
        self.owners = unknown if owners is None else owners
        self.sides = unknown if sides is None else sides
        self.members: list[list[int]] = [[row] for row in range(count)]
        self._into = list(range(count))
        self._pictures: list[set[int]] = [{picture} for picture in self.pictures.tolist()]
        self._owner: list[int] = self.owners.tolist()
        self._sides: list[set[int]] = [{side} - {-1} for side in self.sides.tolist()]
        self._apart: dict[int, set[int]] = {}
        for one, other in apart:
            self._apart.setdefault(one, set()).add(other)
            self._apart.setdefault(other, set()).add(one)
        # Of every cluster: sums of its vectors, and how many; of all, then of each side.
        depth = int(self.sides.max(initial=-1)) + 2
        wide = vectors.astype(np.float64)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        self._sums = np.zeros((count, depth, vectors.shape[1]))
        self._counts = np.zeros((count, depth))
        self._sums[:, 0], self._counts[:, 0] = wide, 1
        seen = np.flatnonzero(self.sides >= 0)
        self._sums[seen, self.sides[seen] + 1] = wide[seen]
        self._counts[seen, self.sides[seen] + 1] = 1

    def labels(self) -> Rows:
        """int64 (n,): the first row of the cluster that each row is in."""
        found = np.empty(len(self.members), np.int64)
        for first, rows in enumerate(self.members):
            found[rows] = first
        return found

    def join(self, rows: Sequence[int]) -> bool:
        """Put rows together before anything is compared; False, and nothing done, if they clash."""
        clusters = sorted({self._cluster(row) for row in rows})
        pictures = set().union(*(self._pictures[one] for one in clusters))
        if (
            len({self._owner[one] for one in clusters} - {-1}) > 1
            or len(pictures) < sum(len(self._pictures[one]) for one in clusters)
            or any(not self._apart.get(one, set()).isdisjoint(clusters) for one in clusters)
        ):
            return False
        for other in clusters[1:]:
            self._merge(clusters[0], other)
        return True

    def link(
        self,
        threshold: float,
        k: int | None = None,
        *,
        progress: Callable[[float], None] | None = None,
    ) -> Iterator[Link]:
        """Join the nearest clusters that may be joined, again and again, up to a distance.

        Args:
            threshold: the distance, in [0, 2], up to which clusters are joined.
            k: how many neighbours of each row to look at; default all for up to `ALL_PAIRS` rows,
                `NEIGHBOURS` past that.
            progress: is told what share of the rows has been compared.

        Yields:
            Every link when it has been made. Whoever has seen enough may stop.
        """
        if k is None:
            k = len(self.members) if len(self.members) <= ALL_PAIRS else NEIGHBOURS
        first = self.labels()
        near: list[set[int]] = [set() for _ in self.members]
        heap: list[tuple[float, int, int, int, int]] = []
        for rows, others in near_pairs(self, threshold, k, progress):
            ends = np.sort(np.stack([first[rows], first[others]], axis=1), axis=1)
            for a, b in np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0).tolist():
                near[a].add(b)
                near[b].add(a)
        for a, around in enumerate(near):
            later = sorted(b for b in around if b > a)
            for b, new in zip(later, self.distances(a, later).tolist(), strict=True):
                if new <= threshold:
                    heap.append((new, a, b, 0, 0))
        heapq.heapify(heap)
        age = [0] * len(self.members)
        while heap:
            distance, a, b, age_a, age_b = heapq.heappop(heap)
            if age[a] != age_a or age[b] != age_b or not self._may_link(a, b):
                continue
            self._merge(a, b)
            age[a] += 1
            age[b] = -1
            for c in near[b]:
                near[c].discard(b)
                near[c].add(a)
            near[a] |= near[b]
            near[a] -= {a, b}
            near[b] = set()
            later = sorted(near[a])
            for c, new in zip(later, self.distances(a, later).tolist(), strict=True):
                # A mean of distances above the threshold never comes below it again.
                if new > threshold:
                    near[a].discard(c)
                    near[c].discard(a)
                else:
                    low, high = min(a, c), max(a, c)
                    heapq.heappush(heap, (new, low, high, age[low], age[high]))
            yield Link(distance, a, b)

    def distances(self, cluster: int, others: Sequence[int]) -> npt.NDArray[np.float64]:
        """Mean cosine distances of a cluster's photos to those of others, sides that compare."""
        dots = self._sums[others, 0] @ self._sums[cluster, 0]
        pairs = self._counts[others, 0] * self._counts[cluster, 0]
        if self._sums.shape[1] > 1:
            # Without the pairs of two known sides, but with those of the same side.
            own, of = self._sums[cluster, 1:], self._sums[others, 1:]
            dots += np.einsum("nsd,sd->n", of, own) - of.sum(axis=1) @ own.sum(axis=0)
            own, of = self._counts[cluster, 1:], self._counts[others, 1:]
            pairs += of @ own - of.sum(axis=1) * own.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(pairs > 0, 1 - dots / pairs, np.inf)

    def _cluster(self, row: int) -> int:
        while self._into[row] != row:
            row = self._into[row] = self._into[self._into[row]]
        return row

    def _clash(self, one: int, other: int) -> bool:
        """Whether people, or the pictures, say that these two are different individuals."""
        owners = {self._owner[one], self._owner[other]} - {-1}
        return (
            len(owners) > 1
            or other in self._apart.get(one, ())
            or not self._pictures[one].isdisjoint(self._pictures[other])
        )

    def _may_link(self, one: int, other: int) -> bool:
        sides, others = self._sides[one], self._sides[other]
        return not self._clash(one, other) and not (sides and others and sides.isdisjoint(others))

    def _merge(self, kept: int, gone: int) -> None:
        """Cluster `gone` becomes part of `kept`, the one whose first row comes first."""
        self._into[gone] = kept
        self.members[kept] += self.members[gone]
        self.members[gone] = []
        self._sums[kept] += self._sums[gone]
        self._counts[kept] += self._counts[gone]
        self._owner[kept] = max(self._owner[kept], self._owner[gone])
        self._pictures[kept] |= self._pictures[gone]
        self._sides[kept] |= self._sides[gone]
        apart = self._apart.pop(gone, set())
        for other in apart:
            self._apart[other].discard(gone)
            self._apart[other].add(kept)
        if apart:
            self._apart.setdefault(kept, set()).update(apart)


def near_pairs(
    clusters: Clusters,
    threshold: float,
    k: int,
    progress: Callable[[float], None] | None = None,
) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of rows that may be linked and are at most `threshold` apart, a block at a time.

    Of each row at most the k nearest; equals in the order of the rows. Rows with an owner are only
    looked for, and look for nobody: two of them are together already, or never.
    """
    vectors, pictures = clusters.vectors, clusters.pictures
    owners, sides = clusters.owners, clusters.sides
    asking = np.flatnonzero(owners < 0)
    sided = bool((sides >= 0).any())
    # float32 products are off by at most about dim × 2^-24.
    bar = np.float32(1 - threshold - (2 * vectors.shape[1] + 64) * 2.0**-24)
    block = max(1, _BLOCK_FLOATS // max(1, len(vectors)))
    for start in range(0, len(asking), block):
        if progress is not None:
            progress(start / len(asking))
        rows = asking[start : start + block]
        similarity = vectors[rows] @ vectors.T
        fit = (similarity >= bar) & (pictures[rows][:, None] != pictures)
        if sided:
            here = sides[rows][:, None]
            fit &= (sides == here) | (sides < 0) | (here < 0)
        if k < len(vectors) and np.count_nonzero(fit) > _MANY * fit.size:
            # Sorting many is dear: what is less near than a row's k-th goes first, equals stay.
            last = len(vectors) - k
            worst = np.partition(np.where(fit, similarity, -np.inf), last, axis=1)[:, last]
            fit &= similarity >= worst[:, None]
        one, other = np.nonzero(fit)
        value, one = similarity[one, other], rows[one]
        order = np.lexsort((other, -value, one))
        one, other = one[order], other[order]
        place = np.arange(len(one)) - np.searchsorted(one, one)  # 0 is a row's nearest
        yield one[place < k], other[place < k]
