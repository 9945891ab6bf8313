"""Whitening in part: directions that few individuals left small are made larger."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Embeddings are to spread over as many directions as so large a share of their numbers; but their
# variances v are at most brought to √v, half of a whitening (docs/learning.md).
AIM, MOST = 1 / 4, 0.25
# A direction with less of the largest variance than this is not raised any more than one with it.
_FLOOR = 1e-3
# So many photos tell how embeddings spread.
LOOKS_AT = 2000

N = TypeVar("N", bound=nn.Module)


class Whitened(nn.Module):
    """A network whose embeddings are spread over more directions than it gives them by itself.

    A loss that tells the individuals of a training apart has no use for more directions than there
    are individuals, and lets the others dwindle. An individual that was not there may differ from
    all others in just those. So the embeddings are centred, each principal direction is multiplied
    by a negative power of its variance, and they are brought to unit length again.

    Args:
        network: what gives the embeddings.
        mean, matrix: as `whitening` gives them, (dim,) and (dim, dim).
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.network = network
        like = cast(Any, network)
        self.name, self.dim = str(like.name), int(like.dim)
        self.channels, self.size = int(like.channels), cast(tuple[int, int], like.size)
        self.register_buffer("mean", mean.float())
        self.register_buffer("matrix", matrix.float())

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 or [0, 1] floats (B, C, H, W) to float32 (B, dim) unit vectors."""
        return F.normalize((self.network(pixels) - self.mean) @ self.matrix, dim=1)


def effective_rank(variances: Tensor) -> float:
    """Over how many directions something spreads: e to the entropy of their shares in the variance.

    It is n for n equal variances, and 1 where one is all (Roy and Vetterli, "The effective rank",
    EUSIPCO 2007, of variances instead of singular values); 0 where there is none.

    Args:
        variances: (n,), none below 0.
    """
    total = variances.sum()
    return float(torch.special.entr(variances / total).sum().exp()) if total > 0 else 0.0


def whitening(vectors: Tensor, aim: float, most: float = MOST) -> tuple[Tensor, Tensor, float]:
    """How to spread vectors over so many directions, or what comes nearest to it.

    Args:
        vectors: (n, D) floats, n of 2 or more.
        aim: the effective rank that is aimed at; what has more stays as it is.
        most: the greatest power.

    Returns:
        The vectors' mean (D,); the matrix (D, D), symmetric, to multiply what is centred with; and
        the power p: a direction of variance v is multiplied by v^−p. 0 leaves cosines as they were,
        and then so do mean and matrix.

    References:
        Jégou and Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of
        PCA and whitening", ECCV 2012 (whole whitening, p = 1/2).
    """
    vectors = vectors.double()
    variances, directions = torch.linalg.eigh(torch.cov(vectors.T))
    variances = variances.clamp(min=0)
    raised = variances + _FLOOR * variances.max()

    def rank_with(power: float) -> float:
        return effective_rank(variances * raised.pow(-2 * power))

    width = vectors.shape[1]
    if not raised.max() > 0 or rank_with(0.0) >= aim:
        return torch.zeros(width), torch.eye(width), 0.0
    low, high = 0.0, most
    for _ in range(20):
        power = (low + high) / 2
        low, high = (power, high) if rank_with(power) < aim else (low, power)
    scaled = directions * (raised / raised.max()).pow(-high)
    return vectors.mean(0).float(), (scaled @ directions.T).float(), high


def whitened(network: N, vectors: Tensor) -> tuple[N | Whitened, float]:
    """A network that spreads its embeddings well enough, and the power that it takes.

    Args:
        network: what looks at photos.
        vectors: (n, dim), its embeddings of photos that it was trained on.

    Returns:
        A `Whitened`, or the network itself where nothing is needed (power 0).
    """
    mean, matrix, power = whitening(vectors, AIM * vectors.shape[1])
    return (Whitened(network, mean, matrix) if power else network), power
