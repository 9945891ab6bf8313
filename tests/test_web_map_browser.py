"""The map of fingerprints in a real browser, by mouse and by keyboard."""

from collections.abc import Iterator
from typing import Any

import pytest

import browser
import reviews
from reviews import Review


@pytest.fixture
def page(chrome: Any, laid: Review) -> Iterator[Any]:
    from resight.web import create_app

    app = create_app(laid.place, reviewer="Ada", cache=laid.folder / "pictures")
    with browser.serving(app) as address:
        found = browser.new_page(chrome, address, viewport={"width": 1280, "height": 720})
        yield found
        wrong = list(found.wrong)
        found.context.close()
    assert not wrong


def place_of(page: Any, photo: int) -> tuple[float, float]:
    """Where a photo is on the screen."""
    x, y = page.evaluate(
        """(photo) => {
            const map = window.resightMap, box = map.over.getBoundingClientRect();
            const at = map.photos.indexOf(photo);
            return [box.left + map.sx[at], box.top + map.sy[at]];
        }""",
        photo,
    )
    return x, y


def test_hover_lasso_name_and_undo(page: Any, laid: Review) -> None:
    page.goto("/map")
    page.get_by_text("28 photos, in 6 individuals").wait_for()
    page.wait_for_timeout(300)
    browser.shot(page, "map")
    book = laid.catalogue
    waiting = [one.photos[0].id for one in book.waiting(4)]
    page.mouse.move(*place_of(page, waiting[0]))
    page.locator("#tip img").wait_for()
    assert "no name yet" in page.locator("#tip").inner_text()
    browser.shot(page, "map-hover")
    # A lasso around it, by the mouse.
    x, y = place_of(page, waiting[0])
    page.keyboard.press("l")
    page.mouse.move(x - 9, y - 9)
    page.mouse.down()
    for dx, dy in ((9, -9), (9, 9), (-9, 9), (-9, -9)):
        page.mouse.move(x + dx, y + dy, steps=3)
    page.mouse.up()
    page.locator("#thumbs .thumb").first.wait_for()
    chosen = page.evaluate("[...resightMap.selected].map((at) => resightMap.photos[at])")
    assert waiting[0] in chosen
    around = {
        photo
        for photo in page.evaluate("resightMap.photos")
        if max(abs(a - b) for a, b in zip(place_of(page, photo), (x, y), strict=True)) < 8
    }
    assert around <= set(chosen)
    browser.shot(page, "map-lasso")
    page.keyboard.press("Escape")
    page.locator("#selection").wait_for(state="hidden")
    # By the keyboard alone: the photo that waits, and its name.
    page.locator("#map").focus()
    page.evaluate(
        "(photo) => { resightMap.cursor = resightMap.photos.indexOf(photo); }", waiting[0]
    )
    page.keyboard.press("Enter")
    page.get_by_text("1 photo selected").wait_for()
    page.keyboard.press("n")
    page.keyboard.type("Luna")
    page.get_by_role("button", name="It is Luna").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("Named 1 photo: Luna").wait_for()
    assert book.shown(waiting[:1])[0].individual == "Luna"
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Took back").wait_for()
    assert book.shown(waiting[:1])[0].individual is None


def test_arrows_go_from_photo_to_photo_and_doubts_are_one_click(page: Any, laid: Review) -> None:
    book = laid.catalogue
    (wrong,) = book.numbers([book.photos_of("Luna")[0].path])
    book.move([wrong], "Koko", who="Ada")
    page.goto("/map")
    page.get_by_role("button", name="Look", exact=True).first.wait_for()
    page.locator("#map").focus()
    seen = set()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
        seen.add(page.evaluate("resightMap.cursor"))
    assert len(seen) > 2
    assert page.locator("#told").inner_text()
    before = page.evaluate("resightMap.fit")
    page.keyboard.press("+")
    assert page.evaluate("resightMap.fit") > before
    page.keyboard.press("0")
    doubt = page.locator(".doubt").filter(has_text="Named Koko")
    doubt.get_by_role("button", name="Look", exact=True).first.click()
    page.locator("#looks img").nth(2).wait_for()
    page.wait_for_timeout(300)
    browser.shot(page, "map-look")
    page.get_by_role("dialog").get_by_role("button", name="It is Luna").click()
    page.get_by_text("Moved 1 photo of Koko to Luna").wait_for()
    assert book.shown([wrong])[0].individual == "Luna"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_can_be_read_and_used_by_all(chrome: Any, laid: Review, scheme: str) -> None:
    from resight.web import create_app

    reviews.laid_out(laid)
    app = create_app(laid.place, reviewer="Ada", cache=laid.folder / "pictures")
    with browser.serving(app) as address:
        found = browser.new_page(chrome, address, color_scheme=scheme)
        for width, high in ((1280, 720), (820, 1180))[scheme == "dark" :]:
            found.set_viewport_size({"width": width, "height": high})
            found.goto("/map")
            found.get_by_text("28 photos, in").wait_for()
            found.evaluate("document.querySelector('#map').focus()")
            found.keyboard.press("ArrowLeft")
            found.keyboard.press("a")
            found.locator("#thumbs img").first.wait_for()
            found.wait_for_timeout(200)
            browser.shot(found, f"map-{width}-{scheme}")
            browser.usable_by_all(found)
        assert not found.wrong
        found.context.close()


def test_a_key_works_before_the_first_picture(page: Any) -> None:
    page.goto("/map")
    page.get_by_text("28 photos, in").wait_for()
    # A map is built, told its photos and asked in one breath: none of them has been drawn yet.
    ground, left, middle, right, frames = page.evaluate(
        """() => {
            const { constructor: MapView, box } = resightMap, map = new MapView(box);
            const ground = [...map.context.getImageData(5, 5, 1, 1).data], frames = map.frames;
            map.set({ photos: [7, 8, 9], x: [-0.9, 0.05, 0.8], y: [0, 0, 0], who: [0, 0, 0], names: ["A"] });
            const middle = map.step(1, 0), right = map.step(1, 0);
            map.step(-1, 0);
            return [ground, map.step(-1, 0), middle, right, map.frames - frames];
        }"""  # noqa: E501
    )
    assert (left, middle, right) == (0, 1, 2)
    assert frames == 0
    assert min(ground) > 0  # the sheet's colour from the first moment, not black


def test_twenty_thousand_points_are_smooth(page: Any) -> None:
    page.goto("/map")
    page.get_by_text("28 photos, in").wait_for()
    # Time to draw, not frames a second: those are the test machine's affair.
    worst = page.evaluate(
        """() => {
            const map = window.resightMap, count = 20000, photos = [...Array(count).keys()];
            const x = photos.map((i) => Math.cos(i) * (i / count)), y = photos.map((i) => Math.sin(i) * (i / count));
            map.set({ photos, x, y, who: photos.map((i) => i % 500), names: photos.slice(0, 500).map(String) });
            const times = [];
            for (let turn = 0; turn < 40; turn++) {
                map.panX = turn * 3; map.zoom = 1 + turn / 20;
                const began = performance.now();
                map.paint();
                times.push(performance.now() - began);
            }
            return times.sort((a, b) => a - b)[20];
        }"""  # noqa: E501
    )
    assert worst < 100, f"{worst:.1f} ms a picture"  # 6 on an idle computer; this one may be busy
    assert page.evaluate("resightMap.at(resightMap.sx[7], resightMap.sy[7])") >= 0
