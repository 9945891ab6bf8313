"""Augmentation of whole batches as tensors.

A step is called as `step(pixels, labels, generator) -> (pixels, labels)` with floats in [0, 1] of
shape (B, C, H, W), on the CPU or a GPU; all its chance comes from the generator. Lengths are in
units of half a photo's side, so that they mean the same for every size (but for `Pen`'s pixel);
angles are in radians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from resight.learn.data import enlarge


@dataclass(frozen=True)
class Warp:
    """Every photo a little turned, stretched, slanted, shifted and bent, each in its own way.

    Attributes:
        turn: standard deviation of the angle, radians.
        scale: of the logarithm of the size; `stretch`: of that of width against height.
        slant: of the shear.
        shift: of the place, in half sides.
        bend: of an elastic displacement, in half sides, smooth over `cells` × `cells` cells.
        beyond: what lies beyond the edge: "zeros" as around drawings, or "reflection".
    """

    turn: float = 0.12
    scale: float = 0.07
    stretch: float = 0.07
    slant: float = 0.10
    shift: float = 0.04
    bend: float = 0.06
    cells: int = 4
    beyond: Literal["zeros", "reflection"] = "zeros"

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Warp a batch; labels stay."""
        matrix = random_affine(len(pixels), generator, self)
        field = None
        if self.bend:
            size = pixels.shape[-2:]
            field = smooth_field(len(pixels), size, self.cells, generator, self.bend)
        return resample(pixels, matrix, field, self.beyond), labels


@dataclass(frozen=True)
class Pen:
    """Every drawing with another pen: thicker or thinner strokes, fainter or stronger ink.

    For light strokes on a dark ground.

    Attributes:
        thicker, thinner: shares of the photos whose strokes grow or shrink, by up to a pixel of
            the size that they have here: less of an enlarged drawing.
        ink: standard deviation of the logarithm of the gamma.
    """

    thicker: float = 0.35
    thinner: float = 0.25
    ink: float = 0.3

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Redraw a batch; labels stay."""
        shape = (len(pixels), 1, 1, 1)
        which = torch.rand(shape, generator=generator, device=pixels.device)
        amount = torch.rand(shape, generator=generator, device=pixels.device)
        grown = _largest_of_three(_largest_of_three(pixels, -1), -2)
        right, below = F.pad(pixels, (0, 1)), F.pad(pixels, (0, 0, 0, 1))
        shrunk = torch.minimum(
            torch.minimum(right[..., 1:], pixels), torch.minimum(below[..., 1:, :], pixels)
        )
        out = torch.where(which < self.thicker, pixels + amount * (grown - pixels), pixels)
        thin = which > 1 - self.thinner
        out = torch.where(thin, pixels + 0.7 * amount * (shrunk - pixels), out)
        gamma = torch.exp(self.ink * torch.randn(shape, generator=generator, device=pixels.device))
        return out.clamp(0, 1) ** gamma, labels


@dataclass(frozen=True)
class Recentre:
    """Bring the ink of a drawing to the middle and to one size, as MNIST's digits are.

    Attributes:
        share: the longer side of the ink's box, as a share of the photo's side (MNIST: 20/28).
        ink: what counts as ink, in [0, 1].
    """

    share: float = 20 / 28
    ink: float = 0.25

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Recentre a batch; labels stay."""
        n, _, height, width = pixels.shape
        light = pixels.amax(1)
        left, right = _extent((light > self.ink).any(1))
        top, bottom = _extent((light > self.ink).any(2))
        side = torch.maximum(right - left, bottom - top).clamp(min=0.2 * max(height, width))
        zoom = side / (self.share * max(height, width))
        mass = light.sum((1, 2)).clamp(min=1e-3)
        columns = torch.arange(width, device=pixels.device) + 0.5
        rows = torch.arange(height, device=pixels.device) + 0.5
        x = _between((light.sum(1) * columns).sum(1) / mass, (left + right) / 2, zoom * width / 7)
        y = _between((light.sum(2) * rows).sum(1) / mass, (top + bottom) / 2, zoom * height / 7)
        matrix = torch.zeros(n, 2, 3, device=pixels.device)
        matrix[:, 0, 0] = matrix[:, 1, 1] = zoom
        matrix[:, 0, 2] = 2 * x / width - 1
        matrix[:, 1, 2] = 2 * y / height - 1
        return resample(pixels, matrix), labels


