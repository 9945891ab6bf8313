"""Open set, split by individual, few shots and one enrolled photo."""

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from resight.errors import ResightError
from resight.evaluate.open_set import open_set_figures
from resight.evaluate.protocols import (
    closed_set,
    n_way_k_shot,
    nearest_photos,
    one_enrolled,
    open_set,
    split_individuals,
    unseen_individuals,
)


def at(*degrees: float) -> NDArray[np.float32]:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def crowd(seed: int, individuals: int, photos: int, noise: float, d: int = 16):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(individuals), photos)
    vectors = rng.standard_normal((individuals, d))[labels]
    vectors = vectors + noise * rng.standard_normal(vectors.shape)
    return vectors.astype(np.float32), labels


# Known a (2 queries), b (1); new x (2), y (1).
SCORES = [0.9, 0.4, 0.8, 0.7, 0.3, 0.2]
NEAREST = ["a", "a", "a", "a", "b", "a"]
TRUTH = ["a", "a", "b", "x", "x", "y"]


def test_open_set_worked_by_hand() -> None:
    found = open_set_figures(SCORES, NEAREST, TRUTH, {"a", "b"}, threshold=0.5)
    # a: one right, one called new; b: taken for a. x: one accepted, one called new; y: called new.
    assert found.baks is not None
    assert found.baus is not None
    assert found.geometric_mean is not None
    assert found.baks.value == pytest.approx((0.5 + 0) / 2)
    assert found.baus.value == pytest.approx((0.5 + 1) / 2)
    assert found.geometric_mean.value == pytest.approx((0.25 * 0.75) ** 0.5)
    # Of the 9 pairs known / new, only 0.4 against 0.7 is the wrong way round.
    assert found.auroc.value == pytest.approx(8 / 9)
    # No new one may be accepted: the threshold lies above 0.7, where two known ones remain.
    assert found.tpr_at_1_fpr.value == pytest.approx(2 / 3)
    assert (found.known, found.unknown) == (3, 3)
    assert json.loads(json.dumps(found.to_dict()))["BAKS"]["value"] == 0.25
    assert "geometric mean" in str(found)


def test_without_a_threshold_there_is_no_decision_to_judge() -> None:
    found = open_set_figures(SCORES, NEAREST, TRUTH, {"a", "b"})
    assert found.baks is found.baus is found.geometric_mean is None
    assert "BAKS" not in str(found)


def test_five_percent_of_the_new_ones_may_be_accepted() -> None:
    # 20 new at 0.01 … 0.20: one of them (0.20) is 5 %. Known ones at 0.195 (10) and 0.1 (10).
    scores = [*(np.arange(1, 21) / 100), *[0.195] * 10, *[0.1] * 10]
    truth = [*(f"new {i}" for i in range(20)), *["a"] * 20]
    found = open_set_figures(scores, ["a"] * 40, truth, ["a"])
    assert found.tpr_at_5_fpr.value == pytest.approx(0.5)
    assert found.tpr_at_1_fpr.value == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.floats(-0.5, 2.0), st.booleans())
def test_open_set_agrees_with_scikit_learn(seed: int, shift: float, ties: bool) -> None:
    from sklearn.metrics import recall_score, roc_auc_score, roc_curve

    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 12, 200)
    known = truth < 7
    scores = rng.normal(0, 1, 200) + shift * known
    scores = np.round(scores, 1) if ties else scores
    nearest = np.where(rng.random(200) < 0.6, truth % 7, rng.integers(0, 7, 200))
    found = open_set_figures(scores, nearest, truth, np.arange(7), threshold=0.25, resamples=0)
    assert found.auroc.value == pytest.approx(roc_auc_score(known, scores))
    false, true, _ = roc_curve(known, scores, drop_intermediate=False)
    assert found.tpr_at_5_fpr.value == pytest.approx(true[false <= 0.05].max())
    answer = np.where(scores >= 0.25, nearest, -1)
    assert found.baks is not None
    assert found.baus is not None
    here = np.unique(truth[known])
    recalls = recall_score(truth[known], answer[known], labels=here, average="macro")
    assert found.baks.value == pytest.approx(recalls)
    refused = [np.mean(answer[truth == who] == -1) for who in np.unique(truth[~known])]
    assert found.baus.value == pytest.approx(np.mean(refused))


