"""A body that also tells where in the photo its features lie, and the head for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from resight.learn.embedder import Embedder

# Numbers that the cells of the last map may have together: as fine a grid as they allow.
_MOST_NUMBERS = 8192
_FINEST = 4
DROPOUT = 0.3


class PlacedBody(nn.Module):
    """One of timm's bodies; beside the mean of its last map, the map itself in a few cells.

    A mean over the map forgets where a spot was seen. In photos cropped to the animal, place tells
    individuals apart as much as shape does (docs/learning.md).

    Args:
        net: a body of timm's that gives its maps (`forward_intermediates`).
        channels, size: of the photos that it sees; only to learn its widths.
    """

    def __init__(self, net: nn.Module, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.net = net
        training, device = net.training, next(net.parameters()).device
        net.eval()
        with torch.no_grad():
            pooled, cells = self._maps(torch.zeros(1, channels, *size, device=device))
        net.train(training)
        width = int(cells.shape[1])
        self.cells = max(1, min(_FINEST, int((_MOST_NUMBERS / width) ** 0.5)))
        self.features = int(pooled.shape[1]) + width * self.cells**2

    def forward(self, x: Tensor) -> Tensor:
        """Normalised photos (B, C, H, W) to features (B, features)."""
        pooled, cells = self._maps(x)
        return torch.cat([pooled, in_cells(cells, self.cells).flatten(1)], 1)

    def _maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the body gives as a rule, and its last map."""
        net: Any = self.net
        last, (cells,) = net.forward_intermediates(x, indices=1)
        return net.forward_head(last), cells


class Standardise(nn.Module):
    """Features brought to mean 0 and deviation 1, by what was seen once; nothing is learned."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))

    def see(self, features: Tensor) -> None:
        """Take mean and deviation from features (n, features)."""
        deviation, mean = torch.std_mean(features.float(), 0)
        self.mean.copy_(mean)
        # A feature that is the same everywhere says nothing, however small its noise.
        self.deviation.copy_(deviation + 0.01 * deviation.mean() + 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, features) to the same."""
        return (x - self.mean) / self.deviation


def place(embedder: Embedder) -> bool:
    """Give an embedder a body that tells where its features lie, and a fresh head; in place.

    Returns:
        Whether it could be done: the body must be one of timm's that gives its maps.
    """
    try:
        body = PlacedBody(embedder.body, embedder.channels, embedder.sees)
    except (AttributeError, TypeError, ValueError, AssertionError):
        return False
    embedder.body = body
    embedder.head = nn.Sequential(
        Standardise(body.features),
        nn.Dropout(DROPOUT),
        nn.Linear(body.features, embedder.dim, bias=False),
        nn.BatchNorm1d(embedder.dim),
    )
    return True


def in_cells(maps: Tensor, cells: int) -> Tensor:
    """The means of a map's cells: (B, C, H, W) to (B, C, cells, cells).

    Cells may share a row that lies across their border, each as much of it as it covers, so any
    size of map will do; written as products, which every runtime has.
    """
    across, down = (_shares(int(side), cells, maps) for side in (maps.shape[3], maps.shape[2]))
    return down @ maps @ across.T


def _shares(side: int, cells: int, like: Tensor) -> Tensor:
    """How much of each of `side` rows belongs to each cell, (cells, side); every row of it is 1."""
    edges = torch.arange(side + 1, dtype=torch.float64) * cells / side
    cell = torch.arange(cells, dtype=torch.float64)[:, None]
    covered = edges[1:].minimum(cell + 1) - edges[:-1].maximum(cell)
    return covered.clamp(min=0).to(like)


def keep_first_stages(net: nn.Module, reduction: int = 4) -> int:
    """Let the first stages of a timm body stay as they came, in place.

    What they see, edges and colours, is of use as it is; their maps are the largest, and not to
    learn them saves three tenths of a training step on a processor (docs/learning.md).

    Args:
        net: one that says its stages (`feature_info`).
        reduction: of the last stage that stays, its stride.

    Returns:
        How many of the parameters stay; 0 where the body does not say its stages.
    """
    try:
        stages = [
            stage["module"]
            for stage in net.feature_info  # type: ignore[union-attr]
            if stage["reduction"] <= reduction
        ]
    except (AttributeError, KeyError, TypeError):
        return 0
    names = [name for name, _ in net.named_parameters()]
    last = max(
        (i for i, name in enumerate(names) if stages and name.startswith(f"{stages[-1]}.")),
        default=-1,
    )
    for _, parameter in list(net.named_parameters())[: last + 1]:
        parameter.requires_grad_(False)
    return last + 1
