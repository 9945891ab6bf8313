"""Bad input: one line that says what and what to do, an exit code, and nothing half-written."""

import os
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from catalogues import write_photos
from command_line import all_below, resight
from models import make_model


@pytest.fixture
def here(tmp_path: Path, tiny_model: Path) -> Path:
    """A folder with good things (photos, a catalogue, its model) and bad ones."""
    good = write_photos(tmp_path / "good", 3)
    (tmp_path / "model.onnx").write_bytes(tiny_model.read_bytes())
    book = tmp_path / "book.db"
    ran = resight("enrol", book, "Luna", *good, "--model", tmp_path / "model.onnx")
    assert ran.code == 0, ran

    bad = tmp_path / "bad"
    bad.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(
        bad / "whole.jpg"
    )
    (bad / "cut.jpg").write_bytes((bad / "whole.jpg").read_bytes()[:900])
    (bad / "whole.jpg").unlink()
    (bad / "text.png").write_text("not a picture")
    Image.new("1", (12_000, 12_001)).save(bad / "bomb.png")
    (tmp_path / "empty").mkdir()

    (tmp_path / "text.onnx").write_text("not a model")
    node = helper.make_node("Identity", ["a"], ["b"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "ab"]
    graph = helper.make_graph([node], "foreign", ends[:1], ends[1:])
    opset = [helper.make_opsetid("", 18)]
    onnx.save(
        helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "foreign.onnx"
    )
    make_model(tmp_path / "other.onnx", seed=5)
    (tmp_path / "text.db").write_text("not a catalogue")
    return tmp_path


def refuses(here: Path, *words: str | Path) -> str:
    """Run in that folder; hold it to one line, a code, and every file as it was. The line."""
    before = all_below(here)
    old = Path.cwd()
    os.chdir(here)
    try:
        ran = resight(*words)
    finally:
        os.chdir(old)
    line = ran.failed_in_one_line()
    assert all_below(here) == before
    assert ran.code == 1
    return line


PHOTOS = {
    "a path that does not exist": ("bad/nobody.jpg", "no such file"),
    "an empty folder": ("empty", "no photos"),
    "a truncated JPEG": ("bad/cut.jpg", "cut.jpg"),
    "a bomb": ("bad/bomb.png", "125,000,000"),
    "text": ("bad/text.png", "text.png"),
    "only bad ones": ("bad", "none of the 3 photos"),
}


@pytest.mark.parametrize("case", PHOTOS)
@pytest.mark.parametrize(
    "command",
    [
        "fingerprint model.onnx {} --out f.npz",
        "enrol book.db Milo {}",
        "enrol new.db Milo {} --model model.onnx",
        "identify book.db {}",
        "identify book.db {} --json",
        "map book.db --out map.png --query {}",
    ],
)
def test_bad_photos(here: Path, command: str, case: str) -> None:
    photo, says = PHOTOS[case]
    assert says in refuses(here, *command.format(photo).split())


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("fingerprint none.onnx good --out f.npz", "no such model"),
        ("fingerprint text.onnx good --out f.npz", "not an ONNX model"),
        ("fingerprint foreign.onnx good --out f.npz", "not one of Resight's"),
        ("fingerprint good good --out f.npz", "not a file"),
        ("enrol new.db Milo good --model none.onnx", "no such model"),
        ("enrol new.db Milo good --model text.onnx", "not an ONNX model"),
        ("enrol new.db Milo good --model foreign.onnx", "not one of Resight's"),
        ("enrol book.db Milo bad --model other.onnx", "keeps to the model"),
        ("identify book.db good --model other.onnx", "keeps to the model"),
        ("identify book.db good --model text.onnx", "not an ONNX model"),
        ("map book.db --out map.png --model other.onnx", "keeps to the model"),
    ],
)
def test_bad_models(here: Path, command: str, says: str) -> None:
    assert says in refuses(here, *command.split())


@pytest.mark.parametrize(
    "command",
    ["enrol {} Milo good", "identify {} good", "map {} --out map.png"],
)
@pytest.mark.parametrize(
    ("catalogue", "says"),
    [
        ("none.db", "there is no catalogue here"),
        ("text.db", "not a catalogue"),
        ("empty", "is a folder"),
        ("nowhere/book.db", "there is no catalogue here"),
    ],
)
def test_bad_catalogues(here: Path, command: str, catalogue: str, says: str) -> None:
    assert says in refuses(here, *command.format(catalogue).split())


