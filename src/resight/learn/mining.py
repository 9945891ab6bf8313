"""Which triplets of a batch count, found on the matrix of distances in memory of O(B²).

The matrix is looked at some rows of anchors at a time, so that they stay in the processor's cache,
and slot by slot: in each slot every anchor has at most one positive. With K photos each there are
K − 1 slots (one for batch-hard), and no tensor of all triplets is ever made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Mining = Literal["semihard", "hard", "all", "easy-semihard", "easy-hard", "weighted"]
MININGS: tuple[Mining, ...] = ("semihard", "hard", "all", "easy-semihard", "easy-hard", "weighted")

_CELLS_IN_CACHE = 1 << 18  # 1 MB of float32: the second-level cache of one core

# Of "weighted", as Wu et al. chose them, in Euclidean distance.
_NEAREST, _FARTHEST = 0.5, 1.4


@dataclass(frozen=True, slots=True)
class Rows:
    """Some anchors of a batch, and how far everything is from them.

    A distance is c − s·cos; here it comes without its c, as only differences count.

    Attributes:
        distances: (r, C) to every column; +inf to the anchor itself and to its individual's others.
        own: (r, 1 + S) columns of the anchor itself and of its positives in the batch.
        positives: (r, S) distances to the positives, −inf where an anchor has fewer than S.
        scale: s.
        dim: D of the embeddings.
        spare: (r, C) memory to work in.
    """

    distances: Tensor
    own: Tensor
    positives: Tensor
    scale: float
    dim: int
    spare: Tensor


# What a mining function gives for one slot: the gap d_ap − d_an, −inf where the anchor has no such
# positive, and the columns of the positive and of the negative. Shapes (r,); or for a negative of
# None, which stands for every column, a gap of (r, C), −inf for columns that are no negatives.
Slot = tuple[Tensor, Tensor, Tensor | None]


def own_columns(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Everyone's photos of the same individual.

    Args:
        labels: (B,) integers.

    Returns:
        (B, 1 + S) columns, the photo itself first; S is one less than the most photos of an
        individual, but at least 1. And (B, S), whether there is no such positive; its column is
        then another one of the individual's.
    """
    # In numpy, whose calls on arrays this small cost a fraction of torch's.
    label = labels.cpu().numpy()
    order = label.argsort(kind="stable")
    ordered = label[order]
    first = ordered.searchsorted(label)
    size = (ordered.searchsorted(label, "right") - first)[:, None]
    rank = np.empty_like(order)
    rank[order] = np.arange(len(label))
    step = np.arange(max(2, size.max()))
    own = order[first[:, None] + ((rank - first)[:, None] + step) % size]
    missing = step[1:] >= size
    return torch.from_numpy(own).to(labels.device), torch.from_numpy(missing).to(labels.device)


