"""Enrolling: photos that are known already, and input that must not do harm."""

import os
import sqlite3
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalogues import holdings, unit_vectors, write_files, write_photos
from resight.catalogue import Catalogue, Individual, incoming
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.photo import Photo


def test_photos_get_a_name_and_a_fingerprint(catalogue, tmp_path, tiny_model):
    paths = write_photos(tmp_path / "in", 3)
    done = catalogue.enrol("Luna", paths)
    assert (done.individual, done.added, done.already, done.unreadable) == ("Luna", 3, 0, ())
    assert catalogue.individuals() == [Individual("Luna", 3)]
    vectors, names, found = catalogue.vectors()
    assert (names, found) == (["Luna"] * 3, paths)
    from resight.fingerprint import fingerprinter

    made = fingerprinter.Fingerprinter(tiny_model)(paths).vectors
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, made, atol=1e-6)


def test_one_path_and_a_folder_will_do(catalogue, tmp_path):
    first, *_ = write_photos(tmp_path / "in", 3)
    assert catalogue.enrol("Luna", str(first)).added == 1
    assert catalogue.enrol("Luna", tmp_path / "in").added == 2
    assert holdings(catalogue) == {"Luna": 3}


def test_every_enrolment_is_a_decision(catalogue, tmp_path):
    paths = write_photos(tmp_path / "in", 2)
    catalogue.enrol("Luna", paths[:1])
    catalogue.enrol("Sol", paths[1:])
    decisions = catalogue.decisions()
    assert [(d.what, d.individual, d.photo) for d in decisions] == [
        ("enrol", "Luna", paths[0]),
        ("enrol", "Sol", paths[1]),
    ]
    assert all(abs(d.at - datetime.now(UTC)) < timedelta(minutes=1) for d in decisions)
    assert all(d.who for d in decisions)


def test_the_same_photo_again_is_one_photo(catalogue, tmp_path):
    paths = write_photos(tmp_path / "in", 2)
    copy = tmp_path / "copy.png"
    copy.write_bytes(paths[0].read_bytes())
    done = catalogue.enrol("Luna", [paths[0], copy, paths[0]])
    assert (done.added, done.already) == (1, 2)
    done = catalogue.enrol("Luna", [copy, paths[1]])
    assert (done.added, done.already) == (1, 1)
    done = catalogue.enrol("Luna", paths)
    assert (done.added, done.already) == (0, 2)
    assert holdings(catalogue) == {"Luna": 2}


def test_a_photo_of_somebody_else_is_refused_whole(catalogue, tmp_path):
    paths = write_photos(tmp_path / "in", 3)
    catalogue.enrol("Luna", paths[:1])
    with pytest.raises(ResightError, match="enrolled as 'Luna'"):
        catalogue.enrol("Sol", [paths[1], paths[0]])
    both = [Photo(paths[1], individual="Sol"), Photo(paths[1], individual="Mars")]
    with pytest.raises(ResightError, match="'Sol'"):
        catalogue.enrol_many(both)
    assert holdings(catalogue) == {"Luna": 1}


def test_photos_that_cannot_be_read_are_named_and_the_rest_goes_on(catalogue, tmp_path):
    good = write_photos(tmp_path / "in", 2)
    text = tmp_path / "text.png"
    text.write_text("no picture")
    missing = tmp_path / "missing.png"
    done = catalogue.enrol("Luna", [good[0], text, missing, good[1]])
    assert done.added == 2
    assert {Path(error.source) for error in done.unreadable} == {text, missing}
    assert catalogue.vectors()[2] == good


