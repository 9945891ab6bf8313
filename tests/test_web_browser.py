"""The review in a real browser: from dropping photos to an exported history, by keyboard."""

import base64
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import browser
import reviews
from resight.catalogue import Catalogue
from resight.web import create_app

pytest.importorskip("playwright", reason="needs playwright (the dev extra)")


@pytest.fixture
def served(filled_herd: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a review, and its catalogue's file."""
    shutil.copytree(filled_herd, tmp_path, dirs_exist_ok=True)
    app = create_app(tmp_path / "herd.db", reviewer="Ada")
    with browser.serving(app) as address:
        yield address, tmp_path / "herd.db"


@pytest.fixture
def page(chrome: Any, served: tuple[str, Path]) -> Iterator[Any]:
    found = browser.new_page(chrome, served[0])
    yield found
    wrong = list(found.wrong)
    found.context.close()
    assert not wrong


def answered(page: Any) -> None:
    """Wait until a photo is shown with its answer."""
    page.wait_for_selector("#candidates li[aria-selected=true]")


def waiting(page: Any, count: int) -> None:
    """Wait until so many are said to wait."""
    page.get_by_text(f"{count} waiting", exact=True).wait_for()


def drop(page: Any, *photos: tuple[str, bytes]) -> None:
    """Drop files onto the page, as from a file manager."""
    page.evaluate(
        """(photos) => {
            const data = new DataTransfer();
            for (const [name, text] of photos) {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                data.items.add(new File([bytes], name, { type: "image/png" }));
            }
            for (const kind of ["dragenter", "dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(kind, {
                    dataTransfer: data, bubbles: true, cancelable: true }));
            }
        }""",
        [(name, base64.b64encode(content).decode()) for name, content in photos],
    )


def test_from_dropping_photos_to_an_exported_history(page: Any, served: tuple[str, Path]) -> None:
    page.goto("/")
    answered(page)
    browser.shot(page, "queue")
    drop(
        page, ("dropped-1.png", reviews.photo_bytes(5)), ("dropped-2.png", reviews.photo_bytes(30))
    )
    page.get_by_role("button", name="Add", exact=True).click()
    waiting(page, 6)
    page.keyboard.press("m")
    page.wait_for_selector("#lines line")
    browser.shot(page, "queue-lines")
    page.keyboard.press("m")
    name = page.locator("#candidate-title").inner_text()
    for left in (5, 4, 3, 2, 1):  # a key for each photo whose first candidate is right
        page.keyboard.press("Enter")
        waiting(page, left)
        answered(page)
        page.wait_for_timeout(400)  # after what was just decided the answer may change: look first
    page.keyboard.press("n")
    page.keyboard.type("Nova")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing waits").wait_for()
    browser.shot(page, "queue-empty")
    page.keyboard.press("u")
    waiting(page, 1)
    answered(page)
    page.keyboard.press("j")
    page.get_by_text("Nothing waits").wait_for()
    page.keyboard.press("u")
    answered(page)
    page.keyboard.press("n")
    page.keyboard.type("Nova")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing waits").wait_for()
    page.get_by_role("link", name="History").click()
    page.get_by_text("Named 1 photo: Nova").first.wait_for()
    browser.shot(page, "history")
    with page.expect_download() as told:
        page.get_by_role("link", name="Export as a table").click()
    table = Path(told.value.path()).read_text(encoding="utf-8").splitlines()
    assert table[0] == "action,at,who,verb,summary,undone,undoes"
    assert sum(",undo,took back" in line for line in table) == 2
    assert table[-1].count("named 1 photo: Nova") == 1
    with Catalogue.open(served[1]) as catalogue:
        assert not catalogue.unnamed()
        assert len(catalogue.photos_of("Nova")) == 1
        assert name in [one.name for one in catalogue.individuals()]


@pytest.mark.parametrize("count", [30, pytest.param(100, marks=pytest.mark.slow)])
def test_a_key_for_each_photo_where_the_first_candidate_is_right(
    page: Any, served: tuple[str, Path], count: int
) -> None:
    with Catalogue.open(served[1]) as catalogue:
        catalogue.junk([photo.path for photo in catalogue.unnamed()])
        vectors, names, _ = catalogue.vectors()
        rows = np.arange(count) * 7 % len(vectors)
        files = [reviews.photo_file(served[1].parent / "more", seed, 5) for seed in range(count)]
        noise = np.random.default_rng(0).standard_normal((count, vectors.shape[1])) / 100
        near = vectors[rows] + noise
        near /= np.linalg.norm(near, axis=1, keepdims=True)
        catalogue.add(files, vectors=near)
    page.goto("/")
    answered(page)
    page.evaluate(
        """() => {
            window.presses = 0;
            addEventListener("keydown", () => { window.presses += 1; }, true);
            const asked = window.fetch;
            Object.assign(window, { underWay: 0, heard: performance.now() });
            window.fetch = async (...what) => {
                window.underWay += 1;
                try { return await asked(...what); }
                finally { window.underWay -= 1; window.heard = performance.now(); }
            };
        }"""
    )
    for left in reversed(range(count)):
        # A key right after the first candidate changed does nothing: a person looks first.
        page.wait_for_function("() => !window.underWay && performance.now() - window.heard > 450")
        page.keyboard.press("Enter")
        waiting(page, left)
        if left:
            answered(page)
    page.get_by_text("Nothing waits").wait_for()
    assert page.evaluate("window.presses") == count
    with Catalogue.open(served[1]) as catalogue:
        for file, row in zip(files, rows, strict=True):
            (said,) = catalogue.decisions(file)
            assert (said.what, said.individual, said.who) == ("same", names[row], "Ada")


def test_two_reviewers_at_once(chrome: Any, page: Any, served: tuple[str, Path]) -> None:
    page.goto("/")
    answered(page)
    other = browser.new_page(chrome, served[0])
    other.goto("/history")
    other.get_by_role("button", name="Ada").click()
    other.get_by_label("Your name").fill("Bob")
    other.keyboard.press("Enter")
    other.get_by_text("Decisions are Bob's").wait_for()
    other.goto("/")
    answered(other)
    other.get_by_text("Ada is here too").wait_for()
    mine, his = (one.locator("#query-image").get_attribute("data-photo") for one in (page, other))
    assert mine != his
    browser.shot(other, "two-reviewers")
    # Bob decides on Ada's photo behind her back, by another program.
    with Catalogue.open(served[1]) as catalogue:
        catalogue.name([int(mine)], "Koko", who="Bob")
    page.keyboard.press("Enter")
    page.get_by_text("meanwhile Bob named 1 photo: Koko").wait_for()
    browser.shot(page, "meanwhile")
    page.wrong[:] = [words for words in page.wrong if "409" not in words]
    with Catalogue.open(served[1]) as catalogue:
        (said,) = [one for one in catalogue.decisions(int(mine)) if one.what == "same"]
        assert (said.who, said.individual) == ("Bob", "Koko")
    assert not other.wrong
    other.context.close()


def test_groups_that_take_long_say_how_far_they_are(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, really = threading.Event(), Catalogue.group

    def slowly(self: Catalogue, *, progress: Any, **options: Any) -> Any:
        progress("Comparing 2,000 photos", 0.42)
        assert go_on.wait(60)
        return really(self, progress=progress, **options)

    monkeypatch.setattr(Catalogue, "group", slowly)
    page.goto("/groups")
    page.get_by_text("Comparing 2,000 photos, 42 %").wait_for()
    assert page.get_by_role("progressbar").evaluate("(bar) => bar.value") == 0.42
    browser.shot(page, "groups-looked-for")
    go_on.set()
    page.wait_for_function("() => !document.querySelector('#groups progress')")
    assert page.locator("#groups").inner_text()
    browser.shot(page, "groups-found")


def test_a_reload_loses_no_decision(page: Any, served: tuple[str, Path]) -> None:
    page.goto("/")
    answered(page)
    shown = int(page.locator("#query-image").get_attribute("data-photo"))
    page.route("**/api/decisions", lambda route: route.abort())  # the line is down
    page.keyboard.press("Enter")
    page.get_by_text("not saved yet").wait_for()
    assert int(page.locator("#query-image").get_attribute("data-photo")) != shown
    page.unroute("**/api/decisions")
    page.get_by_text("Named 1 photo: Luna").wait_for()  # it went by itself
    answered(page)
    page.route("**/api/decisions", lambda route: route.abort())
    page.keyboard.press("l")
    page.wait_for_function("() => localStorage.length === 1")
    other = page.context.new_page()
    other.goto("/history")  # which sends nothing
    page.close()  # a crash: as long as it is open, it takes up itself what is left
    other.evaluate(  # some time ago
        """() => {
            for (const [key, text] of Object.entries(localStorage)) {
                localStorage.setItem(key, JSON.stringify({ ...JSON.parse(text), at: 0 }));
            }
        }"""
    )
    other.goto("/")
    other.get_by_text("Put off 1 photo").wait_for()
    with Catalogue.open(served[1]) as catalogue:
        assert len(catalogue.unnamed()) == 3
        assert [one.what for one in catalogue.decisions()][-1] == "later"
    page.wrong.clear()


def test_a_killed_server_and_a_closed_page_lose_no_decision(
    chrome: Any, filled_herd: Path, tmp_path: Path
) -> None:
    shutil.copytree(filled_herd, tmp_path, dirs_exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with reviewing(tmp_path / "herd.db", port) as server:
        page = browser.new_page(chrome, address)
        page.goto("/")
        waiting(page, 4)
        answered(page)
        page.keyboard.press("Enter")
        waiting(page, 3)  # acknowledged
        answered(page)
        page.wait_for_timeout(400)
        server.kill()
        server.wait(20)
    decided = [page.locator("#query-image").get_attribute("data-photo")]
    page.keyboard.press("l")
    page.get_by_text("not saved yet").wait_for()
    page.wait_for_function(
        "(was) => document.querySelector('#query-image').dataset.photo !== was", arg=decided[0]
    )
    decided.append(page.locator("#query-image").get_attribute("data-photo"))
    page.keyboard.press("j")
    page.get_by_text("2 decisions not saved yet").wait_for()
    page.close()  # nobody asks whether it may
    with reviewing(tmp_path / "herd.db", port):
        page = page.context.new_page()
        page.goto("/")  # at once: what was left a moment ago is taken up all the same
        page.get_by_text("1 photo as junk").wait_for(timeout=20_000)
        waiting(page, 2)
        page.context.close()
    with Catalogue.open(tmp_path / "herd.db") as catalogue:
        assert [one.what for one in catalogue.decisions()][-3:] == ["same", "later", "junk"]
        for photo, what in zip(map(int, decided), ("later", "junk"), strict=True):
            assert [one.what for one in catalogue.decisions(photo)] == [what]
        assert catalogue.check().sound


@contextmanager
def reviewing(place: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`resight review` as a process of its own, that answers."""
    words = [sys.executable, "-m", "resight.cli", "review", str(place), "--no-open"]
    process = subprocess.Popen(
        [*words, "--port", str(port), "--who", "Ada"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "http" in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        process.wait(30)


def test_an_encounter_with_mouse_and_undo(page: Any, served: tuple[str, Path]) -> None:
    folder = served[1].parent
    with Catalogue.open(served[1]) as catalogue:
        catalogue.junk([photo.path for photo in catalogue.unnamed()])
        from resight.photos import Photo

        files = [reviews.photo_file(folder / "more", 3, number) for number in (5, 6, 7)]
        catalogue.add([Photo(path, encounter="Sunday") for path in files])
    page.goto("/")
    answered(page)
    assert page.locator("#query-title").inner_text() == "Who is this? 3 photos"
    page.locator("#candidates li").nth(1).click()
    page.get_by_role("button", name="Not the same").click()
    page.get_by_text("are not the same").wait_for()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("a")
    page.get_by_role("button", name="The whole encounter").wait_for()
    page.keyboard.press("a")
    page.mouse.move(400, 350)
    page.mouse.wheel(0, -400)
    browser.shot(page, "encounter-zoomed")
    moves = page.locator("#query-image, #candidate-image").evaluate_all(
        "(images) => images.map((image) => image.style.transform)"
    )
    assert moves[0] == moves[1] != "translate(0px, 0px) scale(1)"
    answered(page)
    page.get_by_role("button", name="Same", exact=False).first.click()
    page.get_by_text("Nothing waits").wait_for()
    page.get_by_role("button", name="Undo", exact=True).first.click()
    waiting(page, 3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_and_used_by_all(
    chrome: Any, served: tuple[str, Path], scheme: str
) -> None:
    page = browser.new_page(chrome, served[0], color_scheme=scheme)
    for path, name in (
        ("/", "queue"),
        ("/groups", "groups"),
        ("/history", "history"),
        ("/api", "api"),
        ("/nowhere", "error"),
    ):
        page.goto(path)
        page.wait_for_selector("#candidates img" if path == "/" else "main :not([aria-busy=true])")
        page.wait_for_timeout(250)
        browser.shot(page, f"{name}-{scheme}")
        assert browser.serious(page) == [], path
        assert page.evaluate(browser.UNNAMED) == [], path
        assert page.evaluate(browser.FAINT) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    for width, high in ((1024, 600), (820, 1180)):
        page.set_viewport_size({"width": width, "height": high})
        page.goto("/")
        answered(page)
        browser.shot(page, f"queue-{width}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        nav = page.locator(".top nav")
        assert nav.evaluate("(one) => one.scrollWidth <= one.clientWidth"), "a page is hidden"
        same = page.locator('[data-do="same"]').bounding_box()
        assert same["y"] + same["height"] <= high
    for key, dialog in (("?", "help"), ("n", "new")):
        page.keyboard.press(key)
        page.locator(f"#{dialog}-dialog").wait_for()
        browser.shot(page, f"{dialog}-{scheme}")
        assert browser.serious(page) == [], dialog
        page.keyboard.press("Escape")
    assert not [words for words in page.wrong if "404" not in words]
    page.context.close()
