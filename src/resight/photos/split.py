"""Splits that do not lie: which photos a model may learn from, and which ones ask.

A photo that asks has an easy time when its own near-copy, taken a second before, stands on the
other side: what is measured then is how well a model recognises a fence, a wave or a light. So
whole encounters, whole days or whole individuals change sides, and a random split says that it
flatters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from resight.errors import UnusablePhotos
from resight.photos.encounters import Places, encounter_numbers
from resight.photos.photo import Photo
from resight.photos.sides import DROPPED, QUERY, SIDES, TRAIN, Asked, By
from resight.words import counted

__all__ = ["WAYS", "By", "Split", "held_back", "split_photos"]

WAYS: tuple[By, ...] = get_args(By)
# The features of an ImageNet network (EfficientNet-Lite0), R@1, this module's splits with seed 0.
MEASURED = " (on 82 cows' faces the same network had R@1 0.30 at random and 0.15 by day)"


@dataclass(frozen=True)
class Split:
    """Two sides of a set of photos; every photo is in exactly one of the three arrays.

    Attributes:
        by: how they were split.
        train: positions, int64, ascending: what a model may be trained on, and the gallery of the
            evaluation (by "individual" it is not).
        query: positions of those that ask. Their individuals may be in `train` or be new.
        dropped: positions of those that serve neither side: photos without an individual, and
            photos of which it is not known whether they would leak from one side to the other.
        flatters: why what is measured on this split is too good, in a sentence; None when nothing
            is known against it.
    """

    by: By
    train: Places
    query: Places
    dropped: Places
    flatters: str | None


def split_photos(
    photos: Sequence[Photo],
    by: By | None = None,
    *,
    share: float = 0.25,
    until: date | None = None,
    since: date | None = None,
    seed: int = 0,
) -> Split:
    """Split photos into those that teach and those that ask.

    | by | who asks | how to evaluate |
    |---|---|---|
    | "given" | what the photos' `split` says | of `train` |
    | "encounter" | of each individual with two encounters or more, some whole encounters | of `train` |
    | "day" | all photos of some days | of `train`; some who ask may be new |
    | "date" | all photos from `since` on; `train` goes to `until` | likewise |
    | "individual" | all photos of some individuals | of one another, less their own encounter |
    | "open" | half of them: individuals that `train` lacks; half: the last encounters of others | of `train`, with the answer "new" |
    | "random" | some photos of each individual | of `train`; it flatters |

    For "individual" the asked photos are both sides of the evaluation: each is looked for among
    all the others, except those of its own encounter (see `encounter_numbers`).

    Args:
        photos: with their individuals, and what the split goes by.
        by: the way; None takes the first of given, day, encounter and random that the photos
            support, which needs a query whose individual is in `train`, and for day and encounter
            that half of the photos tell theirs.
        share: about how much asks, between 0 and 1: of the photos; by "individual" of the
            individuals.
        until: by "date", the last day that trains. Without `since`, the next day begins to ask;
            with neither, the days are chosen by `share`.
        since: by "date", the first day that asks.
        seed: of whatever is drawn.

    Raises:
        UnusablePhotos: the photos do not tell what this way needs, or one side would be empty.
    """  # noqa: E501
    if not 0 < share < 1:
        raise ValueError(f"the share lies between 0 and 1, not {share}")
    if by is not None and by not in WAYS:
        raise ValueError(f"by is one of {', '.join(WAYS)}, not {by!r}")
    if (until or since) and by != "date":
        raise ValueError('`until` and `since` are for by="date"')
    if not any(photo.individual for photo in photos):
        raise UnusablePhotos("no photo says which individual it shows; there is nothing to split")
    asked = Asked(photos, share, seed, until, since)
    if by is None:
        by, side = _first_that_serves(asked)
    else:
        side = SIDES[by](asked)
    train, query, dropped = (np.flatnonzero(side == which) for which in (TRAIN, QUERY, DROPPED))
    for places, what in ((train, "train on"), (query, "ask")):
        if not len(places):
            raise UnusablePhotos(f"split by {by}: no photo is left to {what}; split another way")
    return Split(by, train, query, dropped, _flatters(f"split by {by}", by, side, asked.encounters))


def held_back(photos: Sequence[Photo], seen: NDArray[np.bool_]) -> Split | None:
    """The photos that a model was trained on, and the others, which ask.

    Args:
        photos: (n,) each with its individual.
        seen: (n,) which of them taught.

    Returns:
        None where this is no measure of the model: nobody taught or nobody did not, fewer than
        two individuals taught, or fewer than half of the photos that ask show one of these, as
        where a new folder has some old photos in it.
    """
    sides = np.where(seen, TRAIN, QUERY)
    who = np.array([photo.individual for photo in photos], object)
    taught = set(who[seen].tolist())
    known = [one in taught for one in who[~seen].tolist()]
    if len(taught) < 2 or 2 * sum(known) < len(known) or not known:
        return None
    # Training draws what it holds back by chance.
    against = _flatters("split as in training", "random", sides, encounter_numbers(photos))
    train, query = np.flatnonzero(seen), np.flatnonzero(~seen)
    return Split("given", train, query, np.empty(0, np.int64), against)


def _first_that_serves(asked: Asked) -> tuple[By, Places]:
    told = {
        "given": asked.labelled if any(photo.split for photo in asked.photos) else 0,
        "day": int((asked.days >= 0).sum()),
        "encounter": int((asked.encounters >= 0).sum()),
    }
    ways: tuple[By, ...] = ("given", "day", "encounter")
    for by in ways:
        if 2 * told[by] < asked.labelled:
            continue
        try:
            side = SIDES[by](asked)
        except UnusablePhotos:
            if by == "given":  # a slip in a column that is there is not to be passed over
                raise
            continue
        if np.isin(asked.individuals[side == QUERY], asked.individuals[side == TRAIN]).any():
            return by, side
    return "random", SIDES["random"](asked)


def _flatters(how: str, by: By, side: Places, encounters: Places) -> str | None:
    """What is to be said against a split, from the encounters that stand on both sides."""
    if by == "individual":
        return None
    queries = encounters[side == QUERY]
    leaked = int(np.isin(queries[queries >= 0], encounters[side == TRAIN]).sum())
    unknown = int((queries < 0).sum())
    if leaked:
        why = (
            f"{leaked:,} of {counted(len(queries), 'asked photo')} have photos of their own "
            "encounter on the other side"
        )
    elif unknown and by in ("random", "open"):
        why = (
            "nothing tells which photos are of one encounter, so near-copies may stand on both "
            "sides"
        )
    else:
        return None
    return f"{how}: {why}; what is measured is too good" + (MEASURED if leaked else "")
