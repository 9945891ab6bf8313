"""Passes a training's progress on to whoever tells of it. Needs the train extra."""

from __future__ import annotations

from collections.abc import Callable

from fastai.callback.core import Callback


class Watching(Callback):
    """Calls `advance(done, of, words)` after every epoch."""

    order = 80

    def __init__(self, advance: Callable[[int, int, str], None]) -> None:
        self.advance = advance

    def after_epoch(self) -> None:
        """Tell how far and how good."""
        values = self.learn.recorder.values
        names = self.learn.recorder.metric_names[1:]
        reached = dict(zip(names, values[-1], strict=False)).get("R@1") if values else None
        words = "" if reached is None else f"R@1 {reached:.3f}"
        self.advance(self.learn.epoch + 1, self.learn.n_epoch, words)
