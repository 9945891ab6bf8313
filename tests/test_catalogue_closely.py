"""Looking closely in the catalogue: keypoints change the answer, the calibration knows of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalogues import unit_vectors
from command_line import resight
from resight.catalogue import Catalogue
from resight.catalogue.closely import best_looks, nearest_rows
from resight.catalogue.decision import Parameters, usual_parameters
from resight.catalogue.evidence import FEW
from resight.catalogue.questions import ask_itself
from resight.photos.photo import Photo
from textures import noisy, texture, turned


def _save(folder: Path, name: str, pixels: np.ndarray) -> Path:
    path = folder / f"{name}.png"
    Image.fromarray(pixels).save(path)
    return path


def _answering(book: Catalogue, vectors: np.ndarray) -> None:
    """Give these fingerprints to the photos that are asked about next."""
    every = np.arange(len(vectors))
    book._fingerprinted = lambda sources, progress: (book.model_id, vectors, every, ())


@pytest.fixture
def book(tmp_path: Path, tiny_model: Path):
    """Six cows with two photos each, whose fingerprints say nothing."""
    photos = [
        Photo(_save(tmp_path, f"{i}-{j}", noisy(turned(texture(i), 3 * j), seed=j)), f"cow {i}")
        for i in range(6)
        for j in range(2)
    ]
    with Catalogue.open(tmp_path / "cows.db", model=tiny_model, create=True) as made:
        made.enrol_many(photos, vectors=unit_vectors(12, seed=1))
        yield made


def test_keypoints_find_whom_the_fingerprint_does_not(book: Catalogue, tmp_path: Path) -> None:
    asked = _save(tmp_path, "asked", noisy(turned(texture(3), -4), seed=9))
    _answering(book, unit_vectors(12, seed=1)[:1])  # as cow 0
    plain, close = book.identify([asked])[0], book.identify([asked], closely=True)[0]
    assert plain.individual == "cow 0"
    assert not plain.basis.closely
    assert close.individual == "cow 3"
    assert close.basis.closely
    assert close.candidates[0].individual == "cow 3"
    assert close.probability > 0.8
    assert close.candidates[0].distance > 0.3, "its distance is still the fingerprint's"
    assert close.p_new + close.p_others + sum(c.probability for c in close.candidates) == (
        pytest.approx(1)
    )
    assert "resight calibrate --closely" in close.basis.words()
    assert len([*(tmp_path / "cows.db.keypoints").rglob("*.npz")]) == 13


def test_guesses_looking_closely_and_not_are_kept_apart(book: Catalogue, tmp_path: Path) -> None:
    new = _save(tmp_path, "new", texture(77))
    asked = _save(tmp_path, "asked", noisy(turned(texture(3), -4), seed=9))
    _answering(book, unit_vectors(2, seed=5))  # like nobody
    plain = book.identify([new, asked])
    stranger, known = book.identify([new, asked], closely=True)
    assert known.p_new < 0.1
    assert stranger.p_new > 0.2, "a few keypoints match by chance, which says little"
    assert book.identify([new, asked])[0].p_new == plain[0].p_new


def test_somebody_of_few_photos_is_not_taken_for_one_of_many(
    tmp_path: Path, tiny_model: Path, monkeypatch
) -> None:
    """Luna has a hundred photos, of which three lie by chance a little nearer than Nova's only."""
    rng = np.random.default_rng(2)
    asked = np.eye(32, dtype=np.float32)[0]

    def at(cosine: float) -> np.ndarray:
        away = rng.standard_normal(32) * (np.arange(32) > 0)
        away /= np.linalg.norm(away)
        return (cosine * asked + np.sqrt(1 - cosine**2) * away).astype(np.float32)

    cosines = [0.52, 0.52, 0.52, *rng.normal(0.1, 0.1, 97), 0.5]
    names = ["Luna"] * 100 + ["Nova"] + [f"other {i}" for i in range(20)]
    vectors = np.stack([at(c) for c in [*cosines, *rng.normal(0.1, 0.1, 20)]])
    photos = [
        Photo(_save(tmp_path, str(i), np.full((8, 8), i, np.uint8)), name)
        for i, name in enumerate(names)
    ]
    with Catalogue.open(tmp_path / "few.db", model=tiny_model, create=True) as book:
        book.enrol_many(photos, vectors=vectors)
        _answering(book, asked[None])
        blank = _save(tmp_path, "asked", np.full((8, 8), 200, np.uint8))  # no keypoints
        assert book.identify([blank])[0].candidates[0].individual == "Luna"
        assert book.identify([blank], closely=True)[0].individual == "Nova"
        monkeypatch.setattr("resight.catalogue.enquiries.usual_parameters", _little_for_the_number)
        assert book.identify([blank], closely=True)[0].individual == "Luna"


def _little_for_the_number(**kind: bool) -> Parameters:
    return replace(usual_parameters(**kind), photos=0.0)


def test_what_is_usual_follows_the_kind_of_model() -> None:
    photos, close = (usual_parameters(drawings=False, closely=looked) for looked in (False, True))
    assert photos.photos == close.photos < Parameters().photos < 0
    assert close.closely > photos.closely == Parameters().closely
    for closely in (False, True):
        assert usual_parameters(drawings=True, closely=closely) == Parameters()


