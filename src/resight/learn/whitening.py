"""Whitening in part: directions that few individuals left small are made larger.

A loss that tells the individuals of a training apart has no use for more directions than there are
individuals, and lets the others dwindle. Somebody who was not there may differ from all others in
just those. So when a training is through, its embeddings are centred, and each of their principal
directions is multiplied by a negative power of its variance, by a last layer of the head.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.learn.data import PhotoLoader, at_once
from resight.learn.embedder import Embedder

# Embeddings are to spread over as many directions as so large a share of their numbers; but a
# variance v is at most brought to √v, half of a whitening (docs/tried.md).
AIM, MOST = 3 / 8, 0.25
# Looks at photos as they are, and again at what training shows. So many photos are needed for each
# direction that is aimed at, as fewer spread over fewer, whoever they show.
LOOKS, PHOTOS_EACH = 1000, 8
# Added to the variances, as a share of the largest: what is nearly nothing stays little.
_FLOOR = 1e-3


class Whitened(nn.Module):
    """The last layer of a head: embeddings brought to unit length, centred and spread.

    Args:
        mean: (D,), of embeddings of unit length.
        matrix: (D, D), as `whitening_matrix` gives it.
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, mean: Tensor, matrix: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("matrix", matrix)

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, D) of any length to such."""
        return (F.normalize(x.float(), dim=1) - self.mean) @ self.matrix


def effective_rank(variances: Tensor) -> float:
    """Over how many directions something spreads: e to the entropy of their shares in the variance.

    It is n for n equal variances, and 1 where one is all (Roy and Vetterli, "The effective rank",
    EUSIPCO 2007, of variances instead of singular values); 0 where there is none.

    Args:
        variances: (n,), none below 0.
    """
    total = variances.sum()
    return float(torch.special.entr(variances / total).sum().exp()) if total > 0 else 0.0


def whitening_matrix(vectors: Tensor, aim: float, most: float = MOST) -> tuple[Tensor, float]:
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


def whiten(embedder: Embedder, loader: PhotoLoader) -> float:
    """Give a trained embedder a last layer that spreads its embeddings; in place.

    It looks at some photos as they are, and at as many as training shows them: augmented, and with
    whoever is made of them.

    Args:
        embedder: trained.
        loader: the training's batches.

    Returns:
        The power; 0 where the embeddings spread well enough, and nothing was done.

    Example:
        >>> learn.fit_one_cycle(5, 3e-3)
        >>> whiten(learn.model, learn.dls.train)
        >>> learn.export_onnx("digits.onnx")
    """
    photos, device = loader.photos, embedder.mean.device
    generator = torch.Generator().manual_seed(loader.seed)
    some = torch.randperm(len(photos), generator=generator)[:LOOKS].sort().values
    training = embedder.training
    embedder.eval()
    vectors = []
    half = torch.autocast(device.type, torch.bfloat16, enabled=embedder.half_precision)
    with torch.no_grad():
        as_they_are = (photos.pixels[part] for part in some.split(at_once(photos.size)))
        for pixels in chain(as_they_are, _as_shown(loader, len(some))):
            with half:  # but not what shows them, which must know places to more than 8 bits
                vectors.append(embedder(pixels.to(device)).cpu())
    embedder.train(training)
    seen = torch.cat(vectors)
    matrix, power = whitening_matrix(seen, min(AIM * embedder.dim, len(some) / PHOTOS_EACH))
    if power:
        last = Whitened(seen.mean(0), matrix).to(device)
        embedder.head = nn.Sequential(*embedder.head.children(), last)
    return power


def whitening_looks(photos: int) -> int:
    """How often `whiten` looks at so many photos, at all of them together."""
    return 2 * min(photos, LOOKS)


def _as_shown(loader: PhotoLoader, count: int) -> Iterator[Tensor]:
    """So many photos as training shows them, or an epoch of them; the loader stays as it is."""
    again = copy.copy(loader)
    again.epoch, again.share, again.shrunk_to = 0, None, None
    for pixels, _ in again:
        yield pixels[:count]
        count -= len(pixels)
        if count <= 0:
            return
