"""Calibration: is the probability true on days that were not calibrated on?"""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from catalogues import write_files
from command_line import resight
from herds import Herd, herd
from resight.catalogue import Catalogue
from resight.catalogue.calibrate import (
    LEAST_NEW,
    Calibration,
    best_threshold,
    calibrate,
    expected_new,
)
from resight.catalogue.decision import NEW, Parameters, Probabilities, probabilities
from resight.catalogue.questions import ask_itself, encounters_of
from resight.errors import ResightError
from resight.evaluate.calibration import reliability
from resight.photos import Photo


def made_of(some: Herd, **options) -> Calibration:
    options.setdefault("usual", Parameters())
    return calibrate(some.vectors, some.who, some.no_encounters, some.days, **options)


@pytest.fixture(scope="module")
def past_and_future() -> tuple[Calibration, Herd, np.ndarray]:
    """A calibration on the first twelve days, the whole, and which rows are later."""
    whole = herd(3, individuals=70, days=16, newcomers=0.2)
    late = whole.days >= whole.days.min() + 12
    return made_of(whole.of(np.flatnonzero(~late))), whole, late


def test_it_is_true_on_later_days(past_and_future):
    made, whole, late = past_and_future
    assert made.enough
    assert made.forward
    codes = encounters_of(whole.vectors, whole.who, whole.no_encounters, whole.days)
    asked = ask_itself(whole.vectors, whole.who, codes, whole.days, since=whole.days[late].min())
    is_new = asked.truth == NEW
    found = probabilities(asked.asked, made.parameters, 0.5)
    # Asked half of somebody new and half of somebody known, as each counts here.
    weights = asked.weights * np.where(
        is_new, 1 / asked.weights[is_new].sum(), 1 / asked.weights[~is_new].sum()
    )
    best = found.known.argmax(axis=1)
    says_new = found.new > found.known.max(axis=1)
    right = np.where(says_new, is_new, best == asked.truth)
    sure = np.maximum(found.new, found.known.max(axis=1))
    answer = reliability(sure, right, weights=weights, groups=asked.encounter)
    new = reliability(found.new, is_new, weights=weights, groups=asked.encounter)
    assert answer.error < answer.floor + 0.03
    assert new.error < new.floor + 0.03
    # And it says something: a coin would be right half the time.
    assert np.average(right, weights=weights) > 0.75


def test_several_photos_together_beat_one(past_and_future):
    figures = past_and_future[0].figures
    for name in ("AUROC", "geometric mean", "right"):
        assert figures["encounter"][name]["value"] > figures["single"][name]["value"]


def test_its_own_figures_come_from_others_than_it_learned_from(past_and_future):
    made, *_ = past_and_future
    assert made.figures["answer"]["error"] < 0.06
    for level in (0.9, 0.95):
        found = made.figures[f"set {level:.0%}"]
        for share in ("coverage", "of known", "of new"):
            assert found[share] == pytest.approx(level, abs=0.03)
        assert 0.9 < found["size"] < 30
    assert made.parameters.scale > 0
    json.dumps(made.to_dict() | made.figures, allow_nan=False)
    assert Calibration.from_dict(json.loads(json.dumps(made.to_dict())), made.figures) == made


def test_the_same_twice():
    some = herd(5, individuals=30)
    assert made_of(some) == made_of(some)


