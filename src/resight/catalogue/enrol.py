"""Photos come in: with a name (enrol) or before anyone knows it (add). All of a call, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.apart import check_apart
from resight.catalogue.checks import none_readable
from resight.catalogue.correct import correct, differing
from resight.catalogue.encounters import DETAILS, Home, encounter_ids, hand_over, hide_empty
from resight.catalogue.incoming import (
    Fingerprint,
    Incoming,
    Key,
    checked_photo,
    facts,
    keep_fingerprints,
    look_up,
    make_fingerprints,
    photo_keys,
)
from resight.catalogue.journal import Action, acting
from resight.catalogue.own_model import check_in_use
from resight.catalogue.search import Vectors
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.photo import Photo
from resight.words import counted


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What an enrolment did.

    Attributes:
        individuals: whose photos they were, each name once, in the order given.
        added: how many photos are new in the catalogue, or have come back to it.
        already: how many were there before, under the same name or none.
        unreadable: the errors of the others; each names its file and says why.
        named: how many of those that were there had no name, and now have.
        junk: photos passed over because somebody has said that they are junk.
        action: its number, to take it back by; None when there was nothing to do.
        moved: how many that were there were found at a new place, which is noted.
        differing: how many that were there were given with another date, side or encounter, and
            were put right with `update`.
    """

    individuals: tuple[str, ...]
    added: int
    already: int
    unreadable: tuple[UnreadablePhoto, ...] = ()
    named: int = 0
    junk: tuple[Path, ...] = ()
    action: int | None = None
    moved: int = 0
    differing: int = 0

    @property
    def individual(self) -> str:
        """The name, where there is only one."""
        (name,) = self.individuals
        return name


def enrol(
    store: Store,
    model_id: str,
    photos: Sequence[Photo],
    *,
    vectors: Vectors | None,
    fingerprint: Fingerprint,
    verb: str = "enrol",
    even_junk: bool = False,
    update: bool = False,
    who: str | None = None,
    progress: bool = False,
) -> Enrolled:
    """Write photos, their fingerprints and the decisions to name them so into the catalogue.

    Args:
        store: the open catalogue.
        model_id: of the model that makes the fingerprints.
        photos: those with an individual get its name, those without come in unnamed.
        vectors: float32 (n, dim) unit vectors of the photos, checked; or None to make them.
        fingerprint: makes them; asked only for photos whose fingerprint is not there yet.
        verb: "enrol" or "add", for the history.
        even_junk: take back in what somebody has said is junk, with the name that it had.
        update: of photos that are there, write what is given over what is kept; not the name.
        who: does it.
        progress: show a bar on stderr.

    Raises:
        UnreadablePhoto: the only photo cannot be read.
        ResightError: none can be read, a name that cannot be one, a photo that is enrolled under
            another name, that is junk (an unnamed one is passed over), or that somebody has said
            is not the same as one of that individual. Nothing has been written then.
    """
    explicit = [bool(photo.encounter) for photo in photos]
    photos = [checked_photo(photo) for photo in photos]
    if not photos:
        raise none_readable([], 0)
    keys, unreadable = photo_keys(photos)
    some: dict[Key, Incoming] = {}
    for place, key in keys.items():
        one = some.setdefault(key, Incoming(photos[place], key, explicit=explicit[place]))
        _one_name(photos[place], one.photo)
        if one.photo.individual is None:
            one.photo, one.explicit = photos[place], explicit[place]
        if vectors is not None and one.vector is None:
            one.vector = vectors[place]
    with store.reading() as connection:
        junk = look_up(connection, model_id, some, even_junk)
    if vectors is None:
        unreadable += make_fingerprints(store, model_id, some, fingerprint, progress=progress)
    readable = [place for place, key in keys.items() if key in some]
    if not readable and not junk:
        raise none_readable(unreadable, len(photos))
    with acting(store, verb, "", who) as act:
        check_in_use(act.connection, store, model_id)
        # Others may have written while the fingerprints were made.
        junk += look_up(act.connection, model_id, some, even_junk)
        readable = [place for place in readable if keys[place] in some]
        news = [one for one in some.values() if one.row is None or one.row.state != "in"]
        named = [
            one
            for one in some.values()
            if one.photo.individual
            and one.row is not None
            and (one.row.state, one.row.name) == ("in", None)
        ]
        others = differing(list(some.values()))
        act.summary = _summary(news, named, len(others) if update else 0)
        if update:
            correct(act, others)
        _write(store, act, model_id, news, named)
        moved = _follow_files(store, act, [one for one in some.values() if one.row is not None])
    return Enrolled(
        tuple(dict.fromkeys(p for place in readable if (p := photos[place].individual))),
        len(news),
        len(readable) - len(news),
        tuple(unreadable),
        len(named),
        tuple(junk),
        act.done.action,
        moved,
        len(others),
    )


def _summary(news: Sequence[Incoming], named: Sequence[Incoming], corrected: int) -> str:
    several = [*news, *named]
    names = list(dict.fromkeys(one.photo.individual for one in several if one.photo.individual))
    also = counted(corrected, "photo")
    if not several:
        return f"corrected {also}" if corrected else "noted where files have moved to"
    more = f", and corrected {also}" if corrected else ""
    count = counted(len(several), "photo")
    if not names:
        return f"added {count}{more}"
    whom = names[0] if len(names) == 1 else f"{len(names):,} individuals"
    return f"enrolled {count} of {whom}{more}"


