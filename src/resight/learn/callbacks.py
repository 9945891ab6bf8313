"""What the learner adds to fastai's loop: retrieval metrics. Its guards: `guards.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.learner import Metric
from torch import Tensor

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
