"""The wall of faces and an individual's page in a real browser, by keyboard and by mouse."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import browser
import reviews
from herd import make_herd
from resight.catalogue import Catalogue
from resight.photos import Photo
from resight.web import create_app


@pytest.fixture
def served(filled_herd: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a review, and its catalogue's file; Luna and Ada were met at places."""
    shutil.copytree(filled_herd, tmp_path, dirs_exist_ok=True)
    spots = {"Luna": (50.1, 8.2), "Ada": (-16.5, 179.9), "Koko": (-16.4, -179.8)}
    with Catalogue.open(tmp_path / "herd.db") as catalogue:
        for name, (latitude, longitude) in spots.items():
            met = [
                Photo(
                    photo.path,
                    encounter=f"dive {n}",
                    place=("Old quarry", "Mill pond")[n % 2],
                    latitude=latitude + n / 50,
                    longitude=longitude + n / 30,
                )
                for n, photo in enumerate(catalogue.photos_of(name))
            ]
            catalogue.add(met, update=True)
    app = create_app(tmp_path / "herd.db", reviewer="Ada")
    with browser.serving(app) as address:
        yield address, tmp_path / "herd.db"


@pytest.fixture
def page(chrome: Any, served: tuple[str, Path]) -> Iterator[Any]:
    found = browser.new_page(chrome, served[0], viewport={"width": 1280, "height": 720})
    yield found
    wrong = list(found.wrong)
    found.context.close()
    assert not wrong


def said(page: Any, words: str) -> None:
    """Wait until it is said at the foot of the page."""
    page.locator(".toast").get_by_text(words).wait_for()


def tiles(page: Any) -> Any:
    return page.locator(".photo .thumb")


def test_wall_search_and_rename_by_keyboard(page: Any, served: tuple[str, Path]) -> None:
    page.goto("/individuals")
    assert page.locator(".face-tile").count() == 6
    browser.shot(page, "individuals")
    page.keyboard.press("/")
    page.keyboard.type("lun")
    page.get_by_text("1 of 6").wait_for()
    assert page.locator(".face-tile strong").all_inner_texts() == ["Luna"]
    page.keyboard.press("Enter")  # to the first face
    page.keyboard.press("Enter")  # to its page
    page.get_by_role("heading", name="Luna").wait_for()
    page.wait_for_selector("#timeline circle")
    page.wait_for_selector("#places circle.spot")
    page.wait_for_selector("#places circle.other")  # where the others were, from the server
    browser.shot(page, "individual")
    page.keyboard.press("r")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    page.locator("#rename-dialog .bad").get_by_text("somebody else").wait_for()
    page.locator("#rename-name").fill(reviews.HOSTILE[1])
    page.keyboard.press("Enter")
    said(page, f"Renamed Luna to {reviews.HOSTILE[1]}")
    assert page.locator("h1").inner_text() == reviews.HOSTILE[1]
    browser.shot(page, "individual-hostile-name")
    page.keyboard.press("u")
    said(page, "Took back")
    assert page.locator("h1").inner_text() == "Luna"
    page.wrong.clear()  # the name that was refused, as the browser's console has it


def test_split_best_take_out_and_forget_by_keyboard(page: Any, served: tuple[str, Path]) -> None:
    page.goto("/individuals/called?name=Luna")
    tiles(page).first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.get_by_text("1 photo", exact=True).last.wait_for()
    page.keyboard.press("b")
    said(page, "Chose the best photo of Luna")
    assert page.locator(".star").count() == 1
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#viewer[open] img").wait_for()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    browser.shot(page, "individual-viewer")
    page.keyboard.press("Escape")
    page.keyboard.press("x")  # the photo that was looked at last
    said(page, "Took 1 photo out of Luna")
    assert tiles(page).count() == 3
    page.keyboard.press("ArrowDown")
    page.keyboard.press("a")
    browser.shot(page, "individual-selected")
    page.keyboard.press("n")
    page.locator("#split-name").fill("Nova")
    page.keyboard.press("Enter")
    said(page, "Split 1 photo of Luna: Nova")
    assert tiles(page).count() == 2
    page.goto("/individuals/called?name=Nova")
    page.locator(".pick").first.click()
    page.get_by_role("button", name="Somebody known").click()
    page.locator("#move-name").fill("Luna")
    page.get_by_role("button", name="Move").click()
    said(page, "Moved 1 photo of Nova to Luna")
    page.get_by_role("button", name="Let go of Nova").click()
    said(page, "Let go of Nova")
    assert page.locator(".face-tile").count() == 6
    with Catalogue.open(served[1]) as catalogue:
        assert len(catalogue.portrait(catalogue.number_of("Luna")).photos) == 3
        verbs = [event.verb for event in catalogue.history()]
        assert verbs[-5:] == ["best-photo", "take-out", "split", "move", "forget"]
        assert catalogue.check(files=False).sound