def _write(
    store: Store,
    act: Action,
    model_id: str,
    news: Sequence[Incoming],
    named: Sequence[Incoming],
) -> None:
    junk = [one for one in news if one.row is not None and one.row.state == "junk"]
    news = [one for one in news if one.row is None or one.row.state != "junk"]
    _take_out_of_junk(act, model_id, junk)
    named = [*named, *(one for one in junk if one.photo.individual and one.row.name is None)]
    whose = individual_ids(act, [one.photo.individual for one in (*news, *named)])
    moved = [one for one in named if one.photo.encounter]
    for individual in dict.fromkeys(one.photo.individual for one in named):
        mine = [one for one in named if one.photo.individual == individual]
        hand_over(act, [o.row.id for o in mine if not o.photo.encounter], whose[individual])
    encounters = encounter_ids(act, _encounters([*news, *moved], whose))

    def home(one: Incoming) -> dict[str, int | None]:
        owner = whose[one.photo.individual]
        return {
            "individual_id": owner,
            "encounter_id": encounters.get((owner, one.photo.encounter or "")),
        }

    new = [one for one in news if one.row is None]
    rows = [facts(store, one) | home(one) | {"added_at": act.now} for one in new]
    ids = act.insert(schema.photos, rows)
    keep_fingerprints(act.connection, model_id, dict(zip(ids, new, strict=True)))
    back = [one for one in news if one.row is not None]
    if back:
        values = [facts(store, one) | home(one) | {"added_at": act.now} for one in back]
        columns = {name: [value[name] for value in values] for name in values[0]}
        act.update(schema.photos, [one.row.id for one in back], state="in", **columns)
        bare = [one for one in back if one.row.fingerprint_id is None and one.vector is not None]
        keep_fingerprints(act.connection, model_id, {one.row.id: one for one in bare})
    if moved:
        homes = [home(one) for one in moved]
        columns = {name: [value[name] for value in homes] for name in homes[0]}
        act.update(schema.photos, [one.row.id for one in moved], **columns)
        hide_empty(act, [one.row.encounter_id for one in moved])
    all_ids = [*ids, *(one.row.id for one in (*back, *named))]
    owners = [whose[one.photo.individual] for one in (*new, *back, *named)]
    theirs = [(i, owner) for i, owner in zip(all_ids, owners, strict=True) if owner is not None]
    act.decide("enrol", [i for i, _ in theirs], [owner for _, owner in theirs])
    boxed = [i for i, one in zip(all_ids, (*new, *back, *named), strict=True) if one.key[1]]
    check_apart(store, act.connection, [*boxed, *(one.row.id for one in junk)])


def _take_out_of_junk(act: Action, model_id: str, junk: Sequence[Incoming]) -> None:
    """Back to where they were, as `junk --back` does: what people said of them holds."""
    ids = [one.row.id for one in junk]
    act.update(schema.photos, ids, state="in")
    act.decide("not junk", ids)
    bare = [one for one in junk if one.row.fingerprint_id is None and one.vector is not None]
    keep_fingerprints(act.connection, model_id, {one.row.id: one for one in bare})


def _encounters(
    some: Sequence[Incoming], whose: Mapping[str | None, int | None]
) -> Iterator[tuple[Home, dict[str, Any]]]:
    for one in some:
        photo = one.photo
        if not photo.encounter:
            continue
        began = photo.date
        if began is not None and began.tzinfo is None:
            began = began.replace(tzinfo=UTC)  # the camera's clock knows no zone; its day is right
        details = (began, photo.place, photo.latitude, photo.longitude, photo.observer)
        yield (
            (whose[photo.individual], photo.encounter),
            dict(zip(DETAILS, details, strict=True)),
        )


def individual_ids(act: Action, names: Sequence[str | None]) -> dict[str | None, int | None]:
    """The ids of these individuals by name, made where there are none; None stays None."""
    table = schema.individuals
    wanted = list(dict.fromkeys(name for name in names if name is not None))
    found: dict[str | None, int | None] = {None: None}
    for some in chunks(wanted):
        rows = act.connection.execute(
            sa.select(table.c.name, table.c.id).where(table.c.name.in_(some), ~table.c.gone)
        )
        found |= {row.name: row.id for row in rows}
    missing = [name for name in wanted if name not in found]
    made = act.insert(table, [{"name": name, "added_at": act.now} for name in missing])
    return found | dict(zip(missing, made, strict=True))


def _one_name(photo: Photo, other: Photo) -> None:
    """Refuse one photo under two names in one call.

    Raises:
        ResightError: that.
    """
    if None not in (photo.individual, other.individual) and photo.individual != other.individual:
        where = "it" if photo.path == other.path else f"{other.path}, a copy of it,"
        raise ResightError(
            f"{photo.path}: is to be {photo.individual!r}, and {where} is to be "
            f"{other.individual!r}; a photo has one name, so nothing was enrolled"
        )


def _follow_files(store: Store, act: Action, some: Sequence[Incoming]) -> int:
    """A photo that has moved is where it was found now; a copy beside it changes nothing."""
    moved = [
        (one.row.id, path)
        for one in some
        if one.row.state != "gone"
        and (path := store.kept_path(one.photo.path)) != one.row.path
        and not store.whole_path(one.row.path).exists()
    ]
    act.update(schema.photos, [i for i, _ in moved], path=[path for _, path in moved])
    return len(moved)
