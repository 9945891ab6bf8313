"""The second look at a shortlist: what cosine and match are worth together, and the new order."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.compare import (
    Fusion,
    KeypointCache,
    Keypoints,
    best_of_each,
    find_keypoints,
    labelled_pairs,
    learn_fusion,
    match_scores,
    rerank,
)
from resight.errors import ResightError, UnreadablePhoto
from resight.likeness import likeness
from textures import noisy, texture, turned

HAND = Fusion(cosine=4.0, local=2.0, offset=-3.0)


def test_the_probability_is_the_formula() -> None:
    """Cosine 0.5 and a match of e - 1: 4 · 0.5 + 2 · 1 - 3 = 1 in log odds."""
    assert HAND.odds([0.5], [np.e - 1])[0] == pytest.approx(1.0)
    assert HAND.score([0.5], [np.e - 1])[0] == pytest.approx(1 / (1 + np.exp(-1)))
    # Not looked at counts as nothing in common.
    assert HAND.odds([0.5, 0.25]).tolist() == [-1.0, -2.0]


def test_it_learns_what_pairs_were_drawn_from() -> None:
    rng = np.random.default_rng(0)
    cosines, locals_ = rng.uniform(0, 1, 20_000), rng.exponential(3, 20_000)
    same = rng.random(20_000) < HAND.score(cosines, locals_)
    made = Fusion.fit(cosines, locals_, same)
    assert made.cosine == pytest.approx(4, abs=0.3)
    assert made.local == pytest.approx(2, abs=0.1)
    assert made.offset == pytest.approx(-3, abs=0.2)
    assert (made.pairs, made.same) == (20_000, int(same.sum()))
    # Calibrated: what is called p comes true p of the time.
    told = made.score(cosines, locals_)
    for low in (0.2, 0.5, 0.8):
        some = (told > low) & (told < low + 0.1)
        assert same[some].mean() == pytest.approx(told[some].mean(), abs=0.05)


def test_what_says_nothing_or_the_contrary_weighs_nothing() -> None:
    rng = np.random.default_rng(1)
    same = rng.random(4000) < 0.3
    made = Fusion.fit(rng.uniform(0, 1, 4000), np.where(same, 5.0, 1.0) + rng.random(4000), same)
    assert made.local > 3
    backwards = Fusion.fit(np.where(same, 0.1, 0.9), rng.random(4000), same)
    assert backwards.cosine == 0.0
    flat = Fusion.fit(np.full(4000, 0.5), np.where(same, 4.0, 0.0), same)
    assert np.isfinite(flat.odds([0.5, 0.4], [0.0, 4.0])).all()


def test_a_guess_goes_by_how_alike_strangers_are() -> None:
    """Strangers at 0.2 ± 0.1: at 0.4, two deviations above, 2 · 0.5 - 5 = -4 in log odds."""
    made = Fusion.guess([0.1, 0.3])
    assert made.odds([0.4], [0.0])[0] == pytest.approx(-4.0)
    assert made.odds([0.4], [np.e - 1])[0] == pytest.approx(0.0)
    drawn = Fusion.guess([0.1, 0.3], drawings=True)
    assert drawn.odds([0.4], [np.e - 1])[0] == pytest.approx(2 * 2 + 3 - 5)
    assert (made.pairs, made.same) == (0, 0)
    assert np.isfinite(Fusion.guess([0.3, 0.3]).odds([0.9])).all()
    with pytest.raises(ValueError, match="no strangers"):
        Fusion.guess([])


@given(
    cosine=st.floats(0, 50),
    local=st.floats(0, 50),
    offset=st.floats(-50, 50),
    pair=st.tuples(*[st.floats(-1, 1)] * 2, *[st.floats(0, 500)] * 2),
)
@settings(max_examples=60)
def test_more_of_either_is_never_less(cosine, local, offset, pair) -> None:
    made = Fusion(cosine, local, offset)
    low, high = sorted(pair[:2])
    few, many = sorted(pair[2:])
    told = made.score([low, high, low, high], [few, few, many, many])
    assert told[0] <= min(told[1:3]) <= max(told[1:3]) <= told[3]
    assert ((told >= 0) & (told <= 1)).all()
    assert Fusion.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"cosine": 1.0, "local": 1.0},
        {"cosine": -1.0, "local": 1.0, "offset": 0.0},
        {"cosine": 1.0, "local": float("nan"), "offset": 0.0},
        {"cosine": "much", "local": 1.0, "offset": 0.0},
        {"cosine": None, "local": 1.0, "offset": 0.0},
    ],
)
def test_a_damaged_fusion_is_refused(values) -> None:
    with pytest.raises(ResightError, match="learn it again"):
        Fusion.from_dict(values)


def test_pairs_of_one_kind_and_scores_that_cannot_be_are_refused() -> None:
    for same, kind in ((False, "different individuals"), (True, "one individual")):
        with pytest.raises(ResightError, match=kind):
            Fusion.fit([0.1, 0.2], [1.0, 2.0], np.array([same, same]))
    good = np.array([True, False])
    for cosines, locals_ in (
        ([0.1, np.nan], [1, 2]),
        ([0.1, 0.2], [1, -2]),
        ([0.1, 0.2], [1, 2, 3]),
        ([[0.1, 0.2]], [1, 2]),
        ([0.1, 0.2], [np.inf, 2]),
    ):
        with pytest.raises(ValueError, match="cosines"):
            Fusion.fit(cosines, locals_, good)
    with pytest.raises(ValueError, match="same is bool"):
        Fusion.fit([0.1, 0.2], [1.0, 2.0], [1, 0])


def test_a_second_look_finds_the_one_that_the_fingerprint_put_fifth(tmp_path: Path) -> None:
    cow = texture(7)
    gallery = [find_keypoints(texture(i), upright=True) for i in range(20, 26)]
    gallery[4] = find_keypoints(noisy(turned(cow, 4)), upright=True)
    query = find_keypoints(cow, upright=True)
    cosines = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    asked = []

    def keypoints_of(place: int) -> Keypoints:
        asked.append(place)
        return gallery[place]

    looked = rerank(query, cosines, range(6), keypoints_of, HAND, shortlist=5)
    assert asked == [0, 1, 2, 3, 4]
    assert looked.order[0] == 4
    assert np.isnan(looked.scores[5])
    assert looked.scores[4] == match_scores(query, [gallery[4]])[0] > 5
    np.testing.assert_allclose(
        looked.probability, HAND.score(cosines, np.nan_to_num(looked.scores)), rtol=1e-12
    )
    # Too short a list does not reach it, and leaves the fingerprint's order.
    assert rerank(query, cosines, range(6), keypoints_of, HAND, shortlist=0).order.tolist() == [
        *range(6)
    ]
    with pytest.raises(ValueError, match="shortlist"):
        rerank(query, cosines, range(6), keypoints_of, HAND, shortlist=-1)
    with pytest.raises(ValueError, match="6 photos, but 5 individuals"):
        rerank(query, cosines, range(5), keypoints_of, HAND)


def test_the_likeness_of_one_photo_and_the_match_of_another_count_together() -> None:
    """Bea's photo is the most alike and matches little; Ada has one alike and one that matches."""
    cow = texture(7)
    query = find_keypoints(cow, upright=True)
    match = find_keypoints(noisy(turned(cow, 4)), upright=True)
    other = [find_keypoints(texture(i), upright=True) for i in range(20, 23)]
    photos, who = [other[0], other[1], match, other[2]], ["Bea", "Ada", "Ada", "Cid"]
    cosines = [0.9, 0.8, 0.1, 0.5]
    looked = rerank(query, cosines, who, photos.__getitem__, HAND)
    scores = np.nan_to_num(looked.scores)
    assert looked.order[0] == 2, "of hers the likelier by itself comes first"
    assert looked.order.tolist() == [2, 1, 0, 3], "and her other one before anybody else's"
    alike = likeness(np.array([0.8, 0.1]), np.zeros(2, np.int64), 1)[0]  # of both of her photos
    ada = HAND.score([alike], [scores[2]])[0]
    bea, cid = (HAND.score([cosines[i]], [scores[i]])[0] for i in (0, 3))
    np.testing.assert_allclose(looked.probability, [bea, ada, ada, cid], rtol=1e-12)
    # Were the photo that matches somebody else's, it would say less of either.
    apart = rerank(query, cosines, ["Bea", "Ada", "Dot", "Cid"], photos.__getitem__, HAND)
    assert apart.probability[2] < ada


