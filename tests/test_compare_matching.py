"""Two photos: the same, turned, nearer, noisy, of somebody else; and one against many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resight.compare import (
    Gallery,
    Keypoints,
    find_keypoints,
    match,
    match_many,
    one_against_many,
)
from resight.compare.matching import nearest_descriptors
from textures import Pixels, noisy, texture, turned

COWS = [texture(seed) for seed in range(6)]
POINTS = [find_keypoints(cow, most=200) for cow in COWS]


def test_a_photo_fits_itself_as_it_is() -> None:
    found = match(POINTS[0], POINTS[0])
    assert found.inliers == len(found.pairs) > 50
    np.testing.assert_array_equal(found.pairs[:, 0], found.pairs[:, 1])
    assert found.transform is not None
    np.testing.assert_allclose(found.transform, [[1, 0, 0], [0, 1, 0]], atol=1e-3)
    assert found.score == pytest.approx(found.inliers, rel=0.01)


CHANGES = {
    "noise": (lambda image: noisy(image), 0.0, 1.0),
    "quarter turn": (lambda image: turned(image, 90), 90.0, 1.0),
    "half turn": (lambda image: turned(image, 180), 180.0, 1.0),
    "a little": (lambda image: turned(image, 17), 17.0, 1.0),
    "nearer": (lambda image: turned(image, 0, 1.5), 0.0, 1.5),
    "farther": (lambda image: turned(image, -30, 0.7), -30.0, 0.7),
    "smaller file": (lambda image: image[::2, ::2], 0.0, 0.5),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_photo_fits_by_that_change(change: str) -> None:
    alter, degrees, zoom = CHANGES[change]
    image = texture(1, side=240)
    found = match(find_keypoints(image), find_keypoints(np.ascontiguousarray(alter(image))))
    assert found.inliers >= 15
    assert found.transform is not None
    # `turned` looks up each pixel of the result in the source, counter-clockwise in the picture.
    linear = found.transform[:, :2]
    assert np.sqrt(np.linalg.det(linear)) == pytest.approx(zoom, rel=0.08)
    seen = np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0]))
    assert abs((seen + degrees + 180) % 360 - 180) < 6


def test_others_do_not_fit() -> None:
    own = min(match(points, find_keypoints(noisy(cow))).score
              for cow, points in zip(COWS, POINTS, strict=True))  # fmt: skip
    strange = max(match(POINTS[i], POINTS[j]).score for i in range(6) for j in range(6) if i != j)
    assert own > 5 * strange
    assert strange < 3


def test_an_affine_view_fits_better_as_affine() -> None:
    image = texture(2, side=240)
    wide = np.repeat(image, 2, axis=1)[:, ::1][:, 60:420]
    first, second = find_keypoints(image), find_keypoints(np.ascontiguousarray(wide))
    slanted = match(first, second, shape="affine", tolerance=0.02)
    stiff = match(first, second, tolerance=0.02)
    assert slanted.inliers > stiff.inliers
    assert slanted.transform is not None
    np.testing.assert_allclose(slanted.transform[:, :2], [[2, 0], [0, 1]], atol=0.15)


def test_same_seed_same_answer() -> None:
    other = find_keypoints(turned(COWS[0], 25, 1.2))
    first, second = match(POINTS[0], other), match(POINTS[0], other)
    assert first.score == second.score
    np.testing.assert_array_equal(first.fits, second.fits)


def test_a_blank_photo_matches_nothing() -> None:
    blank = find_keypoints(np.zeros((50, 50), np.uint8))
    for pair in ((blank, POINTS[0]), (POINTS[0], blank), (blank, blank)):
        found = match(*pair)
        assert (found.inliers, found.score, found.transform) == (0, 0, None)
        assert found.pairs.shape == (0, 2)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_few_keypoints_are_no_witness(most: int) -> None:
    few = find_keypoints(COWS[0], most=most)
    assert match(few, few).score == 0


def _made(places: list[list[float]], seed: int = 0) -> Keypoints:
    rng = np.random.default_rng(seed)
    described = rng.random((len(places), 128)).astype(np.float32) ** 8
    described /= np.linalg.norm(described, axis=1, keepdims=True)
    count = len(places)
    return Keypoints(
        np.array(places, np.float32),
        np.ones(count, np.float32),
        np.zeros(count, np.float32),
        described,
        (100, 100),
    )


def test_keypoints_in_one_place_are_one_witness() -> None:
    heap = _made([[50, 50]] * 12)
    assert match(heap, heap).score == 0
    spread = _made([[5 + 7 * i, (i * 37) % 90] for i in range(12)])
    assert match(spread, spread).inliers == 12
    # All on one spot of the other photo: no way to lay one over the other.
    assert match(spread, heap).score == 0


@settings(max_examples=20)
@given(
    st.floats(0, 2 * np.pi),
    st.floats(0.5, 2),
    st.integers(0, 30),
    st.integers(0, 1000),
)
def test_pairs_that_agree_are_found_among_those_that_do_not(
    angle: float, zoom: float, liars: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 100, (40, 2))
    first = _made(places.tolist(), seed)
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    moved = places @ np.array([[cos, sin], [-sin, cos]]) + rng.uniform(-50, 50, 2)
    moved[40 - liars :] = rng.uniform(0, 100, (liars, 2))
    second = Keypoints(
        moved.astype(np.float32), first.sizes, first.angles, first.descriptors, (100, 100)
    )
    found = match(first, second)
    if liars <= 25:
        assert found.fits[: 40 - liars].all()
        assert found.fits[40 - liars :].mean() < 0.5 if liars > 3 else True


@pytest.mark.parametrize(
    "options", [{"ratio": 0}, {"ratio": 1.1}, {"tolerance": 0}, {"shape": "bent"}], ids=str
)
def test_nonsense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no comparison"):
        match(POINTS[0], POINTS[1], **options)  # type: ignore[arg-type]


def test_a_shortlist_in_its_order() -> None:
    query = find_keypoints(noisy(COWS[2]))
    scores = [found.score for found in match_many(query, POINTS)]
    assert int(np.argmax(scores)) == 2
    assert len(scores) == 6


@pytest.mark.parametrize("cow", range(6))
def test_one_against_many_names_the_individual(cow: int) -> None:
    gallery = Gallery(POINTS, [f"cow {i}" for i in range(6)])
    query = find_keypoints(turned(noisy(COWS[cow]), 20))
    scores = one_against_many(query, gallery)
    assert gallery.names[int(scores.argmax())] == f"cow {cow}"
    assert np.sort(scores)[-1] > 2 * np.sort(scores)[-2]
    assert scores.min() >= 0


def test_several_photos_of_one_individual_count_together() -> None:
    photos = [POINTS[0], POINTS[1], find_keypoints(noisy(COWS[0], seed=3))]
    gallery = Gallery(photos, ["a", "b", "a"])
    assert gallery.names == ["a", "b"]
    assert len(gallery.whose) == sum(map(len, photos))
    scores = one_against_many(POINTS[0], gallery)
    assert scores[0] > scores[1]


def _by_hand(query: Keypoints, gallery: Gallery, k: int) -> np.ndarray:
    """McCann and Lowe's algorithm as they print it, one descriptor after another."""
    totals = np.zeros(len(gallery.names))
    for row in query.descriptors.astype(np.float64):
        away = ((gallery.descriptors - row) ** 2).sum(1)
        order = np.argsort(away, kind="stable")[: k + 1]
        background = away[order[k]]
        for individual in set(gallery.whose[order[:k]].tolist()):
            of = [i for i in order[:k] if gallery.whose[i] == individual]
            totals[individual] += background - min(away[i] for i in of)
    return totals


