"""The queue: what waits, the answer beside it, decisions, and their undoing."""

import io
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import reviews
from resight.catalogue import Catalogue
from resight.errors import ResightError
from resight.photos import Photo
from resight.web.words import in_words, percent
from reviews import Review


def first(review: Review) -> dict[str, Any]:
    """The photo that is first in the queue."""
    return review.get("/api/queue?count=1&have=")["items"][0]["photos"][0]


def said(what: str, *photos: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A decision on photos as they were shown."""
    seen = {str(photo["id"]): photo["last_word"] for photo in photos}
    return {"what": what, "photos": [photo["id"] for photo in photos], "seen": seen, **more}


def test_what_waits_is_offered_with_an_answer(review: Review) -> None:
    found = review.get("/api/queue?count=2")
    assert found["waiting"] == 4
    assert len(found["items"]) == 2
    photo = found["items"][0]["photos"][0]
    answer = review.get(f"/api/answers?photos={photo['id']}")
    best = answer["candidates"][0]
    assert best["individual"] == "Luna"
    sides = [one["side"] for one in best["photos"]]
    assert sides == sorted(sides, key=lambda side: side != "left")  # the query's own side first
    assert photo["id"] not in [one["id"] for c in answer["candidates"] for one in c["photos"]]
    assert answer["candidates"][-1]["individual"] is None  # somebody new can always be said
    assert answer["calibrated"] is False
    assert best["probability"] is None  # a guess is not shown as a number


def test_decide_undo_and_again(review: Review) -> None:
    photo = first(review)
    answer = review.get(f"/api/answers?photos={photo['id']}")
    shown = [{"individual": one["individual"]} for one in answer["candidates"]]
    done = review.post(
        "/api/decisions", said("same", photo, individual="Luna", shown=shown, probability=0.7)
    )
    assert done["summary"] == "named 1 photo: Luna"
    (word,) = [one for one in review.catalogue.decisions(photo["id"]) if one.what == "same"]
    assert (word.individual, word.who, word.probability) == ("Luna", "Ada", 0.7)
    assert word.shown == shown
    assert review.get("/api/queue?count=0")["waiting"] == 3
    assert review.post("/api/undo", {})["summary"] == "took back: named 1 photo: Luna"
    assert first(review)["id"] == photo["id"]
    assert review.post("/api/redo")["summary"] == "did again: named 1 photo: Luna"
    assert first(review)["id"] != photo["id"]


def test_each_decision(review: Review) -> None:
    queue = review.get("/api/queue?count=4")["items"]
    one, two, three, four = (item["photos"][0] for item in queue)
    review.post("/api/decisions", said("new", one, individual="Newcomer"))
    assert review.catalogue.shown([one["id"]])[0].individual == "Newcomer"
    review.post("/api/decisions", said("junk", two))
    assert [photo.path.name for photo in review.catalogue.junked()] == [two["file"]]
    review.post("/api/decisions", said("later", three))
    left = review.get("/api/queue?count=4")["items"]
    assert [item["photos"][0]["id"] for item in left] == [four["id"], three["id"]]
    assert [item["put_off"] for item in left] == [False, True]
    review.post("/api/decisions", said("not the same", four, individual="Brisa"))
    answer = review.get(f"/api/answers?photos={four['id']}")
    assert "Brisa" in answer["left_out"]
    assert "Brisa" not in [one["individual"] for one in answer["candidates"]]
    for _ in range(4):
        review.post("/api/undo", {})
    assert review.get("/api/queue?count=0")["waiting"] == 4
    assert [i["put_off"] for i in review.get("/api/queue?count=4")["items"]] == [False] * 4


def test_the_key_for_undo_takes_back_decisions_only_and_ones_own(review: Review) -> None:
    response = review.client.post("/api/undo", json={})
    assert response.status_code == 400
    assert "is no decision" in response.json()["error"]
    review.catalogue.name([first(review)["id"]], "Luna", who="Bob")
    assert review.client.post("/api/undo", json={}).status_code == 400  # that was Bob's
    assert review.catalogue.counts().waiting == 3


def test_an_encounter_is_one_decision_or_several(review: Review) -> None:
    files = [reviews.photo_file(review.folder / "more", 2, number) for number in (5, 6, 7)]
    review.catalogue.add([Photo(path, encounter="Sunday") for path in files])
    item = review.get("/api/queue?count=20")["items"][-1]
    photos = item["photos"]
    assert (len(photos), item["encounter"]) == (3, "Sunday")
    ids = ",".join(str(photo["id"]) for photo in photos)
    assert review.get(f"/api/answers?photos={ids}")["candidates"][0]["individual"] == "Ada"
    review.post("/api/decisions", said("new", photos[0], individual="Another"))
    rest = review.get("/api/queue?count=20")["items"][-1]["photos"]
    assert [photo["id"] for photo in rest] == [photo["id"] for photo in photos[1:]]
    review.post("/api/decisions", said("same", *rest, individual="Ada"))
    assert review.get("/api/queue?count=0")["waiting"] == 4


def test_a_decision_that_came_twice_is_one(review: Review) -> None:
    photo = first(review)
    for what, more in (
        ("same", {"individual": "Luna"}),
        ("junk", {}),
        ("not the same", {"individual": "Luna"}),
        ("later", {}),
    ):
        decision = said(what, photo, **more)
        one = review.post("/api/decisions", decision)
        again = review.post("/api/decisions", decision)
        assert again["action"] is None
        assert "so already" in again["summary"]
        review.post("/api/undo", {"action": one["action"]})
        photo = first(review)


def test_contradictions_are_refused_in_words(review: Review) -> None:
    photo = first(review)
    wrong = [
        (said("same", photo), "who?"),
        (said("same", photo, individual="Nobody"), "is nobody's name"),
        (said("new", photo, individual="Luna"), "somebody else"),
        ({"what": "junk", "photos": [99999]}, "not in"),
        (said("not the same", photo, individual="Nobody"), "nobody here is called"),
    ]
    for decision, words in wrong:
        response = review.client.post("/api/decisions", json=decision)
        assert response.status_code == 400, decision
        assert words in response.json()["error"]
    for body in (
        {"what": "sell", "photos": [1]},
        {"what": "junk", "photos": []},
        {"photos": [1]},
        [],
    ):
        assert review.client.post("/api/decisions", json=body).status_code == 422
    assert review.get("/api/queue?count=0")["waiting"] == 4


def test_photos_that_are_dropped_come_to_the_queue(review: Review) -> None:
    came = review.send(("tuesday.png", reviews.photo_bytes(4)), side="left", encounter="Tuesday")
    assert came == {
        "added": 1, "already": 0, "named": 0, "junk": 0, "refused": [], "action": came["action"],
    }  # fmt: skip
    item = review.get("/api/queue?count=20")["items"][-1]
    assert (item["photos"][0]["file"], item["encounter"]) == ("tuesday.png", "Tuesday")
    assert review.get(f"/api/answers?photos={item['photos'][0]['id']}")["candidates"]
    again = review.send(("other-name.png", reviews.photo_bytes(4)))
    assert (again["added"], again["already"]) == (0, 1)
    assert [path.name for path in review.desk.uploads.iterdir()] == ["tuesday.png"]


def test_the_first_photo_of_an_empty_catalogue(tmp_path: Path, tiny_rgb_model: Path) -> None:
    place = str(tmp_path / "new.db")
    Catalogue.open(place, model=tiny_rgb_model, create=True).close()
    with reviews.open_review(place, tmp_path) as client:
        reviews.at_the_page(client)
        review = reviews.Review(client, place, tmp_path)
        for path in ("/", "/groups", "/history"):
            assert client.get(path).status_code == 200
        assert reviews.groups(review)["groups"] == []
        review.send(("one.png", reviews.photo_bytes(1)))
        photo = first(review)
        answer = review.get(f"/api/answers?photos={photo['id']}")
        assert (answer["candidates"], answer["new"]) == ([], True)
        assert answer["suggested_name"] == "New 1"
        review.post("/api/decisions", said("new", photo, individual="New 1"))
        assert review.get("/api/names") == ["New 1"]


def test_match_lines(review: Review) -> None:
    photo = first(review)
    best = review.get(f"/api/answers?photos={photo['id']}")["candidates"][0]["photos"][0]
    where = f"/api/lines?first={photo['id']}&second={best['id']}"
    found = review.get(where)
    assert len(found["lines"]) > 5
    assert all(0 <= end <= 1 for line in found["lines"] for end in line)
    kept = list((review.desk.pictures.folder / "lines").iterdir())
    assert len(kept) == 1
    assert review.get(where) == found
    kept[0].write_text("{")  # damaged: made anew, from keypoints as they were kept, rounded
    assert review.get(where)["score"] == pytest.approx(found["score"], rel=0.01)


def test_groups_are_confirmed_or_taken_apart(review: Review) -> None:
    files = [reviews.photo_file(review.folder / "more", 40, number) for number in (1, 2, 3)]
    vector = review.catalogue.fingerprint(files[:1])[0]
    review.catalogue.add(files, vectors=vector.repeat(3, axis=0))
    found = reviews.groups(review)
    ids = {photo.id for photo in review.catalogue.shown(range(29, 32))}
    assert [g for g in found["groups"] if ids <= {p["id"] for p in g["photos"]}]
    looked = review.desk.jobs.get("groups")
    assert review.get("/api/groups") == found
    assert review.desk.jobs.get("groups") is looked  # not computed again
    one, two, three = sorted(ids)
    review.post("/api/groups/apart", {"photos": [three], "other": one})
    apart = reviews.groups(review)["groups"]
    assert not any({one, three} <= {p["id"] for p in g["photos"]} for g in apart)
    body = {"photos": [one, two], "name": "Stranger", "known": False}
    done = review.post("/api/groups/confirm", body)
    assert (done["named"], done["refused"]) == (2, [])
    assert len(review.catalogue.photos_of("Stranger")) == 2
    review.post("/api/undo", {"action": done["action"]})
    assert "Stranger" not in review.get("/api/names?part=str")


def test_groups_are_looked_for_beside_the_pages(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [reviews.photo_file(review.folder / "more", seed, 1) for seed in range(40, 46)]
    vectors = review.catalogue.fingerprint([files[0], files[3]])[0]
    review.catalogue.add(files, vectors=vectors.repeat(3, axis=0))
    go_on = threading.Event()
    group = type(review.catalogue).group

    def slow(*given: Any, progress: Any, **more: Any) -> Any:
        progress("Comparing 10 photos", 0.25)
        assert go_on.wait(60)
        return group(*given, progress=progress, **more)

    monkeypatch.setattr(type(review.catalogue), "group", slow)
    found = review.get("/api/groups")
    assert (found["groups"], found["current"]) == ([], False)
    assert found["job"]["running"]
    assert found["job"]["words"] in ("Reading", "Comparing 10 photos")
    go_on.set()
    found = reviews.groups(review)
    assert found["job"] is None
    one, two = ({p["id"] for p in g["photos"]} for g in found["groups"] if len(g["photos"]) == 3)
    go_on.clear()  # from now on what was found before is shown, without what is decided
    named = min(one)
    review.post("/api/groups/confirm", {"photos": [named], "name": "Stranger", "known": False})
    left, right = sorted(two)[:2]
    review.post("/api/groups/apart", {"photos": [left], "other": right})
    found = review.get("/api/groups")
    assert not found["current"]
    shown = [{p["id"] for p in g["photos"]} for g in found["groups"]]
    assert one - {named} in shown
    assert not any({left, right} <= group for group in shown)
    assert not any(named in group for group in shown)
    go_on.set()
    found = reviews.groups(review)
    assert all(named not in {p["id"] for p in g["photos"]} for g in found["groups"])


def test_why_no_groups_are_found_is_told_once(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def broken(*given: Any, **more: Any) -> Any:
        asked.append(1)
        raise ResightError("a fingerprint is damaged")

    monkeypatch.setattr(type(review.catalogue), "group", broken)
    for _ in range(2):
        while (answer := review.client.get("/api/groups")).status_code == 200:
            assert not answer.json()["current"]
        assert answer.json()["error"] == "a fingerprint is damaged"
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("probability", "words", "shown"),
    [
        (None, "", ""),
        (1.0, "virtually certain", "> 99 %"),
        (0.97, "extremely likely", "97 %"),
        (0.5, "as likely as not", "50 %"),
        (0.004, "all but excluded", "< 1 %"),
    ],
)
def test_probabilities_in_words(probability: float | None, words: str, shown: str) -> None:
    assert in_words(probability) == words
    assert percent(probability).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_a_photo_brings_its_date_and_an_encounter_its_place(review: Review) -> None:
    from datetime import datetime

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:04:03 20:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (50.0, 30.0, 0.0), 3: "W", 4: (8.0, 15.0, 0.0)})
    for name, fields in (("alone.jpg", {}), ("met.jpg", {"encounter": "Sunday"})):
        file = io.BytesIO()
        reviews.colour(len(name)).save(file, "jpeg", exif=exif)
        review.send((name, file.getvalue()), **fields)
    alone, met = (item.photos[0] for item in review.catalogue.waiting(9)[-2:])
    assert alone.taken_at == met.taken_at == datetime(2025, 4, 3, 20, 30)
    assert (met.encounter, met.latitude, met.longitude) == ("Sunday", 50.5, -8.25)
    assert alone.encounter is None  # else all of a day would be one decision
