"""The figures of an evaluation, checked by hand on directions in the plane."""

import json
from math import cos, radians, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from angles import at
from herds import herd
from resight.errors import ResightError, UnusablePhotos
from resight.evaluate.effect import effect_of_split
from resight.evaluate.evaluation import evaluation
from resight.evaluate.nearest import mark, nearest, right_by_individual
from resight.evaluate.trust import ask_gallery, choose_threshold, learn_probability, probability
from resight.likeness import likeness
from resight.photos.split import Split


def split(train, query, by="date", flatters=None) -> Split:
    as_places = [np.array(sorted(part), np.int64) for part in (train, query)]
    return Split(by, *as_places, np.empty(0, np.int64), flatters)


# ann and bob are in the gallery, cat is not. Positions 5 to 10 ask.
WHO = ["ann", "ann", "bob", "bob", "bob", "ann", "ann", "bob", "bob", "cat", "cat"]
WHERE = [0, 10, 90, 100, 110, 15, 70, 95, 105, 48, 270]
MET = [0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8]


def plane(**more):
    return evaluation(at(*WHERE), WHO, MET, split(range(5), range(5, 11)), resamples=50, **more)


def test_closed_set_by_hand():
    found = plane()
    assert (found.known, found.new, found.gallery, found.gallery_individuals) == (4, 2, 5, 2)
    # ann at 70 is nearest to bob at 90; the three others are right.
    assert found.closed.rank_1.value == 3 / 4
    assert found.balanced.value == pytest.approx((1 / 2 + 1) / 2)
    # ann at 70: bob at 90, 100 and 110 come before her first photo at 10, the fourth.
    assert found.closed.cmc[3].value == 3 / 4
    assert found.closed.cmc[5].value == 1
    # Average precision: three times 1, and for ann at 70 (1/4 + 2/5) / 2.
    assert found.closed.mean_ap.value == pytest.approx((3 + (1 / 4 + 2 / 5) / 2) / 4)
    # Blindly: ann's queries meet 2 of 5, bob's 3 of 5.
    assert found.chance == pytest.approx((2 / 5 + 2 / 5 + 3 / 5 + 3 / 5) / 4)


def test_individuals_by_all_their_photos():
    found = plane()
    # ann at 70 is as far from her photos at 0 and 10 as ever; bob's at 90, 100 and 110 are nearer.
    assert found.by_individual.value == 3 / 4
    assert found.to_dict()["by_individual"]["value"] == 3 / 4
    # bob has one photo at 34, nearer to ann's query at 18 than hers at 0, and two far away, which
    # say that it is not him.
    who, where = ["ann", "bob", "bob", "bob", "ann"], [0, 34, 120, 150, 18]
    one = evaluation(at(*where), who, [*range(5)], split(range(4), [4]), resamples=50)
    assert one.closed.rank_1.value == 0
    assert one.by_individual.value == 1


def test_newcomers_by_all_their_photos():
    found = plane(taught=[name != "cat" for name in WHO])
    # cat is asked at 48 and at 270, and her other photo is farther away than anybody's.
    assert found.unseen.queries == 2
    assert found.unseen_by_individual.value == 0
    near = evaluation(at(*WHERE[:9], 48, 60), WHO, MET, split(range(5), range(5, 11)), resamples=50)
    assert near.unseen_by_individual.value == 1


@given(st.data())
@settings(max_examples=40)
def test_right_by_individual_is_what_looking_at_each_query_alone_says(data):
    count = data.draw(st.integers(2, 14))
    people = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    met = data.draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    photos = mark(rng.standard_normal((count, 4)), people, met)
    every = np.arange(count)
    queries, gallery = every[rng.random(count) < 0.6], every[rng.random(count) < 0.8]
    apart = data.draw(st.booleans())
    right, known = right_by_individual(photos, queries, gallery, apart=apart)
    for query, good, there in zip(queries, right, known, strict=True):
        skip = photos.group if apart else every
        others = [i for i in gallery if skip[i] != skip[query]]
        alike = {}
        for one in {people[i] for i in others}:
            own = [i for i in others if people[i] == one]
            cosines = photos.vectors[own].astype(float) @ photos.vectors[query]
            alike[one] = likeness(cosines, np.zeros(len(own), np.int64), 1)[0]
        assert there == (people[query] in alike)
        best = max(alike, key=alike.get, default=None)
        assert good == (best == people[query])


