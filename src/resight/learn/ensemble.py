"""Several networks as one: their embeddings side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resight.errors import ResightError
from resight.learn.embedder import Embedder


class Ensemble(nn.Module):
    """Embedders of one kind of photo, trained apart (by another seed, say), asked together.

    Their unit vectors are put side by side and brought to unit length, so the cosine of two photos
    is the mean of the cosines that the members see. Each member errs in its own way on individuals
    that were not there in training, and the mean errs less (benchmarks/RESULTS.md); it costs as
    many times the time, and a fingerprint that is as many times longer. It can be looked through
    by `Views`, and exported, in an embedder's place.

    Raises:
        ResightError: no member, or members that take different photos.
    """

    def __init__(self, members: Sequence[Embedder]) -> None:
        super().__init__()
        if not members:
            raise ResightError("an ensemble has one member at least")
        first = members[0]
        if any((m.channels, m.size) != (first.channels, first.size) for m in members):
            raise ResightError("the members of an ensemble take photos of one size and colour")
        self.members = nn.ModuleList(members)
        self.channels, self.size, self.sees = first.channels, first.size, first.sees
        self.dim = sum(member.dim for member in members)
        self.name = " + ".join(member.name for member in members)

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 or [0, 1] floats (B, C, H, W) to float32 (B, dim) unit vectors."""
        side_by_side = torch.cat([member(pixels) for member in self.members], dim=1)
        return side_by_side / len(self.members) ** 0.5
