"""Retrieval figures against cases worked by hand, other implementations and brute force."""

import json
import math

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from angles import at, crowd
from resight.errors import ResightError
from resight.evaluate.metrics import Figure, mean_figures, resamples_of, retrieval
from resight.evaluate.nearest import mark
from resight.evaluate.ranking import rank_matches, strangers_before, unit_vectors


def mixed_crowd(seed: int, individuals: int, photos: int, noise: float, d: int = 16):
    vectors, labels = crowd(seed, individuals, photos, noise, d)
    mixed = np.random.default_rng(seed).permutation(len(labels))
    return unit_vectors(vectors[mixed], "a crowd"), labels[mixed]


def test_one_query_worked_by_hand() -> None:
    # Ranking: a b a b a. Precisions at the matches: 1/1, 2/3, 3/5.
    found = retrieval(at(0), ["a"], at(10, 20, 30, 40, 50), ["a", "b", "a", "b", "a"], ks=(1, 2))
    assert found.rank_1.value == 1
    assert found.mean_ap.value == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found.map_at_r.value == pytest.approx((1 + 2 / 3) / 3)
    assert found.minp.value == pytest.approx(3 / 5)
    assert (found.queries, found.skipped, found.individuals) == (1, 0, 1)


def test_first_match_on_rank_three() -> None:
    # Ranking: b b a c a. Precisions at the matches: 1/3, 2/5; none within R = 2.
    found = retrieval(
        at(0), ["a"], at(10, -20, 30, 40, 50), ["b", "b", "a", "c", "a"], ks=(1, 2, 3)
    )
    assert [found.cmc[k].value for k in (1, 2, 3)] == [0, 0, 1]
    assert found.mean_ap.value == pytest.approx((1 / 3 + 2 / 5) / 2)
    assert found.map_at_r.value == 0
    assert found.minp.value == pytest.approx(2 / 5)


def test_leaving_one_out_worked_by_hand() -> None:
    # From 0 (a): 20 b, 30 a. From 20 (b): 30 a, 0 a, 90 b. From 30 (a): 20 b, 0 a. From 90: a b.
    # The lonely c at 180 has nothing to find; it stands last in every ranking.
    found = retrieval(at(0, 20, 30, 90, 180), ["a", "b", "a", "b", "c"], ks=(1, 2, 3))
    ranks = [2, 3, 2, 2]
    assert [found.cmc[k].value for k in (1, 2, 3)] == [0, 0.75, 1]
    assert found.mean_ap.value == pytest.approx(np.mean([1 / rank for rank in ranks]))
    assert (found.queries, found.skipped, found.individuals) == (4, 1, 2)


def test_matches_of_the_own_encounter_are_ignored() -> None:
    vectors, labels = at(0, 1, 10, 30), ["a", "a", "b", "a"]
    found = retrieval(vectors, labels, query_groups=["mon", "mon", "mon", "tue"], ks=(1, 2))
    # From 0 and 1, the near copy does not count, so b is nearest; from 30: b, then both others.
    assert found.rank_1.value == 0
    assert found.mean_ap.value == pytest.approx((1 / 2 + 1 / 2 + (1 / 2 + 2 / 3) / 2) / 3)
    assert found.skipped == 1
    with_gallery = retrieval(
        vectors[:1], labels[:1], vectors, labels, query_groups=["mon"],
        gallery_groups=["mon", "mon", "mon", "tue"],
    )  # fmt: skip
    assert with_gallery.mean_ap.value == pytest.approx(1 / 2)


def test_photos_without_an_encounter_ignore_only_themselves() -> None:
    vectors, labels = at(0, 1, 10, 30), ["a", "a", "b", "a"]
    plain = retrieval(vectors, labels)
    assert retrieval(vectors, labels, query_groups=[None] * 4).figures() == plain.figures()


def test_ties_are_pessimistic() -> None:
    same = np.tile(at(0), (6, 1))
    found = retrieval(same, [0, 0, 0, 1, 1, 1], ks=(1, 3, 4))
    # Two matches behind three strangers: precisions 1/4 and 2/5.
    assert [figure.value for figure in found.cmc.values()] == [0, 0, 1]
    assert found.mean_ap.value == pytest.approx((1 / 4 + 2 / 5) / 2)


