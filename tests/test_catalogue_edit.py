"""What people say of photos: names, merges, splits, moves, junk, and a "no" that sticks."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from catalogues import come_in, refusal, unit_vectors, whose
from resight.catalogue import schema
from resight.photos.photo import Photo

MONDAY = datetime(2025, 4, 7, 9, 30)  # as a camera has it: without a zone


def test_naming_one_photo_names_its_encounter(book, files):
    photos = [Photo(files[0], encounter="Monday"), Photo(files[1], encounter="Monday")]
    come_in(book, [*photos, Photo(files[2]), Photo(files[3], encounter="Tuesday")])
    assert book.name(files[0], "Luna").summary == "named 2 photos: Luna"
    assert whose(book) == {
        "Luna": [("0", "Monday"), ("1", "Monday")],
        None: [("2", None), ("3", "Tuesday")],
    }
    book.name([files[2], files[3]], " Luna ", probability=0.9, shown=["Luna", "Sol"])
    assert whose(book)["Luna"][2:] == [("2", None), ("3", "Tuesday")]
    assert [one.what for one in book.decisions()] == ["new", "new", "same", "same"]
    last = book.decisions()[-1]
    assert (last.individual, last.probability, last.shown) == ("Luna", 0.9, ["Luna", "Sol"])
    assert book.name(files[0], "Luna").action is None
    assert "is 'Luna' already" in refusal(lambda: book.name(files[0], "Sol"))


def test_naming_photos_alone_leaves_the_others_of_their_encounter(book, files):
    come_in(book, [Photo(path, encounter="Monday") for path in files[:3]])
    book.name(files[0], "Luna", alone=True)
    assert whose(book) == {"Luna": [("0", "Monday")], None: [("1", "Monday"), ("2", "Monday")]}
    book.undo()
    assert whose(book) == {None: [("0", "Monday"), ("1", "Monday"), ("2", "Monday")]}


def test_a_merge_takes_everything_along_and_undo_brings_it_back(book, files):
    come_in(
        book,
        [
            Photo(files[0], "Luna", "Monday", MONDAY, place="Brest"),
            Photo(files[1], "Luna 2", "Monday", observer="Anna"),
            Photo(files[2], "Luna 2", "Tuesday"),
            Photo(files[3], "Luna 2"),
        ],
    )
    book.describe("Luna", notes="lame", fields={"sex": "female", "age": "3"})
    book.describe("Luna 2", notes="a scar", fields={"sex": "male", "herd": "B"})
    before = whose(book), book.individuals()
    book.merge("Luna 2", into="Luna")
    assert whose(book) == {
        "Luna": [("0", "Monday"), ("1", "Monday"), ("2", "Tuesday"), ("3", None)]
    }
    (luna,) = book.individuals()
    assert luna.fields == {"sex": "female", "age": "3", "herd": "B"}
    assert luna.notes == "lame\na scar\nLuna 2: sex = male"
    monday = book.photos_of("Luna")[1]
    assert (monday.place, monday.observer) == ("Brest", "Anna")  # one meeting, both details
    book.rename("Luna", "Lune")
    book.undo(book.history()[-2].action)  # the merge, though the name has changed since
    assert [one.name for one in book.individuals()] == ["Lune", "Luna 2"]
    book.redo()
    book.undo()
    book.undo()
    assert (whose(book), book.individuals()) == before


def test_encounters_of_one_name_that_differ_stay_two(book, files):
    come_in(
        book,
        [
            Photo(files[0], "Luna", "Monday", place="Brest"),
            Photo(files[1], "Sol", "Monday", place="Nantes"),
        ],
    )
    book.merge("Sol", into="Luna")
    assert whose(book) == {"Luna": [("0", "Monday"), ("1", "Monday (2)")]}
    assert [photo.place for photo in book.photos_of("Luna")] == ["Brest", "Nantes"]


def test_a_split_divides_encounters(book, files):
    come_in(book, [Photo(path, "Luna", "Monday", place="Brest") for path in files[:3]])
    book.split("Luna", files[1], new="Luna 2")
    assert whose(book) == {"Luna": [("0", "Monday"), ("2", "Monday")], "Luna 2": [("1", "Monday")]}
    assert book.photos_of("Luna 2")[0].place == "Brest"
    assert "there already" in refusal(lambda: book.split("Luna", files[0], new="Luna 2"))
    assert "all photos" in refusal(lambda: book.split("Luna", [files[0], files[2]], new="X"))
    assert "not of 'Luna'" in refusal(lambda: book.split("Luna", files[1], new="X"))


def test_moving_to_somebody_and_to_nobody(book, files):
    come_in(book, [Photo(files[0], "Luna", "Monday"), Photo(files[1], "Sol", "Monday")])
    book.move(files[0], "Sol")
    assert whose(book) == {"Luna": [], "Sol": [("0", "Monday"), ("1", "Monday")]}
    book.move(files[0], None)
    book.move(files[1], None)
    # Two unknown ones, each of its own Monday: naming one must not name the other.
    assert whose(book)[None] == [("0", "Monday"), ("1", "Monday (2)")]
    book.name(files[0], "Mars")
    assert whose(book)[None] == [("1", "Monday (2)")]
    assert "nobody here" in refusal(lambda: book.move(files[0], "Venus"))
    assert "resight name" in refusal(lambda: book.move(files[1], "Mars"))
    assert book.decisions()[-2].what == "unknown"


def test_junk_is_seen_nowhere_and_comes_back_only_when_asked(book, files):
    come_in(book, [Photo(files[0], "Luna"), Photo(files[1], "Luna"), Photo(files[2])])
    book.junk([files[1], files[2]])
    assert whose(book) == {"Luna": [("0", None)]}
    assert [photo.path for photo in book.junked()] == files[1:3]
    assert len(book.vectors()[0]) == 1
    vectors = unit_vectors(2)
    passed = book.add(files[1:3], vectors=vectors)
    assert (passed.added, passed.junk, passed.action) == (0, tuple(files[1:3]), None)
    assert "junk" in refusal(lambda: book.enrol("Luna", files[1], vectors=vectors[:1]))
    assert "junk" in refusal(lambda: book.name(files[2], "Sol"))
    book.junk(files[1], back=True)
    assert whose(book) == {"Luna": [("0", None), ("1", None)]}
    assert book.enrol("Sol", files[2], vectors=vectors[:1], even_junk=True).added == 1
    assert whose(book)["Sol"] == [("2", None)]
    assert book.junk(files[0], back=True).action is None


def test_a_no_sticks(book, files):
    come_in(book, [Photo(files[0], "Luna"), Photo(files[1], "Sol"), Photo(files[2])])
    said = book.not_same(files[0], files[1], who="Anna")
    assert book.not_same(files[1], files[0]).action is None
    for path in files[:2]:  # it is in the history of both
        assert [event.action for event in book.history(photo=path)][-1] == said.action
    told = refusal(lambda: book.merge("Luna", into="Sol"))
    for word in (str(files[0]), str(files[1]), "Anna", f"--action {said.action}"):
        assert word in told
    assert "Anna" in refusal(lambda: book.move(files[0], "Sol"))
    book.not_same(files[2], files[0])
    book.rename("Luna", "Lune")
    assert "not the same" in refusal(lambda: book.name(files[2], "Lune"))
    assert "not the same" in refusal(lambda: book.enrol("Lune", files[2], vectors=unit_vectors(1)))
    book.undo(said.action)
    book.merge("Lune", into="Sol")
    assert "builds on it" in refusal(lambda: book.undo(book.history()[0].action))
    assert "both 'Sol'" in refusal(lambda: book.not_same(files[0], files[1]))
    assert "not the same as what?" in refusal(lambda: book.not_same(files[0]))


def test_a_no_to_an_individual_is_said_of_its_nearest_photo(book, files):
    vectors = unit_vectors(3)
    book.enrol("Luna", files[:2], vectors=vectors[:2])
    near = vectors[1] * 0.99 + vectors[0] * 0.05
    near /= (near**2).sum() ** 0.5
    book.add(files[2], vectors=near[None])
    book.not_same(files[2], individual="Luna", probability=0.8)
    (said,) = book.decisions(files[2])
    with book._store.reading() as connection:
        other = connection.scalar(
            sa.select(schema.photos.c.path).where(schema.photos.c.id == said.details["other_photo"])
        )
    assert book._store.whole_path(other) == files[1]
    assert (said.individual, said.probability) == ("Luna", 0.8)


def test_what_an_encounter_is_known_of_is_kept_and_not_overwritten(book, files):
    first = Photo(files[0], "Luna", date=MONDAY, place="Brest", latitude=48.4, longitude=-4.5)
    second = Photo(files[1], "Luna", date=MONDAY, place="Brest", observer="Anna")
    come_in(book, [first, second])
    shown = book.photos_of("Luna")
    assert {photo.encounter for photo in shown} == {"2025-04-07 Brest"}
    assert {(photo.observer, photo.latitude) for photo in shown} == {("Anna", 48.4)}
    with book._store.reading() as connection:
        began = connection.scalar(sa.select(schema.encounters.c.began_at))
    assert began == MONDAY.replace(tzinfo=UTC)
    come_in(book, [Photo(files[2], "Luna", "2025-04-07 Brest", observer="Ben")])
    assert {photo.observer for photo in book.photos_of("Luna")} == {"Anna"}
    book.describe_encounter("Luna", "2025-04-07 Brest", observer="Ben", place="the bay")
    assert {(p.observer, p.place) for p in book.photos_of("Luna")} == {("Ben", "the bay")}
    assert "no encounter" in refusal(lambda: book.describe_encounter("Luna", "x", place="y"))
    for nowhere in ({"latitude": 91}, {"longitude": float("nan")}):
        assert "between" in refusal(lambda n=nowhere: book.describe_encounter("Luna", "x", **n))


def test_settings_are_what_people_said(book):
    assert book.settings() == {"sides_differ": False}
    book.set_settings(sides_differ=True)
    assert book.settings() == {"sides_differ": True}
    book.undo()
    assert book.settings() == {"sides_differ": False}
    assert "no setting" in refusal(lambda: book.set_settings(colour=True))
    assert "yes or no" in refusal(lambda: book.set_settings(sides_differ="perhaps"))


@pytest.mark.parametrize("name", ["", " ", "\u200f", "a\nb", "a\0b", "a\u2028b", "x" * 10_000])
def test_names_that_cannot_be_names_are_refused_everywhere(book, files, name):
    come_in(book, [Photo(files[0], "Luna"), Photo(files[1], "Luna"), Photo(files[2])])
    before, history = whose(book), book.history()
    for verb in (
        lambda: book.name(files[2], name),
        lambda: book.rename("Luna", name),
        lambda: book.split("Luna", files[0], new=name),
        lambda: book.move(files[0], name),
        lambda: book.merge("Luna", into=name),
        lambda: book.describe("Luna", fields={name: "x"}),
        lambda: book.describe_photos(files[0], side=name),
        lambda: book.rename("Luna", "Sol", who=name),
        lambda: book.describe("Luna", notes="x" * 10_001),
        lambda: book.describe("Luna", notes="a\0b"),
    ):
        assert len(refusal(verb)) < 200
    assert (whose(book), book.history()) == (before, history)


@pytest.mark.parametrize(
    "name",
    ["Robert'); DROP TABLE individuals;--", "👩‍🔬 לונה \u200f(2)", "%s {0} :name ?", "x" * 200],
)
def test_odd_names_come_back_as_they_went_in(book, files, name):
    come_in(book, [Photo(files[0], "Luna", name), Photo(files[1], "Sol", name), Photo(files[2])])
    book.name(files[2], name)
    book.merge("Luna", into=name, who=name)
    book.describe(name, notes=f"{name}\n{name}", fields={name: name}, who=name)
    book.move(files[1], name)
    assert {photo.encounter for photo in book.photos_of(name)} == {name, None}
    one = next(one for one in book.individuals() if one.name == name)
    assert (one.notes, one.fields) == (f"{name}\n{name}", {name: name})
    event = book.history(individual=name)[-2]
    said = " ".join(f"described {name}: notes, {name} = {name}".split())
    assert (event.who, event.summary[:300]) == (name, said[:300])
    for _ in range(4):
        book.undo()
    assert whose(book) == {"Luna": [("0", name)], "Sol": [("1", name)], None: [("2", None)]}


def test_a_no_holds_though_its_photo_is_junk_but_not_when_it_never_came(book, files):
    come_in(book, [Photo(files[0], "Luna"), Photo(files[1], "Sol"), Photo(files[3])])
    extra = book.enrol("Luna", files[2], vectors=unit_vectors(1, seed=5))
    book.not_same(files[2], files[1])
    book.not_same(files[3], files[2])
    book.junk(files[2])
    assert "not the same" in refusal(lambda: book.merge("Luna", into="Sol"))
    assert "not the same" in refusal(lambda: book.name(files[3], "Luna"))
    assert book.check(files=False).findings == ()
    book.junk(files[2], back=True)
    book.junk(files[1])  # whichever of the two it is
    assert "not the same" in refusal(lambda: book.merge("Luna", into="Sol"))
    book.junk(files[1], back=True)
    for event in reversed(book.history()):
        if event.verb == "junk" and not event.undone:
            book.undo(event.action)
    book.undo(extra.action)  # as if it had never been added: nobody says whose it was
    book.name(files[3], "Luna")
    book.merge("Sol", into="Luna")
    assert "not the same" in refusal(
        lambda: book.enrol("Luna", files[2], vectors=unit_vectors(1, seed=5))
    )


def test_an_encounter_that_all_photos_have_left_is_seen_nowhere(book, files):
    come_in(book, [Photo(files[0], encounter="Monday"), Photo(files[1], encounter="Friday")])
    come_in(book, [Photo(files[2], encounter="Friday")])
    vectors = unit_vectors(2)
    for path, vector in zip(files[:2], vectors, strict=True):
        assert book.enrol("Luna", path, vectors=vector[None], encounter="Tuesday").named == 1
    assert "no unnamed encounter called 'Monday'" in refusal(
        lambda: book.describe_encounter(None, "Monday", place="Brest")
    )
    book.describe_encounter(None, "Friday", place="Brest")  # one photo has stayed
    assert [photo.place for photo in book.unnamed()] == ["Brest"]


def test_out_of_the_junk_a_photo_keeps_what_was_said_of_it(book, files):
    come_in(
        book,
        [
            Photo(files[0], "Luna", "Monday", MONDAY, "left"),
            Photo(files[1], "Luna"),
            Photo(files[2]),
        ],
    )
    book.junk(files[:3])
    vectors = unit_vectors(3)
    assert "enrolled as 'Luna'" in refusal(
        lambda: book.enrol("Sol", files[0], vectors=vectors[:1], even_junk=True)
    )
    done = book.add(files[:3], vectors=vectors, even_junk=True)
    assert (done.added, done.junk) == (3, ())
    (first, _) = book.photos_of("Luna")
    assert (first.encounter, first.date, first.side) == ("Monday", MONDAY, "left")
    assert len(book.unnamed()) == 1
    assert book.decisions(files[0])[-1].what == "not junk"
    book.undo(done.action)
    assert len(book.junked()) == 3
    assert book.enrol("Sol", files[2], vectors=vectors[2:], even_junk=True).added == 1
    assert len(book.photos_of("Sol")) == 1
