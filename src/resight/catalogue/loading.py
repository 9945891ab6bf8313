"""Reading a gallery: from the file beside the database, and then no more than the news.

`fingerprints.id` only grows, and `photos.changed` tells which photos were edited since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema, vectors_file
from resight.catalogue.gallery import Gallery
from resight.catalogue.store import Store
from resight.catalogue.vectors_file import COLUMNS, Columns, History, Place, Vectors
from resight.errors import UnusableCatalogue

# Below so many fingerprints, reading the database is as quick as opening one more file.
WORTH_A_FILE = 4096
# News is kept in memory until there is so much of it, and this part of the whole.
_NEWS, _PART = 4096, 64
_AT_ONCE = 65536  # rows that are read from the database at a time


def load_gallery(store: Store, model_id: str, dim: int, *, known: Gallery | None = None) -> Gallery:
    """The fingerprints that a model made of a catalogue's photos, as they are now.

    Args:
        store: the open catalogue.
        model_id: whose fingerprints.
        dim: their length.
        known: what an earlier call gave; given back when nothing has been written since.

    Raises:
        UnusableCatalogue: a fingerprint is not `dim` numbers of unit length.
    """
    place = vectors_file.place_for(store, model_id)
    with store.reading() as connection:
        now = _history(connection, model_id)
        if known is not None and known.history == now:
            return known
        opened = known is None or not _continues(connection, known.history, now)
        if known is None or opened:
            known = _from_file(connection, place, model_id, dim, now)
        try:
            gallery = _with_news(connection, known, model_id, now)
            if opened and _counted(connection, model_id) != gallery.starts[-1]:
                gallery = _with_news(connection, _empty(dim), model_id, now)  # rows were taken out
        except _Damaged:
            raise UnusableCatalogue(
                f"{store.place}: is damaged: a fingerprint is not {dim} numbers of unit length; "
                "take your backup"
            ) from None
    total = gallery.starts[-1]
    if total < WORTH_A_FILE or gallery.fresh < max(_NEWS, total // _PART):
        return gallery
    return _kept(gallery, place)


class _Damaged(Exception):
    """A fingerprint that is none."""


def _history(connection: sa.Connection, model_id: str) -> History:
    about, actions = schema.about, schema.actions
    revision, made_at = connection.execute(sa.select(about.c.revision, about.c.made_at)).one()
    last = connection.execute(
        sa.select(actions.c.id, actions.c.at).order_by(actions.c.id.desc()).limit(1)
    ).first()
    action, at = last if last else (0, "")
    return History(model_id, str(made_at), int(revision), int(action), str(at))


def _continues(connection: sa.Connection, old: History, now: History) -> bool:
    """Whether the catalogue's history led from `old` to `now`: no backup was put in its place."""
    if (old.model, old.made_at) != (now.model, now.made_at):
        return False
    if old.revision > now.revision or old.action > now.action:
        return False
    actions = schema.actions
    at = connection.scalar(sa.select(actions.c.at).where(actions.c.id == old.action))
    return str(at or "") == old.action_at


def _from_file(
    connection: sa.Connection, place: Place, model_id: str, dim: int, now: History
) -> Gallery:
    """What the file beside the catalogue holds, if it holds what the catalogue does."""
    mapped = vectors_file.read(place, dim)
    if mapped is None or not _continues(connection, mapped.history, now):
        return _empty(dim)
    ids = mapped.columns["fingerprint"]
    picked = np.unique(np.linspace(0, len(ids) - 1, 16).astype(np.int64))
    some = _Fingerprints(connection)
    rows = connection.execute(
        some.select(model_id).where(schema.fingerprints.c.id.in_(ids[picked].tolist()))
    ).all()
    try:
        same = [row[0] for row in rows] == ids[picked].tolist()
        same = same and np.array_equal(some.vectors(rows, dim), mapped.vectors[picked])
        same = same and [row[2] for row in rows] == mapped.columns["photo"][picked].tolist()
    except _Damaged:
        same = False
    if not same:
        return _empty(dim)
    return Gallery(
        (mapped.vectors,),
        mapped.columns,
        mapped.sides,
        np.empty(0, np.bool_),  # comes with the news
        mapped.history,
        mapped,
    )


def _empty(dim: int) -> Gallery:
    return Gallery.of(np.empty((0, dim), np.float32), (), ())


def _counted(connection: sa.Connection, model_id: str) -> int:
    fingerprints = schema.fingerprints
    count = sa.select(sa.func.count()).select_from(fingerprints)
    return int(connection.scalar(count.where(fingerprints.c.model_id == model_id)) or 0)


