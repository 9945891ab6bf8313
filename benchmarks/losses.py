"""TripletLoss, forward and backward, against pytorch-metric-learning's, in one run.

    python benchmarks/losses.py          # B = 256 and 1024, under a minute
    python benchmarks/losses.py --full   # also B = 4096 for ours alone
    python benchmarks/losses.py --threads 1   # where others use the machine too

D = 128, four photos an individual, two threads or as told. The peer is `TripletMarginLoss` with the
miner that corresponds (none for batch-all), on the same squared distances and with the same mean
over terms above zero. Its semi-hard miner lists every triplet in the band where ours takes each
pair's nearest one, so the values differ there; for batch-hard and batch-all they are compared, and
a difference ends the run. The two are timed in turns; what counts is the median of the ratios.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from pytorch_metric_learning import distances, losses, miners, reducers
from torch import Tensor

from resight.learn.losses import TripletLoss
from resight.learn.mining import Mining

MARGIN = 0.2
MININGS: tuple[Mining, ...] = ("semihard", "hard", "all")


def peer(mining: Mining) -> Callable[[Tensor, Tensor], Tensor]:
    squared = distances.LpDistance(power=2)
    loss = losses.TripletMarginLoss(MARGIN, distance=squared, reducer=reducers.AvgNonZeroReducer())
    if mining == "all":
        return loss
    miner = (
        miners.BatchHardMiner(distance=squared)
        if mining == "hard"
        else miners.TripletMarginMiner(MARGIN, "semihard", distance=squared)
    )
    return lambda embeddings, labels: loss(embeddings, labels, miner(embeddings, labels))


def seconds(loss: Callable[[Tensor, Tensor], Tensor], embeddings: Tensor, labels: Tensor) -> float:
    embeddings.grad = None
    begun = time.perf_counter()
    loss(embeddings, labels).backward()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="also B = 4096, ours alone")
    parser.add_argument("--threads", type=int, default=2, help="that torch computes with")
    arguments = parser.parse_args()
    full = arguments.full
    torch.set_num_threads(arguments.threads)
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print(f"| B | mining | ours | {'pytorch-metric-learning':>23} | times faster (min to max) |")
    print("|---|---|---|---|---|")
    for size in (256, 1024, *([4096] if full else [])):
        generator = torch.Generator().manual_seed(size)
        labels = torch.arange(size // 4).repeat(4)
        centres = torch.randn(size // 4, 128, generator=generator)
        photos = 0.5 * centres[labels] + torch.randn(size, 128, generator=generator)
        embeddings = torch.nn.functional.normalize(photos, dim=1).requires_grad_()
        for mining in MININGS:
            ours, theirs = TripletLoss(mining, MARGIN), peer(mining)
            # All triplets of 1024 photos (3 million) take their tensors past some gigabytes.
            compared = size <= 256 or (size == 1024 and mining != "all")
            rounds = 21 if size <= 256 or mining == "hard" else 5
            if compared and mining != "semihard":
                torch.testing.assert_close(
                    ours(embeddings, labels), theirs(embeddings, labels), rtol=1e-4, atol=1e-5
                )
            times: list[tuple[float, float]] = []
            for _ in range(rounds + 1):
                mine = seconds(ours, embeddings, labels)
                other = seconds(theirs, embeddings, labels) if compared else float("nan")
                times.append((mine, other))
            times = times[1:]  # the first warms up
            mine = statistics.median(a for a, _ in times)
            row = f"| {size} | {mining} | {1000 * mine:.2f} ms |"
            if compared:
                ratios = sorted(b / a for a, b in times)
                other = statistics.median(b for _, b in times)
                row += f" {1000 * other:.2f} ms | {statistics.median(ratios):.1f}"
                row += f" ({ratios[0]:.1f} to {ratios[-1]:.1f}) |"
            else:
                row += " not run | |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