def rows_of(
    unit: Tensor, labels: Tensor, columns: Tensor, column_labels: Tensor, scale: float
) -> Iterator[tuple[slice, Rows]]:
    """The batch's anchors, some at a time; the memory of some is used again for the next.

    Gives nothing if there is only one individual, so nobody has a negative.

    Args:
        unit: (B, D) unit vectors, the anchors and positives.
        labels: (B,) integers.
        columns: (C, D) unit vectors to compare with, the first B of them `unit`.
        column_labels: (C,) integers.
        scale: s of the distance c − s·cos.
    """
    own, missing = own_columns(labels)
    further = column_labels[len(unit) :]
    if own.shape[1] >= len(unit) and bool((column_labels == labels[0]).all()):
        return
    on_cpu = unit.device.type == "cpu"
    many = max(16, _CELLS_IN_CACHE // len(columns)) if on_cpu else len(unit)
    cells = unit.new_empty((min(many, len(unit)), len(columns)))
    spare = torch.empty_like(cells)
    for start in range(0, len(unit), many):
        part = slice(start, min(start + many, len(unit)))
        distances = cells[: part.stop - start]
        torch.addmm(distances, unit[part], columns.T, beta=0, alpha=-scale, out=distances)
        positives = distances.gather(1, own[part, 1:]).masked_fill_(missing[part], -torch.inf)
        distances.scatter_(1, own[part], torch.inf)
        if len(further):
            same = labels[part, None] == further
            distances[:, len(unit) :].masked_fill_(same, torch.inf)
        room = spare[: len(distances)]
        yield part, Rows(distances, own[part], positives, scale, unit.shape[1], room)


def lowest(cells: Tensor) -> tuple[Tensor, Tensor]:
    """`cells.min(1)`: the least of each row of (r, C), and its column; of equals, any.

    On the CPU numpy finds the columns about ten times as fast as torch.
    """
    if cells.device.type != "cpu":
        least, at = cells.min(1)
        return least, at
    at = torch.from_numpy(cells.numpy().argmin(1))
    return cells.gather(1, at[:, None])[:, 0], at


def _hard(rows: Rows) -> Iterator[Slot]:
    """The farthest positive with the nearest negative."""
    farthest, at = rows.positives.max(1)
    nearest, negative = lowest(rows.distances)
    yield farthest - nearest, _column(rows, at), negative


def _semihard(rows: Rows) -> Iterator[Slot]:
    """Each positive with the nearest negative farther than it, or else the farthest."""
    for slot in range(rows.positives.shape[1]):
        yield _farther(rows, rows.positives[:, slot], rows.own[:, 1 + slot])


def _easy_semihard(rows: Rows) -> Iterator[Slot]:
    """The nearest positive with the nearest negative farther than it, or else the farthest."""
    nearest, at = _nearest_positive(rows)
    yield _farther(rows, nearest, _column(rows, at))


def _easy_hard(rows: Rows) -> Iterator[Slot]:
    """The nearest positive with the nearest negative."""
    easiest, at = _nearest_positive(rows)
    nearest, negative = lowest(rows.distances)
    yield easiest - nearest, _column(rows, at), negative


def _all(rows: Rows) -> Iterator[Slot]:
    """Each positive with every negative."""
    for slot in range(rows.positives.shape[1]):
        gap = torch.sub(rows.positives[:, slot, None], rows.distances, out=rows.spare)
        yield gap, rows.own[:, 1 + slot], None


def _weighted(rows: Rows) -> Iterator[Slot]:
    """Each positive with a negative drawn so that every distance comes up as often.

    On a sphere nearly all distances are near √2, so negatives drawn evenly all are. Drawing with
    probability 1/q(d), q(d) ∝ d^(D−2)·(1 − d²/4)^((D−3)/2), evens that out. Distances under 0.5
    count as 0.5, or the very nearest, often mislabelled, would be all that is drawn; those over
    1.4 are left out, unless an anchor has no others.
    """
    hidden = rows.distances.isposinf()
    squared = (2 + rows.distances * (2 / rows.scale)).clamp(_NEAREST**2, 4 - 1e-3)
    surprise = (1 - rows.dim / 2) * squared.log() - (rows.dim - 3) / 2 * (1 - squared / 4).log()
    surprise.masked_fill_(squared > _FARTHEST**2, -1e6)
    for slot in range(rows.positives.shape[1]):
        # The largest of log-probabilities, each with noise of Gumbel's, is a draw.
        noise = torch.empty_like(surprise).exponential_().log_()
        drawn = (surprise - noise).masked_fill_(hidden, -torch.inf).argmax(1)
        d_an = rows.distances.gather(1, drawn[:, None])[:, 0]
        yield rows.positives[:, slot] - d_an, rows.own[:, 1 + slot], drawn


def _farther(rows: Rows, positives: Tensor, columns: Tensor) -> Slot:
    """A positive of each anchor with the nearest negative farther than it, or the farthest."""
    beyond = torch.sub(rows.distances, positives[:, None], out=rows.spare)
    # What is not farther is put out of reach; NaN stays.
    least, negative = lowest(torch.threshold_(beyond, 0.0, torch.inf))
    none = least.isposinf()
    if (none & (positives > -torch.inf)).any():
        negatives = rows.distances.masked_fill(rows.distances.isposinf(), -torch.inf)
        farthest, farthest_at = negatives.max(1)
        least = torch.where(none, farthest - positives, least)
        negative = torch.where(none, farthest_at, negative)
    return -least, columns, negative


def _nearest_positive(rows: Rows) -> tuple[Tensor, Tensor]:
    """Each anchor's distance to its nearest positive and its slot; −inf where it has none."""
    none = rows.positives == -torch.inf
    nearest, at = rows.positives.masked_fill(none, torch.inf).min(1)
    return nearest.masked_fill(nearest.isposinf(), -torch.inf), at


def _column(rows: Rows, slot: Tensor) -> Tensor:
    return rows.own.gather(1, 1 + slot[:, None])[:, 0]


MINE: dict[Mining, Callable[[Rows], Iterator[Slot]]] = {
    "semihard": _semihard,
    "hard": _hard,
    "all": _all,
    "easy-semihard": _easy_semihard,
    "easy-hard": _easy_hard,
    "weighted": _weighted,
}
