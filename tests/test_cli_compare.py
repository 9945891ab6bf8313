"""`resight compare`: words, picture, JSON, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import all_below, resight
from textures import noisy, texture, turned


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A cow, the same cow later, another cow, and a wall."""
    cow = texture(1)
    kinds = {
        "cow": cow,
        "later": noisy(turned(cow, 5)),
        "upside": noisy(turned(cow, 170)),
        "other": texture(2),
        "wall": np.full((100, 80), 120, np.uint8),
    }
    for name, pixels in kinds.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    herd = Image.new("L", (500, 260), 90)
    herd.paste(Image.fromarray(kinds["later"]), (250, 30))
    herd.save(tmp_path / "herd.png")
    return tmp_path


def test_the_same_cow_agrees_and_is_drawn(photos: Path) -> None:
    out = photos / "match.png"
    ran = resight("compare", photos / "cow.png", photos / "later.png", "--out", out)
    assert ran.code == 0, ran.err
    assert "of them agree" in ran.out
    assert "more than chance" in ran.out
    assert f"Wrote {out}" in ran.out
    assert Image.open(out).size == (480 + 12 + 480, 480)


def test_json_says_how_many_and_how_one_lies_on_the_other(photos: Path) -> None:
    told = {}
    for name in ("later", "upside", "other", "wall"):
        ran = resight("compare", photos / "cow.png", photos / f"{name}.png", "--json")
        assert ran.code == 0, ran.err
        told[name] = json.loads(ran.out)
    assert told["later"]["agreeing"] > 30
    assert told["upside"]["agreeing"] > 30, "turned about it is the same cow, too"
    assert told["other"]["agreeing"] < 10
    assert told["wall"]["places"][1] == 0
    assert told["wall"]["score"] == 0
    assert told["wall"]["transform"] is None
    (a, b, _), (c, d, _) = told["later"]["transform"]
    assert np.rad2deg(np.arctan2(c, a)) == pytest.approx(np.rad2deg(np.arctan2(-b, d)), abs=0.1)
    assert abs(np.rad2deg(np.arctan2(c, a))) == pytest.approx(5, abs=1)


def test_a_part_of_a_photo_is_meant_by_its_box(photos: Path) -> None:
    ran = resight("compare", photos / "cow.png", f"{photos}/herd.png@250,30,450,230", "--json")
    assert json.loads(ran.out)["agreeing"] > 30
    line = resight(
        "compare", photos / "cow.png", f"{photos}/herd.png@250,30,950,230"
    ).failed_in_one_line()
    assert "does not lie within 500" in line


def test_little_and_nothing_are_said_as_what_they_are(photos: Path) -> None:
    ran = resight("compare", photos / "cow.png", photos / "other.png")
    assert "so few say nothing" in ran.out
    ran = resight("compare", photos / "cow.png", photos / "wall.png")
    assert "Nothing of one is found again on the other" in ran.out
    assert "blank, blurred or very small" in ran.out


def test_refusals_are_one_line_and_touch_nothing(photos: Path) -> None:
    cow, later = photos / "cow.png", photos / "later.png"
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    before = all_below(photos)
    for words, why in (
        ([cow, photos / "gone.png"], "no such file"),
        ([cow, photos / "broken.jpg"], "broken.jpg"),
        ([cow, later, "--out", cow], "is one of the photos"),
        ([cow, later, "--out", photos / "match.txt"], ".png"),
        ([cow, later, "--out", photos / "no" / "match.png"], "folder does not exist"),
        ([cow, later, "--learned", photos / "no"], "weights"),
    ):
        assert why in resight("compare", *words).failed_in_one_line()
    assert all_below(photos) == before
