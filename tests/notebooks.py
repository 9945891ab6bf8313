"""What the tests of the notebooks share: running one apart from the user's own Jupyter."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "tutorials"


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return found


def sources_of(notebook: Path, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in cells_of(notebook) if cell["cell_type"] == kind]


def check_is_committed_without_outputs(notebook: Path) -> None:
    metadata = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
    assert set(metadata) == {"kernelspec", "language_info"}, "widgets or settings"
    assert metadata["language_info"] == {"name": "python"}, "somebody's Python"
    for cell in cells_of(notebook):
        assert cell["metadata"] == {}, cell["id"]
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], f"{cell['id']} has outputs: clear them before a commit"
            assert cell["execution_count"] is None, cell["id"]


def check_is_valid_and_short(notebook: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs the dev extra")
    nbformat.validate(nbformat.read(notebook, as_version=4))
    assert len(cells_of(notebook)) <= 60
    assert len({cell["id"] for cell in cells_of(notebook)}) == len(cells_of(notebook))


def check_chapters(notebook: Path, count: int) -> None:
    first, *_ = sources_of(notebook, "markdown")
    text = "\n".join(sources_of(notebook, "markdown"))
    contents = re.findall(r"^(\d+)\. ", first, re.MULTILINE)
    chapters = re.findall(r"^## (\d+)\. ", text, re.MULTILINE)
    assert contents == chapters == [str(number) for number in range(1, count + 1)]


def check_words(notebook: Path, links: int) -> None:
    cells = cells_of(notebook)
    kinds = [cell["cell_type"] for cell in cells]
    silent = [
        cells[place]["id"]
        for place in range(2, len(kinds) - 1)  # after what is to be changed, and the imports
        if kinds[place] == kinds[place + 1] == "code"
    ]
    assert not silent, "each code cell is followed by words"
    text = "\n".join(sources_of(notebook, "markdown"))
    assert not re.search(r"\btk\b|TODO|FIXME", text, re.IGNORECASE)
    assert re.findall(r"\]\((?!https://)", text) == [], "a link that is not a web address"
    assert len(re.findall(r"\]\(https://", text)) >= links
    for cell in sources_of(notebook, "code"):
        assert not re.search(r"""["'](/|~|[A-Z]:\\)""", cell), f"a place of one machine: {cell}"


class Ran:
    """An executed notebook: what the cell that contains some code put out."""

    def __init__(self, cells: list[Any]) -> None:
        self.cells = [cell for cell in cells if cell.cell_type == "code"]

    def outputs(self, code: str) -> list[Any]:
        (cell,) = [cell for cell in self.cells if code in cell.source]
        return list(cell.outputs)

    def text(self, code: str) -> str:
        return "".join(o.text for o in self.outputs(code) if o.output_type == "stream")

    def html(self, code: str) -> str:
        return "".join(o.get("data", {}).get("text/html", "") for o in self.outputs(code))

    def pictures(self, code: str) -> list[np.ndarray]:
        found = [o.get("data", {}).get("image/png") for o in self.outputs(code)]
        return [
            np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("L"))
            for png in found
            if png
        ]

    def number(self, code: str, pattern: str) -> float:
        found = re.search(pattern, self.text(code))
        assert found, f"{pattern} is not in what the cell with {code} prints: {self.text(code)}"
        return float(found[1])

    def table(self, code: str) -> list[list[str]]:
        rows = re.findall(r"<tr.*?</tr>", self.html(code), re.DOTALL)
        return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]


def apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel, profile or style of the user's own; what is written stays in the folder."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    (folder / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "temporary"))


def execute(
    notebook: Path, folder: Path, change: Callable[[str], str], packages: tuple[str, ...]
) -> Ran:
    """Run a notebook in a folder, each code cell as `change` gives it back."""
    for package in packages:
        pytest.importorskip(package, reason="needs the train extra")
    nbclient = pytest.importorskip("nbclient", reason="needs the dev extra")
    nbformat = pytest.importorskip("nbformat", reason="needs the dev extra")
    pytest.importorskip("ipykernel", reason="needs the dev extra")
    read = nbformat.read(notebook, as_version=4)
    for cell in read.cells:
        if cell.cell_type == "code":
            cell.source = change(cell.source)
    client = nbclient.NotebookClient(
        read, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()  # raises CellExecutionError where a cell fails
    return Ran(read.cells)
