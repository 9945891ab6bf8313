"""Batch-hard from scratch on real digits, losses with centres, and losses with a memory."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from fastai.callback.core import Callback
from pytorch_metric_learning.losses import ArcFaceLoss, ProxyAnchorLoss
from torch import Tensor, nn

from learning import made_up_photos, one_thread, small_learner  # noqa: F401
from resight.errors import ResightError
from resight.learn import (
    CollapseGuard,
    CrossBatchMemory,
    PhotoSet,
    ReidLearner,
    TripletLoss,
    VirtualIndividuals,
    WarmUp,
)
from resight.learn.embedder import Embedder
from resight.photos.digits import embedded_digits


@pytest.fixture(scope="module")
def digits() -> tuple[PhotoSet, PhotoSet]:
    data = embedded_digits()
    train = PhotoSet.of(data.train_pixels, data.train_labels)
    return train, PhotoSet.of(data.test_pixels[:300], data.test_labels[:300])


def _plain_network() -> Embedder:
    """Without normalising layers, which keep a cloud of embeddings apart."""
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(1, 16, 5, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU(), nn.Flatten()
    )
    body.append(nn.Linear(800, 64)).append(nn.ReLU())
    embedder = Embedder(body, 64, name="plain", channels=1, size=(28, 28), dim=16)
    embedder.head = nn.Linear(64, 16)
    return embedder


class Steps(Callback):
    """Which mining each batch had."""

    order = 60

    def __init__(self) -> None:
        self.minings: list[str] = []

    def after_loss(self) -> None:
        if self.learn.training:
            self.minings.append(self.learn.loss_func.mining)


def _batch_hard(
    path: Path, digits: tuple[PhotoSet, PhotoSet], *cbs: Callback
) -> tuple[ReidLearner, list[str]]:
    train, valid = digits
    learn = small_learner(
        path,
        train=train,
        valid=valid,
        body=_plain_network(),
        loss=TripletLoss("hard", 0.2),
        individuals=10,
        photos=4,
        cbs=cbs,
        half_precision=False,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        learn.fit(3, 3e-3)
    return learn, [str(w.message) for w in caught if w.category is UserWarning]


def test_batch_hard_from_scratch_collapses_on_digits_and_is_told(
    tmp_path: Path, digits: tuple[PhotoSet, PhotoSet]
) -> None:
    learn, told = _batch_hard(tmp_path, digits, WarmUp(on=False))
    (words,) = [line for line in told if "collapsed" in line]
    assert "100% of the terms pull" in words
    assert "semi-hard" in words
    assert learn.collapse_guard.spread < 0.01
    assert float(learn.recorder.losses[-1]) == pytest.approx(0.2, abs=0.02)


def test_with_its_warm_up_which_is_the_default_it_does_not(
    tmp_path: Path, digits: tuple[PhotoSet, PhotoSet]
) -> None:
    learn, told = _batch_hard(tmp_path, digits, steps := Steps())
    assert not told
    assert learn.collapse_guard.spread > 0.2
    assert learn.figures["R@1"] > 0.93
    assert steps.minings[0] == "semihard"
    assert steps.minings[-50:].count("hard") > 25
    assert learn.loss_func.mining == "hard"


def test_batch_hard_that_never_begins_is_told(tmp_path: Path) -> None:
    noise = made_up_photos(individuals=12, noise=2000)
    learn = small_learner(tmp_path, train=noise, loss=TripletLoss("hard", 0.0))
    words = f"has not begun: in all {len(learn.dls.train)} batches"
    with pytest.warns(UserWarning, match=words):
        learn.fit(1, 1e-9)
    assert learn.loss_func.mining == "hard"


@pytest.mark.parametrize("loss", [TripletLoss("hard", "soft"), TripletLoss("semihard")])
def test_no_other_loss_is_warmed_up(tmp_path: Path, loss: TripletLoss) -> None:
    mining, steps = loss.mining, Steps()
    small_learner(tmp_path, loss=loss, cbs=[steps]).fit(1, 1e-3)
    assert set(steps.minings) == {mining}


def test_a_loss_that_has_long_been_zero_is_told_of(tmp_path: Path) -> None:
    learn = small_learner(
        tmp_path, loss=TripletLoss("semihard", 0.0), cbs=[CollapseGuard(patience=1)]
    )
    assert [type(one) for one in learn.cbs].count(CollapseGuard) == 1
    with pytest.warns(UserWarning, match="no triplet of the last 10 batches"):
        learn.fit(8, 1e-2)
    assert learn.collapse_guard.active == 0


def _composed() -> VirtualIndividuals:
    return VirtualIndividuals(torch.ones(6, 8, dtype=torch.bool), photos=2)


class OwnCentres(nn.Module):
    """Somebody's own loss, that does not say how many classes it has."""

    def __init__(self, classes: int, dim: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, dim))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(embeddings @ self.centres.T, labels)


@pytest.mark.parametrize(
    "loss",
    [
        ArcFaceLoss(num_classes=6, embedding_size=16),
        ProxyAnchorLoss(num_classes=6, embedding_size=16),
        OwnCentres(6, 16),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_losses_with_centres(loss: nn.Module, tmp_path: Path) -> None:
    before = [p.detach().clone() for p in loss.parameters()]
    learn = small_learner(tmp_path, loss=loss)
    learn.fit(2, 1e-2)
    trained = [p.detach().clone() for p in loss.parameters()]
    for old, new in zip(before, trained, strict=True):
        assert (old != new).any()
    learn.save("kept")
    learn.fit(1, 1e-2)
    learn.load("kept")
    for kept, now in zip(trained, loss.parameters(), strict=True):
        torch.testing.assert_close(now.detach(), kept)
    virtual = small_learner(tmp_path, loss=loss, augment=[_composed()], photos=4)
    with pytest.raises(ResightError, match="without virtual individuals") as caught:
        virtual.fit(1, 1e-3)
    assert "centres for 6 individuals" in str(caught.value)
    # Individuals that only the validation shows are no error, and have no loss.
    unseen = small_learner(tmp_path, loss=loss, valid=made_up_photos(individuals=8, seed=2))
    unseen.fit(1, 1e-3)
    assert "R@1" in unseen.figures


def test_a_loss_with_a_memory_trains_validates_and_is_saved(tmp_path: Path) -> None:
    def loss(**settings: Any) -> CrossBatchMemory:
        return CrossBatchMemory(TripletLoss("semihard"), dim=16, size=64, **settings)

    learn = small_learner(tmp_path, loss=loss())
    learn.fit(1, 1e-3)
    photos = sum(map(len, learn.dls.train.batches))
    assert int(learn.loss_func.seen) == photos  # none of the validation's
    assert learn.collapse_guard.active > 0
    learn.save("kept")
    again = small_learner(tmp_path, loss=loss())
    again.load("kept")
    assert (again.loss_func.vectors == learn.loss_func.vectors).all()
    assert int(again.loss_func.seen) == photos