@pytest.mark.parametrize("neighbours", [1, 3, 10])
def test_scores_are_those_of_the_paper(neighbours: int) -> None:
    gallery = Gallery(POINTS, ["a", "b", "c", "a", "b", "d"])
    query = find_keypoints(noisy(COWS[3]), most=60)
    found = one_against_many(query, gallery, neighbours=neighbours)
    np.testing.assert_allclose(found, _by_hand(query, gallery, neighbours), rtol=1e-3, atol=1e-4)


def test_a_gallery_of_nothing_and_a_blank_query() -> None:
    blank = find_keypoints(np.zeros((50, 50), np.uint8))
    nothing = Gallery([blank, blank], ["a", "b"])
    np.testing.assert_array_equal(one_against_many(POINTS[0], nothing), [0, 0])
    np.testing.assert_array_equal(one_against_many(blank, Gallery(POINTS[:1], ["a"])), [0])
    assert one_against_many(POINTS[0], Gallery([], [])).shape == (0,)
    with pytest.raises(ValueError, match="individuals"):
        Gallery(POINTS, ["a"])
    with pytest.raises(ValueError, match="neighbours"):
        one_against_many(POINTS[0], nothing, neighbours=0)


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 1500), st.integers(0, 10_000), st.booleans())
def test_the_nearest_are_exact(count: int, size: int, seed: int, equal: bool) -> None:
    """Also where many are equally near, and past several blocks."""
    rng = np.random.default_rng(seed)
    levels = 3 if equal else 1000
    gallery = rng.integers(-levels, levels + 1, (size, 4)).astype(np.float32)
    queries = rng.integers(-levels, levels + 1, (5, 4)).astype(np.float32)
    count = min(count, size)
    cosine, at = nearest_descriptors(queries, gallery, count)
    cells = queries @ gallery.T
    expected = np.argsort(-cells, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(at, expected)
    np.testing.assert_array_equal(cosine, np.take_along_axis(cells, expected, 1))


def test_no_more_neighbours_than_there_are() -> None:
    with pytest.raises(ValueError, match="nearest"):
        nearest_descriptors(np.ones((1, 4), np.float32), np.ones((2, 4), np.float32), 3)


def test_images_of_one_pixel_and_of_one_line() -> None:
    for shape in ((1, 1), (1, 300), (300, 1)):
        image: Pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        points = find_keypoints(image)
        assert match(points, POINTS[0]).score == 0
