"""Which rows people mean: an individual by its name, a photo by its file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.checks import checked_path, listed
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.photo import Photo

# A photo's file (found by its bytes wherever it lies, or by its place when it is gone), a `Photo`
# with a box where a picture has several, or the id of its row.
PhotoRef = str | os.PathLike[str] | Photo | int
Refs = PhotoRef | Iterable[PhotoRef]


def kept_box(photo: Photo) -> str:
    """A photo's box as its row has it."""
    return ",".join(map(str, photo.box)) if photo.box else ""


def called(path: str | os.PathLike[str], box: str) -> str:
    """What a photo is called in answers: FILE, or FILE@left,top,right,bottom where it is a part."""
    return f"{path}@{box}" if box else os.fspath(path)


def individual_id(store: Store, connection: sa.Connection, name: str) -> int:
    """The id of who is called so.

    Raises:
        ResightError: nobody is.
    """
    table = schema.individuals
    found = connection.scalar(sa.select(table.c.id).where(table.c.name == name, ~table.c.gone))
    if found is None:
        there = connection.scalars(sa.select(table.c.name).where(~table.c.gone))
        near = near_names(name, there.all())
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ResightError(f"{store.place}: nobody here is called {name!r}{hint}")
    return found


def near_names(name: str, names: Sequence[str]) -> list[str]:
    """Up to three other names that may be meant: in other capitals or spaces, or a letter off.

    Names with other numbers in them ("whale 12", "whale 13") are not near.
    """
    alike: dict[str, list[str]] = {}
    for other in names:
        if other != name:
            alike.setdefault("".join(other.casefold().split()), []).append(other)
    plain = "".join(name.casefold().split())
    if plain in alike:
        return alike[plain][:3]
    digits = [letter for letter in plain if letter.isdigit()]
    same = [one for one in alike if [letter for letter in one if letter.isdigit()] == digits]
    close = difflib.get_close_matches(plain, same, 3, cutoff=0.75)
    return [other for one in close for other in alike[one]][:3]


def photo_ids(store: Store, hashes: Sequence[str]) -> dict[str, list[int]]:
    """The ids of the photos in the catalogue with these contents."""
    photos = schema.photos
    found: dict[str, list[int]] = {}
    with store.reading() as connection:
        for some in chunks(hashes):
            for key, photo_id in connection.execute(
                sa.select(photos.c.content_hash, photos.c.id)
                .where(photos.c.content_hash.in_(some), photos.c.state == "in")
                .order_by(photos.c.id)
            ):
                found.setdefault(key, []).append(photo_id)
    return found


def find_photos_here(store: Store, refs: Refs) -> list[int]:
    """The ids of photos in the catalogue, junk included, each once, in the order given.

    Raises:
        ResightError: one that is not there, or a picture with several boxes without saying which.
    """
    given = [refs] if isinstance(refs, Photo) else listed(refs)
    hashes = {}
    for ref in given:
        if not isinstance(ref, int):
            path = _path(ref)
            checked_path(path)
            try:
                hashes[path] = content_hash(path)
            except UnreadablePhoto:  # the file may be away; its place is known
                hashes[path] = ""
    with store.reading() as connection:
        by_hash = _rows(connection, schema.photos.c.content_hash, sorted({*hashes.values()} - {""}))
        kept = {path: store.kept_path(path) for path, found in hashes.items() if not found}
        by_path = _rows(connection, schema.photos.c.path, sorted(kept.values()))
        ids = sorted({ref for ref in given if isinstance(ref, int)})
        by_id = _rows(connection, schema.photos.c.id, ids)
    found = []
    for ref in given:
        if isinstance(ref, int):
            rows = by_id.get(ref, [])
        else:
            path = _path(ref)
            rows = by_hash.get(hashes[path], []) if hashes[path] else by_path.get(kept[path], [])
        found.append(_only(store, ref, rows))
    if not found:
        raise ResightError("no photos given; give one at least")
    return list(dict.fromkeys(found))


def photo_rows(connection: sa.Connection, ids: Sequence[int]) -> list[Any]:
    """The rows of photos with their individuals' names, in the order of ids given."""
    photos, people = schema.photos, schema.individuals
    found = {}
    for some in chunks(ids):
        for row in connection.execute(
            sa.select(photos, people.c.name)
            .outerjoin(people, people.c.id == photos.c.individual_id)
            .where(photos.c.id.in_(some))
        ):
            found[row.id] = row
    return [found[i] for i in ids]


def not_junk(store: Store, row: Any) -> None:
    """Refuse a photo that is junk, or whose adding has been taken back.

    Raises:
        ResightError: that.
    """
    path = store.whole_path(row.path)
    if row.state == "junk":
        raise ResightError(
            f"{path}: somebody has said that this photo is junk; to take that back: "
            "resight junk --back"
        )
    if row.state != "in":
        raise ResightError(f"{path}: this photo is not in {store.place} any more")


def _path(ref: Any) -> str:
    return os.fspath(ref.path if isinstance(ref, Photo) else ref)


def _rows(connection: sa.Connection, column: Any, values: Sequence[Any]) -> dict[Any, list[Any]]:
    photos = schema.photos
    found: dict[Any, list[Any]] = {}
    for some in chunks(values):
        for row in connection.execute(
            sa.select(photos.c.id, photos.c.box, column.label("key"))
            .where(column.in_(some), photos.c.state != "gone")
            .order_by(photos.c.id)
        ):
            found.setdefault(row.key, []).append(row)
    return found


def _only(store: Store, ref: PhotoRef, rows: Sequence[Any]) -> int:
    name = f"photo {ref}" if isinstance(ref, int) else _path(ref)
    if isinstance(ref, Photo) and ref.box:
        rows = [row for row in rows if row.box == kept_box(ref)]
        name = f"{name} (box {kept_box(ref)})"
    if not rows:
        raise ResightError(f"{name}: this photo is not in {store.place}; add or enrol it first")
    if len(rows) > 1:
        if len({row.box for row in rows}) < len(rows):  # the file is away, and was another once
            ids = " and ".join(str(row.id) for row in rows)
            raise ResightError(
                f"{name}: photos {ids} were both here, and the file that would tell which is "
                "away; put it back, or give the number in Python"
            )
        boxes = "; ".join(row.box or "the whole" for row in rows)
        raise ResightError(f"{name}: which part of this picture? It is here as {boxes}")
    return rows[0].id
