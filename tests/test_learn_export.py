"""The model file: what torch computed, in one file that tells nothing of where it was made."""

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import resight
from learning import one_thread, small_learner  # noqa: F401
from resight.errors import ResightError
from resight.fingerprint import Fingerprinter, load_model
from resight.learn import (
    PhotoSet,
    ReidLearner,
    create_embedder,
    export_model,
    glyph_augmentation,
    reid_learner,
)
from resight.photos.digits import Digits, embedded_digits


@pytest.fixture(scope="module")
def digits() -> Digits:
    return embedded_digits()


@pytest.fixture(scope="module")
def trained(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> ReidLearner:
    """Some batches of real digits."""
    train = PhotoSet.of(digits.train_pixels[::8], digits.train_labels[::8])
    valid = PhotoSet.of(digits.test_pixels[::10], digits.test_labels[::10])
    learn = reid_learner(
        train,
        valid,
        individuals=10,
        photos=8,
        augment=glyph_augmentation(train),
        path=tmp_path_factory.mktemp("digits"),
    )
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(2, 3e-3)
    return learn


@pytest.fixture(scope="module")
def exported(trained: ReidLearner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "new" / "digits.onnx"
    trained.export_onnx(path, licence="MIT", seed=0)
    return path


def test_the_file_says_what_torch_says(
    exported: Path, trained: ReidLearner, digits: Digits
) -> None:
    pixels = digits.test_pixels[:200, None]
    model = load_model(exported)
    torchs = trained.embed(torch.from_numpy(pixels)).numpy()
    for n in (1, 5, 64, 200):
        (out,) = model.session.run(None, {"pixels": pixels[:n]})
        assert out.shape == (n, 128)
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, torchs[:n], rtol=0, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, atol=1e-5)
    assert np.ptp(torchs, axis=0).max() > 0.2  # they are not all the same
    np.testing.assert_allclose(
        Fingerprinter(exported)(digits.test_pixels[:9]).vectors, torchs[:9], rtol=0, atol=1e-4
    )


def test_the_card_comes_back(exported: Path, trained: ReidLearner) -> None:
    card = load_model(exported).card
    assert (card.size, card.channels, card.dim) == ((28, 28), 1, 128)
    assert (card.fit, card.fill, card.body, card.licence) == ("pad", 0, "small", "MIT")
    assert card.version == resight.__version__
    assert card.metrics == trained.figures
    assert set(card.metrics) == {"train_loss", "valid_loss", "R@1", "mAP"}
    assert card.training["photos"] == 500
    assert card.training["individuals"] == 10
    assert card.training["seed"] == 0
    assert "\n" not in card.training["loss"]
    assert trained.export_onnx(exported.with_name("b.onnx"), licence="MIT", seed=0) == card


def test_the_same_weights_have_the_same_name(
    exported: Path, trained: ReidLearner, tmp_path: Path
) -> None:
    first = load_model(exported).card.content_hash
    again = export_model(trained.model, tmp_path / "again.onnx", metrics={"R@1": 0.5}).content_hash
    # As weights that were saved and loaded, laid out in memory another way.
    other = create_embedder(size=(28, 28))
    other.load_state_dict(trained.model.state_dict())
    loaded = export_model(other, tmp_path / "loaded.onnx").content_hash
    assert first == again == loaded
    with torch.no_grad():
        other.head[0].weight[0, 0] += 0.1
    assert export_model(other, tmp_path / "other.onnx").content_hash != first


def test_the_file_names_no_place_of_this_machine(exported: Path) -> None:
    graph = onnx.load(exported)
    assert [entry.key for entry in graph.metadata_props] == ["resight.card"]
    for tensor in graph.graph.initializer:
        tensor.ClearField("raw_data")  # millions of bytes: ".py" is among them now and then
    content = graph.SerializeToString()
    here = {Path(resight.__file__).parents[2], Path(torch.__file__).parents[1], Path.cwd()}
    for place in [*map(str, here), str(Path.home()), "site-packages", ".py"]:
        assert place.encode() not in content, place


def test_the_embedder_is_left_as_it_was(trained: ReidLearner, tmp_path: Path) -> None:
    model = trained.model
    model.train()
    model.body[1].eval()
    model.half_precision = True
    before = {name: value.clone() for name, value in model.state_dict().items()}
    export_model(model, tmp_path / "a.onnx")
    assert model.training
    assert model.head.training
    assert not model.body[1].training
    assert model.half_precision
    assert {p.device.type for p in model.parameters()} == {trained.dls.device.type}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "wish",
    [
        {"body": "resnet18", "size": (24, 24), "dim": 8},
        {"body": "test_vit", "size": (40, 30), "channels": 3, "dim": 8},
        {"body": "small", "size": (48, 40), "dim": 8},
        {"body": "drawing", "dim": 8},
    ],
    ids=lambda w: w["body"],
)
def test_other_bodies_and_shapes_are_written_too(wish: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(1)
    embedder = create_embedder(**wish)
    channels, size = embedder.channels, embedder.size
    pixels = torch.randint(0, 256, (6, channels, *size), dtype=torch.uint8)
    embedder(pixels)  # the running means move
    export_model(embedder, tmp_path / "m.onnx", fit="crop")
    model = load_model(tmp_path / "m.onnx")
    assert model.card.fit == "crop"
    with torch.no_grad():
        wanted = embedder.eval()(pixels).numpy()
    for n in (1, 6):
        (out,) = model.session.run(None, {"pixels": pixels[:n].numpy()})
        np.testing.assert_allclose(out, wanted[:n], rtol=0, atol=1e-4)


@pytest.mark.parametrize("fails", ["fsync", "replace", "open"])
def test_a_write_that_fails_leaves_what_was_there(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"the old model")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    place = {"fsync": os, "replace": Path, "open": tempfile}[fails]
    monkeypatch.setattr(place, "NamedTemporaryFile" if fails == "open" else fails, full)
    with pytest.raises(ResightError, match="No space left") as caught:
        export_model(create_embedder(size=(16, 16)), path)
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    assert path.read_bytes() == b"the old model"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    embedder = create_embedder(size=(16, 16))
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder.onnx").mkdir()
    for path in (tmp_path / "file" / "m.onnx", tmp_path / "folder.onnx"):
        with pytest.raises(ResightError, match="cannot be written here") as caught:
            export_model(embedder, path)
        assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.onnx"]


def test_a_card_that_no_reader_takes_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ResightError, match="fit makes no sense"):
        export_model(create_embedder(size=(16, 16)), tmp_path / "m.onnx", fit="pda")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_learner_that_was_not_trained_has_no_figures(tmp_path: Path) -> None:
    learn = small_learner(tmp_path)
    learn.validate()
    card = learn.export_onnx(tmp_path / "m.onnx")
    assert card.metrics == {}
    assert card.training["individuals"] == 6
