"""What the README shows in Python runs as it stands, one block after the other."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalogues import write_photos
from models import make_model
from resight.photos.glyphs import draw_glyph

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def test_there_are_blocks() -> None:
    wanted = ("train_folder(", "reid_learner(", "Fingerprinter(", "Catalogue.open(")
    assert len(BLOCKS) == len(wanted)
    for block, name in zip(BLOCKS, wanted, strict=True):
        assert name in block


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with the photos that the README speaks of."""
    rng = np.random.default_rng(0)
    for name, glyph in {"Luna": "moon", "Milo": "heart", "Nico": "fish"}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):  # small drawings are trained fastest
            drawing = Image.fromarray(draw_glyph(glyph, rng))
            drawing.save(tmp_path / "photos" / name / f"{number}.png")
    loose = write_photos(tmp_path / "loose", 3, seed=9)
    for path, name in zip(loose, ["luna-1.jpg", "luna-2.jpg", "who-is-this.jpg"], strict=True):
        shutil.copy(path, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_training_a_folder(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = pytest.importorskip("resight.learn.train", reason="needs the train extra")
    # The same call, over one epoch: the README's own number is for real photos.
    whole = train.train_folder
    monkeypatch.setattr(train, "train_folder", lambda *a, **k: whole(*a, **k, epochs=1))
    exec(BLOCKS[0], {})
    assert (photos / "whales.onnx").is_file()
    assert "128" in capsys.readouterr().out


def test_training_with_the_parts(photos: Path) -> None:
    pytest.importorskip("fastai", reason="needs the train extra")
    exec(BLOCKS[1], {})
    assert (photos / "parts.onnx").is_file()


def test_fingerprints_and_a_catalogue(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_model(photos / "whales.onnx")
    exec(BLOCKS[2], {})
    assert capsys.readouterr().out.count("[") == 4  # three rows of cosines
    exec(BLOCKS[3], {})
    assert capsys.readouterr().out.startswith("who-is-this.jpg Luna ")


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert link.startswith("https://") or (README.parent / link).exists(), link
