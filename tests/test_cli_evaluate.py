"""`resight evaluate`, as a person would run it."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import all_below, resight
from resight.fingerprint.model import Card, load_model, name_key
from resight.photos.content import content_hash
from textures import noisy, texture

pytest.importorskip("onnx", reason="needs the onnx package (the train extra)")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Six individuals with three encounters of two photos each, alike but for the exposure."""
    root = tmp_path_factory.mktemp("herd") / "photos"
    for person in range(6):
        for day in range(3):
            folder = root / f"cow {person}" / f"day {day}"
            folder.mkdir(parents=True)
            for number in range(2):
                picture = noisy(texture(person, 40), 20, seed=100 * person + 10 * day + number)
                Image.fromarray(picture).save(folder / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def table(photos) -> Path:
    """The same with dates and one more individual, who comes on the last day only."""
    out = photos.parent / "photos.csv"
    rows = []
    for path in sorted(photos.rglob("*.png")):
        person, day = path.parts[-3], int(path.parts[-2][-1])
        if person == "cow 5" and day < 2:
            continue
        rows.append((path.relative_to(photos.parent), person, f"2024-05-0{day + 1}"))
    with out.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "identity", "date"), *rows])
    return out


def test_it_says_how_good_in_plain_words(tiny_model, photos, tmp_path):
    report = tmp_path / "report.html"
    before = all_below(photos)
    ran = resight("evaluate", tiny_model, photos, "--report", report)
    assert ran.code == 0, ran
    assert "it names 100 right" in ran.out
    assert "split by encounter" in ran.out
    assert f"Wrote {report}" in ran.out
    page = report.read_text()
    assert "tiny on photos" in page
    assert "cow 3" in page
    assert all_below(photos) == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    again = tmp_path / "again.html"
    resight("evaluate", tiny_model, photos, "--report", again)
    assert again.read_text() == page


def test_newcomers_by_date_as_json(tiny_model, table):
    ran = resight("evaluate", tiny_model, table, "--until", "2024-05-02", "--json")
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert told["by"] == "date"
    assert (told["known"], told["new"], told["gallery"]) == (10, 2, 20)
    assert told["closed"]["R@1"]["value"] == 1
    assert told["opened"]["AUROC"]["value"] == 1
    assert told["people"][-1]["name"] == "cow 5"
    assert told["background"]["queries"] == 10
    assert told["summary"][0]["words"].startswith("12 photos ask")
    assert {Path(one["query"]).parts[-3] for one in told["strangers"]} == {"cow 5"}


def test_a_closer_look(tiny_model, photos):
    ran = resight(
        "evaluate", tiny_model, photos, "--split", "encounter", "--closely", "--no-background",
        "--json",
    )  # fmt: skip
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert told["background"] is None
    assert told["closely"]["closely R@1"]["value"] == 1
    assert told["closely"]["gain"]["value"] == 0
    assert told["closely"]["keypoints alone R@1"]["value"] == 1  # textures with a little noise
    assert told["closely"]["keypoints alone queries"] == told["known"]
    assert any("without any training" in one["words"] for one in told["summary"])
    by_individual = resight(
        "evaluate", tiny_model, photos, "--split", "individual", "--share", "0.5", "--closely"
    )
    assert by_individual.code == 0, by_individual
    assert "closer look" in by_individual.out


def model_that_saw(path: Path, files: list[Path], names: Sequence[str] = ()) -> Path:
    import models

    seen = sorted(content_hash(file)[:16] for file in files)
    training = {"photos_seen": seen, "individuals_seen": sorted(map(name_key, names))}
    card = Card(size=(28, 28), channels=1, dim=32, training=training)
    made = models.make_model(path, card=card)
    assert load_model(made).card.training["photos_seen"] == seen
    return made


def test_what_training_kept_back_is_asked(photos, tmp_path):
    files = sorted(photos.rglob("*.png"))
    seen = [file for file in files if file.parts[-2] != "day 2"]
    model = model_that_saw(tmp_path / "m.onnx", seen)
    ran = resight("evaluate", model, photos, "--json", "--no-background")
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert (told["known"], told["gallery"], told["seen_in_gallery"]) == (12, 24, 24)
    assert "it kept back" in told["summary"][0]["words"]
    # Split otherwise, those that it has seen do not ask.
    told = json.loads(resight("evaluate", model, photos, "--split", "random", "--json").out)
    assert told["left_out"] > 0
    assert any("did not ask" in one["words"] for one in told["summary"])
    assert any("flatter" in one["words"] or "too good" in one["words"] for one in told["summary"])


def test_what_was_kept_back_at_random_flatters(photos, tmp_path):
    flat = tmp_path / "flat"
    for file in sorted(photos.rglob("*.png")):  # as above, but nobody says which encounter it was
        *_, person, day, name = file.parts
        (flat / person).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, flat / person / f"{day} {name}")
    seen = [file for file in sorted(flat.rglob("*.png")) if "day 2" not in file.name]
    ran = resight("evaluate", model_that_saw(tmp_path / "m.onnx", seen), flat, "--no-background")
    assert "Mind: Split as in training: nothing tells which photos are of one encounter" in ran.out


