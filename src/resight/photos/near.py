"""Near-copies among very many photos: by their difference hashes, and then by a closer look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from resight.photos.decode import Pixels
from resight.photos.encounters import Places
from resight.photos.photo import Photo

Hashes = NDArray[np.uint64]
# Grey pixels of the photos at some positions (k,): uint8 (k, 256).
Look = Callable[[Places], Pixels]

# Chosen by looking at all pairs of 3,621 cows' faces and 4,544 whales' heads; docs/inspect.md.
DISTANCE = 8  # bits in which the hashes of near-copies differ at most
LIKENESS = 0.93  # correlation of 16 × 16 grey pixels that near-copies have at least
SIDE = 16

MOST = 10_000  # pairs across labels that are kept

_PAIRS_AT_ONCE = 1 << 20
_COMPARED_AT_ONCE = 1 << 13  # 16 MB of pixels


@dataclass(frozen=True)
class NearCopies:
    """Photos that are nearly the same picture.

    Attributes:
        groups: positions of photos that hang together, each a near-copy of another; int64,
            ascending, every group of two or more.
        crossed: int64 (k, 2), pairs of near-copies whose labels differ; of more than `MOST`, the
            first that were found.
    """

    groups: list[Places]
    crossed: Places


def near_copies(
    hashes: Hashes,
    look: Look,
    *,
    labels: Places | None = None,
    distance: int = DISTANCE,
    likeness: float = LIKENESS,
) -> NearCopies:
    """Find near-copies: hashes that differ in few bits, and pixels that say the same.

    The hashes alone would not do: of pictures composed alike, as faces in a box are, some have
    them by chance. So `look` is asked for the pixels of those that may be near-copies.

    Memory: 0.3 kB for each photo that `look` is asked for, however many pairs there are.

    Args:
        hashes: uint64 (n,), `Facts.difference_hash`; 0 (of one grey) is like no other.
        look: gives pixels of the photos at some positions; see `look_at`.
        labels: int64 (n,), who is on them; -1 where nobody knows.
        distance: bits that may differ.
        likeness: correlation of the pixels that is asked for.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(hashes)
    labels = np.full(count, -1, np.int64) if labels is None else labels
    group = np.arange(count)
    seen = np.zeros(count, bool)
    pixels = np.zeros((count, SIDE * SIDE), np.uint8)  # touched only where something is seen
    crossed = np.empty((0, 2), np.int64)
    for pairs in _candidates(hashes, distance):
        one, two = pairs.T
        differ = (labels[one] >= 0) & (labels[two] >= 0) & (labels[one] != labels[two])
        # Two that hang together by others need no look, unless it may be a slip in their names.
        worth = (group[one] != group[two]) | (differ & (len(crossed) < MOST))
        pairs, differ = pairs[worth], differ[worth]
        unseen = np.unique(pairs[~seen[pairs]])
        pixels[unseen] = look(unseen)
        seen[unseen] = True
        alike = correlation(pixels, pairs) >= likeness
        pairs, differ = pairs[alike], differ[alike]
        crossed = np.concatenate([crossed, np.sort(pairs[differ], axis=1)])[:MOST]
        if len(pairs):
            links = group[pairs].T
            graph = coo_array((np.ones(len(pairs), bool), (links[0], links[1])), (count, count))
            group = connected_components(graph, directed=False)[1][group]
    order = np.argsort(group, kind="stable")
    cuts = np.flatnonzero(np.diff(group[order])) + 1
    parts = [part for part in np.split(order, cuts) if len(part) > 1]
    return NearCopies(
        sorted(parts, key=lambda part: int(part[0])),
        crossed[np.lexsort((crossed[:, 1], crossed[:, 0]))],
    )


def _candidates(hashes: Hashes, distance: int) -> Iterator[Places]:
    """Pairs that may be near-copies, some thousand at a time: the same hash, and near ones."""
    kept = np.flatnonzero(hashes)
    _, first, same = np.unique(hashes[kept], return_index=True, return_inverse=True)
    firsts = kept[first]  # of each hash the first photo; the others are compared with it
    others = np.setdiff1d(np.arange(len(kept)), first)
    twins = np.stack([firsts[same[others]], kept[others]], axis=1)
    for pairs in chain([twins], (firsts[near] for near in near_pairs(hashes[firsts], distance))):
        for start in range(0, len(pairs), _COMPARED_AT_ONCE):
            yield pairs[start : start + _COMPARED_AT_ONCE]


