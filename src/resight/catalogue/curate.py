"""An individual's own affairs: its best photo, a wrong photo taken out of it, and its end."""

from __future__ import annotations

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.checks import checked_name
from resight.catalogue.encounters import hand_over
from resight.catalogue.journal import Done, acting
from resight.catalogue.meanwhile import Seen, check_as_seen
from resight.catalogue.not_same import keep_apart, nearest_photo
from resight.catalogue.refs import (
    PhotoRef,
    Refs,
    find_photos_here,
    individual_id,
    not_junk,
    photo_rows,
)
from resight.catalogue.store import Store
from resight.errors import ResightError
from resight.words import counted


def best_photo(store: Store, photo: PhotoRef, *, who: str | None = None) -> Done:
    """Choose the photo that an individual is best known by; it stands for it from now on.

    It counts for as long as the photo is of this individual, and no junk.

    Raises:
        ResightError: a photo that is not there, is junk or has no name.
    """
    (found,) = find_photos_here(store, [photo])
    with acting(store, "best-photo", "", who) as act:
        (row,) = photo_rows(act.connection, [found])
        not_junk(store, row)
        if row.individual_id is None:
            raise ResightError(
                f"{store.whole_path(row.path)}: has no name yet; to give it one: resight name"
            )
        file = store.whole_path(row.path).name
        act.summary = f"chose the best photo of {row.name}: {file}"
        act.update(schema.individuals, [row.individual_id], best_photo_id=found)
        if not act.begun:
            act.summary = f"nothing to do: {file} is the best photo of {row.name} already"
    return act.done


def take_out(
    store: Store,
    model_id: str,
    individual: str,
    photos: Refs,
    *,
    seen: Seen | None = None,
    who: str | None = None,
) -> Done:
    """Say that photos are not of this individual, whosever they are: they wait for a name again.

    They stay out: each is from now on "not the same" as the individual's photo that is nearest to
    it. Where none is left, they only lose their name.

    Args:
        store: the open catalogue.
        model_id: of the fingerprints in use.
        individual: whose they were.
        photos: which.
        seen: the last decisions on them that were known; see `meanwhile`.
        who: says so.

    Raises:
        ResightError: nobody is called so, or a photo is not there, is junk, or is not of this
            individual.
        DecidedMeanwhile: somebody has said something of a photo since.
    """
    individual = checked_name(individual)
    found = find_photos_here(store, photos)
    summary = f"took {counted(len(found), 'photo')} out of {individual}"
    with acting(store, "take-out", summary, who) as act:
        check_as_seen(store, act.connection, seen)
        owner = individual_id(store, act.connection, individual)
        for row in photo_rows(act.connection, found):
            not_junk(store, row)
            if row.individual_id != owner:
                raise ResightError(
                    f"{store.whole_path(row.path)}: is not of {individual!r} but "
                    f"{'unnamed' if row.name is None else repr(row.name)}"
                )
        hand_over(act, found, None)
        act.decide("unknown", found, details={"was": individual})
        table = schema.photos
        left = act.connection.scalar(
            sa.select(sa.func.min(table.c.id)).where(
                table.c.individual_id == owner, table.c.state == "in"
            )
        )
        if left is not None:
            pairs = [(i, nearest_photo(act.connection, model_id, i, owner) or left) for i in found]
            keep_apart(act, pairs, [owner] * len(pairs))
    return act.done


def forget(store: Store, individual: str, *, who: str | None = None) -> Done:
    """Let go of an individual that has no photos; its name is free again.

    Junk that bears its name loses that.

    Raises:
        ResightError: nobody is called so, or there are photos of it.
    """
    individual = checked_name(individual)
    photos, meetings = schema.photos, schema.encounters
    with acting(store, "forget", f"let go of {individual}, who had no photos", who) as act:
        owner = individual_id(store, act.connection, individual)
        rows = act.connection.execute(
            sa.select(photos.c.id, photos.c.state)
            .where(photos.c.individual_id == owner, photos.c.state != "gone")
            .order_by(photos.c.id)
        ).all()
        here = sum(row.state == "in" for row in rows)
        if here:
            raise ResightError(
                f"{individual!r} has {counted(here, 'photo')}, and only who has none is let go "
                "of; if it is somebody else: resight merge, if nobody knows who it is: "
                "resight move --nobody"
            )
        if rows:
            act.summary = f"{act.summary} but {counted(len(rows), 'photo')} of junk"
            hand_over(act, [row.id for row in rows], None)
        empty = act.connection.scalars(
            sa.select(meetings.c.id).where(meetings.c.individual_id == owner, ~meetings.c.gone)
        ).all()
        act.update(meetings, empty, gone=True)
        act.update(schema.individuals, [owner], gone=True)
    return act.done
