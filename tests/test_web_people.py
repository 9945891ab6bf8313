"""Several people on one queue: who did what, and never the same photo twice unknowingly."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from starlette.testclient import TestClient

import reviews
from resight.catalogue.meanwhile import DecidedMeanwhile
from resight.web.leases import SECONDS, Leases
from reviews import Review


@pytest.fixture
def bob(review: Review) -> Review:
    """Bob, at a browser of his own, on the same server."""
    client = TestClient(review.client.app, base_url="http://127.0.0.1:8765")
    reviews.at_the_page(client)
    other = Review(client, review.place, review.folder)
    other.post("/api/me", {"name": "Bob"})
    return other


def ids(found: Any) -> set[int]:
    return {photo["id"] for item in found["items"] for photo in item["photos"]}


def test_two_people_get_different_photos(review: Review, bob: Review) -> None:
    mine = review.get("/api/queue?count=2")
    his = bob.get("/api/queue?count=3")
    assert len(ids(mine)) == len(ids(his)) == 2
    assert not ids(mine) & ids(his)
    assert his["others"] == ["Ada"]
    assert bob.get("/api/queue?count=1&have=" + ",".join(map(str, ids(his))))["items"] == []
    review.get("/api/queue?count=0&have=")  # Ada leaves: hers are free
    assert ids(bob.get("/api/queue?count=4")) >= ids(mine)


def test_a_second_tab_is_somebody_else(review: Review) -> None:
    mine = ids(review.get("/api/queue?count=2"))
    theirs = ids(review.get("/api/queue?count=2", headers={"X-Resight-Tab": "2"}))
    assert not mine & theirs


def test_decisions_are_signed(review: Review, bob: Review) -> None:
    photo = next(iter(ids(bob.get("/api/queue?count=1"))))
    bob.post("/api/decisions", {"what": "junk", "photos": [photo]})
    newest = review.get("/api/history?count=1")[0]
    assert (newest["who"], newest["summary"]) == ("Bob", "marked 1 photo as junk")
    assert "Bob" in review.client.get("/history").text
    refused = review.client.post("/api/me", json={"name": "\n"})
    assert refused.status_code in (400, 422)


@pytest.mark.parametrize("mine", ["same", "new", "not the same", "later", "junk"])
@pytest.mark.parametrize("his", ["same", "not the same", "junk", "later"])
def test_nobody_decides_unknowingly(review: Review, bob: Review, mine: str, his: str) -> None:
    photo = review.get("/api/queue?count=1")["items"][0]["photos"][0]
    names = {"same": "Luna", "new": "Stranger", "not the same": "Koko"}
    bob.post("/api/decisions", _said(photo, his, names.get(his)))
    before = review.catalogue.history()
    agrees = mine == his and mine in ("same", "junk")
    response = review.client.post("/api/decisions", json=_said(photo, mine, names.get(mine)))
    assert response.status_code == (200 if agrees else 409)
    if not agrees:
        assert response.json()["who"] == "Bob"
        assert "Bob" in response.json()["error"]
    assert review.catalogue.history() == before
    # Having looked again, one may decide otherwise.
    now = review.get(f"/api/photos/{photo['id']}")
    if his in ("later", "not the same") and mine != his:
        assert review.post("/api/decisions", _said(now, mine, names.get(mine)))["action"]


def test_of_two_at_the_same_moment_one_decides(review: Review, bob: Review) -> None:
    photo = review.get("/api/queue?count=1")["items"][0]["photos"][0]

    def decide(who: Review, name: str) -> int:
        response = who.client.post("/api/decisions", json=_said(photo, "same", name))
        return int(response.status_code)

    with ThreadPoolExecutor(2) as pool:
        codes = [pool.submit(decide, review, "Luna"), pool.submit(decide, bob, "Ferro")]
        assert sorted(code.result() for code in codes) == [200, 409]
    assert len([d for d in review.catalogue.decisions(photo["id"]) if d.what == "same"]) == 1


def test_two_servers_on_one_catalogue(review: Review) -> None:
    with reviews.open_review(review.place, review.folder / "b", token=None) as client:
        reviews.at_the_page(client)
        other = Review(client, review.place, review.folder)
        photo = review.get("/api/queue?count=1")["items"][0]["photos"][0]
        same = other.get("/api/queue?count=1")["items"][0]["photos"][0]
        assert same == photo  # each server lends for itself: the catalogue decides
        review.post("/api/decisions", _said(photo, "same", "Luna"))
        response = client.post("/api/decisions", json=_said(photo, "same", "Ferro"))
        assert response.status_code == 409


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_of_two_servers_at_the_same_moment_one_decides(
    engine: str, filled_herd: Path, tmp_path: Path, tiny_rgb_model: Path, request: Any
) -> None:
    """Each reviewer runs a server of their own: neither knows what the other has lent."""
    place = request.getfixturevalue("postgres") if engine == "postgresql" else tmp_path / "two.db"
    shutil.copytree(filled_herd / "in", tmp_path / "in")
    reviews.fill(str(place), tmp_path / "in", tiny_rgb_model)
    names = ["Luna", "Ferro"]
    with (
        reviews.open_review(str(place), tmp_path / "a") as ada,
        reviews.open_review(str(place), tmp_path / "b") as bob,
        ThreadPoolExecutor(2) as pool,
    ):
        for client in (ada, bob):
            reviews.at_the_page(client)
        bob.post("/api/me", json={"name": "Bob"})
        for _ in range(4):
            waits = [one.get("/api/queue?count=1").json() for one in (ada, bob)]
            photo, same = (one["items"][0]["photos"][0] for one in waits)
            assert photo == same
            together = Barrier(2)

            def decide(client: TestClient, name: str, photo: Any, together: Barrier) -> int:
                together.wait()
                response = client.post("/api/decisions", json=_said(photo, "same", name))
                return int(response.status_code)

            asked = [
                pool.submit(decide, client, name, photo, together)
                for client, name in zip((ada, bob), names, strict=True)
            ]
            codes = [one.result() for one in asked]
            assert sorted(codes) == [200, 409]
            book = ada.app.state.desk.catalogue  # type: ignore[attr-defined]
            (kept,) = [one for one in book.decisions(photo["id"]) if one.what == "same"]
            won = codes.index(200)
            assert (kept.who, kept.individual) == (("Ada", "Bob")[won], names[won])
        assert ada.get("/api/queue?count=0").json()["waiting"] == 0


def test_on_postgresql(
    filled_herd: Path, postgres: str, tmp_path: Path, tiny_rgb_model: Path
) -> None:
    shutil.copytree(filled_herd / "in", tmp_path / "in")
    reviews.fill(postgres, tmp_path / "in", tiny_rgb_model)
    with reviews.open_review(postgres, tmp_path) as client:
        reviews.at_the_page(client)
        review = Review(client, postgres, tmp_path)
        photo = review.get("/api/queue?count=1")["items"][0]["photos"][0]
        answer = review.get(f"/api/answers?photos={photo['id']}")
        assert answer["candidates"][0]["individual"] == "Luna"
        review.post("/api/decisions", _said(photo, "later"))
        assert review.get("/api/queue?count=4")["items"][-1]["put_off"]
        again = review.get(f"/api/photos/{photo['id']}")
        review.post("/api/decisions", _said(again, "same", "Luna"))
        assert client.post("/api/decisions", json=_said(again, "same", "Ferro")).status_code == 409
        review.post("/api/undo", {})
        assert review.get("/api/queue?count=0")["waiting"] == 4
        assert client.get("/").status_code == client.get("/history").status_code == 200


def test_a_lease_runs_out() -> None:
    now = [0.0]
    leases = Leases(lambda: now[0])
    assert leases.take("a\nAda", [1, 2])
    assert not leases.take("b\nBob", [2, 3])
    assert leases.others("b\nBob") == {1, 2}  # and 3 was not taken
    assert leases.holders("b\nBob") == ["Ada"]
    now[0] = SECONDS - 1
    leases.keep_only("a\nAda", [2])
    now[0] = SECONDS + 1
    assert leases.others("b\nBob") == {2}
    now[0] = 3 * SECONDS
    assert leases.take("b\nBob", [1, 2, 3])


def test_the_verbs_hold_to_what_was_seen(review: Review) -> None:
    book = review.catalogue
    photo = book.waiting(1)[0].photos[0]
    seen = {photo.id: photo.last_word}
    book.later([photo.id], who="Bob")
    for verb in (
        lambda: book.name([photo.id], "Luna", seen=seen),
        lambda: book.junk([photo.id], seen=seen),
        lambda: book.not_same([photo.id], individual="Luna", seen=seen),
        lambda: book.later([photo.id], seen=seen),
    ):
        with pytest.raises(DecidedMeanwhile, match="Bob put off 1 photo") as told:
            verb()
        assert told.value.photo == photo.id
    assert book.waiting(9)[-1].photos[0].id == photo.id


def _said(photo: dict[str, Any], what: str, individual: str | None = None) -> dict[str, Any]:
    said = {"what": what, "photos": [photo["id"]], "seen": {photo["id"]: photo["last_word"]}}
    return said | ({"individual": individual} if individual else {})
