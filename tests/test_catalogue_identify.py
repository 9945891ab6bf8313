"""Who is this? The answer, what it says, and the model that it needs."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalogues import unit_vectors, write_files, write_photos
from resight.catalogue import Answer, Candidate, Catalogue, Searched
from resight.errors import ResightError, UnreadablePhoto, UnusableCatalogue, UnusableModel


@pytest.fixture
def catalogue(tmp_path: Path, tiny_model: Path):
    """Five individuals, each some photos of one noise with a little noise on it."""
    rng = np.random.default_rng(0)
    with Catalogue.open(tmp_path / "c.db", model=tiny_model, create=True) as made:
        for number in range(5):
            own = rng.integers(0, 200, (28, 28))
            folder = tmp_path / "in" / f"who{number}"
            folder.mkdir(parents=True)
            for photo in range(4):
                pixels = own + rng.integers(0, 56, own.shape)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{photo}.png")
            made.enrol(f"who{number}", sorted(folder.glob("[0-2].png")))
        yield made


def query(catalogue: Catalogue, number: int) -> Path:
    """A photo of an individual that is not enrolled."""
    return catalogue.path.parent / "in" / f"who{number}" / "3.png"


def test_an_answer_ranks_individuals_with_their_nearest_photos(catalogue):
    photo = query(catalogue, 2)
    (answer,) = catalogue.identify(photo, top=4, photos_each=2)
    assert isinstance(answer, Answer)
    assert (answer.query, answer.individual) == (str(photo), "who2")
    assert answer.enrolled_as is None
    assert answer.searched == Searched(catalogue.model_id, individuals=5, photos=15)
    assert len(answer.candidates) == 4
    distances = [candidate.distance for candidate in answer.candidates]
    assert distances == sorted(distances)
    for candidate in answer.candidates:
        assert isinstance(candidate, Candidate)
        assert candidate.distance == candidate.photos[0].distance
        assert len(candidate.photos) == 2
        for match in candidate.photos:
            assert match.individual == candidate.individual == match.path.parent.name
    with pytest.raises(AttributeError):
        answer.individual = "who1"


def test_distances_are_those_of_the_fingerprints(catalogue):
    vectors, names, paths = catalogue.vectors()
    (vector,) = catalogue.fingerprint([query(catalogue, 0)])[0]
    distances = 1 - vectors.astype(float) @ vector.astype(float)
    (answer,) = catalogue.identify(query(catalogue, 0), top=5, photos_each=3)
    for candidate in answer.candidates:
        own = {p: d for p, d, n in zip(paths, distances, names, strict=True)}
        assert [own[m.path] for m in candidate.photos] == pytest.approx(
            [m.distance for m in candidate.photos], abs=1e-6
        )
    (nearest,) = catalogue.neighbours([vector], k=4)
    assert [match.path for match in nearest] == [paths[row] for row in np.argsort(distances)[:4]]


def test_more_is_asked_than_there_is(catalogue):
    (answer,) = catalogue.identify(query(catalogue, 0), top=99, photos_each=99)
    assert [len(candidate.photos) for candidate in answer.candidates] == [3] * 5
    for wrong in ({"top": 0}, {"photos_each": 0}):
        with pytest.raises(ResightError, match="one"):
            catalogue.identify(query(catalogue, 0), **wrong)


def test_an_enrolled_photo_is_told_so(catalogue):
    photo = catalogue.vectors()[2][4]
    copy = catalogue.path.parent / "copy.png"
    shutil.copy(photo, copy)
    for same in (photo, copy):
        (answer,) = catalogue.identify(same)
        assert (answer.enrolled_as, answer.individual) == ("who1", "who1")
        assert answer.candidates[0].photos[0].path == photo
        assert answer.candidates[0].distance == pytest.approx(0, abs=1e-6)
        (answer,) = catalogue.identify(same, leave_out_itself=True)
        assert (answer.enrolled_as, answer.individual) == ("who1", "who1")
        assert photo not in [match.path for match in answer.candidates[0].photos]


def test_alone_in_the_catalogue_and_left_out_there_is_nobody(tmp_path, tiny_model):
    (photo,) = write_photos(tmp_path / "in", 1)
    with Catalogue.open(tmp_path / "c.db", model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", photo)
        (answer,) = catalogue.identify(photo, leave_out_itself=True)
    assert (answer.individual, answer.candidates) == (None, ())
    json.dumps(answer.to_dict())


def test_many_queries_of_all_kinds_and_some_that_cannot_be_read(catalogue, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    picture = Image.open(query(catalogue, 3))
    pixels = np.asarray(Image.open(query(catalogue, 4)))
    answers = catalogue.identify([query(catalogue, 1), text, str(query(catalogue, 2)), picture])
    assert [answer.individual for answer in answers] == ["who1", "who2", "who3"]
    assert [error.source for error in answers.unreadable] == [str(text)]
    assert [answer.query for answer in answers][2] == "photo 3"
    for one in (pixels, pixels[None], [pixels]):
        assert [answer.individual for answer in catalogue.identify(one)] == ["who4"]
    assert catalogue.identify(picture)[0].individual == "who3"
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    shutil.copy(query(catalogue, 1), odd)
    assert catalogue.identify(odd)[0].individual == "who1"
    folder = catalogue.identify(tmp_path / "in" / "who0")
    assert [answer.enrolled_as for answer in folder] == ["who0"] * 3 + [None]
    with pytest.raises(UnreadablePhoto, match="text"):
        catalogue.identify(text)
    with pytest.raises(ResightError, match="none of the 2"):
        catalogue.identify([text, tmp_path / "missing.png"])
    with pytest.raises(ResightError, match="no photos"):
        catalogue.identify([])


def test_an_answer_goes_into_json(catalogue):
    (answer,) = catalogue.identify(query(catalogue, 0))
    back = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert back["individual"] == back["candidates"][0]["individual"] == "who0"
    assert back["candidates"][0]["photos"][0]["path"].endswith(".png")
    assert back["searched"] == {
        "model": catalogue.model_id,
        "individuals": 5,
        "photos": 15,
        "filters": "",
    }


def test_fingerprints_can_be_asked_directly(catalogue):
    vectors, names, paths = catalogue.vectors()
    answers = catalogue.identify_vectors(vectors)
    assert [answer.individual for answer in answers] == names
    assert [answer.candidates[0].photos[0].path for answer in answers] == paths
    assert all(answer.candidates[0].distance == 0 for answer in answers)
    for wrong in (vectors[0], vectors[:, :-1], vectors * np.nan):
        with pytest.raises(ResightError, match="vector"):
            catalogue.identify_vectors(wrong)


def test_an_empty_catalogue_has_no_answer(tmp_path, tiny_model):
    (photo,) = write_photos(tmp_path / "in", 1)
    with (
        Catalogue.open(tmp_path / "c.db", model=tiny_model, create=True) as catalogue,
        pytest.raises(UnusableCatalogue, match="nobody is enrolled"),
    ):
        catalogue.identify(photo)


def test_what_others_write_is_seen_by_the_next_query(catalogue, tmp_path):
    stranger = write_photos(tmp_path / "new", 1, seed=7)[0]
    assert catalogue.identify(stranger)[0].candidates[0].distance > 0.01
    with Catalogue.open(catalogue.path) as other:
        other.enrol("stranger", stranger)
    (answer,) = catalogue.identify(stranger)
    assert (answer.individual, answer.searched.individuals) == ("stranger", 6)
    gallery = catalogue._current_gallery()
    assert catalogue._current_gallery() is gallery  # nothing new, nothing read


def test_a_catalogue_keeps_to_its_model(catalogue, tiny_rgb_model):
    from resight.fingerprint.model import load_model

    with pytest.raises(UnusableCatalogue) as caught:
        Catalogue.open(catalogue.path, model=tiny_rgb_model)
    assert catalogue.model_id in str(caught.value)
    assert load_model(tiny_rgb_model).id in str(caught.value)
    with pytest.raises(UnusableModel):
        Catalogue.open(catalogue.path, model="missing.onnx")


def test_the_model_is_found_where_it_was_or_beside_or_by_hand(tmp_path, tiny_model, tiny_rgb_model):
    (photo,) = write_photos(tmp_path / "in", 1)
    place, home = tmp_path / "c.db", tmp_path / "models"
    home.mkdir()
    shutil.copy(tiny_model, home / "m.onnx")
    with Catalogue.open(place, model=home / "m.onnx", create=True) as catalogue:
        catalogue.enrol("Luna", photo)

    def asked() -> str | None:
        with Catalogue.open(place) as catalogue:
            return catalogue.identify(photo)[0].individual

    assert asked() == "Luna"
    (home / "m.onnx").rename(tmp_path / "m.onnx")
    assert asked() == "Luna"  # beside
    shutil.copy(tiny_rgb_model, home / "m.onnx")
    assert asked() == "Luna"  # the other that is in its place now is not taken for it
    (tmp_path / "m.onnx").rename(tmp_path / "renamed.onnx")
    with pytest.raises(UnusableCatalogue, match="--model"):
        asked()
    with Catalogue.open(place) as catalogue:
        assert catalogue.enrol("Luna", photo).already == 1  # nothing to compute
    (home / "m.onnx").write_text("broken")
    with pytest.raises(UnusableCatalogue, match="--model"):
        asked()
    (home / "m.onnx").unlink()
    with Catalogue.open(place, model=tmp_path / "renamed.onnx") as catalogue:
        assert catalogue.identify(photo)[0].individual == "Luna"
    assert asked() == "Luna"  # the new place was noted


def test_reading_needs_neither_the_model_nor_onnxruntime(tmp_path, tiny_model):
    shutil.copy(tiny_model, tmp_path / "m.onnx")
    with Catalogue.open(tmp_path / "c.db", model=tmp_path / "m.onnx", create=True) as catalogue:
        catalogue.enrol("Luna", write_files(tmp_path / "in", 2), vectors=unit_vectors(2))
    (tmp_path / "m.onnx").unlink()
    script = f"""
