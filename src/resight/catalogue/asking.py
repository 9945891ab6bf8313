"""Asking the gallery: who is near one photo, or near all photos of an encounter."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.closely import MOST_LOOKED, Look, best_looks, nearest_rows
from resight.catalogue.describe import settings_in
from resight.catalogue.evidence import FEW, KEPT, Evidence, combined, evidence, nearest_few
from resight.catalogue.parts import exclude
from resight.catalogue.refs import called, kept_box
from resight.catalogue.search import Gallery, Vectors, Without, nearest_individuals
from resight.catalogue.store import Store, chunks
from resight.compare import Details
from resight.photos.content import content_hash
from resight.photos.photo import Photo


@dataclass(frozen=True, slots=True)
class Query:
    """What is known of a photo that is asked about.

    Attributes:
        name: its path as it was given, with "@left,top,right,bottom" of a part; or a word.
        enrolled: ids of the catalogue's photos that are this very one.
        beside: ids of those that are other parts of its picture: somebody else is on them.
        picture: what tells its picture from others; parts of one picture show different
            individuals. None where it is the whole.
        side: which side it shows, where the catalogue's sides differ.
        junk: whether somebody has said that it is.
        details: what is compared of the photo, where it is looked at closely.
    """

    name: str
    enrolled: Collection[int] = ()
    beside: Collection[int] = ()
    picture: str | None = None
    side: str | None = None
    junk: bool = False
    details: Details | None = None


@dataclass(frozen=True, eq=False)
class Near:
    """An individual near a question.

    Attributes:
        individual_id: who.
        rows: int64 (k,), its nearest rows of the gallery, nearest first.
        distances: float64 (k,), theirs.
        distance: that of the nearest; for several photos, the mean of theirs.
    """

    individual_id: int
    rows: Any
    distances: Any
    distance: float


@dataclass(frozen=True, eq=False)
class Asked:
    """What questions found.

    Attributes:
        near: for each question individuals, nearest first.
        evidence: of the questions that found anybody; None if none did.
        rows: for each question its row there, or None.
    """

    near: Sequence[Sequence[Near]]
    evidence: Evidence | None
    rows: Sequence[int | None]


def ask_each(
    gallery: Gallery,
    vectors: Vectors,
    without: Without,
    *,
    top: int,
    photos_each: int,
    look: Look | None = None,
) -> Asked:
    """Ask of each vector, float32 (q, dim), by itself; `Near`s in the order of `search`.

    With `look`, the nearest photos of every candidate are looked at closely, too.
    """
    photos = np.bincount(gallery.codes, minlength=len(gallery.people) + 1)[1:]
    near: list[list[Near]] = []
    parts: list[Evidence] = []
    rows: list[int | None] = []
    several = nearest_individuals(
        vectors,
        gallery,
        top=max(top, KEPT),
        photos_each=max(photos_each, FEW),
        without=without,
    )
    for number, found in enumerate(several):
        near.append(
            [Near(one.individual_id, one.rows, one.distances, one.distances[0]) for one in found]
        )
        rows.append(len(parts) if found else None)
        if found:
            kept = found[:KEPT]
            places = np.searchsorted(gallery.people, [one.individual_id for one in kept])
            best = np.array([1 - one.distances[0] for one in kept])
            few = np.array([1 - one.distances[:FEW].mean() for one in kept])
            nearest = [one.rows[:FEW] for one in kept]
            closely = None if look is None else best_looks(look, number, nearest)[None]
            parts.append(
                evidence(
                    best[None],
                    photos[places],
                    support=(few - best)[None],
                    individuals=len(gallery.people),
                    closely=closely,
                )[0]
            )
    return Asked(near, combined(parts) if parts else None, rows)


def ask_together(
    gallery: Gallery,
    vectors: Vectors,
    without: Without,
    *,
    top: int,
    photos_each: int,
    look: Look | None = None,
) -> Asked:
    """Ask of all vectors, float32 (m, dim), at once: one question; as `ask_each`."""
    count = len(vectors)
    # What one photo must not find, the others must not.
    photos = sorted({i for ids in without.photos or () for i in ids})
    banned = sorted({i for ids in without.individuals or () for i in ids})
    shared = replace(without, photos=[photos] * count, individuals=[banned] * count)
    found = nearest_individuals(vectors, gallery, top=max(top, KEPT), photos_each=1, without=shared)
    people = sorted({one.individual_id for several in found for one in several})
    if not people:
        return Asked([[]], None, [None])
    places = np.searchsorted(gallery.people, people)
    rows = [gallery.rows_with("code", int(place) + 1) for place in places]
    lengths = np.array([len(some) for some in rows])
    starts = np.cumsum(lengths) - lengths
    flat = np.concatenate(rows)
    cells = vectors @ gallery.take(flat).T
    for number in range(count):
        cells[number, np.isin(flat, shared.rows(gallery, number))] = -np.inf
    similarity, support = nearest_few(cells, starts)
    # Whom one photo may not see at all (its other side), the others judge.
    seen = np.isfinite(similarity)
    low = np.where(seen, similarity, np.inf).min(axis=0)
    similarity, support = np.where(seen, similarity, low), np.where(seen, support, 0.0)
    order = np.argsort(-similarity.mean(axis=0), kind="stable")[: max(top, KEPT)]
    closely = np.zeros(similarity.shape)
    if look is not None:
        # Of many photos some speak for all.
        some = np.unique(np.linspace(0, count - 1, min(count, MOST_LOOKED)).astype(int))
        kept = order[:KEPT]
        parts = [slice(a, a + n) for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)]
        for number in some.tolist():
            rows_each = [nearest_rows(cells[number, parts[p]], flat[parts[p]]) for p in kept]
            closely[:, kept] += best_looks(look, number, rows_each) / len(some)
    found_here, _ = evidence(
        similarity,
        lengths,
        support=support,
        individuals=len(gallery.people),
        closely=closely,
        keep=KEPT,
    )
    closest = cells.max(axis=0).astype(np.float64)
    near = []
    for place in order:
        mine = np.arange(starts[place], starts[place] + lengths[place])
        best = mine[np.argsort(-closest[mine], kind="stable")[:photos_each]]
        best = best[np.isfinite(closest[best])]
        near.append(
            Near(
                people[place],
                flat[best],
                np.maximum(1 - closest[best], 0),
                max(0.0, 1 - float(similarity[:, place].mean())),
            )
        )
    return Asked([near], found_here, [0])


def known_queries(store: Store, sources: Sequence[Any], places: Sequence[int]) -> list[Query]:
    """What the catalogue knows of photos that are asked about.

    Args:
        store: the open catalogue.
        sources: files, `Photo`s, and whatever else was read: nothing is known of that.
        places: the number of each, for its name.
    """
    files: dict[int, tuple[str, str, str | None]] = {}
    for number, source in enumerate(sources):
        if isinstance(source, str | os.PathLike):
            files[number] = (os.fspath(source), "", None)
        elif isinstance(source, Photo):
            files[number] = (os.fspath(source.path), kept_box(source), source.side)
    hashes = {path: content_hash(path) for path, _, _ in files.values()}
    rows: dict[str, list[Any]] = {}
    photos = schema.photos
    with store.reading() as connection:
        differ = settings_in(connection)["sides_differ"]
        for some in chunks(sorted({*hashes.values()})):
            for row in connection.execute(
                sa.select(
                    photos.c.id, photos.c.content_hash, photos.c.box, photos.c.side, photos.c.state
                )
                .where(photos.c.content_hash.in_(some), photos.c.state.in_(("in", "junk")))
                .order_by(photos.c.id)
            ):
                rows.setdefault(row.content_hash, []).append(row)
    queries = []
    for number, place in enumerate(places):
        if number not in files:
            queries.append(Query(f"photo {place}"))
            continue
        path, box, side = files[number]
        junk = any(r.state == "junk" and r.box == box for r in rows.get(hashes[path], []))
        of_picture = [row for row in rows.get(hashes[path], []) if row.state == "in"]
        part = bool(box) and exclude(path)
        # Asked of as a whole, a picture is whatever is enrolled from it.
        mine = [row for row in of_picture if not box or row.box == box]
        queries.append(
            Query(
                called(path, box),
                [row.id for row in mine],
                [row.id for row in of_picture if part and row.box not in ("", box)],
                hashes[path] if part else None,
                (side or next((row.side for row in mine), None)) if differ else None,
                junk,
            )
        )
    return queries


def kept_queries(store: Store, ids: Sequence[int]) -> list[Query]:
    """What the catalogue knows of its own photos, by their numbers, as they are asked about."""
    photos = schema.photos
    columns = photos.c["id", "content_hash", "box", "path", "side", "state"]
    mine: dict[int, Any] = {}
    pictures: dict[str, list[Any]] = {}
    with store.reading() as connection:
        differ = settings_in(connection)["sides_differ"]
        for some in chunks(ids):
            for row in connection.execute(sa.select(*columns).where(photos.c.id.in_(some))):
                mine[row.id] = row
        for keys in chunks(sorted({row.content_hash for row in mine.values() if row.box})):
            for row in connection.execute(
                sa.select(*columns).where(photos.c.content_hash.in_(keys), photos.c.state == "in")
            ):
                pictures.setdefault(row.content_hash, []).append(row)
    return [
        Query(
            called(store.whole_path(row.path), row.box),
            [row.id],
            [one.id for one in pictures.get(row.content_hash, ()) if one.box not in ("", row.box)]
            if row.box and exclude(row.path)
            else [],
            row.content_hash if row.box and exclude(row.path) else None,
            row.side if differ else None,
            row.state == "junk",
        )
        for row in (mine[i] for i in ids)
    ]


def left_out(
    store: Store, queries: Sequence[Query], leave_out_itself: bool
) -> tuple[Without, list[set[int]]]:
    """What each query must not find; and whom of that because somebody said so.

    Itself, if so wanted; whoever somebody has said it is not; whoever is on another part of its
    picture; and the other side, for those whose side is told.
    """
    ids = sorted({i for query in queries for i in (*query.enrolled, *query.beside)})
    owner: dict[int, int] = {}
    apart: dict[int, set[int]] = {}
    photos, pairs = schema.photos, schema.not_same
    with store.reading() as connection:
        for some in chunks(ids):
            for one, other in (
                (pairs.c.first_photo_id, pairs.c.second_photo_id),
                (pairs.c.second_photo_id, pairs.c.first_photo_id),
            ):
                for photo, individual in connection.execute(
                    sa.select(one, photos.c.individual_id)
                    .join(photos, photos.c.id == other)
                    .where(
                        one.in_(some),
                        ~pairs.c.gone,
                        photos.c.individual_id.is_not(None),
                        photos.c.state != "gone",  # nobody says any more whose that one was
                    )
                ):
                    apart.setdefault(photo, set()).add(individual)
            for photo, individual in connection.execute(
                sa.select(photos.c.id, photos.c.individual_id).where(
                    photos.c.id.in_(some), photos.c.individual_id.is_not(None)
                )
            ):
                owner[photo] = individual
    said = [{who for photo in query.enrolled for who in apart.get(photo, ())} for query in queries]
    banned = [
        who | {owner[photo] for photo in query.beside if photo in owner}
        for query, who in zip(queries, said, strict=True)
    ]
    without = Without(
        photos=[list(query.enrolled) if leave_out_itself else [] for query in queries],
        individuals=[sorted(who) for who in banned],
        sides=[query.side for query in queries],
    )
    return without, said
