"""Whitening in part: directions that few individuals left small are made larger.

A loss that tells the individuals of a training apart has no use for more directions than there are
individuals, and lets the others dwindle. Somebody who was not there may differ from all others in
just those. So when a training is through, each principal direction of its embeddings is multiplied
by a negative power of its variance, by a last layer of the head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resight.learn.data import PhotoSet, at_once
from resight.learn.embedder import Embedder

# Embeddings are to spread over so many directions; but a variance v is at most brought to √v, half
# of a whitening (docs/learning.md).
AIM, MOST = 96.0, 0.25
# So many looks are taken at most; and so many photos are needed for each direction that is aimed
# at, as fewer spread over fewer, whoever they show.
LOOKS_AT, PHOTOS_EACH = 2000, 8
# Added to the variances, as a share of the largest: what is nearly nothing stays little.
_FLOOR = 1e-3


def effective_rank(variances: Tensor) -> float:
    """Over how many directions something spreads: e to the entropy of their shares in the variance.

    It is n for n equal variances, and 1 where one is all (Roy and Vetterli, "The effective rank",
    EUSIPCO 2007, of variances instead of singular values); 0 where there is none.

    Args:
        variances: (n,), none below 0.
    """
    total = variances.sum()
    return float(torch.special.entr(variances / total).sum().exp()) if total > 0 else 0.0


def whitening(vectors: Tensor, aim: float, most: float = MOST) -> tuple[Tensor, float]:
    """How to spread vectors over so many directions, or what comes nearest to it.

    Args:
        vectors: (n, D) unit vectors.
        aim: the effective rank that is aimed at; what has as much or more stays as it is.
        most: the greatest power, in [0, 1/2].

    Returns:
        A symmetric matrix (D, D), float32, to multiply vectors with; and the power p. A direction
        of variance v is multiplied by (v + f)^−p, f a thousandth of the largest variance, in units
        in which the largest v + f is 1. At p = 0 the matrix is the identity.

    References:
        Jégou and Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of
        PCA and whitening", ECCV 2012 (whole whitening, p = 1/2).
    """
    vectors = vectors.double()
    identity = torch.eye(vectors.shape[1])
    if len(vectors) < 2 or not vectors.isfinite().all():
        return identity, 0.0
    variances, directions = torch.linalg.eigh(torch.cov(vectors.T))
    variances = variances.clamp(min=0)
    if variances.sum() < 1e-9:  # all at one point but for rounding: there is nothing to spread
        return identity, 0.0
    raised = variances / variances.max() + _FLOOR

    def rank_with(power: float) -> float:
        return effective_rank(variances * raised.pow(-2 * power))

    if rank_with(0.0) >= aim:
        return identity, 0.0
    low, high = 0.0, most
    for _ in range(20):
        power = (low + high) / 2
        low, high = (power, high) if rank_with(power) < aim else (low, power)
    scaled = directions * (raised / raised.max()).pow(-high)
    return (scaled @ directions.T).float(), high


def whiten(embedder: Embedder, photos: PhotoSet, *, mirrored: bool, seed: int = 0) -> float:
    """Give a trained embedder a last layer that spreads its embeddings; in place.

    Nothing is done where they spread well enough. Embeddings are multiplied before they are brought
    to unit length, which makes no difference: a matrix does not change for a vector's length.

    Args:
        embedder: trained.
        photos: that it was trained on, of its size; where there are many, some of them are drawn.
        mirrored: whether it was trained on, and will see, their mirror images as well.
        seed: of the draw.

    Returns:
        The power; 0 where nothing was done.
    """
    generator = torch.Generator().manual_seed(seed)
    looks = 1 + mirrored
    most = whitening_looks(len(photos), mirrored) // looks
    some = torch.randperm(len(photos), generator=generator)[:most].sort().values
    device = embedder.mean.device
    training = embedder.training
    embedder.eval()
    vectors = []
    half = torch.autocast(device.type, torch.bfloat16, enabled=embedder.half_precision)
    with torch.no_grad(), half:
        for part in some.split(at_once(photos.size)):
            pixels = photos.pixels[part].to(device)
            vectors += [embedder(look).cpu() for look in (pixels, pixels.flip(3))[:looks]]
    embedder.train(training)
    matrix, power = whitening(torch.cat(vectors), min(AIM, len(some) / PHOTOS_EACH))
    if power:
        last = nn.Linear(embedder.dim, embedder.dim, bias=False)
        last.weight.data.copy_(matrix)
        embedder.head = nn.Sequential(*embedder.head.children(), last.to(device))
    return power


def whitening_looks(photos: int, mirrored: bool) -> int:
    """How often it looks, at all photos together."""
    looks = 1 + mirrored
    return looks * min(photos, LOOKS_AT // looks)