import sys
import resight.catalogue
assert not {{"sqlalchemy", "numpy"}} & sys.modules.keys(), "too early"
with resight.catalogue.Catalogue.open({str(tmp_path / "c.db")!r}) as catalogue:
    assert catalogue.individuals()[0].photos == 2
    vectors, names, paths = catalogue.vectors()
    assert len(catalogue.decisions()) == len(catalogue.photos_of("Luna")) == 2
    assert catalogue.identify_vectors(vectors)[0].individual == "Luna"
heavy = {{"onnxruntime", "torch", "sqlalchemy.orm", "rich", "pandas"}} & sys.modules.keys()
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def meanwhile(monkeypatch: pytest.MonkeyPatch, module: str, name: str, act) -> None:
    """Let `act` happen, once, just before a function of the catalogue runs."""
    found = importlib.import_module(f"resight.catalogue.{module}")
    inner = getattr(found, name)
    acts = [act]

    def first(*words, **more):
        while acts:
            acts.pop()()
        return inner(*words, **more)

    monkeypatch.setattr(found, name, first)


@pytest.mark.parametrize("how", ["unnamed", "moved", "merged"])
def test_what_is_said_of_photos_between_search_and_answer_spoils_no_answer(
    catalogue, monkeypatch, how
):
    photos = sorted((catalogue.path.parent / "in" / "who2").glob("[0-2].png"))
    say = {
        "unnamed": lambda: catalogue.move(photos, None),
        "moved": lambda: catalogue.move(photos, "who1"),
        "merged": lambda: catalogue.merge("who2", into="who1"),
    }[how]
    meanwhile(monkeypatch, "identify", "_words", say)
    (answer,) = catalogue.identify(query(catalogue, 2), top=5)
    # As it was when it was searched: nobody is there twice, and nobody under another's name.
    assert answer.individual == "who2"
    names = [candidate.individual for candidate in answer.candidates]
    assert sorted(names) == [f"who{number}" for number in range(5)]
    for candidate in answer.candidates:
        assert {match.path.parent.name for match in candidate.photos} == {candidate.individual}
    names = [one.individual for one in catalogue.identify(query(catalogue, 2), top=5)[0].candidates]
    assert "who2" not in names


