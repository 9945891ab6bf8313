"""The recipe for photographs: a pretrained body trained further, on two cores if need be."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.callback.training import GradientClip
from fastai.optimizer import OptimWrapper
from torch import Tensor, nn

from resight.learn.allocator import keep_freed_memory
from resight.learn.arcface import ArcFaceLoss
from resight.learn.augment import Warp
from resight.learn.data import Augment, PhotoSet
from resight.learn.embedder import Embedder, create_embedder
from resight.learn.fold import fold_batchnorm
from resight.learn.half import gains_by_bfloat16, suit_bfloat16
from resight.learn.head_first import learn_head, looks_at
from resight.learn.learner import Loss, ReidLearner, reid_learner
from resight.learn.placed import keep_first_stages, keep_wide_depthwise, place
from resight.learn.plan import Plan, Size
from resight.learn.ranks import count, rank
from resight.learn.sizes import GrowingSize, growing_sizes, takes
from resight.learn.together import averaged, everybody, wait
from resight.learn.virtual import Mirrored
from resight.learn.whitening import whitening_looks

# The learning rate of the body as a share of its weights' size, and those of the head and of the
# loss' centres, as measured (docs/tried.md).
BODY_STEP, HEAD_RATE, CENTRES_RATE = 9.2e-3, 5e-4, 5e-3
# A body without batch normalisations, such as a transformer.
PLAIN_RATE = 1e-4
DECAY = 0.05
MARGIN, SCALE = 0.3, 30.0
INDIVIDUALS, PHOTOS = 16, 2
# Fewer learn little, and more of a large set are worth little. Where half of the individuals are
# shown mirrored, each is seen half as often as itself: these had not converged after 40.
EPOCHS, EPOCHS_MIRRORED = (3, 40), (3, 80)
# Where the time allows fewer epochs, photos are made smaller: down to three quarters for the first
# number of epochs, and down to half of that for the second.
MANY, ENOUGH = 30, 12
_SMALLEST = 96
BATCHES = 3000  # what a small set is given where there is time, however few photos it has
BUDGET = 30 * 60.0
_LED_IN = 0.25  # of the training until ArcFace's margin is whole, without a head learned first
_WARM = 0.15  # of the training until the learning rate is whole

WARP = Warp(
    turn=0.15, scale=0.15, stretch=0.08, slant=0.08, shift=0.08, bend=0, beyond="reflection"
)


def photo_augmentation(mirrored: int = 0) -> list[Augment]:
    """The steps for photographs.

    Args:
        mirrored: of so many individuals half are shown mirrored, as somebody else, since sides may
            differ: there are twice as many labels. 0 mirrors nobody.
    """
    from resight.learn.light import Cover, Light

    steps: list[Augment] = [WARP, Light(), Cover()]
    return [Mirrored(mirrored), *steps] if mirrored else steps


def body_rate(body: nn.Module) -> float:
    """The learning rate for a body of convolutions: `BODY_STEP` of the size that its weights have.

    Adam moves a weight by about the rate, however large the gradient is, so what is small for one
    body would undo another, whose weights are a quarter as large (a relative step, as in Shazeer
    and Stern, "Adafactor", ICML 2018). The size is the median over the convolutions that learn, of
    the root of the mean square; for EfficientNet-Lite0 the rate is 1.2e-3.
    """
    sizes = [
        weights.detach().square().mean().sqrt()
        for weights in body.parameters()
        if weights.ndim == 4 and weights.requires_grad
    ]
    return BODY_STEP * float(torch.stack(sizes).median()) if sizes else PLAIN_RATE


def tuning_within(
    train: PhotoSet, valid: PhotoSet, plan: Plan, budget: float, **options: Any
) -> tuple[FineTuning, int, float]:
    """A training that a time is enough for, its epochs, and the seconds that it will take.

    Where the photos' size leaves fewer than thirty epochs they are made somewhat smaller, and where
    it still leaves fewer than a dozen, smaller yet: a few passes over large photos teach less than
    some more over smaller ones. A size that was asked for stays.

    Args:
        train, valid, plan, options: as for `FineTuning`.
        budget: seconds.
    """
    tuning = FineTuning(train, valid, plan, **options)
    epochs, takes = tuning.epochs_within(budget)
    if plan.size_given or len(tuning.sizes) == 1:
        return tuning, epochs, takes
    affords = epochs * budget / takes
    part = max((affords / MANY) ** 0.5, 0.75)
    if affords < ENOUGH * part**2:  # even so; a photo of half the sides takes a quarter of the time
        part = max((affords / ENOUGH) ** 0.5, 0.375)
    part = min(max(part, _SMALLEST / min(plan.size)), 1.0)
    height, width = (max(16, round(side * part / 16) * 16) for side in plan.size)
    if (height, width) == plan.size:
        return tuning, epochs, takes
    smaller = replace(plan, size=(height, width))
    tuning = FineTuning(
        train.resized(smaller.size), valid.resized(smaller.size), smaller, **options
    )
    return tuning, *tuning.epochs_within(budget)


class FineTuning:
    """One training of a pretrained body on photographs.

    The body's batch normalisations are folded into its convolutions, where it has such as can be,
    and its first stages stay as they came. A new head, which sees where in the photo features lie,
    is trained first (`learn_head`), with ArcFace unless another loss is given; then all together:
    a third each of the epochs sees small, larger and whole photos, where the body takes them.

    Args:
        train, valid: the photos at their full size, as for `reid_learner`.
        plan: what to train.
        loss: instead of ArcFace.
        seed: of everything.
        path: where fastai puts its files.

    Attributes:
        learn: the learner.
        plan: as it was given.
        sizes: what the epochs see, in turn, once each.
        folded: whether the body's batch normalisations are.
        placed: whether the head sees where features lie (`PlacedBody`).
        rate: the body's learning rate.
        batch: photos in a batch.
    """

    def __init__(
        self,
        train: PhotoSet,
        valid: PhotoSet,
        plan: Plan,
        *,
        loss: Loss | None = None,
        seed: int = 0,
        path: Path,
    ) -> None:
        keep_freed_memory()
        torch.manual_seed(seed)
        body = create_embedder(
            plan.body, dim=plan.dim, channels=plan.channels, size=plan.size, pretrained=True
        )
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        half = gains_by_bfloat16(device)
        if half and device.type == "cpu":
            suit_bfloat16(body.body)
        self.folded = bool(fold_batchnorm(body.body, torch.rand(2, plan.channels, *body.sees)))
        normalised = self.folded or any(
            isinstance(module, nn.BatchNorm2d) for module in body.body.modules()
        )
        keep_first_stages(body.body)
        keep_wide_depthwise(body.body)
        self.placed = place(body)
        self.rate = body_rate(body.body) if normalised else PLAIN_RATE
        sizes = growing_sizes(plan.size, 3)
        grows = body.sees == plan.size and takes(body.body, plan.channels, sizes)
        self.plan = plan
        self.sizes: list[Size] = sizes if grows else [plan.size]
        mirrored = len(train.names) if plan.mirrored else 0
        self.arcface = ArcFaceLoss(
            len(train.names) + mirrored, plan.dim, margin=MARGIN, scale=SCALE
        )
        individuals = min(plan.individuals or INDIVIDUALS, len(train.labels.unique()))
        self.batch = individuals * PHOTOS
        self._took: dict[Size, tuple[float, float]] = {}  # seconds a batch, learning and looking
        self.learn: ReidLearner = reid_learner(
            train,
            valid,
            body=body,
            loss=loss or self.arcface,
            individuals=individuals,
            photos=PHOTOS,
            augment=photo_augmentation(mirrored),
            half_precision=half,
            seed=seed,
            path=path,
            wd=DECAY,
            moms=(0.9, 0.9, 0.9),
            opt_func=partial(OptimWrapper, opt=torch.optim.AdamW, betas=(0.9, 0.99), fused=True),
        )

    def learn_head(self) -> None:
        """Train the head alone, where it can be told where features lie."""
        if self.placed:
            learn_head(
                self.learn.model,
                cast(nn.Module, self.learn.loss_func),
                self.learn.dls.train.photos,
                self.learn.dls.train.augment,
                self.sizes[0],
                self.learn.dls.train.seed,
            )

    def epochs_within(self, budget: float) -> tuple[int, float]:
        """How many epochs a time allows, in seconds, and the seconds that they will take.

        A few batches of each size are timed, by all processes at once; the slowest counts. Asked
        again later, the shorter of the times counts: what a machine did beside for a moment is not
        to decide how many there are in an hour. What the head, the validation and the whitening
        take is within the time. There are three epochs at least, whatever the budget.
        """
        loader, held = self.learn.dls.train, len(self.learn.dls.valid.photos)
        photos = len(loader.photos)
        for size in self.sizes:
            by_rank = everybody(self._seconds_a_batch(size))
            before = self._took.get(size, (math.inf, math.inf))
            slowest = [max(took) for took in zip(*by_rank, strict=True)]
            self._took[size] = min(before[0], slowest[0]), min(before[1], slowest[1])
        each = [self._took[size][0] for size in self.sizes]
        looking = [self._took[size][1] / self.batch for size in self.sizes]
        epoch = len(loader) * float(np.mean(each)) + held * float(np.mean(looking))
        # Before and after, each process looks at all photos by itself, not at its share.
        first = looks_at(photos) * looking[0] if self.placed else 0.0
        last = whitening_looks(photos) * looking[-1] if self.plan.whitened else 0.0
        beside = (first + last) * count()
        least, most = EPOCHS_MIRRORED if self.plan.mirrored else EPOCHS
        most = max(most, BATCHES // max(1, len(loader)))
        epochs = int(np.clip((budget - beside) / epoch, least, most))
        return epochs, beside + epochs * epoch

    def fit(self, epochs: int, cbs: Sequence[Callback]) -> None:
        """Train."""
        batches = epochs * len(self.learn.dls.train)
        # A head that was learned first has met the whole margin.
        self.arcface.lead_in = 1 if self.placed else max(1, round(_LED_IN * batches))
        rates = [self.rate, HEAD_RATE]
        if list(cast(nn.Module, self.learn.loss_func).parameters()):
            rates.append(CENTRES_RATE)
        sizes = growing_sizes(self.sizes[-1], epochs) if len(self.sizes) > 1 else self.sizes
        self.learn.fit_one_cycle(
            epochs,
            rates,
            pct_start=_WARM,
            cbs=[*cbs, GrowingSize(sizes), GradientClip(5.0)],
        )

    def _seconds_a_batch(self, size: Size, turns: int = 3) -> tuple[float, float]:
        """How long it takes to learn from a batch, and to look at one as validation does.

        Medians of some turns on a copy, so that nothing is learned and no chance is used.
        """
        loader, device = self.learn.dls.train, self.learn.dls.device
        network: Embedder = copy.deepcopy(self.learn.model)
        loss = copy.deepcopy(self.learn.loss_func)
        loader.shrunk_to = size
        loader.share = (rank(), count()) if count() > 1 else None
        wait()
        try:
            pixels, labels = loader.one_batch()
        finally:
            loader.shrunk_to = loader.share = None

        def learn() -> None:
            value: Tensor = loss(network(pixels), labels)
            value.backward()
            if count() > 1:
                averaged(list(network.parameters()))

        def look() -> None:
            with torch.no_grad():
                network(pixels)

        with torch.random.fork_rng():  # the head drops features by chance
            network.train()
            learning = _median_seconds(learn, turns, device)
            network.eval()  # in float32, so it may take more than a third of the time
            looking = _median_seconds(look, turns, device)
        return learning * 1.1, looking  # the optimiser, the pipeline


def _median_seconds(step: Callable[[], None], turns: int, device: torch.device) -> float:
    took = []
    for _ in range(turns):
        begun = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        took.append(time.perf_counter() - begun)
    return float(np.median(took))
