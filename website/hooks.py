"""What mkdocs does not know: pages that are made from files outside docs/, and links to those.

The same links work where the repository's files are read as they lie, and on the site.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

HOUSE = Path(__file__).resolve().parents[1]
PACKAGE = HOUSE / "src" / "resight"
ROOMS = ("photos", "learn", "fingerprint", "catalogue", "compare", "evaluate", "web")
# A file of the repository, and the page of the site that shows it.
PAGES = {
    "benchmarks/RESULTS.md": "benchmarks/results.md",
    "README.md": "index.md",
} | {
    f"tutorials/{path.name}": f"tutorials/{path.stem}.md"
    for path in sorted((HOUSE / "tutorials").glob("*.ipynb"))
}
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for source, page in made_pages().items():
        files.append(File.generated(config, source, content=page))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to files of the repository to their pages; show no address of what has none."""
    return with_links_led(markdown, page.file.src_uri)


def on_post_page(output: str, **_: Any) -> str:
    """Give the theme's search a name for those who do not see it."""
    return output.replace(' role="dialog"', ' role="dialog" aria-label="Search"')


def made_pages() -> dict[str, str]:
    """The made pages, by their place on the site."""
    results = (HOUSE / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    pages = {"benchmarks/results.md": _from_repository(results, "benchmarks")}
    for path in sorted((HOUSE / "tutorials").glob("*.ipynb")):
        pages[f"tutorials/{path.stem}.md"] = notebook_page(path)
    pages["reference/resight.md"] = reference_page("resight", PACKAGE / "__init__.py")
    for room in ROOMS:
        name = f"resight.{room}"
        pages[f"reference/{room}.md"] = reference_page(name, PACKAGE / room / "__init__.py")
    return pages


def notebook_page(path: Path) -> str:
    """A notebook as a page: its words, and its code to copy."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"]).strip()
        if not text:
            continue
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    words = (
        f"*This is the notebook `tutorials/{path.name}`, to run yourself: "
        "`resight tutorial --out tutorials` lays it out.*"
    )
    title, _, rest = "\n\n".join(parts).partition("\n")
    return _from_repository(f"{title}\n\n{words}\n{rest}\n", "tutorials")


def reference_page(module: str, file: Path) -> str:
    """The public names of a room, and of its files that have more of them, by their docstrings.

    Only what nobody has described before; `import resight` has nothing of its own.
    """
    parts = [f"# {module}", _docstring(file)]
    names = public_names(file)
    if module == "resight":
        parts += [f"- [`{name}`][resight.{name}]" for name in names if name != "__version__"]
        parts.append("- `__version__`: the package's version.")
        return "\n\n".join(parts[:2]) + "\n\n" + "\n".join(parts[2:]) + "\n"
    parts += [f"::: {module}.{name}" for name in names]
    for more in sorted(file.parent.glob("*.py")):
        others = [name for name in public_names(more) if name not in names]
        if more == file or not others:
            continue
        parts += [f"## {module}.{more.stem}", _docstring(more)]
        parts += [f"::: {module}.{more.stem}.{name}" for name in others]
    return "\n\n".join(parts) + "\n"


def public_names(file: Path) -> list[str]:
    """What a module's `__all__` says, without importing it."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return list(ast.literal_eval(node.value))
    return []


def _docstring(file: Path) -> str:
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").strip()


def with_links_led(markdown: str, here: str) -> str:
    """Links to the repository's files, seen from a page of the site, lead to their pages."""
    folder = posixpath.dirname(here)

    def led(match: re.Match[str]) -> str:
        begin, target, anchor, end = match.groups()
        if "://" in target or target.startswith(("mailto:", "/")):
            return match[0]
        place = posixpath.normpath(posixpath.join("docs", folder, target))
        if _is_path(begin[1:-2]) and (HOUSE / place).is_file():
            begin = f"[{_title(HOUSE / place)}]("
        if place in PAGES:
            return f"{begin}{posixpath.relpath(PAGES[place], folder or '.')}{anchor or ''}{end}"
        if place.startswith("docs/"):
            return f"{begin}{target}{anchor or ''}{end}"
        if (HOUSE / place).exists():
            words = begin.removeprefix("!").removeprefix("[").removesuffix("](")
            return words if words.startswith("`") else f"{words} (`{place}`)"
        return match[0]

    return _LINK.sub(led, markdown)


def _is_path(words: str) -> bool:
    """Whether a link is called by its file, as is right where files are read as they lie."""
    return bool(re.fullmatch(r"[\w./-]+\.(md|ipynb)", words.strip("`")))


def _title(path: Path) -> str:
    """What a page calls itself."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "".join(json.loads(text)["cells"][0]["source"])
    found = re.search(r"^# (.+)$", text, re.M)
    return found[1] if found else path.stem


def _from_repository(text: str, folder: str) -> str:
    """Text of a file in a folder of the repository, with its links as a page of docs/ has them."""

    def moved(match: re.Match[str]) -> str:
        begin, target, anchor, end = match.groups()
        if "://" in target or target.startswith(("mailto:", "/")):
            return match[0]
        place = posixpath.normpath(posixpath.join(folder, target))
        inside = place.removeprefix("docs/") if place.startswith("docs/") else f"../{place}"
        return f"{begin}{posixpath.relpath(inside, folder)}{anchor or ''}{end}"

    return _LINK.sub(moved, text)
