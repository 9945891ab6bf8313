"""What a page reads of individuals: faces, one of them, places, and who is alike."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from herd import Herd, clouds, make_herd, unit
from resight.catalogue import Catalogue, browse_individuals
from resight.errors import ResightError, UnusableCatalogue


@pytest.fixture
def filled(place: str) -> Iterator[tuple[Herd, Catalogue]]:
    """An empty catalogue on each engine, and a way to fill it."""
    herd = make_herd(place)
    yield herd, Catalogue(herd.store)
    herd.store.close()


def day(number: int) -> datetime:
    return datetime(2025, 5, number, 9, 30)


def test_everybody_has_a_face(filled) -> None:
    herd, book = filled
    sunday = herd.encounter("Sunday", "Luna", began_at=day(9).replace(tzinfo=UTC))
    luna = herd.add(unit(3), "Luna", encounter=sunday, taken_at=[day(4), None, day(2)])
    herd.add(unit(1), "Luna", state="junk", taken_at=day(30))
    herd.individual("Milo")
    herd.individual("Gone", gone=True)
    herd.add(unit(1))
    face, empty = book.faces()
    assert (face.name, face.photos, face.encounters, face.photo) == ("Luna", 3, 1, luna[0])
    assert face.last == day(9)
    assert face.id == book.number_of("Luna")
    assert (empty.name, empty.photos, empty.photo, empty.last) == ("Milo", 0, None, None)
    book.best_photo(luna[2])
    assert [one.photo for one in book.faces()] == [luna[2], None]
    book.junk(luna[2])
    assert book.faces()[0].photo == luna[0]


def test_an_individual_by_its_encounters(filled) -> None:
    herd, book = filled
    early = herd.encounter("early", "Luna", place="bay", latitude=1.5, longitude=-2.0)
    undated = herd.encounter("undated", "Luna", observer="Ada")
    late = herd.encounter("late", "Luna", began_at=day(20).replace(tzinfo=UTC))
    two = herd.add(unit(2), "Luna", encounter=early, taken_at=[day(2), day(1)])
    (three,) = herd.add(unit(1), "Luna", encounter=undated)
    (four,) = herd.add(unit(1), "Luna", encounter=late)
    loose = herd.add(unit(2), "Luna", taken_at=day(7))
    (bare,) = herd.add(unit(1), "Luna")
    (junk,) = herd.add(unit(1), "Luna", state="junk")
    book.describe("Luna", notes="a nick", fields={"sex": "female"})
    one = book.portrait(book.number_of("Luna"))
    assert (one.name, one.notes, dict(one.fields), one.junk) == (
        "Luna",
        "a nick",
        {"sex": "female"},
        1,
    )
    found = [(meeting.name, [photo.id for photo in meeting.photos]) for meeting in one.meetings]
    assert found[:3] == [("late", [four]), (None, loose), ("early", two[::-1])]
    assert sorted(found[3:], key=str) == [("undated", [three]), (None, [bare])]
    bay = one.meetings[2]
    assert (bay.at, bay.place, bay.latitude, bay.longitude) == (day(1), "bay", 1.5, -2.0)
    assert junk not in [photo.id for photo in one.photos]
    assert one.best is None
    with pytest.raises(ResightError, match="nobody in"):
        book.portrait(99)
    herd.add(unit(1), "Milo")
    book.merge("Luna", into="Milo")
    with pytest.raises(ResightError, match="'Luna' is not there any more"):
        book.portrait(one.id)


def test_places_near_each_other_are_one(filled) -> None:
    herd, book = filled
    for name, latitude, longitude in (("a", 1.00012, 2.0), ("b", 1.0, 2.0), ("c", -1.0, 2.0)):
        herd.encounter(name, "Luna", latitude=latitude, longitude=longitude)
    herd.encounter("d", "Luna", latitude=3.0)
    herd.encounter("e", "Luna", latitude=4.0, longitude=4.0, gone=True)
    found = [(one.latitude, one.longitude, one.encounters) for one in book.places()]
    assert found == [(-1.0, 2.0, 1), (1.0, 2.0, 2)]


def test_of_very_many_places_the_near_ones_are_one(filled, monkeypatch: pytest.MonkeyPatch) -> None:
    herd, book = filled
    assert book.places() == []
    for number in range(9):
        herd.encounter(f"{number}", "Luna", latitude=number / 100, longitude=2.0)
    assert len(book.places()) == 9
    monkeypatch.setattr(browse_individuals, "MOST_PLACES", 3)
    assert [(one.latitude, one.encounters) for one in book.places()] == [(0.0, 6), (0.1, 3)]


def test_who_is_alike_is_asked_by_all_photos_of_an_individual(filled) -> None:
    herd, book = filled
    vectors, labels = clouds([40, 5, 5], width=0.4)
    names = ["Luna" if label == 0 else f"W{label}" for label in labels]
    names[:10] = ["Luna again"] * 10
    ids = herd.add(vectors, names)
    found = book.alike("Luna")
    assert found.answer.candidates[0].individual == "Luna again"
    assert {one.individual for one in found.answer.candidates} == {"Luna again", "W1", "W2"}
    place = {photo: row for row, photo in enumerate(ids)}
    asked = set(found.pairs.values())
    assert asked <= set(ids[10:40])
    for theirs, mine in found.pairs.items():  # each beside the nearest of those that were asked
        likeness = {one: vectors[place[one]] @ vectors[place[theirs]] for one in asked}
        assert likeness[mine] == pytest.approx(max(likeness.values()))
    assert found == book.alike("Luna")
    unasked = next(i for i in ids[10:40] if i not in asked)
    book.not_same(unasked, individual="Luna again")
    found = book.alike("Luna")
    assert found.answer.left_out == ("Luna again",)
    assert {one.individual for one in found.answer.candidates} == {"W1", "W2"}


def test_there_must_be_something_and_somebody_to_compare(filled) -> None:
    herd, book = filled
    herd.add(unit(2), "Luna")
    herd.individual("Milo")
    with pytest.raises(UnusableCatalogue):
        book.alike("Luna")
    with pytest.raises(ResightError, match="no photo with a fingerprint"):
        book.alike("Milo")
    with pytest.raises(ResightError, match="nobody here is called"):
        book.alike("Nobody")
