"""Going on after a kill, and saying aloud when nothing is learned."""

import re
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fastai.callback.core import Callback
from fastai.optimizer import OptimWrapper
from pytorch_metric_learning.losses import ArcFaceLoss
from torch import Tensor, nn

from learning import made_up_photos, one_thread, small_learner  # noqa: F401
from resight.errors import ResightError
from resight.learn import CollapseGuard, PhotoSet, ReidLearner, Resume, TripletLoss, WarmUp, Warp
from resight.learn.callbacks import retrieval_metrics
from resight.learn.embedder import Embedder, create_embedder
from resight.learn.sizes import GrowingSize
from resight.learn.told import Told


class Killed(Exception):
    """Instead of a kill."""


class KillAfter(Callback):
    """Stops a training after an epoch's state was saved, or in the middle of an epoch."""

    order = 99

    def __init__(self, epoch: int, batch: int | None = None) -> None:
        self.at, self.batch = epoch, batch

    def after_batch(self) -> None:
        if self.learn.epoch == self.at and self.learn.iter == self.batch:
            raise Killed("in an epoch")

    def after_epoch(self) -> None:
        if self.learn.epoch == self.at:
            raise Killed("after an epoch")


def _learner(path: Path, width: int = 32, seed: int = 0, **options: Any) -> ReidLearner:
    """With dropout, augmentation and a loss with centres: all that has a state."""
    torch.manual_seed(seed)
    body = nn.Sequential(nn.Flatten(), nn.Linear(256, width), nn.ReLU(), nn.Dropout(0.3))
    embedder = Embedder(body, width, name="test", channels=1, size=(16, 16), dim=16)
    loss = ArcFaceLoss(num_classes=6, embedding_size=16)
    settings = {"loss": loss, "augment": [Warp()], "seed": seed, **options}
    return small_learner(path, body=embedder, **settings)


def _weights(learn: ReidLearner) -> list[Tensor]:
    own = list(learn.loss_func.parameters())
    return [p.detach().clone() for p in [*learn.model.state_dict().values(), *own]]


def _fit(learn: ReidLearner, *cbs: Callback, epochs: int = 4) -> ReidLearner:
    learn.fit_one_cycle(epochs, 1e-2, cbs=list(cbs))
    return learn


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> ReidLearner:
    return _fit(_learner(tmp_path_factory.mktemp("through")))