def test_who_is_taken_for_whom():
    found = plane()
    ann, bob, cat = found.people
    assert (ann.name, ann.gallery, ann.asked, ann.found) == ("ann", 2, 2, 1)
    assert (ann.taken_for, ann.times) == ("bob", 1)
    assert (bob.name, bob.asked, bob.found, bob.taken_for) == ("bob", 2, 2, None)
    assert (cat.name, cat.gallery, cat.asked, cat.found) == ("cat", 0, 2, 0)
    (worst,) = found.confusions
    assert (worst.query, worst.nearest, worst.right) == (6, 2, 1)
    assert worst.similarity == pytest.approx(cos(radians(20)), abs=1e-6)
    assert worst.right_similarity == pytest.approx(cos(radians(60)), abs=1e-6)
    (stranger,) = found.strangers  # one of each newcomer, the most familiar one
    assert (stranger.query, stranger.nearest, stranger.right) == (9, 1, -1)


def test_known_or_new_by_hand():
    found = plane()
    # Nearest cosines: known 5, 20, 5 and 5 degrees away, new 38 and 90: all known are nearer.
    assert found.opened.auroc.value == 1
    assert not found.left_individuals_out
    asked = found.asked
    # The gallery: each of ann's two finds the other (10 away, right), bob at 90 the one at 100,
    # and those at 100 and 110, of one encounter, find the one at 90.
    known = np.sort(np.degrees(np.arccos(asked.known)))
    np.testing.assert_allclose(known, [10, 10, 10, 10, 20], atol=0.01)
    new = np.sort(np.degrees(np.arccos(asked.new)))
    np.testing.assert_allclose(new, [80, 80, 90, 90, 100], atol=0.01)
    assert asked.right.all()
    # Any threshold between 20 and 80 degrees is right on all; it is taken between them.
    assert cos(radians(80)) < found.opened.threshold < cos(radians(20))
    assert found.opened.threshold == pytest.approx((cos(radians(80)) + cos(radians(20))) / 2)
    # That is at 56 degrees: cat at 48 (38 away) is called known, cat at 270 new; of ann's two one
    # is right, both of bob's.
    assert found.opened.baus.value == pytest.approx(1 / 2)
    assert found.opened.baks.value == pytest.approx((1 / 2 + 1) / 2)
    assert found.opened.geometric_mean.value == pytest.approx(sqrt(3 / 8))


def test_newcomers_once_enrolled():
    # cat's two photos are of two encounters and 138 degrees apart: others are nearer.
    found = plane()
    assert found.unseen.queries == 2
    assert found.unseen.rank_1.value == 0
    near = [*WHERE[:-1], 50]
    found = evaluation(at(*near), WHO, MET, split(range(5), range(5, 11)), resamples=0)
    assert found.unseen.rank_1.value == 1
    # Of one encounter they may not help one another.
    met = [*MET[:-1], MET[-2]]
    assert (
        evaluation(at(*near), WHO, met, split(range(5), range(5, 11)), resamples=0).unseen is None
    )


def test_without_newcomers_everybody_is_left_out_once():
    found = evaluation(at(*WHERE[:9]), WHO[:9], MET[:9], split(range(5), range(5, 9)), resamples=0)
    assert found.left_individuals_out
    assert (found.opened.known, found.opened.unknown) == (4, 4)
    # Left out, ann's photos are 75 and 20 from bob's, bob's 85 and 95 from ann's; as they are
    # 5, 20, 5 and 5 from the nearest. Of 16 pairs one ties (20 and 20).
    assert found.opened.auroc.value == pytest.approx(15.5 / 16)
    assert found.unseen is None


