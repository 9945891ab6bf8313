"""Augmentation for photographs: other light, a lost colour, a covered part.

Steps as in `resight.learn.augment`: `step(pixels, labels, generator) -> (pixels, labels)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Light:
    """Every photo in another light: contrast, brightness, gamma, tint; some without colour.

    Attributes:
        contrast: about the photo's mean, by up to so much of it either way.
        brightness: added, at most so much, in [0, 1].
        gamma: standard deviation of its logarithm.
        tint: each channel by up to so much of it; photos of one channel have none.
        grey: share of the photos that lose their colour, as infrared cameras lose it.
    """

    contrast: float = 0.4
    brightness: float = 0.2
    gamma: float = 0.3
    tint: float = 0.1
    grey: float = 0.2

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Light a batch anew; labels stay."""
        n, channels, device = len(pixels), pixels.shape[1], pixels.device
        contrast, brightness, lost = torch.rand((3, n, 1, 1, 1), generator=generator, device=device)
        gamma = torch.randn((n, 1, 1, 1), generator=generator, device=device)
        # Contrast and brightness as one product and sum, the rest in place: two thirds of the time.
        slope = 1 + self.contrast * (2 * contrast - 1)
        raised = pixels.mean((1, 2, 3), keepdim=True) * (1 - slope)
        out = torch.addcmul(raised + self.brightness * (2 * brightness - 1), pixels, slope)
        out.clamp_(1e-4, 1).pow_(torch.exp(self.gamma * gamma))
        if channels > 1:
            tint = torch.rand((n, channels, 1, 1), generator=generator, device=device)
            out *= 1 + self.tint * (2 * tint - 1)
            at = torch.nonzero(lost.flatten() < self.grey)[:, 0]
            out[at] = out[at].mean(1, keepdim=True).expand(-1, channels, -1, -1)
        return out.clamp_(0, 1), labels


@dataclass(frozen=True)
class Cover:
    """Some photos with a rectangle of one colour over a part, as a wave or a rail covers it.

    Random erasing (Zhong et al., AAAI 2020).

    Attributes:
        share: of the photos.
        least, most: sides of the rectangle, as shares of the photo's.
    """

    share: float = 0.4
    least: float = 0.1
    most: float = 0.4

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Cover some; labels stay."""
        n, channels, height, width = pixels.shape
        device = pixels.device
        which, *places = torch.rand((5, n, 1, 1), generator=generator, device=device)
        colour = torch.rand((n, channels, 1, 1), generator=generator, device=device)
        rows = (torch.arange(height, device=device) / height)[None, :, None]
        columns = (torch.arange(width, device=device) / width)[None, None, :]
        covered = which < self.share
        for at, where, extent in ((rows, *places[:2]), (columns, *places[2:])):
            side = self.least + extent * (self.most - self.least)
            first = where * (1 - side)
            covered = covered & (at >= first) & (at < first + side)
        return torch.where(covered[:, None], colour, pixels), labels
