"""The clustering itself: scikit-learn's, but for what people have decided, and without a matrix."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_mutual_info_score

from herd import clouds
from resight.catalogue import linkage
from resight.catalogue.linkage import Clusters, near_pairs


def parts(labels: Any) -> set[frozenset[int]]:
    """A clustering as sets of rows."""
    return {frozenset(np.flatnonzero(np.asarray(labels) == one)) for one in set(labels)}


def linked(clusters: Clusters, threshold: float, k: int | None = None) -> set[frozenset[int]]:
    for _ in clusters.link(threshold, k):
        pass
    return parts(clusters.labels())


@given(st.integers(0, 10_000), st.integers(2, 40), st.floats(0.02, 1.2))
@settings(max_examples=60)
def test_unconstrained_it_is_scikit_learns_average_linkage(
    seed: int, count: int, threshold: float
) -> None:
    vectors, _ = clouds([4] * (count // 4) + [1] * (count % 4), 6, width=0.8, seed=seed)
    if len(vectors) < 2:
        return
    theirs = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=threshold
    ).fit_predict(vectors)
    assert linked(Clusters(vectors), threshold) == parts(theirs)


def test_the_links_come_in_order_of_their_distance_and_are_scikit_learns() -> None:
    vectors, _ = clouds([6] * 10, width=0.9)
    ours = [link.distance for link in Clusters(vectors).link(2)]
    theirs = AgglomerativeClustering(
        n_clusters=1, metric="cosine", linkage="average", compute_distances=True
    ).fit(vectors)
    np.testing.assert_allclose(ours, theirs.distances_, atol=1e-6)


@st.composite
def decided(draw: st.DrawFn) -> dict[str, Any]:
    """Vectors with all kinds of things that people have said of them, at odds or not."""
    count = draw(st.integers(2, 14))
    row = st.integers(0, count - 1)
    vectors, _ = clouds([count], 4, width=2.0, seed=draw(st.integers(0, 9999)))
    column = lambda most: np.array(  # noqa: E731
        draw(st.lists(st.integers(-1, most), min_size=count, max_size=count)), np.int64
    )
    pictures = column(6)
    return {
        "vectors": vectors,
        "apart": [p for p in draw(st.lists(st.tuples(row, row), max_size=6)) if p[0] != p[1]],
        "pictures": np.where(pictures < 0, np.arange(count) + 100, pictures),
        "owners": column(2),
        "sides": column(1),
        "together": draw(st.lists(st.lists(row, min_size=2, max_size=4, unique=True), max_size=4)),
        "threshold": draw(st.floats(0, 2)),
    }


def made(case: dict[str, Any]) -> tuple[Clusters, list[list[int]]]:
    """The clusters, and which of the rows that belong together could be put together."""
    keys = ("apart", "pictures", "owners", "sides")
    clusters = Clusters(case["vectors"], **{key: case[key] for key in keys})
    return clusters, [rows for rows in case["together"] if clusters.join(rows)]


@given(decided())
@settings(max_examples=200)
def test_what_people_decided_always_holds(case: dict[str, Any]) -> None:
    clusters, joined = made(case)
    found = linked(clusters, case["threshold"])
    cluster_of = {row: rows for rows in found for row in rows}
    for rows in joined:
        assert len({cluster_of[row] for row in rows}) == 1
    for one, other in case["apart"]:
        assert other not in cluster_of[one]
    for rows in found:
        members = sorted(rows)
        assert len({*case["owners"][members].tolist()} - {-1}) <= 1
        assert len({*case["pictures"][members].tolist()}) == len(members)
        sides = {*case["sides"][members].tolist()} - {-1}
        if len(sides) > 1:  # only by something that was put together
            assert any(
                len({*case["sides"][some].tolist()} - {-1}) > 1
                for some in held_together(joined)
                if {*some} <= rows
            )


def held_together(joined: list[list[int]]) -> list[list[int]]:
    """The rows that were put together, groups that share one as one."""
    found: list[set[int]] = []
    for rows in joined:
        near = [one for one in found if one & {*rows}]
        found = [one for one in found if one not in near] + [{*rows}.union(*near)]
    return [sorted(one) for one in found]


@given(decided())
@settings(max_examples=200)
def test_it_is_what_a_slow_and_simple_one_gives(case: dict[str, Any]) -> None:
    # With owners it differs in one thing: photos that somebody owns look for nobody.
    case["owners"] = np.full(len(case["vectors"]), -1)
    clusters, joined = made(case)
    groups = held_together(joined)
    alone = set(range(len(case["vectors"]))) - {row for rows in groups for row in rows}
    slow = [frozenset(rows) for rows in groups] + [frozenset([row]) for row in alone]
    while options := sorted(
        ((distance(case, one, other), sorted((sorted(one), sorted(other))), one, other)
         for one, other in combinations(slow, 2) if may(case, one, other)),
        key=lambda option: option[:2],
    ):  # fmt: skip
        nearest, _, one, other = options[0]
        if nearest > case["threshold"]:
            break
        slow = [rows for rows in slow if rows not in (one, other)] + [one | other]
    assert linked(clusters, case["threshold"]) == set(slow)


def comparable(case: dict[str, Any], one: int, other: int) -> bool:
    sides = {int(case["sides"][one]), int(case["sides"][other])} - {-1}
    return len(sides) < 2


def distance(case: dict[str, Any], one: frozenset[int], other: frozenset[int]) -> float:
    vectors = case["vectors"].astype(np.float64)
    return float(
        np.mean([1 - vectors[a] @ vectors[b] for a in one for b in other if comparable(case, a, b)])
    )


def may(case: dict[str, Any], one: frozenset[int], other: frozenset[int]) -> bool:
    sides, others = ({*case["sides"][sorted(rows)].tolist()} - {-1} for rows in (one, other))
    pictures, theirs = ({*case["pictures"][sorted(rows)].tolist()} for rows in (one, other))
    no = any((a in one and b in other) or (a in other and b in one) for a, b in case["apart"])
    return not no and not pictures & theirs and not (sides and others and not sides & others)


@given(st.integers(0, 1000), st.permutations(range(30)))
@settings(max_examples=40)
def test_the_order_of_the_rows_does_not_matter(seed: int, order: list[int]) -> None:
    vectors, _ = clouds([5] * 6, 8, width=0.7, seed=seed)
    apart = [(0, 1), (7, 20), (3, 4)]
    place = {row: number for number, row in enumerate(order)}
    one = linked(Clusters(vectors, apart=apart), 0.4)
    other = linked(Clusters(vectors[order], apart=[(place[a], place[b]) for a, b in apart]), 0.4)
    assert one == {frozenset(order[row] for row in rows) for rows in other}


def test_past_some_thousand_photos_a_few_neighbours_of_each_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors, truth = clouds([6] * 100, 32, width=0.6)
    whole = linked(Clusters(vectors), 0.4)
    monkeypatch.setattr(linkage, "ALL_PAIRS", 100)
    monkeypatch.setattr(linkage, "NEIGHBOURS", 8)
    clusters = Clusters(vectors)
    assert max(len(rows) for rows, _ in near_pairs(clusters, 0.4, 8)) <= 8 * len(vectors)
    few = linked(clusters, 0.4)
    labels = clusters.labels()
    assert adjusted_mutual_info_score(truth, labels) > 0.99
    assert len(few & whole) >= 0.98 * len(whole)


def test_each_row_looks_at_its_k_nearest_in_blocks_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors, _ = clouds([50], 8, width=1.5)
    monkeypatch.setattr(linkage, "_BLOCK_FLOATS", 7 * 50)
    blocks = near_pairs(Clusters(vectors), 2, 5)
    pairs = {pair for block in blocks for pair in zip(*block, strict=True)}
    similarity = vectors.astype(np.float64) @ vectors.T
    np.fill_diagonal(similarity, -9)
    want = {(row, other) for row in range(50) for other in np.argsort(-similarity[row])[:5]}
    assert pairs == want


@pytest.mark.slow
def test_twenty_thousand_photos_take_little_memory() -> None:
    import subprocess
    import sys

    program = (
        "import resource\n"
        "from herd import clouds\n"
        "from resight.catalogue.linkage import Clusters\n"
        "vectors, truth = clouds([5] * 4000, 128, width=1.0)\n"
        "clusters = Clusters(vectors)\n"
        "assert sum(1 for _ in clusters.link(0.6)) > 15000\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parent,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    scale = 1024 if sys.platform != "darwin" else 1
    assert int(ran.stdout) * scale < 2**30  # a matrix of all pairs alone would take 1.6 GB


@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0.2, 2))
@settings(max_examples=40)
def test_near_pairs_are_those_of_a_plain_search(seed: int, k: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    vectors, _ = clouds([3] * 8, 4, width=0.8, seed=seed)
    vectors[5] = vectors[11] = vectors[17]  # equals: the first of them come first
    owners, sides = (rng.integers(-1, 2, len(vectors)) for _ in range(2))
    pictures = rng.integers(0, 16, len(vectors))
    clusters = Clusters(vectors, pictures=pictures, owners=owners, sides=sides)
    found: dict[int, list[int]] = {}
    for rows, others in near_pairs(clusters, threshold, k):
        for row, other in zip(rows.tolist(), others.tolist(), strict=True):
            found.setdefault(row, []).append(other)
    similarity = vectors @ vectors.T
    for row in range(len(vectors)):
        fit = [
            other
            for other in range(len(vectors))
            if owners[row] < 0
            and pictures[row] != pictures[other]
            and not (sides[row] >= 0 and sides[other] >= 0 and sides[row] != sides[other])
            and 1 - similarity[row, other] <= threshold
        ]
        fit.sort(key=lambda other: (-similarity[row, other], other))
        assert found.get(row, []) == fit[:k]
