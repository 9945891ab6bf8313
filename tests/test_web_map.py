"""The map of fingerprints: laid out, kept, doubted, and decided on."""

from pathlib import Path
from typing import Any

import numpy as np

import reviews
from resight.catalogue import Catalogue
from resight.evaluate.doubts import Near, doubts, nearest_few, outliers
from resight.evaluate.map import Map, beside
from resight.web.layout import MOST
from reviews import Review


def unit(values: Any) -> Any:
    values = np.asarray(values, np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def by_photo(drawn: Any) -> dict[int, tuple[float, float]]:
    """Where each photo lies."""
    return {p: (x, y) for p, x, y in zip(drawn["photos"], drawn["x"], drawn["y"], strict=True)}


# What the fingerprints say.


def herd(seed: int = 0) -> tuple[Any, Any, Any]:
    """Eight individuals of six photos in three encounters: vectors, who, encounters."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(1, 9), 6)
    own = rng.standard_normal((8, 24))
    vectors = unit(own[who - 1] + 0.25 * rng.standard_normal((48, 24)))
    return vectors, who, np.repeat(np.arange(1, 25), 2)


def test_the_nearest_few_are_those_of_the_whole_matrix() -> None:
    vectors, _, _ = herd()
    found = nearest_few(vectors, 5)
    cells = vectors @ vectors.T
    np.fill_diagonal(cells, -np.inf)
    for row in range(len(vectors)):
        order = np.argsort(-cells[row], kind="stable")[:5]
        np.testing.assert_allclose(found.cosines[row], cells[row, order], atol=1e-6)
        assert set(found.places[row]) == set(order)
    assert nearest_few(vectors[:1]).places.shape == (1, 0)
    assert nearest_few(vectors[:3]).places.shape == (3, 2)


def test_a_name_is_doubted_where_it_is_wrong_and_nowhere_else() -> None:
    vectors, who, encounters = herd()
    near = nearest_few(vectors)
    assert doubts(near, vectors, who, encounters) == []
    wrong = who.copy()
    wrong[8:10] = 5  # an encounter of the second, under the name of the fifth
    found = doubts(near, vectors, wrong, encounters)
    assert {one.place for one in found} == {8, 9}
    for one in found:
        assert one.other == 2
        assert wrong[one.nearest] == 2
        assert wrong[one.own] == 5
        assert encounters[one.nearest] != encounters[one.place]  # its near-copy is no witness
        assert one.cosine > one.own_cosine
        assert one.agreeing == 4
    # What a person has said outlives it.
    left = doubts(near, vectors, wrong, encounters, apart={(8, 2)})
    assert [one.place for one in left] == [9]
    # Of somebody with one encounter, nothing says that it is wrong.
    alone = who.copy()
    alone[0:2] = 9
    assert {one.place for one in doubts(near, vectors, alone, encounters)} <= set(range(2, 6))
    assert doubts(Near(np.empty((3, 0), np.int64), np.empty((3, 0), np.float32)),
                  vectors[:3], who[:3], encounters[:3]) == []  # fmt: skip


def test_an_outlier_is_like_no_other() -> None:
    vectors, _, encounters = herd()
    assert outliers(nearest_few(vectors), encounters) == []
    strange = np.concatenate([vectors, unit(np.random.default_rng(3).standard_normal((1, 24)))])
    met = np.append(encounters, 0)
    ((place, cosine),) = outliers(nearest_few(strange), met)
    assert place == len(vectors)
    assert cosine < 0.7
    # Near-copies are no company, and those that have none are not strange for that.
    copied = np.concatenate([strange, strange[-1:], vectors[:-6]])
    met = np.concatenate([encounters, [99, 99], encounters[:-6]])
    assert {place for place, _ in outliers(nearest_few(copied), met)} == {48, 49}


def test_what_comes_is_placed_by_what_it_is_like() -> None:
    vectors, who, _ = herd()
    positions = np.random.default_rng(0).standard_normal((8, 2))[who - 1]
    np.testing.assert_allclose(beside(vectors[7:8], vectors, positions)[0], positions[7], atol=0.2)
    own = beside(vectors[12:13], np.delete(vectors, 12, 0), np.delete(positions, 12, 0))
    np.testing.assert_allclose(own[0], positions[12], atol=0.4)
    many = np.resize(vectors, (1500, vectors.shape[1]))  # in parts
    at_once = beside(vectors, vectors, positions)
    np.testing.assert_allclose(beside(many, vectors, positions), np.resize(at_once, (1500, 2)))
    assert beside(vectors[:2], vectors[:1], positions[:1]).tolist() == [positions[0].tolist()] * 2


def test_a_map_says_how_far_it_is_and_can_be_stopped() -> None:
    vectors, _, _ = herd()
    told: list[float] = []

    def progress(share: float, positions: Any) -> bool:
        assert positions.shape == (48, 2)
        told.append(share)
        return False

    whole = Map.fit(vectors, progress=progress)
    assert told[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)
    np.testing.assert_array_equal(whole.positions, Map.fit(vectors).positions)
    flat = Map.fit(vectors, progress=lambda *_: True)
    np.testing.assert_allclose(flat.positions, Map.flat(vectors))


# The endpoints.


def test_at_once_a_plane_then_a_map_that_is_kept(review: Review) -> None:
    first = review.get("/api/map")
    assert first["way"] == "plane"
    assert first["job"]["running"]
    assert first["drawn"] == first["total"] == len(first["photos"]) == 28
    assert sorted(first["names"]) == sorted(reviews.NAMES)
    assert first["who"].count(-1) == 4
    made = reviews.laid_out(review)
    assert review.get("/api/map/progress")["running"] is False
    assert by_photo(made) != by_photo(first)
    assert np.abs(made["x"] + made["y"]).max() <= 1.2
    (file,) = (review.desk.pictures.folder / "map").iterdir()
    assert file.suffix == ".npz"
    with reviews.open_review(review.place, review.folder) as again:
        kept = again.get("/api/map").json()
    assert kept["way"] == "t-SNE"
    assert kept["job"] is None
    assert by_photo(kept) == by_photo(made)
    for damage in (b"", b"PK no zip", file.read_bytes()[:-200]):
        file.write_bytes(damage)
        with reviews.open_review(review.place, review.folder) as again:
            assert again.get("/api/map").json()["way"] == "plane"


def test_naming_moves_no_point_and_a_new_photo_lies_by_its_like(laid: Review) -> None:
    before = by_photo(reviews.laid_out(laid))
    (waiting,) = laid.catalogue.waiting(1)
    photo = waiting.photos[0].id
    laid.post("/api/map/whose", {"photos": [photo], "individual": "Nova", "known": False})
    named = laid.get("/api/map")
    assert by_photo(named) == before
    assert "Nova" in named["names"]
    assert laid.send(("new.png", reviews.photo_bytes(2)), individual="Ada")["added"] == 1
    more = laid.get("/api/map")
    assert (more["way"], more["drawn"]) == ("t-SNE", 29)
    assert {p: at for p, at in by_photo(more).items() if p in before} == before
    (new,) = set(more["photos"]) - set(before)
    near = laid.get(f"/api/map/near?photo={new}")
    at = np.array(by_photo(more)[new])
    far = {p: float(np.hypot(*(at - place))) for p, place in before.items()}
    assert near[0]["id"] in sorted(far, key=far.__getitem__)[:6]
    assert [one["distance"] for one in near] == sorted(one["distance"] for one in near)


def test_a_wrong_name_is_doubted_until_somebody_has_decided(laid: Review) -> None:
    book = laid.catalogue
    wrong = next(p.path for p in book.photos_of("Luna"))
    (photo,) = book.numbers([wrong])
    book.move([photo], "Koko", who="Ada")
    reviews.laid_out(laid)
    found = laid.get("/api/map/doubts")
    assert found["ready"]
    (one,) = [one for one in found["doubts"] if one["photo"]["id"] == photo]
    assert (one["individual"], one["photo"]["individual"]) == ("Luna", "Koko")
    assert one["nearest"]["individual"] == "Luna"
    assert one["own"]["individual"] == "Koko"
    assert "Named Koko, but" in one["words"]
    # "The name is right": no such doubt comes again; undone, it is back.
    said = laid.post("/api/groups/apart", {"photos": [photo], "other": one["nearest"]["id"]})
    assert photo not in [d["photo"]["id"] for d in laid.get("/api/map/doubts")["doubts"]]
    laid.post("/api/undo", {"action": said["action"]})
    assert photo in [d["photo"]["id"] for d in laid.get("/api/map/doubts")["doubts"]]
    seen = {photo: one["photo"]["last_word"]}
    stale = {"photos": [photo], "individual": "Luna", "known": True, "seen": {photo: 0}}
    assert laid.client.post("/api/map/whose", json=stale).status_code == 409
    seen = {photo: laid.get(f"/api/photos/{photo}")["last_word"]}
    laid.post("/api/map/whose", {**stale, "seen": seen})
    assert photo not in [d["photo"]["id"] for d in laid.get("/api/map/doubts")["doubts"]]
    assert book.shown([photo])[0].individual == "Luna"


def test_who_is_on_photos_whatever_they_are_called(laid: Review) -> None:
    book = laid.catalogue
    luna, ferro = (book.numbers([p.path for p in book.photos_of(n)]) for n in ("Luna", "Ferro"))
    (waiting,) = book.waiting(1)
    unnamed = waiting.photos[0].id
    mixed = {"photos": [luna[0], unnamed], "individual": "Ada", "known": True}
    said = laid.post("/api/map/whose", mixed)
    assert len(said["actions"]) == 2
    assert {one.individual for one in book.shown([luna[0], unnamed])} == {"Ada"}
    for action in said["actions"]:
        laid.post("/api/undo", {"action": action})
    assert [one.individual for one in book.shown([luna[0], unnamed])] == ["Luna", None]
    new = {"photos": [luna[0], unnamed], "individual": "Twin", "known": False}
    laid.post("/api/map/whose", new)
    assert [one.individual for one in book.shown([luna[0], luna[1], unnamed])] == [
        "Twin", "Luna", "Twin",
    ]  # fmt: skip
    assert laid.post("/api/map/whose", {**new, "known": True})["actions"] == []
    two = {"photos": [luna[1], ferro[0]], "individual": "Nobody yet", "known": False}
    refused = laid.client.post("/api/map/whose", json=two)
    assert refused.status_code == 400
    assert "2 names" in refused.json()["error"]


def test_what_cannot_be_named_leaves_nothing_half_done(laid: Review) -> None:
    book = laid.catalogue
    (luna,) = book.numbers([book.photos_of("Luna")[0].path])
    (waiting,) = book.waiting(1)
    unnamed = waiting.photos[0].id
    book.not_same([unnamed], individual="Ferro", who="Ada")
    before = book.shown([luna, unnamed])
    mixed = {"photos": [luna, unnamed], "individual": "Ferro", "known": True}
    assert laid.client.post("/api/map/whose", json=mixed).status_code == 400
    assert [one.individual for one in book.shown([luna, unnamed])] == [
        one.individual for one in before
    ]


def test_an_empty_catalogue_has_an_empty_map(tmp_path: Path, tiny_rgb_model: Path) -> None:
    with Catalogue.open(tmp_path / "none.db", model=tiny_rgb_model, create=True):
        pass
    with reviews.open_review(str(tmp_path / "none.db"), tmp_path) as client:
        assert client.get("/map").status_code == 200
        assert client.get("/api/map").json()["drawn"] == 0
        assert client.get("/api/map/doubts").json() == {
            "ready": True, "doubts": [], "outliers": [],
        }  # fmt: skip
        assert client.get("/api/map/near?photo=7").status_code == 400


def test_of_very_many_the_same_are_drawn_again(laid: Review) -> None:
    everything = laid.catalogue.prints()
    some = laid.catalogue.prints(10)
    assert (len(some), some.total, len(everything)) == (10, 28, 28)
    assert set(some.photos) < set(everything.photos)
    np.testing.assert_array_equal(some.photos, laid.catalogue.prints(10).photos)
    at = np.searchsorted(everything.photos, some.photos)
    np.testing.assert_array_equal(some.vectors, everything.vectors[at])
    np.testing.assert_array_equal(some.take(np.array([3])), some.vectors[3:4])
    laid.send(("new.png", reviews.photo_bytes(2)))
    assert len(set(laid.catalogue.prints(10).photos) - set(some.photos)) <= 1
    assert MOST >= 20_000