def test_open_set_intervals_hold_the_value_and_are_seeded() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 40, 800)
    scores = rng.normal(0, 1, 800) + (truth < 20)
    found = open_set_figures(scores, truth % 20, truth, range(20), threshold=0.5, seed=4)
    for figure in found.figures().values():
        assert figure is not None
        assert figure.low < figure.value < figure.high
    assert found == open_set_figures(scores, truth % 20, truth, range(20), threshold=0.5, seed=4)


def test_open_set_from_fingerprints() -> None:
    found = open_set(at(5, 80, 200), ["a", "b", "c"], at(0, 90), ["a", "b"], threshold=0.9)
    assert found.geometric_mean is not None
    assert found.geometric_mean.value == found.auroc.value == 1
    with pytest.raises(ResightError, match="needs known and new"):
        open_set(at(5), ["a"], at(0), ["a"])


@pytest.mark.parametrize("gallery_labels", [["a", "b", "z"], ["b", "a", "z"]])
def test_as_near_as_another_is_not_named_in_whatever_order(gallery_labels: list[str]) -> None:
    gallery = at(0, 0, 90)  # photos of a and of b are equal
    found = open_set(
        at(0, 90, 45.1), ["a", "z", "new"], gallery, gallery_labels, threshold=0.9, resamples=0
    )
    assert found.baks is not None
    assert found.baks.value == 0.5  # z is named, a is not


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32))
def test_open_set_agrees_with_asking_photo_by_photo(seed: int) -> None:
    rng = np.random.default_rng(seed)
    exact = np.array([*np.eye(4), *-np.eye(4), *itertools.product([-0.5, 0.5], repeat=4)])
    queries, gallery = exact[rng.integers(24, size=30)], exact[rng.integers(24, size=12)]
    asked, names = rng.integers(0, 6, 30), rng.integers(0, 4, 12)
    asked[:2] = names[0], 5
    found = open_set(queries, asked, gallery, names, threshold=0.6, resamples=0)
    similar, right = queries @ gallery.T, []
    for row, who in zip(similar, asked, strict=True):
        own, other = row[names == who].max(initial=-2), row[names != who].max(initial=-2)
        right.append(own > other and own >= 0.6)
    known = [who for who in np.unique(asked) if who in names]
    expected = np.mean([np.mean(np.array(right)[asked == who]) for who in known])
    assert found.baks is not None
    assert found.baks.value == pytest.approx(expected)


def test_protocols_take_tensors_as_labels() -> None:
    vectors, labels = crowd(1, 10, 6, 1.0)
    told = torch.tensor(labels)
    groups = np.arange(60) % 3
    unseen = [
        unseen_individuals(
            vectors, kind(labels), seen=kind(labels[:24]), groups=kind(groups), resamples=0
        ).to_dict()
        for kind in (torch.tensor, list)
    ]
    assert unseen[0] == unseen[1]
    assert closed_set(vectors, told, vectors, told, resamples=0).individuals == 10
    opened = [
        open_set(vectors, kind(labels), vectors[:30], kind(labels[:30]), resamples=0).to_dict()
        for kind in (torch.tensor, list)
    ]
    assert opened[0] == opened[1]
    by_score = [
        open_set_figures(SCORES, kind([1, 1, 1, 1, 2, 1]), kind([1, 1, 2, 3, 3, 4]), kind([1, 2]))
        for kind in (torch.tensor, list)
    ]
    assert by_score[0] == by_score[1]


def test_a_threshold_of_nan_is_refused() -> None:
    with pytest.raises(ResightError, match="threshold is NaN"):
        open_set_figures(SCORES, NEAREST, TRUTH, {"a", "b"}, threshold=float("nan"))
    everybody = open_set_figures(SCORES, NEAREST, TRUTH, {"a", "b"}, threshold=float("-inf"))
    assert everybody.baus is not None
    assert everybody.baus.value == 0


