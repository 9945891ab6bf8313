"""Distances inside a batch, and to a memory of earlier ones: what all losses share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from resight.learn.gradient import unit_rows

Distance = Literal["squared", "cosine"]

DISTANCES: tuple[Distance, ...] = ("squared", "cosine")

# Embeddings (M, D) and labels (M,) of photos outside the batch.
Memory = tuple[Tensor, Tensor]

# How many times 1 − cosine a distance is.
SCALE: dict[Distance, float] = {"squared": 2.0, "cosine": 1.0}


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
    unit = unit_rows(embeddings)
    return between(unit, unit, kind)


def between(unit: Tensor, columns: Tensor, kind: Distance) -> Tensor:
    """Distances between rows of unit length; not in half precision, even under autocast."""
    with torch.autocast(unit.device.type, enabled=False):
        return torch.addmm(unit.new_tensor(SCALE[kind]), unit, columns.T, alpha=-SCALE[kind])


def compared(
    embeddings: Tensor, labels: Tensor, memory: Memory | None
) -> tuple[Tensor, Tensor, Tensor]:
    """The anchors, and with their labels the columns they are compared with: themselves first."""
    _check(embeddings, labels)
    unit = unit_rows(embeddings)
    if memory is None or not len(memory[0]):
        return unit, unit, labels
    further = unit_rows(memory[0].detach())
    return unit, torch.cat([unit, further.to(unit.dtype)]), torch.cat([labels, memory[1]])


def _check(embeddings: Tensor, labels: Tensor) -> None:
    if embeddings.ndim != 2 or labels.ndim != 1 or len(embeddings) != len(labels):
        raise ValueError(
            "a loss takes embeddings (B, D) and labels (B,), "
            f"not {tuple(embeddings.shape)} and {tuple(labels.shape)}"
        )
    if len(labels) == 0:
        raise ValueError("a loss needs at least one photo; the batch is empty")
