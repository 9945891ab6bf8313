"""COCO's JSON and MegaDetector's: boxes, and who is in them."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from resight.errors import UnusablePhotos
from resight.photos.megadetector import Animal, distinct, in_pixels
from resight.photos.photo import Photo
from resight.photos.ways_in import take_in


def written(file: Path, content: Any) -> Path:
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def picture(path: Path, size: tuple[int, int] = (100, 80), turn: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.new("RGB", size, "grey").save(path, exif=exif)
    return path


IMAGES = [
    {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80, "date_captured": "2025-04-03"},
    {"id": "two", "file_name": "b.jpg", "width": 100, "height": 80},
    {"id": 3, "file_name": "empty.jpg"},
]


def test_each_annotation_is_a_photo(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "b.jpg")
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1.4, 2, 30, 40], "name": "Luna"},
        {"id": 2, "image_id": 1, "category_id": 7, "bbox": [50, 2, 30, 40],
         "attributes": {"name": "Sol", "viewpoint": "left"}},
        {"id": 3, "image_id": "two", "category_id": 8, "segmentation": [[1, 2, 3, 4]]},
        {"id": 4, "image_id": 99, "bbox": [1, 2, 3, 4]},
        {"id": 5, "image_id": "two", "bbox": [1, 2, "NaN", 4], "name": "Sol"},
        None,
    ]  # fmt: skip
    file = written(
        tmp_path / "coco.json",
        {"images": IMAGES, "annotations": annotations,
         "categories": [{"id": 7, "name": "turtle"}, {"id": 8, "name": "head"}]},
    )  # fmt: skip
    said: list[str] = []
    taken = take_in(file, say=said.append)
    one, two = tmp_path / "images" / "a.jpg", tmp_path / "images" / "b.jpg"
    day = datetime(2025, 4, 3)
    assert taken.photos == [
        Photo(one, "Luna", date=day, box=(1, 2, 31, 42)),
        Photo(one, "Sol", date=day, side="left", box=(50, 2, 80, 42)),
        Photo(two),
    ]
    assert [problem.row for problem in taken.problems] == [4, 5, 6]
    assert str(taken.problems[0]).startswith(f"{file}, annotation 4: its path is empty")
    assert "is no bbox" in taken.problems[1].what
    assert any("1 picture without an annotation" in words for words in said)
    assert any("categories (turtle, head) are not taken for individuals" in words for words in said)

    taken = take_in(file, columns={"individual": "category"})
    assert [photo.individual for photo in taken.photos] == ["turtle", "turtle", "head"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"images": [{"id": 1, "file_na', "is no JSON file, or one cut short"),
        (b"[" * 100_000, "is no JSON file, or one cut short"),
        (b"[1, 2]", "is JSON, but not COCO's"),
        (b'{"images": {}}', "is JSON, but not COCO's"),
        (b'{"images": [], "annotations": []}', "has no photos"),
        (b'{"images": [{"file": "a", "detections": []}]}', "MegaDetector's"),
        (b"\xff\xfe\x00", "is no JSON file"),
        (b'{"images": [7, null], "annotations": [3, null, {"image_id": []}]}', ""),
    ],
)
def test_what_is_not_coco_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(content)
    if says:
        with pytest.raises(UnusablePhotos) as refused:
            take_in(file)
        assert says in str(refused.value)
    else:
        taken = take_in(file)
        assert (taken.photos, len(taken.problems)) == ([], 3)


def found(confidence: float, *bbox: Any, category: str = "1") -> dict[str, Any]:
    return {"category": category, "conf": confidence, "bbox": list(bbox)}


def test_the_surest_animal_gives_the_box(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("Luna/a.jpg", "Luna/b.jpg", "Luna/c.jpg", "Sol/a.jpg", "Sol/d.jpg", "Sol/e.jpg"):
        picture(folder / name, turn=6 if name == "Sol/a.jpg" else 1)
    detections = {
        "images": [
            {"file": "in/Luna/a.jpg", "detections": [
                found(0.5, 0.0, 0.0, 0.5, 0.5), found(0.9, 0.1, 0.25, 0.5, 0.5),
                found(0.99, 0, 0, 1, 1, category="2"), found(0.8, 0.12, 0.27, 0.45, 0.45)]},
            {"file": "Sol\\a.jpg", "detections": [found(0.9, 0.5, 0.5, 0.5, 0.5)]},
            {"file": "Luna/b.jpg", "detections": [found(0.1, 0, 0, 1, 1)]},
            {"file": "E:/cam/d.jpg", "detections": [found(0.3, 0.0, 0.0, 0.101, 0.5)]},
            {"file": "Sol/e.jpg", "failure": "cannot be read"},
            {"file": "Luna/c.jpg", "detections": [
                found(0.9, 0.0, 0.0, 0.3, 0.3), found(0.7, 0.6, 0.6, 0.3, 0.3)]},
            "nonsense", {"file": 3}, {"file": "x", "detections": 1},
        ],
        "detection_categories": {"1": "animal", "2": "person"},
    }  # fmt: skip
    file = written(tmp_path / "md.json", detections)
    said: list[str] = []
    taken = take_in(folder, boxes=file, say=said.append)
    boxes = {f"{photo.path.parent.name}/{photo.path.name}": photo.box for photo in taken.photos}
    assert boxes == {
        "Luna/b.jpg": None,
        "Sol/a.jpg": (40, 50, 80, 100),  # upright it is 80 wide and 100 high
        "Sol/d.jpg": (0, 0, 11, 40),
        "Sol/e.jpg": None,
    }
    assert [problem.file and problem.file.name for problem in taken.problems] == ["a.jpg", "c.jpg"]
    assert all("2 animals on it, and one name" in problem.what for problem in taken.problems)
    assert any("has nothing of 1 photo" in words for words in said)
    assert any("no animal on 1 photo" in words for words in said)

    del detections["images"][0]["detections"][0]  # type: ignore[index]
    taken = take_in(folder, boxes=written(file, detections))
    assert taken.photos[0].box == (10, 20, 60, 60)


def test_a_box_of_the_table_stays(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    (tmp_path / "t.csv").write_text("path,box\na.jpg,1 2 3 4\n")
    file = written(
        tmp_path / "md.json", {"images": [{"file": "a.jpg", "detections": [found(1, 0, 0, 1, 1)]}]}
    )
    assert take_in(tmp_path / "t.csv", boxes=file).photos[0].box == (1, 2, 3, 4)


def test_a_broken_picture_with_an_animal_is_told(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "Luna" / "a.jpg").write_bytes(b"nothing")
    file = written(
        tmp_path / "md.json", {"images": [{"file": "a.jpg", "detections": [found(1, 0, 0, 1, 1)]}]}
    )
    taken = take_in(tmp_path / "in", boxes=file)
    assert (taken.photos, len(taken.problems)) == ([], 1)
    with pytest.raises(UnusablePhotos, match="is not MegaDetector's"):
        take_in(tmp_path / "in", boxes=written(file, {"images": []}))


FRACTION = st.floats(-0.5, 1.5, allow_nan=False)


@given(st.tuples(FRACTION, FRACTION, FRACTION, FRACTION), st.tuples(*[st.integers(1, 6000)] * 2))
def test_a_part_in_pixels_lies_within_the_picture(
    part: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    left, top, right, bottom = in_pixels(part, size)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


def test_one_animal_found_twice_is_one() -> None:
    one, same, other = (0.1, 0.1, 0.5, 0.5), (0.12, 0.1, 0.5, 0.45), (0.6, 0.6, 0.9, 0.9)
    assert distinct([Animal(0.9, one), Animal(0.8, same)]) == [Animal(0.9, one)]
    assert len(distinct([Animal(0.9, one), Animal(0.8, same), Animal(0.7, other)])) == 2
    assert distinct([]) == []
