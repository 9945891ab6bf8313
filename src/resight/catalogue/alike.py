"""Who may be the same individual as another: suggestions for a merge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from resight.catalogue.asking import kept_queries
from resight.catalogue.identify import Answer, Asking, identify_encounter
from resight.catalogue.questions import MOST_TOGETHER
from resight.catalogue.refs import individual_id
from resight.errors import ResightError


@dataclass(frozen=True, slots=True)
class Alike:
    """Who may be the same individual as another.

    Attributes:
        answer: the others, the likeliest first.
        pairs: for each photo of a candidate, by its number, that of the individual's own photo
            which is nearest to it.
    """

    answer: Answer
    pairs: dict[int, int]


def alike(how: Asking, individual: str) -> Alike:
    """Ask who is on an individual's photos, all of them together, when it is not itself.

    Whoever somebody has said it is not is left out. Of many photos some speak for all, spread over
    the time in which they were enrolled.

    Args:
        how: to ask, of the whole catalogue.
        individual: its name.

    Raises:
        ResightError: nobody is called so, or no photo of it has a fingerprint.
        UnusableCatalogue: there is nobody else.
    """
    with how.store.reading() as connection:
        owner = individual_id(how.store, connection, individual)
    whole = how.gallery
    mine = whole.rows_with("individual", owner)
    mine = mine[whole.searched[mine]]
    everything = whole.photo_ids[mine].tolist()
    if not len(mine):
        raise ResightError(
            f"{individual!r} has no photo with a fingerprint of the model in use, so there is "
            "nothing to compare; to make it: resight refingerprint"
        )
    spread = np.linspace(0, len(mine) - 1, min(len(mine), MOST_TOGETHER))
    mine = mine[np.unique(spread.astype(np.int64))]
    others = whole.searched & (whole.individual_ids != owner)
    how = replace(how, gallery=whole.only(whole.photo_ids[others]))
    ids, vectors = whole.photo_ids[mine], whole.take(mine)
    first, *rest = kept_queries(how.store, ids.tolist())
    # Whoever is not the same as any of its photos is left out, those that are not asked included.
    queries = [replace(first, enrolled=everything), *rest]
    answer = identify_encounter(how, vectors, queries)
    theirs = whole.rows_of(match.photo for one in answer.candidates for match in one.photos)
    nearest = (vectors @ whole.take(theirs).T).argmax(axis=0)
    pairs = zip(whole.photo_ids[theirs].tolist(), ids[nearest].tolist(), strict=True)
    return Alike(answer, dict(pairs))
