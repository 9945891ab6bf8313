"""The likeness to an individual, by all of its photos: by hand, by properties, and at its edges."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import resight.likeness
from resight.likeness import DIMENSIONS, SHARPNESS, likeness


def expected(cosines, whose, one):
    """As it is written, photo by photo."""
    own = [c for c, w in zip(cosines, whose, strict=True) if w == one and c > -math.inf]
    if not own:
        return -math.inf
    sharp = SHARPNESS * len(own) ** (2 / (DIMENSIONS + 4))
    mean = sum(math.exp(sharp * (c - 1)) for c in own) / len(own)
    more = DIMENSIONS / (DIMENSIONS + 4) * math.log(len(own))
    return 1 + (math.log(mean) + more) / SHARPNESS


def test_by_hand() -> None:
    """Ada has photos at 0.9 and 0.5, Bea one at 0.8, and of Cid there is none that counts."""
    cosines = np.array([0.9, 0.8, -np.inf, 0.5])
    found = likeness(cosines, np.array([0, 1, 2, 0]), 4)
    # Two photos: kernels 2^(1/11) = 1.065 times as sharp as one of 18, so 19.17. The far one adds
    # nothing: 19.17 (0.9 - 1) - log 2 + 9/11 log 2 = -2.043, and 1 - 2.043 / 18 = 0.8865.
    np.testing.assert_allclose(found, [0.8865, 0.8, -np.inf, -np.inf], atol=1e-4)


@pytest.mark.parametrize("many", [1, 3, 50, 1000])
def test_everybodys_density_comes_to_one(monkeypatch, many: int) -> None:
    """On the sphere in space, of two dimensions, added up ring by ring around the photos' place."""
    monkeypatch.setattr(resight.likeness, "DIMENSIONS", 2)
    angle = np.linspace(0, np.pi, 20_001)
    cosines = np.repeat(np.cos(angle)[:, None], many, axis=1)
    density = np.exp(SHARPNESS * (likeness(cosines, np.zeros(many, np.int64), 1)[:, 0] - 1))
    whole = np.trapezoid(density * 2 * np.pi * np.sin(angle), angle)
    # What one kernel comes to: 2 pi (1 - exp(-2 s)) / s.
    np.testing.assert_allclose(whole, 2 * np.pi / SHARPNESS, rtol=1e-4)


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
def test_photo_by_photo(photos, chance) -> None:
    cosines, whose = np.array([c for c, _ in photos]), np.array([w for _, w in photos])
    found = likeness(cosines, whose, 5)
    np.testing.assert_allclose(found, [expected(cosines, whose, i) for i in range(5)], atol=1e-9)
    # The order of the photos does not count.
    mixed = [*range(len(photos))]
    chance.shuffle(mixed)
    np.testing.assert_allclose(likeness(cosines[mixed], whose[mixed], 5), found, atol=1e-9)
    # A photo that does not count is none.
    more = np.append(cosines, -np.inf), np.append(whose, whose[0])
    np.testing.assert_allclose(likeness(*more, 5), found, atol=1e-9)
    # Who looks more alike is more alike.
    nearer, best = cosines.copy(), cosines.argmax()
    nearer[best] += 0.1
    assert likeness(nearer, whose, 5)[whose[best]] > found[whose[best]]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_photos_that_do_not_count_may_be_others_for_each_query(kind) -> None:
    rng = np.random.default_rng(2)
    whose = rng.integers(0, 5, 40)
    cells = rng.uniform(-1, 1, (2, 3, 40)).astype(kind)
    cells[rng.random(cells.shape) < 0.4] = -np.inf
    cells[0, 1, whose == 2] = -np.inf
    found = likeness(cells, whose, 5)
    wanted = [
        [[expected(row.tolist(), whose, i) for i in range(5)] for row in two] for two in cells
    ]
    np.testing.assert_allclose(found, wanted, atol=1e-6 if kind is np.float32 else 1e-12)
    assert found[0, 1, 2] == -np.inf


def test_as_alike_is_as_alike_where_one_photo_is_left() -> None:
    cosines = np.random.default_rng(3).uniform(-1, 1, (200, 1)).astype(np.float32)
    nobody = np.full((200, 3), -np.inf, np.float32)
    cells = np.concatenate([cosines, nobody, cosines], axis=1)
    found = likeness(cells, np.array([0, 0, 0, 0, 1]), 2)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_array_equal(found[:, :1], cosines)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_thousands_of_photos_that_are_nothing_alike(kind) -> None:
    """Kernels that are so narrow vanish in float32; whom they belong to is there all the same."""
    many = 200_000
    cosines = np.append(np.full(many, -1), [-0.9, -0.8]).astype(kind)
    whose = np.append(np.zeros(many, np.int64), [1, 1])
    found = likeness(cosines, whose, 2)
    sharp = many ** (2 / (DIMENSIONS + 4))
    alone = 1 - 2 * sharp + DIMENSIONS / (DIMENSIONS + 4) * np.log(many) / SHARPNESS
    np.testing.assert_allclose(found, [alone, expected(cosines, whose, 1)], rtol=1e-5)
    cosines[:many] = -np.inf
    assert likeness(cosines, whose, 2)[0] == -np.inf


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
