"""Fingerprinting photographs from their files, against the network alone.

    python benchmarks/fingerprinting.py MODEL [--photos 1000]

Three ways in turns, in one run: `Fingerprinter` on JPEG files (read, decoded, fitted, computed);
ONNX Runtime's own session on pixels that lie in memory, in the same batches; and PyTorch's eager
network of the same body on the same pixels. The files are made here: photographs of the model's
size, or twice it with --large, which then are shrunk too. What counts is the median of the ratios.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from resight.fingerprint import Fingerprinter, load_model
from resight.fingerprint.model import INPUT, OUTPUT
from resight.learn import create_embedder
from resight.photos.made_animals import draw_salamander, new_place, new_salamander
from resight.photos.stream import fitted_chunks

BATCH = 64


def made_files(folder: Path, count: int, size: int) -> list[Path]:
    """Square JPEG files of drawn salamanders: as detailed as photographs, so as slow to decode."""
    rng = np.random.default_rng(0)
    drawn = [
        draw_salamander(new_salamander(rng), new_place(rng), rng, size=size)[0]
        for _ in range(min(count, 100))
    ]
    files = []
    for number in range(count):
        files.append(folder / f"{number}.jpg")
        Image.fromarray(drawn[number % len(drawn)]).save(files[-1], quality=90)
    return files


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--large", action="store_true", help="files of twice the model's size")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(2)
    model = load_model(options.model, threads=2)
    fingerprinter = Fingerprinter(model, batch_size=BATCH, threads=2)
    card = model.card
    eager = create_embedder(
        card.body, dim=card.dim, channels=card.channels, size=card.size, pretrained=False
    ).eval()
    side = max(card.size) * (2 if options.large else 1)
    with tempfile.TemporaryDirectory() as folder:
        files = made_files(Path(folder), options.photos, side)
        pixels = np.concatenate(
            [
                chunk.pixels
                for chunk in fitted_chunks(
                    ((path, None) for path in files),
                    size=card.size,
                    channels=card.channels,
                    fit=card.fit,
                    fill=card.fill,
                )
            ]
        )

        def alone() -> None:
            for first in range(0, len(pixels), BATCH):
                model.session.run([OUTPUT], {INPUT: pixels[first : first + BATCH]})

        def torches() -> None:
            with torch.inference_mode():
                for first in range(0, len(pixels) // 4, BATCH):
                    eager(torch.from_numpy(pixels[first : first + BATCH]))

        ways = {
            "files": (lambda: fingerprinter(files), len(files)),
            "network alone": (alone, len(pixels)),
            "PyTorch eager": (torches, -(-(len(pixels) // 4) // BATCH) * BATCH),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, (work, count) in ways.items():
                rates[name].append(count / seconds(work))
    print("| photos a second | median | files as a share of it |\n|---|---|---|")
    for name, found in rates.items():
        share = statistics.median(a / b for a, b in zip(rates["files"], found, strict=True))
        print(f"| {name} | {statistics.median(found):,.0f} | {share:.2f} |")


if __name__ == "__main__":
    main()