def test_noise_is_called_noise():
    """Vectors that say nothing: nobody can be told from anybody, and it says so."""
    rng = np.random.default_rng(0)
    some = herd(6, individuals=40)
    vectors = rng.standard_normal(some.vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = made_of(Herd(vectors.astype(np.float32), some.who, some.days))
    assert made.figures["single"]["AUROC"]["value"] == pytest.approx(0.5, abs=0.1)
    assert made.figures["new"]["error"] < 0.08
    assert made.figures["set 90%"]["size"] > 15


def test_a_share_that_is_known_is_taken():
    assert made_of(herd(5, individuals=30), share=0.4).parameters.share == pytest.approx(0.4)


def test_asking_only_since_a_day():
    some = herd(5, individuals=40)
    late = made_of(some, since=some.days.min() + 6)
    assert 0 < late.encounters < made_of(some).encounters
    assert made_of(some, since=np.datetime64("2030-01-01")).encounters == 0


def test_what_the_model_was_trained_on_does_not_ask():
    """A model that knows its training photos by heart: only others tell what it is worth."""
    some = herd(13, individuals=60, shift=0.9, noise=0.5, newcomers=0.2)
    trained = (some.who < 30) & (some.days < some.days.min() + 5)
    by_heart = np.eye(60, some.vectors.shape[1] + 60, some.vectors.shape[1])[some.who]
    plain = np.pad(some.vectors, ((0, 0), (0, 60)))
    vectors = np.where(trained[:, None], by_heart + 0.1 * plain, plain)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    codes = encounters_of(vectors, some.who, some.no_encounters, some.days)
    asked = ask_itself(vectors, some.who, codes, some.days, seen=trained)
    assert not set(asked.encounter) & set(codes[trained])
    names = np.unique(some.who)
    new = names[asked.individual[asked.truth == NEW]]
    assert not np.isin(new, some.who[trained]).any()
    blind = made_of(Herd(vectors, some.who, some.days))
    open_eyed = made_of(Herd(vectors, some.who, some.days), seen=trained)
    assert open_eyed.figures["single"]["AUROC"]["value"] < blind.figures["single"]["AUROC"]["value"]
    all_seen = made_of(Herd(vectors, some.who, some.days), seen=np.ones(len(trained), bool))
    assert not all_seen.enough


def test_how_often_somebody_new_is_expected():
    days = np.datetime64("2024-01-01") + np.arange(8)
    who = np.array([0, 1, 2, 3, 0, 1, 4, 0])
    codes = np.arange(8)
    # Of the later four encounters one was a first.
    assert expected_new(who, codes, days) == (1.5, 3.5)
    none = np.full(8, np.datetime64("NaT"), "datetime64[D]")
    # Without dates: 2, 3 and 4 were met once.
    assert expected_new(who, codes, none) == (3.5, 5.5)


def test_nothing_before_an_encounter_is_known_but_the_past():
    some = herd(7, individuals=25)
    codes = encounters_of(some.vectors, some.who, some.no_encounters, some.days)
    asked = ask_itself(some.vectors, some.who, codes, some.days)
    first_day = {who: some.days[some.who == who].min() for who in np.unique(some.who)}
    for place in range(len(asked)):
        known = sum(day < asked.day[place] for day in first_day.values())
        me_known = first_day[asked.individual[place]] < asked.day[place]
        left_out = me_known and asked.truth[place] == NEW
        assert asked.asked.individuals[place] == known - left_out
    # Both ways, with one's individual and without.
    with_own = {c for c, t in zip(asked.encounter, asked.truth, strict=True) if t != NEW}
    without = {c for c, t in zip(asked.encounter, asked.truth, strict=True) if t == NEW}
    assert with_own < without


def test_what_belongs_together():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 32))
    rows = [one, one + 1e-3, other, -one, -one + 1e-3, other]
    vectors = np.array([row / np.linalg.norm(row) for row in rows], np.float32)
    nat, day = np.datetime64("NaT"), np.datetime64("2024-01-01")
    days = np.array([nat, nat, nat, day, day, nat], "datetime64[D]")
    codes = encounters_of(
        vectors, np.array([0, 0, 0, 0, 1, 1]), np.array([-1, -1, -1, -1, -1, 7]), days
    )
    assert codes[0] == codes[1]  # near-copies
    assert len(set(codes.tolist())) == 5


@pytest.mark.parametrize(
    "hostile", ["one individual", "one photo each", "one day", "all equal", "two photos"]
)
def test_hostile_catalogues_are_not_called_calibrated(hostile):
    some = herd(8, individuals=12)
    if hostile == "one individual":
        some = Herd(some.vectors, np.zeros_like(some.who), some.days)
    elif hostile == "one photo each":
        some = some.of(np.unique(some.who, return_index=True)[1])
    elif hostile == "one day":
        some = Herd(some.vectors, some.who, np.full_like(some.days, some.days[0]))
    elif hostile == "all equal":
        some = Herd(np.repeat(some.vectors[:1], len(some.who), axis=0), some.who, some.days)
    else:
        some = some.of(np.array([0, len(some.who) - 1]))
    made = made_of(some)
    assert not made.enough
    json.dumps(made.to_dict() | made.figures, allow_nan=False)


