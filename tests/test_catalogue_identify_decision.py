"""The decision in the answers: new or known, together, apart, and what is left out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalogues import write_files
from command_line import resight
from herds import herd
from resight.catalogue import Catalogue
from resight.catalogue.where import Filters
from resight.errors import ResightError, UnusableCatalogue
from resight.photos import Photo


def noisy(vector, amount, seed=0):
    moved = vector + amount * np.random.default_rng(seed).standard_normal(len(vector))
    return (moved / np.linalg.norm(moved)).astype(np.float32)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory, tiny_model):
    """Forty individuals met on eight days, and strangers that it never saw."""
    some = herd(12, individuals=50, dim=32, shift=0.35, noise=0.25)
    known = some.who < 40
    folder = tmp_path_factory.mktemp("calibrated")
    days = some.days.astype("datetime64[s]")
    files = write_files(folder / "in", int(known.sum()))
    with Catalogue.open(folder / "c.db", model=tiny_model, create=True) as made:
        made.enrol_many(
            [
                Photo(file, individual=f"who{who}", date=day.astype(object), side=side)
                for file, who, day, side in zip(
                    files,
                    some.who[known].tolist(),
                    days[known],
                    ["left" if n % 2 else "right" for n in range(len(files))],
                    strict=True,
                )
            ],
            vectors=some.vectors[known],
        )
        made.calibrate(share_new=0.3)
        yield made, some.vectors[known], some.vectors[~known]


def test_new_is_an_answer(calibrated):
    catalogue, known, strangers = calibrated
    answers = catalogue.identify_vectors(strangers)
    assert np.mean([answer.is_new for answer in answers]) > 0.85
    new = next(answer for answer in answers if answer.is_new)
    assert new.individual is None
    assert new.probability == new.p_new > 0.5
    assert new.candidates
    seen = catalogue.identify_vectors([noisy(vector, 0.03) for vector in known[:50]])
    assert np.mean([answer.individual is not None for answer in seen]) > 0.9


def test_it_all_sums_to_one_and_says_what_it_rests_on(calibrated):
    catalogue, known, _ = calibrated
    (answer,) = catalogue.identify_vectors([noisy(known[0], 0.1)], top=60)
    chances = [candidate.probability for candidate in answer.candidates]
    assert sum(chances) + answer.p_new + answer.p_others == pytest.approx(1)
    assert answer.p_others == pytest.approx(0, abs=1e-9)
    (few,) = catalogue.identify_vectors([noisy(known[0], 0.1)], top=1)
    assert few.p_others == pytest.approx(1 - few.p_new - few.candidates[0].probability)
    assert few.candidates[0].probability == pytest.approx(chances[0])
    assert answer.basis.calibrated
    assert answer.basis.share_new == pytest.approx(0.3)
    assert [one.level for one in answer.sets] == [0.9, 0.95]
    assert set(answer.sets[0].individuals) <= set(answer.sets[1].individuals)
    back = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert back["new"] is False
    assert back["basis"]["calibrated"] is True
    assert back["sets"][0]["individuals"] == list(answer.sets[0].individuals)


def test_the_share_of_new_can_be_said(calibrated):
    catalogue, known, strangers = calibrated
    vector = [noisy(known[3], 0.25)]
    by_share = [catalogue.identify_vectors(vector, share_new=s)[0].p_new for s in (0, 0.1, 0.9, 1)]
    assert by_share == sorted(by_share)
    assert (by_share[0], by_share[-1]) == (0, 1)
    for wrong in (-0.1, 1.5, "often"):
        with pytest.raises(ResightError, match="between 0 and 1"):
            catalogue.identify_vectors(vector, share_new=wrong)
    asked = catalogue.identify_vectors(
        np.concatenate([strangers[:40], known[:10]]), share_new="asked"
    )
    assert asked[0].basis.share_new > 0.3


def test_an_encounter_gets_one_answer(calibrated):
    catalogue, known, _ = calibrated
    own = [noisy(known[0], 0.15, seed) for seed in range(4)]
    (answer,) = catalogue.identify_vectors(own, together=True)
    singles = catalogue.identify_vectors(own)
    assert answer.individual == singles[0].candidates[0].individual == "who0"
    assert answer.queries == tuple(f"vector {n}" for n in range(4))
    assert answer.query == "vector 0 and 3 more"
    assert answer.candidates[0].distance == pytest.approx(
        np.mean([single.candidates[0].distance for single in singles]), abs=1e-5
    )
    nearest = min(single.candidates[0].distance for single in singles)
    assert answer.candidates[0].photos[0].distance == pytest.approx(nearest, abs=1e-5)


def test_an_encounter_of_one_photo_is_that_photo(calibrated):
    catalogue, known, _ = calibrated
    (one,) = catalogue.identify_vectors([noisy(known[7], 0.2)], together=True)
    (single,) = catalogue.identify_vectors([noisy(known[7], 0.2)])
    assert one.individual == single.individual
    assert one.p_new == pytest.approx(single.p_new, abs=1e-4)
    assert [c.individual for c in one.candidates] == [c.individual for c in single.candidates]


def test_the_order_of_candidates_is_that_of_their_nearest_photos(calibrated):
    catalogue, known, _ = calibrated
    (answer,) = catalogue.identify_vectors([noisy(known[9], 0.3)], top=10)
    distances = [candidate.distance for candidate in answer.candidates]
    assert distances == sorted(distances)


def test_filters_leave_out(calibrated):
    catalogue, known, _ = calibrated
    (answer,) = catalogue.identify_vectors([known[0]], filters=Filters(side="left"))
    whole = catalogue.identify_vectors([known[0]])[0].searched
    assert 0 < answer.searched.photos < whole.photos
    assert answer.searched.filters == "left side"
    with pytest.raises(UnusableCatalogue, match="no photo passes the filter"):
        catalogue.identify_vectors([known[0]], filters=Filters(place="nowhere"))


# With pictures.


@pytest.fixture
def small(tmp_path, tiny_model):
    """Four individuals, two pictures each, and one picture with two parts."""
    rng = np.random.default_rng(0)
    with Catalogue.open(tmp_path / "c.db", model=tiny_model, create=True) as made:
        owns = rng.integers(0, 200, (4, 28, 28))
        for number, own in enumerate(owns):
            for photo in range(3):
                pixels = (own + rng.integers(0, 56, own.shape)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / f"{number}-{photo}.png")
            made.enrol(f"who{number}", [tmp_path / f"{number}-{n}.png" for n in range(2)])
        both = np.concatenate([owns[0] + 20, owns[0] + 40], axis=1).astype(np.uint8)
        Image.fromarray(both).save(tmp_path / "both.png")
        yield made, tmp_path


def test_a_no_sticks(small):
    catalogue, folder = small
    asked = folder / "2-2.png"
    catalogue.add([asked])
    assert catalogue.identify(asked)[0].individual == "who2"
    catalogue.not_same(asked, individual="who2")
    (answer,) = catalogue.identify(asked, top=9)
    assert "who2" not in [candidate.individual for candidate in answer.candidates]
    assert answer.individual != "who2"
    answer = catalogue.identify_encounter([asked, folder / "2-1.png"], leave_out_itself=True)[0]
    assert answer.individual != "who2"


def test_two_parts_of_a_picture_are_two_individuals(small):
    catalogue, folder = small
    parts = [
        Photo(folder / "both.png", box=(0, 0, 28, 28)),
        Photo(folder / "both.png", box=(28, 0, 56, 28)),
    ]
    assert [catalogue.identify(part)[0].individual for part in parts] == ["who0", "who0"]
    # Not calibrated: so nobody is called new, and one of the two has to be another.
    answers = catalogue.identify(parts)
    assert len({answer.individual for answer in answers}) == 2
    with pytest.raises(ResightError, match="two individuals"):
        catalogue.identify_encounter(parts)
    catalogue.enrol_many([Photo(parts[0].path, individual="who0", box=parts[0].box)])
    (answer,) = catalogue.identify(parts[1], top=9)
    assert "who0" not in [candidate.individual for candidate in answer.candidates]


@pytest.mark.parametrize(("word", "other"), [("right", "left"), ("Right", "LEFT")])
def test_left_never_matches_right_where_sides_differ(small, word, other):
    catalogue, folder = small
    extra = folder / "3-2.png"
    with Image.open(extra) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "other.png")
    catalogue.enrol_many(
        [Photo(extra, "east", side=other), Photo(folder / "other.png", "west", side="right")]
    )
    query = Photo(extra, side=word)
    assert catalogue.identify(query)[0].individual == "east"
    catalogue.set_settings(sides_differ=True)
    found = [c.individual for c in catalogue.identify(query, top=9)[0].candidates]
    assert "east" not in found
    assert "west" in found
    assert "who3" in found  # of no known side
    assert catalogue.identify(Photo(folder / "3-1.png"), top=9)[0].candidates[0].photos


def test_until_it_is_calibrated_it_says_so(small):
    catalogue, folder = small
    (answer,) = catalogue.identify(folder / "1-2.png")
    assert answer.individual == "who1"
    assert 0 < answer.probability < 1
    assert not answer.basis.calibrated
    assert not answer.sets
    assert "guess" in answer.basis.words()
    catalogue.calibrate()  # too little
    (answer,) = catalogue.identify(folder / "1-2.png")
    assert "too few" in answer.basis.words()
    assert answer.individual == "who1"


def test_identify_command_decides(small):
    catalogue, folder = small
    place = str(catalogue.path)
    asked = [str(folder / "1-2.png"), str(folder / "1-1.png")]
    said = resight("identify", place, *asked, "--together")
    assert (said.code, "somebody new" in said.out, "guess" in said.out) == (0, False, True)
    assert "Probability" not in said.out
    assert "%" not in said.out
    assert said.out.startswith(f"{asked[0]} and 1 more, together: nearest is who1 (not calibrated")
    found = json.loads(resight("identify", place, *asked, "--together", "--json").out)
    assert (found["individual"], len(found["queries"])) == ("who1", 2)
    for share in ("0.9", "asked"):
        assert "no effect" in resight("identify", place, asked[0], "--new-share", share).out
    found = json.loads(resight("identify", place, asked[0], "--json", "--new-share", "0.9").out)
    assert found[0]["basis"]["share_new"] == pytest.approx(0.9)
    resight("identify", place, asked[0], "--new-share", "often").failed_in_one_line()
    resight("identify", place, asked[0], "--side", "left").failed_in_one_line()


def test_the_first_line_is_the_answer_and_nothing_is_wrapped_when_piped(small):
    catalogue, folder = small
    deep = folder / ("a-very-long-folder-name " * 6).strip()
    deep.mkdir()
    asked = (folder / "1-2.png").rename(deep / "1-2.png")
    catalogue.enrol("who1", [asked])
    said = resight("identify", str(catalogue.path), str(asked)).out.splitlines()
    assert said[0] == f"{asked}: who1 (this very photo is enrolled as who1)"
    assert said[2].endswith(str(asked))
    assert all(line == line.rstrip() for line in said)


def test_what_was_said_of_a_photo_is_told_with_its_answer(small):
    catalogue, folder = small
    asked = folder / "2-2.png"
    catalogue.add([asked])
    catalogue.not_same(asked, individual="who2")
    assert catalogue.identify(asked)[0].left_out == ("who2",)
    assert catalogue.identify_encounter([asked, folder / "3-2.png"])[0].left_out == ("who2",)
    place = str(catalogue.path)
    assert "not the same: who2" in resight("identify", place, str(asked)).out
    catalogue.junk([folder / "0-1.png"])
    assert [a.junk for a in catalogue.identify([folder / "0-1.png", folder / "0-0.png"])] == [
        True,
        False,
    ]
    found = json.loads(resight("identify", place, str(folder / "0-1.png"), "--json").out)
    assert (found[0]["junk"], found[0]["left_out"], found[0]["enrolled_as"]) == (True, [], None)
    assert "junk" in resight("identify", place, str(folder / "0-1.png")).out


def test_an_enrolled_photo_is_who_it_is_enrolled_as_whatever_it_looks_like(small):
    """Somebody enrols a stranger's look-alike: the two answers stay what a person said."""
    catalogue, folder = small
    with Image.open(folder / "0-0.png") as picture:
        picture.save(folder / "copy.png", compress_level=1)  # the same pixels in other bytes
    catalogue.enrol("twin", [folder / "copy.png"])
    found = catalogue.identify([folder / "0-0.png", folder / "copy.png"])
    assert [answer.individual for answer in found] == ["who0", "twin"]
    assert [answer.enrolled_as for answer in found] == ["who0", "twin"]


def test_words_of_an_answer_agree_with_its_rows():
    from resight.catalogue.answer import Answer, Basis, Candidate, Match, Searched
    from resight.commands.identify import _headline, _lines, _rows

    basis = Basis(True, 30, 30, 90, None, False, 0.02)
    photos = (Match(Path("/a/b.png"), 0.5, "Luna"),)
    candidates = tuple(Candidate(name, 0.5, photos, p) for name, p in (("Sol", 0.1), ("Luna", 0.6)))
    answer = Answer(
        "q.png", "Luna", 0.6, candidates, Searched("m", 2, 2), p_new=0.2, p_others=0.1, basis=basis
    )
    assert _headline(answer) == "q.png: Luna, 60.0%"
    assert [row[0][0] for row in _rows(answer)][1:] == [
        "Luna",
        "Sol",
        "somebody new",
        "anybody else",
    ]
    new = replace(answer, individual=None, probability=0.2)
    assert "less likely than not" in _headline(new)
    assert _rows(new)[1] == (("somebody new", "20.0%", "", "", ""), True)
    assert "somebody new is likelier" in _headline(replace(answer, probability=0.1))
    lines = [line for line, _ in _lines(_rows(answer), 60)]
    assert max(map(len, lines)) <= 60
