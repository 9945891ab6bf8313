"""Which triplets of a batch count, found on the matrix of distances in memory of O(B²).

A mining function takes distances (B, B) and labels (B,) and gives the triplets slot by slot: in
each slot every anchor has at most one positive, so with K photos each there are K − 1 slots (one
for batch-hard), and no tensor of all triplets is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

Mining = Literal["semihard", "hard", "all"]
MININGS: tuple[Mining, ...] = ("semihard", "hard", "all")

# What a mining function gives for one slot of positives: the gap d_ap − d_an, whether it counts,
# and the columns of the positive and the negative. Shapes (B,), or for a negative of None, which
# stands for every column, gap and valid (B, B).
Slot = tuple[Tensor, Tensor, Tensor, Tensor | None]


def _slots(labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Every anchor's positives, one an anchor at a time: (B,) columns, and (B,) whether it has one.

    With K photos each, K − 1 slots; so mining needs K − 1 passes over B×B, not one over B×B×B.
    """
    order = labels.argsort(stable=True)
    sizes = torch.unique_consecutive(labels[order], return_counts=True)[1]
    size = sizes.repeat_interleave(sizes)
    start = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    rank = torch.arange(len(labels), device=labels.device) - start
    for step in range(1, int(sizes.max())):
        positive, valid = torch.empty_like(order), torch.empty_like(order, dtype=torch.bool)
        positive[order] = order[start + (rank + step) % size]
        valid[order] = step < size
        yield positive, valid


def _semihard(distances: Tensor, labels: Tensor) -> Iterator[Slot]:
    """Each positive with the nearest negative farther than it, or else the farthest."""
    same = labels[:, None] == labels[None, :]
    work = distances.masked_fill(same, -torch.inf)
    farthest, farthest_at = work.max(1)
    negatives = work.clone().masked_fill_(same, torch.inf)
    for positive, valid in _slots(labels):
        d_ap = distances.gather(1, positive[:, None])
        nearer = torch.le(negatives, d_ap, out=same)
        nearest, nearest_at = work.copy_(negatives).masked_fill_(nearer, torch.inf).min(1)
        none = nearest.isinf()
        d_an = torch.where(none, farthest, nearest)
        negative = torch.where(none, farthest_at, nearest_at)
        has_negative = farthest > -torch.inf
        gap = torch.where(has_negative, d_ap[:, 0] - d_an, 0)
        yield gap, valid & has_negative, positive, negative


def _hard(distances: Tensor, labels: Tensor) -> Iterator[Slot]:
    """The farthest positive with the nearest negative."""
    same = labels[:, None] == labels[None, :]
    work = distances.masked_fill(same, torch.inf)
    nearest, negative = work.min(1)
    # In place from here on: a new block of B² costs more than what is done with it.
    other = same.fill_diagonal_(False).logical_not_()
    farthest, positive = work.copy_(distances).masked_fill_(other, -torch.inf).max(1)
    valid = ~(nearest.isinf() | farthest.isinf())  # NaN is valid: it must not be hidden
    yield torch.where(valid, farthest - nearest, 0), valid, positive, negative


def _all(distances: Tensor, labels: Tensor) -> Iterator[Slot]:
    """Each positive with every negative."""
    different = labels[:, None] != labels[None, :]
    for positive, valid in _slots(labels):
        gap = distances.gather(1, positive[:, None]) - distances
        yield gap, valid[:, None] & different, positive, None


MINE: dict[Mining, Callable[[Tensor, Tensor], Iterator[Slot]]] = {
    "semihard": _semihard,
    "hard": _hard,
    "all": _all,
}