def test_several_photos_are_looked_at_together(book: Catalogue, tmp_path: Path) -> None:
    asked = [_save(tmp_path, f"q{n}", noisy(turned(texture(4), 5 * n), seed=n)) for n in (1, 2, 3)]
    _answering(book, unit_vectors(12, seed=1)[:3])
    (answer,) = book.identify_encounter(asked, closely=True)
    assert answer.individual == "cow 4"


def test_files_that_are_away_or_blank_cost_no_answer(book: Catalogue, tmp_path: Path) -> None:
    for gone in tmp_path.glob("3-*.png"):
        gone.unlink()
    _save(tmp_path, "2-0", np.zeros((50, 50), np.uint8))  # another picture by now
    _answering(book, unit_vectors(12, seed=1)[:1])
    blank = _save(tmp_path, "blank", np.full((60, 60), 9, np.uint8))
    for photo in (blank, _save(tmp_path, "asked", texture(3))):
        answer = book.identify([photo], closely=True)[0]
        assert answer.individual == "cow 0"


def test_what_is_looked_at_is_what_counts_and_the_best_of_it() -> None:
    similarity = np.array([0.1, -np.inf, 0.9, 0.5, 0.7])
    assert nearest_rows(similarity, np.arange(10, 15)).tolist() == [12, 14, 13]
    assert FEW == 3
    assert nearest_rows(np.full(2, -np.inf), np.arange(2)).tolist() == []
    found = best_looks(
        lambda number, rows: np.asarray(rows) * 0.5 + number,
        1,
        [np.array([2, 6]), np.array([], np.int64), np.array([4])],
    )
    assert found.tolist() == [4.0, 0.0, 3.0]
    assert best_looks(lambda number, rows: rows, 0, []).tolist() == []


def test_calibrating_never_looks_at_the_same_encounter_nor_ahead() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(8), 6)
    days = np.datetime64("2024-05-01") + np.tile(np.repeat(np.arange(3), 2), 8)
    codes = who * 3 + np.tile(np.repeat(np.arange(3), 2), 8)
    mixed = rng.permutation(48)
    who, days, codes = who[mixed], days[mixed], codes[mixed]
    pairs = []

    def look(number: int, rows: np.ndarray) -> np.ndarray:
        pairs.extend((number, int(row)) for row in rows)
        return np.where(who[rows] == who[number], 2.0, 0.25)

    asked = ask_itself(unit_vectors(48), who, codes, days, look=look)
    assert asked is not None
    one, other = np.array(pairs).T
    assert (days[other] < days[one]).all()
    known = asked.truth >= 0
    rows = np.arange(len(asked))
    right = asked.asked.closely[rows, np.maximum(asked.truth, 0)]
    np.testing.assert_allclose(right[known], 2.0)
    there = np.isfinite(asked.asked.similarity)
    assert set(np.unique(asked.asked.closely[there])) == {0.25, 2.0}
    assert (asked.asked.closely[~known] <= 0.25).all(), "left out, nobody is found by keypoints"
    plain = ask_itself(unit_vectors(48), who, codes, days)
    assert plain is not None
    assert not plain.asked.closely.any()
    np.testing.assert_array_equal(plain.truth, asked.truth)


def test_a_catalogue_calibrated_closely_asks_so_by_itself(tmp_path: Path, tiny_model: Path) -> None:
    """24 cows on 3 days: fingerprints that say little, photos that tell them apart."""
    photos, count = [], 24
    for day in range(3):
        for cow in range(count):
            pixels = noisy(turned(texture(cow, side=110), 4 * day - 4), seed=day)
            path = _save(tmp_path, f"{cow}-{day}", pixels)
            date = np.datetime64(f"2024-05-0{day + 1}").astype("M8[s]").astype(object)
            photos.append(Photo(path, f"cow {cow}", date=date))
    rng = np.random.default_rng(5)
    centres = np.tile(unit_vectors(count, seed=2), (3, 1))
    vectors = centres + 0.35 * rng.standard_normal((3 * count, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    place = tmp_path / "cows.db"
    with Catalogue.open(place, model=tiny_model, create=True) as book:
        book.enrol_many(photos, vectors=vectors.astype(np.float32))
        plain = book.calibrate().calibration
        close = book.calibrate(closely=True).calibration
        assert close.closely
        assert not plain.closely
        assert close.enough
        assert type(close).from_dict(close.to_dict()) == type(close)(
            **{**close.__dict__, "figures": {}}
        )
        before, after = (made.figures["single"]["right"]["value"] for made in (plain, close))
        assert after > before + 0.1
        asked = _save(tmp_path, "asked", noisy(turned(texture(7, side=110), 2), seed=8))
        wrong = vectors[3:4].astype(np.float32)
        _answering(book, wrong)
        answer = book.identify([asked])[0]
        assert answer.individual == "cow 7"
        assert answer.basis.closely
        assert answer.basis.calibrated
        # Where there are vectors alone, the calibration without keypoints counts.
        (bare,) = book.identify_vectors(wrong)
        assert not bare.basis.closely
        assert bare.basis.calibrated
        assert bare.individual == "cow 3"
    ran = resight("identify", place, asked)
    assert ran.code == 0, ran.err
    assert "looked at closely" in ran.out
