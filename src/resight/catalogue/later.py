"""Putting off: a photo that nobody can tell now goes to the end of the queue, for everybody."""

from __future__ import annotations

from resight.catalogue.journal import Done, acting
from resight.catalogue.meanwhile import Seen, check_as_seen
from resight.catalogue.refs import Refs, find_photos_here, not_junk, photo_rows
from resight.catalogue.store import Store
from resight.words import counted


def later(store: Store, photos: Refs, *, seen: Seen | None = None, who: str | None = None) -> Done:
    """Say that photos are to be decided later: they come last among those that wait for a name.

    Args:
        store: the open catalogue.
        photos: which.
        seen: the last decisions on them that were known; see `meanwhile`.
        who: says so.

    Raises:
        ResightError: a photo that is not there or is junk.
        DecidedMeanwhile: somebody has said something of it since.
    """
    found = find_photos_here(store, photos)
    with acting(store, "later", f"put off {counted(len(found), 'photo')}", who) as act:
        check_as_seen(store, act.connection, seen)
        for row in photo_rows(act.connection, found):
            not_junk(store, row)
        act.decide("later", found)
    return act.done