@pytest.mark.parametrize("kill", [(0, None), (1, None), (2, 3), (3, None)], ids=str)
def test_a_killed_training_ends_as_if_it_had_not_been(
    kill: tuple[int, int | None], uninterrupted: ReidLearner, tmp_path: Path
) -> None:
    state = tmp_path / "new" / "state.pth"
    with pytest.raises(Killed):
        _fit(_learner(tmp_path), Resume(state), KillAfter(*kill))
    assert state.exists()
    again = _learner(tmp_path)
    torch.rand(5)  # chance is taken up again, too
    _fit(again, Resume(state))
    for a, b in zip(_weights(again), _weights(uninterrupted), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert again.figures == pytest.approx(uninterrupted.figures, abs=1e-6)
    assert list(state.parent.iterdir()) == []


def test_states_that_are_seldom_saved_serve_as_well(
    uninterrupted: ReidLearner, tmp_path: Path
) -> None:
    state = tmp_path / "state.pth"
    with pytest.raises(Killed):
        _fit(_learner(tmp_path), Resume(state, every=1000), KillAfter(2))
    again, left = _learner(tmp_path), Resume(state, keep=True, every=1000)
    assert torch.load(state, weights_only=True)["done"] == 1  # of three
    _fit(again, left)
    for a, b in zip(_weights(again), _weights(uninterrupted), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert torch.load(state, weights_only=True)["done"] == 4  # the last is saved whenever it ends


def test_finding_a_rate_in_between_does_not_disturb(
    uninterrupted: ReidLearner, tmp_path: Path
) -> None:
    state = tmp_path / "state.pth"
    with pytest.raises(Killed):
        _fit(_learner(tmp_path), Resume(state), KillAfter(1))
    before = state.read_bytes()
    again = _learner(tmp_path)
    again.lr_find(num_it=8, show_plot=False)
    again.validate()
    assert state.read_bytes() == before
    _fit(again, Resume(state))
    for a, b in zip(_weights(again), _weights(uninterrupted), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_optimisers_of_torch_are_taken_up_too(tmp_path: Path) -> None:
    def learner() -> ReidLearner:
        return _learner(tmp_path, opt_func=lambda p, **k: OptimWrapper(p, torch.optim.Adam, **k))

    through = _fit(learner())
    with pytest.raises(Killed):
        _fit(learner(), Resume(tmp_path / "state"), KillAfter(1))
    again = _fit(learner(), Resume(tmp_path / "state"))
    for a, b in zip(_weights(again), _weights(through), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a training killed after its second epoch."""
    path = tmp_path_factory.mktemp("killed") / "state.pth"
    with pytest.raises(Killed):
        _fit(_learner(path.parent), Resume(path), KillAfter(1))
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cannot be read"),
        (b"no state at all", "cannot be read"),
        ("half", "cannot be read"),
        ("weights", "cannot be read"),
    ],
)
def test_what_is_no_state_is_one_line_and_left_alone(
    content: bytes | str, words: str, state: Path, tmp_path: Path
) -> None:
    path = tmp_path / "state.pth"
    if content == "weights":
        torch.save({"weight": torch.zeros(3)}, path)
    else:
        path.write_bytes(state.read_bytes()[:2000] if content == "half" else content)
    _refused(_learner(tmp_path), path, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 40}, "does not fit this network"),
        ({"loss": ArcFaceLoss(num_classes=7, embedding_size=16)}, "does not fit"),
        ({"loss": TripletLoss()}, "does not fit"),
        ({"seed": 3}, "seed"),
        ({"train": made_up_photos(seed=9)}, "photos"),
        ({"photos": 4}, "batches"),
        ({"individuals": 2, "photos": 4}, r"other batch\)"),
        ({"epochs": 6}, "epochs"),
    ],
    ids=str,
)
def test_the_state_of_another_training_is_one_line_and_left_alone(
    change: dict[str, Any], words: str, state: Path, tmp_path: Path
) -> None:
    path = tmp_path / "state.pth"
    shutil.copy(state, path)
    epochs = change.get("epochs", 4)
    learn = _learner(tmp_path, **{k: v for k, v in change.items() if k != "epochs"})
    _refused(learn, path, words, epochs)


def test_a_state_that_does_not_tell_its_batch_is_taken(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    older = torch.load(state, weights_only=True)
    del older["training"]["batch"]
    torch.save(older, path)
    _fit(_learner(tmp_path), Resume(path))
    assert not path.exists()


def _refused(learn: ReidLearner, path: Path, words: str, epochs: int = 4) -> None:
    before = path.read_bytes()
    with pytest.raises(ResightError, match=words) as caught:
        _fit(learn, Resume(path), epochs=epochs)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "delete the file" in message
    assert path.read_bytes() == before


def test_a_state_runs_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"training": Evil()}, tmp_path / "state.pth")
    _refused(_learner(tmp_path), tmp_path / "state.pth", "cannot be read")
    assert not (tmp_path / "ran").exists()


def test_a_state_that_cannot_be_written_keeps_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, save = tmp_path / "state.pth", torch.save

    class Full(Callback):
        def before_train(self) -> None:
            if self.learn.epoch == 1:
                monkeypatch.setattr(torch, "save", fail)

    def fail(state: Any, file: Path) -> None:
        save(state, file)
        raise OSError(28, "No space left on device")

    with pytest.raises(ResightError, match="No space left") as caught:
        _fit(_learner(tmp_path), Resume(path), Full())
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["state.pth"]
    assert torch.load(path, weights_only=True)["done"] == 1


def test_resuming_belongs_to_a_fit(tmp_path: Path) -> None:
    with pytest.raises(ResightError, match="give Resume to the fit call"):
        _learner(tmp_path, cbs=[Resume(tmp_path / "state.pth")])


def _warned(learn: ReidLearner, epochs: int = 5, rate: float = 1e-2) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        learn.fit(epochs, rate)
    return [str(w.message) for w in caught if "embeddings" in str(w.message) or "batch" in str(w)]


def _noise() -> PhotoSet:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (120, 16, 16)).astype(np.uint8)
    return PhotoSet.of(pixels, [str(i) for i in rng.integers(0, 12, 120)])


def _guarded(path: Path, guard: CollapseGuard, **options: Any) -> ReidLearner:
    learn = small_learner(path, **options)
    learn.remove_cb(CollapseGuard)
    learn.add_cb(guard)
    return learn


def _without_centring() -> Embedder:
    embedder = create_embedder(size=(16, 16), dim=16)
    embedder.head = nn.Linear(embedder.head[0].in_features, 16)
    return embedder


def _equal_embeddings() -> Embedder:
    embedder = _without_centring()
    nn.init.zeros_(embedder.head.weight)
    embedder.head.weight.requires_grad_(False)
    return embedder


def test_batch_hard_from_scratch_collapses_and_is_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    learn = small_learner(
        tmp_path,
        train=_noise(),
        body=_without_centring(),
        loss=TripletLoss("hard", margin=0.2),
        individuals=8,
        cbs=[WarmUp(on=False)],
    )
    (words,) = _warned(learn)
    assert "have collapsed" in words
    assert "semi-hard" in words
    assert learn.collapse_guard.spread < 0.01
    # The loss stands at the margin, which alone would tell nobody anything.
    assert float(learn.recorder.losses[-1]) == pytest.approx(0.2, abs=0.03)


def test_the_default_network_does_not_collapse_there(tmp_path: Path) -> None:
    learn = small_learner(
        tmp_path,
        train=_noise(),
        loss=TripletLoss("hard", margin=0.2),
        individuals=8,
        cbs=[WarmUp(on=False)],
    )
    assert _warned(learn) == []
    assert learn.collapse_guard.spread > 0.3


def test_a_collapse_can_end_the_training(tmp_path: Path) -> None:
    learn = _guarded(tmp_path, CollapseGuard(patience=4, stop=True), body=_equal_embeddings())
    (words,) = _warned(learn)
    assert "0.0000 apart" in words
    assert len(learn.recorder.losses) < 6  # of 30


def test_a_training_that_breaks_is_told_of_as_such(tmp_path: Path) -> None:
    learn = _guarded(tmp_path, CollapseGuard(patience=3))
    with torch.no_grad():
        learn.model.head[0].weight.fill_(float("nan"))
    (words,) = _warned(learn, 1)
    assert "no numbers" in words
    assert "collapsed" not in words
    assert np.isnan(learn.recorder.values[-1][2])  # and R@1 is no number either


def test_batches_without_positives_are_told_of(tmp_path: Path) -> None:
    learn = _guarded(tmp_path, CollapseGuard(patience=3))
    learn.dls.train.batches = [[0, 8, 16, 24], [1, 9, 17, 25], [2, 10, 18, 26]]
    (words,) = _warned(learn, 2)
    assert "no photo with both a positive and a negative" in words
    assert "PKSampler" in words


def test_batches_without_negatives_are_told_of(tmp_path: Path) -> None:
    learn = _guarded(tmp_path, CollapseGuard(patience=3))
    learn.dls.train.batches = [[0, 1, 2, 3], [8, 9, 10], [16, 17]]
    (words,) = _warned(learn, 2)
    assert "no photo with both" in words


def test_a_healthy_training_hears_nothing(tmp_path: Path) -> None:
    learn = _guarded(tmp_path, CollapseGuard(patience=2))
    assert _warned(learn, 3) == []
    assert learn.collapse_guard.spread > 0.5


def test_looking_for_a_rate_hears_nothing(tmp_path: Path) -> None:
    learn = _guarded(tmp_path, CollapseGuard(patience=2), body=_equal_embeddings())
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        learn.lr_find(num_it=12, suggest_funcs=None, show_plot=False)
    assert len(learn.recorder.losses) > 4


def test_figures_where_nothing_can_be_found(tmp_path: Path) -> None:
    learn = small_learner(tmp_path, valid=made_up_photos(6, 1))
    learn.fit(1, 1e-3)
    assert set(learn.figures) == {"train_loss", "valid_loss"}
    assert all(np.isnan(metric.value) for metric in retrieval_metrics())


@pytest.mark.parametrize(
    ("sizes", "seconds", "left"),
    [
        # Four times the pixels take four times as long.
        ([(8, 8), (8, 8), (16, 16)], [10, 20, 60], ["50 s", "40 s", "0 s"]),
        (None, [10, 20, 30], ["20 s", "10 s", "0 s"]),
        (None, [300, 600, 900], ["10 min", "5 min", "0 s"]),
    ],
)
def test_the_time_left_follows_what_epochs_are_to_see(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sizes: list[tuple[int, int]] | None,
    seconds: list[float],
    left: list[str],
) -> None:
    clock = iter([0, *seconds])
    monkeypatch.setattr("resight.learn.told.time", SimpleNamespace(monotonic=lambda: next(clock)))
    told = Told()
    told.learn = SimpleNamespace(
        recorder=SimpleNamespace(values=[[0.5]]),
        metrics=[],
        n_epoch=3,
        cbs=[told, *([GrowingSize(sizes)] if sizes else [])],
    )
    told.before_fit()
    for told.learn.epoch in range(3):
        told.after_epoch()
    assert re.findall(r"train loss 0.500; (.*) left", capsys.readouterr().err) == left
