"""Triplet and contrastive losses inside the batch.

A batch of B embeddings gives at most one B×B matrix of distances, and that is all the memory used:
no B×B×B tensor of triplets is ever made. Without autograd, mining finds the triplets
(`resight.learn.mining`), and the loss adds up its value and its derivative with respect to each
distance; `attach` then carries that derivative to the embeddings. The gradient is exact: the
*choice* of a triplet is piecewise constant, its value is not.

Losses are plain `nn.Module`s called as `loss(embeddings, labels)`, the signature of
pytorch-metric-learning, whose losses may stand wherever these do. Ours also take a memory of
earlier embeddings to compare with: see `resight.learn.memory`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.learn.distances import (
    DISTANCES,
    SCALE,
    Distance,
    Memory,
    Mined,
    between,
    compared,
    pairwise_distance,
)
from resight.learn.gradient import Triplets, attach
from resight.learn.mining import MINE, MININGS, Mining, Rows, rows_of
from resight.learn.supcon import SupConLoss

__all__ = [
    "DISTANCES",
    "ContrastiveLoss",
    "Distance",
    "Memory",
    "Mined",
    "SupConLoss",
    "TripletLoss",
    "pairwise_distance",
]

RowsOf = Iterator[tuple[slice, Rows]]


class TripletLoss(nn.Module):
    """An anchor nearer to its positive than to its negative, by a margin.

    For a triplet with distances d_ap and d_an the term is max(0, d_ap − d_an + margin), or with
    the soft margin log(1 + exp((d_ap − d_an) / softness)), which never stops pulling. Which
    triplets of the batch count is the mining:

    - "semihard" (FaceNet): every positive pair with its nearest negative that is still farther
      than the positive; where no negative is farther, with the farthest there is.
    - "hard" (batch-hard): every anchor with its farthest positive and its nearest negative.
    - "all" (batch-all): every triplet.
    - "easy-semihard", "easy-hard": every anchor with its nearest positive only, so that an
      individual may lie in several places (its two sides, say), and a negative as above.
    - "weighted": every positive pair with a negative drawn so that near, middling and far ones
      come up as often.

    The loss is the mean over the terms above zero: as training goes well they become few, and a
    mean over all of them would fade away with them. (With the soft margin all are above zero.)

    An anchor without a positive, or without a negative, in its batch has no triplet and is left
    out. A batch without any triplet has loss 0, with a gradient of zeros.

    Args:
        mining: one of these.
        margin: the hinge's margin in units of the distance, or "soft".
        distance: "squared" Euclidean on unit vectors, or "cosine"; the first is twice the second.
        softness: the scale of the soft margin, in units of the distance.

    References:
        Schroff, Kalenichenko, Philbin: FaceNet, CVPR 2015 (semi-hard).
        Hermans, Beyer, Leibe: In Defense of the Triplet Loss, 2017 (batch-hard, batch-all, the
        soft margin, the mean over non-zero terms).
        Xuan, Stylianou, Pless: Improved Embeddings with Easy Positive Triplet Mining, WACV 2020.
        Wu, Manmatha, Smola, Krähenbühl: Sampling Matters in Deep Embedding Learning, ICCV 2017.

    Example:
        >>> loss = TripletLoss(mining="semihard", margin=0.2)
        >>> value = loss(embeddings, labels)        # (B, D) and (B,) -> a scalar
    """

    def __init__(
        self,
        mining: Mining = "semihard",
        margin: float | Literal["soft"] = 0.2,
        distance: Distance = "squared",
        softness: float = 0.1,
    ) -> None:
        super().__init__()
        if mining not in MININGS:
            raise ValueError(f"mining is one of {MININGS}, not {mining!r}")
        if distance not in DISTANCES:
            raise ValueError(f"distance is one of {DISTANCES}, not {distance!r}")
        if isinstance(margin, str) and margin != "soft":
            raise ValueError(f'margin is a number or "soft", not {margin!r}')
        if not isinstance(margin, str) and not margin >= 0:
            raise ValueError(f"margin cannot be negative, and is {margin}")
        if not softness > 0:
            raise ValueError(f"softness must be above zero, and is {softness}")
        self.mining = mining
        self.margin = margin
        self.distance = distance
        self.softness = softness
        self.mined: Mined | None = None

    def forward(self, embeddings: Tensor, labels: Tensor, memory: Memory | None = None) -> Tensor:
        """The loss of one batch.

        Args:
            embeddings: (B, D) floats; brought to unit length first.
            labels: (B,) integers, one an individual.
            memory: further photos to take negatives from, without a gradient.

        Returns:
            A scalar, float32 or float64.
        """
        with torch.no_grad():
            unit, columns, column_labels = compared(embeddings, labels, memory)
            rows = rows_of(unit, labels, columns, column_labels, SCALE[self.distance])
            add_up = self._every if self.mining == "all" else self._chosen
            value, by_cosine = add_up(rows, unit, len(columns))
        return attach(value, embeddings, by_cosine, columns)

    def _chosen(self, rows: RowsOf, unit: Tensor, width: int) -> tuple[Tensor, Triplets]:
        """The mean over the triplets that mining chose, and what makes up its derivative."""
        parts = [
            [torch.stack(of) for of in zip(*MINE[self.mining](some), strict=True)]
            for _, some in rows
        ]
        if not parts:  # nobody has a negative
            none = torch.empty(0, len(unit), dtype=torch.long, device=unit.device)
            parts = [[unit.new_empty(0, len(unit)), none, none]]
        gap, positive, negative = (torch.cat(of, 1) for of in zip(*parts, strict=True))
        value, slope = self._term(gap)
        self.mined = Mined((gap != -torch.inf).sum(), value.count_nonzero())
        count = self.mined.active.clamp(min=1).to(slope.dtype)
        slope *= SCALE[self.distance] / count
        return value.sum() / count, Triplets(positive, negative, slope)

    def _every(self, rows: RowsOf, unit: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """The mean over all triplets above zero, and its derivative."""
        weights = unit.new_zeros(len(unit), width)
        total = unit.new_zeros(())
        terms = active = torch.zeros((), dtype=torch.long, device=unit.device)
        for part, some in rows:
            negatives = (some.distances != torch.inf).sum(1)
            terms = terms + ((some.positives != -torch.inf).sum(1) * negatives).sum()
            for gap, positive, _ in MINE[self.mining](some):
                value, slope = self._term(gap)
                total = total + value.sum()
                active = active + (value > 0).sum()
                weights[part] += slope
                weights[part].scatter_add_(1, positive[:, None], -slope.sum(1, keepdim=True))
        self.mined = Mined(terms, active)
        count = active.clamp(min=1).to(unit.dtype)
        return total / count, weights.mul_(SCALE[self.distance] / count)

    def _term(self, gap: Tensor) -> tuple[Tensor, Tensor]:
        """Value and derivative of a term by d_ap − d_an."""
        if self.margin == "soft":
            scaled = gap / self.softness
            return F.softplus(scaled), torch.sigmoid(scaled) / self.softness
        value = F.relu(gap + self.margin)
        return value, value.sign()

    def extra_repr(self) -> str:
        """What `print(loss)` shows."""
        return f"mining={self.mining!r}, margin={self.margin!r}, distance={self.distance!r}"


class ContrastiveLoss(nn.Module):
    """The twin (siamese) network's loss: positives together, negatives beyond a margin.

    With the Euclidean distance d of unit vectors, a positive pair costs d² and a negative pair
    max(0, margin − d)². The loss is the mean over the positive pairs plus the mean over the
    negative pairs inside the margin. A side without pairs adds 0.

    Args:
        margin: the distance that negatives are pushed to, in (0, 2].

    References:
        Hadsell, Chopra, LeCun: Dimensionality Reduction by Learning an Invariant Mapping,
        CVPR 2006.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        if not 0 < margin <= 2:
            raise ValueError(f"unit vectors lie at most 2 apart: margin {margin} is not in (0, 2]")
        self.margin = margin
        self.mined: Mined | None = None

    def forward(self, embeddings: Tensor, labels: Tensor, memory: Memory | None = None) -> Tensor:
        """The loss of one batch: (B, D) embeddings and (B,) integer labels to a scalar."""
        with torch.no_grad():
            unit, columns, column_labels = compared(embeddings, labels, memory)
            squared = between(unit, columns, "squared")
            same = labels[:, None] == column_labels
            positive = same.clone().fill_diagonal_(False)
            # The derivative of (margin − √s)² has √s below it; 1e-3 keeps it finite.
            apart = squared.clamp(min=1e-6).sqrt()
            lack = (self.margin - apart).clamp(min=0) * ~same
            pulled, pushed = positive.sum(), (lack > 0).sum()
            value = (squared * positive).sum() / pulled.clamp(min=1)
            value = value + lack.square().sum() / pushed.clamp(min=1)
            by_cosine = lack / apart / pushed.clamp(min=1) - positive / pulled.clamp(min=1)
        self.mined = Mined(positive.sum() + (~same).sum(), pulled + pushed)
        return attach(value, embeddings, by_cosine.mul_(SCALE["squared"]), columns)

    def extra_repr(self) -> str:
        """What `print(loss)` shows."""
        return f"margin={self.margin!r}"
