"""Another model: every photo fingerprinted again, the change made at the end and taken back."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

import models
from catalogues import write_photos
from command_line import resight
from resight.catalogue import Catalogue, schema
from resight.catalogue import refingerprint as room
from resight.catalogue.store import open_store
from resight.errors import ResightError, UnusableCatalogue
from resight.fingerprint import Fingerprinter, load_model
from resight.photos import Photo


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model file, of another dimension."""
    return models.make_model(tmp_path_factory.mktemp("models") / "other.onnx", dim=24, seed=7)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return write_photos(tmp_path / "in", 5)


@pytest.fixture
def book(place: str, tiny_model: Path, paths: list[Path]) -> str:
    """On each engine: Luna on two whole photos and a part of one, Milo on two."""
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", paths[:2])
        catalogue.enrol("Milo", paths[2:4])
        catalogue.enrol_many([Photo(paths[4], individual="Luna", box=(2, 3, 20, 28))])
    return place


def prints(place: str) -> dict[str, int]:
    """How many fingerprints there are of each model."""
    table = schema.fingerprints
    store = open_store(place)
    with store.reading() as connection:
        query = sa.select(table.c.model_id, sa.func.count()).group_by(table.c.model_id)
        found = {str(model): int(count) for model, count in connection.execute(query)}
    store.close()
    return found


def in_use(place: str) -> str:
    store = open_store(place)
    with store.reading() as connection:
        found = connection.scalars(sa.select(schema.about.c.model_id)).one()
    store.close()
    return found


def test_it_equals_a_catalogue_made_with_the_new_model(book, paths, other_model, tiny_model):
    new, old = load_model(other_model).id, load_model(tiny_model).id
    with Catalogue.open(book) as catalogue:
        done = catalogue.refingerprint(other_model, who="Anna")
        assert (done.made, done.already, done.unreadable, done.switched) == (5, 0, (), True)
        assert done.model_id == catalogue.model_id == new
        assert catalogue.card.dim == 24
        for _ in range(2):  # as it stands, and opened anew
            vectors = catalogue.vectors()[0]
            expected = Fingerprinter(other_model)(
                [*paths[:4], Photo(paths[4], box=(2, 3, 20, 28))]
            ).vectors
            assert np.abs(vectors - expected).max() < 1e-6
            (answer,) = catalogue.identify(paths[2])
            assert answer.candidates[0].individual == "Milo"
            assert answer.candidates[0].distance < 1e-6
            assert answer.searched.model == new
            catalogue = Catalogue.open(book)
        last = catalogue.history()[-1]
        assert (last.verb, last.who) == ("refingerprint", "Anna")
    assert prints(book) == {old: 5, new: 5}
    assert catalogue.check().sound


def test_undo_brings_the_old_model_back_and_redo_the_new(book, other_model, tiny_model, paths):
    with Catalogue.open(book) as catalogue:
        before = catalogue.vectors()[0]
        old = catalogue.model_id
        catalogue.refingerprint(other_model)
        catalogue.undo()
        assert catalogue.vectors()[0].shape == (5, 32)
        assert np.array_equal(catalogue.vectors()[0], before)
        assert in_use(book) == old
        assert catalogue.identify(paths[0])[0].candidates[0].individual == "Luna"
        catalogue.redo()
        assert catalogue.vectors()[0].shape == (5, 24)


def test_the_others_notice(book, other_model, paths):
    with Catalogue.open(book) as one, Catalogue.open(book) as two:
        assert two.vectors()[0].shape == (5, 32)
        one.refingerprint(other_model)
        assert two.vectors()[0].shape == (5, 24)
        assert two.identify(paths[3])[0].candidates[0].individual == "Milo"


def test_the_model_in_use_makes_what_is_missing_and_nothing_else(book, tiny_model):
    before = prints(book)
    store = open_store(book)
    with store.writing() as connection:
        connection.execute(sa.delete(schema.fingerprints).where(schema.fingerprints.c.id == 2))
    store.close()
    with Catalogue.open(book) as catalogue:
        actions = len(catalogue.history())
        done = catalogue.refingerprint(tiny_model)
        assert (done.made, done.already, done.switched) == (1, 4, False)
        assert len(catalogue.history()) == actions
    assert prints(book) == before


def test_what_cannot_be_read_is_listed_and_only_left_out_when_asked(book, other_model, paths):
    old = in_use(book)
    kept = paths[0].read_bytes()
    paths[0].unlink()
    shutil.copy(paths[1], paths[3])  # another picture in its place
    with Catalogue.open(book) as catalogue:
        with pytest.raises(ResightError, match="2 photos cannot be read, so the model was not"):
            catalogue.refingerprint(other_model)
        assert in_use(book) == old
        paths[0].write_bytes(kept)
        done = catalogue.refingerprint(other_model, leave_out_unreadable=True)
        assert (done.made, done.already, done.switched) == (1, 3, True)
        (error,) = done.unreadable
        assert str(paths[3]) in str(error)
        assert "another picture" in str(error)
        assert len(catalogue.vectors()[0]) == 4