def test_merge_side_by_side_and_undo(page: Any, served: tuple[str, Path]) -> None:
    with Catalogue.open(served[1]) as catalogue:
        luna = catalogue.portrait(catalogue.number_of("Luna"))
        catalogue.split("Luna", [photo.id for photo in luna.photos[:2]], new="Luna again")
    page.goto("/individuals/called?name=Luna")
    page.keyboard.press("m")
    page.wait_for_selector("#candidates li[aria-selected=true]")
    assert page.locator("#other-title").inner_text() == "Luna again"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    browser.shot(page, "individual-merge")
    page.keyboard.press("x")
    said(page, "Luna and Luna again are not the same")
    page.get_by_text("Said to be not the same: Luna again").wait_for()
    page.keyboard.press("u")
    said(page, "Took back")
    page.wait_for_selector("#candidates li[aria-selected=true]")
    page.keyboard.press("Enter")
    said(page, "Merged Luna again into Luna")
    assert tiles(page).count() == 4
    page.locator(".toast").get_by_role("button", name="Undo").click()
    said(page, "Took back")
    assert tiles(page).count() == 2
    with Catalogue.open(served[1]) as catalogue:
        assert len(catalogue.individuals()) == 7


def test_the_pages_can_be_used_by_all(page: Any, served: tuple[str, Path]) -> None:
    with Catalogue.open(served[1]) as catalogue:
        luna = catalogue.number_of("Luna")
    for path, name, there in (
        ("/individuals", "individuals", ".face-tile img"),
        (f"/individuals/{luna}", "individual", "#places circle.spot"),
        (f"/individuals/{luna}/merge", "individual-merge", "#candidates li[aria-selected=true]"),
    ):
        page.goto(path)
        page.wait_for_selector(there)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for width, high in ((820, 1180), (1280, 720)):
                page.set_viewport_size({"width": width, "height": high})
                page.wait_for_timeout(120)
                browser.shot(page, f"{name}-{width}-{scheme}")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert page.evaluate(browser.FAINT) == [], path
        page.emulate_media(color_scheme="light")
        assert page.evaluate(browser.UNNAMED) == [], path
        assert browser.serious(page) == [], path


def test_who_wants_no_motion_sees_new_colours_at_once(page: Any) -> None:
    page.goto("/individuals")
    page.wait_for_selector(".face-tile strong")
    # A transition of each element, however short, passes an inherited colour on level by level.
    page.evaluate(
        """() => {
            window.begun = 0;
            document.addEventListener("transitionrun", () => { window.begun += 1; });
        }"""
    )
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    assert page.evaluate("window.begun") == 0


def test_more_faces_come_as_one_scrolls(chrome: Any, tmp_path: Path) -> None:
    herd = make_herd(tmp_path / "c.db")
    for place in range(130):
        herd.individual(f"W{place}")
    herd.store.close()
    with browser.serving(create_app(tmp_path / "c.db", reviewer="Ada")) as address:
        page = browser.new_page(chrome, address)
        page.goto("/individuals")
        page.wait_for_selector(".face-tile")
        assert page.locator(".face-tile").count() == 96
        for _ in range(8):
            page.keyboard.press("End")
            page.wait_for_timeout(150)
        names = page.locator(".face-tile strong").all_text_contents()
        assert names == [f"W{n}" for n in range(130)]
        page.context.close()


def test_the_map_knows_the_date_line_and_round_numbers(page: Any) -> None:
    page.goto("/individuals")
    told = page.evaluate(
        """async () => {
            const home = document.querySelector('link[href*="individuals.css"]').href;
            const map = await import(new URL("places.js", home));
            return [
                map.unwrapped([179.9, -179.8, 179.5]),
                map.unwrapped([-3, 4, 1]),
                map.degrees(-0.5, "NS", 1 / 60),
                map.degrees(66.0333333, "NS", 1 / 60),
                map.degrees(-120, "EW", 10),
                map.degrees(0, "EW", 10),
                map.round(1300), map.round(740), map.round(99999),
                Math.abs(map.latitudeAt(map.northing(66.5)) - 66.5) < 1e-9,
            ];
        }"""
    )
    assert told == [
        [179.9, 180.2, 179.5],
        [-3, 4, 1],
        "0° 30′ S",
        "66° 02′ N",
        "120° W",
        "0°",
        [1000, "1 km"],
        [500, "500 m"],
        [50000, "50 km"],
        True,
    ]


def test_the_map_stands_before_the_page_is_laid_out(page: Any) -> None:
    """The other places come from the server, before or after the first layout."""
    page.goto("/individuals")
    positions = page.evaluate(
        """async () => {
            const home = document.querySelector('link[href*="individuals.css"]').href;
            const { Places } = await import(new URL("places.js", home));
            const box = document.body.appendChild(document.createElement("div"));
            const spot = { latitude: 50, longitude: 8, count: 1, words: "here" };
            new Places(box, [spot], () => {}).among([{ latitude: 50.001, longitude: 8 }]);
            const circles = [...box.querySelectorAll("circle")];
            return circles.map((one) => [one.getAttribute("cx"), one.getAttribute("cy")]);
        }"""
    )
    assert len(positions) == 2
    assert all(math.isfinite(float(value)) for position in positions for value in position)
