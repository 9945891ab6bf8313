"""How fast two processes train together, against one with the whole batch.

Made photos, 32 of 128×128 in a batch (16 individuals), a ResNet-18 from random weights, on
processors: one process with one thread, one with two, and two with one each, in turn.

    python benchmarks/several.py --rounds 3
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

WAYS = {"1 process, 1 thread": (1, 1), "1 process, 2 threads": (1, 2), "2 processes": (2, 1)}


def train(batches: int) -> None:
    """Print the photos a second, of the second of two epochs."""
    import numpy as np
    from fastai.callback.core import Callback

    from resight.learn import PhotoSet, reid_learner
    from resight.learn.augment import Warp
    from resight.learn.ranks import rank

    class Clock(Callback):
        def before_train(self) -> None:
            self.begun = time.perf_counter()

        def after_train(self) -> None:
            self.took = time.perf_counter() - self.begun

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (32 * batches, 3, 128, 128), dtype=np.uint8)
    photos = PhotoSet.of(pixels, np.repeat(np.arange(16 * batches // 2), 4).astype(str))
    learn = reid_learner(
        photos,
        photos.take(range(32)),
        body="resnet18",
        individuals=16,
        photos=2,
        augment=[Warp()],
        half_precision=False,
        device="cpu",
    )
    clock = Clock()
    with learn.no_bar(), learn.no_logging(), learn.distrib_ctx():
        learn.fit(2, 1e-4, cbs=clock)
    if rank() == 0:
        print(32 * len(learn.dls.train) / clock.took)


def launched(processes: int, threads: int, batches: int) -> float:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    running = []
    for number in range(processes):
        env = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}
        if processes > 1:
            env |= {"RANK": str(number), "LOCAL_RANK": str(number), "ACCELERATE_USE_CPU": "true"}
            env |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
            env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        words = [sys.executable, __file__, "--batches", str(batches), "--here"]
        running.append(subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True))
    told = [one.communicate()[0] for one in running]
    return float(told[0].split()[-1])


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--batches", type=int, default=12)
    wanted.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = wanted.parse_args()
    if given.here:
        train(given.batches)
        return
    paces: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(given.rounds):
        for way in sorted(WAYS, reverse=number % 2 == 1):
            paces[way].append(launched(*WAYS[way], given.batches))
        print(json.dumps({way: round(of[-1], 2) for way, of in paces.items()}), flush=True)
    for way, of in paces.items():
        print(f"{way}: {statistics.median(of):.1f} photos a second (median of {len(of)})")


if __name__ == "__main__":
    main()
