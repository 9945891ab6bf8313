"""Exact search: the same as measuring every pair, ties and all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogues import unit_vectors
from resight.catalogue import search
from resight.catalogue.search import Gallery, nearest, nearest_individuals


def measured(queries: np.ndarray, gallery: Gallery) -> np.ndarray:
    """Every distance, one pair after another in double precision."""
    pairs = [[np.square(v.astype(float) - q).sum() / 2 for v in gallery.vectors] for q in queries]
    return np.array(pairs).reshape(len(queries), len(gallery))


@st.composite
def galleries(draw: st.DrawFn) -> tuple[np.ndarray, Gallery]:
    """Few different directions for many photos, so that ties are the rule."""
    dim = draw(st.sampled_from([1, 2, 3, 8, 33]))
    kinds = unit_vectors(draw(st.integers(1, 5)), dim, seed=draw(st.integers(0, 99)))
    size = draw(st.integers(1, 40))
    pick = st.lists(st.integers(0, len(kinds) - 1), min_size=size, max_size=size)
    who = draw(st.lists(st.integers(1, 6), min_size=size, max_size=size))
    ids = draw(st.permutations(range(1, size + 1)))
    gallery = Gallery.of(kinds[draw(pick)], np.array(ids, np.int64), np.array(who, np.int64))
    other = unit_vectors(3, dim, seed=draw(st.integers(100, 199)))
    return np.concatenate([kinds, other]), gallery


@settings(max_examples=60, deadline=None)
@given(galleries(), st.integers(1, 50))
def test_nearest_photos_are_those_of_brute_force(case, k):
    queries, gallery = case
    distances = measured(queries, gallery)
    for found, truth in zip(nearest(queries, gallery, k), distances, strict=True):
        order = np.lexsort((gallery.photo_ids, truth))[:k]
        assert found[0].tolist() == order.tolist()
        assert found[1].tolist() == pytest.approx(truth[order], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(galleries(), st.integers(1, 8), st.integers(1, 5), st.data())
def test_nearest_individuals_are_those_of_brute_force(case, top, photos_each, data):
    queries, gallery = case
    left_out = data.draw(st.sets(st.sampled_from(gallery.photo_ids.tolist())))
    without = [left_out if number % 2 else set() for number in range(len(queries))]
    answers = nearest_individuals(
        queries, gallery, top=top, photos_each=photos_each, without=without
    )
    for answer, truth, out in zip(answers, measured(queries, gallery), without, strict=True):
        ranked: dict[int, list[int]] = {}
        for row in np.lexsort((gallery.photo_ids, truth)).tolist():
            if int(gallery.photo_ids[row]) not in out:
                ranked.setdefault(int(gallery.individual_ids[row]), []).append(row)
        assert [found.individual_id for found in answer] == list(ranked)[:top]
        for found in answer:
            assert found.rows.tolist() == ranked[found.individual_id][:photos_each]
            assert found.distances.tolist() == pytest.approx(truth[found.rows], abs=1e-12)


def test_a_query_gets_the_same_answer_alone_as_among_many(monkeypatch):
    gallery = Gallery.of(unit_vectors(997, 128), np.arange(1, 998), np.arange(997) % 31 + 1)
    queries = unit_vectors(101, 128, seed=1)
    together = nearest(queries, gallery, 10)
    monkeypatch.setattr(search, "_BLOCK_FLOATS", 7 * 997)
    in_blocks = nearest(queries, gallery, 10)
    for number, (rows, distances) in enumerate(together):
        alone = nearest(queries[number : number + 1], gallery, 10)[0]
        for other in (alone, in_blocks[number]):
            assert rows.tolist() == other[0].tolist()
            assert distances.tolist() == other[1].tolist()


def test_photos_that_float32_cannot_tell_apart_are_ranked_right():
    """Many photos closer to one another than the error of a product in float32."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal(128)
    vectors = base + 1e-6 * rng.standard_normal((3000, 128))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    gallery = Gallery.of(vectors, np.arange(1, 3001), np.arange(3000) % 7 + 1)
    truth = measured(vectors[:5], gallery)
    for number, (rows, distances) in enumerate(nearest(vectors[:5], gallery, 10)):
        assert rows.tolist() == np.lexsort((gallery.photo_ids, truth[number]))[:10].tolist()
        assert distances[0] == 0


def test_distances_are_cosine_distances():
    vectors = np.array([[1, 0], [0, 1], [-1, 0], [0.6, 0.8]], np.float32)
    gallery = Gallery.of(vectors, np.arange(1, 5), np.arange(1, 5))
    ((rows, distances),) = nearest(vectors[:1], gallery, 4)
    assert gallery.photo_ids[rows].tolist() == [1, 4, 2, 3]
    assert distances.tolist() == pytest.approx([0, 0.4, 1, 2], abs=1e-7)


def test_an_empty_gallery_finds_nobody():
    gallery = Gallery.of(np.empty((0, 4), np.float32), np.empty(0, int), np.empty(0, int))
    assert nearest(unit_vectors(2, 4), gallery, 3)[0][0].tolist() == []
    assert nearest_individuals(unit_vectors(2, 4), gallery, top=1, photos_each=1) == [[], []]
