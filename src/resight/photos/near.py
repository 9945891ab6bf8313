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
Mask = NDArray[np.bool_]
# Grey pixels of the photos at some positions (k,): uint8 (k, 256).
Look = Callable[[Places], Pixels]

# Chosen by looking at all pairs of 3,621 cows' faces and 4,544 whales' heads; docs/inspect.md.
DISTANCE = 8  # bits in which the hashes of near-copies differ at most
LIKENESS = 0.93  # correlation of 16 × 16 grey pixels that near-copies have at least
SIDE = 16

# Of more hashes than `_LONG` that agree in two bands, as those of a camera that never moves, each
# photo is compared with the next ones, and if there are many, with CLOSELY from among the others.
NEXT = 32
CLOSELY = 256

_LONG = 512
_PAIRS_AT_ONCE = 1 << 20
_COMPARED_AT_ONCE = 1 << 13  # 16 MB of pixels


@dataclass(frozen=True)
class NearCopies:
    """Photos that are nearly the same picture.

    Attributes:
        groups: positions of photos that hang together, each a near-copy of another; int64,
            ascending, every group of two or more.
        crossed: int64 (k, 2), pairs of near-copies whose labels differ: not all, but every photo
            that has a near-copy of another label stands in one.
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

    Where more than `CLOSELY` photos have hashes near to that of one, it is compared with so many of
    them only, and with those that are at most `NEXT` positions away: a group of thousands may then
    come in several parts, and of those that stand in `crossed` some may be missing. Hashes that are
    near while pixels are not, as of faces composed alike, are still compared each with each, by
    their bits: 12,000 of them took 26 seconds of a processor.

    Args:
        hashes: uint64 (n,), `Facts.difference_hash`; 0 (of one grey) is like no other.
        look: gives pixels of the photos at some positions; see `look_at`.
        labels: int64 (n,), who is on them; -1 where nobody knows.
        distance: bits that may differ.
        likeness: correlation of the pixels that is asked for.
    """
    count = len(hashes)
    known = _Known(hashes, np.full(count, -1, np.int64) if labels is None else labels, distance)
    seen = np.zeros(count, bool)
    pixels = np.zeros((count, SIDE * SIDE), np.uint8)  # touched only where something is seen
    for pairs in _candidates(known):
        pairs = pairs[known.tells(*pairs.T)]
        unseen = np.unique(pairs[~seen[pairs]])
        pixels[unseen] = look(unseen)
        seen[unseen] = True
        known.join(pairs[correlation(pixels, pairs) >= likeness])
    order = np.argsort(known.group, kind="stable")
    cuts = np.flatnonzero(np.diff(known.group[order])) + 1
    parts = [part for part in np.split(order, cuts) if len(part) > 1]
    crossed = np.concatenate([np.empty((0, 2), np.int64), *known.crossed])
    return NearCopies(
        sorted(parts, key=lambda part: int(part[0])),
        crossed[np.lexsort((crossed[:, 1], crossed[:, 0]))],
    )