def test_of_an_individual_the_best_of_each_counts() -> None:
    queries = np.array([5, 5, 5, 5, 9, 9])
    whose = np.array(["b", "a", "b", "c", "b", "a"])
    cosines, scores = [0.5, 0.4, 0.7, 0.1, 0.3, 0.2], [2.0, 0.0, 1.0, 3.0, 0.0, 4.0]
    same = np.array([True, False, True, False, False, True])
    near, best, is_it = best_of_each(queries, whose, cosines, scores, same)
    assert near.tolist() == [0.7, 0.4, 0.1, 0.3, 0.2]  # 5 with b, a, c; 9 with b, a
    assert best.tolist() == [2.0, 0.0, 3.0, 0.0, 4.0]
    assert is_it.tolist() == [True, False, False, False, True]
    assert [len(part) for part in best_of_each([], [], [], [], [])] == [0, 0, 0]
    with pytest.raises(ValueError, match="2, 2, 2, 2, 1"):
        best_of_each([1, 1], ["a", "b"], [0.1, 0.2], [0.0, 0.0], [True])
    worse = best_of_each([1], ["a"], [0.1], [-1.0], [True])
    with pytest.raises(ValueError, match="not below 0"):  # not passed over
        Fusion.fit(*worse)


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=12),
    st.integers(0, 14),
    st.integers(0, 99),
    st.integers(1, 12),
)
@settings(max_examples=60)
def test_nobody_gains_by_lying_outside_the_shortlist(cosines, shortlist, seed, people) -> None:
    rng = np.random.default_rng(seed)
    photos = [_random(rng, int(rng.integers(0, 12))) for _ in cosines]
    who = rng.integers(0, people, len(cosines)) if people < 12 else np.arange(len(cosines))
    looked = rerank(_random(rng, 12), cosines, who, photos.__getitem__, HAND, shortlist=shortlist)
    assert sorted(looked.order) == list(range(len(cosines)))
    seen = ~np.isnan(looked.scores)
    assert seen.sum() == min(shortlist, len(cosines))
    # Each individual's photos stand together.
    order = list(dict.fromkeys(who[looked.order].tolist()))
    assert who[looked.order].tolist() == [one for one in order for _ in range((who == one).sum())]
    whose = np.unique(who, return_inverse=True)[1]
    of_each = likeness(np.array(cosines), whose, len(order))
    alike = [float(of_each[whose[who == one][0]]) for one in order]
    told = []
    for one in order:  # what is said of an individual is one thing
        told += {*looked.probability[who == one].tolist()}
    assert len(told) == len(order)
    for one, near, said in zip(order, alike, told, strict=True):
        bare = HAND.score([near])[0]
        if seen[who == one].any():
            assert said >= bare - 1e-12
        else:
            assert said == pytest.approx(bare, rel=1e-12)
    np.testing.assert_allclose(told, sorted(told, reverse=True), rtol=1e-12)


