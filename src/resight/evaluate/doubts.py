"""Names that the fingerprints doubt: photos nearer to others than to their own individual.

A photo is doubted where those that are most like it, its own encounter left out, carry another name
and it is less like any other photo of its own individual. An outlier is a photo that is like no
other at all. Both are only to be looked at: a photo may be doubted because it is a poor one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from resight.evaluate.ranking import Floats, Ints, similarity_blocks

NEAR = 32  # nearest photos that are kept of each
ASKED = 5  # of them, others' than the encounter's, that are asked for their names
MOST_OF = 0.6  # of those have to agree on another name
FAR_OUT = 3.0  # times the middle half's width beyond it (Tukey, "Exploratory Data Analysis", 1977)


@dataclass(frozen=True, eq=False)
class Near:
    """The nearest other photos of each of n photos, nearest first.

    Attributes:
        places: int64 (n, k), where they stand among the n; -1 where there are fewer.
        cosines: float32 (n, k); -inf where there are fewer.
    """

    places: Ints
    cosines: Floats


@dataclass(frozen=True, slots=True)
class Doubt:
    """A name that the fingerprints doubt.

    Attributes:
        place: where the photo stands.
        other: code of the individual that its nearest photos show.
        nearest: where the nearest of those stands.
        own: where the nearest photo of its own individual stands.
        cosine, own_cosine: of the two.
        agreeing, asked: how many of the nearest that were asked carry the other's name.
    """

    place: int
    other: int
    nearest: int
    own: int
    cosine: float
    own_cosine: float
    agreeing: int
    asked: int


def nearest_few(
    vectors: Floats, k: int = NEAR, *, progress: Callable[[float], None] | None = None
) -> Near:
    """Find the k nearest other photos of each, exactly.

    Args:
        vectors: float32 (n, d), of length 1.
        k: how many.
        progress: told how far it is, from 0 to 1.
    """
    count = len(vectors)
    k = min(k, count - 1)
    if k < 1:
        return Near(np.empty((count, 0), np.int64), np.empty((count, 0), np.float32))
    places = np.empty((count, k), np.int64)
    cosines = np.empty((count, k), np.float32)
    for part, cells in similarity_blocks(vectors, vectors):
        rows = np.arange(part.stop - part.start)
        cells[rows, np.arange(part.start, part.stop)] = -np.inf
        found = np.argpartition(cells, count - k, axis=1)[:, count - k :]
        values = np.take_along_axis(cells, found, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        places[part] = np.take_along_axis(found, order, axis=1)
        cosines[part] = np.take_along_axis(values, order, axis=1)
        if progress is not None:
            progress(part.stop / count)
    return Near(places, cosines)


def doubts(
    near: Near,
    vectors: Floats,
    who: Ints,
    encounters: Ints,
    *,
    apart: Collection[tuple[int, int]] = (),
    most: int = 60,
) -> list[Doubt]:
    """Find the names that are doubted most, those first that are furthest from their own.

    Args:
        near: of the n photos.
        vectors: float32 (n, d), of length 1.
        who: int64 (n,), code of each one's individual, 1 or more; 0 for nobody.
        encounters: int64 (n,), code of each one's encounter; 0 for none.
        apart: (place, individual) of which somebody has said that they are not the same.
        most: how many.
    """
    members: dict[int, Ints] = {}
    found = []
    if not near.places.shape[1]:
        return []
    theirs = np.where(near.places >= 0, who[near.places], 0)
    same = (encounters[near.places] == encounters[:, None]) & (encounters[:, None] > 0)
    asked_of = (theirs > 0) & ~same
    # Those whose nearest photo outside the encounter carries another name, and none else.
    first = asked_of.argmax(axis=1)
    rows = np.arange(len(who))
    suspects = np.flatnonzero((who > 0) & asked_of.any(axis=1) & (theirs[rows, first] != who))
    for place in suspects.tolist():
        few = np.flatnonzero(asked_of[place])[:ASKED]
        other = int(theirs[place, few[0]])
        agreeing = int((theirs[place, few] == other).sum())
        if agreeing < MOST_OF * len(few) or (place, other) in apart:
            continue
        me = int(who[place])
        mine = members.setdefault(me, np.flatnonzero(who == me))
        mine = mine[
            (mine != place) & ((encounters[mine] != encounters[place]) | (encounters[mine] == 0))
        ]
        if not len(mine):
            continue  # its only encounter: there is nothing that it should be near to
        likeness = vectors[mine] @ vectors[place]
        best = int(likeness.argmax())
        cosine = float(near.cosines[place, few[0]])
        if likeness[best] < cosine:
            found.append(
                Doubt(
                    place,
                    other,
                    int(near.places[place, few[0]]),
                    int(mine[best]),
                    cosine,
                    float(likeness[best]),
                    agreeing,
                    len(few),
                )
            )
    found.sort(key=lambda one: (one.own_cosine - one.cosine, one.place))
    return found[:most]


def outliers(near: Near, encounters: Ints, *, most: int = 24) -> list[tuple[int, float]]:
    """Photos that are like no other: (place, cosine of the nearest), the loneliest first.

    The nearest of another encounter, since what is usual would else be the near-copies.

    Args:
        near: of the n photos.
        encounters: int64 (n,), code of each one's encounter; 0 for none.
        most: how many.
    """
    if len(near.places) < 8 or not near.places.shape[1]:
        return []
    same = (encounters[near.places] == encounters[:, None]) & (encounters[:, None] > 0)
    # Where all that are kept are of its encounter, the last of them is as near as any other.
    first = np.where(same.all(axis=1), same.shape[1] - 1, same.argmin(axis=1))
    distance = 1 - near.cosines[np.arange(len(first)), first].astype(np.float64)
    low, high = np.quantile(distance, (0.25, 0.75))
    far = np.flatnonzero(distance > high + FAR_OUT * max(high - low, 1e-3))
    order = far[np.argsort(-distance[far], kind="stable")][:most]
    return [(int(place), float(1 - distance[place])) for place in order]
