"""Everybody's faces, read on from decision to decision."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from catalogues import unit_vectors, write_files
from herd import make_herd, unit
from resight.catalogue import Catalogue, faces, schema
from resight.photos.photo import Photo


@pytest.fixture
def book(place: str, tiny_model: Path, tmp_path: Path) -> Iterator[Catalogue]:
    """Three individuals of four photos, and four photos that wait, on each engine."""
    files = write_files(tmp_path / "in", 16)
    photos = [
        Photo(
            file,
            ("Ada", "Luna", "Milo", None)[number // 4],
            encounter=f"E{number // 2}",
            date=datetime(2025, 5, 1 + number),
        )
        for number, file in enumerate(files)
    ]
    with Catalogue.open(place, model=tiny_model, create=True) as made:
        made.enrol_many(photos[:12], vectors=unit_vectors(12), who="Ada")
        made.add(photos[12:], vectors=unit_vectors(4, seed=1), who="Ada")
        yield made


def photos_of(book: Catalogue, name: str) -> list[int]:
    return sorted(photo.id for photo in book.portrait(book.number_of(name)).photos)


# What is done, and who of the first three (and who comes new: 4, 5) may be another by that.
DEEDS: tuple[tuple[Callable[[Catalogue], object], set[int]], ...] = (
    (lambda book: book.name([13], "Luna", known=True), {2}),
    (lambda book: book.name([15], "Koko", known=False), {4}),
    (lambda book: book.rename("Luna", "Lune"), {2}),
    (lambda book: book.split("Lune", photos_of(book, "Lune")[:2], new="Moss"), {2, 5}),
    (lambda book: book.undo(), {2, 5}),
    (lambda book: book.redo(), {2, 5}),
    (lambda book: book.merge("Ada", into="Milo"), {1, 3}),
    (lambda book: book.undo(), {1, 3}),
    (lambda book: book.move(photos_of(book, "Ada")[:2], "Milo"), {1, 3}),
    (lambda book: book.best_photo(photos_of(book, "Milo")[-1]), {3}),
    (lambda book: book.junk(photos_of(book, "Milo")[0]), {3}),
    (lambda book: book.take_out("Ada", photos_of(book, "Ada")[:1]), {1}),
    (lambda book: book.take_out("Ada", photos_of(book, "Ada")[:1]), {1}),
    (lambda book: book.undo(), {1}),
)


def test_what_is_read_on_is_what_all_read_anew_gives(book: Catalogue) -> None:
    kept = known = book.faces_now()
    assert known.touched is None
    for deed, touched in DEEDS:
        deed(book)
        now = book.faces_now(known)
        assert now.touched == touched
        assert sorted(now.everybody.values(), key=lambda face: face.id) == book.faces()
        assert book.faces_now(now) is now
        known = now
    late = book.faces_now(kept)  # all of it at once
    assert late.touched == {1, 2, 3, 4, 5}
    assert {**late.everybody} == {**known.everybody}


def test_everybody_is_read_anew_where_the_journal_does_not_tell(
    book: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = book.faces_now()
    book.rename("Luna", "Lune")
    other = replace(known, _last=(known._last[0], datetime(2001, 1, 1)))
    assert book.faces_now(other).touched is None  # a backup was put in its place
    with book._store.writing() as connection:  # around the journal
        people = schema.individuals
        connection.execute(sa.update(people).where(people.c.name == "Milo").values(name="Mila"))
    now = book.faces_now(known)
    assert now.touched is None
    assert {face.name for face in now.everybody.values()} == {"Ada", "Lune", "Mila"}
    monkeypatch.setattr(faces, "_MOST_CHANGES", 0)
    book.rename("Mila", "Milo")
    assert book.faces_now(now).touched is None


def test_an_empty_catalogue_has_no_faces(place: str) -> None:
    herd = make_herd(place)
    book = Catalogue(herd.store)
    none = book.faces_now()
    assert not none.everybody
    herd.add(unit(1), "Luna")
    assert [face.name for face in book.faces_now(none).everybody.values()] == ["Luna"]
    herd.store.close()
