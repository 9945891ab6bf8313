"""Individuals on pages: the wall of faces, one of them, and all that is done to it."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import reviews
from herd import make_herd, unit

pytest.importorskip("fastapi", reason="needs FastAPI (the review extra)")


def number(review: reviews.Review, name: str) -> int:
    return review.catalogue.number_of(name)


def photos(review: reviews.Review, name: str) -> list[int]:
    return [photo.id for photo in review.catalogue.portrait(number(review, name)).photos]


def seen(review: reviews.Review, ids: list[int]) -> dict[str, int]:
    return {str(one.id): one.last_word for one in review.catalogue.shown(ids)}


def test_the_wall_shows_everybody_with_a_photo(review: reviews.Review) -> None:
    text = review.client.get("/individuals").text
    assert re.findall(r"<strong>(\w+)</strong>", text) == sorted(reviews.NAMES)
    found = review.get("/api/individuals")
    assert found["total"] == 6
    (ada,) = [face for face in found["faces"] if face["name"] == "Ada"]
    assert (ada["photos"], ada["last"]) == (4, "2025-05-04")
    assert ada["photo"]["individual"] == "Ada"
    assert review.client.get(f"/pictures/{ada['photo']['id']}/320").status_code == 200


def test_the_wall_is_searched_and_put_in_order(review: reviews.Review) -> None:
    def names(**asked: Any) -> list[str]:
        return [face["name"] for face in review.get("/api/individuals", params=asked)["faces"]]

    assert names(part="R") == ["Brisa", "Ferro"]
    assert names(part="o ") == ["Ferro", "Koko", "Moss"]
    assert names(part="nobody") == []
    assert names(part="%") == []
    review.catalogue.split("Koko", photos(review, "Koko")[:3], new="k2")
    assert names(order="photos")[-2:] == ["k2", "Koko"]
    assert names(order="new")[0] == "k2"
    assert names(part="k") == ["k2", "Koko"]
    assert names(skip=5) == ["Luna", "Moss"]
    assert names(count=2) == ["Ada", "Brisa"]
    page = review.client.get("/individuals", params={"part": "zzz"}).text
    assert "Nobody is called so" in page
    assert review.client.get("/individuals", params={"order": "x"}).status_code == 422


def test_the_wall_keeps_its_orders_through_decisions(review: reviews.Review) -> None:
    from resight.web import wall

    def everything() -> dict[str, list[str]]:
        return {
            order: [one["name"] for one in review.get(f"/api/individuals?order={order}")["faces"]]
            for order in wall.ORDERS
        }

    everything()
    for deed in (
        lambda book: book.rename("Ada", "Zora"),
        lambda book: book.merge("Brisa", into="Moss"),
        lambda book: book.split("Koko", photos(review, "Koko")[:3], new="b10"),
        lambda book: book.rename("Luna", "b9"),
        lambda book: book.undo(),
        lambda book: book.junk(photos(review, "Ferro")[-1]),
    ):
        deed(review.catalogue)
        found = everything()
        assert review.desk.memory["wall"][0].touched  # nobody else was read
        review.desk.memory.pop("wall")
        assert found == everything()


def test_the_next_faces_come_as_a_piece_of_the_page(
    review: reviews.Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resight.web import wall

    monkeypatch.setattr(wall._some, "__defaults__", (4,))
    first = review.client.get("/individuals").text
    assert 'data-next="4"' in first
    piece = review.client.get("/individuals/faces", params={"skip": 4}).text
    assert "<html" not in piece
    assert re.findall(r"<strong>(\w+)</strong>", piece) == ["Luna", "Moss"]
    assert "data-next" not in piece


def test_an_individual_by_encounter_the_newest_first(review: reviews.Review) -> None:
    text = review.client.get(f"/individuals/{number(review, 'Luna')}").text
    assert "<h1>Luna</h1>" in text
    days = re.findall(r'<time datetime="(\S{10})T', text)
    assert days == ["2025-05-04", "2025-05-03", "2025-05-02", "2025-05-01"]
    assert text.count('<li class="photo"') == 4
    assert "/history?individual=Luna" in text
    assert "Let go of" not in text
    followed = review.client.get("/individuals/called", params={"name": "Luna"})
    assert followed.url.path == f"/individuals/{number(review, 'Luna')}"


def test_who_is_not_there_is_told(review: reviews.Review) -> None:
    accept = {"Accept": "text/html"}
    luna = number(review, "Luna")
    review.post("/api/individuals/merge", {"individual": "Luna", "into": "Ada"})
    for path, says in (
        (f"/individuals/{luna}", "is not there any more"),
        ("/individuals/9999", "nobody in"),
        (f"/individuals/{luna}/merge", "is not there any more"),
        ("/individuals/called?name=Lunatic", "nobody here is called"),
    ):
        response = review.client.get(path, headers=accept)
        assert response.status_code == 400
        assert says in response.text
    assert review.client.get("/individuals/0").status_code == 422
    assert review.client.get("/individuals/99999999999").status_code == 422
    response = review.client.get("/individuals/Luna", headers=accept)
    assert (response.status_code, "no such page" in response.text) == (404, True)


def test_rename_merge_and_back(review: reviews.Review) -> None:
    done = review.post("/api/individuals/rename", {"individual": "Luna", "new": "Lune"})
    assert done["summary"] == "renamed Luna to Lune"
    refused = review.client.post(
        "/api/individuals/rename", json={"individual": "Lune", "new": "Ada"}
    )
    assert (refused.status_code, "resight merge" in refused.json()["error"]) == (400, True)
    review.post("/api/individuals/merge", {"individual": "Lune", "into": "Ada"})
    assert len(photos(review, "Ada")) == 8
    review.post("/api/undo", {})
    review.post("/api/undo", {})
    assert (len(photos(review, "Luna")), len(photos(review, "Ada"))) == (4, 4)
    assert {event.who for event in review.catalogue.history()[-4:]} == {"Ada"}


def test_split_move_best_and_take_out_with_their_way_back(review: reviews.Review) -> None:
    luna = photos(review, "Luna")
    before = seen(review, luna)
    done = review.post(
        "/api/individuals/split",
        {"individual": "Luna", "photos": luna[:1], "new": "Nova", "seen": before},
    )
    assert photos(review, "Nova") == luna[:1]
    assert done["last_words"][str(luna[0])] > before[str(luna[0])]
    stale = review.client.post(
        "/api/individuals/take-out",
        json={"individual": "Nova", "photos": luna[:1], "seen": before},
    )
    assert (stale.status_code, stale.json()["who"]) == (409, "Ada")
    review.post("/api/individuals/move", {"photos": luna[:1], "to": "Ada"})
    assert review.client.get(f"/individuals/{number(review, 'Nova')}").text.count("Let go of Nova")
    review.post("/api/individuals/forget", {"individual": "Nova"})
    assert [one.name for one in review.catalogue.individuals()].count("Nova") == 0
    review.post("/api/individuals/best", {"photo": luna[2]})
    page = review.client.get(f"/individuals/{number(review, 'Luna')}").text
    assert f'data-photo="{luna[2]}" aria-label="Look at' in page.replace("\n", " ")
    assert page.count('class="star"') == 1
    faces = review.get("/api/individuals", params={"part": "Luna"})["faces"]
    assert faces[0]["photo"]["id"] == luna[2]
    review.post("/api/individuals/take-out", {"individual": "Luna", "photos": luna[1:2]})
    assert review.get("/api/answers", params={"photos": luna[1]})["left_out"] == ["Luna"]
    for _ in range(5):
        review.post("/api/undo", {})
    assert photos(review, "Luna") == luna
    assert review.get("/api/answers", params={"photos": luna[1]})["left_out"] == []


def test_who_may_be_the_same_is_asked_by_all_photos(review: reviews.Review) -> None:
    luna = photos(review, "Luna")
    review.catalogue.split("Luna", luna[:2], new="Luna again")
    found = review.get(f"/api/individuals/{number(review, 'Luna')}/alike")
    first = found["answer"]["candidates"][0]
    assert first["individual"] == "Luna again"
    assert found["numbers"]["Luna again"] == number(review, "Luna again")
    assert all(one["individual"] != "Luna" for one in found["answer"]["candidates"])
    for photo in first["photos"]:
        assert found["pairs"][str(photo["id"])]["individual"] == "Luna"
    review.post("/api/groups/apart", {"photos": [luna[3]], "other": luna[0]})
    found = review.get(f"/api/individuals/{number(review, 'Luna')}/alike")
    assert found["answer"]["left_out"] == ["Luna again"]
    assert first["individual"] not in found["numbers"]
    page = review.client.get(f"/individuals/{number(review, 'Luna')}/merge").text
    assert "Who is the same as Luna?" in page


def test_alone_there_is_nobody_to_compare_with(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "c.db")
    herd.add(unit(2), "Luna")
    herd.individual("Milo")
    herd.store.close()
    with reviews.open_review(str(tmp_path / "c.db"), tmp_path) as client:
        reviews.at_the_page(client)
        for who, says in ((1, "nobody else"), (2, "no photo with a fingerprint")):
            response = client.get(f"/api/individuals/{who}/alike")
            assert (response.status_code, says in response.json()["error"]) == (400, True)
        assert "no photos" in client.get("/individuals").text


def test_places_are_all_encounters(tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "c.db")
    for name, at in (("a", (50.12345, -3.5)), ("b", (50.1234, -3.5)), ("c", (-10.0, 179.9))):
        meeting = herd.encounter(name, "Luna", latitude=at[0], longitude=at[1])
        herd.add(unit(1), "Luna", encounter=meeting)
    herd.encounter("d", "Luna")
    herd.store.close()
    with reviews.open_review(str(tmp_path / "c.db"), tmp_path) as client:
        assert [tuple(place.values()) for place in client.get("/api/places").json()] == [
            (-10.0, 179.9, 1),
            (50.123, -3.5, 2),
        ]
        text = client.get("/individuals/1").text
        assert 'data-latitude="50.12345"' in text
        assert "Without a date" not in text  # it is called by the encounter then


@pytest.mark.parametrize("name", reviews.HOSTILE)
def test_names_are_escaped_everywhere(review: reviews.Review, name: str) -> None:
    review.post("/api/individuals/rename", {"individual": "Luna", "new": name})
    luna = number(review, name)
    for path in ("/individuals", f"/individuals/{luna}", f"/individuals/{luna}/merge"):
        text = review.client.get(path).text
        assert "alert(1)</script>" not in text
        assert "<img src=x" not in text
        assert ">49<" not in text
    assert review.get("/api/individuals", params={"part": name})["faces"][0]["name"] == name
    assert review.client.get(f"/individuals/called?name={quote(name, safe='')}").status_code == 200
    assert review.client.get("/history", params={"individual": name}).status_code == 200


def test_what_nobody_may_send(review: reviews.Review) -> None:
    for path, body in (
        ("rename", {"individual": "Luna", "new": ""}),
        ("rename", {"individual": "Luna", "new": "x" * 201}),
        ("merge", {"individual": "Luna", "into": "Ada", "more": 1}),
        ("split", {"individual": "Luna", "photos": [], "new": "x"}),
        ("split", {"individual": "Luna", "photos": [1] * 501, "new": "x"}),
        ("take-out", {"individual": "Luna", "photos": [0]}),
        ("best", {"photo": -1}),
        ("forget", {}),
    ):
        assert review.client.post(f"/api/individuals/{path}", json=body).status_code == 422, path
    assert (
        "has 4 photos"
        in (
            review.client.post("/api/individuals/forget", json={"individual": "Luna"}).json()[
                "error"
            ]
        )
    )
    foreign = review.client.post(
        "/api/individuals/forget", json={"individual": "x"}, headers={"Origin": "http://evil.test"}
    )
    assert foreign.status_code == 403
