"""What a training tells on standard error while it goes on."""

from __future__ import annotations

import sys
import time

from fastai.callback.core import Callback


def tell(words: str) -> None:
    """A line, at once."""
    print(words, file=sys.stderr, flush=True)


class Told(Callback):
    """A line an epoch on standard error: how far, how good, how long yet."""

    order = 80

    def before_fit(self) -> None:
        """Start the clock."""
        self._begun = time.monotonic()
        self._first: int | None = None

    def after_epoch(self) -> None:
        """Tell."""
        record = list(self.learn.recorder.values[-1])
        if not record:  # passed over, in a training that was taken up again
            return
        if self._first is None:
            self._first = self.learn.epoch
        done = self.learn.epoch + 1
        left = (time.monotonic() - self._begun) / (done - self._first) * (self.learn.n_epoch - done)
        names = ["train loss", "valid loss", *(metric.name for metric in self.learn.metrics)]
        figures = [f"{n} {v:.3f}" for n, v in zip(names, record, strict=False) if v is not None]
        tell(f"epoch {done} of {self.learn.n_epoch}: {', '.join(figures)}; {left:.0f} s left")
