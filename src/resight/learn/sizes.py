"""Small photos first: a training that begins coarse and ends at the full size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from fastai.callback.core import Callback
from torch import nn

# What of the full size the first, second and last third of a training see.
GROWTH = (0.57, 0.72, 1.0)
_STEP, _LEAST = 16, 64

Size = tuple[int, int]


class GrowingSize(Callback):
    """Trains on photos that grow: an epoch at half the size takes a quarter of the time.

    Validation sees the same size as training. The last epochs are to be of the full one.

    Args:
        sizes: (height, width) for each epoch, at most that of the photos.
    """

    order = 60  # before `Resume`, which passes over epochs

    def __init__(self, sizes: Sequence[Size]) -> None:
        self.sizes = list(sizes)

    def before_epoch(self) -> None:
        """Set the size of the epoch."""
        size = self.sizes[min(self.learn.epoch, len(self.sizes) - 1)]
        for loader in self.learn.dls.loaders:
            loader.shrunk_to = size

    def after_fit(self) -> None:
        """Back to whole photos."""
        for loader in self.learn.dls.loaders:
            loader.shrunk_to = None


def growing_sizes(size: Size, epochs: int) -> list[Size]:
    """The size of each epoch: a third each of small, middle and full (rounded to sixteen pixels).

    Args:
        size: (height, width) at the end.
        epochs: 1 or more; the full size comes first where there are too few.
    """
    stages = [_part(size, share) for share in GROWTH]
    least, more = divmod(epochs, len(stages))
    counts = [least + (more > len(stages) - 1 - stage) for stage in range(len(stages))]
    return [size for size, count in zip(stages, counts, strict=True) for _ in range(count)]


def takes(body: nn.Module, channels: int, sizes: Sequence[Size]) -> bool:
    """Whether a body takes photos of all these sizes, as convolutions do."""
    training = body.training
    body.eval()
    device = next(body.parameters()).device
    try:
        with torch.no_grad():
            widths = {body(torch.zeros(1, channels, *s, device=device)).shape[1] for s in sizes}
        return len(widths) == 1
    except Exception:  # each body has its own error for it
        return False
    finally:
        body.train(training)


def _part(size: Size, share: float) -> Size:
    if share == 1:
        return size
    height, width = (min(side, max(_LEAST, round(side * share / _STEP) * _STEP)) for side in size)
    return height, width
