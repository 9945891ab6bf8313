"""The tutorial holds no outputs, runs from top to bottom, and shows what it says."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parents[1] / "tutorials" / "re-identify-a-star.ipynb"
STEPS = re.compile(r"^STEPS = \d+", re.MULTILINE)
GLYPHS_ASKED = 13
FEW = 16  # one epoch of the tutorial's batches


def _cells() -> list[dict[str, Any]]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def _sources(kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in _cells() if cell["cell_type"] == kind]


def test_notebook_is_committed_without_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}, "widgets or settings"
    assert notebook["metadata"]["language_info"] == {"name": "python"}, "somebody's Python"
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}, cell["id"]
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], f"{cell['id']} has outputs: clear them before a commit"
            assert cell["execution_count"] is None, cell["id"]


def test_notebook_is_valid_and_short() -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs the dev extra")
    nbformat.validate(nbformat.read(NOTEBOOK, as_version=4))
    assert len(_cells()) <= 60
    assert len({cell["id"] for cell in _cells()}) == len(_cells())


def test_every_chapter_of_the_contents_is_there_in_order() -> None:
    first, *_ = _sources("markdown")
    text = "\n".join(_sources("markdown"))
    contents = re.findall(r"^(\d+)\. ", first, re.MULTILINE)
    chapters = re.findall(r"^## (\d+)\. ", text, re.MULTILINE)
    assert contents == chapters == [str(number) for number in range(1, 12)]


def test_every_code_cell_is_followed_by_words() -> None:
    kinds = [cell["cell_type"] for cell in _cells()]
    silent = [
        _cells()[place]["id"]
        for place in range(2, len(kinds) - 1)  # after STEPS and the imports
        if kinds[place] == kinds[place + 1] == "code"
    ]
    assert not silent


def test_nothing_is_left_to_come() -> None:
    text = "\n".join(_sources("markdown"))
    assert not re.search(r"\btk\b|TODO|FIXME", text, re.IGNORECASE)
    assert re.findall(r"\]\((?!https://)", text) == [], "a link that is not a web address"
    assert len(re.findall(r"\]\(https://", text)) >= 12


def test_names_no_place_of_one_machine() -> None:
    for cell in _sources("code"):
        assert not re.search(r"""["'](/|~|[A-Z]:\\)""", cell), cell


def test_says_how_many_steps_in_one_place() -> None:
    assert sum(len(STEPS.findall(cell)) for cell in _sources("code")) == 1


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


def _execute(folder: Path, steps: int | None) -> Ran:
    for package in ("torch", "fastai", "mlxtend", "onnx"):
        pytest.importorskip(package, reason="needs the train extra")
    nbclient = pytest.importorskip("nbclient", reason="needs the dev extra")
    nbformat = pytest.importorskip("nbformat", reason="needs the dev extra")
    pytest.importorskip("ipykernel", reason="needs the dev extra")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and steps is not None:
            cell.source = STEPS.sub(f"STEPS = {steps}", cell.source)
    client = nbclient.NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()  # raises CellExecutionError where a cell fails
    return Ran(notebook.cells)


