"""The losses that are compared, each with its own small choice of knobs, and one training for all.

Every loss gets the same network, the same batches of the same seed, the same number of steps, one
optimiser and one schedule. What differs in nature between losses (a margin, a temperature) and the
learning rate are chosen for each from as many settings, on a part of the training photos.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from torch import Tensor, nn

from resight.learn.guards import collapses
from resight.learn.learner import Loss
from resight.learn.losses import ContrastiveLoss, SupConLoss, TripletLoss

DIM = 128
RATES = (1e-3, 3e-3)
CENTRES_RATE = 10  # times the rate: centres begin at random and have to travel
COLLAPSED = 0.02  # mean distance between individuals (1 − cosine) below which nothing is learned

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Method:
    """A loss to compare.

    Attributes:
        name: in the tables.
        knob: what is chosen besides the rate, in words.
        values: the two settings of it.
        make: (setting, number of individuals) to the loss.
        closed: needs to know every individual beforehand, so no virtual ones can be composed.
    """

    name: str
    knob: str
    values: tuple[float, float]
    make: Callable[[float, int], Loss]
    closed: bool = False

    def settings(self, rates: tuple[float, ...] = RATES) -> list[tuple[float, float]]:
        """All (knob, rate) to choose from, as many for each loss."""
        return list(itertools.product(self.values, rates))


class LedInHard(nn.Module):
    """Batch-hard as `reid_learner` runs it, led in by semi-hard mining.

    A batch that costs more than the margin, as all do while nothing is learned yet, is mined
    semi-hard (see `resight.learn.guards.WarmUp`).
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.hard, self.semihard = TripletLoss("hard", margin), TripletLoss("semihard", margin)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        value = self.hard(embeddings, labels)
        return self.semihard(embeddings, labels) if collapses(self.hard, value) else value


METHODS = [
    Method("triplet, semi-hard", "margin", (0.2, 0.5), lambda m, _: TripletLoss("semihard", m)),
    Method(
        "triplet, batch-hard",
        "margin",
        (0.2, 0.5),
        lambda m, _: LedInHard(m),
    ),
    Method("triplet, batch-all", "margin", (0.2, 0.5), lambda m, _: TripletLoss("all", m)),
    Method(
        "triplet, batch-hard soft",
        "softness",
        (0.1, 0.3),
        lambda s, _: TripletLoss("hard", "soft", softness=s),
    ),
    Method("twin (contrastive)", "margin", (0.7, 1.1), lambda m, _: ContrastiveLoss(m)),
    Method("SupCon", "temperature", (0.07, 0.15), lambda t, _: SupConLoss(t)),
    Method(
        "ArcFace",
        "scale",
        (16, 32),
        lambda s, count: ArcFaceLoss(count, DIM, margin=20, scale=s),
        closed=True,
    ),
]


@dataclass(frozen=True)
class Trained:
    """How a training went: seconds, steps, and how far apart different individuals ended."""

    seconds: float
    steps: int
    spread: float

    @property
    def collapsed(self) -> bool:
        return not self.spread > COLLAPSED


def learn(
    net: nn.Module,
    loss: Loss,
    batches: Iterable[Batch],
    *,
    steps: int,
    rate: float,
) -> Trained:
    """Train a network in place: AdamW, one cycle, `steps` batches, whatever the loss."""
    groups: list[dict[str, Any]] = [{"params": list(net.parameters()), "lr": rate}]
    if isinstance(loss, nn.Module) and (own := list(loss.parameters())):
        groups.append({"params": own, "lr": CENTRES_RATE * rate, "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in groups], total_steps=steps + 1, pct_start=0.25
    )
    net.train()
    begun = time.perf_counter()
    apart = float("nan")
    for step, (inputs, labels) in enumerate(itertools.islice(_forever(batches), steps)):
        embeddings = net(inputs)
        value = loss(embeddings, labels)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        schedule.step()
        if step >= steps - 1:
            apart = spread(embeddings.detach(), labels)
    net.eval()
    return Trained(time.perf_counter() - begun, steps, apart)


def _forever(batches: Iterable[Batch]) -> Iterator[Batch]:
    while True:
        yield from batches


def spread(embeddings: Tensor, labels: Tensor) -> float:
    """The mean of 1 − cosine between different individuals."""
    different = labels[:, None] != labels[None, :]
    embeddings = nn.functional.normalize(embeddings.float(), dim=1)
    return float((1 - embeddings @ embeddings.T)[different].mean())
