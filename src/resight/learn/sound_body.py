"""The body for recordings, small enough to be trained from nothing in a minute."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (16, 32, 64, 128)


class SoundBody(nn.Module):
    """Convolutions that keep the bands apart and forget when things were.

    The first looks at every second band and every fourth column (neighbouring ones overlap in
    time by three quarters), two more halve what is left. Of each band and channel come the mean
    over time and the deviation (statistics pooling: Snyder et al., ICASSP 2018): at which pitch a
    call is says who calls, and when it began says nothing.
    """

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for stage, width in enumerate(WIDTHS):
            layers += [
                nn.Conv2d(before, width, 3, padding=1, bias=False)
                if stage
                else nn.Conv2d(before, width, (5, 7), stride=(2, 4), padding=(2, 3), bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            if 0 < stage < len(WIDTHS) - 1:
                layers.append(nn.MaxPool2d(2))
            before = width
        self.layers = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, C, H, W) to (B, features)."""
        seen = self.layers(pixels).flatten(1, 2)
        mean = seen.mean(2)
        spread = ((seen - mean[:, :, None]) ** 2).mean(2)
        return torch.cat([mean, (spread + 1e-4).sqrt()], 1)