def near_pairs(hashes: Hashes, distance: int) -> Iterator[Places]:
    """All pairs of different hashes that differ in at most `distance` bits.

    The 64 bits are cut into distance + 2 bands. Differences in `distance` bits leave two bands
    or more as they are, so only hashes that agree in two bands are compared: with 300,000 hashes
    one pair in thousands. After Norouzi, Punjani and Fleet, "Fast search in Hamming space with
    multi-index hashing" (2012).

    Args:
        hashes: uint64 (n,).
        distance: 0 to 30.

    Yields:
        int64 (k, 2), positions, some at a time, every pair once.
    """
    bands = _bands(hashes, distance + 2)
    for one, two in combinations(range(len(bands)), 2):
        key = bands[one] << np.uint64(32) | bands[two]
        order = np.argsort(key, kind="stable")
        ends = np.flatnonzero(np.diff(key[order], append=~key[order[-1:]])) + 1
        for left, right in _same_key(ends):
            pairs = np.stack([order[left], order[right]], axis=1)
            a, b = hashes[pairs[:, 0]], hashes[pairs[:, 1]]
            near = (np.bitwise_count(a ^ b) <= distance) & (a != b)
            pairs = pairs[near]
            # A pair agrees in several bands; it is yielded for the first two of them.
            before = np.zeros(len(pairs), np.int64)
            for band in range(two):
                if band != one:
                    before += bands[band][pairs[:, 0]] == bands[band][pairs[:, 1]]
            pairs = pairs[before == 0]
            if len(pairs):
                yield np.sort(pairs, axis=1)


def look_at(photos: Sequence[Photo], advance: Callable[[int], None] = lambda done: None) -> Look:
    """How `near_copies` sees photos: read again, in threads, 16 × 16 grey pixels of each.

    Args:
        photos: those that the positions are of.
        advance: told of each number that was read, for a bar.
    """
    from resight.photos.stream import fitted_chunks

    def look(places: Places) -> Pixels:
        pixels = np.zeros((len(places), SIDE * SIDE), np.uint8)  # one grey where it cannot be read
        for chunk in fitted_chunks(
            ((photos[place].path, photos[place].box) for place in places.tolist()),
            size=(SIDE, SIDE),
            channels=1,
            fit="stretch",
            fill=0,
            sounds=True,
        ):
            pixels[chunk.index] = chunk.pixels.reshape(len(chunk.index), -1)
            advance(len(chunk.index) + len(chunk.unreadable))
        return pixels

    return look


def correlation(pixels: Pixels, pairs: Places) -> NDArray[np.float32]:
    """How alike pairs of rows are, -1 to 1 (Pearson's r); 0 where one is of one grey.

    Args:
        pixels: uint8 (n, p).
        pairs: int64 (k, 2).
    """
    one, two = (pixels[side].astype(np.float32) for side in pairs.T)
    one -= one.mean(axis=1, keepdims=True)
    two -= two.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", one, one) * np.einsum("ij,ij->i", two, two))
    return np.einsum("ij,ij->i", one, two) / np.maximum(length, 1e-3)


def _bands(hashes: Hashes, count: int) -> list[Hashes]:
    """The bits dealt out in turn: neighbouring ones say much the same."""
    bands = []
    for band in range(count):
        bits = np.zeros_like(hashes)
        for bit in range(band, 64, count):
            bits = bits << np.uint64(1) | (hashes >> np.uint64(bit)) & np.uint64(1)
        bands.append(bits)
    return bands


def _same_key(ends: Places) -> Iterator[tuple[Places, Places]]:
    """All pairs of places within the same run, where runs end before `ends`; some at a time."""
    if not len(ends):
        return
    length = int(ends[-1])
    end_of = np.repeat(ends, np.diff(ends, prepend=0))
    partners = end_of - np.arange(length) - 1
    upto = np.cumsum(partners)
    start = 0
    while start < length:
        base = int(upto[start - 1]) if start else 0
        stop = max(int(np.searchsorted(upto, base + _PAIRS_AT_ONCE, "right")), start + 1)
        some = partners[start:stop]
        left = np.repeat(np.arange(start, stop), some)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(some) - some, some)
        if len(left):
            yield left, left + 1 + offset
        start = stop
