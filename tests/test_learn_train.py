"""Whole trainings: digits, and a folder of photos to a model file."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from learning import made_up_photos, one_thread, write_photos  # noqa: F401
from resight.errors import ResightError
from resight.evaluate.metrics import retrieval
from resight.fingerprint import Fingerprinter, load_model
from resight.learn import PhotoSet, ReidLearner, TripletLoss, one
from resight.learn.plan import hold_back
from resight.learn.resume import Resume
from resight.learn.train import train_digits, train_folder
from resight.learn.whitening import Whitened
from resight.photos.digits import embedded_digits

# A training of the same folder in another process, which kills itself after its second epoch.
KILLED = """
import os, signal, sys, torch
torch.set_num_threads(1)
from resight.learn import one
from resight.learn.resume import Resume
from resight.learn.train import train_folder

one._SAVED = 0  # these epochs are over in no time

def after_epoch(self, after=Resume.after_epoch):
    after(self)
    if self.learn.epoch == 1:
        os.kill(os.getpid(), signal.SIGKILL)

Resume.after_epoch = after_epoch
train_folder(sys.argv[1], sys.argv[2], epochs=4, progress=False)
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of PNGs of three digits, sixteen of each."""
    all_digits = embedded_digits()
    at = np.concatenate([np.flatnonzero(all_digits.train_labels == d)[:16] for d in range(3)])
    photos = PhotoSet.of(all_digits.train_pixels[at], all_digits.train_labels[at])
    return write_photos(tmp_path_factory.mktemp("photos") / "digits", photos)


@pytest.fixture(scope="module")
def model(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Trained on it in one go."""
    out = tmp_path_factory.mktemp("models") / "digits.onnx"
    train_folder(digits, out, epochs=4, progress=False)
    return out


