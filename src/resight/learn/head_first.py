"""The head first: learned in seconds on features that the body gave once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.learn.arcface import ArcFaceLoss
from resight.learn.data import Augment, PhotoSet, shrink
from resight.learn.embedder import Embedder
from resight.learn.placed import Standardise
from resight.learn.sampler import PKSampler

# Looks at each photo, as it is and otherwise, and at all of them together.
COPIES, MOST_LOOKS = 4, 20_000
EPOCHS, INDIVIDUALS, PHOTOS = 12, 64, 4
RATE, CENTRES_RATE, DECAY = 2e-3, 2e-2, 0.05
_WARM = 0.1
_AT_ONCE = 64


def learn_head(
    embedder: Embedder,
    loss: nn.Module,
    photos: PhotoSet,
    augment: Sequence[Augment],
    size: tuple[int, int],
    seed: int = 0,
) -> float:
    """Train the head of an embedder, and the loss's own parameters; the body stays as it is.

    A fresh head sends arbitrary gradients into a body that knows better, and a whole pass through
    the body teaches it a single step. So the body looks at every photo a few times, and the head
    learns on what it saw.

    Args:
        embedder: its head begins with a `Standardise`, which is set here.
        loss: called as `loss(embeddings, labels)`.
        photos: the training photos.
        augment: steps on batches of floats; one look of each photo goes without.
        size: (height, width) at which the photos are looked at.
        seed: of the looks and the batches.

    Returns:
        The loss of the last batch.
    """
    generator = torch.Generator().manual_seed(seed)
    seen, labels = _looks(embedder, photos, augment, size, generator)
    head = embedder.head
    assert isinstance(head, nn.Sequential)
    assert isinstance(head[0], Standardise)
    head[0].see(seen)
    own = list(loss.parameters())
    groups: list[dict[str, Any]] = [{"params": list(head.parameters())}]
    if own:
        groups.append({"params": own})
    optimiser = torch.optim.AdamW(groups, weight_decay=DECAY, fused=True)
    individuals = min(INDIVIDUALS, len(labels.unique()))
    sampler = PKSampler(labels.numpy(), individuals=individuals, photos=PHOTOS, seed=seed)
    steps = EPOCHS * max(1, len(labels) // (individuals * PHOTOS))
    if isinstance(loss, ArcFaceLoss):
        loss.lead_in = max(1, steps // 2)
    device = next(embedder.parameters()).device
    embedder.train()
    value = torch.zeros(())
    batches = _forever(sampler)
    for step in range(steps):
        share = step / steps
        factor = share / _WARM if share < _WARM else 0.5 * (1 + math.cos(math.pi * share))
        for group, rate in zip(optimiser.param_groups, (RATE, CENTRES_RATE), strict=False):
            group["lr"] = rate * factor
        at = next(batches)
        out = F.normalize(head(seen[at].to(device).float()).float(), dim=1)
        value = loss(out, labels[at].to(device))
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return float(value.detach())


def looks_at(photos: int) -> int:
    """How often the body looks, at all photos together."""
    some = min(photos, MOST_LOOKS)
    return some * max(1, min(COPIES, MOST_LOOKS // some))


def _looks(
    embedder: Embedder,
    photos: PhotoSet,
    augment: Sequence[Augment],
    size: tuple[int, int],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Features of all looks, float16 (n, features), and their labels (n,), on the CPU."""
    device = next(embedder.parameters()).device
    chosen = torch.arange(len(photos))
    if len(chosen) > MOST_LOOKS:
        chosen = torch.randperm(len(photos), generator=generator)[:MOST_LOOKS].sort().values
    copies = looks_at(len(photos)) // len(chosen)
    seen, labels = [], []
    embedder.eval()
    half = torch.autocast(device.type, torch.bfloat16, enabled=embedder.half_precision)
    with torch.no_grad():
        for copy in range(copies):
            for at in chosen.split(_AT_ONCE):
                pixels, who = photos.pixels[at], photos.labels[at]
                pixels = shrink(pixels, size) if size != photos.size else pixels
                pixels = pixels.float().div_(255)
                if copy:
                    for step in augment:
                        pixels, who = step(pixels, who, generator)
                with half:
                    features = embedder.features(pixels.to(device))
                seen.append(features.half().cpu())
                labels.append(who)
    return torch.cat(seen), torch.cat(labels)


def _forever(sampler: PKSampler) -> Iterator[Tensor]:
    while True:
        for positions in sampler:
            yield torch.as_tensor(positions, dtype=torch.long)
