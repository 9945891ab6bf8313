"""The supervised contrastive loss, which needs no mining."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resight.learn.distances import Memory, Mined, between, compared


class SupConLoss(nn.Module):
    """Supervised contrastive loss: each photo must pick its individual's others out of the batch.

    With cosines s, the term of an anchor i is the mean over its positives p of
    −log(exp(s_ip / T) / Σ_a exp(s_ia / T)), the sum over all photos a of the batch but i. It needs
    no mining, as the softmax itself weighs the nearest negatives most. The loss is the mean over
    anchors with a positive; without any it is 0, with a gradient of zeros.

    Args:
        temperature: T; the lower, the more the nearest negatives count.

    References:
        Khosla et al.: Supervised Contrastive Learning, NeurIPS 2020 (L_out).
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature must be above zero, and is {temperature}")
        self.temperature = temperature
        self.mined: Mined | None = None

    def forward(self, embeddings: Tensor, labels: Tensor, memory: Memory | None = None) -> Tensor:
        """The loss of one batch: (B, D) embeddings and (B,) integer labels to a scalar."""
        unit, columns, column_labels = compared(embeddings, labels, memory)
        cosine = 1 - between(unit, columns, "cosine")
        positive = (labels[:, None] == column_labels).fill_diagonal_(False)
        itself = torch.zeros_like(positive).fill_diagonal_(True)
        scaled = (cosine / self.temperature).masked_fill(itself, -torch.inf)
        surprise = scaled.logsumexp(1, keepdim=True) - scaled
        count = positive.sum(1)
        anchors = (count > 0).sum()
        self.mined = Mined(anchors, anchors)
        # A photo alone in its batch has a surprise of −inf − (−inf); `where` keeps NaN out.
        terms = torch.where(positive, surprise, 0).sum(1) / count.clamp(min=1)
        return terms.sum() / anchors.clamp(min=1)

    def extra_repr(self) -> str:
        """What `print(loss)` shows."""
        return f"temperature={self.temperature!r}"
