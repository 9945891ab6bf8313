"""The best epoch instead of the last one."""

from __future__ import annotations

import math

from fastai.callback.core import Callback
from fastai.torch_core import get_model


class KeepBest(Callback):
    """Ends a training with the weights of the best epoch in validation.

    That is the latest whose R@1 lies within one standard error of the highest: among a few hundred
    photos the highest is often chance, and at the end, when the learning rate has fallen, weights
    are better than validation can tell. Only epochs that see photos of the full size are compared
    (`GrowingSize`). `Resume` takes up what was the best so far.
    """

    order = 64  # when the figures of the epoch are there, before `Resume` saves

    def before_fit(self) -> None:
        """Nothing is known, unless `Resume` brings it."""
        self.learn.best = None

    def after_epoch(self) -> None:
        """Keep the weights if they are the best."""
        figures = dict(self.learn.figures)
        value = figures.get("R@1")
        network = get_model(self.model)
        if value is None or self.learn.dls.valid.shrunk_to not in (None, network.size):
            return
        highest = max(value, (self.learn.best or {}).get("highest", 0.0))
        error = math.sqrt(highest * (1 - highest) / max(1, len(self.learn.dls.valid.photos)))
        if value >= highest - error:
            weights = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
            self.learn.best = {"figures": figures, "model": weights, "highest": highest}

    def after_fit(self) -> None:
        """Put the best weights back."""
        if self.learn.best is not None:
            get_model(self.learn.model).load_state_dict(self.learn.best["model"])
            self.learn.figures = self.learn.best["figures"]
            self.learn.best = None
