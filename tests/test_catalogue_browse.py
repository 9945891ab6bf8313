"""What a page reads of a catalogue: a few rows at a time, in the right order."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from herd import Herd, clouds, make_herd, unit
from resight.catalogue import Catalogue
from resight.catalogue.browse import _AT_ONCE, natural
from resight.errors import ResightError


@pytest.fixture
def filled(place: str) -> tuple[Herd, Catalogue]:
    herd = make_herd(place)
    return herd, Catalogue(herd.store)


def queue(book: Catalogue, count: int = 99, **more: object) -> list[list[int]]:
    return [[photo.id for photo in item.photos] for item in book.waiting(count, **more)]  # type: ignore[arg-type]


def test_what_waits_comes_in_order_encounters_whole(filled: tuple[Herd, Catalogue]) -> None:
    herd, book = filled
    named = herd.add(unit(2), "Luna")
    (one,) = herd.add(unit(1))
    meeting = herd.encounter("Sunday")
    two = herd.add(unit(2), encounter=meeting)
    (three,) = herd.add(unit(1), path="x.jpg")
    herd.add(unit(1), state="junk")
    two += herd.add(unit(1), encounter=meeting)
    assert queue(book) == [[one], two, [three]]
    assert queue(book, 2) == [[one], two]
    assert queue(book, 0) == []
    assert queue(book, skip=[two[2]]) == [[one], [three]]  # with one of it, all of an encounter
    book.later([one])
    assert queue(book) == [two, [three], [one]]
    book.later(two)
    book.later([one])
    assert queue(book) == [[three], two, [one]]
    assert [item.put_off for item in book.waiting(9)] == [False, True, True]
    book.undo()
    assert queue(book) == [[three], [one], two]
    counts = book.counts()
    assert (counts.individuals, counts.photos, counts.waiting, counts.junk) == (1, 7, 5, 1)
    assert not set(named) & {i for item in queue(book) for i in item}


def test_beyond_those_that_are_in_other_hands(filled: tuple[Herd, Catalogue]) -> None:
    herd, book = filled
    ids = herd.add(unit(_AT_ONCE + 30))
    assert queue(book, 2, skip=ids[: _AT_ONCE + 5]) == [[ids[_AT_ONCE + 5]], [ids[_AT_ONCE + 6]]]
    assert queue(book, 2, skip=ids) == []


def test_photos_by_number(filled: tuple[Herd, Catalogue]) -> None:
    herd, book = filled
    meeting = herd.encounter("Sunday", "Luna", place="bay", latitude=1.5, longitude=-2.0)
    one, other = herd.add(unit(2), "Luna", encounter=meeting, side=["left", None])
    (gone,) = herd.add(unit(1), state="gone")
    found = book.shown([other, one])
    assert [photo.id for photo in found] == [other, one]
    assert (found[1].individual, found[1].encounter, found[1].place) == ("Luna", "Sunday", "bay")
    assert (found[1].side, found[1].latitude, found[0].side) == ("left", 1.5, None)
    assert found[0].last_word == 0
    for wrong in (gone, 12345):
        with pytest.raises(ResightError, match=f"photo {wrong}"):
            book.shown([wrong])
    assert book.shown([]) == []


def test_the_last_word_is_the_last_decision(filled: tuple[Herd, Catalogue]) -> None:
    herd, book = filled
    (one,) = herd.add(unit(1))
    words = [book.shown([one])[0].last_word]
    for say in (book.later, book.junk):
        say([one])
        words.append(book.shown([one])[0].last_word)
    assert words[0] == 0
    assert words == sorted(set(words))


def test_asking_by_what_is_kept_is_asking_by_the_vector(filled: tuple[Herd, Catalogue]) -> None:
    herd, book = filled
    vectors, labels = clouds([6] * 8, width=0.6)
    ids = herd.add(vectors, [f"W{i}" if n % 6 else None for n, i in enumerate(labels)])
    unnamed = ids[::6]
    asked = book.identify_kept(unnamed, top=5)
    plain = book.identify_vectors(vectors[::6], top=5)
    assert [a.candidates for a in asked] == [a.candidates for a in plain]
    assert [a.p_new for a in asked] == pytest.approx([a.p_new for a in plain])
    for answer in asked:
        for one in answer.candidates:
            assert [book.shown([m.photo])[0].individual for m in one.photos] == [
                one.individual
            ] * len(one.photos)
    (alone,) = book.identify_kept([ids[1]])  # a named photo does not find itself
    assert ids[1] not in [match.photo for one in alone.candidates for match in one.photos]
    (together,) = book.identify_kept(ids[1:4], together=True)
    assert together.individual == "W0"
    book.not_same(unnamed[0], individual="W0")
    (answer,) = book.identify_kept(unnamed[0])
    assert answer.left_out == ("W0",)


def test_a_photo_without_a_fingerprint_cannot_be_asked_about(
    filled: tuple[Herd, Catalogue],
) -> None:
    import sqlalchemy as sa

    from resight.catalogue import schema

    herd, book = filled
    herd.add(unit(2), ["Luna", "Ferro"])
    (bare,) = herd.add(unit(1))
    with herd.store.writing() as connection:
        table = schema.fingerprints
        connection.execute(sa.delete(table).where(table.c.photo_id == bare))
    with pytest.raises(ResightError, match="resight refingerprint"):
        book.identify_kept(bare)


@pytest.mark.parametrize(
    ("names", "suggested"),
    [
        ([], "New 1"),
        (["Luna", "Ferro"], "New 1"),
        (["Luna", "New 1"], "New 2"),
        (["W001", "W002", "W017"], "W018"),
        (["W9", "W10"], "W11"),
        (["W099", "W100"], "W101"),
        (["A1", "B1", "B2"], "B3"),
        (["12", "13"], "14"),
    ],
)
def test_a_name_is_suggested(tmp_path: Path, names: list[str], suggested: str) -> None:
    herd = make_herd(tmp_path / "c.db")
    for name in names:
        herd.individual(name)
    assert Catalogue(herd.store).suggested_name() == suggested


def test_names_that_begin_so_come_first(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "c.db")
    for name in ("Big Luna", "luna 10", "Luna 9", "Ferro"):
        herd.individual(name)
    book = Catalogue(herd.store)
    assert book.names("LUN") == ["Luna 9", "luna 10", "Big Luna"]
    assert book.names("", count=2) == ["Big Luna", "Ferro"]


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_names_can_be_put_in_order(names: list[str]) -> None:
    ordered = sorted(names, key=natural)
    assert sorted(ordered) == sorted(names)
    assert natural("w9") < natural("W10")


def test_the_newest_events_page_by_page(filled: tuple[Herd, Catalogue]) -> None:
    herd, book = filled
    ids = herd.add(np.repeat(unit(1), 5, axis=0))
    for i in ids:
        book.later([i], who="Ada" if i % 2 else "Bob")
    book.undo(who="Ada")
    everything = book.history()[::-1]
    assert book.events(99) == everything
    assert book.events(2) == everything[:2]
    assert book.events(2, before=everything[1].action) == everything[2:4]
    last = book.last_action("Bob")
    assert last is not None
    assert last[1:] == ("later", "put off 1 photo")
    assert book.last_action("Eve") is None
