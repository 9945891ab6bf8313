"""The recipe for photographs: its parts by hand-made cases, and a whole training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from command_line import resight
from learning import PLAN, made_up_photos, one_thread, small_learner, write_photos  # noqa: F401
from resight.errors import ResightError
from resight.fingerprint import Fingerprinter
from resight.learn import one, photographs, whitening
from resight.learn.allocator import keep_freed_memory
from resight.learn.augment import Warp
from resight.learn.best import KeepBest
from resight.learn.fold import fold_batchnorm
from resight.learn.learner import ReidLearner
from resight.learn.light import Cover, Light
from resight.learn.photographs import FineTuning, body_rate, photo_augmentation
from resight.learn.sizes import GrowingSize, growing_sizes, takes
from resight.learn.train import train_folder
from resight.learn.views import WithMirror
from resight.learn.virtual import Mirrored
from resight.learn.whitening import MOST, Whitened


def test_freed_memory_can_be_kept_here_or_it_is_said() -> None:
    assert keep_freed_memory() in (True, False)
    assert float(torch.ones(4_000_000).sum()) == 4_000_000  # memory is still given


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_050"])
def test_a_folded_body_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    body = timm.create_model(name, num_classes=0)
    photos = torch.randn(4, 3, 64, 64)
    body(photos)  # moves the statistics away from 0 and 1
    body.eval()
    with torch.no_grad():
        before = body(photos)
        count = fold_batchnorm(body, photos)
        after = body(photos)
    assert count > 10
    assert not any(isinstance(m, nn.BatchNorm2d) for m in body.modules())
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    body.train()
    body(photos).sum().backward()
    assert all(p.grad is not None for p in body.parameters())


def test_what_cannot_be_folded_stays_as_it_was() -> None:
    class Odd(nn.Module):
        """Names a normalisation after a convolution that it does not follow."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(self.norm(x))

    torch.manual_seed(0)
    odd = Odd()
    odd.norm.running_mean.fill_(0.7)
    state = {name: value.clone() for name, value in odd.state_dict().items()}
    assert fold_batchnorm(odd, torch.randn(2, 3, 4, 4)) == 0
    assert all(torch.equal(state[name], value) for name, value in odd.state_dict().items())
    assert fold_batchnorm(nn.Sequential(nn.Flatten()), torch.randn(2, 3, 4, 4)) == 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", [*photo_augmentation(), Light(), Cover(share=1)], ids=repr)
