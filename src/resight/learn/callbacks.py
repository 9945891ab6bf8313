"""What the learner adds to fastai's loop: retrieval metrics, and guards."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from fastai.callback.core import (
    Callback,
    CancelBatchException,
    CancelFitException,
)
from fastai.learner import Metric
from torch import Tensor, nn

from resight.errors import ResightError


class TrainingError(ResightError):
    """What a callback raises; fastai wraps the words of others' errors in two lines of its own."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self._words = words

    def __str__(self) -> str:
        return self._words


class RetrievalMetric(Metric):
    """R@1 or mAP over the whole validation set, each photo asked of all the others.

    A mean over batches would ask each photo only of the few that share its batch, which flatters.
    The pair from `retrieval_metrics` gathers the embeddings once and ranks them once.
    """

    def __init__(self, name: str, first: RetrievalMetric | None = None) -> None:
        self._name = name
        self._first = first
        self._embeddings: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._figures: dict[str, float] = {}

    @property
    def name(self) -> str:
        """Its column in the table."""
        return self._name

    def reset(self) -> None:
        """Forget the last validation."""
        self._embeddings, self._labels, self._figures = [], [], {}

    def accumulate(self, learn: Any) -> None:
        """Take in one batch."""
        if self._first is None:
            self._embeddings.append(learn.pred.detach().float().cpu())
            self._labels.append(learn.y.detach().cpu())

    @property
    def value(self) -> float:
        """The figure; NaN where no photo has another of its individual."""
        if self._first is not None:
            return self._first.figures().get(self._name, float("nan"))
        return self.figures().get(self._name, float("nan"))

    def figures(self) -> dict[str, float]:
        """Every figure by its name."""
        from resight.evaluate.metrics import retrieval

        if not self._figures and self._embeddings:
            try:
                found = retrieval(
                    torch.cat(self._embeddings).numpy(),
                    torch.cat(self._labels).numpy(),
                    resamples=0,
                )
            except ResightError:  # embeddings of NaN, or nothing to find: no figure
                return {}
            self._figures = {name: figure.value for name, figure in found.figures().items()}
        return self._figures


def retrieval_metrics() -> list[RetrievalMetric]:
    """R@1 and mAP, ranked once."""
    first = RetrievalMetric("R@1")
    return [first, RetrievalMetric("mAP", first)]


class LastFigures(Callback):
    """Keeps the figures of the last epoch of a fit in `learn.figures`, for the model's card.

    fastai's `final_record` is overwritten by whoever validates, on whatever photos.
    """

    order = 55  # after the recorder
    _trained = False

    def before_epoch(self) -> None:
        """Nothing is trained yet."""
        self._trained = False

    def after_train(self) -> None:
        """Something is."""
        self._trained = not hasattr(self.learn, "lr_finder")

    def after_epoch(self) -> None:
        """Keep what is a number."""
        if self._trained:
            names = self.learn.recorder.metric_names[1:]
            values = zip(names, self.learn.final_record, strict=False)
            figures = {name: float(value) for name, value in values if value is not None}
            self.learn.figures = {n: v for n, v in figures.items() if np.isfinite(v)}


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
                "train it without composed virtual individuals"
            )
        self.learn.loss = torch.full((), float("nan"), device=self.learn.pred.device)
        raise CancelBatchException

    def _count(self) -> int | None:
        loss = self.learn.loss_func
        modules = loss.modules() if isinstance(loss, nn.Module) else ()
        counts = (getattr(module, "num_classes", None) for module in modules)
        return next((count for count in counts if isinstance(count, int)), None)


class CollapseGuard(Callback):
    """Says in words when a training has stopped learning without an error.

    Two things do that silently. *Collapse*: every photo gets the same embedding, all distances
    are 0 and the loss stands at the margin; batch-hard mining from scratch is known for it
    (Hermans et al., 2017; Wu et al., 2017). *Empty batches*: no photo has both a positive and a
    negative beside it, and the loss is 0 because there is nothing to compare.

    Args:
        spread: the least mean distance (1 − cosine, between different individuals of a batch)
            that counts as spread out; a healthy training has 0.3 to 1.
        patience: batches in a row before it speaks.
        stop: end the training then, instead of only saying so.
    """

    order = 70

    def __init__(self, *, spread: float = 0.01, patience: int = 20, stop: bool = False) -> None:
        self.least_spread, self.patience, self.stop = spread, patience, stop
        self.spread = float("nan")
        self._collapsed = self._empty = 0

    def before_fit(self) -> None:
        """Begin anew."""
        self._collapsed = self._empty = 0

    def after_loss(self) -> None:
        """Look at the batch."""
        if not self.learn.training or hasattr(self.learn, "lr_finder"):
            return  # which goes on until it breaks
        with torch.no_grad():
            spread, compared = _spread(self.learn.pred.detach().float(), self.learn.y)
            state = torch.stack([spread, compared]).tolist()
        self.spread, has_pairs = state[0], bool(state[1])
        self._collapsed = (
            self._collapsed + 1 if has_pairs and not self.spread > self.least_spread else 0
        )
        self._empty = 0 if has_pairs else self._empty + 1
        if self._collapsed == self.patience and not np.isfinite(self.spread):
            self._say(
                "the embeddings are no numbers any more (NaN): nothing is learned from here on. "
                "Begin again with a lower learning rate"
            )
        elif self._collapsed == self.patience:
            self._say(
                f"the embeddings have collapsed: different individuals lie {self.spread:.4f} apart "
                f"(of 2), so all photos look the same to the network. Begin again with semi-hard "
                'mining, TripletLoss("semihard"), or with a lower learning rate; take batch-hard '
                "only to go on from there"
            )
        if self._empty == self.patience:
            self._say(
                f"the last {self.patience} batches held no photo with both a positive and a "
                "negative, so the loss is 0 and nothing is learned. Draw batches with PKSampler "
                "(photos of each individual: 2 or more, individuals: 2 or more)"
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