@dataclass(frozen=True)
class Enlarge:
    """Bring photos to the size at which a body sees them, so that what follows is drawn as fine.

    Attributes:
        size: height and width in pixels.
    """

    size: tuple[int, int]

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Enlarge a batch; labels stay."""
        return enlarge(pixels, self.size), labels


def random_affine(n: int, generator: torch.Generator, spread: Warp) -> Tensor:
    """Random affine maps (n, 2, 3) from places in the result to places in the source."""
    device = generator.device
    angle, size, ratio, shear, right, down = (
        torch.randn(6, n, generator=generator, device=device).clamp(-2.5, 2.5)
        * torch.tensor(
            [spread.turn, spread.scale, spread.stretch, spread.slant, spread.shift, spread.shift],
            device=device,
        )[:, None]
    )
    size, ratio = size.exp(), ratio.exp()
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([cos * size * ratio, shear - sin * size, right], 1),
        torch.stack([sin * size, cos * size / ratio, down], 1),
    ]
    return torch.stack(rows, 1)


def smooth_field(
    n: int, size: Sequence[int], cells: int, generator: torch.Generator, spread: float
) -> Tensor:
    """Smooth random displacements (n, 2, H, W), of so large a spread at the corners of cells."""
    coarse = torch.randn(n, 2, cells, cells, generator=generator, device=generator.device) * spread
    # Bicubic interpolation is linear in the cells: one product, over ten times as fast.
    each = torch.eye(cells**2, device=coarse.device).view(-1, 1, cells, cells)
    fine = F.interpolate(each, size=list(size), mode="bicubic", align_corners=True)
    return (coarse.view(2 * n, -1) @ fine.flatten(1)).view(n, 2, *size)


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """The affine map that applies `inner`, then `outer`: (n, 2, 3) each."""
    linear = outer[:, :, :2] @ inner[:, :, :2]
    return torch.cat([linear, outer[:, :, :2] @ inner[:, :, 2:] + outer[:, :, 2:]], 2)


def resample(
    pixels: Tensor, matrix: Tensor, field: Tensor | None = None, beyond: str = "zeros"
) -> Tensor:
    """Pixels (n, C, H, W) seen through affine maps (n, 2, 3) and displacements (n, 2, H, W).

    The displacements are used up: their memory holds the places that are looked at.
    """
    # What F.affine_grid gives, which takes several times as long. Here x and y lie in planes.
    height, width = pixels.shape[-2:]
    x = (torch.arange(width, device=pixels.device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=pixels.device) * 2 + 1) / height - 1
    one = torch.ones(height * width, device=pixels.device)
    places = torch.stack([x.repeat(height), y.repeat_interleave(width), one])
    rows = matrix.reshape(-1, 3)
    grid = rows @ places if field is None else field.view(len(rows), -1).addmm_(rows, places)
    planes = grid.view(-1, 2, height, width)
    return F.grid_sample(
        pixels, planes.permute(0, 2, 3, 1), padding_mode=beyond, align_corners=False
    )


def turned(pixels: Tensor, turns: Tensor) -> Tensor:
    """Pixels (n, C, H, W) each under one of the eight symmetries of the square.

    Args:
        pixels: the photos; other than 0, 2, 4 and 6 need H = W.
        turns: (n,) integers: quarter turns against the clock, plus 4 for mirrored first.
    """
    out = pixels.clone()
    for turn in range(1, 8):
        at = torch.nonzero(turns == turn)[:, 0]
        if len(at):
            some = pixels[at]
            out[at] = torch.rot90(some.flip(-1) if turn >= 4 else some, turn % 4, (-2, -1))
    return out


def _extent(has_ink: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last column (n,) with ink; the whole width where there is none."""
    n = has_ink.shape[1]
    at = torch.arange(n, device=has_ink.device, dtype=torch.float32)
    first = torch.where(has_ink, at, n).amin(1)
    last = torch.where(has_ink, at + 1, 0).amax(1)
    empty = last == 0
    return first.masked_fill(empty, 0), last.masked_fill(empty, n)


def _largest_of_three(pixels: Tensor, side: int) -> Tensor:
    """Each pixel or the larger of its two neighbours; two of these are a 3×3 `F.max_pool2d`."""
    out = pixels.clone()
    n = pixels.shape[side] - 1
    for to, of in ((0, 1), (1, 0)):
        part = out.narrow(side, to, n)
        torch.maximum(part, pixels.narrow(side, of, n), out=part)
    return out


def _between(wish: Tensor, middle: Tensor, most: Tensor) -> Tensor:
    """The wish, but at most so far from the middle."""
    return middle + torch.maximum(torch.minimum(wish - middle, most), -most)
