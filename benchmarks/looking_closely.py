"""What a second look by keypoints adds to a model's fingerprints, on photographs.

    python benchmarks/looking_closely.py right_whale whale.onnx
    python benchmarks/looking_closely.py --picture docs/pictures/looking-closely.png

What cosine and match are worth together is learned on training photos alone: on those that the
model was not trained on, as its card tells. The measured photos choose nothing; but where the model
has seen all photos, usual weights are taken, and these were chosen on both sets (docs/tried.md).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from photo_sets import PHOTO_SETS, TRAINING, PhotoData
from PIL import Image

from resight.compare import (
    CLOSE,
    Fusion,
    KeypointCache,
    draw_match,
    find_keypoints,
    labelled_pairs,
    learn_fusion,
    match,
    rerank,
)
from resight.evaluate.metrics import mean_figures
from resight.fingerprint import Fingerprinter, load_model
from resight.photos.content import content_hash

SHORTLISTS = (0, 20, 50, 100, 200)
Floats = NDArray[np.float32]


def measure(data: PhotoData, model: Path, cache: KeypointCache, queries: int) -> dict[str, object]:
    """R@1 of queries whose individual is in the gallery, by the length of the shortlist."""
    catalogue, asked = data.at(*TRAINING), data.at("ask")
    asked = asked[np.isin(data.labels[asked], data.labels[catalogue])]
    asked = np.sort(np.random.default_rng(0).permutation(asked)[:queries])
    vectors, unseen = vectors_of(data, model)
    fusion = known_worth(data, catalogue, vectors[catalogue], unseen[catalogue], cache)
    needed = np.concatenate([catalogue, asked])
    for i in needed.tolist():
        cache.of(data.paths[i])
    names, truth = data.labels[catalogue], data.labels[asked]
    right = np.zeros((len(asked), len(SHORTLISTS)))
    seconds = np.zeros(len(SHORTLISTS))
    for row, query in enumerate(asked.tolist()):
        cosines = vectors[catalogue] @ vectors[query]
        points = cache.of(data.paths[query])
        for column, length in enumerate(SHORTLISTS):
            begun = time.perf_counter()
            looked = rerank(
                points,
                cosines,
                names,
                lambda i: cache.of(data.paths[catalogue[i]]),
                fusion,
                shortlist=length,
            )
            seconds[column] += time.perf_counter() - begun
            right[row, column] = names[looked.order[0]] == truth[row]
    figures = mean_figures(right, np.unique(truth, return_inverse=True)[1])
    return {
        "set": data.name,
        "model": model.name,
        "queries": len(asked),
        "fusion": fusion.to_dict(),
        "R@1 by shortlist": {
            length: figure.to_dict() for length, figure in zip(SHORTLISTS, figures, strict=True)
        },
        "seconds a query": {
            length: round(float(s / len(asked)), 4)
            for length, s in zip(SHORTLISTS, seconds, strict=True)
        },
    }


def vectors_of(data: PhotoData, model: Path) -> tuple[Floats, NDArray[np.bool_]]:
    """Fingerprints of all photos, and which the model is known not to have been trained on.

    One whose card tells of no training (`benchmarks/untrained.py`) has seen none of them.
    """
    loaded = load_model(model)
    vectors = Fingerprinter(loaded)(data.paths).vectors
    seen = loaded.card.photos_seen
    told = bool(seen) or not loaded.card.training
    unseen = [told and content_hash(path)[:16] not in seen for path in data.paths]
    return vectors, np.array(unseen, bool)


def known_worth(
    data: PhotoData,
    catalogue: NDArray[np.int64],
    vectors: Floats,
    unseen: NDArray[np.bool_],
    cache: KeypointCache,
) -> Fusion:
    """What a match is worth beside a likeness, by those photos of a catalogue that are unseen."""
    names = data.labels[catalogue]
    if not unseen.any():
        cells = vectors[::10] @ vectors.T
        cells[names[::10, None] == names[None]] = -1
        return Fusion.guess(cells.max(1))
    met = data.encounters(catalogue)
    pairs = labelled_pairs(vectors, names, met, ask=unseen)
    return learn_fusion(pairs, names, lambda i: cache.of(data.paths[catalogue[i]]))


def draw(path: Path) -> None:
    """Two drawn flanks of one made-up animal, the second turned, nearer and in other light."""
    rng = np.random.default_rng(4)
    high, wide = 240, 360
    y, x = np.mgrid[:high, :wide]
    coat = np.full((high, wide), 205.0)
    for _ in range(70):
        a, b = rng.uniform(0, wide), rng.uniform(0, high)
        radius, turn, long = rng.uniform(5, 17), rng.uniform(0, np.pi), rng.uniform(1, 2.2)
        u = (x - a) * np.cos(turn) + (y - b) * np.sin(turn)
        v = (y - b) * np.cos(turn) - (x - a) * np.sin(turn)
        ring = np.hypot(u / long, v) / radius
        coat -= 120 / (1 + np.exp((ring - 1) * 9)) * rng.uniform(0.6, 1)
    coat = np.clip(coat + rng.normal(0, 4, coat.shape), 30, 255)
    flank = Image.fromarray(coat.astype(np.uint8))
    turn, zoom = np.deg2rad(9), 0.85
    matrix = (zoom * np.cos(turn), -zoom * np.sin(turn), 55.0, zoom * np.sin(turn),
              zoom * np.cos(turn), -8.0)  # fmt: skip
    later = np.asarray(
        flank.transform(flank.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC,
                        fillcolor=150)
    ).astype(float)  # fmt: skip
    light = 0.75 + 0.35 * x / wide
    other = np.clip(later * light + rng.normal(0, 7, later.shape), 0, 255).astype(np.uint8)
    images = [np.asarray(flank), other]
    points = [find_keypoints(image, upright=CLOSE.upright) for image in images]
    found = match(*points, ratio=CLOSE.ratio, tolerance=CLOSE.tolerance)
    draw_match(images[0], images[1], points[0], points[1], found, path=path, height=300, most=40)
    print(f"{path}: {len(found.pairs)} places alike, {found.inliers} agree")


def main() -> None:
    """Measure, or draw the picture of docs/looking-closely.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", nargs="?", choices=sorted(PHOTO_SETS))
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--cache", type=Path, help="a folder to keep keypoints in")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if options.picture:
        draw(options.picture)
        return
    if options.model is None:
        parser.error("give a set and a model's file")
    data = PHOTO_SETS[options.set]()
    if data is None:
        parser.error(f"{options.set}: its photos are not here")
    cache = KeypointCache(
        options.cache, most=CLOSE.most, upright=CLOSE.upright, in_memory=len(data.paths)
    )
    print(json.dumps(measure(data, options.model, cache, options.queries), indent=2))


if __name__ == "__main__":
    main()