def test_augmentation_keeps_shape_range_and_seed(step: Any, channels: int) -> None:
    pixels = torch.rand(8, channels, 32, 20, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(8)
    one, same = step(pixels, labels, torch.Generator().manual_seed(2))
    two, _ = step(pixels, labels, torch.Generator().manual_seed(2))
    assert one.shape == pixels.shape
    assert torch.equal(one, two)
    assert torch.equal(same, labels)
    assert float(one.min()) >= -1e-5
    assert float(one.max()) <= 1 + 1e-5
    assert not torch.equal(one, pixels)


def test_an_individual_is_mirrored_with_all_its_photos_as_somebody_else() -> None:
    pixels = torch.rand(400, 3, 6, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(400) % 200
    mirrored, *rest = photo_augmentation(200)
    assert isinstance(mirrored, Mirrored)
    assert not any(isinstance(step, Mirrored) for step in rest)
    seen, who = mirrored(pixels, labels, torch.Generator().manual_seed(0))
    other = who >= 200
    assert torch.equal(who % 200, labels)
    assert torch.equal(other[:200], other[200:])  # both photos of each, or none
    assert 70 < int(other[:200].sum()) < 130
    assert torch.equal(seen[~other], pixels[~other])
    assert torch.equal(seen[other], pixels[other].flip(3))
    everybody = Mirrored(200, share=1)(pixels, labels, torch.Generator().manual_seed(0))
    nobody = Mirrored(200, share=0)(pixels, labels, torch.Generator().manual_seed(0))
    assert torch.equal(everybody[1], labels + 200)
    assert torch.equal(nobody[1], labels)


def test_some_photos_lose_their_colour_and_some_a_part() -> None:
    pixels = torch.rand(400, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    plain = Light(contrast=0, brightness=0, gamma=0, tint=0, grey=0.25)
    lit, _ = plain(pixels, torch.zeros(400), torch.Generator().manual_seed(0))
    grey = (lit.amax(1) - lit.amin(1)).amax((1, 2)) < 1e-5
    assert 60 < int(grey.sum()) < 140
    torch.testing.assert_close(lit[~grey], pixels[~grey], rtol=0, atol=2e-4)
    covered, _ = Cover(share=0.5, least=0.25, most=0.5)(
        pixels, torch.zeros(400), torch.Generator().manual_seed(0)
    )
    share = (covered != pixels).any(1).float().mean((1, 2))
    assert 150 < int((share > 0).sum()) < 250
    assert float(share[share > 0].min()) > 0.03
    assert float(share.max()) < 0.36


def test_a_warp_reflects_what_lies_beyond() -> None:
    white = torch.ones(16, 3, 24, 24)
    generator = torch.Generator().manual_seed(0)
    inside, _ = Warp(beyond="reflection", bend=0)(white, torch.zeros(16), generator)
    assert float(inside.min()) > 0.999
    dark, _ = Warp(bend=0)(white, torch.zeros(16), generator)
    assert float(dark.min()) < 0.5


@given(st.integers(1, 60))
def test_sizes_grow_and_end_whole(epochs: int) -> None:
    sizes = growing_sizes((256, 128), epochs)
    assert len(sizes) == epochs
    assert sizes == sorted(sizes)
    assert sizes[-1] == (256, 128)
    counts = [sizes.count(size) for size in set(sizes)]
    assert epochs < 3 or max(counts) - min(counts) <= 1


def test_photos_grow_in_training_and_are_whole_afterwards(tmp_path: Path) -> None:
    seen = []
    learn = small_learner(
        tmp_path,
        train=made_up_photos(size=(32, 32), channels=3),
        valid=made_up_photos(size=(32, 32), channels=3, seed=1),
        body="resnet18",
    )
    hook = learn.model.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[-1]))
    learn.fit(2, cbs=GrowingSize([(16, 16), (32, 32)]))
    hook.remove()
    assert sorted(set(seen)) == [16, 32]
    assert seen == sorted(seen)
    assert learn.dls.train.one_batch()[0].shape[-1] == 32


def test_a_transformer_does_not_grow() -> None:
    conv = timm.create_model("resnet10t", num_classes=0)
    patches = timm.create_model("vit_tiny_patch16_224", num_classes=0, img_size=64)
    sizes = [(64, 64), (96, 96)]
    assert takes(conv, 3, sizes)
    assert not takes(patches, 3, sizes)


@pytest.mark.parametrize(
    ("off", "kept"),
    [
        ([-9.0, 0.0, -1.1], 1),  # the last is worse by more than chance
        ([-9.0, 0.0, -0.9], 2),  # it is not, and comes later
        ([-9.0, -0.9, 0.0], 2),
        ([0.0, -0.6, -1.1], 1),  # measured from the highest, not step by step
    ],
)
def test_the_best_epoch_is_kept(
    off: list[float], kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = small_learner(tmp_path)
    error = (0.9 * 0.1 / len(learn.dls.valid.photos)) ** 0.5  # of R@1 0.9, by hand
    reached = [max(0.0, 0.9 + errors * error) for errors in off]
    weights, figures = [], iter(reached)

    def told(self: KeepBest, after: Any = KeepBest.after_epoch) -> None:
        self.learn.figures["R@1"] = next(figures)
        weights.append({k: v.clone() for k, v in self.model.state_dict().items()})
        after(self)

    monkeypatch.setattr(KeepBest, "after_epoch", told)
    learn.fit(3, 1e-2, cbs=KeepBest())
    assert learn.figures["R@1"] == reached[kept]
    for name, value in learn.model.state_dict().items():
        assert torch.equal(value, weights[kept][name])
    for other in {0, 1, 2} - {kept}:
        state = learn.model.state_dict()
        assert any(not torch.equal(v, weights[other][k]) for k, v in state.items())


@pytest.fixture(scope="module")
def herd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = made_up_photos(4, 6, size=(56, 52), channels=3)
    return write_photos(tmp_path_factory.mktemp("herd") / "photos", photos, ".jpg")


def test_photographs_go_on_from_imagenet_within_a_budget(
    herd: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    card = train_folder(herd, tmp_path / "m.onnx", budget=1)
    assert (card.body, card.licence, card.fit) == ("tf_efficientnet_lite2", "Apache-2.0", "stretch")
    assert (card.size, card.channels, card.dim) == ((96, 96), 3, 512)
    told = card.training
    assert told["body_pretrained"] is True
    epochs = told["epochs"]
    assert 3 <= epochs <= 20  # fewer teach nothing, a second allows few
    assert "ArcFace" in told["loss"]
    assert told["held_back"] == 4
    assert told["mirrored"] is True
    assert told["whitened"] == [0], "twenty photos tell of two directions"
    words = capfd.readouterr().err
    assert "(pretrained)" in words
    assert f"{epochs} epochs of" in words
    assert f"epoch {epochs} of {epochs}" in words
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    found = Fingerprinter(tmp_path / "m.onnx")(sorted(herd.rglob("*.jpg")))
    assert found.vectors.shape == (24, 512)
    again = train_folder(
        herd, tmp_path / "n.onnx", epochs=epochs, left_out=["a: b"], progress=False
    )
    assert again.content_hash == card.content_hash  # with its epochs, the same training
    assert again.training["left_out"] == ["a: b"]


def test_the_epochs_are_counted_again_once_the_head_is_there(
    herd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(one, "fit_epochs", lambda *_: None)
    monkeypatch.setattr(FineTuning, "_seconds_a_batch", lambda *_: (30.0, 0.0))

    def learn_head(_: FineTuning) -> None:
        monkeypatch.setattr(FineTuning, "_seconds_a_batch", lambda *_: (20.0, 0.0))

    monkeypatch.setattr(FineTuning, "learn_head", learn_head)
    monkeypatch.setattr(one, "_TIMED_AGAIN", 601.0)
    card = train_folder(herd, tmp_path / "m.onnx", budget=600, progress=False)
    assert card.training["epochs"] == 6, "of so short a training it would take too much"
    monkeypatch.setattr(one, "_TIMED_AGAIN", 600.0)
    monkeypatch.setattr(FineTuning, "_seconds_a_batch", lambda *_: (30.0, 0.0))
    card = train_folder(herd, tmp_path / "n.onnx", budget=600)
    words = capfd.readouterr().err
    assert card.training["epochs"] == 10  # of three batches, 20 seconds each
    assert "some 9.0 min in all" in words  # six epochs of three batches, 30 seconds each
    assert "faster than it seemed: 10 epochs instead of 6, some 10.0 min in all" in words
    assert "10 epochs of 3 batches" in words


def test_photographs_in_grey(herd: Path, tmp_path: Path) -> None:
    """With weights of a file, which is pretrained and has a licence though nobody said so."""
    weights = tmp_path / "mine.safetensors"
    torch.manual_seed(0)
    save_file(
        timm.create_model("test_efficientnet").state_dict(),
        weights,
        metadata={"license": "CC-BY-NC-4.0"},
    )
    photos = sorted(herd.rglob("*.jpg"))
    out = tmp_path / "m.onnx"
    card = train_folder(
        herd,
        out,
        body=f"test_efficientnet@{weights}",
        channels=1,
        size=64,
        epochs=1,
        mirrored=False,
        whitened=False,
        progress=False,
    )
    assert (card.channels, card.dim, card.fit) == (1, 256, "stretch")
    assert (card.body, card.licence) == ("test_efficientnet@mine.safetensors", "CC-BY-NC-4.0")
    assert card.training["body_pretrained"] is True
    found = Fingerprinter(out)(photos).vectors
    assert found.shape == (24, 256)
    assert np.isfinite(found).all()
    grey = [tmp_path / path.with_suffix(".png").name for path in photos]
    for path, there in zip(photos, grey, strict=True):
        Image.open(path).convert("L").save(there)
    np.testing.assert_allclose(Fingerprinter(out)(grey).vectors, found, atol=1e-2)


def test_a_bodys_rate_is_a_share_of_the_weights_that_learn() -> None:
    body = nn.Sequential(*(nn.Conv2d(2, 2, 3) for _ in range(4)), nn.Linear(2, 2))
    for part, size in zip(body, (0.1, 0.4, 0.2, 9), strict=False):
        nn.init.constant_(part.weight, -size)
    body[3].requires_grad_(False)
    assert body_rate(body) == pytest.approx(photographs.BODY_STEP * 0.2)
    assert body_rate(nn.Linear(2, 2)) == photographs.PLAIN_RATE


@pytest.mark.parametrize(("mirrored", "classes"), [(True, 8), (False, 4)])
def test_mirrored_individuals_can_be_left_out(
    mirrored: bool, classes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(photographs, "fold_batchnorm", lambda *_: 0)  # takes seconds, says nothing
    photos = made_up_photos(4, 4, size=(64, 64), channels=3)
    plan = replace(PLAN, size=(64, 64), mirrored=mirrored)
    tuning = FineTuning(photos, photos, plan, path=tmp_path)
    assert tuning.arcface.num_classes == classes
    assert tuning.rate == pytest.approx(1.2e-3, rel=0.01), "as it was measured"
    steps = tuning.learn.dls.train.augment
    assert [step for step in steps if isinstance(step, Mirrored)] == [Mirrored(4)] * mirrored
    assert tuning.learn.dls.train.one_batch()[1].max() < classes
    assert {*tuning.learn.dls.valid.one_batch()[1].tolist()} == {0, 1, 2, 3}


@pytest.mark.parametrize("option", ["mirrored", "whitened"])
def test_the_command_leaves_it_out(
    option: str, herd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []

    def train_photos(*_: Any, **more: Any) -> None:
        told.append(more[option])
        raise ResightError("enough")

    monkeypatch.setattr("resight.learn.train.train_photos", train_photos)
    for words in ([], [f"--{option}"], [f"--not-{option}"]):
        ran = resight("train", herd, "--out", tmp_path / "m.onnx", *words)
        assert ran.failed_in_one_line() == "Error: enough"
    assert told == [True, True, False]


@pytest.mark.parametrize(("wish", "powers"), [(True, [MOST]), (False, None)])
def test_what_is_written_is_whitened_unless_it_was_not_wished(
    wish: bool,
    powers: list[float] | None,
    herd: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(photographs, "fold_batchnorm", lambda *_: 0)  # takes seconds, says nothing
    monkeypatch.setattr(whitening, "PHOTOS_EACH", 0.1)  # as if there were enough of them
    told: dict[str, Any] = {}
    monkeypatch.setattr(ReidLearner, "export_onnx", lambda *_, **what: told.update(what))
    train_folder(herd, tmp_path / "m.onnx", epochs=1, size=64, whitened=wish, progress=False)
    assert told.get("whitened") == powers
    network = told["network"]
    assert isinstance(network, WithMirror)
    assert isinstance(network.embedder.head[-1], Whitened) == wish
