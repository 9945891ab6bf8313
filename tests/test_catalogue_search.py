"""Exact search: the same as measuring every pair, ties and all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogues import unit_vectors
from resight.catalogue import search
from resight.catalogue.search import (
    Gallery,
    Without,
    best_of_individuals,
    nearest,
    nearest_individuals,
)


def measured(queries: np.ndarray, gallery: Gallery) -> np.ndarray:
    """Every distance, one pair after another in double precision."""
    vectors = np.concatenate(gallery.segments).astype(float)
    pairs = [[np.square(v - q).sum() / 2 for v in vectors] for q in queries]
    return np.array(pairs).reshape(len(queries), len(vectors))


@st.composite
def galleries(draw: st.DrawFn) -> tuple[np.ndarray, Gallery]:
    """Few different directions for many photos, so that ties are the rule; in several segments."""
    dim = draw(st.sampled_from([1, 2, 3, 8, 33]))
    kinds = unit_vectors(draw(st.integers(1, 5)), dim, seed=draw(st.integers(0, 99)))
    size = draw(st.integers(1, 40))

    def of_each(values: st.SearchStrategy) -> list:
        return draw(st.lists(values, min_size=size, max_size=size))

    gallery = Gallery.of(
        kinds[of_each(st.integers(0, len(kinds) - 1))],
        draw(st.permutations(range(1, size + 1))),
        of_each(st.integers(0, 6))
        if draw(st.booleans())
        else of_each(st.sampled_from([0, 5, 9999])),
        encounter_ids=of_each(st.integers(0, 3)),
        sides=of_each(st.sampled_from([None, "left", "right", "above"])),
    )
    cut = draw(st.integers(0, size))
    (vectors,) = gallery.segments
    gallery = replace(gallery, segments=(vectors[:cut], vectors[cut:]))
    other = unit_vectors(3, dim, seed=draw(st.integers(100, 199)))
    return np.concatenate([kinds, other]), gallery


@st.composite
def left_out(draw: st.DrawFn, count: int, gallery: Gallery) -> Without:
    """Something else for every query."""
    photos = st.sets(st.sampled_from(gallery.photo_ids.tolist()))
    each = {
        "photos": photos,
        "individuals": st.sets(st.integers(1, 7)),
        "encounters": st.integers(0, 3),
        "sides": st.sampled_from([None, "left", "right", "above"]),
    }
    lists = {
        name: draw(st.none() | st.lists(kind, min_size=count, max_size=count))
        for name, kind in each.items()
    }
    return Without(**lists)


def may_be_found(gallery: Gallery, without: Without, query: int, row: int) -> bool:
    """The same in plain words."""
    columns = {name: values[row].item() for name, values in gallery.columns.items()}
    side = gallery.sides[columns["side"]]
    asked = without.sides[query] if without.sides else None
    return (
        bool(gallery.searched[row])
        and not (without.photos and columns["photo"] in without.photos[query])
        and not (without.individuals and columns["individual"] in without.individuals[query])
        and not (without.encounters and 0 != columns["encounter"] == without.encounters[query])
        and {side, asked} != {"left", "right"}
    )


@settings(max_examples=80, deadline=None)
@given(galleries(), st.integers(1, 50), st.data())
def test_nearest_photos_are_those_of_brute_force(case, k, data):
    queries, gallery = case
    without = data.draw(left_out(len(queries), gallery))
    answers = nearest(queries, gallery, k, without=without)
    for query, (found, truth) in enumerate(zip(answers, measured(queries, gallery), strict=True)):
        order = np.lexsort((gallery.photo_ids, truth)).tolist()
        order = [row for row in order if may_be_found(gallery, without, query, row)][:k]
        assert found[0].tolist() == order
        assert found[1].tolist() == pytest.approx(truth[order], abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(galleries(), st.integers(1, 8), st.integers(1, 5), st.data())
def test_nearest_individuals_are_those_of_brute_force(case, top, photos_each, data):
    queries, gallery = case
    without = data.draw(left_out(len(queries), gallery))
    answers = nearest_individuals(
        queries, gallery, top=top, photos_each=photos_each, without=without
    )
    best = np.concatenate([*best_of_individuals(queries, gallery, without=without)])
    for query, (answer, truth) in enumerate(zip(answers, measured(queries, gallery), strict=True)):
        ranked: dict[int, list[int]] = {}
        for row in np.lexsort((gallery.photo_ids, truth)).tolist():
            if may_be_found(gallery, without, query, row):
                ranked.setdefault(int(gallery.individual_ids[row]), []).append(row)
        assert [found.individual_id for found in answer] == list(ranked)[:top]
        for found in answer:
            assert found.rows.tolist() == ranked[found.individual_id][:photos_each]
            assert found.distances.tolist() == pytest.approx(truth[found.rows], abs=1e-12)
        greatest = [
            1 - truth[ranked[i][0]] if i in ranked else -np.inf for i in gallery.people.tolist()
        ]
        assert best[query].tolist() == pytest.approx(greatest, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(galleries(), st.data())
def test_only_some_photos_searched_is_a_gallery_of_those_alone(case, data):
    queries, gallery = case
    ids = data.draw(st.sets(st.sampled_from(gallery.photo_ids.tolist())))
    some = gallery.only(sorted(ids))
    others = [set(gallery.photo_ids.tolist()) - ids] * len(queries)
    asked = nearest(queries, some, 5), nearest(queries, gallery, 5, without=Without(photos=others))
    for (rows, distances), (rows_of_all, truth) in zip(*asked, strict=True):
        assert some.photo_ids[rows].tolist() == gallery.photo_ids[rows_of_all].tolist()
        assert distances.tolist() == truth.tolist()
    in_it = gallery.searched & np.isin(gallery.photo_ids, list(ids))
    assert len(some) == in_it.sum()
    assert some.people.tolist() == sorted({*gallery.individual_ids[in_it].tolist()})


def test_a_query_gets_the_same_answer_alone_as_among_many(monkeypatch):
    gallery = Gallery.of(unit_vectors(997, 128), np.arange(1, 998), np.arange(997) % 31 + 1)
    queries = unit_vectors(101, 128, seed=1)
    together = nearest(queries, gallery, 10)
    monkeypatch.setattr(search, "_BLOCK_FLOATS", 5000)
    monkeypatch.setattr(search, "_TOGETHER", 7)
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
