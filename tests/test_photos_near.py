"""Near-copies: all that there are, among very many, and not what is only composed alike."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from resight.photos import near
from resight.photos.examine import examine
from resight.photos.near import correlation, look_at, near_copies, near_pairs
from resight.photos.photo import Photo


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4, unique=True),
    st.lists(st.sets(st.integers(0, 63), max_size=9), max_size=20),
    st.integers(0, 5),
)
@settings(max_examples=60)
def test_all_near_pairs_are_found_once(
    seeds: list[int], flips: list[set[int]], distance: int
) -> None:
    some = list(seeds)
    for number, bits in enumerate(flips):
        some.append(some[number % len(some)] ^ sum(1 << bit for bit in bits))
    hashes = np.array(some, np.uint64)
    found = [tuple(map(int, pair)) for part in near_pairs(hashes, distance) for pair in part]
    wanted = {
        (one, two)
        for two in range(len(some))
        for one in range(two)
        if some[one] != some[two] and (some[one] ^ some[two]).bit_count() <= distance
    }
    assert len(found) == len(set(found))
    assert set(found) == wanted


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count: int) -> None:
    hashes = np.ones(count, np.uint64)
    assert list(near_pairs(hashes, 8)) == []
    assert near_copies(hashes, _never).groups == []


def _never(places: np.ndarray) -> np.ndarray:
    assert not len(places)
    return np.empty((0, 256), np.uint8)


def _pixels(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 256), dtype=np.uint8)


def test_the_pixels_have_the_last_word() -> None:
    hashes = np.array([0b0111, 0b0011, 0b1111 << 20, 0b0111, 0, 0], np.uint64)
    pixels = _pixels(6)
    pixels[1] = np.clip(pixels[0].astype(int) + 4, 0, 255)  # 2 has a hash like theirs by chance
    found = near_copies(hashes, lambda places: pixels[places])
    assert [group.tolist() for group in found.groups] == [[0, 1]]


def test_of_one_grey_are_like_no_other() -> None:
    hashes = np.zeros(5, np.uint64)
    assert near_copies(hashes, _never).groups == []
    flat = np.full((2, 256), 7, np.uint8)
    assert correlation(flat, np.array([[0, 1]])).tolist() == [0]


def test_groups_hang_together_and_names_that_differ_are_told() -> None:
    pixels = np.repeat(_pixels(2), [3, 2], axis=0)
    hashes = np.array([1, 3, 7, 1 << 40, 1 << 40], np.uint64)
    labels = np.array([0, 0, 1, 2, -1])
    found = near_copies(hashes, lambda places: pixels[places], labels=labels)
    assert [group.tolist() for group in found.groups] == [[0, 1, 2], [3, 4]]
    for one, two in found.crossed.tolist():
        assert {int(labels[one]), int(labels[two])} == {0, 1}
    assert len(found.crossed)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 2)), min_size=2, max_size=30))
def test_groups_are_those_of_comparing_everything(photos: list[tuple[int, int]]) -> None:
    kinds = np.array([kind for kind, _ in photos])
    labels = np.array([label for _, label in photos])
    hashes = (np.uint64(1) << (kinds * 10).astype(np.uint64)) | np.uint64(1 << 63)
    pixels = _pixels(6)[kinds]
    found = near_copies(hashes, lambda places: pixels[places], labels=labels, distance=2)
    wanted = [np.flatnonzero(kinds == kind).tolist() for kind in np.unique(kinds)]
    assert [g.tolist() for g in found.groups] == sorted(g for g in wanted if len(g) > 1)
    for group in wanted:
        named = {int(labels[place]) for place in group} - {-1}
        told = [pair for pair in found.crossed.tolist() if pair[0] in group]
        if -1 not in labels[group]:
            assert bool(told) == (len(named) > 1)


def test_saved_again_smaller_and_brighter_it_is_still_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photos = []
    for number in range(12):
        small = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8))
        picture = small.resize((200, 160), Image.Resampling.BICUBIC)
        picture.save(tmp_path / f"{number}.png")
        photos.append(Photo(tmp_path / f"{number}.png", f"{number}"))
    picture.resize((90, 72)).point(lambda v: min(255, v + 12)).save(tmp_path / "again.jpg")
    photos.append(Photo(tmp_path / "again.jpg", "other"))
    facts = examine(photos).facts
    hashes = np.array([fact.difference_hash for fact in facts if fact], np.uint64)
    labels = np.arange(13)
    found = near_copies(hashes, look_at(photos), labels=labels)
    assert [group.tolist() for group in found.groups] == [[11, 12]]
    assert found.crossed.tolist() == [[11, 12]]


def test_frames_of_a_scene_that_stands_still_are_read_once() -> None:
    """2,000 photos of one scene: their pairs are 2 million, and each photo is read once."""
    rng = np.random.default_rng(0)
    still = np.uint64(0x0F0F33CC55AA9966)
    some = still ^ (np.uint64(1) << rng.integers(0, 64, 2_000, dtype=np.uint64))
    hashes = np.concatenate([some, rng.integers(1, 2**64, 20_000, dtype=np.uint64)])
    asked = 0

    def look(places: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += len(places)
        pixels = _pixels(1).repeat(len(places), axis=0)
        pixels[places >= 2_000] = 0
        return pixels

    start = time.process_time()
    found = near_copies(hashes, look)
    assert time.process_time() - start < 20
    assert [len(group) for group in found.groups] == [2_000]
    assert asked <= 2_100


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sets(st.integers(0, 63), max_size=4), st.integers(0, 3), st.integers(-1, 2)),
        min_size=12,
        max_size=40,
    )
)
def test_long_runs_give_the_groups_of_all_pairs(
    photos: list[tuple[set[int], int, int]],
) -> None:
    """As many as agree in two bands go another way; up to `CLOSELY` it must lead to the same."""
    one = 0x0F0F33CC55AA9966
    hashes = np.array([one ^ sum(1 << bit for bit in bits) for bits, _, _ in photos], np.uint64)
    pixels = _pixels(4)[[kind for _, kind, _ in photos]]
    labels = np.array([label for _, _, label in photos])
    wanted = near_copies(hashes, lambda places: pixels[places], labels=labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "_LONG", 3)
        patch.setattr(near, "NEXT", 2)
        patch.setattr(near, "_PAIRS_AT_ONCE", 60)
        found = near_copies(hashes, lambda places: pixels[places], labels=labels)
    assert [group.tolist() for group in found.groups] == [g.tolist() for g in wanted.groups]
    groups = [set(labels[group].tolist()) - {-1} for group in wanted.groups]
    assert bool(len(found.crossed)) == bool(len(wanted.crossed)) <= any(len(g) > 1 for g in groups)


def _one_camera(count: int) -> np.ndarray:
    """Hashes of a camera that never moves: within 8 bits of one another."""
    rng = np.random.default_rng(0)
    bits = np.uint64(1) << rng.integers(0, 64, (4, count), dtype=np.uint64)
    return np.uint64(0x0F0F33CC55AA9966) ^ np.bitwise_or.reduce(bits)


def test_a_camera_that_never_moves_is_compared_in_seconds() -> None:
    """20,000 pictures are 200 million pairs; all but a dozen are of one group."""
    pixels = _pixels(13)
    kind = np.zeros(20_000, np.int64)
    kind[500:512] = np.arange(1, 13)
    start = time.process_time()
    found = near_copies(_one_camera(20_000), lambda places: pixels[kind[places]])
    assert time.process_time() - start < 20
    assert [len(group) for group in found.groups] == [20_000 - 12]


def test_of_pictures_that_are_only_composed_alike_not_all_pairs_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0

    def unlike(pixels: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        nonlocal compared
        compared += len(pairs)
        return (np.sort(pairs, axis=1) == (700, 701)).all(axis=1).astype(np.float32)

    monkeypatch.setattr(near, "correlation", unlike)
    found = near_copies(_one_camera(3_000), lambda places: _pixels(1).repeat(len(places), axis=0))
    assert [group.tolist() for group in found.groups] == [[700, 701]]  # the next is not passed by
    assert compared < 3_000 * 2 * near.CLOSELY  # of 4.5 million


def test_everyone_with_a_near_copy_of_another_name_is_told_of() -> None:
    labels = np.zeros(3_000, np.int64)
    labels[[7, 2_000]] = 1, 2
    pixels = _pixels(1)
    found = near_copies(
        _one_camera(3_000), lambda places: pixels.repeat(len(places), axis=0), labels=labels
    )
    assert {7, 2_000} <= set(found.crossed.ravel().tolist())
    assert len(found.crossed) <= 3_000