def test_nearest_photos() -> None:
    place, score = nearest_photos(at(5, 80), at(0, 90, 90))
    assert place.tolist() == [0, 1]
    assert score == pytest.approx(np.cos(np.deg2rad([5, 10])))


def test_closed_set_refuses_strangers() -> None:
    assert closed_set(at(0), ["a"], at(10, 20), ["a", "b"]).rank_1.value == 1
    with pytest.raises(ResightError, match="open set"):
        closed_set(at(0), ["z"], at(10, 20), ["a", "b"])


def test_a_split_keeps_individuals_whole() -> None:
    labels = np.random.default_rng(0).integers(0, 30, 300)
    learn, ask = split_individuals(labels, share=0.3, seed=5)
    assert not set(labels[learn]) & set(labels[ask])
    assert sorted([*learn, *ask]) == list(range(300))
    assert len(set(labels[ask])) == 9
    assert np.array_equal(ask, split_individuals(labels, share=0.3, seed=5)[1])
    with pytest.raises(ResightError, match="two individuals"):
        split_individuals(["a", "a"])


def test_unseen_individuals_leaves_the_seen_out() -> None:
    vectors, labels = crowd(1, 10, 6, 1.0)
    found = unseen_individuals(vectors, labels, seen=range(4), groups=[None] * 60)
    rest = labels >= 4
    assert found == closed_set(vectors[rest], labels[rest])
    with pytest.raises(ResightError, match="none is left"):
        unseen_individuals(vectors, labels, seen=range(10))


def test_few_shots_from_perfect_and_from_collapsed_fingerprints() -> None:
    vectors, labels = crowd(2, 25, 4, 0.0)
    found = n_way_k_shot(vectors, labels, ways=20, episodes=10)
    assert found.accuracy.value == 1
    assert (found.error, found.queries) == (0, 200)
    assert n_way_k_shot(np.ones((100, 8)), labels, episodes=5).accuracy.value == 0
    assert "20-way 1-shot" in str(found)


def test_chance_is_one_in_ways_and_shots_help() -> None:
    noise, labels = crowd(3, 30, 8, 1e6)
    chance = n_way_k_shot(noise, labels, ways=5, episodes=400).accuracy
    assert chance.low < 0.2 < chance.high
    vectors, labels = crowd(4, 30, 8, 1.2)
    one, five = (n_way_k_shot(vectors, labels, ways=10, shots=k).accuracy for k in (1, 5))
    assert five.value > one.high
    assert one == n_way_k_shot(vectors, labels, ways=10).accuracy


def test_lakes_task_never_asks_a_drawer_against_themselves() -> None:
    # A fingerprint that tells drawer and character: right only if the drawers differ as they must.
    drawers = np.tile(np.arange(4), 12)
    characters = np.repeat(np.arange(12), 4)
    by_character = np.eye(12, dtype=np.float32)[characters]
    found = n_way_k_shot(by_character, characters, ways=5, drawers=drawers, episodes=30)
    assert found.accuracy.value == 1
    # Equal only within a drawer: with another drawer's photos there is nothing to go by.
    alone = np.eye(48, dtype=np.float32)
    assert n_way_k_shot(alone, characters, ways=5, drawers=drawers).accuracy.value == 0
    with pytest.raises(ResightError, match="drawers who drew the same"):
        n_way_k_shot(alone, characters, ways=5, drawers=np.arange(48))


