"""Triplet and contrastive losses inside the batch.

A batch of B embeddings gives one B×B matrix of distances, and that is all the memory used: no
B×B×B tensor of triplets is ever made. A triplet loss is a sum of terms over entries of that
matrix, so it is worked out in two steps:

1. without autograd, mining finds each term, and adds up the loss and its derivative with respect
   to every distance, a B×B matrix of weights;
2. one more product carries that derivative to the embeddings (`_Attach`).

The gradient is exact: the *choice* of a triplet is piecewise constant, its value is not.

Losses are plain `nn.Module`s called as `loss(embeddings, labels)`, the signature of
pytorch-metric-learning, whose losses may stand wherever these do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.learn.mining import MINE, MININGS, Mining

Distance = Literal["squared", "cosine"]

DISTANCES: tuple[Distance, ...] = ("squared", "cosine")


@dataclass(frozen=True, slots=True)
class Mined:
    """What the last batch gave, for whoever watches a training: `loss.mined`.

    Attributes:
        terms: () int64, how many triplets (for `ContrastiveLoss`, pairs) the batch held; 0 says
            that no photo of it had both a positive and a negative.
        active: () int64, how many of them had a loss above zero.
    """

    terms: Tensor
    active: Tensor


def pairwise_distance(embeddings: Tensor, kind: Distance = "squared") -> Tensor:
    """Distances between all rows, after bringing them to unit length.

    Args:
        embeddings: (B, D) floats of any length; half precision is computed in float32.
        kind: "squared" Euclidean, |a − b|² = 2 − 2·cos, in [0, 4]; or "cosine", 1 − cos, in
            [0, 2].

    Returns:
        (B, B) distances, float32 or float64.
    """
    if kind not in DISTANCES:
        raise ValueError(f"distance is one of {DISTANCES}, not {kind!r}")
    return _between(_unit(embeddings), kind)


class TripletLoss(nn.Module):
    """An anchor nearer to its positive than to its negative, by a margin.

    For a triplet with distances d_ap and d_an the term is max(0, d_ap − d_an + margin), or with
    the soft margin log(1 + exp((d_ap − d_an) / softness)), which never stops pulling. Which
    triplets of the batch count is the mining:

    - "semihard" (FaceNet): every positive pair with its nearest negative that is still farther
      than the positive; where no negative is farther, with the farthest there is.
    - "hard" (batch-hard): every anchor with its farthest positive and its nearest negative.
    - "all" (batch-all): every triplet.

    The loss is the mean over the terms above zero: as training goes well they become few, and a
    mean over all of them would fade away with them. (With the soft margin all are above zero.)

    An anchor without a positive, or without a negative, in its batch has no triplet and is left
    out. A batch without any triplet has loss 0, with a gradient of zeros.

    Args:
        mining: "semihard", "hard" or "all".
        margin: the hinge's margin in units of the distance, or "soft".
        distance: "squared" Euclidean on unit vectors, or "cosine"; the first is twice the second.
        softness: the scale of the soft margin, in units of the distance.

    References:
        Schroff, Kalenichenko, Philbin: FaceNet, CVPR 2015 (semi-hard).
        Hermans, Beyer, Leibe: In Defense of the Triplet Loss, 2017 (batch-hard, batch-all, the
        soft margin, the mean over non-zero terms).

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

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of one batch.

        Args:
            embeddings: (B, D) floats; brought to unit length first.
            labels: (B,) integers, one an individual.

        Returns:
            A scalar, float32 or float64.
        """
        _check(embeddings, labels)
        unit = _unit(embeddings)
        with torch.no_grad():
            distances = _between(unit, self.distance)
            weights = torch.zeros_like(distances)
            total = distances.new_zeros(())
            terms = active = labels.new_zeros((), dtype=torch.long)
            for gap, valid, positive, negative in MINE[self.mining](distances, labels):
                value, slope = self._term(gap)
                value, slope = value * valid, slope * valid
                total = total + value.sum()
                terms = terms + valid.sum()
                active = active + (value > 0).sum()
                if negative is None:  # every column at once
                    weights -= slope
                    slope = slope.sum(1)
                else:
                    weights.scatter_add_(1, negative[:, None], -slope[:, None])
                weights.scatter_add_(1, positive[:, None], slope[:, None])
            count = active.clamp(min=1)
        self.mined = Mined(terms, active)
        return _Attach.apply(unit, total / count, weights.div_(count), self.distance)

    def _term(self, gap: Tensor) -> tuple[Tensor, Tensor]:
        """Value and derivative of a term by d_ap − d_an."""
        if self.margin == "soft":
            scaled = gap / self.softness
            return F.softplus(scaled), torch.sigmoid(scaled) / self.softness
        value = F.relu(gap + self.margin)
        return value, (value > 0).to(gap.dtype)

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

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of one batch: (B, D) embeddings and (B,) integer labels to a scalar."""
        _check(embeddings, labels)
        unit = _unit(embeddings)
        with torch.no_grad():
            squared = _between(unit, "squared")
            same = labels[:, None] == labels[None, :]
            positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=same.device)
            # The derivative of (margin − √s)² has √s below it; 1e-3 keeps it finite.
            apart = squared.clamp(min=1e-6).sqrt()
            lack = (self.margin - apart).clamp(min=0) * ~same
            pulled, pushed = positive.sum(), (lack > 0).sum()
            value = (squared * positive).sum() / pulled.clamp(min=1)
            value = value + lack.square().sum() / pushed.clamp(min=1)
            weights = positive / pulled.clamp(min=1) - lack / apart / pushed.clamp(min=1)
        self.mined = Mined(positive.sum() + (~same).sum(), pulled + pushed)
        return _Attach.apply(unit, value, weights, "squared")

    def extra_repr(self) -> str:
        """What `print(loss)` shows."""
        return f"margin={self.margin!r}"


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

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of one batch: (B, D) embeddings and (B,) integer labels to a scalar."""
        _check(embeddings, labels)
        cosine = 1 - pairwise_distance(embeddings, "cosine")
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positive = (labels[:, None] == labels[None, :]) & ~itself
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


class _Attach(torch.autograd.Function):
    """A value already known, with its known derivative by the distances between unit vectors u.

    As d_ij = c − s·⟨u_i, u_j⟩ with s = 2 or 1, the derivative by u is −s·(W + Wᵀ)u: one product,
    where autograd through the matrix of distances would make two and keep the matrix.
    """

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, unit: Tensor, value: Tensor, weights: Tensor, kind: Distance
    ) -> Tensor:
        ctx.save_for_backward(unit, weights)
        ctx.scale = _SCALE[kind]
        return value.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[no-untyped-def]
        unit, weights = ctx.saved_tensors
        return (weights + weights.T) @ unit * (-ctx.scale * gradient), None, None, None


_SCALE: dict[Distance, float] = {"squared": 2.0, "cosine": 1.0}


def _unit(embeddings: Tensor) -> Tensor:
    """Rows of unit length, in float32 or float64."""
    wide = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    return F.normalize(wide, dim=1)


def _between(unit: Tensor, kind: Distance) -> Tensor:
    """Distances between all rows of unit length; not in half precision, even under autocast."""
    with torch.autocast(unit.device.type, enabled=False):
        return torch.addmm(unit.new_tensor(_SCALE[kind]), unit, unit.T, alpha=-_SCALE[kind])


def _check(embeddings: Tensor, labels: Tensor) -> None:
    if embeddings.ndim != 2 or labels.ndim != 1 or len(embeddings) != len(labels):
        raise ValueError(
            "a loss takes embeddings (B, D) and labels (B,), "
            f"not {tuple(embeddings.shape)} and {tuple(labels.shape)}"
        )
    if len(labels) == 0:
        raise ValueError("a loss needs at least one photo; the batch is empty")