def test_blank_photos_one_keypoint_and_missing_files_say_nothing(tmp_path: Path) -> None:
    query = find_keypoints(texture(1), upright=True)
    blank = find_keypoints(np.zeros((60, 80), np.uint8), upright=True)
    one = Keypoints(*(getattr(query, n)[:1] for n in ("places", "sizes", "angles", "descriptors")),
                    query.size)  # fmt: skip
    cache = KeypointCache()

    def keypoints_of(place: int) -> Keypoints:
        return (blank, one)[place] if place < 2 else cache.of(tmp_path / "gone.jpg")

    looked = rerank(query, [0.2, 0.1, 0.3], [*"abc"], keypoints_of, HAND)
    assert looked.order.tolist() == [2, 0, 1]
    assert looked.scores.tolist()[:2] == [0.0, 0.0]
    (error,) = looked.unreadable
    assert isinstance(error, UnreadablePhoto)
    assert "no such file" in str(error)
    nothing = rerank(blank, [0.2, 0.1], [*"ab"], [query, query].__getitem__, HAND)
    assert nothing.scores.tolist() == [0.0, 0.0]
    assert len(rerank(query, [], [], keypoints_of, HAND).order) == 0


def test_pairs_are_the_nearest_and_never_of_one_encounter() -> None:
    rng = np.random.default_rng(3)
    who = np.repeat(np.arange(10), 6)
    base = rng.standard_normal((10, 16))[who] + 0.7 * rng.standard_normal((60, 16))
    vectors = (base / np.linalg.norm(base, axis=1, keepdims=True)).astype(np.float32)
    met = [f"day {i % 3}" for i in range(60)]  # named alike for everybody
    first, second, same, _ = labelled_pairs(vectors, who, met, shortlist=5, queries=30)
    assert len(np.unique(first)) == 30
    assert len(first) == 150
    np.testing.assert_array_equal(same, who[first] == who[second])
    assert same.any()
    assert not same.all()
    of_one = (who[first] == who[second]) & (np.array(met)[first] == np.array(met)[second])
    assert not of_one.any()
    for query in np.unique(first)[:5]:
        others = np.flatnonzero((who != who[query]) | (np.array(met) != met[query]))
        best = others[np.argsort(-(vectors[others] @ vectors[query]), kind="stable")[:5]]
        assert second[first == query].tolist() == best.tolist()
    again = labelled_pairs(vectors, who, met, shortlist=5, queries=30)
    np.testing.assert_array_equal(again[1], second)


