"""ArcFace: every individual has a centre, and its photos are to lie nearer to it than needed."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ArcFaceLoss(nn.Module):
    """Cross-entropy over the cosines to one centre an individual, with an angle to spare.

    The angle θ between a photo and its own centre counts as θ + m; all cosines are multiplied by
    the scale (Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition",
    CVPR 2019). Where θ + m passes π, cos(θ + m) would rise again; there cos θ − m·sin m stands for
    it, as in the authors' code. It goes on falling, with a gradient, after a small step down
    (0.04 at m = 0.3).

    The centres start from nothing, so the margin is led in: it grows evenly from 0 over the first
    `lead_in` batches of training.

    Args:
        num_classes: individuals, numbered from 0.
        dim: length of the embeddings.
        margin: radians, in [0, π/2).
        scale: above 0.
        lead_in: batches until the margin is whole; 0 for at once.

    Shapes:
        embeddings (B, dim) floats, of any length; labels (B,) int64; the loss is a scalar.
    """

    seen: Tensor

    def __init__(
        self,
        num_classes: int,
        dim: int,
        *,
        margin: float = 0.3,
        scale: float = 30.0,
        lead_in: int = 0,
    ) -> None:
        super().__init__()
        if num_classes < 2 or dim < 1 or lead_in < 0:
            raise ValueError(f"no ArcFace of {num_classes} classes, {dim} dimensions, {lead_in}")
        if not 0 <= margin < math.pi / 2 or not scale > 0:
            raise ValueError(f"no ArcFace with margin {margin} (radians) and scale {scale}")
        self.num_classes, self.margin, self.scale, self.lead_in = (
            num_classes,
            margin,
            scale,
            lead_in,
        )
        # Short at first, so that a learning rate that suits a head turns them quickly.
        self.centres = nn.Parameter(0.01 * torch.randn(num_classes, dim))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of a batch."""
        with torch.autocast(embeddings.device.type, enabled=False):  # or the product is in half
            cosines = F.normalize(embeddings.float()) @ F.normalize(self.centres).T
        own = cosines.gather(1, labels[:, None])
        margin = self.margin * min(1.0, int(self.seen) / self.lead_in if self.lead_in else 1.0)
        angle = torch.acos(own.clamp(-1 + 1e-6, 1 - 1e-6))
        beyond = own - margin * math.sin(margin)
        wider = torch.where(angle + margin < math.pi, torch.cos(angle + margin), beyond)
        if self.training:
            self.seen += 1
        return F.cross_entropy(self.scale * cosines.scatter(1, labels[:, None], wider), labels)

    def extra_repr(self) -> str:
        """What `repr` tells."""
        return f"{self.num_classes}, margin={self.margin}, scale={self.scale}"
