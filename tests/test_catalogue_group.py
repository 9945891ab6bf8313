"""Grouping photos without a name: what people decided, and the threshold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_mutual_info_score

from herd import MODEL, Herd, clouds, make_herd
from resight.catalogue import schema
from resight.catalogue.group import Grouping, propose
from resight.errors import ResightError, UnusableCatalogue


def groups_of(herd: Herd, **how: Any) -> Grouping:
    return propose(herd.store, MODEL, herd.dim, **how)


def ids(grouping: Grouping) -> list[tuple[str, tuple[int, ...]]]:
    return [(group.name, tuple(photo.id for photo in group.photos)) for group in grouping.groups]


@pytest.fixture
def herd(tmp_path: Path) -> Herd:
    return make_herd(tmp_path / "herd.db")


def test_it_proposes_new_individuals_and_leaves_loners_alone(place: str) -> None:
    herd = make_herd(place)
    vectors, _ = clouds([4, 3, 1, 1])
    made = herd.add(vectors)
    found = groups_of(herd)
    assert ids(found) == [("New 1", tuple(made[:4])), ("New 2", tuple(made[4:7]))]
    assert [photo.id for photo in found.loners] == made[7:]
    assert not any(group.known for group in found.groups)
    assert "is a guess" in found.why[0]
    assert "can make 0 right links, and it takes 100" in found.why[0]
    with herd.store.reading() as connection:  # and nothing has been written
        assert not connection.scalars(sa.select(schema.individuals.c.id)).all()
        assert not connection.scalars(sa.select(schema.photos.c.individual_id).distinct()).one()
    herd.store.close()


def test_a_group_may_belong_to_somebody_known(herd: Herd) -> None:
    vectors, _ = clouds([6, 4, 1, 3], seed=3)
    herd.add(vectors[:3], "Luna")
    herd.add(vectors[6:7], "New 1")  # somebody has this name
    made = herd.add(vectors[[3, 4, 5, 7, 8, 9, 10, 11, 12, 13]])
    found = groups_of(herd, threshold=0.3)
    assert {(g.name, g.known, len(g.photos)) for g in found.groups} == {
        ("Luna", True, 3), ("New 1", True, 3), ("New 2", False, 3),
    }  # fmt: skip
    assert [photo.id for photo in found.loners] == [made[6]]
    new = groups_of(herd, threshold=0.3, include_named=False)
    assert sorted((g.name, g.known) for g in new.groups) == [
        ("New 2", False), ("New 3", False), ("New 4", False),
    ]  # fmt: skip


def test_one_photo_near_somebody_known_is_proposed_and_is_no_loner(herd: Herd) -> None:
    vectors, _ = clouds([3])
    herd.add(vectors[:2], "Luna")
    (photo,) = herd.add(vectors[2])
    assert ids(groups_of(herd, threshold=0.3)) == [("Luna", (photo,))]
    distances = 1 - vectors[:2] @ vectors[2]
    (given,) = groups_of(herd, threshold=0.3).groups[0].photos
    assert given.distance == pytest.approx(distances.mean(), abs=1e-6)
    assert given.path == herd.store.whole_path("2.jpg")


def test_a_no_sticks_unless_it_was_taken_back(herd: Herd) -> None:
    made = herd.add(clouds([2])[0])
    herd.not_same(*made)
    assert groups_of(herd, threshold=1).groups == ()
    with herd.store.writing() as connection:
        connection.execute(sa.update(schema.not_same).values(gone=True))
    assert len(groups_of(herd, threshold=1).groups) == 1


def test_a_no_to_one_photo_of_somebody_keeps_all_of_it_apart(herd: Herd) -> None:
    vectors, _ = clouds([4])
    theirs = herd.add(vectors[:3], "Luna")
    (photo,) = herd.add(vectors[3])
    herd.not_same(theirs[1], photo)
    found = groups_of(herd, threshold=1)
    assert [photo.id for photo in found.loners] == [photo]


def test_photos_of_one_encounter_stay_together_however_they_look(herd: Herd) -> None:
    vectors, _ = clouds([1, 1, 1])
    made = herd.add(vectors, encounter=herd.encounter("at dawn"))
    assert ids(groups_of(herd, threshold=0)) == [("New 1", tuple(made))]


def test_an_encounter_that_contradicts_a_no_is_taken_photo_by_photo_and_said(herd: Herd) -> None:
    vectors, _ = clouds([3])
    made = herd.add(vectors, encounter=herd.encounter("two of them"))
    herd.not_same(made[0], made[1])
    found = groups_of(herd, threshold=0)
    assert found.groups == ()
    assert found.why[1].endswith("cannot all be of one individual, and were taken one by one: 1")


def test_two_boxes_of_a_picture_never_come_together_but_a_box_and_the_whole_may(herd: Herd) -> None:
    vectors, _ = clouds([3])
    made = herd.add(vectors, hashes=["a" * 64] * 3, boxes=["0,0,9,9", "9,0,9,9", ""])
    found = groups_of(herd, threshold=1)
    ((_, pair),) = ids(found)
    assert made[2] in pair
    assert len(pair) == 2


def test_sides_are_only_compared_where_they_do_not_differ(herd: Herd) -> None:
    vectors, _ = clouds([4])
    sides = ["left", "right", "Left ", None]
    made = herd.add(vectors, side=sides)
    assert len(groups_of(herd, threshold=1).groups[0].photos) == 4
    herd.settings(sides_differ=True)
    for group in groups_of(herd, threshold=1).groups:
        assert not {made[1]} & {p.id for p in group.photos} or not {made[0], made[2]} & {
            p.id for p in group.photos
        }


def test_an_encounter_with_both_sides_joins_photos_of_each(herd: Herd) -> None:
    herd.settings(sides_differ=True)
    left, _ = clouds([3], seed=1)
    right, _ = clouds([3], seed=2)
    both = herd.encounter("both sides")
    a = herd.add(left[:1], encounter=both, side="left")
    b = herd.add(right[:1], encounter=both, side="right")
    c = herd.add(left[1:], side="left")
    d = herd.add(right[1:], side="right")
    ((_, photos),) = ids(groups_of(herd, threshold=0.2))
    assert {*photos} == {*a, *b, *c, *d}


def test_junk_gone_and_merged_away_are_not_looked_at(herd: Herd) -> None:
    vectors, _ = clouds([8])
    herd.individual("Merged", gone=True)
    herd.add(vectors[:2], "Merged")
    kept = herd.add(vectors[2:4])
    herd.add(vectors[4:6], state="junk")
    herd.add(vectors[6:8], state="gone")
    assert ids(groups_of(herd, threshold=1)) == [("New 1", tuple(kept))]


def test_the_order_in_which_photos_were_added_does_not_matter(tmp_path: Path) -> None:
    vectors, _ = clouds([5, 4, 4, 3, 2, 1, 1], width=0.9, seed=5)
    vectors[3] = vectors[9] = vectors[0]  # ties too
    hashes = [f"{number:064x}" for number in np.random.default_rng(1).permutation(len(vectors))]
    found = []
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(vectors))
        herd = make_herd(tmp_path / f"{seed}.db")
        herd.add(vectors[order], hashes=[hashes[i] for i in order])
        grouping = groups_of(herd)
        found.append(
            (
                grouping.threshold,
                [(g.name, {photo.content_hash for photo in g.photos}) for g in grouping.groups],
                {photo.content_hash for photo in grouping.loners},
            )
        )
        herd.store.close()
    assert all(one == found[0] for one in found)
    assert found[0][1]


def test_made_individuals_are_found_again(herd: Herd) -> None:
    vectors, truth = clouds([6] * 80, 16, width=0.45, seed=2)
    known = truth < 50
    names = [f"I{label}" for label in truth[known]]
    herd.add(vectors[known], names)
    made = herd.add(vectors[~known])
    found = groups_of(herd)
    assert "comes from 300 named photos" in found.why[0]
    labels = dict.fromkeys(made, -1)
    for group in found.groups:
        labels |= {photo.id: group.number for photo in group.photos}
        # Better two for one than one for two: no group mixes individuals.
        assert len({truth[~known][made.index(photo.id)] for photo in group.photos}) == 1
        assert not group.known
    alone = len(found.loners)
    score = adjusted_mutual_info_score(truth[~known], [labels[i] for i in made])
    assert score > 0.95, (score, alone)


def test_the_threshold_keeps_wrong_links_among_named_photos_under_one_percent(herd: Herd) -> None:
    vectors, truth = clouds([5] * 120, 16, width=0.6, seed=4)
    herd.add(vectors, [f"I{label}" for label in truth])
    herd.add(clouds([2], seed=9)[0])
    found = groups_of(herd)
    assert "comes from 600 named photos" in found.why[0]
    at = {}
    for threshold in (found.threshold + 1e-6, found.threshold * 1.4):
        labels = AgglomerativeClustering(
            n_clusters=None, metric="cosine", linkage="average", distance_threshold=threshold
        ).fit_predict(vectors)
        links = len(vectors) - len(set(labels))
        # A cluster of several individuals took a wrong link for each after the first.
        wrong = sum(len(set(truth[labels == one])) - 1 for one in set(labels))
        at[threshold] = wrong / links
        assert links >= 100
    within, beyond = at.values()
    assert within < 0.01 < beyond


def test_where_one_percent_cannot_be_kept_the_share_is_said(herd: Herd) -> None:
    vectors, truth = clouds([5] * 80, 16, width=0.3, seed=4)
    names = np.array([f"I{label}" for label in truth])
    swapped = np.arange(0, 400, 20)  # one photo in twenty has somebody else's name
    names[swapped] = np.roll(names[swapped], 1)
    herd.add(vectors, names.tolist())
    herd.add(clouds([2], seed=9)[0])
    (why,) = groups_of(herd).why
    assert "no distance keeps them under 1%, so look closely" in why
    share = float(why.split("(")[1].split("%")[0])
    assert 1 < share < 10


def test_a_model_that_tells_nobody_apart_is_named_as_the_reason(herd: Herd) -> None:
    herd.add(clouds([300], width=2.0)[0], [f"I{number % 60}" for number in range(300)])
    herd.add(clouds([2], seed=9)[0])
    (why,) = groups_of(herd).why
    assert "no distance keeps wrong links under 10%: the model hardly tells them apart" in why


def test_a_guess_stays_below_the_nearest_two_individuals(herd: Herd) -> None:
    one, _ = clouds([1], seed=1)
    near = one + 0.05 * clouds([1], seed=2)[0]
    near /= np.linalg.norm(near)
    herd.add(np.concatenate([one, near]).astype(np.float32), ["Luna", "Sol"])
    herd.add(clouds([1] * 8, seed=3)[0])
    apart = 1 - (one @ near.T).item()
    found = groups_of(herd)
    assert "is a guess" in found.why[0]
    assert 0 < found.threshold < apart


def test_near_copies_of_one_day_are_no_evidence(herd: Herd) -> None:
    from datetime import datetime

    vectors, truth = clouds([10] * 20, width=0.2)
    herd.add(vectors, [f"I{label}" for label in truth], taken_at=datetime(2025, 1, 1, 9))
    herd.add(clouds([2], seed=9)[0])
    assert "is a guess" in groups_of(herd).why[0]


def test_photos_without_a_fingerprint_are_counted_aloud(herd: Herd) -> None:
    made = herd.add(clouds([3])[0])
    with herd.store.writing() as connection:
        connection.execute(
            sa.delete(schema.fingerprints).where(schema.fingerprints.c.photo_id == made[0])
        )
    found = groups_of(herd)
    assert found.why[-1].startswith("photos left out for want of a fingerprint of the model")
    assert found.why[-1].endswith("in use: 1")
    with herd.store.writing() as connection:
        connection.execute(sa.delete(schema.fingerprints))
    with pytest.raises(ResightError, match=r"no photo here waits.*3 have no fingerprint"):
        groups_of(herd)


def test_what_cannot_be_is_refused(herd: Herd) -> None:
    with pytest.raises(ResightError, match="no photo here waits for a name"):
        groups_of(herd)
    made = herd.add(clouds([2])[0])
    for threshold in (-0.1, 2.1, float("nan")):
        with pytest.raises(ResightError, match="a threshold is a distance from 0 to 2"):
            groups_of(herd, threshold=threshold)
    with pytest.raises(ResightError, match="one photo at least"):
        groups_of(herd, smallest=0)
    for vector in (b"short", np.full(16, np.nan, "<f4").tobytes()):
        with herd.store.writing() as connection:
            connection.execute(
                sa.update(schema.fingerprints)
                .where(schema.fingerprints.c.photo_id == made[0])
                .values(vector=vector)
            )
        with pytest.raises(UnusableCatalogue, match="is damaged"):
            groups_of(herd)


def test_equal_photos_are_at_distance_zero_and_together(herd: Herd) -> None:
    vectors, _ = clouds([1])
    made = herd.add(np.repeat(vectors, 4, axis=0))
    found = groups_of(herd, threshold=1e-9)
    assert ids(found) == [("New 1", tuple(made))]
    assert all(0 <= photo.distance < 1e-6 for photo in found.groups[0].photos)


def test_a_no_of_a_photo_that_became_junk_sticks(herd: Herd) -> None:
    vectors, _ = clouds([3])
    luna = herd.add(vectors[:2], "Luna")
    (asked,) = herd.add(vectors[2])
    herd.not_same(luna[0], asked)
    with herd.store.writing() as connection:
        connection.execute(
            sa.update(schema.photos).where(schema.photos.c.id == luna[0]).values(state="junk")
        )
    found = groups_of(herd, threshold=1)
    assert [photo.id for photo in found.loners] == [asked]
    with herd.store.writing() as connection:
        connection.execute(sa.update(schema.not_same).values(gone=True))
    assert ids(groups_of(herd, threshold=1)) == [("Luna", (asked,))]