def test_several_networks_and_looks_become_one_model(digits: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.onnx"
    card = train_folder(digits, out, epochs=1, networks=2, looks=True, dim=16, progress=False)
    assert card.dim == 32
    hashes = {hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in digits.rglob("*.png")}
    assert set(card.training["photos_seen"]) < hashes  # and none of those held back
    assert len(card.training["photos_seen"]) == 48 - card.training["held_back"]
    names = sorted(folder.name for folder in digits.iterdir())
    assert card.has_seen([*names, f" {names[0].upper()} ", "somebody", None]) == [
        *[True] * (len(names) + 1),
        False,
        False,
    ]
    assert (card.training["networks"], card.training["looks"]) == (2, 5)
    assert 0 < card.metrics["R@1"] <= 1
    assert Fingerprinter(out)(sorted(digits.rglob("*.png"))[:3]).vectors.shape == (3, 32)
    assert list(tmp_path.iterdir()) == [out]  # no state is left behind
    with pytest.raises(ResightError, match="0 networks"):
        train_folder(digits, tmp_path / "none.onnx", networks=0)


@pytest.mark.parametrize("loss", ["triplet", "soft-triplet", "supcon", "arcface"])
def test_each_loss_trains_photographs(loss: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for who in range(3):
        (tmp_path / "photos" / str(who)).mkdir(parents=True)
        for number in range(5):
            colours = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(colours).save(tmp_path / "photos" / str(who) / f"{number}.png")
    out = tmp_path / "m.onnx"
    card = train_folder(tmp_path / "photos", out, loss=loss, epochs=1, dim=8, progress=False)
    words = {
        "triplet": "semihard",
        "soft-triplet": "soft",
        "supcon": "SupCon",
        "arcface": "ArcFace",
    }
    assert words[loss] in card.training["loss"]


def test_a_loss_that_cannot_be_is_refused_before_anything_is_done(
    digits: Path, tmp_path: Path
) -> None:
    with pytest.raises(ResightError, match="is no loss here"):
        train_folder(digits, tmp_path / "m.onnx", loss="hinge", progress=False)  # type: ignore
    with pytest.raises(ResightError, match="virtual"):
        train_folder(digits, tmp_path / "m.onnx", loss="arcface", progress=False)
    assert not list(tmp_path.iterdir())


def test_digits_are_trained_by_their_recipe(capfd: pytest.CaptureFixture[str]) -> None:
    digits = embedded_digits()
    train = PhotoSet.of(digits.train_pixels[::20], digits.train_labels[::20])
    valid = PhotoSet.of(digits.test_pixels[::20], digits.test_labels[::20])
    learn = train_digits(train, valid, steps=6, photos=8)
    assert isinstance(learn, ReidLearner)
    assert len(learn.recorder.losses) == pytest.approx(6, abs=len(learn.dls.train) - 1)
    pixels, labels = learn.dls.train.one_batch()
    assert int(labels.max()) >= 10  # virtual individuals
    assert pixels.shape[-2:] == learn.model.sees == (48, 48)  # drawn as finely as they are seen
    told = capfd.readouterr().err.splitlines()
    assert len(told) == learn.n_epoch
    assert all("train loss" in line and "R@1" in line and "s left" in line for line in told)
    assert isinstance(learn.model.head[-1], Whitened)
    found = retrieval(learn.embed(valid.pixels).numpy(), valid.labels.numpy(), resamples=0)
    assert learn.figures["R@1"] == found.rank_1.value  # of what it is in the end
    plain = train_digits(
        train,
        valid,
        steps=1,
        photos=8,
        augment=[],
        loss=TripletLoss(),
        whitened=False,
        progress=False,
    )
    assert not isinstance(plain.model.head[-1], Whitened)
    assert int(plain.dls.train.one_batch()[1].max()) < 10
    assert capfd.readouterr().err == ""


def test_a_folder_becomes_a_model(model: Path, digits: Path) -> None:
    card = load_model(model).card
    assert (card.size, card.channels, card.dim, card.body) == ((28, 28), 1, 128, "drawing")
    told = card.training
    assert (told["kind"], told["epochs"], told["seed"]) == ("drawings", 4, 0)
    assert (told["photos"], told["held_back"], told["individuals"]) == (39, 9, 3)
    assert set(card.metrics) == {"train_loss", "valid_loss", "R@1", "mAP"}
    assert 0 < card.metrics["R@1"] <= 1
    assert [p.name for p in model.parent.iterdir()] == [model.name]
    found = Fingerprinter(model)(sorted(digits.rglob("*.png")))
    assert found.vectors.shape == (48, 128)


def test_a_training_that_was_killed_gives_the_same_model(
    model: Path, digits: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "digits.onnx"
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(digits), str(out)]
    ended = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir()] == ["digits.onnx.state"]
    capfd.readouterr()
    card = train_folder(digits, out, epochs=4)
    told = capfd.readouterr().err
    assert "epoch 3 of 4" in told
    assert "epoch 2 of 4" not in told
    assert card == load_model(model).card
    assert out.read_bytes() == model.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["digits.onnx"]


def test_the_same_seed_gives_the_same_model(model: Path, digits: Path, tmp_path: Path) -> None:
    first, again, other = (
        train_folder(digits, tmp_path / "m.onnx", epochs=2, dim=8, seed=seed, progress=False)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first.content_hash != other.content_hash


def test_the_state_of_another_training_is_not_overwritten(digits: Path, tmp_path: Path) -> None:
    state = tmp_path / "m.onnx.state"
    state.write_bytes(b"something else")
    with pytest.raises(ResightError, match="delete the file") as caught:
        train_folder(digits, tmp_path / "m.onnx", epochs=1, dim=8, progress=False)
    assert "\n" not in str(caught.value)
    assert state.read_bytes() == b"something else"
    assert not (tmp_path / "m.onnx").exists()
    train_folder(digits, tmp_path / "m.onnx", epochs=1, dim=8, progress=False, resume=False)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_colour_photos_are_trained_as_photographs(tmp_path: Path) -> None:
    photos = made_up_photos(2, 4, size=(60, 80), channels=3)
    root = write_photos(tmp_path / "photos", photos, ".jpg")
    card = train_folder(root, tmp_path / "m.onnx", epochs=1, pretrained=False, progress=False)
    assert (card.size, card.channels, card.body) == ((96, 96), 3, "resnet18")
    assert card.training["kind"] == "photos"
    assert card.training["held_back"] == 4
    wishes: dict[str, Any] = {"body": "small", "size": (32, 24), "channels": 1, "dim": 8}
    card = train_folder(root, tmp_path / "m.onnx", epochs=1, progress=False, **wishes)
    assert (card.size, card.channels, card.body, card.dim) == ((32, 24), 1, "small", 8)


@pytest.mark.parametrize(("each", "share"), [(3, 0.2), (8, 0.0)])
def test_figures_of_the_training_photos_are_not_told(
    each: int, share: float, tmp_path: Path
) -> None:
    root = write_photos(tmp_path / "photos", made_up_photos(3, each))
    card = train_folder(
        root, tmp_path / "m.onnx", epochs=1, dim=8, valid_share=share, progress=False
    )
    assert card.training["held_back"] == 0
    assert set(card.metrics) == {"train_loss"}


def test_nobody_is_held_back_alone() -> None:
    photos = made_up_photos(2, 10)
    uneven = photos.take([*range(10), 10, 11])  # ten of one, two of the other
    used, valid = hold_back(uneven, 0.2, 0)
    assert valid is uneven
    assert used.tolist() == list(range(12))
    used, valid = hold_back(photos, 0.2, 0)
    assert (len(used), len(valid)) == (16, 4)
    assert valid.labels.unique(return_counts=True)[1].tolist() == [2, 2]


def _empty(root: Path) -> None:
    (root / "photos").mkdir()


def _missing(_: Path) -> None:
    pass


def _one_individual(root: Path) -> None:
    write_photos(root / "photos", made_up_photos(1))


def _one_photo_each(root: Path) -> None:
    write_photos(root / "photos", made_up_photos(4, 1))


def _text(root: Path) -> None:
    write_photos(root / "photos", made_up_photos(2))
    (root / "photos" / "who 0" / "a.png").write_text("not a picture")


def _truncated(root: Path) -> None:
    write_photos(root / "photos", made_up_photos(2, 4, channels=3), ".jpg")
    path = root / "photos" / "who 1" / "b.jpg"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:1500])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_empty, "photos"),
        (_missing, "photos"),
        (_one_individual, "2 are needed"),
        (_one_photo_each, "one photo only"),
        (_text, "a.png"),
        (_truncated, "b.jpg"),
    ],
)
def test_a_folder_that_cannot_serve_is_one_line(make: Any, words: str, tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "out").mkdir()
    with pytest.raises(ResightError, match=words) as caught:
        train_folder(tmp_path / "photos", tmp_path / "out" / "m.onnx", progress=False)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "wish",
    [
        {"size": 4},
        {"size": 100_000},
        {"channels": 2},
        {"epochs": 0},
        {"epochs": 3, "budget": 60.0},
        {"dim": 0},
        {"valid_share": 0.9},
        {"valid_share": float("nan")},
        {"seed": -1},
        {"body": "nope"},
        {"out": "m.txt"},
        {"out": "m"},
        {"out": "folder.onnx"},
        {"out": "file/m.onnx"},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_one_line(
    wish: dict[str, Any], digits: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").write_text("in the way")
    settings = dict(wish)
    out = tmp_path / settings.pop("out", "m.onnx")
    with pytest.raises(ResightError) as caught:
        train_folder(digits, out, progress=False, **settings)
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.onnx"]


def test_many_drawings_are_shown_as_many_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them has many photos, which make an epoch longer than their sum would."""
    rng = np.random.default_rng(0)
    names = [f"glyph {i:02}" for i in range(82) for _ in range(60 if i == 7 else 2)]
    pixels = rng.integers(0, 90, (len(names), 1, 16, 16), dtype=np.uint8)
    root = write_photos(tmp_path / "glyphs", PhotoSet.of(pixels, names))
    asked: list[tuple[ReidLearner, int]] = []
    monkeypatch.setattr(one, "fit_epochs", lambda learn, epochs, *_: asked.append((learn, epochs)))
    train_folder(root, tmp_path / "m.onnx", valid_share=0, dim=8, progress=False)
    [(learn, epochs)] = asked
    batches = learn.dls.train
    assert (batches.batches.individuals, batches.batches.photos) == (80, 3)
    assert len(batches) == 20, "sixty photos, three at a time"
    assert epochs == 35
    first = next(iter(batches.batches))
    assert len(first) == 240


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_ours_is_one_line(digits: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResightError, match="nothing can be written there"):
        train_folder(digits, tmp_path / "m.onnx", progress=False)


def test_a_disk_that_is_full_at_the_end_keeps_the_training(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training is through and cannot be written: what was learned must not be lost."""
    out = tmp_path / "m.onnx"

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResightError, match="No space left"):
        train_folder(digits, out, epochs=1, dim=8, progress=False)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx.state"]
    monkeypatch.setattr(Resume, "before_epoch", _passed_over)
    train_folder(digits, out, epochs=1, dim=8, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def _passed_over(self: Any, before: Any = Resume.before_epoch) -> None:
    assert self.done == 1
    before(self)
