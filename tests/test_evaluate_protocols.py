"""Open set, split by individual, few shots and one enrolled photo."""

import itertools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from angles import at, crowd
from resight.errors import ResightError
from resight.evaluate.open_set import open_set_figures
from resight.evaluate.protocols import (
    closed_set,
    nearest_photos,
    open_set,
    split_individuals,
    unseen_individuals,
)

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
