"""A loss whose derivative by the distances is known: what it means for the embeddings.

Where autograd would keep the matrix of distances and make two products of it, here one product
is made, and none where few triplets count; kept is a gradient as large as the embeddings.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Beyond this share of the distances a product of matrices is faster than going by triplets.
_BY_TRIPLETS_UP_TO = 1 / 50


class Triplets(NamedTuple):
    """A batch's triplets, S of each anchor, and how strongly each counts.

    Attributes:
        positive, negative: (S, B) columns; the positives stand in the batch.
        slope: (S, B) the value's derivative by cos(anchor, negative), and minus that by
            cos(anchor, positive).
    """

    positive: Tensor
    negative: Tensor
    slope: Tensor


def unit_rows(embeddings: Tensor) -> Tensor:
    """Rows (B, D) of unit length, in float32 or float64."""
    return wide(embeddings) / lengths_of(embeddings)


def lengths_of(embeddings: Tensor) -> Tensor:
    """The lengths (B, 1) of the rows, at least 1e-12, in float32 or float64."""
    return torch.linalg.vector_norm(wide(embeddings), dim=1, keepdim=True).clamp_min(1e-12)


def wide(embeddings: Tensor) -> Tensor:
    """Half precision as float32."""
    return embeddings.float() if embeddings.dtype.itemsize < 4 else embeddings


def attach(
    value: Tensor, embeddings: Tensor, by_cosine: Tensor | Triplets, columns: Tensor
) -> Tensor:
    """A value with its gradient.

    Args:
        value: (), without a gradient.
        embeddings: (B, D), of any length.
        by_cosine: W, the value's derivative by the cosines between rows and columns, (B, C); or
            what makes it up.
        columns: (C, D) unit vectors v, the first B those of the embeddings; the rest is constant.
    """
    if not (torch.is_grad_enabled() and embeddings.requires_grad):
        return value
    # Autocast would make the products in half precision, and cannot add them to what is not.
    with torch.no_grad(), torch.autocast(embeddings.device.type, enabled=False):
        unit = columns[: len(embeddings)]
        if isinstance(by_cosine, Triplets):
            pull = _pull_of_triplets(by_cosine, columns, len(unit))
        else:
            pull = _pull(by_cosine, columns, len(unit))
        # Only what is at a right angle to an embedding turns it.
        along = (pull * unit).sum(1, keepdim=True)
        gradient = pull.addcmul_(unit, along, value=-1).div_(lengths_of(embeddings))
    result: Tensor = _Known.apply(embeddings, value, gradient)
    return result


class _Known(torch.autograd.Function):
    @staticmethod
    def forward(ctx, embeddings: Tensor, value: Tensor, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(gradient.to(embeddings.dtype))
        return value.clone()

    @staticmethod
    def backward(ctx, by_value: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[no-untyped-def]
        (gradient,) = ctx.saved_tensors
        return gradient * by_value, None, None


def _pull(by_cosine: Tensor, columns: Tensor, batch: int) -> Tensor:
    """The derivative by the unit vectors u of the batch: Wv + Wᵀu."""
    within = by_cosine[:, :batch]
    pull = (within + within.T) @ columns[:batch]
    return pull if len(columns) == batch else pull.addmm_(by_cosine[:, batch:], columns[batch:])


def _pull_of_triplets(some: Triplets, columns: Tensor, batch: int) -> Tensor:
    """The same, from the triplets that make up W."""
    if len(some.slope) > _BY_TRIPLETS_UP_TO * len(columns):
        by_cosine = columns.new_zeros(batch, len(columns))
        by_cosine.scatter_add_(1, some.negative.T, some.slope.T)
        by_cosine.scatter_add_(1, some.positive.T, -some.slope.T)
        return _pull(by_cosine, columns, batch)
    pull = torch.zeros_like(columns)
    for positive, negative, slope in zip(*some, strict=True):
        by = slope[:, None]
        turned = columns.index_select(0, negative).sub_(columns.index_select(0, positive))
        pull[:batch].addcmul_(turned, by)
        pushed = columns[:batch] * by
        pull.index_add_(0, negative, pushed)
        pull.index_add_(0, positive, pushed, alpha=-1)
    return pull[:batch]
