"""The evaluation of a catalogue by its own fingerprints: no photo is opened, no model is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from resight.errors import UnusablePhotos
from resight.evaluate.evaluation import Evaluation, evaluation
from resight.photos.encounters import encounter_numbers
from resight.photos.photo import Photo
from resight.photos.split import Split, split_photos
from resight.web.desk import Desk
from resight.web.jobs import Job
from resight.web.pictures import box_of

MOST_ASKED = 4_000  # photos that ask; of more, so many are drawn


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured.

    Attributes:
        revision: of the catalogue that it was measured on.
        found: the figures.
        ids: numbers of the photos that its positions mean.
        photos: those.
    """

    revision: int
    found: Evaluation
    ids: list[int]
    photos: list[Photo]


def measured(desk: Desk) -> Measured | None:
    """What was measured last in this review."""
    found: Measured | None = desk.memory.get("evaluation")
    return found


def evaluate_catalogue(desk: Desk, job: Job) -> None:
    """Measure how well the catalogue's photos find one another, and keep it on the desk.

    Some of the photos ask, whole days or encounters of them where those are known; the others are
    the gallery (see `split_photos`).

    Raises:
        UnusablePhotos: nobody to tell apart.
    """
    revision = desk.catalogue.revision()
    prints = desk.catalogue.prints()
    rows = np.flatnonzero(prints.individuals > 0)
    if len(np.unique(prints.individuals[rows])) < 2:
        raise UnusablePhotos("telling individuals apart takes two of them at least; name more")
    ids = prints.photos[rows].tolist()
    photos, hashes = [], []
    for start in range(0, len(ids), 2000):
        for one in desk.catalogue.shown(ids[start : start + 2000]):
            hashes.append(one.content_hash[:16])
            photos.append(
                Photo(
                    one.path,
                    one.individual,
                    encounter=one.encounter,
                    date=one.taken_at,
                    side=one.side,
                    box=box_of(one),
                )
            )
        job.tell("Reading", 0.3 * start / len(ids))
    met = encounter_numbers(photos)
    split = _fewer(split_photos(photos, seed=0))
    told = desk.catalogue.card.photos_seen
    seen = np.array([one in told for one in hashes], bool) if told else None
    job.tell(f"{len(split.query):,} photos ask {len(split.train):,} others", None)
    who = [photo.individual for photo in photos]
    taught = desk.catalogue.card.has_seen(who)
    found = evaluation(prints.take(rows), who, met, split, seen=seen, taught=taught)
    desk.memory["evaluation"] = Measured(revision, found, ids, photos)
    job.tell("Measured", 1.0, news=True)


def _fewer(split: Split) -> Split:
    """At most `MOST_ASKED` ask; the others of that side do nothing."""
    if len(split.query) <= MOST_ASKED:
        return split
    drawn = np.random.default_rng(0).permutation(len(split.query))
    kept, left = drawn[:MOST_ASKED], drawn[MOST_ASKED:]
    return replace(
        split,
        query=np.sort(split.query[kept]),
        dropped=np.sort(np.append(split.dropped, split.query[left])),
    )
