"""What a training tells on standard error while it goes on."""

from __future__ import annotations

import sys
import time

from fastai.callback.core import Callback

from resight.learn.sizes import GrowingSize


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
        pixels = self._pixels()
        took = time.monotonic() - self._begun
        left = took / sum(pixels[self._first : done]) * sum(pixels[done:])
        names = ["train loss", "valid loss", *(metric.name for metric in self.learn.metrics)]
        figures = [f"{n} {v:.3f}" for n, v in zip(names, record, strict=False) if v is not None]
        so_long = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
        tell(f"epoch {done} of {self.learn.n_epoch}: {', '.join(figures)}; {so_long} left")

    def _pixels(self) -> list[int]:
        """What an epoch takes time for, as the sizes of its photos have it."""
        sizes = next((cb.sizes for cb in self.learn.cbs if isinstance(cb, GrowingSize)), [(1, 1)])
        each = [height * width for height, width in sizes]
        count: int = self.learn.n_epoch
        return (each + each[-1:] * count)[:count]