def test_nothing_readable_writes_nothing(catalogue, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    missing = tmp_path / "missing.png"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = catalogue.path.read_bytes()
    for bad in (text, missing, pipe, os.fsdecode(b"\xff.png"), "a\0b.png"):
        with pytest.raises(UnreadablePhoto):
            catalogue.enrol("Luna", [bad])
    with pytest.raises(ResightError, match="none of the 2"):
        catalogue.enrol("Luna", [text, missing])
    for nothing in ([], tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(ResightError, match="no photos"):
            catalogue.enrol("Luna", nothing)
    assert catalogue.path.read_bytes() == before
    assert holdings(catalogue) == {}


def test_a_file_name_that_is_no_unicode_is_told_to_be_renamed(catalogue, tmp_path):
    (good,) = write_photos(tmp_path / "in", 1)
    bad = os.fsencode(tmp_path) + b"/\xff.png"
    try:
        with open(bad, "wb") as file:  # noqa: PTH123
            file.write(good.read_bytes())
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    with pytest.raises(UnreadablePhoto, match="rename"):
        catalogue.enrol("Luna", os.fsdecode(bad))


def test_given_vectors_are_kept(catalogue, tmp_path):
    paths, vectors = write_files(tmp_path / "in", 4), unit_vectors(4)
    catalogue.enrol("Luna", paths[:3], vectors=vectors[:3].astype(np.float64))
    catalogue.enrol("Luna", paths, vectors=vectors.tolist())
    found, _, found_paths = catalogue.vectors()
    assert found_paths == paths
    np.testing.assert_allclose(found, vectors, atol=1e-7)


def test_vectors_that_are_no_fingerprints_are_refused(catalogue, tmp_path):
    paths, good = write_files(tmp_path / "in", 2), unit_vectors(2)
    catalogue.enrol("Sol", write_files(tmp_path / "in", 1, word="sol"), vectors=unit_vectors(1))
    spoilt = {value: good.copy() for value in (np.nan, np.inf, 0.5, 0)}
    for value, vectors in spoilt.items():
        vectors[1, 3:] = value
    wrong = [*spoilt.values(), good[:1], good[:, :31], good[0], good * 1.01, np.ones((2, 32), int)]
    for vectors in [*wrong, good.astype(object), [["a"] * 32] * 2, [[1.0], [1.0, 2.0]]]:
        with pytest.raises(ResightError, match="vector"):
            catalogue.enrol("Luna", paths, vectors=vectors)
    assert holdings(catalogue) == {"Sol": 1}


def test_photos_of_many_with_all_that_is_known_of_them(catalogue, tmp_path):
    paths = write_files(tmp_path / "in", 5)
    date = datetime(2025, 4, 3, 12, 30)  # a camera knows no zone
    photos = [
        Photo(paths[0], "Luna", "Monday", date, "left"),
        Photo(paths[1], "Luna", "Monday"),
        Photo(paths[2], "Sol", "Monday"),
        Photo(paths[3], "Sol", box=(0, 1, 20, 30)),
        Photo(paths[3], "Luna", box=(20, 1, 40, 30)),
        Photo(paths[4], "Sol", "Tuesday"),
    ]
    done = catalogue.enrol_many(photos, vectors=unit_vectors(6))
    assert (done.individuals, done.added) == (("Luna", "Sol"), 6)
    for name in ("Luna", "Sol"):
        assert catalogue.photos_of(name) == [p for p in photos if p.individual == name]
    with sqlite3.connect(catalogue.path) as connection:
        count = connection.execute("SELECT count(*) FROM encounters").fetchone()[0]
    connection.close()
    assert count == 3
    assert catalogue.enrol_many(photos).already == 6
    with pytest.raises(ResightError, match="whose"):
        catalogue.enrol_many([Photo(paths[0])])
    with pytest.raises(ResightError, match="nobody"):
        catalogue.photos_of("Mars")


def test_a_catalogue_moves_with_its_photos(tmp_path, tiny_model):
    (tmp_path / "a").mkdir()
    inside = write_photos(tmp_path / "a" / "photos", 1)
    outside = write_photos(tmp_path / "elsewhere", 1, seed=1)
    (tmp_path / "a" / "tiny.onnx").write_bytes(tiny_model.read_bytes())
    with Catalogue.open(
        tmp_path / "a" / "c.db", model=tmp_path / "a" / "tiny.onnx", create=True
    ) as catalogue:
        catalogue.enrol("Luna", inside + outside)
    (tmp_path / "a").rename(tmp_path / "b")
    with Catalogue.open(tmp_path / "b" / "c.db") as catalogue:
        found = catalogue.vectors()[2]
        assert found == [tmp_path / "b" / "photos" / inside[0].name, *outside]
        assert catalogue.identify(found[0])[0].candidates[0].photos[0].path == found[0]


def test_a_photo_that_has_moved_is_followed_and_a_copy_is_not(catalogue, tmp_path):
    first, second = write_photos(tmp_path / "in", 2)
    catalogue.enrol("Luna", [first, second])
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.read_bytes())
    assert catalogue.enrol("Luna", copy).action is None
    assert [photo.path for photo in catalogue.photos_of("Luna")] == [first, second]
    there = first.rename(tmp_path / "there.png")
    done = catalogue.enrol("Luna", there)
    assert (done.added, done.already) == (0, 1)
    assert [photo.path for photo in catalogue.photos_of("Luna")] == [there, second]
    assert catalogue.undo().action
    assert [photo.path for photo in catalogue.photos_of("Luna")] == [first, second]
    catalogue.name(second, "Luna")
    assert catalogue.junk(there).action  # found by its bytes though its row has another place


def test_photos_without_a_name_come_in_and_get_one_by_enrolling(catalogue, tmp_path):
    paths = write_photos(tmp_path / "in", 3)
    done = catalogue.add(tmp_path / "in")
    assert (done.individuals, done.added, done.already) == ((), 3, 0)
    assert [photo.path for photo in catalogue.unnamed()] == paths
    assert catalogue.individuals() == catalogue.decisions() == []
    assert catalogue.add(tmp_path / "in").action is None
    done = catalogue.enrol("Luna", paths[:2], encounter="Monday")
    assert (done.added, done.already, done.named) == (0, 2, 2)
    assert holdings(catalogue) == {"Luna": 2}
    assert {photo.encounter for photo in catalogue.photos_of("Luna")} == {"Monday"}
    assert len(catalogue.history()) == 2


def test_boxes_are_cut_out_and_are_photos_of_their_own(catalogue, tmp_path, tiny_model):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    picture = tmp_path / "both.png"
    Image.fromarray(pixels).save(picture)
    boxes = [(0, 0, 28, 28), (30, 5, 60, 40)]
    photos = [Photo(picture, name, box=box) for name, box in zip("ab", boxes, strict=True)]
    assert catalogue.enrol_many(photos).added == 2
    parts = [pixels[top:bottom, left:right] for left, top, right, bottom in boxes]
    from resight.fingerprint import Fingerprinter

    made = Fingerprinter(tiny_model)
    np.testing.assert_allclose(catalogue.vectors()[0], made(parts).vectors, atol=1e-6)
    np.testing.assert_array_equal(made(photos[1]).vectors, made([picture, photos[1]]).vectors[1:])
    for wrong in ((0, 0, 0, 9), (0.5, 0, 9, 9), (1, 2, 3), "abcd", (0, 0, 1 << 40, 9)):
        with pytest.raises(ResightError, match="a box is"):
            catalogue.add([Photo(picture, box=wrong)])
    with pytest.raises(ResightError, match="twice on one picture"):
        catalogue.enrol_many([Photo(picture, "a", box=(1, 1, 9, 9))])
    outside = catalogue.add([Photo(picture, box=(1, 1, 9, 9)), Photo(picture, box=(0, 0, 999, 9))])
    assert (outside.added, len(outside.unreadable)) == (1, 1)


def test_many_photos_are_put_away_in_blocks_and_come_in_at_once(
    catalogue, tmp_path, tiny_model, monkeypatch
):
    monkeypatch.setattr(incoming, "STAGED", 4)
    paths = write_photos(tmp_path / "in", 10)
    (tmp_path / "in" / "text.png").write_text("no picture")
    asked = []
    make = catalogue.fingerprint

    def stops(photos, progress=False):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(len(photos))
        return make(photos, progress)

    monkeypatch.setattr(catalogue, "fingerprint", stops)
    with pytest.raises(KeyboardInterrupt):
        catalogue.add(tmp_path / "in")
    assert asked == [4, 4]
    assert catalogue.unnamed() == catalogue.history() == []
    assert len(catalogue.vectors()[0]) == 0
    asked.clear()
    monkeypatch.setattr(
        catalogue, "fingerprint", lambda some, bar: (asked.append(len(some)), make(some, bar))[1]
    )
    done = catalogue.add(tmp_path / "in")  # goes on where it was
    assert asked == [3]
    assert (done.added, len(done.unreadable)) == (10, 1)
    assert len(catalogue.history()) == 1
    catalogue.name(paths, "Luna")
    vectors, _, found = catalogue.vectors()
    assert sorted(found) == sorted(paths)
    from resight.fingerprint import Fingerprinter

    np.testing.assert_allclose(vectors, Fingerprinter(tiny_model)(found).vectors, atol=1e-6)
    catalogue.undo()
    catalogue.undo()
    assert catalogue.unnamed() == []


def test_one_bar_for_all_photos(catalogue, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(incoming, "STAGED", 4)
    bars, done = [], []

    @contextmanager
    def bar(words, total):
        bars.append(total)
        yield done.append

    for module in ("catalogue.incoming", "fingerprint.fingerprinter"):
        monkeypatch.setattr(f"resight.{module}.progress_bar", bar)
    write_photos(tmp_path / "in", 10)
    (tmp_path / "in" / "text.png").write_text("no picture")
    catalogue.add(tmp_path / "in", progress=True)
    assert (bars, sum(done)) == ([11], 11)
    assert len(done) > 2
    catalogue.add(tmp_path / "in")
    assert bars == [11]


def test_one_call_is_one_step_back(catalogue, tmp_path):
    paths = write_files(tmp_path / "in", 6)
    photos = [Photo(path, name) for path, name in zip(paths, "aabbcc", strict=True)]
    done = catalogue.enrol_many(photos, vectors=unit_vectors(6))
    assert holdings(catalogue) == {"a": 2, "b": 2, "c": 2}
    assert catalogue.history()[-1].summary == "enrolled 6 photos of 3 individuals"
    assert catalogue.undo(done.action).summary == "took back: enrolled 6 photos of 3 individuals"
    assert catalogue.individuals() == []
    catalogue.redo()
    assert holdings(catalogue) == {"a": 2, "b": 2, "c": 2}


@pytest.mark.slow
def test_a_hundred_thousand_enrolments_take_less_than_20_seconds(tmp_path, tiny_model):
    paths = write_files(tmp_path / "in", 100_000)
    photos = [Photo(path, f"individual {n % 5000}") for n, path in enumerate(paths)]
    vectors = unit_vectors(len(paths))
    with Catalogue.open(tmp_path / "c.db", model=tiny_model, create=True) as catalogue:
        start = time.perf_counter()
        assert catalogue.enrol_many(photos, vectors=vectors).added == len(paths)
        assert time.perf_counter() - start < 20
        catalogue.undo()
        assert catalogue.individuals() == []
