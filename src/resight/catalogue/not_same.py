"""A "no" that sticks: these two photos do not show the same individual."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.checks import checked_name
from resight.catalogue.journal import Action, Done, acting
from resight.catalogue.meanwhile import Seen, check_as_seen
from resight.catalogue.refs import (
    PhotoRef,
    Refs,
    find_photos_here,
    individual_id,
    not_junk,
    photo_rows,
)
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError
from resight.words import counted


def not_same(
    store: Store,
    model_id: str,
    photos: Refs,
    other: PhotoRef | None = None,
    *,
    individual: str | None = None,
    shown: Any = None,
    probability: float | None = None,
    seen: Seen | None = None,
    who: str | None = None,
) -> Done:
    """Say that photos do not show the individual that another photo shows.

    The word is on photos, so that it outlives whatever individuals are merged into or split from.

    Args:
        store: the open catalogue.
        model_id: of the fingerprints in use.
        photos: which.
        other: the photo that they were compared with.
        individual: instead of `other`: whoever it is not; said of its photo that is nearest to
            each, which is the one that was shown.
        shown: the candidates that the person saw, ready for JSON.
        probability: that was shown with the individual.
        seen: the last decisions on the photos that were known; see `meanwhile`.
        who: says so.

    Raises:
        ResightError: a photo that is not there or is junk, a photo and itself, or two photos that
            are of one individual as things stand.
    """
    if (other is None) == (individual is None):
        raise ResightError("not the same as what? Give either another photo or an individual")
    found = find_photos_here(store, photos)
    against = None if other is None else find_photos_here(store, other)[0]
    with acting(store, "not-same", "", who) as act:
        check_as_seen(store, act.connection, seen)
        rows = photo_rows(act.connection, found)
        for row in rows:
            not_junk(store, row)
        if individual is not None:
            owner = individual_id(store, act.connection, checked_name(individual))
            others = [_nearest(store, act.connection, model_id, i, owner) for i in found]
        else:
            assert against is not None
            others = [against] * len(found)
        theirs = photo_rows(act.connection, others)
        for one, two in zip(rows, theirs, strict=True):
            not_junk(store, two)
            if one.id == two.id:
                raise ResightError(f"{store.whole_path(one.path)}: is the same as itself")
            if one.individual_id is not None and one.individual_id == two.individual_id:
                raise ResightError(
                    f"{store.whole_path(one.path)} and {store.whole_path(two.path)} are both "
                    f"{one.name!r}; first say which of them is not: resight split, or resight move"
                )
        known = _pairs(act.connection, found)
        new = [
            (one.id, two)
            for one, two in zip(rows, theirs, strict=True)
            if known.get(_ordered(one.id, two.id), (0, True))[1]
        ]
        if not new:
            act.summary = "nothing to do: that has been said already"
        else:
            told = [f"{_called(a)} and {_called(b)}" for a, b in zip(rows, theirs, strict=True)]
            many = f"{counted(len(found), 'photo')} and {individual or _called(theirs[0])}"
            words = ", ".join(told) if len(told) <= 3 else many
            act.summary = f"said that {words} are not the same"
            keep_apart(
                act,
                [(i, two.id) for i, two in new],
                [two.individual_id for _, two in new],
                shown=shown,
                probability=probability,
            )
    return act.done


def keep_apart(
    act: Action,
    pairs: Sequence[tuple[int, int]],
    individuals: list[Any],
    *,
    shown: Any = None,
    probability: float | None = None,
) -> None:
    """Write down of pairs of photos that they are not the same.

    Args:
        act: the action.
        pairs: ids of photos: of which it is said, and the other.
        individuals: whose each other photo is, or None.
        shown: the candidates that the person saw, ready for JSON.
        probability: that was shown with the individual.
    """
    known = _pairs(act.connection, [i for i, _ in pairs])
    said = act.decide(
        "not the same",
        [i for i, _ in pairs],
        individuals,
        shown=shown,
        probability=probability,
        details=[{"other_photo": other} for _, other in pairs],
    )
    fresh = []
    for (i, other), decision in zip(pairs, said, strict=True):
        pair = _ordered(i, other)
        if pair in known:
            act.update(schema.not_same, [known[pair][0]], gone=False, decision_id=decision)
        else:
            names = ("first_photo_id", "second_photo_id")
            fresh.append(dict(zip(names, pair, strict=True)) | {"decision_id": decision})
    act.insert(schema.not_same, fresh)


def _called(row: Any) -> str:
    """A photo's file, and who is on it."""
    return PurePath(row.path).name + (f" ({row.name})" if row.name is not None else "")


def _ordered(one: int, two: int) -> tuple[int, int]:
    return (one, two) if one < two else (two, one)


def _pairs(
    connection: sa.Connection, photo_ids: Sequence[int]
) -> dict[tuple[int, int], tuple[int, bool]]:
    """The pairs with these photos: their rows' ids, and whether they are taken back."""
    pairs = schema.not_same
    found = {}
    for some in chunks(photo_ids):
        for row in connection.execute(
            sa.select(pairs).where(
                pairs.c.first_photo_id.in_(some) | pairs.c.second_photo_id.in_(some)
            )
        ):
            found[row.first_photo_id, row.second_photo_id] = (row.id, row.gone)
    return found


def nearest_photo(
    connection: sa.Connection, model_id: str, photo_id: int, owner: int
) -> int | None:
    """The individual's photo that is nearest to a photo; None without fingerprints to compare."""
    photos, prints = schema.photos, schema.fingerprints
    rows = connection.execute(
        sa.select(photos.c.id, prints.c.vector)
        .join(prints, sa.and_(prints.c.photo_id == photos.c.id, prints.c.model_id == model_id))
        .where(
            (photos.c.id == photo_id)
            | ((photos.c.individual_id == owner) & (photos.c.state == "in"))
        )
        .order_by(photos.c.id)
    ).all()
    vectors = {row.id: np.frombuffer(row.vector, "<f4").astype(np.float64) for row in rows}
    mine = vectors.pop(photo_id, None)
    if mine is None or not vectors:
        return None
    return max(vectors, key=lambda i: (float(vectors[i] @ mine), -i))


def _nearest(
    store: Store, connection: sa.Connection, model_id: str, photo_id: int, owner: int
) -> int:
    found = nearest_photo(connection, model_id, photo_id, owner)
    if found is None:
        raise ResightError(
            f"photo {photo_id} and this individual have no fingerprints to compare; "
            f"say which photo it is not the same as (in {store.place})"
        )
    return found
