"""What the learner adds to fastai's loop: retrieval metrics, speed, resuming, and a guard."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from fastai.callback.core import Callback, CancelEpochException, CancelFitException
from fastai.learner import Metric
from torch import Tensor, nn


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
        from resight.errors import ResightError
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


class HalfPrecision(Callback):
    """Runs the network in bfloat16 where the processor has it; the loss stays in float32."""

    order = 10
    _context: torch.autocast | None = None

    def before_batch(self) -> None:
        """Enter autocast for the forward pass."""
        self._context = torch.autocast(self.learn.dls.device.type, torch.bfloat16)
        self._context.__enter__()

    def after_pred(self) -> None:
        """Leave it before the loss."""
        self._leave()

    def after_cancel_batch(self) -> None:
        """Leave it when the batch is given up."""
        self._leave()

    def _leave(self) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
            self._context = None


class LossToDevice(Callback):
    """Losses with parameters of their own (proxies, ArcFace's centres) go where the network is."""

    def before_fit(self) -> None:
        """Before the first batch."""
        if isinstance(self.learn.loss_func, nn.Module):
            self.learn.loss_func.to(self.learn.dls.device)


class Resume(Callback):
    """Saves the state after every epoch, and takes a training up again where it was stopped.

    Give it to the `fit` call that may be killed, and to the same call afterwards: the finished
    epochs are passed over, and the rest is what it would have been.

    Args:
        path: the state's file; removed once the training is through.

    Example:
        >>> learn.fit_one_cycle(10, 3e-3, cbs=Resume("out/state.pth"))
    """

    order = 65  # after the recorder, before the epochs are skipped

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.done = 0

    def before_fit(self) -> None:
        """Load the state, if there is one."""
        self.done = 0
        if hasattr(self.learn, "lr_finder") or not self.path.exists():
            return
        state = torch.load(self.path, map_location=self.learn.dls.device, weights_only=True)
        if state["epochs"] != self.learn.n_epoch:
            warnings.warn(
                f"{self.path} is the state of a training of {state['epochs']} epochs, and this one "
                f"has {self.learn.n_epoch}; it begins anew",
                stacklevel=2,
            )
            return
        self.learn.model.load_state_dict(state["model"])
        self.learn.opt.load_state_dict(state["optimizer"])
        if isinstance(self.learn.loss_func, nn.Module):
            self.learn.loss_func.load_state_dict(state["loss"])
        self.done = state["done"]

    def before_epoch(self) -> None:
        """Pass over what is done."""
        for loader in self.learn.dls.loaders:
            loader.epoch = self.learn.epoch
        if self.learn.epoch < self.done:
            raise CancelEpochException

    def after_epoch(self) -> None:
        """Save; the file is replaced whole."""
        if hasattr(self.learn, "lr_finder") or self.learn.epoch < self.done:
            return
        loss = self.learn.loss_func
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        torch.save(
            {
                "model": self.learn.model.state_dict(),
                "optimizer": self.learn.opt.state_dict(),
                "loss": loss.state_dict() if isinstance(loss, nn.Module) else {},
                "done": self.learn.epoch + 1,
                "epochs": self.learn.n_epoch,
            },
            part,
        )
        part.replace(self.path)

    def after_fit(self) -> None:
        """A finished training needs no state."""
        if self.learn.epoch + 1 == self.learn.n_epoch:
            self.path.unlink(missing_ok=True)


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
        if not self.learn.training:
            return
        with torch.no_grad():
            spread, compared = _spread(self.learn.pred.detach().float(), self.learn.y)
            state = torch.stack([spread, compared]).tolist()
        self.spread, has_pairs = state[0], bool(state[1])
        self._collapsed = (
            self._collapsed + 1 if has_pairs and not self.spread > self.least_spread else 0
        )
        self._empty = 0 if has_pairs else self._empty + 1
        if self._collapsed == self.patience:
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