def test_some_old_photos_in_a_new_folder_are_no_gallery(photos, tmp_path):
    files = sorted(photos.rglob("*.png"))
    model = model_that_saw(tmp_path / "m.onnx", files[:2])
    ran = resight("evaluate", model, photos, "--json", "--no-background", "--closely")
    assert ran.code == 0, ran
    told = json.loads(ran.out)
    assert (told["by"], told["gallery_individuals"]) == ("encounter", 6)
    assert "split by encounter" in told["summary"][0]["words"]


def test_whoever_was_trained_on_is_no_newcomer(photos, tmp_path):
    """By name: these photos are others than those that taught."""
    words = ("evaluate", photos, "--split", "open", "--share", "0.4", "--no-background", "--json")

    def told(name: str, people: Sequence[str]) -> str:
        model = model_that_saw(tmp_path / name, [], people)
        ran = resight(words[0], model, *words[1:])
        return " ".join(one["words"] for one in json.loads(ran.out)["summary"])

    everybody = [f"COW {person} " for person in range(6)]
    assert "not trained on" not in told("all.onnx", everybody)
    assert "animals that it was not trained on it names 100 right" in told("2.onnx", everybody[:2])
    untold = told("none.onnx", [])
    assert "Of 100 photos of newcomers it names" in untold


def test_a_model_that_has_seen_everything(photos, tmp_path):
    model = model_that_saw(tmp_path / "m.onnx", sorted(photos.rglob("*.png")))
    line = resight("evaluate", model, photos).failed_in_one_line()
    assert "trained on every photo that would ask; give photos that it has not seen" in line


def test_a_broken_photo_is_told_before_anything_and_passed_over_when_wished(
    tiny_model, table, tmp_path
):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    rows = table.read_text().splitlines()
    listed = [rows[0], *(f"{table.parent}/{row}" for row in rows[1:]), f"{bad},cow 1,2024-05-01"]
    (tmp_path / "all.csv").write_text("\n".join(listed))
    report = tmp_path / "r.html"
    ran = resight("evaluate", tiny_model, tmp_path / "all.csv", "--report", report)
    assert ran.code == 1
    assert "1 problem" in ran.err
    assert "bad.png" in ran.err
    assert not report.exists()
    ran = resight("evaluate", tiny_model, tmp_path / "all.csv", "--report", report, "--skip-bad")
    assert ran.code == 0, ran
    assert "bad.png" in ran.err
    assert "1 photos with problems" not in report.read_text()
    assert "1 photo with problems" in report.read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--split", "sideways"], "'sideways' is no way to split"),
        (["--split", "day", "--until", "2024-01-01"], "for --split date"),
        (["--report", "r.pdf"], "end it in .html"),
        (["--split", "date"], "a split by date needs two or more"),
        (["--split", "given"], "no photo has a split"),
    ],
)
def test_options_that_cannot_be(tiny_model, photos, words, says):
    assert says in resight("evaluate", tiny_model, photos, *words).failed_in_one_line()


def test_photos_that_cannot_be_asked(tiny_model, tmp_path):
    line = resight("evaluate", tmp_path / "no.onnx", tmp_path).failed_in_one_line()
    assert "no such model" in line
    one = tmp_path / "one" / "cow"
    one.mkdir(parents=True)
    for number in range(4):
        Image.fromarray(texture(number, 30)).save(one / f"{number}.png")
    ran = resight("evaluate", tiny_model, tmp_path / "one")
    assert ran.code == 1
    assert "one individual" in ran.failed_in_one_line()
    for number in range(4):
        other = tmp_path / "one" / f"<script>{number}"
        other.mkdir()
        for twice in range(2):
            Image.fromarray(noisy(texture(9 + number, 30), seed=twice)).save(other / f"{twice}.png")
    report = tmp_path / "r.html"
    ran = resight("evaluate", tiny_model, tmp_path / "one", "--report", report)
    assert ran.code == 0, ran
    assert "too few to say much" in ran.out
    assert "&lt;script&gt;" in report.read_text()
    assert "<script>" not in report.read_text()


def test_the_fence_is_called_the_fence(tmp_path):
    """A model that sees the edges of the picture only."""
    import models

    root = tmp_path / "photos"
    for person in range(8):
        for number in range(4):
            pixels = texture(person, 40)
            pixels[4:-4, 4:-4] = texture(1000 + 10 * person + number, 40)[4:-4, 4:-4]
            folder = root / f"cow {person}" / str(number)
            folder.mkdir(parents=True)
            Image.fromarray(pixels).save(folder / "a.png")
    edge = np.ones((28, 28), bool)
    edge[2:-2, 2:-2] = False
    weights = np.random.default_rng(0).standard_normal((28 * 28, 32)) * edge.reshape(-1, 1)
    model = models.make_model(tmp_path / "m.onnx", weights=weights)
    ran = resight("evaluate", model, root, "--split", "encounter")
    assert ran.code == 0, ran
    assert "Mind: It knows the fence at least as well as the animal" in ran.out
