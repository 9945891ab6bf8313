"""From similarities to probabilities, as functions of arrays."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.catalogue.decision import (
    NEW,
    Parameters,
    assign,
    fit,
    probabilities,
    share_among,
)
from resight.catalogue.evidence import Evidence, combined, evidence, nearest_few, rows_of
from resight.errors import ResightError

SOME = Parameters(centre=0.2, scale=0.1, gain=3.0, offset=4.0, others=0.7, photos=-0.3)


@st.composite
def questions(draw):
    """Similarities (m, n) and photos (n,)."""
    seed = draw(st.integers(0, 2**32 - 1))
    m, n = draw(st.integers(1, 5)), draw(st.integers(1, 70))
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (m, n)), rng.integers(1, 30, n)


@settings(max_examples=60)
@given(questions(), st.floats(0, 1))
def test_probabilities_sum_to_one(question, share):
    similarity, photos = question
    asked, order = evidence(similarity, photos)
    found = probabilities(asked, SOME, share)
    assert found.known.sum() + found.beyond[0] + found.new[0] == pytest.approx(1)
    assert (found.known >= 0).all()
    assert (found.known[0, len(order) :] == 0).all()
    assert (found.beyond[0] > 0) == (similarity.shape[1] > 50 and share < 1)
    if share in (0, 1):
        assert found.new[0] == share


@settings(max_examples=60)
@given(questions(), st.data(), st.floats(0, 0.5))
def test_more_like_somebody_is_likelier_to_be_them(question, data, more):
    similarity, photos = question
    column = data.draw(st.integers(0, similarity.shape[1] - 1))
    row = data.draw(st.integers(0, len(similarity) - 1))

    def chance(similarity):
        asked, order = evidence(similarity, photos)
        found = probabilities(asked, SOME)
        place = np.flatnonzero(order == column)
        return (found.known[0, place[0]] if len(place) else 0.0), found.new[0]

    before, _ = chance(similarity)
    similarity = similarity.copy()
    similarity[row, column] += more
    after, _ = chance(similarity)
    assert after >= before - 1e-12


@settings(max_examples=40)
@given(questions(), st.integers(0, 1000))
def test_the_order_of_the_gallery_does_not_matter(question, seed):
    similarity, photos = question
    order = np.random.default_rng(seed).permutation(similarity.shape[1])
    one, first = evidence(similarity, photos)
    other, second = evidence(similarity[:, order], photos[order])
    assert order[second].tolist() == first.tolist()
    a, b = probabilities(one, SOME), probabilities(other, SOME)
    assert a.known == pytest.approx(b.known)
    assert a.new == pytest.approx(b.new)


@pytest.mark.parametrize(
    ("similarity", "photos"),
    [
        (np.full((1, 3), np.nan), np.ones(3)),
        (np.zeros((0, 3)), np.ones(3)),
        (np.zeros((2, 0)), np.ones(0)),
        (np.zeros(3), np.ones(3)),
        (np.zeros((1, 3)), np.ones(2)),
        (np.zeros((1, 3)), np.zeros(3)),
        (np.array([[np.inf, 0.0]]), np.ones(2)),
    ],
)
def test_what_is_no_evidence_is_refused(similarity, photos):
    with pytest.raises(ResightError, match="similarities"):
        evidence(similarity, photos)


@pytest.mark.parametrize("share", [-0.1, 1.1, np.nan])
def test_a_share_is_between_0_and_1(share):
    asked, _ = evidence(np.zeros((1, 3)), np.ones(3))
    with pytest.raises(ResightError, match="between 0 and 1"):
        probabilities(asked, SOME, share)


def test_the_nearest_few_by_hand():
    cells = np.array([[0.1, 0.5, 0.5, 0.3, 0.2, 0.9], [0.4, 0.1, 0.0, -np.inf, 0.8, 0.7]])
    best, support = nearest_few(cells, np.array([0, 4, 5]))
    assert best.tolist() == [[0.5, 0.2, 0.9], [0.4, 0.8, 0.7]]
    expected = [[(0.5 + 0.5 + 0.3) / 3 - 0.5, 0, 0], [(0.4 + 0.1 + 0.0) / 3 - 0.4, 0, 0]]
    assert support == pytest.approx(np.array(expected))


def test_rows_of_some_individuals_lie_side_by_side():
    rows, first = rows_of(np.array([0, 2]), np.array([0, 3, 4]), 6)
    assert (rows.tolist(), first.tolist()) == ([0, 1, 2, 4, 5], [0, 3])


def known_truth(rng, count, individuals, photos=1, copies=False):
    """Scores of which the posterior is known: N(0, 1) of strangers, N(3, 1) of the right one."""
    parts, truth, posterior = [], [], []
    for number in range(count):
        new = number % 2 == 0
        z = rng.standard_normal((photos, individuals))
        right = int(rng.integers(individuals))
        if not new:
            z[:, right] += 3
        if copies:
            z[:] = z[:1]
        part, order = evidence(0.2 + 0.1 * z, np.ones(individuals))
        parts.append(part)
        truth.append(NEW if new else int(np.flatnonzero(order == right)[0]))
        ratio = np.exp((3 * z - 4.5)[: 1 if copies else None].sum(axis=0)) / individuals
        posterior.append(np.append(ratio[order], 1) / (1 + ratio.sum()))
    return combined(parts), np.array(truth), posterior


BEGIN = Parameters(centre=0.2, scale=0.1, support=0, others=0, photos=0)


def test_the_posterior_is_the_true_one():
    rng = np.random.default_rng(0)
    asked, truth, _ = known_truth(rng, 1600, 20)
    made = fit(asked, truth, np.ones(len(truth)), BEGIN)
    assert made.gain == pytest.approx(3, abs=0.35)
    assert made.others < 0.6
    fresh, _, posterior = known_truth(rng, 400, 20)
    found = probabilities(fresh, made, 0.5)
    ours = np.column_stack([found.known[:, :20], found.new])
    assert np.abs(ours - posterior).mean() < 0.006
    assert np.abs(ours - posterior).max() < 0.3
    # Another share is Bayes' rule and nothing else.
    rare = probabilities(fresh, made, 0.1)
    true = np.array([p[-1] * 0.1 / (p[-1] * 0.1 + (1 - p[-1]) * 0.9) for p in posterior])
    assert np.abs(rare.new - true).mean() < 0.02


@pytest.mark.parametrize(("copies", "low", "high"), [(True, 0, 0.12), (False, 0.85, 1)])
def test_it_learns_what_further_photos_of_an_encounter_are_worth(copies, low, high):
    rng = np.random.default_rng(1)
    several, truth, _ = known_truth(rng, 500, 20, photos=4, copies=copies)
    single, alone, _ = known_truth(rng, 500, 20)
    made = fit(combined([several, single]), np.append(truth, alone), np.ones(1000), replace(BEGIN))
    assert low <= made.together <= high


def test_a_few_labels_move_the_prior_little():
    rng = np.random.default_rng(2)
    asked, truth, _ = known_truth(rng, 4, 20)
    begin = replace(BEGIN, gain=2.0, offset=0.5)
    made = fit(asked, truth, np.ones(4), begin)
    assert abs(made.gain - 2) < 2
    only_new = np.full(4, NEW)
    assert fit(asked, only_new, np.ones(4), begin) == begin  # nothing to learn from


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7])
def test_the_share_of_new_is_found_without_labels(share):
    rng = np.random.default_rng(3)
    odds = np.where(rng.random(3000) < share, rng.normal(2, 2, 3000), rng.normal(-2, 2, 3000))
    # log likelihood ratio of N(2, 2) to N(-2, 2) is the value itself
    assert share_among(odds, np.ones(3000), (0.5, 0.5)) == pytest.approx(share, abs=0.03)
    held = share_among(odds[:3], np.ones(3), (10.0, 90.0))
    assert held == pytest.approx(0.1, abs=0.03)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4))
def test_parts_of_a_picture_get_the_likeliest_of_all_assignments(seed, parts, people):
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(people + 1, 0.4), parts)
    known, new = table[:, :-1], table[:, -1]
    picked = assign(known, new)

    def chance(choice):
        there = [c for c in choice if c is not None]
        if len(set(there)) < len(there):
            return -1.0
        own = [new[i] if c is None else known[i, c] for i, c in enumerate(choice)]
        return float(np.prod(own))

    best = max(product([None, *range(people)], repeat=parts), key=chance)
    assert chance(picked) == pytest.approx(chance(best))


def test_parameters_survive_json():
    back = Parameters.from_dict({**SOME.to_dict(), "of a later version": 3})
    assert back == SOME
    assert Parameters.from_dict({}) == Parameters()


def test_some_of_the_questions():
    asked, _, _ = known_truth(np.random.default_rng(0), 5, 4)
    assert isinstance(asked.of(np.array([1, 3])), Evidence)
    assert len(asked.of(np.array([1, 3]))) == 2
