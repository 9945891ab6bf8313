"""The pages of docs/ as a site: whole, with no broken link, and with every command and name."""

import ast
import os
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer

import browser
from resight.cli import app

HOUSE = Path(__file__).resolve().parents[1]
COMMANDS = sorted(typer.main.get_command(app).commands)

pytest.importorskip("material", reason="needs mkdocs-material (the docs extra)")
pytest.importorskip("mkdocstrings", reason="needs mkdocstrings (the docs extra)")


def build(house: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Make the site of a house, strictly."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site]
    return subprocess.run(
        command,
        cwd=house,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site") / "site"
    ran = build(HOUSE, made)
    assert ran.returncode == 0, ran.stderr
    return made


class Page(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors |= {found[key] or "" for key in ("id", "name") if key in found}
        self.links += [(tag, found[key] or "") for key in ("href", "src") if key in found]


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path) for path in sorted(site.rglob("*.html"))}


def test_no_link_leads_nowhere(site: Path, pages: dict[str, Page]) -> None:
    broken, checked = [], 0
    for name, page in pages.items():
        if name == "404.html":  # its links begin at the site's root
            continue
        for _, link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))
            target = name if not parts.path else path
            checked += 1
            if not (site / target).exists():
                broken.append(f"{name}: {link}: no such file")
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors | {"__comments"}
            ):
                broken.append(f"{name}: {link}: no such place on it")
    assert not broken
    assert checked > 1000


def test_nothing_is_fetched_from_elsewhere(site: Path, pages: dict[str, Page]) -> None:
    fetched = [
        (name, tag, link)
        for name, page in pages.items()
        for tag, link in page.links
        if tag != "a" and (urlsplit(link).scheme not in ("", "data") or link.startswith("//"))
    ]
    assert not fetched
    own = (site / "stylesheets" / "resight.css").read_text(encoding="utf-8")
    assert "url(" not in own
    assert "@import" not in own


def test_every_page_of_docs_is_there(pages: dict[str, Page]) -> None:
    for path in (HOUSE / "docs").rglob("*.md"):
        assert str(path.relative_to(HOUSE / "docs").with_suffix(".html")) in pages, path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_place(command: str, pages: dict[str, Page]) -> None:
    assert f"resight-{command}" in pages["commands.html"].anchors


def modules_with_public_names() -> Iterator[tuple[str, str, list[str]]]:
    """Room, module, and what its `__all__` says."""
    for path in sorted((HOUSE / "src" / "resight").glob("*/*.py")):
        found = re.search(r"^__all__ = (\[.*?\])", path.read_text(encoding="utf-8"), re.M | re.S)
        if found:
            module = "" if path.stem == "__init__" else f".{path.stem}"
            room = path.parent.name
            yield room, f"resight.{room}{module}", ast.literal_eval(found[1])


def test_every_public_name_is_described(site: Path, pages: dict[str, Page]) -> None:
    missing, described = [], 0
    for room, module, names in modules_with_public_names():
        anchors = pages[f"reference/{room}.html"].anchors
        for name in names:
            # What a file shares with its room is described as the room's.
            described += 1
            if not {f"{module}.{name}", f"resight.{room}.{name}"} & anchors:
                missing.append(f"{module}.{name}")
    assert not missing
    assert described > 60
    import resight

    links = {link for _, link in pages["reference/resight.html"].links}
    for name in set(resight.__all__) - {"__version__"}:
        assert any(link.endswith(f".{name}") for link in links), name
    # With their words, not only their names.
    shown = (site / "reference" / "catalogue.html").read_text(encoding="utf-8")
    assert "Who a photo shows, as far as the catalogue knows." in shown


def test_links_out_of_docs_are_led(site: Path) -> None:
    shown = (site / "decision.html").read_text(encoding="utf-8")
    assert "RESULTS.md" not in re.findall(r'href="([^"]*)"', shown)
    sys.path.insert(0, str(HOUSE / "website"))
    try:
        from hooks import with_links_led
    finally:
        sys.path.pop(0)
    assert (
        with_links_led("[x](../benchmarks/RESULTS.md#a)", "a.md") == "[x](benchmarks/results.md#a)"
    )
    assert with_links_led("[x](../Makefile)", "a.md") == "x (`Makefile`)"
    assert with_links_led("[team.md](team.md)", "a.md") == "[For a team](team.md)"
    for untouched in ("[x](https://e.org/a.md)", "[x](#here)", "![x](pictures/a.png)"):
        assert with_links_led(untouched, "a.md") == untouched


def test_a_broken_link_breaks_the_build(tmp_path: Path) -> None:
    for name in ("mkdocs.yml", "README.md"):
        shutil.copy(HOUSE / name, tmp_path / name)
    for name in ("website", "tutorials"):
        shutil.copytree(HOUSE / name, tmp_path / name)
    settings = (tmp_path / "mkdocs.yml").read_text(encoding="utf-8")
    # One page, and no reference: only the links are asked here.
    settings = re.sub(r"\nnav:.*", "\nnav:\n  - index.md\n", settings, flags=re.S)
    settings = re.sub(r"\n  - mkdocstrings:.*?\n\n", "\n\n", settings, flags=re.S)
    settings = settings.replace("hooks:\n  - website/hooks.py\n", "")
    (tmp_path / "mkdocs.yml").write_text(settings, encoding="utf-8")
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "index.md"
    page.write_text("# One\n\n[there](#one)\n", encoding="utf-8")
    ran = build(tmp_path, tmp_path / "site")
    assert ran.returncode == 0, ran.stderr
    links = ("missing.md", "#missing", "pictures/missing.png")
    page.write_text("# One\n\n" + "".join(f"[there]({link})\n" for link in links), encoding="utf-8")
    ran = build(tmp_path, tmp_path / "site")
    assert ran.returncode != 0
    for link in links:
        assert f"'{link}'" in ran.stderr, link


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_in_a_browser_it_is_legible_and_asks_nobody_else(site: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=site))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        with browser.browsing() as chrome:
            for scheme in ("light", "dark"):
                page = browser.new_page(chrome, address, color_scheme=scheme)
                asked: list[str] = []
                page.on("request", lambda one, asked=asked: asked.append(one.url))
                page.goto("index.html")
                page.wait_for_load_state("networkidle")
                assert "someone new" in page.locator("h1").first.inner_text()
                assert page.locator("h1").count() == 1
                assert page.locator("article img:visible").count() == 1
                assert not browser.serious(page)
                page.goto("reference/catalogue.html#resight.catalogue.Catalogue")
                assert page.locator("#resight\\.catalogue\\.Catalogue").is_visible()
                assert not [one for one in asked if not one.startswith((address, "data:"))]
                assert not page.wrong
                page.context.close()
    finally:
        server.shutdown()
        server.server_close()