def test_an_episode_stays_within_an_alphabet() -> None:
    # Characters 0-4 and 5-9 look alike across the alphabets, never within one.
    labels = np.repeat(np.arange(10), 3)
    vectors = np.eye(5, dtype=np.float32)[labels % 5]
    alphabet = np.array(["greek", "latin"])[labels // 5]
    assert n_way_k_shot(vectors, labels, ways=5, within=alphabet).accuracy.value == 1
    assert n_way_k_shot(vectors, labels, ways=6).accuracy.value < 1
    with pytest.raises(ResightError, match="6-way 1-shot needs 6 individuals"):
        n_way_k_shot(vectors, labels, ways=6, within=alphabet)


def test_names_that_come_again_in_another_alphabet_are_not_merged() -> None:
    letters, alphabet = np.repeat(np.arange(5), 6), np.tile(["greek", "latin"], 15)
    vectors = np.eye(10, dtype=np.float32)[2 * letters + (alphabet == "latin")]
    with pytest.raises(ResightError, match=r"0 has photos in more than one .* \(group, name\)"):
        n_way_k_shot(vectors, letters, ways=5, within=alphabet)
    both = list(zip(alphabet.tolist(), letters.tolist(), strict=True))
    assert n_way_k_shot(vectors, both, ways=5, within=alphabet).accuracy.value == 1


@pytest.mark.parametrize("ways", [5, 13, 20])
def test_equal_photos_tie_exactly_in_an_episode(ways: int) -> None:
    labels = np.repeat(np.arange(100), 4)
    for seed in range(20):
        one = np.random.default_rng(seed).standard_normal(100)
        vectors = np.tile((one / np.linalg.norm(one)).astype(np.float32), (400, 1))
        found = n_way_k_shot(vectors, labels, ways=ways, episodes=2, resamples=0)
        assert found.accuracy.value == 0, seed


@pytest.mark.parametrize("episodes", [0, -1, 1.5])
def test_no_episodes_are_refused(episodes) -> None:
    with pytest.raises(ResightError, match="episodes must be a whole number, 1 or more"):
        n_way_k_shot(*crowd(2, 25, 4, 0.0), episodes=episodes)


def test_one_enrolled_worked_by_hand() -> None:
    gallery, new = at(0, 90), at(40, 46, 70)
    # Enrolled: s at 40. From 46: itself 6 away, then 90. From 70: 90 is nearer than 40.
    found = one_enrolled(gallery, [0, 1], new, ["s", "s", "s"], enrolled=[0])
    assert found.rank_1.value == 0.5
    assert found.median_rank.value == 1.5
    assert (found.individuals, found.beside, found.queries, found.repeats) == (1, 2, 2, 1)
    assert "rank-1" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["beside"] == 2


def test_individuals_are_ranked_by_their_nearest_few_photos() -> None:
    # Asked from 50: its own at 40, one of a's is nearer by chance and its others are far.
    gallery, new = at(45, 120, 130, 95, 100), at(40, 50)
    options = {"gallery_labels": ["a", "a", "a", "b", "b"], "new": new, "new_labels": ["s", "s"]}
    options["enrolled"] = [0]
    for nearest, ranks in ((None, 2), (1, 2), (2, 1), (3, 1), (9, 1)):
        assert one_enrolled(gallery, nearest=nearest, **options).median_rank.value == ranks, nearest
    # By photo three are nearer than its own; by the nearest of each individual two are; by the mean
    # of the nearest two only b is, as a's other one lies 70° away.
    gallery = at(51, 49, 51, 120)
    options["gallery_labels"] = ["a", "b", "b", "a"]
    found = [one_enrolled(gallery, nearest=n, **options).median_rank.value for n in (None, 1, 2)]
    assert found == [4, 3, 2]


def test_enrolled_together_they_stand_in_each_others_way() -> None:
    gallery, new = at(180), at(0, 30, 20, 200)
    options = {"enrolled": [0, 2]}
    # s asks from 30: t's photo at 20 is nearer than its own at 0. t asks from 200.
    together = one_enrolled(gallery, [0], new, ["s", "s", "t", "t"], **options)
    alone = one_enrolled(gallery, [0], new, ["s", "s", "t", "t"], together=False, **options)
    assert together.rank_1.value == 0
    assert alone.rank_1.value == 0.5


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 4))
def test_one_enrolled_agrees_with_brute_force(seed: int, together: bool, repeats: int) -> None:
    rng = np.random.default_rng(seed)
    # Unit vectors whose products are exact in float32, so that ties are ties in any order of sums.
    exact = np.array([*np.eye(4), *-np.eye(4), *itertools.product([-0.5, 0.5], repeat=4)])
    gallery, new = exact[rng.integers(24, size=20)], exact[rng.integers(24, size=18)]
    labels = np.r_[np.arange(4), rng.integers(0, 4, 14)]
    found = one_enrolled(
        gallery, np.arange(20) + 100, new, labels, together=together, repeats=repeats, seed=seed
    )
    again = one_enrolled(
        gallery, np.arange(20) + 100, new, labels, together=together, repeats=repeats, seed=seed
    )
    assert found == again
    if repeats > 1:
        return
    # Every possible choice of enrolled photos, one after another: one must give these very figures.
    similar = new @ np.concatenate([gallery, new]).T
    outcomes = set()
    for chosen in itertools.product(*(np.flatnonzero(labels == who) for who in range(4))):
        ranks = []
        for query in set(range(18)) - set(chosen):
            own = 20 + chosen[labels[query]]
            rivals = [*range(20), *(20 + c for c in chosen if together and 20 + c != own)]
            ranks.append(1 + sum(similar[query, r] >= similar[query, own] for r in rivals))
        outcomes.add((np.mean(np.array(ranks) == 1), np.median(ranks)))
    assert any(
        outcome == pytest.approx((found.rank_1.value, found.median_rank.value))
        for outcome in outcomes
    ), f"{found} is no outcome of any choice"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("shortlist", [0, 2, 5, 100])
