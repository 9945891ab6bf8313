"""Comparing a batch with the embeddings of the batches before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resight.learn.losses import ContrastiveLoss, Mined, SupConLoss, TripletLoss


class CrossBatchMemory(nn.Module):
    """A loss that also sees the last embeddings of earlier batches, as they were then.

    More negatives than a batch can hold cost only their distances, no pass through the network.
    What is remembered is constant and slightly out of date; it serves once the network changes
    slowly, and before that does harm, so it is not used at first. `TripletLoss` takes only
    negatives from it (its positives stand in the batch), the other losses positives too.

    In evaluation nothing is remembered, and batches are compared with themselves alone.

    Args:
        loss: `TripletLoss`, `ContrastiveLoss` or `SupConLoss`. (For those of
            pytorch-metric-learning take its own `CrossBatchMemory`.)
        dim: D of the embeddings.
        size: M, how many photos are remembered; the oldest go first.
        start: batches before it is used.
        individuals: photos with this label or a higher one are not remembered. Labels must mean
            the same individual in every batch, which those of composed virtual individuals do not.

    References:
        Wang, Zhang, Huang, Scott: Cross-Batch Memory for Embedding Learning, CVPR 2020. There the
        batch itself is looked up in the memory too; here its photos keep their gradient.

    Example:
        >>> loss = CrossBatchMemory(TripletLoss("semihard"), dim=128, size=4096, start=200)
    """

    vectors: Tensor
    labels: Tensor
    seen: Tensor
    batches: Tensor

    def __init__(
        self,
        loss: TripletLoss | ContrastiveLoss | SupConLoss,
        *,
        dim: int,
        size: int = 2048,
        start: int = 0,
        individuals: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(loss, TripletLoss | ContrastiveLoss | SupConLoss):
            raise TypeError(
                f"{type(loss).__name__} takes no memory: give TripletLoss, ContrastiveLoss or "
                "SupConLoss, or take CrossBatchMemory of pytorch-metric-learning"
            )
        if dim < 1 or size < 1 or start < 0:
            raise ValueError(f"dim {dim} and size {size} are at least 1, start {start} at least 0")
        self.loss, self.size, self.start, self.individuals = loss, size, start, individuals
        self.register_buffer("vectors", torch.zeros(size, dim))
        self.register_buffer("labels", torch.zeros(size, dtype=torch.long))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    @property
    def mined(self) -> Mined | None:
        """What the last batch gave."""
        return self.loss.mined

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of one batch, (B, D) embeddings and (B,) integer labels, to a scalar.

        Raises:
            ValueError: the embeddings have another number of dimensions than the memory.
        """
        if not self.training:
            value: Tensor = self.loss(embeddings, labels)
            return value
        if embeddings.ndim != 2 or embeddings.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"the memory holds {self.vectors.shape[1]} numbers a photo, and these are "
                f"{tuple(embeddings.shape)}: give it the dim of the embeddings"
            )
        held = min(int(self.seen), self.size) if int(self.batches) >= self.start else 0
        value = self.loss(embeddings, labels, (self.vectors[:held], self.labels[:held]))
        self._remember(embeddings.detach(), labels)
        return value

    def _remember(self, embeddings: Tensor, labels: Tensor) -> None:
        if self.individuals is not None:
            kept = labels < self.individuals
            embeddings, labels = embeddings[kept], labels[kept]
        embeddings, labels = embeddings[-self.size :], labels[-self.size :]
        at = (self.seen + torch.arange(len(labels), device=labels.device)) % self.size
        self.vectors[at] = embeddings.to(self.vectors.dtype)
        self.labels[at] = labels.long()
        self.seen += len(labels)
        self.batches += 1

    def extra_repr(self) -> str:
        """What `print(loss)` shows."""
        return f"size={self.size}, start={self.start}"