def test_photos_that_lose_their_name_meanwhile_are_passed_over(catalogue, monkeypatch):
    photos = sorted((catalogue.path.parent / "in" / "who2").glob("[0-2].png"))
    vectors = catalogue.fingerprint([query(catalogue, 2)])[0]
    with monkeypatch.context() as patch:
        meanwhile(patch, "identify", "_words", lambda: catalogue.move(photos[0], None))
        (near,) = catalogue.neighbours(vectors, 15)
    assert len(near) == 14
    meanwhile(monkeypatch, "contents", "names_and_paths", lambda: catalogue.move(photos[1], None))
    assert [len(part) for part in catalogue.vectors()] == [13] * 3


def test_a_model_that_is_changed_meanwhile_never_meets_the_old_fingerprints(
    catalogue, tmp_path, monkeypatch
):
    models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")
    other = models.make_model(tmp_path / "other.onnx", seed=7)  # as long, but not to be compared
    place = catalogue.path

    def change() -> None:
        with Catalogue.open(place) as somebody:
            somebody.refingerprint(other)

    asking = catalogue._asking
    changes = [change]

    def then_changed(*words):
        how = asking(*words)
        while changes:
            changes.pop()()
        return how

    monkeypatch.setattr(catalogue, "_asking", then_changed)
    (answer,) = catalogue.identify(query(catalogue, 3))
    with Catalogue.open(place) as fresh:
        assert answer == fresh.identify(query(catalogue, 3))[0]
        assert answer.searched.model == fresh.model_id