class _Known:
    """What is known while photos are compared.

    Attributes:
        group: int64 (n,), the same number for those that hang together.
        crossed: pairs of near-copies whose labels differ, some at a time.
        told: bool (n,), whether a photo stands in one of these.
        tired: bool (n,), whether a photo has been compared with `CLOSELY` others.
    """

    def __init__(self, hashes: Hashes, labels: Places, distance: int) -> None:
        self.hashes, self.labels, self.distance = hashes, labels, distance
        self.group = np.arange(len(hashes))
        self.crossed: list[Places] = []
        self.told, self.tired = np.zeros((2, len(hashes)), bool)

    def differ(self, one: Places, two: Places) -> Mask:
        """Whether the labels of two differ, both known."""
        a, b = self.labels[one], self.labels[two]
        return (a != b) & (a >= 0) & (b >= 0)

    def tells(self, one: Places, two: Places) -> Mask:
        """Whether two need a look: not if they hang together by others, but for slips in names."""
        slip = self.differ(one, two) & ~(self.told[one] & self.told[two])
        return (self.group[one] != self.group[two]) | slip

    def join(self, pairs: Places) -> None:
        """Take in pairs (k, 2) of near-copies."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not len(pairs):
            return
        across = np.sort(pairs[self.differ(*pairs.T)], axis=1)
        fresh = np.flatnonzero(~self.told[across])
        _, first = np.unique(across.ravel()[fresh], return_index=True)
        across = across[np.unique(fresh[first] // 2)]  # one for each photo is enough
        self.told[across] = True
        self.crossed.append(across)
        numbers, links = np.unique(self.group[pairs], return_inverse=True)
        one, two = links.reshape(pairs.shape).T
        graph = coo_array((np.ones(len(pairs), bool), (one, two)), (len(numbers), len(numbers)))
        parts = connected_components(graph, directed=False)[1]
        _, first = np.unique(parts, return_index=True)
        to = np.arange(len(self.group))
        to[numbers] = numbers[first][parts]
        self.group = to[self.group]

    def asking(self, run: Places) -> Mask:
        """Which of some photos are to be compared with all of them.

        Not those of the largest group there (of the commonest label in it): what the others of
        them are is known, so in a run that hangs together hardly any are left.
        """
        groups, sizes = np.unique(self.group[run], return_counts=True)
        within = self.group[run] == groups[np.argmax(sizes)]
        labels = self.labels[run]
        names, counts = np.unique(labels[within & (labels >= 0)], return_counts=True)
        common = names[np.argmax(counts)] if len(names) else -1
        settled = within & ((labels < 0) | (labels == common) | self.told[run])
        return ~(settled | self.tired[run])

    def drawn(self, run: Places) -> Iterator[Places]:
        """Pairs to compare, of many photos whose hashes agree in two bands.

        Args:
            run: int64 (m,), their positions.

        Yields:
            int64 (k, 2), places in `run`.
        """
        left = np.arange(len(run))
        for step in range(1, NEXT + 1):
            pairs = np.stack([left[:-step], left[step:]], axis=1)
            yield pairs[self.tells(*run[pairs].T)]
        while len(left) > 1:
            asking = left[self.asking(run[left])][: max(_PAIRS_AT_ONCE // len(left), 1)]
            if not len(asking):
                return
            rest = np.setdiff1d(left, asking, assume_unique=True)
            others = np.concatenate([asking, rest])
            one, two = run[asking][:, None], run[others][None]
            may = np.bitwise_count(self.hashes[one] ^ self.hashes[two]) <= self.distance
            may &= self.tells(one, two) & (np.abs(asking[:, None] - others) > NEXT)
            may[:, : len(asking)] = np.triu(may[:, : len(asking)], 1)  # of two that ask, one pair
            many = np.count_nonzero(may, axis=1)[:, None]
            if (many > CLOSELY).any():
                step = np.maximum(-(-many // CLOSELY), 1)
                may &= may.cumsum(axis=1, dtype=np.int32) % step == 0
                self.tired[one[many > CLOSELY]] = True
            row, column = may.nonzero()
            yield np.stack([asking[row], others[column]], axis=1)
            left = rest


def _candidates(known: _Known) -> Iterator[Places]:
    """Pairs that may be near-copies, some thousand at a time: the same hash, and near ones."""
    kept = np.flatnonzero(known.hashes)
    _, first, same = np.unique(known.hashes[kept], return_index=True, return_inverse=True)
    firsts = np.sort(kept[first])  # of each hash the first photo; the others are compared with it
    others = np.setdiff1d(np.arange(len(kept)), first)
    twins = np.stack([kept[first][same[others]], kept[others]], axis=1)
    near = near_pairs(
        known.hashes[firsts], known.distance, drawn=lambda run: known.drawn(firsts[run])
    )
    for pairs in chain([twins], (firsts[places] for places in near)):
        for start in range(0, len(pairs), _COMPARED_AT_ONCE):
            yield pairs[start : start + _COMPARED_AT_ONCE]


def near_pairs(
    hashes: Hashes,
    distance: int,
    *,
    drawn: Callable[[Places], Iterator[Places]] | None = None,
) -> Iterator[Places]:
    """All pairs of different hashes that differ in at most `distance` bits.

    The 64 bits are cut into distance + 2 bands. Differences in `distance` bits leave two bands
    or more as they are, so only hashes that agree in two bands are compared: with 300,000 hashes
    one pair in thousands. After Norouzi, Punjani and Fleet, "Fast search in Hamming space with
    multi-index hashing" (2012).

    Args:
        hashes: uint64 (n,).
        distance: 0 to 30.
        drawn: where more than 512 hashes agree in two bands, which pairs are compared: given their
            positions, it yields places among them (k, 2), each pair once. All, by default.

    Yields:
        int64 (k, 2), positions, some at a time, every pair once.
    """
    bands = _bands(hashes, distance + 2)
    for one, two in combinations(range(len(bands)), 2):
        key = bands[one] << np.uint64(32) | bands[two]
        order = np.argsort(key, kind="stable")
        ends = np.flatnonzero(np.diff(key[order], append=~key[order[-1:]])) + 1
        every = _same_key(ends, _LONG if drawn else len(order))
        if drawn:
            every = chain(every, _of_long(order, ends, drawn))
        for places in every:
            pairs = order[places]
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


def _of_long(
    order: Places, ends: Places, drawn: Callable[[Places], Iterator[Places]]
) -> Iterator[Places]:
    """Pairs (k, 2) of places within the same run, as drawn, of runs longer than `_LONG`."""
    begins = ends - np.diff(ends, prepend=0)
    for run in np.flatnonzero(ends - begins > _LONG).tolist():
        for places in drawn(order[begins[run] : ends[run]]):
            yield begins[run] + places


def _same_key(ends: Places, longest: int) -> Iterator[Places]:
    """All pairs (k, 2) of places within the same run, where runs end before `ends`.

    Some at a time, and none within runs that are longer than `longest`.
    """
    if not len(ends):
        return
    length = int(ends[-1])
    lengths = np.diff(ends, prepend=0)
    partners = np.repeat(ends, lengths) - np.arange(length) - 1
    partners[np.repeat(lengths > longest, lengths)] = 0
    upto = np.cumsum(partners)
    start = 0
    while start < length:
        base = int(upto[start - 1]) if start else 0
        stop = max(int(np.searchsorted(upto, base + _PAIRS_AT_ONCE, "right")), start + 1)
        some = partners[start:stop]
        left = np.repeat(np.arange(start, stop), some)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(some) - some, some)
        if len(left):
            yield np.stack([left, left + 1 + offset], axis=1)
        start = stop
