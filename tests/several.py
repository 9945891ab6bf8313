"""Training steps of a small network, by one process or by one of several: `steps`."""

import sys
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback
from fastai.optimizer import SGD
from fastai.torch_core import get_model
from torch import nn

from learning import made_up_photos, small_learner
from resight.learn.arcface import ArcFaceLoss
from resight.learn.embedder import Embedder
from resight.learn.losses import SupConLoss, TripletLoss
from resight.learn.memory import CrossBatchMemory
from resight.learn.ranks import count
from resight.learn.resume import Resume

LOSSES = ("triplet", "soft-triplet", "supcon", "arcface", "memory")


def loss_named(name: str) -> nn.Module:
    torch.manual_seed(3)
    if name == "arcface":
        return ArcFaceLoss(6, 8, lead_in=2)
    if name == "memory":
        return CrossBatchMemory(TripletLoss("hard", "soft"), dim=8, size=32, start=1)
    if name == "supcon":
        return SupConLoss(0.1)
    return TripletLoss() if name == "triplet" else TripletLoss("hard", "soft")


class Watch(Callback):
    """Writes down every step: whom it shows, the loss, the gradients of network and loss."""

    order = 12

    def before_fit(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.shown: list[list[int]] = []

    def before_batch(self) -> None:
        # What goes through this process's network, before anything is gathered.
        if self.learn.training:
            self.shown.append(self.learn.y.tolist())

    def after_backward(self) -> None:
        network, loss = get_model(self.learn.model), self.learn.loss_func
        named = [*network.named_parameters(), *loss.named_parameters()]
        gradients = {name: p.grad.clone() for name, p in named}
        self.seen.append({"loss": self.learn.loss.detach().clone(), **gradients})


def steps(name: str, path: Path) -> dict[str, Any]:
    """An epoch's steps with batches of five individuals, and what validation finds after it."""
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()
    )
    network = Embedder(body, 6 * 49, name="tiny", channels=1, size=(16, 16), dim=8)
    learn = small_learner(
        path,
        body=network,
        # The last batch is a single photo: one process of two has none.
        valid=made_up_photos(each=43, seed=1).take(range(257)),
        loss=loss_named(name),
        individuals=5,
        half_precision=False,
        device="cpu" if count() == 1 else None,
        opt_func=SGD,
    )
    watch = Watch()
    with learn.distrib_ctx():
        learn.fit(1, 1e-4, cbs=[watch, Resume(path / f"{name}.state", keep=True)])
    kinds = sorted({type(module).__name__ for module in learn.model.modules()})
    state = {k: v.clone() for k, v in learn.model.state_dict().items()}
    seen = {"steps": watch.seen, "shown": watch.shown, "figures": learn.figures}
    return {**seen, "kinds": kinds, "state": state}


if __name__ == "__main__":
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    seen = {name: steps(name, out.parent) for name in LOSSES}
    torch.save({**seen, "again": steps("arcface", out.parent)}, out)