def test_without_dates_everything_else_is_asked():
    some = herd(9, individuals=40, shift=0.8)
    nat = np.full(len(some.days), np.datetime64("NaT"), "datetime64[D]")
    days = encounters_of(some.vectors, some.who, some.no_encounters, some.days)
    made = calibrate(some.vectors, some.who, days, nat, usual=Parameters())
    assert made.enough
    assert not made.forward


# In the catalogue.


@pytest.fixture
def catalogue(tmp_path, tiny_model):
    """Thirty individuals met on eight days."""
    some = herd(10, individuals=25, dim=32, days=6)
    files = write_files(tmp_path / "in", len(some.who))
    with Catalogue.open(tmp_path / "c.db", model=tiny_model, create=True) as made:
        made.enrol_many(
            [
                Photo(file, individual=f"who{who}", date=day.astype(object))
                for file, who, day in zip(
                    files, some.who.tolist(), some.days.astype("datetime64[s]"), strict=True
                )
            ],
            vectors=some.vectors,
        )
        yield made


def test_the_newest_counts(catalogue):
    assert catalogue.newest_calibration() is None
    first = catalogue.calibrate()
    assert catalogue.newest_calibration() == first
    second = catalogue.calibrate(share_new=0.5)
    kept = catalogue.newest_calibration()
    assert kept == second
    assert kept.calibration.parameters.share == pytest.approx(0.5)
    assert kept.calibration.photos == len(catalogue.vectors()[1])
    with pytest.raises(ResightError, match="between 0 and 1"):
        catalogue.calibrate(share_new=1.5)


def test_one_that_rests_on_too_little_costs_no_good_one(catalogue, tmp_path):
    good = catalogue.calibrate()
    assert good.calibration.enough
    poor = catalogue.calibrate(since=datetime(2100, 1, 1, tzinfo=UTC))
    assert not poor.calibration.enough
    assert catalogue.newest_calibration() == good
    (answer,) = catalogue.identify_vectors(catalogue.vectors()[0][:1])
    assert answer.basis.calibrated
    words = ("calibrate", str(catalogue.path), "--since", "2100-01-01")
    said = resight(*words).out
    assert f"Kept the calibration of {good.at:%Y-%m-%d}" in said
    assert "too little: 0 of 20 encounters with somebody seen before" in said
    found = json.loads(resight(*words, "--json").out)
    assert (found["calibrated"], found["in_use"]) == (False, False)
    line = resight(*words, "--out", str(tmp_path / "x.html")).failed_in_one_line()
    assert "kept the calibration of" in line
    assert "0 of 20 individuals" in line
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize(
    ("new_from", "low", "high"), [(2.0, 0.0, 0.0), (-5.0, -10.0, -5.0), (-9.0, -10.0, -9.0)]
)
def test_the_threshold_is_as_near_to_even_odds_as_its_worth_allows(new_from, low, high):
    odds = np.concatenate([np.linspace(-40, -10, 50), np.linspace(new_from, 20, 50)])
    truth = np.repeat([0, NEW], 50)
    asked = SimpleNamespace(truth=truth, individual=np.arange(100), weights=np.ones(100))
    found = Probabilities(np.ones((100, 1)), np.zeros(100), np.zeros(100), odds)
    assert low <= best_threshold(asked, found, np.ones(100, bool)) <= high


