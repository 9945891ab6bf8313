"""Few shots within an episode, and one enrolled photo beside many."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from angles import at, crowd
from resight.errors import ResightError
from resight.evaluate.protocols import (
    n_way_k_shot,
    one_enrolled,
)
from resight.likeness import likeness


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


def test_individuals_are_ranked_by_all_their_photos() -> None:
    # Asked from 50: its own at 38; one of a's is nearer by chance, and her others are far.
    gallery, new = at(61, *range(150, 180)), at(38, 50)
    options = {"gallery_labels": ["a"] * 31, "new": new, "new_labels": ["s", "s"], "enrolled": [0]}

    def ranks(gallery) -> list[float]:
        return [
            one_enrolled(gallery, by_individual=by, **options).median_rank.value
            for by in (False, True)
        ]

    assert ranks(gallery) == [2, 1]
    # A dozen of hers all around are no chance, however many lie elsewhere: not the mean decides.
    assert ranks(at(*range(52, 62), *range(150, 171))) == [11, 2]
    # Of one photo each it makes no difference.
    options["gallery_labels"] = list(range(31))
    found = [one_enrolled(gallery, by_individual=by, **options) for by in (False, True)]
    assert found[0] == found[1]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("shortlist", [0, 2, 5, 100])
@pytest.mark.parametrize("seed", range(3))
def test_individuals_are_looked_at_by_their_three_nearest_photos(seed, shortlist, together) -> None:
    rng = np.random.default_rng([seed, shortlist])
    vectors = rng.standard_normal((80, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery, new, labels = vectors[:40], vectors[40:], np.repeat(np.arange(8), 5)
    of_others = rng.choice(4, 40, p=[0.6, 0.25, 0.1, 0.05]) + 100
    chosen, worth = np.arange(0, 40, 5), 0.3 * rng.random((40, 80))
    seen = {}

    def look(query: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        seen[query] = set(others.tolist())
        return worth[query, others]

    found = one_enrolled(
        gallery,
        of_others,
        new,
        labels,
        together=together,
        enrolled=chosen,
        by_individual=True,
        look=look,
        shortlist=shortlist,
    )
    ranks = []
    for query in set(range(40)) - set(chosen.tolist()):
        photos = {who: np.flatnonzero(of_others == who).tolist() for who in set(of_others.tolist())}
        for who, one in enumerate(chosen.tolist()):
            if together or who == labels[query]:
                photos[who] = [40 + one]
        alike = vectors @ new[query]
        nearest = {who: sorted(of, key=lambda i: -alike[i])[:3] for who, of in photos.items()}
        every = [i for of in nearest.values() for i in of]
        looked = sorted(every, key=lambda i: -alike[i])[:shortlist]
        assert seen[query] == set(looked)
        score = {
            who: likeness(alike[of], np.zeros(len(of), np.int64), 1)[0]
            + max([worth[query, i] for i in looked if i in of], default=0)
            for who, of in photos.items()
        }
        ranks.append(sum(value >= score[labels[query]] for value in score.values()))
    assert found.rank_1.value == pytest.approx(np.mean(np.array(ranks) == 1))
    assert found.median_rank.value == np.median(ranks)


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
        (["s"], {}, "2 fingerprints but 1 labels"),
    ],
)
def test_one_enrolled_tells_what_is_wrong(labels, options, words: str) -> None:
    with pytest.raises(ResightError, match=words):
        one_enrolled(at(0), ["a"], at(10, 20), labels, **options)
