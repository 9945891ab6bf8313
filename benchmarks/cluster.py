"""Fingerprinting a table on Ray with two workers against the same without Ray.

Made pictures of a camera's kind (JPEG, 1600×1200), a body of the usual kind with random weights.
Each round does the same photos both ways, one right after the other; the first of a round changes.
Starting Ray, and the first block on each worker (its imports), are told apart from the pace.

    python benchmarks/cluster.py
    python benchmarks/cluster.py --photos 2000 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from resight.fingerprint.block import BlockWorker
from resight.fingerprint.cluster import LOCAL, _connected, on_ray
from resight.fingerprint.fingerprinter import Fingerprinter
from resight.fingerprint.folder import Folder, listed
from resight.fingerprint.table import read_held
from resight.learn.embedder import create_embedder
from resight.learn.export import export_model


def photos(folder: Path, count: int) -> None:
    """Smooth pictures with some grain, as a camera's compress."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((1600, 1200), Image.Resampling.BICUBIC), np.int16)
        grain = np.tile(rng.integers(-12, 13, (300, 400, 3), dtype=np.int16), (4, 4, 1))
        pixels = (smooth + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:05d}.jpg", quality=85)


def blocks(folder: Path, size: int) -> list[tuple[list[str], list[str]]]:
    found = list(listed([str(folder)]))
    cut = [found[at : at + size] for at in range(0, len(found), size)]
    return [([one.path for one in some], [one.version for one in some]) for some in cut]


def without_ray(model: Path, todo: list[tuple[list[str], list[str]]], out: Path) -> float:
    worker = BlockWorker(Fingerprinter(model), read_held(Folder(str(out))), 1)
    begun = time.perf_counter()
    for some in todo:
        worker(*some)
    return sum(len(paths) for paths, _ in todo) / (time.perf_counter() - begun)


def with_ray(model: Path, todo: list[tuple[list[str], list[str]]], out: Path) -> float:
    """The pace from when both workers have finished a block to when the last one is finished."""
    held = read_held(Folder(str(out)))
    size = len(todo[0][0])
    count, begun, ended, workers = 0, 0.0, 0.0, set()
    for done in on_ray(LOCAL, model, held, todo, workers=2, block=size):
        if len(workers) < 2:
            workers.add(done.worker)
            begun = time.perf_counter()
        else:
            count += done.photos
            ended = time.perf_counter()
    return count / (ended - begun)


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--photos", type=int, default=600)
    wanted.add_argument("--block", type=int, default=25)
    wanted.add_argument("--rounds", type=int, default=5)
    wanted.add_argument("--body", default="resnet18")
    wanted.add_argument("--folder", type=Path, help="Where to work; a temporary folder if not.")
    given = wanted.parse_args()
    root = given.folder or Path(tempfile.mkdtemp(prefix="resight-cluster-"))
    root.mkdir(parents=True, exist_ok=True)
    model = root / "model.onnx"
    if not model.exists():
        network = create_embedder(given.body, dim=256, channels=3, size=(224, 224)).eval()
        export_model(network, model)
    if not (root / "photos").exists():
        photos(root / "photos", given.photos)
    todo = blocks(root / "photos", given.block)
    ways = {"without": without_ray, "ray": with_ray}
    ratios = []
    with _connected(LOCAL):
        for number in range(given.rounds):
            pace = {}
            for way in sorted(ways, reverse=number % 2 == 0):
                out = root / f"{way}.parquet"
                shutil.rmtree(out, ignore_errors=True)
                pace[way] = ways[way](model, todo, out)
            ratios.append(pace["ray"] / pace["without"])
            print(json.dumps({**{k: round(v, 2) for k, v in pace.items()}, "ratio": ratios[-1]}))
    print(f"median ratio of {len(ratios)} rounds: {statistics.median(ratios):.3f}")
    if given.folder is None:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
