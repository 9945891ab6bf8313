"""`resight doctor MODEL`: what a model's card says, and what is no model."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from catalogues import write_photos
from command_line import resight
from models import make_model
from resight.fingerprint.model import Card

TRAINING = {
    "kind": "photos",
    "photos": 1234,
    "individuals": 56,
    "held_back": 120,
    "epochs": 17,
    "body_pretrained": True,
    "mirrored": True,
    "whitened": [0.12],
    "left_out": [f"photos/{i}.jpg: broken" for i in range(7)],
}


def told(path: Path, training: dict[str, Any], **more: Any) -> dict[str, str]:
    """What doctor says of a model with such a card, by name; what follows a name is its."""
    card = Card(size=(28, 28), channels=1, dim=32, training=training, **more)
    ran = resight("doctor", make_model(path, card=card))
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    first, *lines = ran.out.splitlines()
    assert first == str(path)
    said: dict[str, str] = {}
    for line in lines:
        name = line[:16].strip()
        if name:
            last = name
            said[name] = line[16:].strip()
        elif line.strip():
            said[last] += f" | {line.strip()}"
    return said


def test_a_models_card_is_told_in_words(tmp_path: Path) -> None:
    said = told(
        tmp_path / "m.onnx",
        TRAINING,
        body="swin_tiny",
        licence="CC-BY-NC-4.0",
        metrics={"R@1": 0.9125, "mAP": 0.5},
        version="0.1.0",
    )
    assert said.pop("model")
    assert said == {
        "written by": "Resight 0.1.0",
        "body": "swin_tiny (pretrained)",
        "kind": "photographs",
        "size": "28 × 28 pixels (width × height), grey",
        "fingerprint": "32 numbers",
        "licence": "CC-BY-NC-4.0, not for commercial use",
        "trained on": "56 individuals, 1,234 photos, 120 held back to measure",
        "epochs": "17",
        "reached": "R@1 0.912, mAP 0.5",
        "mirrored": "yes",
        "whitened": "yes, by a power of 0.12",
        "left out": "7 photos | "
        + " | ".join(f"photos/{i}.jpg: broken" for i in range(5))
        + " | and 2 more",
    }


def test_a_card_may_say_little(tmp_path: Path) -> None:
    said = told(tmp_path / "m.onnx", {})
    for name in ("written by", "body", "kind", "licence", "trained on", "epochs", "left out"):
        assert said[name] == "not said", name
    assert (said["mirrored"], said["whitened"]) == ("no", "no")


@pytest.mark.parametrize(
    ("training", "body", "licence", "expected"),
    [
        ({"body_pretrained": False}, "small", "", "none to heed"),
        ({"body_pretrained": False}, "resnet50@mine.safetensors", "", "not said"),
        ({"body_pretrained": True}, "swin_tiny", "", "not said"),
        ({"body_pretrained": True}, "lite2", "Apache-2.0", "Apache-2.0"),
        ({}, "resnet50@mine.safetensors", "unknown", "unknown, so ask who"),
    ],
)
def test_the_licence_of_the_weights(
    tmp_path: Path, training: dict[str, Any], body: str, licence: str, expected: str
) -> None:
    said = told(tmp_path / "m.onnx", training, body=body, licence=licence)
    assert said["licence"].startswith(expected)


def test_whitening_that_was_not_needed_and_nothing_left_out(tmp_path: Path) -> None:
    said = told(tmp_path / "m.onnx", {"whitened": [0], "mirrored": False, "left_out": []})
    assert said["whitened"] == "no: there was no need"
    assert (said["mirrored"], said["left out"]) == ("no", "no photo")


@pytest.mark.parametrize(
    "strange",
    [10**4000, 1e308, "\x1b[31m[bold]red[/bold]\n", ["x" * 9999], [None], {"a": []}, True],
    ids=lambda value: type(value).__name__,
)
def test_whatever_stands_in_a_card_is_told(tmp_path: Path, strange: Any) -> None:
    keys = (*TRAINING, "more")
    metrics = {"R@1": strange, "\x1b[31m": 1.0}
    said = told(tmp_path / "m.onnx", dict.fromkeys(keys, strange), metrics=metrics, body="\x1b[2J")
    assert all(len(words) < 5000 for words in said.values())


@pytest.mark.parametrize("harm", ["missing", "folder", "text", "cut", "no card", "no JSON", "deep"])
def test_what_is_no_model_is_one_line(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "m.onnx"
    if harm == "folder":
        path.mkdir()
    elif harm == "text":
        path.write_text("no model")
    elif harm != "missing":
        card = {"no JSON": "{", "deep": "[" * 200_000}.get(harm)
        make_model(path, card=card, metadata=harm != "no card")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:500])
    assert str(path) in resight("doctor", path).failed_in_one_line()


def test_it_takes_no_torch_to_read_a_card(tiny_model: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from resight.doctor import examine_model;"
        "examine_model(Path(sys.argv[1])); print({'torch', 'fastai', 'timm'} & {*sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tiny_model], check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0, not for commercial use."),
        ("unknown", "unknown, so ask who"),
        ("Apache-2.0", None),
        ("", None),
    ],
)
def test_a_training_says_which_licence_has_to_be_heeded(
    tmp_path: Path, licence: str, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        write_photos(tmp_path / "photos" / name, 2, seed=ord(name))
    card = Card(size=(28, 28), channels=1, dim=32, licence=licence)
    monkeypatch.setattr("resight.learn.train.train_photos", lambda *_, **__: card)
    ran = resight("train", tmp_path / "photos", "--out", tmp_path / "m.onnx")
    assert ran.code == 0
    assert ("Licence" in ran.out) == (words is not None)
    assert (words or "") in ran.out