def test_a_model_that_is_no_model_changes_nothing(book, tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_text("no model")
    before = prints(book), in_use(book)
    with Catalogue.open(book) as catalogue, pytest.raises(ResightError, match=r"bad\.onnx"):
        catalogue.refingerprint(bad)
    assert (prints(book), in_use(book)) == before


def test_another_model_s_file_is_told_the_way(book, other_model):
    with pytest.raises(UnusableCatalogue, match="resight refingerprint"):
        Catalogue.open(book, model=other_model)


class Faulty:
    """A fingerprint function that runs until its last call, and what happens then."""

    def __init__(self, model, calls, then):
        self.fingerprint, self.left, self.then = Fingerprinter(model), calls, then

    def __call__(self, photos):
        if self.left == 0:
            self.then()
        self.left -= 1
        return self.fingerprint(photos)


def test_stopped_it_goes_on_where_it_was(book, other_model, monkeypatch):
    monkeypatch.setattr(room, "AT_A_TIME", 2)
    model = load_model(other_model)
    old = in_use(book)
    store = open_store(book)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        room.refingerprint(store, model, Faulty(model, 2, stop))
    assert (prints(book)[model.id], in_use(book)) == (4, old)
    done = room.refingerprint(store, model, Fingerprinter(model))
    assert (done.made, done.already, done.switched) == (1, 4, True)
    store.close()


def test_photos_that_others_add_meanwhile_are_not_forgotten(book, other_model, tmp_path):
    model = load_model(other_model)
    late = write_photos(tmp_path / "late", 2, seed=5)

    def add() -> None:
        with Catalogue.open(book) as other:
            other.enrol("Sol", late)

    store = open_store(book)
    done = room.refingerprint(store, model, Faulty(model, 0, add))
    store.close()
    assert (done.made, done.switched) == (7, True)
    with Catalogue.open(book) as catalogue:
        assert len(catalogue.vectors()[0]) == 7
        assert catalogue.check().sound


def test_who_enrols_while_the_model_changes_writes_no_fingerprint_of_the_old_one_alone(
    book, other_model, tmp_path
):
    (late,) = write_photos(tmp_path / "late", 1, seed=5)
    with Catalogue.open(book) as one, Catalogue.open(book) as two:
        two.vectors()
        one.refingerprint(other_model)
        two.enrol("Sol", [late])
        assert one.check().sound
        assert len(one.vectors()[0]) == 6


def test_the_command(tmp_path, tiny_model, other_model, paths):
    place = tmp_path / "c.db"
    assert resight("enrol", place, "Luna", *paths, "--model", tiny_model).code == 0
    paths[1].unlink()
    error = resight("refingerprint", place, other_model).failed_in_one_line()
    assert "1 photo cannot be read" in error
    ran = resight("refingerprint", place, other_model, "--leave-out-unreadable")
    assert "run resight calibrate" in ran.out
    assert f"To take it back: resight undo {place}" in ran.out
    assert ran.code == 0
    assert "0 photos fingerprinted (4 were there)" in ran.out
    assert str(paths[1]) in ran.err
    ran = resight("refingerprint", place, tiny_model, "--leave-out-unreadable")
    assert ran.code == 0
    assert "(5 were there)" in ran.out


def test_undo_hides_no_photo_that_came_since(book, other_model, tiny_model, paths):
    with Catalogue.open(book) as catalogue:
        catalogue.refingerprint(other_model)
        switch = catalogue.history()[-1].action
        new = catalogue.enrol("Nova", paths[4]).action
        with pytest.raises(
            ResightError, match=r"1 photo has no fingerprint.*resight refinger"
        ) as e:
            catalogue.undo(switch)
        assert str(tiny_model) in str(e.value)
        assert catalogue.identify(paths[4])[0].candidates[0].individual == "Nova"
        catalogue.undo(new)
        catalogue.undo(switch)  # nothing stands in the way any more
        assert catalogue.card.dim == 32


def test_a_model_that_has_moved_is_found_where_it_was_given(book, other_model, tmp_path, paths):
    moved = tmp_path / "elsewhere" / "other.onnx"
    moved.parent.mkdir()
    first = shutil.copy(other_model, tmp_path / "first.onnx")
    with Catalogue.open(book) as catalogue:
        catalogue.refingerprint(first)
        catalogue.undo()
        Path(first).rename(moved)
        catalogue.refingerprint(moved)
    with Catalogue.open(book) as catalogue:
        assert catalogue.identify(paths[2])[0].individual == "Milo"