def test_a_collapsed_model_scores_nothing_at_any_size() -> None:
    collapsed = np.tile(mixed_crowd(0, 1, 1, 0.0, 64)[0], (3000, 1))
    found = retrieval(collapsed, np.arange(3000) % 10, resamples=0)
    assert found.rank_1.value == 0
    assert found.map_at_r.value == 0


def test_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score

    vectors, labels = mixed_crowd(1, 8, 25, 1.5)
    ranked = rank_matches(vectors, labels)
    for query in range(0, len(labels), 7):
        others = np.arange(len(labels)) != query
        expected = average_precision_score(
            labels[others] == labels[query], vectors[others] @ vectors[query]
        )
        assert ranked.ap[query] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("noise", [0.5, 1.5, 5.0])
def test_agrees_with_pytorch_metric_learning(noise: float) -> None:
    pytest.importorskip("torch")
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    vectors, labels = mixed_crowd(2, 12, 20, noise)
    rng = np.random.default_rng(3)
    keep = rng.random(len(labels)) < 0.6  # individuals of unequal size
    vectors, labels = vectors[keep], labels[keep]
    names = ("precision_at_1", "mean_average_precision_at_r", "mean_average_precision")
    reference = AccuracyCalculator(
        include=names, k=len(labels) - 1, knn_func=CustomKNN(CosineSimilarity())
    ).get_accuracy(vectors, labels)
    ours = retrieval(vectors, labels, resamples=0)
    assert ours.rank_1.value == pytest.approx(reference["precision_at_1"], abs=1e-9)
    assert ours.map_at_r.value == pytest.approx(reference["mean_average_precision_at_r"], abs=1e-9)
    assert ours.mean_ap.value == pytest.approx(reference["mean_average_precision"], abs=1e-9)


