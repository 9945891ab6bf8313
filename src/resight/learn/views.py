"""Looking several times: at slightly changed copies of a photo, and at it in a mirror."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.learn.data import enlarge
from resight.learn.embedder import Embedder
from resight.learn.ensemble import Ensemble

# Angle in radians and zoom of each look.
LOOKS = ((0.0, 1.0), (0.12, 1.0), (-0.12, 1.0), (0.0, 0.93), (0.0, 1.07))


class WithMirror(nn.Module):
    """An embedder that looks at each photo and at its mirror image, and keeps both embeddings.

    They are put side by side and brought to unit length: the cosine of two photos is the mean of
    what the embedder says of them and of their mirror images. One that was taught mirrored
    individuals as somebody else (`resight.learn.virtual.Mirrored`) has learned those apart as
    well, and errs otherwise on them. Their mean would be no use: a left flank and its mirror image
    would then be one. It costs twice the time, and a fingerprint twice as long.

    Args:
        embedder: what looks, or an `Ensemble` of such.
    """

    def __init__(self, embedder: Embedder | Ensemble) -> None:
        super().__init__()
        self.embedder = embedder
        self.name, self.dim = embedder.name, 2 * embedder.dim
        self.channels, self.size, self.sees = embedder.channels, embedder.size, embedder.sees

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 or [0, 1] floats (B, C, H, W) to float32 (B, dim) unit vectors."""
        side_by_side = torch.cat([self.embedder(pixels), self.embedder(pixels.flip(3))], dim=1)
        return side_by_side / 2**0.5


class Views(nn.Module):
    """An embedder that looks at each photo as it is, turned both ways, smaller and larger.

    Embeddings of the five looks are averaged and brought back to unit length. It costs six times
    the time and holds better for individuals that were not there in training
    (benchmarks/RESULTS.md). It can be exported in an embedder's place.

    Args:
        embedder: what looks, or what several embedders or looks were put together to.
    """

    def __init__(self, embedder: Embedder | Ensemble | WithMirror) -> None:
        super().__init__()
        self.embedder = embedder
        self.name, self.dim = embedder.name, embedder.dim
        self.channels, self.size, self.sees = embedder.channels, embedder.size, embedder.sees
        height, width = embedder.sees
        rows = []
        for angle, zoom in LOOKS:
            cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
            # The grid's unit is half a side, so a turn of an oblong photo needs their ratio.
            rows.append([[cos, -sin * height / width, 0], [sin * width / height, cos, 0]])
        grid = F.affine_grid(
            torch.tensor(rows), [len(LOOKS), 1, height, width], align_corners=False
        )
        self.register_buffer("grid", grid, persistent=False)

    grid: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 or [0, 1] floats (B, C, H, W) to float32 (B, dim) unit vectors."""
        scaled = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
        scaled = enlarge(scaled, self.sees)  # what is turned is blurred, less where it is larger
        total = torch.zeros((), device=scaled.device)
        for look in self.grid:
            grid = look[None].expand(scaled.shape[0], -1, -1, -1)
            seen = F.grid_sample(scaled, grid, padding_mode="border", align_corners=False)
            total = total + self.embedder(seen)
        return F.normalize(total, dim=1)


# What photos can be asked of, and what is exported.
Network = Embedder | Ensemble | WithMirror | Views
