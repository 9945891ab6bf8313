"""Whom each photo is nearest to: of its own individual, and of any other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError
from resight.evaluate.ranking import (
    Floats,
    Ints,
    encode,
    listed,
    missing,
    similarity_blocks,
    unit_vectors,
)
from resight.likeness import likeness


@dataclass(frozen=True, eq=False)
class Marked:
    """Photos as numbers.

    Attributes:
        vectors: float32 (n, d), of length 1.
        who: int64 (n,), code of each one's individual.
        names: the individuals, by code.
        group: int64 (n,), code of each one's encounter; a photo without one is its own.
        told: bool (n,), which photos say their encounter.
    """

    vectors: Floats
    who: Ints
    names: list[Any]
    group: Ints
    told: NDArray[np.bool_]


def mark(
    vectors: Floats,
    individuals: Sequence[Hashable] | NDArray[Any],
    encounters: Sequence[Hashable] | NDArray[Any] | None = None,
) -> Marked:
    """Check fingerprints (n, d) and their labels; an encounter of None, NaN or below 0 is none.

    Raises:
        ResightError: lengths that do not fit, or fingerprints that are not finite.
    """
    vectors = unit_vectors(vectors, "photos")
    codes: dict[Hashable, int] = {}
    who = encode(individuals, codes, len(vectors), "photos")
    values = [None] * len(vectors) if encounters is None else listed(encounters)
    if len(values) != len(vectors):
        raise ResightError(f"photos: {len(vectors)} fingerprints but {len(values)} encounters")
    groups: dict[Hashable, int] = {}
    told = np.array([not missing(value) and not _negative(value) for value in values], bool)
    keys: list[Hashable] = [
        (int(person), value) if there else (place,)
        for place, (person, value, there) in enumerate(zip(who, values, told, strict=True))
    ]
    group = np.array([groups.setdefault(key, len(groups)) for key in keys], np.int64)
    return Marked(vectors, who, list(codes), group, told)


def _negative(value: Any) -> bool:
    return isinstance(value, int) and value < 0


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest photos of each of q queries, all arrays (q,).

    Attributes:
        own, other: float32, cosine of the most similar photo of the query's own individual and of
            any other; -inf where there is none.
        own_at, other_at: int64, where these photos stand among all; -1 where there is none.
    """

    own: Floats
    own_at: Ints
    other: Floats
    other_at: Ints

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whose individual is in the gallery."""
        return self.own_at >= 0

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whose nearest photo shows their individual; as near as another's is not right."""
        return self.own > self.other

    @property
    def score(self) -> Floats:
        """Cosine of the nearest photo."""
        return np.maximum(self.own, self.other)

    @property
    def at(self) -> Ints:
        """Where the nearest photo stands."""
        return np.where(self.right, self.own_at, self.other_at)


def nearest(photos: Marked, queries: Ints, gallery: Ints, *, apart: bool) -> Nearest:
    """Find the nearest photos of each query in a gallery.

    Args:
        photos: all of them.
        queries, gallery: positions; a photo that is in both does not find itself.
        apart: whether the other photos of a query's encounter are passed over as well.
    """
    own, other = np.full((2, len(queries)), -np.inf, np.float32)
    own_at, other_at = np.full((2, len(queries)), -1, np.int64)
    if len(queries) and len(gallery):
        of_gallery = photos.who[gallery]
        skip = photos.group if apart else np.arange(len(photos.who))
        skip_gallery = skip[gallery]
        for part, cells in similarity_blocks(photos.vectors[queries], photos.vectors[gallery]):
            rows = np.arange(part.stop - part.start)
            asked = queries[part]
            same = photos.who[asked, None] == of_gallery
            skipped = skip[asked, None] == skip_gallery
            for out, out_at, where in (
                (own, own_at, same & ~skipped),
                (other, other_at, ~same & ~skipped),
            ):
                masked = np.where(where, cells, np.float32(-np.inf))
                best = masked.argmax(axis=1)
                out[part] = masked[rows, best]
                out_at[part] = np.where(np.isfinite(out[part]), gallery[best], -1)
    return Nearest(own, own_at, other, other_at)


def right_by_individual(
    photos: Marked, queries: Ints, gallery: Ints, *, apart: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Who is named right where individuals are ranked, each by all of its photos.

    Args:
        photos, queries, gallery, apart: as for `nearest`.

    Returns:
        bool (q,), whose own individual has the greatest `likeness` (as great as another's is not
        right), and bool (q,), whose individual is in the gallery.
    """
    right, known = np.zeros((2, len(queries)), bool)
    gallery = gallery[np.argsort(photos.who[gallery], kind="stable")]
    there, whose = np.unique(photos.who[gallery], return_inverse=True)
    if not len(queries) or not len(gallery):
        return right, known
    skip = photos.group if apart else np.arange(len(photos.who))
    for part, cells in similarity_blocks(photos.vectors[queries], photos.vectors[gallery]):
        asked = queries[part]
        cells = np.where(skip[asked, None] == skip[gallery], np.float32(-np.inf), cells)
        alike = likeness(cells, whose, len(there))
        mine = photos.who[asked, None] == there
        own = np.where(mine, alike, -np.inf).max(axis=1)
        known[part] = np.isfinite(own)
        right[part] = own > np.where(mine, -np.inf, alike).max(axis=1)
    return right, known
