"""The likeness to an individual, by all of its photos: by hand, by properties, and at its edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resight.likeness import SHARPNESS, likeness


def test_by_hand() -> None:
    """Ada has photos at 0.9 and 0.5, Bea one at 0.8, and of Cid there is none that counts."""
    cosines = np.array([0.9, 0.8, -np.inf, 0.5])
    found = likeness(cosines, np.array([0, 1, 2, 0]), 4)
    ada = np.log((np.exp(SHARPNESS * 0.9) + np.exp(SHARPNESS * 0.5)) / 2) / SHARPNESS
    np.testing.assert_allclose(found, [ada, 0.8, -np.inf, -np.inf], rtol=1e-12)
    assert 0.7 < found[0] < 0.9


def test_who_has_many_photos_has_no_advantage_by_chance() -> None:
    """Of a hundred photos drawn by chance one lies nearer than the one of the right individual."""
    cosines = np.append(np.random.default_rng(0).normal(0.2, 0.15, 100), 0.5)
    whose = np.append(np.zeros(100, np.int64), 1)
    assert cosines[:100].max() > 0.5
    many, right = likeness(cosines, whose, 2)
    assert right > many
    # One that lies near time and again is near.
    assert likeness(np.append(cosines[:100] + 0.3, 0.5), whose, 2).argmax() == 0


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 3)), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_it_lies_between_the_mean_and_the_greatest(photos, chance) -> None:
    cosines, whose = np.array([c for c, _ in photos]), np.array([w for _, w in photos])
    found = likeness(cosines, whose, 5)
    for one in range(5):
        own = cosines[whose == one]
        if not len(own):
            assert found[one] == -np.inf
            continue
        assert own.mean() - 1e-9 <= found[one] <= own.max() + 1e-9
    # Neither the order of the photos counts nor whether all of them are there twice.
    mixed = [*range(len(photos))] * 2
    chance.shuffle(mixed)
    np.testing.assert_allclose(likeness(cosines[mixed], whose[mixed], 5), found, atol=1e-9)
    # A photo that does not count is none.
    more = np.append(cosines, -np.inf), np.append(whose, whose[0])
    np.testing.assert_allclose(likeness(*more, 5), found, atol=1e-9)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_blocks_of_queries_and_kinds_of_numbers(kind) -> None:
    rng = np.random.default_rng(1)
    cells, whose = rng.uniform(-1, 1, (7, 30)).astype(kind), rng.integers(0, 6, 30)
    found = likeness(cells, whose, 6)
    assert found.dtype == kind
    assert found.shape == (7, 6)
    each = np.stack([likeness(row, whose, 6) for row in cells])
    np.testing.assert_allclose(found, each, rtol=1e-5)
    assert likeness(cells.astype(np.float16), whose, 6).dtype == np.float32
    # Of one photo its cosine, to the bit: as alike is as alike.
    np.testing.assert_array_equal(likeness(cells[:, :6], np.arange(6), 6), cells[:, :6])
    # The most alike and the least alike that there can be.
    ends = likeness(np.array([[1, -1]], kind), np.array([0, 1]), 2)
    np.testing.assert_allclose(ends, [[1, -1]], atol=1e-6)
    none = likeness(np.empty((2, 0), kind), np.empty(0, np.int64), 3)
    assert none.tolist() == [[-np.inf] * 3] * 2
