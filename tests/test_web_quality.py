"""Quality: the calibration as it is drawn, what was measured, and what would help."""

import re
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import browser
import reviews
from resight.catalogue import Catalogue
from resight.photos import Photo
from resight.web import create_app
from reviews import Review

PEOPLE, DAYS = 24, 3


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, tiny_rgb_model: Path) -> Path:
    """A folder with a catalogue of 24 individuals met on three days each, to be copied.

    The last two are hard to tell apart, and one has a photo only.
    """
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    own = rng.standard_normal((PEOPLE, 16))
    own[-1] = own[-2] + 0.3 * rng.standard_normal(16)
    photos, vectors = [], []
    for who in range(PEOPLE):
        for day in range(DAYS if who else 1):
            path = folder / "in" / f"{who}-{day}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
            side = "right" if who % 2 and day else "left"
            photos.append(Photo(path, f"W{who:02}", date=datetime(2025, 5, 1 + day), side=side))
            vectors.append(own[who] + 0.35 * rng.standard_normal(16))
    made = np.array(vectors, np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    with Catalogue.open(folder / "many.db", model=tiny_rgb_model, create=True) as catalogue:
        catalogue.enrol_many(photos, vectors=made, who="Ada")
    return folder


@pytest.fixture
def herd(many: Path, tmp_path: Path) -> Iterator[Review]:
    """A review of it."""
    shutil.copytree(many, tmp_path, dirs_exist_ok=True)
    place = str(tmp_path / "many.db")
    with reviews.open_review(place, tmp_path) as client:
        reviews.at_the_page(client)
        yield Review(client, place, tmp_path)


def ended(review: Review, name: str) -> Any:
    """Wait for the work of this name; what is said of it."""
    deadline = time.monotonic() + 60
    while (job := review.get("/api/quality/progress")[name])["running"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return job


def test_calibrated_from_the_page_as_by_the_command(herd: Review) -> None:
    before = herd.client.get("/quality").text
    assert "Not calibrated yet." in before
    assert "<svg viewBox" not in before.partition("<main")[2]
    assert "Calibrate" in herd.get("/api/quality/gaps")["advice"][0]
    assert herd.post("/api/quality/calibrate", {})["error"] is None
    job = ended(herd, "calibrate")
    assert (job["words"], job["error"]) == ("Calibrated", None)
    kept = herd.catalogue.newest_calibration()
    assert kept is not None
    assert kept.calibration.enough
    assert kept.calibration.to_dict() == herd.catalogue.calibrate().calibration.to_dict()
    page = herd.client.get("/quality").text
    figures = kept.calibration.figures
    assert page.count('class="dot"') == sum(
        count > 0 for key in ("answer", "new") for count in figures[key]["counts"]
    )
    # The dots stand where the figures say.
    dots = [(float(x), float(y)) for x, y in re.findall(r'class="dot" cx="(.+?)" cy="(.+?)"', page)]
    told = [
        (260 * p, 260 * (1 - o))
        for key in ("answer", "new")
        for p, o in zip(figures[key]["predicted"], figures[key]["observed"], strict=True)
        if p is not None
    ]
    np.testing.assert_allclose(dots, told, atol=0.06)
    for value in (figures["single"]["AUROC"]["value"], 100 * figures["set 95%"]["coverage"]):
        assert f"{value:.3f}" in page or f"{value:.1f}" in page
    assert "Asked" in page


def test_what_lacks_what_and_what_came_since(herd: Review) -> None:
    herd.catalogue.calibrate()
    found = herd.get("/api/quality/gaps")
    assert (found["individuals"], found["one_photo"]) == (PEOPLE, 1)
    assert found["one_photo_names"] == ["W00"]
    evens = [f"W{who:02}" for who in range(0, PEOPLE, 2)]
    assert found["without_side"] == {"left": 0, "right": len(evens)}
    assert found["without_side_names"]["right"] == evens
    assert (found["decisions"], found["named"]) == (0, 0)
    number = herd.catalogue.numbers([herd.catalogue.photos_of("W05")[0].path])
    said = herd.post("/api/map/whose", {"photos": number, "individual": "W06", "known": True})
    assert herd.get("/api/quality/gaps")["decisions"] == 1
    herd.post("/api/undo", {"action": said["actions"][0]})
    assert herd.get("/api/quality/gaps")["decisions"] == 0


def test_measured_here_and_sent_as_a_file(herd: Review) -> None:
    assert herd.get("/api/quality/evaluation") is None
    assert herd.client.get("/quality/report.html").status_code == 400
    herd.post("/api/quality/evaluate", {})
    assert ended(herd, "evaluate")["error"] is None
    found = herd.get("/api/quality/evaluation")
    assert found["current"]
    assert any("ask, of" in one["words"] for one in found["said"])
    assert found["muddles"][0]["names"] == ["W22", "W23"]
    worst = found["pairs"][0]
    assert {worst["asked"]["individual"], worst["taken_for"]["individual"]} == {"W22", "W23"}
    assert worst["right"]["individual"] == worst["asked"]["individual"]
    report = herd.client.get("/quality/report.html")
    assert "attachment" in report.headers["content-disposition"]
    assert "<svg" in report.text
    # As `resight evaluate` has it, on the same fingerprints.
    from resight.evaluate.evaluation import evaluation
    from resight.photos.encounters import encounter_numbers
    from resight.photos.split import split_photos

    photos = [p for one in herd.catalogue.individuals() for p in herd.catalogue.photos_of(one.name)]
    vectors, names, _ = herd.catalogue.vectors()
    assert names == [photo.individual for photo in photos]
    own = evaluation(vectors, names, encounter_numbers(photos), split_photos(photos))
    assert herd.desk.memory["evaluation"].found.to_dict() == own.to_dict()
    herd.post(
        "/api/map/whose",
        {"photos": [worst["asked"]["id"]], "individual": "Somebody new", "known": False},
    )
    assert not herd.get("/api/quality/evaluation")["current"]


def test_too_little_is_said_in_words(tmp_path: Path, tiny_rgb_model: Path, review: Review) -> None:
    review.post("/api/quality/calibrate", {})
    assert "Not enough yet" in ended(review, "calibrate")["words"]
    page = review.client.get("/quality").text
    assert "Not calibrated yet." in page
    kept = review.catalogue.newest_calibration()
    assert kept is not None
    assert f"Too little to calibrate yet: there are {kept.calibration.missing()}" in page
    assert "6 of 20 individuals" in page
    with Catalogue.open(tmp_path / "none.db", model=tiny_rgb_model, create=True):
        pass
    with reviews.open_review(str(tmp_path / "none.db"), tmp_path) as client:
        reviews.at_the_page(client)
        nobody = Review(client, str(tmp_path / "none.db"), tmp_path)
        assert client.get("/quality").status_code == 200
        for name in ("calibrate", "evaluate"):
            nobody.post(f"/api/quality/{name}", {})
            assert "two of them at least" in ended(nobody, name)["error"]


def test_work_goes_on_once_and_ends_with_the_review(review: Review) -> None:
    import threading

    gate, ran = threading.Event(), []

    def work(job: Any) -> None:
        ran.append(job)
        while not gate.wait(0.01):
            job.tell("waiting", 0.5)

    jobs = review.desk.jobs
    first = jobs.start("test", "begun", work)
    assert jobs.start("test", "again", work) is first
    jobs.end()
    assert first.done
    assert len(ran) == 1
    assert jobs.start("test", "after the end", work).done


# In a browser.


def test_reliability_is_shown_when_it_is_calibrated_now(
    chrome: Any, many: Path, tmp_path: Path
) -> None:
    shutil.copytree(many, tmp_path, dirs_exist_ok=True)
    with browser.serving(create_app(tmp_path / "many.db", reviewer="Ada")) as address:
        page = browser.new_page(chrome, address, viewport={"width": 1280, "height": 720})
        page.goto("/quality")
        page.get_by_text("The surest mistakes").wait_for()  # measured without being asked to
        assert page.locator(".diagram").count() == 0
        page.keyboard.press("c")
        page.locator(".diagram svg").nth(1).wait_for()
        page.get_by_text("The surest mistakes").wait_for()
        assert page.locator(".diagram .dot").count() > 3
        page.locator(".mistake img").first.wait_for()
        card = page.locator(".mistake").first
        card.get_by_role("button", name="Not the same").click()
        page.get_by_text("are not the same").wait_for()
        card.wait_for(state="hidden")
        with Catalogue.open(tmp_path / "many.db") as catalogue:
            assert catalogue.decisions()[-1].what == "not the same"
        for width, high, scheme in ((1280, 720, "light"), (820, 1180, "dark")):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": high})
            page.goto("/quality")
            page.locator(".gap").first.wait_for()
            page.get_by_text("Taken for one another").wait_for()
            page.wait_for_timeout(250)
            browser.shot(page, f"quality-{width}-{scheme}")
            browser.usable_by_all(page)
        assert not page.wrong
        page.context.close()
