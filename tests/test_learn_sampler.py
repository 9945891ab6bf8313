"""P×K batches: every photo, the right shape, the same again from the same seed."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from resight.errors import UnusablePhotos
from resight.learn.sampler import PKSampler


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=12).filter(lambda c: max(c) > 1),
    photos=st.integers(2, 6),
    seed=st.integers(0, 99),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_any_catalogue(counts, photos, seed, data):
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(seed).shuffle(labels)
    individuals = data.draw(st.integers(2, len(counts)))
    sampler = PKSampler(labels, individuals=individuals, photos=photos, seed=seed)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    for batch in batches:
        seen = Counter(labels[batch].tolist())
        assert list(seen.values()) == [photos] * individuals
        for who in seen:  # no photo twice while there are others
            own = Counter(i for i in batch if labels[i] == who)
            assert max(own.values()) == -(-photos // min(photos, counts[who]))
    assert set(range(len(labels))) == {i for batch in batches for i in batch}


def test_an_epoch_is_no_longer_than_it_must_be():
    labels = np.repeat(np.arange(6), 8)
    assert len(PKSampler(labels, individuals=3, photos=4)) == 48 // 12
    # One individual with forty photos must come in ten batches of four.
    lopsided = np.repeat(np.arange(3), [40, 4, 4])
    assert len(PKSampler(lopsided, individuals=2, photos=4)) == 10


def test_seed_and_epoch_decide():
    labels = np.repeat(np.arange(5), 7)

    def epochs(seed):
        sampler = PKSampler(labels, individuals=3, photos=2, seed=seed)
        return [list(sampler), list(sampler)]

    assert epochs(1) == epochs(1)
    assert epochs(1) != epochs(2)
    first, second = epochs(1)
    assert first != second
    later = PKSampler(labels, individuals=3, photos=2, seed=1)
    later.epoch = 1
    assert list(later) == second


def test_in_a_torch_loader_it_cannot_be_mistaken_for_a_batch_size():
    data = TensorDataset(torch.arange(20), torch.arange(20) // 4)
    sampler = PKSampler((torch.arange(20) // 4).numpy(), individuals=2, photos=2)
    for _, labels in DataLoader(data, batch_sampler=sampler):
        assert sorted(Counter(labels.tolist()).values()) == [2, 2]
    with pytest.raises(ValueError, match="mutually exclusive"):
        DataLoader(data, batch_size=4, batch_sampler=sampler)
    with pytest.raises(TypeError):
        PKSampler([0, 0, 1, 1], 2, 2)


def test_names_of_individuals_may_be_words():
    batch = next(iter(PKSampler(["b", "a", "b", "a"], individuals=2, photos=2)))
    assert sorted(batch) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("labels", "words"),
    [([], "at least two"), ([1, 1, 1], "at least two"), ([1, 2, 3], "no individual has two")],
)
def test_what_cannot_be_learned_from_is_said(labels, words):
    with pytest.raises(UnusablePhotos, match=words):
        PKSampler(labels, individuals=2, photos=2)


@pytest.mark.parametrize(("individuals", "photos"), [(1, 2), (4, 2), (2, 1)])
def test_senseless_shapes_are_refused(individuals, photos):
    with pytest.raises(ValueError, match=r"individuals|photos"):
        PKSampler([0, 0, 1, 1, 2, 2], individuals=individuals, photos=photos)
