"""The tutorial on photographs: runs on made ones, finds what it hid, and shows what it says."""

import re
from pathlib import Path

import pytest

import notebooks
from notebooks import FOLDER, Ran

NOTEBOOK = FOLDER / "real-photographs.ipynb"
QUICK = "--epochs 2 --size 64"
MADE = re.compile(r"individuals=\d+")
SETTINGS = {
    "PHOTOS": re.compile(r'^PHOTOS = ".*?"', re.MULTILINE),
    "TRAIN": re.compile(r'^TRAIN = ".*?"', re.MULTILINE),
}


def test_notebook_is_committed_without_outputs() -> None:
    notebooks.check_is_committed_without_outputs(NOTEBOOK)


def test_notebook_is_valid_and_short() -> None:
    notebooks.check_is_valid_and_short(NOTEBOOK)


def test_every_chapter_of_the_contents_is_there_in_order() -> None:
    notebooks.check_chapters(NOTEBOOK, 9)


def test_its_words_follow_every_cell_and_lead_somewhere() -> None:
    notebooks.check_words(NOTEBOOK, links=4)
    text = "\n".join(notebooks.sources_of(NOTEBOOK, "markdown"))
    for page in re.findall(r"`(docs/[\w-]+\.md)`", text):
        assert (NOTEBOOK.parents[1] / page).is_file(), page


def test_what_to_change_stands_in_one_place() -> None:
    cells = notebooks.sources_of(NOTEBOOK, "code")
    for setting in SETTINGS.values():
        assert sum(len(setting.findall(cell)) for cell in cells) == 1


def _execute(folder: Path, *, made: int = 30, **settings: str) -> Ran:
    def change(code: str) -> str:
        code = MADE.sub(f"individuals={made}", code)
        for name, value in settings.items():
            code = SETTINGS[name].sub(f"{name} = {value!r}", code)
        return code

    return notebooks.execute(NOTEBOOK, folder, change, ("torch", "fastai", "onnx", "cv2"))


def _right(ran: Ran) -> tuple[int, int, int]:
    """Named right by the fingerprint, by both, and how many asked."""
    text = ran.text("closely=True")
    alone = re.search(r"fingerprint: +(\d+) of (\d+)", text)
    both = re.search(r"keypoints: +(\d+) of", text)
    assert alone
    assert both
    return int(alone[1]), int(both[1]), int(alone[2])


def _check_what_does_not_hang_on_training(ran: Ran, made: int) -> None:
    assert f"photos of {made} individuals" in ran.text("make_photos(")
    found = ran.text('"cut-off.jpg").write_bytes')
    for slip in (
        "1 photo cannot be used",
        "stands under two names",
        "written in several ways",
        "mend first what is wrong",
    ):
        assert slip in found
    mended = ran.text('(PHOTOS / "S 07").rmdir()')
    assert "To mend" not in mended
    assert "Training can begin: " in mended
    assert "Split by day" in ran.text("resight(f'divide")
    assert "Wrote " in ran.text("resight(f'train")
    assert "A random split would have said" in ran.text("resight(f'evaluate")
    for code, count in {
        "make_photos(": 1,
        "result.confusions": 1,
        "best_match(query, shortlist)": 1,
    }.items():
        pictures = ran.pictures(code)
        assert len(pictures) == count, code
        assert all(min(p.shape) > 70 and p.std() > 10 for p in pictures), code
    told = re.search(r"(\d+) of \d+ named right", ran.text("catalogue.enrol_many("))
    assert told
    assert int(told[1]) == _right(ran)[0]


def test_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebooks.apart(tmp_path, monkeypatch)
    ran = _execute(tmp_path, made=14, TRAIN=QUICK)
    _check_what_does_not_hang_on_training(ran, 14)
    alone, both, asked = _right(ran)
    assert asked >= 15
    assert both > alone, "keypoints find spots, however little was trained"
    left = [path.name for path in tmp_path.iterdir()]
    assert all("jupyter" in name or name in ("ipythondir", "temporary") for name in left), left


@pytest.mark.slow
def test_what_the_words_promise_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebooks.apart(tmp_path, monkeypatch)
    ran = _execute(tmp_path)
    _check_what_does_not_hang_on_training(ran, 30)
    alone, both, asked = _right(ran)
    assert alone > 0.35 * asked, "about half by the fingerprint"
    assert both > 0.65 * asked
    said = ran.text("resight(f'evaluate")
    split = re.search(r"would have said (\d+) of 100 instead of (\d+)", said)
    assert split
    at_random, by_day = int(split[1]), int(split[2])
    assert at_random >= by_day


@pytest.mark.slow
def test_runs_on_photos_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resight.photos.made_animals import make_photos

    notebooks.apart(tmp_path, monkeypatch)
    make_photos(tmp_path / "temporary" / "mine", individuals=12, days=4, size=128, seed=5)
    ran = _execute(tmp_path, TRAIN=QUICK, PHOTOS=str(tmp_path / "temporary" / "mine"))
    assert "photos of 12 individuals" in ran.text("make_photos(")
    assert "Split by day" in ran.text("resight(f'divide")
    assert _right(ran)[2] > 0
