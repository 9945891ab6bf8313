"""Training images a second, data pipeline included, against the same network fed one tensor.

    python benchmarks/throughput.py          # under a minute
    python benchmarks/throughput.py --full   # more rounds

Both train the same network with the same loss and optimiser: one on batches that `PhotoLoader`
draws and augments, the other on one random tensor of a batch's shape again and again. They go in
turns of a few steps; what counts is the median of the ratios. "Digits" is the recipe of
`train_digits` (its body, 24 × 10 photos, all of its augmentation); "photos" are made-up
96×96 colour photos in memory, a ResNet18 from scratch with the augmentation of `resight train`;
"photographs" are the recipe of a pretrained body on 224×224, EfficientNet-Lite2 where its package
is installed, at the sizes that its epochs see (random weights serve as well here as ImageNet's, and
are taken where those are not installed), in bfloat16 where that recipe computes in it. Page faults
are those of a training step on the pipeline's batches.
"""

import argparse
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain, count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from resight.learn import (
    Enlarge,
    PhotoLoader,
    PhotoSet,
    PKSampler,
    SupConLoss,
    TripletLoss,
    Warp,
    create_embedder,
    glyph_augmentation,
)
from resight.learn.allocator import keep_freed_memory
from resight.learn.half import computes_bfloat16
from resight.learn.one import TEMPERATURE, drawing_batch
from resight.learn.photographs import FineTuning
from resight.learn.plan import Plan, usual_body
from resight.learn.sizes import growing_sizes
from resight.learn.weights import package_of
from resight.photos.digits import embedded_digits

Batch = tuple[Tensor, Tensor]


def digits() -> tuple[PhotoLoader, nn.Module, nn.Module]:
    data = embedded_digits()
    photos = PhotoSet.of(data.train_pixels, data.train_labels)
    individuals, each = drawing_batch(len(photos.names))
    sampler = PKSampler(photos.labels.numpy(), individuals=individuals, photos=each)
    body = create_embedder("drawing")
    augment = [Enlarge(body.sees), *glyph_augmentation(photos)]
    return PhotoLoader(photos, sampler, augment=augment), body, SupConLoss(TEMPERATURE)


def photographs() -> tuple[PhotoLoader, nn.Module, nn.Module]:
    pixels = np.random.default_rng(0).integers(0, 256, (640, 3, 96, 96), np.uint8)
    photos = PhotoSet.of(pixels, [str(i % 32) for i in range(len(pixels))])
    sampler = PKSampler(photos.labels.numpy(), individuals=16, photos=4)
    loader = PhotoLoader(photos, sampler, augment=[Warp()])
    return loader, create_embedder("resnet18", channels=3, size=(96, 96)), TripletLoss()


def pretrained() -> Iterator[tuple[str, PhotoLoader, nn.Module, nn.Module]]:
    """The recipe for photographs, at each of the sizes that its epochs see."""
    pixels = np.random.default_rng(0).integers(0, 256, (640, 3, 224, 224), np.uint8)
    photos = PhotoSet.of(pixels, [str(i % 64) for i in range(len(pixels))])
    body = usual_body()
    plan = Plan(
        kind="photos",
        body=body,
        pretrained=package_of(body) is not None,
        size=(224, 224),
        channels=3,
        fit="stretch",
        dim=256,
        loss="arcface",
    )
    with tempfile.TemporaryDirectory() as folder:
        tuning = FineTuning(photos, photos.take(range(64)), plan, path=Path(folder))
        loader = tuning.learn.dls.train
        for size in growing_sizes((224, 224), 3):
            loader.shrunk_to = size
            name = f"photographs, {size[0]}×{size[1]}"
            yield name, loader, tuning.learn.model, tuning.arcface


def forever(loader: PhotoLoader) -> Iterator[Batch]:
    return chain.from_iterable(loader for _ in count())


def training(model: nn.Module, loss: nn.Module, half: bool) -> Callable[[Batch], None]:
    model.half_precision = half
    model.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(model.parameters(), 1e-4, fused=True)

    def step(batch: Batch) -> None:
        pixels, labels = batch
        optimiser.zero_grad()
        loss(model(pixels), labels).backward()
        optimiser.step()

    return step


def measure(loader: PhotoLoader, step: Callable[[Batch], None], rounds: int, steps: int) -> str:
    batches = forever(loader)
    pixels, labels = next(batches)
    same = (torch.rand_like(pixels), labels)
    for _ in range(2):
        step(same)
        step(next(batches))
    times: list[tuple[float, float]] = []
    faults = 0
    for _ in range(rounds):
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
        for _ in range(steps):
            step(next(batches))
        middle = time.perf_counter()
        faults += resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        for _ in range(steps):
            step(same)
        times.append((middle - begun, time.perf_counter() - middle))
    ours, bare = (statistics.median(of) / steps / len(labels) for of in zip(*times, strict=True))
    shares = sorted(b / a for a, b in times)
    return (
        f"{1 / ours:,.0f} | {1 / bare:,.0f} | {statistics.median(shares):.0%} "
        f"({shares[0]:.0%} to {shares[-1]:.0%}) | {faults / rounds / steps:,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="more rounds")
    rounds = 25 if parser.parse_args().full else 9
    torch.set_num_threads(2)
    keep_freed_memory()  # as every training does
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| batches | with the pipeline, images a second | one tensor | share | page faults |")
    print("|---|---|---|---|---|")
    for name, (kind, steps) in {"digits": (digits, 6), "photos": (photographs, 2)}.items():
        torch.manual_seed(0)
        loader, model, loss = kind()
        step = training(model, loss, half=computes_bfloat16(torch.device("cpu")))
        print(f"| {name} | {measure(loader, step, rounds, steps)}", flush=True)
    for name, loader, model, loss in pretrained():
        step = training(model, loss, half=model.half_precision)
        print(f"| {name} | {measure(loader, step, rounds, 2)}", flush=True)


if __name__ == "__main__":
    main()