def test_what_is_learned_from_is_the_likeness_to_photos_of_other_encounters(monkeypatch) -> None:
    rng = np.random.default_rng(5)
    vectors = rng.standard_normal((12, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    who, met = np.array([*"aaaabbbbcccc"]), [*"xxyyxxyyxxyy"]
    photos = [_random(rng, 9) for _ in who]
    taught = []
    monkeypatch.setattr(Fusion, "fit", classmethod(lambda _, *given: taught.extend(given)))
    pairs = labelled_pairs(vectors, who, met, queries=1)
    learn_fusion(pairs, who, photos.__getitem__)
    query = int(pairs[0][0])
    wanted = {}
    for one in "abc":
        mine = one == who[query]
        others = [i for i in range(12) if who[i] == one and not (mine and met[i] == met[query])]
        cosines = vectors[others].astype(np.float64) @ vectors[query]
        wanted[one] = likeness(cosines, np.zeros(len(others), np.int64), 1)[0]
    order = [*dict.fromkeys(who[pairs[1]].tolist())]
    np.testing.assert_allclose(taught[0], [wanted[one] for one in order], rtol=1e-5)
    assert taught[2].tolist() == [one == who[query] for one in order]


def test_only_those_ask_that_may_and_without_encounters_each_photo_is_its_own() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    may = np.array([True, False, False, False])
    first, second, same, _ = labelled_pairs(vectors, ["a", "a", "b", "b"], ask=may, shortlist=2)
    assert first.tolist() == [0, 0]
    assert second.tolist() == [1, 2]
    assert same.tolist() == [True, False]
    none = labelled_pairs(vectors, ["a", "a", "b", "b"], ask=np.zeros(4, bool))
    assert [len(part) for part in none] == [0, 0, 0, 0]
    alone = labelled_pairs(vectors[:1], ["a"])
    assert [len(part) for part in alone] == [0, 0, 0, 0]


def _random(rng: np.random.Generator, count: int) -> Keypoints:
    descriptors = rng.random((count, 128)).astype(np.float32)
    descriptors /= np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-9)
    places = rng.uniform(0, 100, (count, 2)).astype(np.float32)
    flat = np.ones(count, np.float32)
    return Keypoints(places, flat, flat, descriptors, (100, 100))