def test_a_new_catalogue_with_a_senseless_name_is_not_begun(here: Path) -> None:
    words = ["enrol", "new.db", "  ", "good", "--model", "model.onnx"]
    assert "a name needs a letter or a sign" in refuses(here, *words)
    words = ["enrol", "no/folder.db", "Milo", "good", "--model", "model.onnx"]
    assert "folder does not exist" in refuses(here, *words)


def test_a_photo_has_one_name(here: Path) -> None:
    assert "is enrolled as 'Luna'" in refuses(here, "enrol", "book.db", "Milo", "good/0-0.png")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("fingerprint model.onnx good --out book.db", "end it in .npz"),
        ("fingerprint model.onnx good --out no/f.npz", "its folder does not exist"),
        ("map book.db --out book.db", "end it in .png"),
        ("map book.db --out good/0-0.png", "is one of the photos"),
        ("map book.db --out no/map.png", "its folder does not exist"),
        ("train good --out book.db", "end it in .onnx"),
        ("train good --out model.onnx", "is there already"),
        ("train good --out new.onnx --channels 2", "--channels is 1"),
        ("train good --out new.onnx --size large", "HEIGHTxWIDTH"),
        ("train good --out new.onnx --size 64x64x3", "HEIGHTxWIDTH"),
        ("train good --out new.onnx --size 64x8", "16 to 1024"),
        ("demo --full --digits good", "give one of them"),
    ],
)
def test_no_slip_overwrites_what_is_there(here: Path, command: str, says: str) -> None:
    assert says in refuses(here, *command.split())


def test_a_folder_named_like_the_output(here: Path) -> None:
    (here / "f.npz").mkdir()
    line = refuses(here, "fingerprint", "model.onnx", "good", "--out", "f.npz")
    assert "is a folder" in line


def one_each(folder: Path) -> None:
    for name in ("a", "b", "c"):
        write_photos(folder / name, 1, seed=ord(name))


def test_photos_that_cannot_be_learned_from(here: Path) -> None:
    write_photos(here / "one" / "alone", 4)
    one_each(here / "single")
    for place, says in {
        "nowhere": "no such folder",
        "empty": "no photos",
        "good/0-0.png": "a file, not a folder",
        "good": "in no individual's folder",
        "one": "the same individual",
        "single": "one photo only",
    }.items():
        line = refuses(here, "train", place, "--out", "new.onnx", "--epochs", "1")
        assert says in line
        assert place in line, "it says where"


def test_training_stops_at_a_photo_that_cannot_be_read(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos" / "a", 2)
    write_photos(tmp_path / "photos" / "b", 2, seed=1)
    (tmp_path / "photos" / "b" / "text.png").write_text("not a picture")
    before = all_below(tmp_path)
    ran = resight("train", tmp_path / "photos", "--out", tmp_path / "new.onnx", "--epochs", "1")
    assert ran.code == 1
    last = ran.err.splitlines()[-1]  # before it, the progress of reading
    assert last.startswith("Error: ")
    assert "text.png" in last
    assert "Traceback" not in ran.err
    assert all_below(tmp_path) == before


def test_without_the_train_extra_it_says_what_to_install(here: Path) -> None:
    with patch("resight.commands.common.find_spec", lambda name: None):
        for words in (["train", "good", "--out", "new.onnx"], ["demo", "--out", "out"]):
            line = refuses(here, *words)
            assert "pip install 'resight[train]'" in line


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_not_ours_to_write_in(here: Path) -> None:
    (here / "locked").mkdir(mode=0o500)
    words = ["fingerprint", "model.onnx", "good", "--out", "locked/f.npz"]
    assert "not yours to write in" in refuses(here, *words)


def test_a_full_disk_is_one_line_and_leaves_nothing(here: Path) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device", "f.npz")

    with patch("numpy.savez", full):
        words = ["fingerprint", "model.onnx", "good", "--out", "f.npz"]
        assert "No space left on device" in refuses(here, *words)
