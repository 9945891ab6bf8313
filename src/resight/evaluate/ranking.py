"""Where the matches of every query stand in its ranking: exact, and never an N×N matrix.

A query's ranking orders the gallery by cosine similarity (float32). Everything that retrieval is
measured by follows from the ranks of the matches, and a match's rank is its place among the
matches plus the number of strangers at least as similar. So only the strangers that stand above
some match are looked at, and only similarities are sorted, never with their places.

Ties are pessimistic: a stranger as similar as a match stands before it. A model that gives every
photo the same fingerprint therefore scores nearly 0, and the order of the gallery never matters.
"""

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError

Labels = Sequence[Hashable] | NDArray[Any]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

BLOCK_CELLS = 32_000_000  # similarities held at a time: 128 MB
_DOUBLE_UP_TO = 2_000_000_000  # multiplications; below it double precision costs under 0.1 s
_FEW = 16
_SHORT = 1e-15  # the squares of what is shorter lose digits in float32


def unit_vectors(vectors: Any, what: str) -> Floats:
    """Check fingerprints and return them as float32 (n, d) of length 1.

    Raises:
        ResightError: not two-dimensional, no rows, or a row that is not finite or has no length.
    """
    with np.errstate(over="ignore"):
        array = np.asarray(vectors, dtype=np.float32)
        if array.ndim != 2 or 0 in array.shape:
            raise ResightError(
                f"{what}: fingerprints must be an (n, d) array, got shape {array.shape}"
            )
        lengths = np.linalg.norm(array, axis=1)
    odd = np.flatnonzero(~(np.isfinite(lengths) & (lengths > _SHORT)))
    if odd.size:  # too long or too short for float32, or bad
        rows = np.asarray(np.asarray(vectors)[odd], np.float64)
        largest = np.abs(rows).max(axis=1, keepdims=True)
        bad = odd[~(np.isfinite(largest) & (largest > 0))[:, 0]]
        if bad.size:
            raise ResightError(
                f"{what}: {bad.size} fingerprints are not finite or have no length "
                f"(first at row {bad[0]}); leave those photos out"
            )
        rows /= largest
        array = array.copy()  # it may be the caller's
        array[odd] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        lengths[odd] = 1
    if np.abs(lengths - 1).max() > 1e-5:
        array = array / lengths[:, None]
    return np.ascontiguousarray(array)


def listed(labels: Any) -> list[Any]:
    """Labels as values that are equal where they look equal.

    Two of torch's numbers never are: each would be an individual by itself.
    """
    values = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    return [value.tolist() if hasattr(value, "tolist") else value for value in values]


