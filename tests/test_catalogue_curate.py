"""An individual's own affairs: its best photo, a wrong photo taken out, and its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from catalogues import refusal
from herd import Herd, clouds, make_herd, unit
from resight.catalogue import Catalogue, schema
from resight.catalogue.meanwhile import DecidedMeanwhile


@pytest.fixture
def filled(place: str) -> Iterator[tuple[Herd, Catalogue]]:
    """An empty catalogue on each engine, and a way to fill it."""
    herd = make_herd(place)
    yield herd, Catalogue(herd.store)
    herd.store.close()


def best_of(book: Catalogue) -> dict[str, str | None]:
    return {one.name: one.best and one.best.name for one in book.individuals()}


def whose(book: Catalogue, ids: list[int]) -> list[str | None]:
    return [photo.individual for photo in book.shown(ids)]


def test_the_best_photo_is_chosen_and_counts_while_it_is_its_own(filled) -> None:
    herd, book = filled
    _, two, three = herd.add(unit(3), "Luna")
    (milo,) = herd.add(unit(1), "Milo")
    (nobody,) = herd.add(unit(1))
    assert best_of(book) == {"Luna": None, "Milo": None}
    done = book.best_photo(two, who="Ada")
    assert done.summary == "chose the best photo of Luna: 1.jpg"
    assert best_of(book) == {"Luna": "1.jpg", "Milo": None}
    assert book.best_photo(two).action is None
    book.best_photo(three)
    book.undo()
    assert best_of(book)["Luna"] == "1.jpg"
    book.move([two], "Milo")  # no longer hers, and it was never chosen for him
    assert best_of(book) == {"Luna": None, "Milo": None}
    book.undo()
    assert best_of(book)["Luna"] == "1.jpg"
    book.junk([two])
    assert best_of(book)["Luna"] is None
    assert "junk" in refusal(lambda: book.best_photo(two))
    assert "resight name" in refusal(lambda: book.best_photo(nobody))
    assert "not in" in refusal(lambda: book.best_photo(777))
    book.best_photo(milo)
    book.merge("Milo", into="Luna")
    assert best_of(book) == {"Luna": None}  # hers stands, though it is junk for now
    book.junk([two], back=True)
    assert best_of(book) == {"Luna": "1.jpg"}
    assert book.history(individual="Luna")[0].verb == "best-photo"
    assert book.check(files=False).sound


def test_who_had_no_best_photo_gets_that_of_whom_it_is_merged_with(filled) -> None:
    herd, book = filled
    herd.add(unit(2), "Luna")
    (milo,) = herd.add(unit(1), "Milo")
    book.best_photo(milo)
    book.merge("Milo", into="Luna")
    assert best_of(book) == {"Luna": "2.jpg"}
    book.undo()
    assert best_of(book) == {"Luna": None, "Milo": "2.jpg"}


def test_a_best_photo_that_was_never_there_is_found(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "c.db")
    herd.individual("Luna", best_photo_id=99)
    (found,) = Catalogue(herd.store).check(files=False).findings
    assert found.what == "best known by a photo that was never there"


def test_what_is_taken_out_waits_again_and_stays_out(filled) -> None:
    herd, book = filled
    vectors, _ = clouds([4, 4])
    meeting = herd.encounter("Sunday", "Luna", place="bay")
    luna = herd.add(vectors[:4], "Luna", encounter=meeting)
    herd.add(vectors[4:], "Milo")
    wrong = luna[1:3]
    done = book.take_out("Luna", wrong, who="Ada")
    assert done.summary == "took 2 photos out of Luna"
    assert whose(book, luna) == ["Luna", None, None, "Luna"]
    assert {photo.place for photo in book.shown(wrong)} == {"bay"}  # where it was is still known
    for answer in book.identify_kept(wrong):
        assert answer.left_out == ("Luna",)
        assert answer.individual == "Milo"
    assert "are not the same" in refusal(lambda: book.name(wrong[0], "Luna"))
    assert [one.what for one in book.decisions()] == ["unknown", "unknown"] + ["not the same"] * 2
    book.rename("Luna", "Lune")
    assert {answer.left_out for answer in book.identify_kept(wrong)} == {("Lune",)}
    assert book.check(files=False).sound
    book.undo()
    book.undo()
    assert whose(book, luna) == ["Luna"] * 4
    book.move([wrong[0]], None)
    assert book.identify_kept([wrong[0]])[0].left_out == ()  # that word was taken back, too
    book.undo()
    book.take_out("Luna", wrong)  # and said again
    assert book.identify_kept([wrong[0]])[0].left_out == ("Luna",)


def test_all_of_an_individual_taken_out_only_lose_their_name(filled) -> None:
    herd, book = filled
    ids = herd.add(unit(2), "Luna")
    herd.add(unit(1), "Milo")
    book.take_out("Luna", ids)
    assert whose(book, ids) == [None, None]
    assert [one.photos for one in book.individuals()] == [0, 1]
    assert {answer.left_out for answer in book.identify_kept(ids)} == {()}


def test_a_photo_without_a_fingerprint_can_be_taken_out(filled) -> None:
    herd, book = filled
    _, two = herd.add(unit(2), "Luna")
    with herd.store.writing() as connection:
        prints = schema.fingerprints
        connection.execute(sa.delete(prints).where(prints.c.photo_id == two))
    book.take_out("Luna", [two])
    assert "not the same" in refusal(lambda: book.name(two, "Luna"))


def test_what_cannot_be_taken_out(filled) -> None:
    herd, book = filled
    one, two = herd.add(unit(2), ["Luna", "Milo"])
    (junk,) = herd.add(unit(1), "Luna", state="junk")
    (nobody,) = herd.add(unit(1))
    for photo, why in ((two, "but 'Milo'"), (nobody, "but unnamed"), (junk, "junk")):
        assert why in refusal(lambda photo=photo: book.take_out("Luna", [one, photo]))
    assert "nobody here is called" in refusal(lambda: book.take_out("Lun", [one]))
    seen = {one: 0}
    book.move([one], "Milo", seen=seen, who="Bob")
    book.move([one], "Luna", who="Bob")
    with pytest.raises(DecidedMeanwhile, match="Bob"):
        book.take_out("Luna", [one], seen=seen)
    with pytest.raises(DecidedMeanwhile, match="Bob"):
        book.split("Luna", [one], new="Nova", seen=seen)
    assert len(book.history()) == 2


def test_who_has_no_photos_is_let_go_of(filled) -> None:
    herd, book = filled
    meeting = herd.encounter("Sunday", "Luna")
    (one,) = herd.add(unit(1), "Luna", encounter=meeting)
    herd.encounter("an empty one", "Luna")
    assert "has 1 photo" in refusal(lambda: book.forget("Luna"))
    book.junk([one])
    done = book.forget("Luna", who="Ada")
    assert done.summary == "let go of Luna, who had no photos but 1 photo of junk"
    assert book.individuals() == []
    assert "nobody here is called" in refusal(lambda: book.forget("Luna"))
    assert book.check(files=False).sound
    assert "let go of Luna" in refusal(lambda: book.undo(1))  # the junk would come back to nobody
    book.undo()
    assert [event.verb for event in book.history(individual="Luna")] == ["forget", "undo"]
    book.redo()
    book.junk([one], back=True)
    assert whose(book, [one]) == [None]
    book.name(one, "Luna")  # somebody else of that name
    assert "builds on it" in refusal(lambda: book.undo(2))
    assert book.check(files=False).sound