def test_somebody_new_is_never_ruled_out_by_the_past():
    """Four hundred encounters with ten individuals, all met at the start: none was new since."""
    rng = np.random.default_rng(0)
    who = np.tile(np.arange(10), 40)
    vectors = rng.standard_normal((400, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    days = np.datetime64("2024-01-01") + np.arange(400)
    made = calibrate(vectors, who, np.arange(400), days, usual=Parameters())
    assert made.expected[0] == 0.5
    assert made.parameters.share == LEAST_NEW > 0.02


def test_all_right_is_no_certainty():
    some = herd(4, individuals=60, dim=64, noise=0.05, shift=0.05, days=6)
    right = made_of(some).figures["single"]["right"]
    assert right["high"] > right["low"]
    assert right["low"] < 0.99


def test_it_says_when_it_is_old(catalogue, tmp_path):
    catalogue.calibrate()
    vectors = catalogue.vectors()[0]
    (answer,) = catalogue.identify_vectors(vectors[:1])
    assert (answer.basis.calibrated, answer.basis.old) == (True, False)
    assert "Calibrated on" in answer.basis.words()
    many = len(vectors) // 3
    rng = np.random.default_rng(0)
    more = rng.standard_normal((many, 32))
    more /= np.linalg.norm(more, axis=1, keepdims=True)
    catalogue.enrol("crowd", write_files(tmp_path / "more", many, word="m"), vectors=more)
    (answer,) = catalogue.identify_vectors(vectors[:1])
    assert answer.basis.old
    assert "again" in answer.basis.words()


def test_killed_while_calibrating_it_keeps_the_old_one(catalogue):
    first = catalogue.calibrate()
    script = f"""
import os
import sqlalchemy as sa
from resight.catalogue import Catalogue, calibrated
from resight.catalogue.store import Store
real = sa.insert
def insert_and_die(*args):
    sa.event.listen(catalogue._store.engine, "after_cursor_execute", lambda *a: os._exit(9))
    return real(*args)
calibrated.sa.insert = insert_and_die
with Catalogue.open({str(catalogue.path)!r}) as catalogue:
    catalogue.calibrate(share_new=0.9)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert catalogue.newest_calibration() == first
    with sqlite3.connect(catalogue.path) as file:
        assert file.execute("SELECT count(*) FROM calibrations").fetchone() == (1,)
    assert catalogue.calibrate(share_new=0.9) == catalogue.newest_calibration()


def test_calibrate_command(catalogue, tmp_path):
    place = str(catalogue.path)
    said = resight("calibrate", place, "--out", str(tmp_path / "r.png")).out
    for words in (
        "encounters", "A single photo: right", "Candidate sets of 95%", "r.png", "AUROC: how often",
        "times with somebody known", f"model {catalogue.model_id[:12]}",
    ):  # fmt: skip
        assert words in said
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
    resight("calibrate", place, "--out", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "data:image/png;base64," in page
    assert "BAKS: share of the known" in page
    assert "hardly tell" not in page
    found = json.loads(resight("calibrate", place, "--json", "--new-share", "0.25").out)
    assert found["calibrated"] is True
    assert found["parameters"]["share"] == pytest.approx(0.25)
    assert found["figures"]["answer"]["answers"] > 100
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    "wrong",
    [["--out", "x.jpg"], ["--new-share", "2"], ["--since", "some day"], ["--out", "no/such/x.png"]],
)
def test_calibrate_command_refuses_in_one_line(catalogue, wrong):
    resight("calibrate", str(catalogue.path), *wrong).failed_in_one_line()
    assert catalogue.newest_calibration() is None


def test_too_little_is_said_in_plain_words(tmp_path, tiny_model):
    some = herd(0, individuals=3)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert len(some.who)
    files = write_files(tmp_path / "in", 2)
    with Catalogue.open(tmp_path / "c.db", model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", files[:1], vectors=vectors[:1])
        with pytest.raises(ResightError, match="two of them"):
            catalogue.calibrate()
        catalogue.enrol("Sol", files[1:], vectors=vectors[1:])
    said = resight("calibrate", str(tmp_path / "c.db")).out
    assert "Not calibrated yet" in said
    line = resight(
        "calibrate", str(tmp_path / "c.db"), "--out", str(tmp_path / "x.png")
    ).failed_in_one_line()
    assert "0 of 20 encounters with somebody seen before" in line


def test_both_engines_calibrate_and_decide_alike(postgres, tmp_path, tiny_model):
    some = herd(14, individuals=25, dim=32, days=5)
    files = write_files(tmp_path / "in", len(some.who))
    days = some.days.astype("datetime64[s]")
    photos = [
        Photo(file, individual=f"who{who}", date=day.astype(object))
        for file, who, day in zip(files, some.who.tolist(), days, strict=True)
    ]
    found = []
    for place in (tmp_path / "c.db", postgres):
        with Catalogue.open(place, model=tiny_model, create=True) as made:
            made.enrol_many(photos, vectors=some.vectors)
            kept = made.calibrate()
            assert made.newest_calibration() == kept
            (answer,) = made.identify_vectors(some.vectors[:2], together=True)
            found.append((kept.calibration, answer.individual, answer.p_new, answer.sets))
    assert found[0] == found[1]