class _Fingerprints:
    """Reads rows (id, vector, photo, individual, encounter, side, state) as arrays."""

    def __init__(self, connection: sa.Connection) -> None:
        self.postgres = connection.dialect.name == "postgresql"

    def select(self, model_id: str) -> sa.Select[Any]:
        fingerprints, photos = schema.fingerprints, schema.photos
        # Bytes as they are: reading numbers from pgvector's text would take a hundred times longer.
        vector: Any = (
            sa.func.vector_send(fingerprints.c.vector, type_=sa.LargeBinary)
            if self.postgres
            else sa.type_coerce(fingerprints.c.vector, sa.LargeBinary)
        )
        return (
            sa.select(fingerprints.c.id, vector, *_PHOTO)
            .join(photos, photos.c.id == fingerprints.c.photo_id)
            # With "" behind it, no index: that would give all rows, to be put in order, every time.
            .where(fingerprints.c.model_id.concat("") == model_id)
            .order_by(fingerprints.c.id)
        )

    def vectors(self, rows: Sequence[Any], dim: int) -> Vectors:
        """Raises _Damaged for what is not `dim` numbers of unit length."""
        head = 4 if self.postgres else 0  # vector_send: two int16, then big-endian float32
        if any(len(row[1]) != head + 4 * dim for row in rows):
            raise _Damaged
        raw = np.frombuffer(b"".join(row[1] for row in rows), np.uint8)
        body = np.ascontiguousarray(raw.reshape(-1, head + 4 * dim)[:, head:])
        vectors = body.view(">f4" if self.postgres else "<f4").astype(np.float32, copy=False)
        lengths = np.einsum("nd,nd->n", vectors, vectors)
        if not np.all(np.abs(lengths - 1) < 1e-3):  # NaN is not
            raise _Damaged
        return vectors


_PHOTO = (
    schema.photos.c.id,
    schema.photos.c.individual_id,
    schema.photos.c.encounter_id,
    schema.photos.c.side,
    schema.photos.c.state,
)


def _with_news(connection: sa.Connection, known: Gallery, model_id: str, now: History) -> Gallery:
    """A gallery and what was written since it was read."""
    words = {side: code for code, side in enumerate(known.sides)}
    columns = dict(known.columns)
    changed = 0
    if known.history.revision:
        columns, changed = _edited(connection, known, words)
    ids = known.columns["fingerprint"]
    last = int(ids[-1]) if len(ids) else 0
    some = _Fingerprints(connection)
    found = connection.execution_options(stream_results=True).execute(
        some.select(model_id).where(schema.fingerprints.c.id > last)
    )
    segments = [segment for segment in known.segments if len(segment)]
    parts = [columns]
    added = 0
    for rows in found.partitions(_AT_ONCE):
        added += len(rows)
        segments.append(some.vectors(rows, known.dim))
        ids = np.array([row[0] for row in rows], COLUMNS["fingerprint"])
        parts.append({"fingerprint": ids} | _photo_columns([row[2:] for row in rows], words))
        while len(segments) > 2 and len(segments[-1]) * 2 > len(segments[-2]):
            segments[-2:] = [np.concatenate(segments[-2:])]
    if added:
        columns = {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}
    people = schema.individuals
    gone = connection.scalars(sa.select(people.c.id).where(people.c.gone)).all()
    searched = columns["present"] & (columns["individual"] > 0)
    if gone:
        searched &= ~np.isin(columns["individual"], np.array(gone, np.int64))
    return Gallery(
        tuple(segments) or known.segments,
        columns,
        tuple(words),
        searched,
        now,
        known.mapped,
        known.fresh + added + changed,
    )


def _edited(
    connection: sa.Connection, known: Gallery, words: dict[str, int]
) -> tuple[Columns, int]:
    """The columns of `known` after the edits since, and how many rows those touched."""
    photos = schema.photos
    rows = connection.execute(
        sa.select(*_PHOTO).where(photos.c.changed > known.history.revision)
    ).all()
    if not rows:
        return known.columns, 0
    new = _photo_columns(sorted(rows, key=lambda row: row[0]), words)
    places = np.searchsorted(new["photo"], known.photo_ids)
    places[places == len(rows)] = 0
    touched = np.flatnonzero(new["photo"][places] == known.photo_ids)
    columns = dict(known.columns)
    for name in new:
        columns[name] = columns[name].copy()
        columns[name][touched] = new[name][places[touched]]
    return columns, len(touched)


def _photo_columns(rows: Sequence[Any], words: dict[str, int]) -> Columns:
    """Columns from rows of `_PHOTO`; a side not met before goes into `words`."""
    sides = [words.setdefault(row[3] or "", len(words)) for row in rows]
    values = {
        "photo": [row[0] for row in rows],
        "individual": [row[1] or 0 for row in rows],
        "encounter": [row[2] or 0 for row in rows],
        "side": sides,
        "present": [row[4] == "in" for row in rows],
    }
    return {name: np.array(value, COLUMNS[name]) for name, value in values.items()}


def _kept(gallery: Gallery, place: Place) -> Gallery:
    """The gallery, with all its vectors in the file from now on, if it can be written."""
    mapped = vectors_file.write(
        place, gallery.mapped, gallery.segments, gallery.columns, gallery.sides, gallery.history
    )
    if mapped is None or mapped.history != gallery.history:  # or others were quicker
        return replace(gallery, fresh=0)  # tried again when there is as much news
    return replace(gallery, segments=(mapped.vectors,), mapped=mapped, fresh=0)
