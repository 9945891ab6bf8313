"""A loss whose derivative by the distances is known: what it means for the embeddings.

Where autograd would keep the matrix of distances and make two products of it, here one product
is made, and hardly any where few distances count; kept is a gradient as large as the embeddings.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Beyond this share of the distances a product of whole matrices is faster than a sparse one.
_SPARSE_UP_TO = 1 / 6


def unit_rows(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Rows (B, D) of unit length, in float32 or float64, and the lengths (B, 1) they had."""
    wide = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    lengths = torch.linalg.vector_norm(wide, dim=1, keepdim=True).clamp_min(1e-12)
    return wide / lengths, lengths


def attach(value: Tensor, embeddings: Tensor, by_cosine: Tensor, columns: Tensor) -> Tensor:
    """A value with its gradient.

    Args:
        value: (), without a gradient.
        embeddings: (B, D), of any length.
        by_cosine: W, the value's derivative by the cosines between rows and columns: (B, C); or
            sparse (C, C), what belongs to columns of the batch standing in both triangles.
        columns: (C, D) unit vectors v, the first B those of the embeddings; the rest is constant.
    """
    if not (torch.is_grad_enabled() and embeddings.requires_grad):
        return value
    with torch.no_grad():
        unit, lengths = unit_rows(embeddings)
        pull = _pull(by_cosine, columns, len(unit))
        # Only what is at a right angle to an embedding turns it.
        gradient = pull.addcmul_(unit, (pull * unit).sum(1, keepdim=True), value=-1) / lengths
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
    if by_cosine.is_sparse:
        if by_cosine._nnz() <= _SPARSE_UP_TO * batch * len(columns):
            return torch.sparse.mm(by_cosine, columns)[:batch]
        return by_cosine.to_dense()[:batch] @ columns
    within = by_cosine[:, :batch]
    pull = (within + within.T) @ columns[:batch]
    return pull if len(columns) == batch else pull.addmm_(by_cosine[:, batch:], columns[batch:])
