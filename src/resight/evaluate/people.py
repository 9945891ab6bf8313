"""Individual by individual: who is found, who is taken for whom, and the worst mistakes."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from resight.evaluate.nearest import Marked, Nearest
from resight.evaluate.ranking import Ints

CONFUSIONS = 12
STRANGERS = 6
_OF_A_PAIR = 2  # confusions of the same two, at most: one mistake is not to fill the page


@dataclass(frozen=True, slots=True)
class Person:
    """What became of an individual's queries.

    Attributes:
        name: who.
        gallery: photos in the gallery; 0 of somebody new.
        asked: queries.
        found: queries whose nearest photo shows the individual.
        taken_for: whom the others are nearest to most often; None where none is.
        times: how often.
        called_new: queries answered "new" at the threshold; None without one.
    """

    name: Any
    gallery: int
    asked: int
    found: int
    taken_for: Any
    times: int
    called_new: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            key: str(value) if key in ("name", "taken_for") and value is not None else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Confusion:
    """A query that is nearer to somebody else.

    Attributes:
        query, nearest: where they stand among the photos.
        right: where the most similar photo of the query's own individual stands; -1 of one who is
            not in the gallery.
        similarity, right_similarity: cosines of the two; the latter NaN where there is none.
    """

    query: int
    nearest: int
    right: int
    similarity: float
    right_similarity: float


def by_person(
    photos: Marked, queries: Ints, gallery: Ints, found: Nearest, threshold: float | None
) -> list[Person]:
    """Count for every individual that is asked for; the least well found ones first."""
    held = Counter(photos.who[gallery].tolist())
    people = []
    for person in np.unique(photos.who[queries]).tolist():
        rows = np.flatnonzero(photos.who[queries] == person)
        right = found.right[rows]
        others = photos.who[found.other_at[rows[~right & (found.other_at[rows] >= 0)]]]
        common = Counter(others.tolist()).most_common(1)
        known = bool(found.known[rows].any())
        people.append(
            Person(
                photos.names[person],
                held[person] if known else 0,
                len(rows),
                int(right.sum()),
                photos.names[common[0][0]] if common else None,
                common[0][1] if common else 0,
                None if threshold is None else int((found.score[rows] < threshold).sum()),
            )
        )
    return sorted(people, key=lambda p: (p.gallery == 0, p.found / p.asked, -p.asked, str(p.name)))


def worst_confusions(
    photos: Marked, queries: Ints, found: Nearest
) -> tuple[list[Confusion], list[Confusion]]:
    """Find the surest mistakes.

    Returns:
        those of queries whose individual is in the gallery, by how much nearer the wrong one is;
        and those of new ones, by how near it is, one of each.
    """
    margin = found.other.astype(np.float64) - np.where(found.known, found.own, np.inf)
    wrong = np.flatnonzero(found.known & ~found.right)
    known: list[Confusion] = []
    pairs: Counter[tuple[int, int]] = Counter()
    for row in wrong[np.argsort(-margin[wrong], kind="stable")].tolist():
        one, other = int(photos.who[queries[row]]), int(photos.who[found.other_at[row]])
        pair = (min(one, other), max(one, other))
        pairs[pair] += 1
        if pairs[pair] <= _OF_A_PAIR and len(known) < CONFUSIONS:
            known.append(_confusion(queries, found, row))
    new = np.flatnonzero(~found.known & (found.other_at >= 0))
    strangers: dict[int, Confusion] = {}
    for row in new[np.argsort(-found.other[new], kind="stable")].tolist():
        if len(strangers) < STRANGERS:
            strangers.setdefault(int(photos.who[queries[row]]), _confusion(queries, found, row))
    return known, list(strangers.values())


def _confusion(queries: Ints, found: Nearest, row: int) -> Confusion:
    known = found.own_at[row] >= 0
    return Confusion(
        int(queries[row]),
        int(found.other_at[row]),
        int(found.own_at[row]),
        float(found.other[row]),
        float(found.own[row]) if known else float("nan"),
    )
