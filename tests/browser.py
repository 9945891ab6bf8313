"""A real browser on a real server, for tests of the review's pages."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

SCREENS = Path(__file__).resolve().parents[1] / "out" / "screens"


def chromium() -> str:
    """Where Chromium is; without one, the test is skipped."""
    found = os.environ.get("RESIGHT_CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if not found:
        pytest.skip("no Chromium to look at the pages with (install it, or set RESIGHT_CHROMIUM)")
    return found


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of a server for an application, on a free port of loopback."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@contextmanager
def browsing() -> Iterator[Any]:
    """A Chromium of its own, for as long as the block runs."""
    path = chromium()
    sync = pytest.importorskip("playwright.sync_api", reason="needs playwright (the dev extra)")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Any, address: str, **more: Any) -> Any:
    """A page of somebody who has not been here before; its errors fail the test when it is left."""
    settings = {"viewport": {"width": 1366, "height": 768}, "reduced_motion": "reduce", **more}
    context = browser.new_context(base_url=address, **settings)
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on(
        "console",
        lambda said: page.wrong.append(said.text) if said.type == "error" else None,
    )
    return page


def shot(page: Any, name: str) -> Path:
    """Keep a picture of what the page shows, to be looked at."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    path = SCREENS / f"{name}.png"
    page.screenshot(path=path)
    return path


def usable_by_all(page: Any) -> None:
    """Hold a page to have names, contrast and room enough, and nothing serious for axe."""
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(FAINT) == []
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def serious(page: Any) -> list[str]:
    """What axe finds serious or critical on a page, for those who see or move otherwise."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    )
    return [
        f"{found['impact']} {found['id']}: {found['help']}: "
        + "; ".join(str(one["html"])[:150] for one in found["nodes"][:4])
        for found in axe.Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


# What has no name for those who do not see it; an empty list is good.
UNNAMED = """() => {
    const named = (one) => one.getAttribute("aria-label") || one.labels?.length ||
        one.getAttribute("aria-labelledby") || one.textContent.trim() || one.title ||
        one.querySelector("img[alt]:not([alt=''])");
    const all = "button, a[href], input, select, textarea, summary";
    const found = [...document.querySelectorAll(all)]
        .filter((one) => one.checkVisibility() && !named(one));
    found.push(...[...document.querySelectorAll("img:not([alt])")]);
    if (!document.documentElement.lang || !document.title || !document.querySelector("main, h1")) {
        found.push(document.documentElement);
    }
    return found.map((one) => one.outerHTML.slice(0, 200));
}"""

# Words with less contrast to their ground than WCAG's AA asks for (4.5; 3 for large ones).
FAINT = """() => {
    const colour = (text) => {
        const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
        return { r, g, b, a };
    };
    const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = ({ r, g, b }) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
    const over = (top, low) => ({
        r: top.r * top.a + low.r * (1 - top.a), g: top.g * top.a + low.g * (1 - top.a),
        b: top.b * top.a + low.b * (1 - top.a), a: 1,
    });
    const ground = (one) => {
        const layers = [];
        for (let at = one; at; at = at.parentElement) {
            layers.push(colour(getComputedStyle(at).backgroundColor));
        }
        const white = { r: 255, g: 255, b: 255, a: 1 };
        return layers.reverse().reduce((low, top) => over(top, low), white);
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const one = walker.currentNode.parentElement;
        const words = walker.currentNode.textContent.trim();
        if (!words || !one.checkVisibility({ opacityProperty: true })) continue;
        if (one.closest("button:disabled, .visually-hidden, .skip, kbd, svg, script")) continue;
        const style = getComputedStyle(one);
        const below = ground(one);
        const lights = [light(over(colour(style.color), below)), light(below)];
        const [a, b] = lights.sort((x, y) => y - x);
        const size = parseFloat(style.fontSize);
        const least = size >= 24 || (size >= 18.6 && style.fontWeight >= 700) ? 3 : 4.5;
        if ((a + 0.05) / (b + 0.05) < least) found.push(`${one.className}: ${words.slice(0, 40)}`);
    }
    return found;
}"""