def _private(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel, profile or style of the user's own; what is written stays in the folder."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    monkeypatch.delenv("JUPYTER_PATH", raising=False)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    (folder / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "temporary"))


def _check_what_does_not_hang_on_training(ran: Ran) -> None:
    errors = [cell.source for cell in ran.cells for o in cell.outputs if o.output_type == "error"]
    assert not errors
    # The sums that the text works out by hand.
    assert "loss 0.932; 1 of 2 triplets" in ran.text("pairwise_distance(three)")
    mined = ran.text("on_circle(0, 20, 30, -25)")
    for line in (
        "semihard  0.133   1 of 2",
        "hard      0.212   2 of 2",
        "all       0.159   3 of 4",
    ):
        assert line in mined
    assert "loss 0.200, largest gradient 0.000" in ran.text("collapsed = ")
    assert ran.text("ContrastiveLoss(margin=1.0)").strip() == "1.233"
    assert "3600 of 3600" in ran.text("list(sampler)")
    assert "28 virtual individuals" in ran.text("distinct_turns(train.names)")
    # Pictures, where there should be some, and with something in them.
    for code, count in {
        "digits = embedded_digits()": 1,
        "draw_circle(plt.figure(figsize=(3, 3)).gca(), three": 1,
        "on_circle(0, 20, 30, -25)": 1,
        "hinge, soft": 1,
        "distinct_turns(train.names)": 1,
        "learn.show_batch(": 1,
        "learn.lr_find(": 1,
        "learn.fit_one_cycle(": 1,
        "learn.show_results(": 1,
        "def show_neighbours(": 1,
        "stars = draw(": 2,
        'catalogue.enrol("star", stars[0])': 1,
        "for candidate in answer.candidates": 1,
        "rows.append(": 1,
        "draw_map(": 1,
    }.items():
        pictures = ran.pictures(code)
        assert len(pictures) == count, code
        assert all(min(p.shape) > 70 and p.std() > 10 for p in pictures), code
    # The model file computes what torch does, and without it.
    assert "(1000, 128) float32" in ran.text("by_torch")
    assert ran.number("by_torch", r"farthest from torch's: (\S+)") < 1e-4
    assert "torch is loaded: False" in ran.text("subprocess.run(")
    assert "1000 photos of 10 individuals" in ran.text("catalogue.enrol_many(")
    assert re.search(r"R@1 +[01]\.\d+ +\[", ran.text("retrieval(vectors, names)"))
    assert "among 1001 photos" in ran.text('catalogue.enrol("star", stars[0])')
    assert "0 that cannot be read" in ran.text("photos_by_individual(")
    assert ran.number("mirrored[:, 4] = True", r"of (\d+) individuals") > 10


def _glyphs(ran: Ran) -> dict[str, tuple[int, int, int]]:
    """The table's rows: asked, recognised, among the first three."""
    header, _, *rows = ran.table("rows.append(")
    assert header[1:] == ["asked", "recognised", "among the first three", "taken for"]
    found = {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in rows}
    assert len(found) == GLYPHS_ASKED
    assert "star" in found
    assert all(0 <= right <= near <= asked == 12 for asked, right, near in found.values())
    right, asked = sum(r for _, r, _ in found.values()), sum(a for a, _, _ in found.values())
    assert f"{right} of {asked} recognised" in ran.text("rows.append(")
    return found


def _epochs(ran: Ran) -> list[dict[str, float]]:
    header, *rows = ran.table("learn.fit_one_cycle(")
    assert header == ["epoch", "train_loss", "valid_loss", "R@1", "mAP", "time"]
    return [dict(zip(header[:-1], map(float, row[:-1]), strict=True)) for row in rows]


def test_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _private(tmp_path, monkeypatch)
    ran = _execute(tmp_path, FEW)
    _check_what_does_not_hang_on_training(ran)
    (epoch,) = _epochs(ran)
    assert 0 < epoch["train_loss"] < 1
    assert 0.5 < epoch["R@1"] <= 1, "sixteen batches are enough for more than half"
    assert len(_glyphs(ran)) == GLYPHS_ASKED
    left = [path.name for path in tmp_path.iterdir()]
    assert all("jupyter" in name or name in ("ipythondir", "temporary") for name in left), left


@pytest.mark.slow
def test_what_the_words_promise_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _private(tmp_path, monkeypatch)
    ran = _execute(tmp_path, None)
    _check_what_does_not_hang_on_training(ran)
    assert _epochs(ran)[-1]["R@1"] > 0.97
    assert ran.number("retrieval(vectors, names)", r"R@1 +(\S+)") > 0.97
    star = ran.number("stars = draw(", r"a star's nearest digit: +(\S+) away")
    digit = ran.number("stars = draw(", r"a digit's nearest other digit: +(\S+) away")
    assert star > 3 * digit
    glyphs = _glyphs(ran)
    assert ran.number('catalogue.enrol("star", stars[0])', r"^(\d+) of 12 recognised") >= 11
    asked = sum(asked for asked, _, _ in glyphs.values())
    assert sum(right for _, right, _ in glyphs.values()) > 0.75 * asked
    assert sum(near for _, _, near in glyphs.values()) > 0.95 * asked
