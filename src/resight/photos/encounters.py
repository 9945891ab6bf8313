"""Which photos were taken at one encounter, from what is written down of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from resight.photos.photo import Photo

Places = NDArray[np.int64]


def day_of(photo: Photo) -> date | None:
    """The day a photo was taken, by the clock its date is written in."""
    return None if photo.date is None else photo.date.date()


def encounter_numbers(photos: Sequence[Photo]) -> Places:
    """Number the encounters: photos with the same number may be near-copies of one another.

    An encounter is an individual's photos with the same `encounter`, or, where that is not given,
    of the same day. Photos without an encounter's name are taken to belong to whatever encounter
    of that individual has a photo of that day.

    Returns:
        int64 (n,), counted from 0 in the order of the photos; -1 where it is not known, which is
        where neither encounter nor date is given, or no individual.
    """
    unnamed = {
        (photo.individual, day_of(photo)) for photo in photos if not photo.encounter and photo.date
    }
    parent: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while (above := parent.setdefault(key, key)) != key:
            parent[key] = parent[above]
            key = above
        return key

    keys: list[Hashable | None] = []
    for photo in photos:
        day = (photo.individual, day_of(photo))
        key: Hashable | None = None
        if photo.individual is not None and photo.encounter:
            key = (photo.individual, "encounter", photo.encounter)
            if day in unnamed:
                parent[root(key)] = root(day)
        elif photo.individual is not None and photo.date is not None:
            key = day
        keys.append(key)
    numbers: dict[Hashable, int] = {}
    return np.array(
        [-1 if key is None else numbers.setdefault(root(key), len(numbers)) for key in keys],
        np.int64,
    )
