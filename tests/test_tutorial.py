"""The tutorial holds no outputs, runs from top to bottom, and shows what it says."""

import re
from pathlib import Path

import pytest

import notebooks
from notebooks import FOLDER, Ran

NOTEBOOK = FOLDER / "re-identify-a-star.ipynb"
STEPS = re.compile(r"^STEPS = \d+", re.MULTILINE)
GLYPHS_ASKED = 13
FEW = 16  # one epoch of the tutorial's batches


def test_notebook_is_committed_without_outputs() -> None:
    notebooks.check_is_committed_without_outputs(NOTEBOOK)


def test_notebook_is_valid_and_short() -> None:
    notebooks.check_is_valid_and_short(NOTEBOOK)


def test_every_chapter_of_the_contents_is_there_in_order() -> None:
    notebooks.check_chapters(NOTEBOOK, 11)


def test_its_words_follow_every_cell_and_lead_somewhere() -> None:
    notebooks.check_words(NOTEBOOK, links=12)


def test_says_how_many_steps_in_one_place() -> None:
    cells = notebooks.sources_of(NOTEBOOK, "code")
    assert sum(len(STEPS.findall(cell)) for cell in cells) == 1


def _execute(folder: Path, steps: int | None) -> Ran:
    return notebooks.execute(
        NOTEBOOK,
        folder,
        lambda code: code if steps is None else STEPS.sub(f"STEPS = {steps}", code),
        ("torch", "fastai", "mlxtend", "onnx"),
    )


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
    notebooks.apart(tmp_path, monkeypatch)
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
    notebooks.apart(tmp_path, monkeypatch)
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
