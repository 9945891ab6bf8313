"""Where on the photos the animals are: MegaDetector's boxes, and parts given by hand."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from catalogues import write_photos
from command_line import resight
from resight.catalogue import Catalogue


def camera(folder: Path, name: str, seed: int) -> Path:
    """A picture of noise, 80×40."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 80), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def animal(*bbox: float) -> dict[str, Any]:
    return {"category": "1", "conf": 0.9, "bbox": bbox}


LEFT, RIGHT = animal(0, 0, 0.4, 1), animal(0.5, 0, 0.5, 1)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with pictures of one animal, of two, of none, and one nobody has looked at."""
    for seed, name in enumerate(("one.png", "two.png", "none.png", "unseen.png")):
        camera(tmp_path / "trap", name, seed)
    seen = {"one.png": [LEFT], "two.png": [LEFT, RIGHT], "none.png": []}
    images = [{"file": name, "detections": some} for name, some in seen.items()]
    (tmp_path / "md.json").write_text(json.dumps({"images": images}))
    return tmp_path


def boxes_in(book: Path) -> list[tuple[str, Any]]:
    with Catalogue.open(book) as catalogue:
        there = [*catalogue.unnamed()]
        there += [
            photo for who in catalogue.individuals() for photo in catalogue.photos_of(who.name)
        ]
    return sorted((photo.path.name, photo.box) for photo in there)


def test_each_animal_comes_into_a_catalogue_by_itself(trap: Path, tiny_model: Path) -> None:
    book, boxes = trap / "book.db", trap / "md.json"
    ran = resight("add", book, trap / "trap", "--boxes", boxes, "--model", tiny_model)
    assert ran.out.startswith("4 photos added to ")
    assert "no animal on 1 photo, left out" in ran.err
    assert "has nothing of 1 photo, taken whole" in ran.err
    assert boxes_in(book) == [
        ("one.png", (0, 0, 32, 40)),
        ("two.png", (0, 0, 32, 40)),
        ("two.png", (40, 0, 80, 40)),
        ("unseen.png", None),
    ]
    again = resight("add", book, trap / "trap", "--boxes", boxes)
    assert again.out.startswith("0 photos added (4 there before)")


def test_several_animals_are_nobody_by_one_name(trap: Path, tiny_model: Path) -> None:
    book, boxes = trap / "book.db", trap / "md.json"
    ran = resight("enrol", book, "Luna", trap / "trap", "--boxes", boxes, "--model", tiny_model)
    assert "two.png: 2 animals on it, where one is meant" in ran.err
    assert ran.out.startswith("Luna: 3 photos enrolled in ")
    assert [name for name, _ in boxes_in(book)] == ["none.png", "one.png", "unseen.png"]
    part = f"{trap / 'trap' / 'two.png'}@40,0,80,40"
    assert resight("enrol", book, "Sol", part).out.startswith("Sol: 1 photo enrolled")
    assert ("two.png", (40, 0, 80, 40)) in boxes_in(book)
    met = resight("add", book, trap / "trap" / "two.png", "--boxes", boxes, "--encounter", "Monday")
    assert "where one is meant" in met.err


def test_each_animal_is_asked_about_by_itself(trap: Path, tiny_model: Path) -> None:
    book, boxes, two = trap / "book.db", trap / "md.json", trap / "trap" / "two.png"
    for name, part in (("Luna", "0,0,32,40"), ("Sol", "40,0,80,40")):
        resight("enrol", book, name, f"{two}@{part}", "--model", tiny_model)
    ran = resight("identify", book, two, trap / "trap" / "one.png", "--boxes", boxes, "--json")
    answers = json.loads(ran.out)
    assert [answer["query"] for answer in answers] == [
        f"{two}@0,0,32,40",
        f"{two}@40,0,80,40",
        f"{trap / 'trap' / 'one.png'}@0,0,32,40",
    ]
    assert [answer["enrolled_as"] for answer in answers] == ["Luna", "Sol", None]
    by_hand = json.loads(resight("identify", book, f"{two}@40,0,80,40", "--json").out)
    assert by_hand == answers[1:2]


def test_errors_and_answers_stay_apart_and_in_order(trap: Path, tiny_model: Path) -> None:
    book, two, gone = trap / "book.db", trap / "trap" / "two.png", trap / "gone.png"
    resight("enrol", book, "Luna", two, "--model", tiny_model)
    asked = (gone, f"{two}@40,0,90,40", two, f"{two}@40,0,91,40")
    answers = json.loads(resight("identify", book, *asked, "--json").out)
    assert [answer["query"] for answer in answers] == [str(one) for one in asked]
    told = [answer["error"] for answer in answers]
    assert told[0] == "no such file"
    assert "(40, 0, 90, 40) does not lie within" in told[1]
    assert (told[2], answers[2]["enrolled_as"]) == (None, "Luna")
    assert "(40, 0, 91, 40) does not lie within" in told[3]
    (trap / "trap" / "one.png").write_bytes(b"nothing")
    asked = (trap / "trap" / "one.png", two)
    answers = json.loads(
        resight("identify", book, *asked, "--boxes", trap / "md.json", "--json").out
    )
    assert [answer["query"].rpartition("/")[2] for answer in answers] == [
        "two.png@0,0,32,40", "two.png@40,0,80,40", "one.png"
    ]  # fmt: skip
    assert answers[2]["error"]


def test_a_photo_given_twice_keeps_its_animal(trap: Path, tiny_model: Path) -> None:
    book, one = trap / "book.db", trap / "trap" / "one.png"
    images = [{"file": "E:/cam/one.png", "detections": [LEFT]}]
    (trap / "far.json").write_text(json.dumps({"images": images}))
    words = ("add", book, one, trap / "trap" / "one.png", one, "--boxes", trap / "far.json")
    assert resight(*words, "--model", tiny_model).out.startswith("1 photo added (2 there before)")
    assert boxes_in(book) == [("one.png", (0, 0, 32, 40))]


def test_a_box_file_that_serves_nothing_is_told(trap: Path, tiny_model: Path) -> None:
    book, none = trap / "book.db", trap / "trap" / "none.png"
    words = ("add", book, none, "--model", tiny_model, "--boxes")
    assert "no animal on any of these photos" in resight(*words, trap / "md.json").err
    assert "No such file" in resight(*words, trap / "gone.json").failed_in_one_line()
    assert not book.exists()


def test_folders_say_who_and_when(tmp_path: Path, tiny_model: Path) -> None:
    book = tmp_path / "book.db"
    write_photos(tmp_path / "in" / "Luna" / "monday", 2, seed=1)
    write_photos(tmp_path / "in" / "Luna", 1, seed=2)
    write_photos(tmp_path / "in" / "Sol", 1, seed=3)
    write_photos(tmp_path / "more" / "friday", 1, seed=4)
    ran = resight("add", book, tmp_path / "in", "--named", "--model", tiny_model)
    assert ran.out.startswith("4 photos added to ")
    resight("enrol", book, "Sol", tmp_path / "more")
    with Catalogue.open(book) as catalogue:
        met = {
            who.name: {photo.path.name: photo.encounter for photo in catalogue.photos_of(who.name)}
            for who in catalogue.individuals()
        }
    assert met["Luna"]["1-0.png"] == met["Luna"]["1-1.png"] == "monday"
    assert met["Luna"]["2-0.png"] != "monday"
    assert met["Sol"]["4-0.png"] == "friday"
    write_photos(tmp_path / "in", 1, seed=5)  # in nobody's folder
    ran = resight("add", book, tmp_path / "in", "--named")
    assert ran.out.startswith("1 photo added (4 there before)")
    with Catalogue.open(book) as catalogue:
        assert [photo.path.name for photo in catalogue.unnamed()] == ["5-0.png"]
    write_photos(tmp_path / "later", 1, seed=2)  # the one that has no encounter, in a folder
    shutil.move(tmp_path / "later", tmp_path / "again" / "sunday")
    assert (
        "(use resight add --named --update"
        in resight("enrol", book, "Luna", tmp_path / "again").err
    )
    words = ("add", book, tmp_path / "in", "--named", "--encounter", "x")
    assert "neither" in resight(*words).failed_in_one_line()
