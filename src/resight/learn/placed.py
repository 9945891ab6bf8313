"""A body that also tells where in the photo its features lie, and the head for it."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn

from resight.learn.embedder import Embedder

# The last map of each of these is laid in so many cells a side; what lies behind is left out.
_STRIDES, _FINEST = (8, 16), 10
_MOST_NUMBERS = 8192  # of one map's cells together: a wide map is laid in fewer
DROPOUT = 0.5


class PlacedBody(nn.Module):
    """The first stages of one of timm's bodies, and their maps in cells.

    A mean over the map forgets where a spot was seen, and the last maps of a network have long
    summed it up. In photos cropped to the animal the finer maps of the stages before, each in its
    place, tell individuals apart far better (docs/tried.md). So the last map of stride 8 and
    that of stride 16 are laid in cells; later stages are dropped. A body that ends at stride 16, as
    transformers do, gives what it gives as a rule, too.

    Args:
        net: a body of timm's that gives its maps (`forward_intermediates`); its later stages are
            taken away.
        channels, size: of the photos that it sees; only to learn its widths.

    Raises:
        ValueError: it has no map of such a stride.
    """

    def __init__(self, net: nn.Module, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.net = net
        self.stages = _last_of_each_stride(net)
        self.whole = len(cast(Any, net).feature_info) - 1 in self.stages
        if not self.whole:
            cast(Any, net).prune_intermediate_layers(self.stages)
        training, device = net.training, next(net.parameters()).device
        net.eval()
        with torch.no_grad():
            pooled, maps = self._maps(torch.zeros(1, channels, *size, device=device))
        net.train(training)
        self.cells = [
            max(1, min(_FINEST, int((_MOST_NUMBERS / each.shape[1]) ** 0.5), max(each.shape[2:])))
            for each in maps
        ]
        self.features = sum(int(each.shape[1]) for each in pooled) + sum(
            int(each.shape[1]) * cells**2 for each, cells in zip(maps, self.cells, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Normalised photos (B, C, H, W) to features (B, features)."""
        pooled, maps = self._maps(x)
        placed = [
            in_cells(each, cells).flatten(1) for each, cells in zip(maps, self.cells, strict=True)
        ]
        return torch.cat([*pooled, *placed], 1)

    def _maps(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What the body gives as a rule, where it is whole, and the maps."""
        net: Any = self.net
        if self.whole:
            last, maps = net.forward_intermediates(x, indices=self.stages)
            return [net.forward_head(last)], maps
        return [], net.forward_intermediates(
            x, indices=self.stages, stop_early=True, intermediates_only=True
        )


def _last_of_each_stride(net: nn.Module) -> list[int]:
    """Which of a body's stages are the last of a stride that is placed."""
    stages: Any = net.feature_info
    found = {int(stage["reduction"]): place for place, stage in enumerate(stages)}
    last = [found[stride] for stride in _STRIDES if stride in found]
    if not last:
        raise ValueError(
            f"no map of stride {' or '.join(map(str, _STRIDES))}, only {sorted(found)}"
        )
    return last


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
        body = PlacedBody(copy.deepcopy(embedder.body), embedder.channels, embedder.sees)
    except (AttributeError, KeyError, TypeError, ValueError, AssertionError):
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
    learn them saves three tenths of a training step on a processor (docs/tried.md).

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


def keep_wide_depthwise(net: nn.Module) -> int:
    """Let depthwise kernels wider than 3 stay as they came, in place.

    They are a twentieth of the parameters, and a processor takes a fifth of a training step for
    their gradients (docs/tried.md); the channels between them are learned.

    Returns:
        How many of the convolutions stay.
    """
    kept = [each for each in depthwise(net) if max(each.kernel_size) > 3]
    for convolution in kept:
        convolution.requires_grad_(False)
    return len(kept)


def depthwise(net: nn.Module) -> list[nn.Conv2d]:
    """The convolutions of a network that take each channel by itself."""
    return [
        module
        for module in net.modules()
        if isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels
    ]