def test_by_individual_the_own_encounter_is_not_searched():
    #        ann, encounter 0  ann, 1   bob, 2       bob, 3
    where = [0, 1, 40, 30, 31, 90, 200, 210]
    who = ["ann"] * 3 + ["bob"] * 3 + ["zoe"] * 2
    met = [0, 0, 1, 2, 2, 3, 4, 5]
    found = evaluation(at(*where), who, met, split([6, 7], range(6), by="individual"), resamples=0)
    assert found.gallery == 6
    assert found.unseen is None
    # ann at 0 and 1 may not see each other: bob at 30 is nearer than ann at 40. ann at 40 has bob
    # at 31; bob at 30 and 31 have ann at 40; bob at 90 has ann at 40 (50 away), bob 31 is farther.
    assert found.closed.rank_1.value == 0
    assert found.closed.queries == 6


def test_photos_seen_in_training_do_not_ask():
    seen = np.zeros(11, bool)
    seen[[0, 1, 5, 6]] = True
    found = plane(seen=seen)
    assert found.left_out == 2
    assert found.seen_in_gallery == 2
    assert found.known == 2  # bob's two
    assert found.queries.tolist() == [7, 8, 9, 10]
    # Of ann it has seen photos, and bob in the gallery may have been trained on: cat is new to it.
    assert (found.unseen.individuals, found.unseen_told) == (1, False)
    found = plane(seen=seen, taught=[True] * 2 + [False] * 9)  # whom, its card says
    assert (found.unseen.individuals, found.unseen_told) == (2, True)
    assert found.to_dict()["unseen_told"]
    # Renamed since, ann is not told by her name, but by her photos.
    assert plane(seen=seen, taught=[False] * 11).unseen.individuals == 2
    with pytest.raises(ResightError, match="taught: "):
        plane(taught=[True])
    with pytest.raises(UnusablePhotos, match="trained on every photo that would ask"):
        plane(seen=np.ones(11, bool))


def test_what_cannot_be_measured():
    with pytest.raises(UnusablePhotos, match="one individual"):
        evaluation(at(0, 1), ["ann"] * 2, None, split([0], [1]))
    with pytest.raises(UnusablePhotos, match="no photo is left to ask"):
        evaluation(at(0, 1), ["ann", "bob"], None, split([0, 1], []))
    with pytest.raises(ResightError, match="2 fingerprints but 3 encounters"):
        evaluation(at(0, 1), ["ann", "bob"], [1, 2, 3], split([0], [1]))
    with pytest.raises(ResightError, match="seen"):
        evaluation(at(0, 1), ["ann", "bob"], None, split([0], [1]), seen=np.ones(3, bool))
    with pytest.raises(ResightError, match="not finite"):
        evaluation(np.full((2, 2), np.nan), ["ann", "bob"], None, split([0], [1]))


def test_everybody_is_new():
    found = evaluation(at(0, 90), ["ann", "bob"], None, split([0], [1]), resamples=10)
    assert (found.closed, found.opened, found.unseen, found.effect) == (None, None, None, None)
    assert found.reliable is None  # a gallery of one photo teaches nothing
    json.dumps(found.to_dict(), allow_nan=False)


def test_equally_near_is_not_found():
    found = evaluation(at(0, 0, 0), ["ann", "bob", "ann"], None, split([0, 1], [2]), resamples=0)
    assert found.closed.rank_1.value == 0


