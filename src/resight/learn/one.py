"""One network, trained by the recipe for its kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback

from resight.learn.allocator import keep_freed_memory
from resight.learn.arcface import ArcFaceLoss
from resight.learn.augment import Warp
from resight.learn.best import KeepBest
from resight.learn.data import Augment, PhotoSet
from resight.learn.hearing import sound_augmentation
from resight.learn.learner import Loss, ReidLearner, reid_learner
from resight.learn.losses import SupConLoss, TripletLoss
from resight.learn.photographs import BUDGET, FineTuning, tuning_within
from resight.learn.plan import LossName, Plan
from resight.learn.resume import Resume
from resight.learn.together import agreed
from resight.learn.told import Told, tell
from resight.learn.virtual import HANDFUL, glyph_augmentation
from resight.words import counted

# The digits' recipe, as measured (benchmarks/RESULTS.md).
STEPS = 700
SOUND_STEPS = 400
RATE = 3e-3
TEMPERATURE = 0.07
_DRAWINGS = 240  # a batch, more or less
_SAVED = 5.0  # seconds between two states of a training
_TIMED_AGAIN = 600.0  # seconds of a budget from which some for a second timing are little


def train_one(
    train: PhotoSet,
    valid: PhotoSet,
    plan: Plan,
    state: Path,
    networks: int,
    *,
    seed: int,
    path: Path,
    progress: bool,
) -> tuple[ReidLearner, Plan]:
    """Train one network; and the plan, with its epochs.

    Args:
        train, valid, plan: what to train, on what, and how.
        state: the file of a training that may be killed (`Resume`).
        networks: how many share the plan's budget.
        seed, path: as for `reid_learner`.
        progress: tell what is done.
    """
    options: dict[str, Any] = {"seed": seed, "path": path}
    if plan.fine_tune:
        budget = (plan.budget or BUDGET) / networks
        return _tuned(train, valid, plan, state, budget, progress, options)
    return _from_scratch(train, valid, plan, state, progress, options)


def _tuned(
    train: PhotoSet,
    valid: PhotoSet,
    plan: Plan,
    state: Path,
    budget: float,
    progress: bool,
    options: dict[str, Any],
) -> tuple[ReidLearner, Plan]:
    """A pretrained body, trained further."""
    loss = None if plan.loss == "arcface" else loss_named(plan.loss, len(train.names), plan.dim)
    options = {"loss": loss, **options}
    # A training that is taken up again keeps the epochs that it was begun with.
    begun = agreed(Resume.begun_with(state))
    if begun is not None and plan.epochs in (None, begun[0]):
        plan = replace(plan, epochs=begun[0], size=begun[1])
    by_time = plan.epochs is None
    if by_time:
        tuning, within, takes = tuning_within(train, valid, plan, budget, **options)
        plan = replace(tuning.plan, epochs=within)
        if progress:
            longer = ", longer than the budget: fewer epochs learn little"
            tell(f"some {takes / 60:.1f} min in all{longer if takes > 1.2 * budget else ''}")
            if plan.size != train.size:
                tell(f"photos of {plan.size[0]}×{plan.size[1]}, for more epochs in that time")
    else:
        tuning = FineTuning(train.resized(plan.size), valid.resized(plan.size), plan, **options)
    if begun is None:
        started = time.monotonic()
        tuning.learn_head()
        if progress and tuning.placed:
            tell(f"the head first, on what the body sees: {time.monotonic() - started:.0f} s")
        if by_time and budget >= _TIMED_AGAIN:  # a minute later
            epochs, takes = tuning.epochs_within(budget)
            if progress and epochs != plan.epochs:
                tell(
                    f"batches are faster than it seemed: {epochs} epochs instead of {plan.epochs}, "
                    f"some {takes / 60:.1f} min in all"
                )
            plan = replace(plan, epochs=epochs)
    assert plan.epochs is not None
    if progress:
        tell(f"{counted(plan.epochs, 'epoch')} of {len(tuning.learn.dls.train)} batches")
    saved = Resume(state, keep=True, every=_SAVED)
    fit_epochs(tuning.learn, plan.epochs, 0, progress, [saved, KeepBest()], tuning.fit)
    return tuning.learn, plan


def _from_scratch(
    train: PhotoSet,
    valid: PhotoSet,
    plan: Plan,
    state: Path,
    progress: bool,
    options: dict[str, Any],
) -> tuple[ReidLearner, Plan]:
    """Drawings, sound, and photographs without a pretrained body."""
    drawings = plan.kind == "drawings"
    individuals, each = min(plan.individuals or 16, len(train.names)), 4
    augment: list[Augment] = [Warp()]
    if drawings:
        individuals, each = drawing_batch(len(train.names), plan.individuals)
        augment = glyph_augmentation(train)
    elif plan.hearing is not None:
        augment = sound_augmentation()
    learn = reid_learner(
        train,
        valid,
        body=plan.body,
        dim=plan.dim,
        pretrained=plan.pretrained,
        loss=loss_named(plan.loss, len(train.names), plan.dim),
        individuals=individuals,
        photos=each,
        augment=augment,
        wd=0.02,
        **options,
    )
    if drawings:
        usual = np.clip(round(STEPS / len(learn.dls.train)), 1, 200)
    else:
        per_epoch = max(1, len(train) // (each * individuals))
        steps = STEPS if plan.hearing is None else SOUND_STEPS
        usual = np.clip(round(steps / per_epoch), 2, 60)
    epochs = plan.epochs or int(usual)
    if progress:
        tell(counted(epochs, "epoch"))
    fit_epochs(learn, epochs, RATE, progress, [Resume(state, keep=True, every=_SAVED)])
    return learn, replace(plan, epochs=epochs)


def drawing_batch(there: int, asked: int | None = None) -> tuple[int, int]:
    """How many individuals a batch of drawings shows, and how many photos of each.

    As many individuals as can be there with a handful of photos; of fewer, more photos, whole
    handfuls of them: some 240 in all.

    Args:
        there: individuals to learn from.
        asked: show so many, if there are as many.
    """
    individuals = min(asked or _DRAWINGS // HANDFUL, there)
    return individuals, max(1, round(_DRAWINGS / (individuals * HANDFUL))) * HANDFUL


def fit_epochs(
    learn: ReidLearner,
    epochs: int,
    rate: float,
    progress: bool,
    cbs: Sequence[Callback],
    fit: Callable[[int, Sequence[Callback]], None] | None = None,
) -> None:
    """Fit, telling of each epoch rather than drawing fastai's bars."""
    keep_freed_memory()
    mine = [*cbs, Told()] if progress else list(cbs)
    bars = learn.removed_cbs(list(learn._grab_cbs(ProgressCallback)))
    with learn.distrib_ctx(), bars, learn.no_logging():
        if fit is None:
            learn.fit_one_cycle(epochs, rate, cbs=mine)
        else:
            fit(epochs, mine)


def loss_named(name: LossName, individuals: int, dim: int) -> Loss:
    """The loss of that name, as the recipes set it."""
    if name == "triplet":
        return TripletLoss()
    if name == "soft-triplet":
        return TripletLoss("hard", "soft")
    if name == "supcon":
        return SupConLoss(TEMPERATURE)
    return ArcFaceLoss(individuals, dim)
