"""What people say of photos and individuals: name, rename, merge, split, move, junk.

Each function is one action, can be taken back, and says what it did. None of them guesses: a merge
is asked for by name, and what contradicts a person's word is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.apart import check_apart
from resight.catalogue.checks import checked_name
from resight.catalogue.encounters import adopt, hand_over
from resight.catalogue.journal import Action, Done, acting
from resight.catalogue.meanwhile import Seen, check_as_seen
from resight.catalogue.refs import (
    Refs,
    find_photos_here,
    individual_id,
    not_junk,
    photo_rows,
)
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError
from resight.words import counted


def name(
    store: Store,
    photos: Refs,
    individual: str,
    *,
    alone: bool = False,
    known: bool | None = None,
    shown: Any = None,
    probability: float | None = None,
    seen: Seen | None = None,
    who: str | None = None,
) -> Done:
    """Say who is on photos that have no name yet; a new name makes a new individual.

    Args:
        store: the open catalogue.
        photos: which; and with each of them all of its unnamed encounter.
        individual: its name, new or known.
        alone: only these photos, not the others of their encounters.
        known: whether the individual must be there already (True) or must not (False).
        shown: the candidates that the person saw, ready for JSON.
        probability: that was shown with the individual.
        seen: the last decisions on the photos that were known; see `meanwhile`.
        who: says so.

    Raises:
        ResightError: a photo that is not there, is junk, has another name, or is "not the same" as
            one of this individual; an individual that is there, or is not, against `known`.
    """
    individual = checked_name(individual)
    found = find_photos_here(store, photos)
    with acting(store, "name", "", who) as act:
        check_as_seen(store, act.connection, seen)
        rows = photo_rows(act.connection, found)
        for row in rows:
            not_junk(store, row)
            if row.name not in (None, individual):
                raise ResightError(
                    f"{store.whole_path(row.path)}: is {row.name!r} already; if that is wrong: "
                    "resight move"
                )
        unnamed = [row for row in rows if row.name is None]
        mates = set() if alone else _mates(act.connection, unnamed)
        ids = sorted({row.id for row in unnamed} | mates)
        if ids:
            there = _id_of(act.connection, individual)
            if known is not None and known != (there is not None):
                now = "is somebody else by now" if there else "is nobody's name any more"
                raise ResightError(f"{individual!r} {now}; nothing was named so")
            act.summary = f"named {counted(len(ids), 'photo')}: {individual}"
            owner = there or _new_individual(act, individual)
            hand_over(act, ids, owner)
            what = "same" if there else "new"
            act.decide(what, ids, owner, shown=shown, probability=probability)
            check_apart(store, act.connection, ids)
        else:
            act.summary = f"nothing to do: {individual} it is already"
    return replace(act.done, along=len(mates - {row.id for row in unnamed}))


def rename(store: Store, old: str, new: str, *, who: str | None = None) -> Done:
    """Give an individual another name.

    Raises:
        ResightError: nobody is called `old`, or somebody else is called `new`.
    """
    old, new = checked_name(old), checked_name(new)
    with acting(store, "rename", f"renamed {old} to {new}", who) as act:
        owner = individual_id(store, act.connection, old)
        if _id_of(act.connection, new) not in (None, owner):
            raise ResightError(
                f"{new!r} is somebody else in {store.place}; if they are the same: "
                "resight merge, otherwise choose another name"
            )
        act.update(schema.individuals, [owner], name=new)
        if not act.begun:
            act.summary = f"nothing to do: {new} it is already"
    return act.done


def merge(store: Store, individual: str, *, into: str, who: str | None = None) -> Done:
    """Say that two individuals are one: all of the first becomes the second's.

    Encounters go along; two of one name are one meeting unless what is known of them differs. The
    notes are put together; of fields that both have, those of `into` stand, and so does its best
    photo.

    Raises:
        ResightError: nobody is called so, both are the same name, or photos of the two are "not
            the same" or boxes of one picture.
    """
    individual, into = checked_name(individual), checked_name(into)
    people, photos, encounters = schema.individuals, schema.photos, schema.encounters
    with acting(store, "merge", f"merged {individual} into {into}", who) as act:
        one = individual_id(store, act.connection, individual)
        other = individual_id(store, act.connection, into)
        if one == other:
            raise ResightError(f"{into!r} cannot be merged with itself; give two names")
        ids = act.connection.scalars(
            sa.select(photos.c.id)
            .where(photos.c.individual_id == one, photos.c.state != "gone")
            .order_by(photos.c.id)
        ).all()
        loose = act.connection.scalars(
            sa.select(photos.c.id).where(
                photos.c.individual_id == one,
                photos.c.encounter_id.is_(None),
                photos.c.state != "gone",
            )
        ).all()
        theirs = act.connection.scalars(
            sa.select(encounters.c.id)
            .where(encounters.c.individual_id == one, ~encounters.c.gone)
            .order_by(encounters.c.id)
        ).all()
        adopt(act, theirs, other)
        act.update(photos, loose, individual_id=other)
        rows = {
            i: act.connection.execute(sa.select(people).where(people.c.id == i)).one()
            for i in (one, other)
        }
        act.update(people, [other], **_both(rows[other], rows[one]))
        act.update(people, [one], gone=True)
        act.decide("merge", ids, other, details={"was": individual})
        check_apart(store, act.connection, ids)
    return act.done


def split(
    store: Store,
    individual: str,
    photos: Refs,
    *,
    new: str,
    seen: Seen | None = None,
    who: str | None = None,
) -> Done:
    """Say that some photos of an individual show another, who is new.

    Args:
        store: the open catalogue.
        individual: whose they were.
        photos: which.
        new: the name of whom they show.
        seen: the last decisions on them that were known; see `meanwhile`.
        who: says so.

    Raises:
        ResightError: nobody is called so, a photo is not of this individual, all of its photos are
            given, or somebody is called `new` already.
    """
    individual, new = checked_name(individual), checked_name(new)
    found = find_photos_here(store, photos)
    with acting(
        store, "split", f"split {counted(len(found), 'photo')} of {individual}: {new}", who
    ) as act:
        check_as_seen(store, act.connection, seen)
        owner = individual_id(store, act.connection, individual)
        if _id_of(act.connection, new) is not None:
            raise ResightError(
                f"{new!r} is there already; to give it photos: resight move, or choose another name"
            )
        for row in photo_rows(act.connection, found):
            if row.individual_id != owner:
                raise ResightError(
                    f"{store.whole_path(row.path)}: is not of {individual!r} but "
                    f"{'unnamed' if row.name is None else repr(row.name)}"
                )
        table = schema.photos
        left = act.connection.scalar(
            sa.select(sa.func.count()).where(
                table.c.individual_id == owner, table.c.state == "in", table.c.id.not_in(found)
            )
        )
        if not left:
            raise ResightError(
                f"these are all photos of {individual!r}, so nothing is split; "
                "for another name: resight rename"
            )
        newcomer = _new_individual(act, new)
        hand_over(act, found, newcomer)
        act.decide("split", found, newcomer, details={"was": individual})
    return act.done


def move(
    store: Store,
    photos: Refs,
    to: str | None,
    *,
    shown: Any = None,
    probability: float | None = None,
    seen: Seen | None = None,
    who: str | None = None,
) -> Done:
    """Say that photos are of another individual than the catalogue has it, or of nobody known.

    Args:
        store: the open catalogue.
        photos: which; they have a name.
        to: an individual that is there; None takes their name from them.
        shown: the candidates that the person saw, ready for JSON.
        probability: that was shown with the individual.
        seen: the last decisions on the photos that were known; see `meanwhile`.
        who: says so.

    Raises:
        ResightError: a photo that is not there, is junk or has no name, nobody is called so, or a
            photo is "not the same" as one of that individual.
    """
    to = None if to is None else checked_name(to)
    found = find_photos_here(store, photos)
    with acting(store, "move", "", who) as act:
        check_as_seen(store, act.connection, seen)
        owner = None if to is None else individual_id(store, act.connection, to)
        rows = photo_rows(act.connection, found)
        for row in rows:
            not_junk(store, row)
            if row.name is None and to is not None:
                raise ResightError(
                    f"{store.whole_path(row.path)}: has no name yet; to give it one: resight name"
                )
        moving = [row for row in rows if row.individual_id != owner]
        if moving:
            ids = [row.id for row in moving]
            origins = ", ".join(dict.fromkeys(row.name for row in moving))
            act.summary = (
                f"moved {counted(len(ids), 'photo')} of {origins} to {to or 'the unnamed'}"[:2000]
            )
            hand_over(act, ids, owner)
            details = [{"was": row.name} for row in moving]
            what = "same" if to is not None else "unknown"
            act.decide(what, ids, owner, shown=shown, probability=probability, details=details)
            check_apart(store, act.connection, ids)
        else:
            act.summary = f"nothing to do: {to or 'unnamed'} it is already"
    return act.done


def junk(
    store: Store,
    photos: Refs,
    *,
    back: bool = False,
    seen: Seen | None = None,
    who: str | None = None,
) -> Done:
    """Say that photos are good for nothing (blurred, empty): nobody is shown them again.

    Args:
        store: the open catalogue.
        photos: which.
        back: they are good after all, and come back to where they were.
        seen: the last decisions on them that were known; see `meanwhile`.
        who: says so.

    Raises:
        ResightError: a photo that is not there; one that cannot come back beside another of its
            individual.
    """
    found = find_photos_here(store, photos)
    with acting(store, "junk", "", who) as act:
        check_as_seen(store, act.connection, seen)
        here, there = ("junk", "in") if back else ("in", "junk")
        ids = [row.id for row in photo_rows(act.connection, found) if row.state == here]
        if ids and back:
            act.summary = f"took {counted(len(ids), 'photo')} back out of the junk"
        elif ids:
            act.summary = f"marked {counted(len(ids), 'photo')} as junk"
        else:
            act.summary = "nothing to do: it is so already"
        act.update(schema.photos, ids, state=there)
        act.decide("not junk" if back else "junk", ids)
        check_apart(store, act.connection, ids)
    return act.done


def _id_of(connection: sa.Connection, individual: str) -> int | None:
    table = schema.individuals
    return connection.scalar(sa.select(table.c.id).where(table.c.name == individual, ~table.c.gone))


def _new_individual(act: Action, individual: str) -> int:
    (made,) = act.insert(schema.individuals, [{"name": individual, "added_at": act.now}])
    return made


def _mates(connection: sa.Connection, rows: Sequence[Any]) -> set[int]:
    """The photos of these photos' encounters."""
    photos = schema.photos
    mates: set[int] = set()
    for some in chunks(sorted({row.encounter_id for row in rows if row.encounter_id is not None})):
        mates |= set(
            connection.scalars(
                sa.select(photos.c.id).where(
                    photos.c.encounter_id.in_(some), photos.c.state == "in"
                )
            )
        )
    return mates


def _both(into: Any, other: Any) -> dict[str, Any]:
    """What is known of two individuals that are one; nothing that was written is lost."""
    fields = {**(other.fields or {}), **(into.fields or {})}
    lost = [
        f"{other.name}: {key} = {value}"
        for key, value in (other.fields or {}).items()
        if fields[key] != value
    ]
    notes = "\n".join(part for part in (into.notes, other.notes, *lost) if part)
    best = other.best_photo_id if into.best_photo_id is None else into.best_photo_id
    return {"notes": notes, "fields": fields or None, "best_photo_id": best}