def by_brute_force(vectors, labels, groups):
    """Sort every ranking in full: (first, ap, ap_at_r, inp) of each query that has a match."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = unit.astype(np.float32).astype(np.float64)
    rows = {}
    for query in range(len(labels)):
        ranking = []
        for other in range(len(labels)):
            match = labels[other] == labels[query]
            near = groups[query] is not None and groups[other] == groups[query]
            if other == query or (match and near):
                continue
            ranking.append((-np.float32(unit[query] @ unit[other]), match))
        ranking.sort()  # a stranger (False) before a match that is equally similar
        ranks = [place for place, (_, match) in enumerate(ranking, 1) if match]
        if not ranks:
            continue
        precision = [found / rank for found, rank in enumerate(ranks, 1)]
        total = len(ranks)
        within = sum(p for p, rank in zip(precision, ranks, strict=True) if rank <= total)
        rows[query] = (ranks[0], sum(precision) / total, within / total, total / ranks[-1])
    return rows


@st.composite
def small_sets(draw):
    n = draw(st.integers(2, 14))
    # Few whole numbers, so that equal photos and equal similarities abound.
    vectors = draw(arrays(np.int8, (n, 3), elements=st.integers(-1, 2)).map(np.float32))
    vectors[~vectors.any(axis=1)] = 1
    labels = draw(st.lists(st.sampled_from("abcd"), min_size=n, max_size=n))
    groups = draw(st.lists(st.sampled_from([None, 1, 2]), min_size=n, max_size=n))
    return vectors, labels, groups


@settings(deadline=None, max_examples=150)
@given(small_sets(), st.integers(1, 20), st.randoms(use_true_random=False))
def test_brute_force_agrees_whatever_the_order_and_the_block(case, block, random) -> None:
    vectors, labels, groups = case
    expected = by_brute_force(vectors, labels, groups)
    if not expected:
        with pytest.raises(ResightError, match="nothing to measure"):
            rank_matches(vectors, labels, query_groups=groups)
        return
    order = list(range(len(labels)))
    random.shuffle(order)
    ranked = rank_matches(
        vectors[order],
        [labels[place] for place in order],
        query_groups=[groups[place] for place in order],
        block=block,
    )
    assert ranked.skipped == len(labels) - len(expected)
    assert sorted(order[place] for place in ranked.index) == sorted(expected)
    for place, *row in zip(
        ranked.index, ranked.first, ranked.ap, ranked.ap_at_r, ranked.inp, strict=True
    ):
        assert row == pytest.approx(expected[order[place]])


def test_blocks_and_threads_change_nothing_on_a_larger_set() -> None:
    vectors, labels = mixed_crowd(4, 30, 60, 2.0, 32)
    whole = rank_matches(vectors, labels, threads=1)
    parts = rank_matches(vectors, labels, block=77, threads=3)
    for name in ("index", "individual", "first", "ap", "ap_at_r", "inp"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_single_precision_of_large_sets_gives_the_same_figures(monkeypatch) -> None:
    vectors, labels = mixed_crowd(8, 30, 60, 2.0, 64)
    double = rank_matches(vectors, labels)
    monkeypatch.setattr("resight.evaluate.ranking._DOUBLE_UP_TO", 0)
    for block in (None, 77, 500):
        single = rank_matches(vectors, labels, block=block)
        assert np.allclose(single.ap, double.ap, atol=1e-4)
        assert np.mean(single.first == double.first) > 0.999


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 600),
    st.integers(1, 9000),
    st.sampled_from(["wide", "coarse", "tight", "outlier", "equal", "zero", "apart"]),
    st.integers(0, 2**32),
)
def test_counting_strangers_is_exact(matches: int, strangers: int, shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, other = rng.normal(0.1, 0.3, matches), rng.normal(0, 0.3, strangers)
    if shape == "coarse":
        own, other = np.round(own, 1), np.round(other, 1)
    elif shape == "tight":
        own, other = 0.9 + own * 1e-6, 0.9 + other * 1e-6
    elif shape == "outlier":
        own, other = 0.9 + own * 1e-3, 0.9 + other * 1e-3
        own[0] = -1
    elif shape == "equal":
        own[:], other[::2] = 0.25, 0.25
    elif shape == "zero":  # of either sign: they are equal
        own[1::2], other[::2] = -0.0, 0.0
    elif shape == "apart":
        own += 5
    own, other = np.float32(own), np.float32(other)
    expected = [np.count_nonzero(other >= match) for match in np.sort(own)[::-1]]
    assert np.array_equal(strangers_before(own, other), expected)


def test_the_bootstrap_draws_individuals_not_photos() -> None:
    # One individual of 99 photos is always found, one of 1 photo never.
    values, individual = np.r_[np.ones(99), 0.0][:, None], np.r_[np.zeros(99, int), 1]
    (figure,) = mean_figures(values, individual, resamples=500, seed=7)
    assert figure == mean_figures(values, individual, resamples=500, seed=7)[0]
    assert (figure.value, figure.low, figure.high, figure.n) == (0.99, 0, 1, 2)


def test_the_interval_is_the_percentile_of_redone_means() -> None:
    rng = np.random.default_rng(5)
    individual = np.sort(np.r_[np.arange(20), rng.integers(0, 20, 180)])
    values = rng.random((200, 1)) + individual[:, None] / 10
    redone = []
    for weights in resamples_of([20], 400, 9):
        photos = np.repeat(np.arange(200), weights[individual].astype(int))
        redone.append(values[photos].mean())
    (figure,) = mean_figures(values, individual, resamples=400, seed=9)
    assert (figure.low, figure.high) == pytest.approx(tuple(np.percentile(redone, (2.5, 97.5))))
    assert figure.low < figure.value < figure.high


def test_one_individual_has_no_interval() -> None:
    figure = retrieval(at(0, 10), ["a", "a"]).rank_1
    assert math.isnan(figure.low)
    assert figure.to_dict() == {"value": 1.0, "low": None, "high": None, "n": 1}
    assert str(figure) == "1"


def test_labels_may_be_anything_hashable() -> None:
    vectors, labels = mixed_crowd(6, 5, 4, 1.0)
    plain = retrieval(vectors, labels)
    named = retrieval(vectors, [("whale", f"№ {label} 🐋") for label in labels])
    assert named.figures() == plain.figures()
    mixed = retrieval(vectors, labels, vectors, [int(label) for label in labels])
    assert mixed.skipped == 0


@pytest.mark.parametrize("as_labels", [torch.tensor, lambda labels: list(torch.tensor(labels))])
def test_tensors_name_individuals_and_encounters_by_their_values(as_labels) -> None:
    vectors, labels = mixed_crowd(6, 5, 4, 1.0)
    groups = np.arange(20) % 3
    options = {"ks": (1,), "resamples": 0}
    told = retrieval(vectors, as_labels(labels), query_groups=as_labels(groups), **options)
    assert told.to_dict() == retrieval(vectors, labels, query_groups=groups, **options).to_dict()
    marked = mark(vectors, as_labels(labels), as_labels(groups - 1))
    plain = mark(vectors, labels, groups - 1)
    assert marked.names == plain.names
    assert marked.group.tolist() == plain.group.tolist()
    assert marked.told.tolist() == (groups > 0).tolist()


@pytest.mark.parametrize("nothing", [None, math.nan, pandas.NA, pandas.NaT], ids=repr)
def test_an_encounter_may_be_missing_in_any_words(nothing) -> None:
    vectors, labels = mixed_crowd(6, 5, 4, 1.0)
    groups = [nothing] * 18 + [7, 8]
    found = retrieval(vectors, labels, query_groups=groups, resamples=0)
    assert found.mean_ap.value == retrieval(vectors, labels, resamples=0).mean_ap.value
    marked = mark(vectors, labels, groups)
    assert marked.told.tolist() == [False] * 18 + [True] * 2
    assert len(set(marked.group.tolist())) == 20


@pytest.mark.parametrize("times", [1e25, 1e38, 1e100, 1e300, 1e-21, 1e-25, 1e-38, 1e-300])
@pytest.mark.parametrize("kind", [np.float32, np.float64, list])
def test_fingerprints_may_be_of_any_finite_length(times: float, kind) -> None:
    vectors = mixed_crowd(6, 5, 4, 1.0)[0].astype(np.float64)
    vectors[::2] *= times
    if kind is np.float32 and not 1e-37 < times < 1e38:
        pytest.skip("float32 does not reach so far")
    given = vectors.tolist() if kind is list else vectors.astype(kind)
    before = np.array(given)
    found = unit_vectors(given, "photos")
    assert found.dtype == np.float32
    expected = mixed_crowd(6, 5, 4, 1.0)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.array_equal(given, before)  # the caller's own stay as they are


def test_prints_and_serialises() -> None:
    found = retrieval(*mixed_crowd(6, 5, 4, 1.0))
    assert "R@1" in str(found)
    assert "[" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["mAP"]["n"] == 5
    assert str(Figure(0.5, 0.25, 0.75, 9)) == "0.5 [0.25, 0.75]"


@pytest.mark.parametrize(
    ("vectors", "labels", "words"),
    [
        (np.ones((3, 2)), [1, 2], "3 fingerprints but 2 labels"),
        (np.ones((2, 2)), [1, None], "photo 1 has no individual"),
        (np.ones((2, 2)), [1.0, math.nan], "photo 1 has no individual"),
        (np.ones((2, 2)), [1, pandas.NA], "photo 1 has no individual"),
        (np.ones((2, 2)), pandas.array([1, None], "Int64"), "photo 1 has no individual"),
        (np.ones((0, 2)), [], "fingerprints must be"),
        (np.ones(4), [1] * 4, "fingerprints must be"),
        (np.array([[1, 0], [0, 0]]), [1, 1], "no length"),
        (np.array([[1, 0], [np.nan, 1]]), [1, 1], "not finite"),
        (np.array([[1e25, 0], [1e25, np.inf]]), [1, 1], r"1 fingerprints .* at row 1"),
        (np.ones((2, 2)), [1, 2], "nothing to measure"),
    ],
)
def test_bad_input_is_told_in_words(vectors, labels, words: str) -> None:
    with pytest.raises(ResightError, match=words):
        retrieval(vectors, labels)


def test_a_gallery_of_another_model_is_refused() -> None:
    with pytest.raises(ResightError, match="different models"):
        retrieval(np.ones((2, 3)), [1, 1], np.ones((2, 4)), [1, 1])
    with pytest.raises(ResightError, match="labels are missing"):
        retrieval(np.ones((2, 3)), [1, 1], np.ones((2, 3)))


@pytest.mark.parametrize("ks", [(0,), (1, -5), (2.5,), (3.0,), ("5",)])
def test_what_counts_no_photos_is_refused(ks) -> None:
    with pytest.raises(ResightError, match="in whole numbers, and starts at 1"):
        retrieval(at(0, 1), [1, 1], ks=ks)
    assert list(retrieval(at(0, 1), [1, 1], ks=np.array([3, 1])).cmc) == [1, 3]


@pytest.mark.parametrize("resamples", [-1, 2.5, None])
def test_resamples_that_cannot_be_are_refused(resamples) -> None:
    with pytest.raises(ResightError, match="resamples must be a whole number, 0 or more"):
        retrieval(at(0, 1), [1, 1], resamples=resamples)
    with pytest.raises(ResightError, match="resamples must be a whole number, 0 or more"):
        mean_figures(np.ones((2, 1)), np.array([0, 1]), resamples=resamples)
