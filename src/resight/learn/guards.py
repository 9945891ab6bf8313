"""What watches a training, so that none goes wrong without a word."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from fastai.callback.core import Callback, CancelBatchException, CancelFitException
from torch import Tensor, nn

from resight.learn.callbacks import TrainingError
from resight.learn.losses import TripletLoss

_IDLE = 10


class Centres(Callback):
    """A loss with centres, one an individual (ArcFace, proxies), knows nothing of others.

    In validation such photos get no loss (NaN), so that unseen individuals can be validated on;
    in training they are an error.
    """

    order = 20

    def after_pred(self) -> None:
        """Look at the batch before the loss does."""
        count = self._count()
        if count is None or int(self.learn.y.max()) < count:
            return
        if self.learn.training:
            raise TrainingError(
                f"the loss has centres for {count} individuals and a batch shows number "
                f"{int(self.learn.y.max()) + 1}: give it as many as the training photos have, and "
                "train it without virtual individuals, or take a loss without centres, as "
                "SupConLoss or TripletLoss"
            )
        self.learn.loss = torch.full((), float("nan"), device=self.learn.pred.device)
        raise CancelBatchException

    def _count(self) -> int | None:
        """How many centres the loss has; its own word, or else by the shape of its parameters."""
        loss = self.learn.loss_func
        if not isinstance(loss, nn.Module):
            return None
        for module in loss.modules():
            if isinstance(count := getattr(module, "num_classes", None), int):
                return count
        individuals = len(self.learn.dls.train.photos.names)
        shape = sorted((individuals, self.learn.pred.shape[1]))
        centres = any(sorted(p.shape) == shape for p in loss.parameters())
        return individuals if centres else None


class LossMode(Callback):
    """Tells a loss that is a module whether it is being trained; fastai tells only the network."""

    order = 10

    def before_train(self) -> None:
        """It is."""
        self._set(True)

    def before_validate(self) -> None:
        """It is not."""
        self._set(False)

    def after_fit(self) -> None:
        """As it was made."""
        self._set(True)

    def _set(self, training: bool) -> None:
        if isinstance(self.learn.loss_func, nn.Module):
            self.learn.loss_func.train(training)


def collapses(hard: TripletLoss, value: Tensor) -> bool:
    """Whether batch-hard with a hinge, of this value just now, would lead to one point.

    With all photos at one point its mean over the anchors is exactly the margin; above that,
    collapsing is the quickest way down.
    """
    mined = hard.mined
    assert mined is not None
    mean = float(value.detach() * mined.active / mined.terms.clamp(min=1))
    return not mean <= float(hard.margin)


class WarmUp(Callback):
    """Mines semi-hard in batch-hard's place where batch-hard would pull everything to one point.

    With all photos at one point, batch-hard's hinge costs exactly the margin. While its mean over
    the anchors is above that, as it is for a network that knows nothing yet, collapsing is the
    quickest way down. So a batch whose mean is above the margin is mined semi-hard, and batch-hard
    begins by itself once it leads somewhere better. It looks at every batch anew: a training that
    was taken up again goes on as if it had never stopped.

    It acts on a `TripletLoss` with mining "hard" and a number for a margin, and on nothing else
    (the soft margin keeps pulling apart at one point). `reid_learner` adds it.

    Args:
        on: False for batch-hard as it is.
    """

    order = 30
    _loss: TripletLoss | None = None

    def __init__(self, *, on: bool = True) -> None:
        self.on = on
        self._softened = self._batches = 0

    def before_fit(self) -> None:
        """Look what loss it is."""
        self._restore()
        self._softened = self._batches = 0
        loss = self.learn.loss_func
        for module in loss.modules() if self.on and isinstance(loss, nn.Module) else ():
            if isinstance(module, TripletLoss) and module.mining == "hard":
                self._loss = None if module.margin == "soft" else module
                self._hard = TripletLoss("hard", module.margin, module.distance)

    def after_pred(self) -> None:
        """Choose the mining of a training batch."""
        if self._loss is None or not self.learn.training:
            return
        with torch.no_grad():
            value = self._hard(self.learn.pred.detach(), self.learn.y)
        softened = collapses(self._hard, value)
        self._batches += 1
        self._softened += softened
        self._loss.mining = "semihard" if softened else "hard"

    def after_batch(self) -> None:
        """The loss is what it was."""
        if self._loss is not None:
            self._loss.mining = "hard"

    def after_fit(self) -> None:
        """Say so if batch-hard has not begun."""
        looking = hasattr(self.learn, "lr_finder")
        if self._loss and self._softened == self._batches > 0 and not looking:
            warnings.warn(
                f"batch-hard mining has not begun: in all {self._batches} batches its loss was "
                f"above the margin of {self._hard.margin}, where collapsing to one point is the "
                "quickest way down, so they were mined semi-hard. Train longer, take larger "
                'batches, or take TripletLoss("semihard") knowingly',
                stacklevel=2,
            )
        self._restore()

    def _restore(self) -> None:
        self.after_batch()
        self._loss = None


class CollapseGuard(Callback):
    """Says in words when a training has stopped learning without an error.

    Three things do that silently. *Collapse*: every photo gets the same embedding, all distances
    are 0 and the loss stands at the margin; batch-hard mining from scratch is known for it
    (Hermans et al., 2017; Wu et al., 2017). *Empty batches*: no photo has both a positive and a
    negative beside it, and the loss is 0 because there is nothing to compare. *Idle batches*: no
    triplet costs anything any more, and the rest of the training is spent for nothing.

    Args:
        spread: the least mean distance (1 − cosine, between different individuals of a batch)
            that counts as spread out; a healthy training has 0.3 to 1.
        patience: batches in a row before it speaks; of idle ones, ten times as many.
        stop: end the training then, instead of only saying so.

    Attributes:
        spread: of the last batch.
        active: share of the last batch's terms that were above zero, by `loss.mined`; NaN for
            losses that do not tell.
    """

    order = 70

    def __init__(self, *, spread: float = 0.01, patience: int = 20, stop: bool = False) -> None:
        self.least_spread = spread
        self.patience, self.stop = patience, stop
        self.spread = self.active = float("nan")
        self._collapsed = self._empty = self._idle = 0

    def before_fit(self) -> None:
        """Begin anew."""
        self._collapsed = self._empty = self._idle = 0

    def after_loss(self) -> None:
        """Look at the batch."""
        if not self.learn.training or hasattr(self.learn, "lr_finder"):
            return  # which goes on until it breaks
        with torch.no_grad():
            spread, compared = _spread(self.learn.pred.detach().float(), self.learn.y)
            mined = getattr(self.learn.loss_func, "mined", None)
            terms, active = (mined.terms, mined.active) if mined is not None else (compared,) * 2
            state = torch.stack([spread, compared, terms.to(spread), active.to(spread)]).tolist()
        self.spread, has_pairs = state[0], bool(state[1])
        self.active = state[3] / state[2] if mined is not None and state[2] else float("nan")
        collapsed = has_pairs and not self.spread > self.least_spread
        self._collapsed = self._collapsed + 1 if collapsed else 0
        self._empty = 0 if has_pairs else self._empty + 1
        idle = has_pairs and not collapsed and self.active == 0
        self._idle = self._idle + 1 if idle else 0
        if self._collapsed == self.patience:
            self._say(self._of_collapse())
        if self._empty == self.patience:
            self._say(
                f"the last {self.patience} batches held no photo with both a positive and a "
                "negative, so the loss is 0 and nothing is learned. Draw batches with PKSampler "
                "(photos of each individual: 2 or more, individuals: 2 or more)"
            )
        if self._idle == _IDLE * self.patience:
            self._say(
                f"no triplet of the last {self._idle} batches cost anything, so the loss is 0 "
                "and nothing more is learned. Stop here, or take harder mining, larger batches, a "
                'larger margin or margin="soft"'
            )

    def _of_collapse(self) -> str:
        if not np.isfinite(self.spread):
            return (
                "the embeddings are no numbers any more (NaN): nothing is learned from here on. "
                "Begin again with a lower learning rate"
            )
        pulling = "" if np.isnan(self.active) else f", and {self.active:.0%} of the terms pull"
        return (
            f"the embeddings have collapsed: different individuals lie {self.spread:.4f} apart "
            f"(of 2){pulling}, so all photos look the same to the network. Begin again with "
            'semi-hard mining, TripletLoss("semihard"), or with a lower learning rate; take '
            "batch-hard only to go on from there, or let WarmUp begin it"
        )

    def _say(self, words: str) -> None:
        warnings.warn(words, stacklevel=2)
        if self.stop:
            raise CancelFitException


def _spread(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean distance between individuals in a batch, and whether it has positives and negatives."""
    same = labels[:, None] == labels[None, :]
    different = ~same
    distance = 1 - embeddings @ embeddings.T
    count = different.sum()
    spread = (distance * different).sum() / count.clamp(min=1)
    both = (same.sum(1) > 1) & different.any(1)
    return spread, both.any().to(spread.dtype)


def guards(given: Sequence[Callback] = ()) -> list[Callback]:
    """Those that `reid_learner` adds, but for kinds that were given to it."""
    kinds = (Centres, LossMode, WarmUp, CollapseGuard)
    return [kind() for kind in kinds if not any(isinstance(one, kind) for one in given)]