def test_a_second_look_counts_within_the_shortlist(shortlist: int, together: bool) -> None:
    rng = np.random.default_rng(shortlist)
    vectors = rng.standard_normal((32, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery, new, labels = vectors[:20], vectors[20:], np.repeat(np.arange(4), 3)
    chosen, worth = np.array([0, 4, 8, 11]), rng.random((12, 32))
    found = one_enrolled(
        gallery,
        np.arange(20) + 100,
        new,
        labels,
        together=together,
        enrolled=chosen,
        look=lambda query, others: worth[query, others],
        shortlist=shortlist,
    )
    right = []
    for query in set(range(12)) - set(chosen.tolist()):
        own = 20 + chosen[labels[query]]
        searched = np.array([*range(20), *(20 + c for c in chosen if together or 20 + c == own)])
        alike = vectors[searched] @ new[query]
        first = np.argsort(-alike)[:shortlist]
        alike[first] += worth[query, searched[first]]
        right.append(searched[alike.argmax()] == own)
    assert found.rank_1.value == pytest.approx(np.mean(right))


def test_a_second_look_decides_between_a_few() -> None:
    vectors, labels = crowd(3, 6, 4, 5.0)
    rng = np.random.default_rng(0)
    worth = rng.random((24, 24)) + 10 * (labels[:, None] == labels)

    def look(query: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        return worth[query, others]

    for options in ({}, {"drawers": np.tile(np.arange(4), 6)}):
        plain = n_way_k_shot(vectors, labels, ways=5, shots=2, **options)
        assert plain.accuracy.value < 0.9
        assert n_way_k_shot(vectors, labels, ways=5, shots=2, look=look, **options).error == 0


def test_repeats_enrol_other_photos_each_time() -> None:
    vectors, labels = crowd(7, 3, 4, 1.0)
    every = one_enrolled(at(0).repeat(8, axis=1), ["z"], vectors, labels, repeats=4)
    assert every.queries == 9
    by_hand = [
        one_enrolled(
            at(0).repeat(8, axis=1), ["z"], vectors, labels, enrolled=[k, 4 + k, 8 + k],
            together=False,
        ).rank_1.value
        for k in range(4)
    ]  # fmt: skip
    alone = one_enrolled(at(0).repeat(8, axis=1), ["z"], vectors, labels, repeats=4, together=False)
    # Enrolled alone, the individuals do not meet: over four repeats every photo served once.
    assert alone.rank_1.value == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        (["a", "s"], {}, "in the gallery already"),
        (["s", "t"], {}, "none is left to ask"),
        (["s", "s"], {"enrolled": [7]}, "one photo of each"),
        (["s", "s"], {"enrolled": [0, 1]}, "one photo of each"),
        (["s", "s"], {"repeats": 0}, "repeats must be"),
        (["s", "s"], {"nearest": 0}, "1 or more photos"),
        (["s"], {}, "2 fingerprints but 1 labels"),
    ],
)
def test_one_enrolled_tells_what_is_wrong(labels, options, words: str) -> None:
    with pytest.raises(ResightError, match=words):
        one_enrolled(at(0), ["a"], at(10, 20), labels, **options)