def missing(value: Any) -> bool:
    """Whether a label is None, NaN or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA is neither equal to itself nor unequal
        return True


def encode(labels: Labels, codes: dict[Hashable, int], n: int, what: str) -> Ints:
    """Turn labels of any hashable kind into whole numbers, extending `codes`.

    Raises:
        ResightError: another number of labels than fingerprints, or a photo without a label.
    """
    values = listed(labels)
    if len(values) != n:
        raise ResightError(f"{what}: {n} fingerprints but {len(values)} labels")
    for place, value in enumerate(values):
        if missing(value):
            raise ResightError(f"{what}: photo {place} has no individual; leave it out")
    return np.fromiter((codes.setdefault(value, len(codes)) for value in values), np.int64, n)


def _encode_groups(groups: Labels | None, codes: dict[Hashable, int], n: int, what: str) -> Ints:
    """Encounters as whole numbers; -1 where a photo belongs to none."""
    if groups is None:
        return np.full(n, -1, np.int64)
    values = listed(groups)
    if len(values) != n:
        raise ResightError(f"{what}: {n} fingerprints but {len(values)} encounters")
    return np.fromiter(
        (-1 if missing(value) else codes.setdefault(value, len(codes)) for value in values),
        np.int64,
        n,
    )


def same_width(queries: Floats, gallery: Floats) -> None:
    """Refuse fingerprints (q, d) and (g, e) of two lengths.

    Raises:
        ResightError: they are.
    """
    if gallery.shape[1] != queries.shape[1]:
        raise ResightError(
            f"queries have {queries.shape[1]} numbers a fingerprint, the gallery "
            f"{gallery.shape[1]}: they come from different models"
        )


def similarity_blocks(
    queries: Floats, gallery: Floats, block: int | None = None
) -> Iterator[tuple[slice, Floats]]:
    """Cosine similarities, float32 (rows, len(gallery)), a block of queries at a time.

    The array of a block is used again for the next one. Small sets are multiplied in double
    precision, so that equal photos tie exactly wherever they stand. In large ones the
    float32 product may part them by its rounding, some 1e-7.
    """
    same_width(queries, gallery)
    rows = block or max(1, min(1024, BLOCK_CELLS // len(gallery)))
    small = queries.size * len(gallery) <= _DOUBLE_UP_TO
    kind = np.float64 if small else np.float32
    left = queries.astype(kind, copy=False)
    right = np.ascontiguousarray(gallery.T, dtype=kind)
    out = np.empty((min(rows, len(queries)), len(gallery)), kind)
    for start in range(0, len(queries), rows):
        part = slice(start, min(start + rows, len(queries)))
        cells = np.matmul(left[part], right, out=out[: part.stop - part.start])
        yield part, cells.astype(np.float32, copy=False)


def strangers_before(matches: Floats, strangers: Floats) -> Ints:
    """Count, for every match, the strangers at least as similar.

    Args:
        matches: (m,) similarities, m > 0, in any order.
        strangers: (n,) similarities.

    Returns:
        the counts (m,), for the matches from most to least similar.
    """
    above = strangers >= matches.min()
    number = np.count_nonzero(above)
    if not number:
        return np.zeros(len(matches), np.int64)
    if number * 3 < strangers.size * 2:
        strangers = strangers.take(np.flatnonzero(above))
    ordered = np.sort(matches)
    if len(ordered) <= _FEW:
        counts = [np.count_nonzero(strangers >= match) for match in ordered[::-1]]
        return np.array(counts, np.int64)
    # numpy sorts float32 with the processor's vectors: it takes less than counting in buckets.
    return (len(strangers) - np.sort(strangers).searchsorted(ordered))[::-1]


@dataclass(frozen=True, slots=True)
class Ranked:
    """What the ranks of its matches say of each query; all arrays are (queries asked,).

    Attributes:
        index: positions of the queries that could be asked, ascending.
        individual: code of each one's individual, 0 … individuals - 1.
        first: rank of the first match (1 is best).
        ap: average precision.
        ap_at_r: MAP@R's share of the query.
        inp: inverse negative penalty, matches / rank of the last match.
        skipped: queries without a match to find.
    """

    index: Ints
    individual: Ints
    first: Ints
    ap: NDArray[np.float64]
    ap_at_r: NDArray[np.float64]
    inp: NDArray[np.float64]
    skipped: int


def rank_matches(
    queries: Floats,
    query_labels: Labels,
    gallery: Floats | None = None,
    gallery_labels: Labels | None = None,
    *,
    query_groups: Labels | None = None,
    gallery_groups: Labels | None = None,
    block: int | None = None,
    threads: int | None = None,
) -> Ranked:
    """Rank the matches of every query; see `resight.evaluate.metrics.retrieval` for the terms."""
    queries = unit_vectors(queries, "queries")
    codes: dict[Hashable, int] = {}
    encounters: dict[Hashable, int] = {}
    label_q = encode(query_labels, codes, len(queries), "queries")
    group_q = _encode_groups(query_groups, encounters, len(queries), "queries")
    alone = gallery is None
    if gallery is None:
        gallery, label_g, group_g = queries, label_q, group_q
    else:
        gallery = unit_vectors(gallery, "gallery")
        if gallery_labels is None:
            raise ResightError("gallery: its labels are missing")
        label_g = encode(gallery_labels, codes, len(gallery), "gallery")
        group_g = _encode_groups(gallery_groups, encounters, len(gallery), "gallery")

    # Sorted by individual and encounter, what a query must find or ignore is a run of columns.
    order_g = np.lexsort((group_g, label_g))
    gallery = gallery[order_g]
    key_g = label_g * (len(encounters) + 1) + group_g + 1
    key_q = label_q * (len(encounters) + 1) + group_q + 1
    runs = np.empty((len(queries), 4), np.int64)  # own from, own to, ignored from, ignored to
    for column, keys, asked_for in ((0, label_g, label_q), (2, key_g, key_q)):
        runs[:, column] = np.searchsorted(keys[order_g], asked_for, "left")
        runs[:, column + 1] = np.searchsorted(keys[order_g], asked_for, "right")
    place = np.empty(len(gallery), np.int64)
    place[order_g] = np.arange(len(gallery))
    loose = group_q < 0
    runs[loose, 2:] = np.stack((place, place + 1), axis=1)[loose] if alone else runs[loose, 1:2]
    matches = runs[:, 1] - runs[:, 0] - (runs[:, 3] - runs[:, 2])
    asked = np.flatnonzero(matches > 0)
    if not asked.size:
        raise ResightError(
            "no query has another photo of its individual to find in the gallery, "
            "so there is nothing to measure; individuals need two photos or more"
        )
    asked = asked[np.argsort(label_q[asked], kind="stable")]
    results = np.empty((len(asked), 4))

    def rank_row(row: Floats, query: int) -> tuple[float, float, float, float]:
        start, stop, skip_from, skip_to = runs[query]
        own = np.concatenate((row[start:skip_from], row[skip_to:stop]))
        before = strangers_before(own, np.concatenate((row[:start], row[stop:])))
        if not before[-1]:
            return 1.0, 1.0, 1.0, 1.0
        places = np.arange(1, len(own) + 1)
        ranks = places + before
        precision = places / ranks
        within = np.searchsorted(ranks, len(own), "right")
        return (
            float(ranks[0]),
            float(precision.mean()),
            float(precision[:within].sum() / len(own)),
            float(precision[-1]),
        )

    for part, cells in similarity_blocks(queries[asked], gallery, block):

        def rank_rows(rows: range, cells: Floats = cells, start: int = part.start) -> None:
            for row in rows:
                results[start + row] = rank_row(cells[row], asked[start + row])

        in_threads(rank_rows, len(cells), threads)

    back = np.argsort(asked)
    asked, results = asked[back], results[back]
    _, individual = np.unique(label_q[asked], return_inverse=True)
    return Ranked(
        index=asked,
        individual=individual.astype(np.int64),
        first=results[:, 0].astype(np.int64),
        ap=results[:, 1],
        ap_at_r=results[:, 2],
        inp=results[:, 3],
        skipped=len(queries) - len(asked),
    )


def in_threads(work: Callable[[range], None], rows: int, threads: int | None = None) -> None:
    """Share rows out among threads; numpy lets go of the interpreter where the time is spent."""
    workers = min(threads or os.cpu_count() or 1, max(1, rows // 8))
    if workers == 1:
        work(range(rows))
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, (range(at, rows, workers) for at in range(workers))))
