"""Candidate sets that keep their promise."""

import numpy as np
import pytest

from resight.catalogue.conformal import (
    SCORES,
    Promise,
    candidate_sets,
    covered,
    promise,
    unbounded,
)
from resight.catalogue.decision import BEYOND, NEW, Parameters, probabilities
from resight.catalogue.evidence import combined, evidence

PARAMETERS = Parameters(centre=0.0, scale=1.0, gain=1.5, offset=1.0, others=0.2)  # not the true


def asked(seed, count, share, *, individuals=30, away=2.5):
    rng = np.random.default_rng(seed)
    parts, truth = [], []
    for _ in range(count):
        z = rng.standard_normal((1, individuals))
        right = int(rng.integers(individuals))
        new = rng.random() < share
        if not new:
            z[0, right] += rng.normal(away, 1.5)
        part, order = evidence(z, np.ones(individuals), keep=25)
        place = np.flatnonzero(order == right)
        parts.append(part)
        truth.append(NEW if new else int(place[0]) if len(place) else BEYOND)
    return combined(parts), np.array(truth)


def sets(made, found, truth):
    alone = np.ones(len(truth), bool)
    members, new = candidate_sets(found, made, alone)
    return members, new, covered(members, new, truth, unbounded(made, alone))


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_truth_is_in_the_set_as_often_as_promised_whatever_the_share_of_new(level):
    teach, truth = asked(0, 3000, 0.5)
    found = probabilities(teach, PARAMETERS, 0.5)
    made = promise(found, truth, np.ones(3000), np.ones(3000, bool), level)
    assert made.score in SCORES
    for share in (0.1, 0.5, 0.9):
        fresh, real = asked(1, 3000, share)
        # Known and new have cuts of their own, so that neither depends on the share.
        _, _, inside = sets(made, probabilities(fresh, PARAMETERS, 0.5), real)
        assert inside.mean() == pytest.approx(level, abs=0.02)


def test_more_is_promised_by_more_names_and_nobody_is_named_in_vain():
    teach, truth = asked(2, 1500, 0.5, away=6)
    found = probabilities(teach, PARAMETERS, 0.5)
    weights, alone = np.ones(1500), np.ones(1500, bool)
    made = {level: promise(found, truth, weights, alone, level) for level in (0.8, 0.95)}
    sizes = {}
    for level, one in made.items():
        members, new, _ = sets(one, found, truth)
        sizes[level] = (members.sum(axis=1) + new).mean()
    assert sizes[0.8] < sizes[0.95] < 4


def test_few_photos_promise_nothing_but_everybody():
    teach, truth = asked(3, 12, 0.5)
    found = probabilities(teach, PARAMETERS, 0.5)
    made = promise(found, truth, np.ones(12), np.ones(12, bool), 0.95)
    assert (made.known, made.new) == (None, None)
    members, new, inside = sets(made, found, truth)
    assert new.all()
    assert inside.all()
    assert (members.sum(axis=1) == 25).all()


def test_copies_of_one_moment_count_once():
    teach, truth = asked(4, 30, 0.0)
    copies = np.repeat(np.arange(30), 100)
    found = probabilities(teach.of(copies), PARAMETERS, 0.5)
    made = promise(found, truth[copies], np.full(3000, 0.01), np.ones(3000, bool), 0.98)
    assert made.known is None  # thirty moments cannot promise 98 %
    assert made.encounters == (pytest.approx(30), 0)


def test_a_truth_beyond_the_candidates_is_no_hit():
    teach, truth = asked(5, 400, 0.0, away=0.5)
    assert (truth == BEYOND).any()
    found = probabilities(teach, PARAMETERS, 0.5)
    members = found.known > 0
    never = np.zeros(400, bool)
    assert not covered(members, never, truth, never)[truth == BEYOND].any()
    assert covered(members, never, truth, ~never)[truth == BEYOND].all()


def test_a_promise_survives_json():
    made = Promise(0.9, "evidence", 1.5, None, 0.25, -3.0, (20.0, 7.5))
    assert Promise.from_dict(made.to_dict()) == made