@given(seed=st.integers(0, 10**6), width=st.floats(0.2, 1.2))
@settings(max_examples=25)
def test_agrees_with_asking_photo_by_photo(seed, width):
    made = herd(seed, individuals=8, dim=6, noise=width, days=4)
    late = made.days > np.datetime64("2024-05-02")
    if not late.any() or late.all():
        return
    days = (made.days - made.days.min()).astype(int)
    query, train = np.flatnonzero(late), np.flatnonzero(~late)
    found = evaluation(made.vectors, made.who, days, split(train, query), resamples=0)
    right, known = [], 0
    for place in query:
        near = train[np.argmax(made.vectors[train].astype(float) @ made.vectors[place])]
        if made.who[place] in made.who[train]:
            known += 1
            right.append(made.who[near] == made.who[place])
    assert (found.known, found.new) == (known, len(query) - known)
    if known:
        assert found.closed.rank_1.value == pytest.approx(np.mean(right))
        # What R@1 is with its own encounters left out, the split by day left out already.
        assert found.effect is None or found.effect.honest.value == found.closed.rank_1.value
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_random_split_drawn_again_and_again_says_what_the_formula_says():
    made = herd(3, individuals=10, dim=5, shift=0.8, noise=0.1, days=5)
    days = (made.days - made.days.min()).astype(int)
    photos = mark(made.vectors, made.who, days)
    query, train = np.flatnonzero(days >= 3), np.flatnonzero(days < 3)
    both = np.arange(len(days))
    found = nearest(photos, query, train, apart=True)
    effect = effect_of_split(photos, query, train, both, found, resamples=0)
    rng = np.random.default_rng(0)
    hits = []
    for place, asked in enumerate(query):
        if not found.known[place]:
            continue
        own = both[(made.who == made.who[asked]) & (both != asked)]
        many = int((made.who[train] == made.who[asked]).sum())
        near = made.vectors[own] @ made.vectors[asked]
        for _ in range(400):
            drawn = rng.choice(len(own), many, replace=False)
            hits.append(near[drawn].max() > found.other[place])
    assert effect.random.value == pytest.approx(np.mean(hits), abs=0.01)
    assert effect.honest.value < effect.random.value  # bursts flatter
    assert effect.flatters.value == pytest.approx(effect.random.value - effect.honest.value)


def test_the_effect_by_hand():
    # ann asks from 0. Of her others, 2 and 3 are of the same encounter; 60 is in the gallery;
    # bob is at 20, so two of her three others are nearer than any stranger.
    who = ["ann"] * 4 + ["bob"]
    photos = mark(at(0, 2, 3, 60, 20), who, [0, 0, 0, 1, 2])
    query, train = np.array([0]), np.array([3, 4])
    found = nearest(photos, query, train, apart=True)
    effect = effect_of_split(photos, query, train, np.arange(5), found, resamples=0)
    assert effect.honest.value == 0
    assert effect.random.value == pytest.approx(2 / 3)  # one photo drawn of three
    # Without encounters nothing tells the two splits apart.
    loose = mark(at(0, 2, 3, 60, 20), who, None)
    assert effect_of_split(loose, query, train, np.arange(5), found, resamples=0) is None


def test_a_threshold_that_the_gallery_chooses_lies_between_known_and_new():
    made = herd(1, individuals=30, shift=0.2, noise=0.1)
    photos = mark(made.vectors, made.who, made.days.astype(int))
    asked = ask_gallery(photos, np.arange(len(made.who)))
    threshold = choose_threshold(asked)
    assert (asked.known >= threshold).mean() > 0.95
    assert (asked.new < threshold).mean() > 0.95
    assert not asked.trained_on


def test_a_gallery_asks_with_what_the_model_has_not_seen():
    made = herd(1, individuals=30)
    photos = mark(made.vectors, made.who, made.days.astype(int))
    everything = np.arange(len(made.who))
    seen = np.arange(len(made.who)) >= 60
    asked = ask_gallery(photos, everything, seen)
    assert len(asked.new) == 60
    assert not asked.trained_on
    asked = ask_gallery(photos, everything, np.arange(len(made.who)) >= 10)
    assert len(asked.new) == len(made.who)  # ten are too few
    assert asked.trained_on
    assert choose_threshold(ask_gallery(photos, everything[:1])) is None


def test_the_probability_is_learned_in_the_gallery_and_holds_for_the_queries():
    made = herd(5, individuals=80, dim=6, shift=0.7, noise=0.3)
    days = (made.days - made.days.min()).astype(int)
    found = evaluation(
        made.vectors,
        made.who,
        days,
        split(np.flatnonzero(days < 5), np.flatnonzero(days >= 5)),
        resamples=0,
    )
    assert found.new > 20
    assert found.known > 100
    assert found.reliable.error < 0.12
    slope, _ = found.curve
    assert slope > 0


def test_where_all_are_right_the_probability_still_exists():
    photos = mark(at(0, 1, 90, 91), ["ann", "ann", "bob", "bob"], None)
    asked = ask_gallery(photos, np.arange(4))
    assert asked.right.all()
    sure = probability(learn_probability(asked), np.array([0.9999, 1.0]))
    assert ((sure > 0.6) & (sure < 1)).all()
    assert learn_probability(ask_gallery(photos, np.arange(0))) is None
