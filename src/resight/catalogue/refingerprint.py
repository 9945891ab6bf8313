"""Fingerprinting a whole catalogue again, with another model.

The new fingerprints are written beside the old ones, some hundred photos at a time, so whoever is
stopped goes on where he was. Until the last step everybody searches with the old model; that step
is an action like any other, and `undo` takes it back: the old fingerprints stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.checks import checked_vectors
from resight.catalogue.journal import acting
from resight.catalogue.own_model import follow_file
from resight.catalogue.store import Store
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.photo import Photo
from resight.photos.stream import progress_bar
from resight.words import counted

if TYPE_CHECKING:
    from resight.fingerprint.fingerprinter import Fingerprints
    from resight.fingerprint.model import Model

AT_A_TIME = 256  # photos that a kill can cost


@dataclass(frozen=True, slots=True)
class Refingerprinted:
    """What a re-fingerprinting did.

    Attributes:
        model_id: of the model now in use.
        made: fingerprints that were made.
        already: that were there, of this model, from before.
        unreadable: the errors of photos that have none now; each names its file and says why.
        switched: whether the catalogue kept to another model before.
    """

    model_id: str
    made: int
    already: int
    unreadable: tuple[UnreadablePhoto, ...]
    switched: bool


def refingerprint(
    store: Store,
    model: Model,
    fingerprint: Callable[[list[Photo]], Fingerprints],
    *,
    leave_out_unreadable: bool = False,
    who: str | None = None,
    progress: bool = False,
) -> Refingerprinted:
    """Fingerprint all photos with a model, and then make it the one in use.

    Photos that have a fingerprint of it already keep that; so with the model in use this makes
    those that are missing.

    Args:
        store: the open catalogue.
        model: the new one.
        fingerprint: makes fingerprints with it.
        leave_out_unreadable: go on though photos cannot be read: nobody finds them any more.
        who: does it; the computer's user by default.
        progress: show a bar on stderr.

    Raises:
        ResightError: photos cannot be read (or are other pictures by now), and it was not said to
            leave them out. The fingerprints made stay; the old model stays in use.
    """
    _record(store, model)
    failed: dict[int, UnreadablePhoto] = {}
    made = 0
    switched = None
    waiting = _without(store, model.id)
    already = _count(store) - len(waiting)
    bar = progress_bar("Fingerprinting", len(waiting)) if progress else nullcontext(_silent)
    with bar as advance:
        while switched is None:
            for start in range(0, len(waiting), AT_A_TIME):
                some = waiting[start : start + AT_A_TIME]
                made += _make(store, model, fingerprint, some, failed)
                advance(len(some))
            missed = _still_in(store, failed)
            if missed and not leave_out_unreadable:
                raise _not_all(store, missed)
            switched = _switch(store, model.id, failed, who)
            waiting = [row for row in _without(store, model.id) if row.id not in failed]
    return Refingerprinted(model.id, made, already, tuple(missed), switched)


def _silent(done: int) -> None:
    pass


def _record(store: Store, model: Model) -> None:
    models = schema.models
    known = sa.select(models.c.id).where(models.c.id == model.id)
    with store.reading() as connection:
        there = connection.scalar(known) is not None
    if there:
        follow_file(store, model)
        return
    with store.writing() as connection:
        if not connection.scalar(known):
            connection.execute(
                sa.insert(models).values(
                    id=model.id,
                    card=model.card.to_json(),
                    path=store.kept_path(model.path),
                    added_at=datetime.now(UTC),
                )
            )


def _count(store: Store) -> int:
    with store.reading() as connection:
        return connection.scalars(sa.select(sa.func.count(schema.photos.c.id))).one()


def _without(store: Store, model_id: str) -> Sequence[Any]:
    """The photos without a fingerprint of the model; junk and gone too, since both may return."""
    photos, prints = schema.photos, schema.fingerprints
    there = sa.exists().where(prints.c.model_id == model_id, prints.c.photo_id == photos.c.id)
    columns = (photos.c.id, photos.c.path, photos.c.box, photos.c.content_hash)
    with store.reading() as connection:
        return connection.execute(sa.select(*columns).where(~there).order_by(photos.c.id)).all()


def _make(
    store: Store,
    model: Model,
    fingerprint: Callable[[list[Photo]], Fingerprints],
    rows: Sequence[Any],
    failed: dict[int, UnreadablePhoto],
) -> int:
    """Make some fingerprints and write them down; those that cannot be made go into `failed`."""
    model_id, dim = model.id, model.card.dim
    good = []
    for row in rows:
        path = store.whole_path(row.path)
        try:
            if content_hash(path) != row.content_hash:
                raise UnreadablePhoto(
                    str(path), "is another picture than the one that was enrolled"
                )
            good.append((row.id, Photo(path, box=_box(row.box))))
        except UnreadablePhoto as error:
            failed[row.id] = error
    if not good:
        return 0
    found = fingerprint([photo for _, photo in good])
    vectors = checked_vectors(found.vectors, dim, count=len(found.index))
    ids = [good[place][0] for place in found.index.tolist()]
    bad = [i for i, _ in good if i not in set(ids)]
    failed |= zip(bad, found.unreadable, strict=True)
    prints = schema.fingerprints
    with store.writing() as connection:
        there = set(  # by somebody who did the same meanwhile
            connection.scalars(
                sa.select(prints.c.photo_id).where(
                    prints.c.model_id == model_id, prints.c.photo_id.in_(ids)
                )
            )
        )
        new = [
            {"photo_id": i, "model_id": model_id, "dim": dim, "vector": vector.tobytes()}
            for i, vector in zip(ids, vectors.astype("<f4", copy=False), strict=True)
            if i not in there
        ]
        if new:
            connection.execute(sa.insert(prints), new)
    return len(new)


def _box(kept: str) -> tuple[int, int, int, int] | None:
    if not kept:
        return None
    left, top, right, bottom = map(int, kept.split(","))
    return left, top, right, bottom


def _still_in(store: Store, failed: dict[int, UnreadablePhoto]) -> list[UnreadablePhoto]:
    """Of the photos that failed those that matter: neither junk nor gone."""
    photos = schema.photos
    if not failed:
        return []
    with store.reading() as connection:
        shown = set(connection.scalars(sa.select(photos.c.id).where(photos.c.state == "in")))
    return [error for i, error in failed.items() if i in shown]


def _not_all(store: Store, missed: Sequence[UnreadablePhoto]) -> ResightError:
    count = counted(len(missed), "photo")
    return ResightError(
        f"{store.place}: {count} cannot be read, so the model was not changed; the first: "
        f"{missed[0]}. Bring them back and run this again, which goes on where it was, or leave "
        "them out: --leave-out-unreadable"
    )


def _switch(
    store: Store, model_id: str, failed: dict[int, UnreadablePhoto], who: str | None
) -> bool | None:
    """Whether the model in use was another; None, and nothing done, while photos wait for it."""
    photos, prints = schema.photos, schema.fingerprints
    there = sa.exists().where(prints.c.model_id == model_id, prints.c.photo_id == photos.c.id)
    late = sa.select(photos.c.id).where(~there, photos.c.state == "in")
    with acting(store, "refingerprint", f"changed the model to {model_id}", who) as act:
        # Added by others since we looked, with the model that is still in use.
        if set(act.connection.scalars(late)) <= failed.keys():
            return bool(act.update(schema.about, [1], model_id=model_id))
    return None
