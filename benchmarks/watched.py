"""What the recipe for photographs is chosen by: cows and days that a training left out.

    python benchmarks/photo_sets.py holstein fit.csv
    resight train fit.csv --out fit.onnx --epochs 40 --size 240x128
    python benchmarks/watched.py fit.onnx

The photos of 2 and 3 April are asked about cows that the model was trained on and about the twelve
that it was not; and the twelve's photos of earlier days, as there are more of them. Each is asked
among all photos to 3 April but those of its own day. Known is told from new by the nearest photo,
the twelve left out of the gallery. The photos that the results are measured on, from 14 April on
and of ten further cows, are not looked at.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from photo_sets import PHOTO_SETS, TRAINING, PhotoData

from resight.evaluate.metrics import Figure, mean_figures
from resight.evaluate.open_set import open_set_figures
from resight.evaluate.protocols import nearest_photos
from resight.evaluate.ranking import rank_matches
from resight.fingerprint import Fingerprinter

Floats = NDArray[np.float32]
Positions = NDArray[np.int64]


def on_other_days(
    data: PhotoData, queries: Positions, gallery: Positions
) -> list[tuple[Positions, Positions]]:
    """The queries of each day, and the gallery without that day."""
    days = np.array(data.days)
    return [
        (queries[days[queries] == day], gallery[days[gallery] != day])
        for day in np.unique(days[queries])
    ]


def found(data: PhotoData, vectors: Floats, queries: Positions, gallery: Positions) -> list[Figure]:
    """R@1 and mAP of the queries that have something to find."""
    values, who = [], []
    for asked, others in on_other_days(data, queries, gallery):
        if np.isin(data.labels[asked], data.labels[others]).any():
            ranks = rank_matches(
                vectors[asked], data.labels[asked], vectors[others], data.labels[others]
            )
            values.append(np.stack([ranks.first == 1, ranks.ap], axis=1).astype(float))
            who.append(data.labels[asked[ranks.index]])
    individual = np.unique(np.concatenate(who), return_inverse=True)[1]
    return mean_figures(np.concatenate(values), individual)


def known_from_new(
    data: PhotoData, vectors: Floats, queries: Positions, gallery: Positions
) -> Figure:
    """AUROC by the nearest photo of other days."""
    scores, names, truth = [], [], []
    for asked, others in on_other_days(data, queries, gallery):
        place, score = nearest_photos(vectors[asked], vectors[others])
        scores.append(score)
        names.append(data.labels[others[place]])
        truth.append(data.labels[asked])
    enrolled = np.unique(data.labels[gallery])
    return open_set_figures(*map(np.concatenate, (scores, names, truth)), enrolled).auroc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, help="trained on fit.csv")
    options = parser.parse_args()
    data = PHOTO_SETS["holstein"]()
    if data is None:
        parser.error("the cows' photos are not here (set RESIGHT_DATA)")
    at = data.at(*TRAINING)
    data = replace(
        data,
        paths=[data.paths[i] for i in at],
        labels=data.labels[at],
        part=data.part[at],
        days=[data.days[i] for i in at],
    )
    to_3_april, watch, apart = np.arange(len(at)), data.at("watch"), data.at("apart")
    twelve = np.unique(data.labels[apart])
    new, new_watched = (np.isin(data.labels[at], twelve) for at in (to_3_april, watch))
    print("| model | asked | R@1 | mAP |\n|---|---|---|---|")
    aurocs = []
    for model in options.models:
        vectors = Fingerprinter(model)(data.paths).vectors
        for words, asked in (
            ("trained on, later days", watch[~new_watched]),
            ("the twelve, later days", watch[new_watched]),
            ("the twelve, earlier days", apart),
        ):
            rank_1, mean_ap = found(data, vectors, asked, to_3_april)
            print(f"| {model.name} | {words} | {rank_1} | {mean_ap} |", flush=True)
        auroc = known_from_new(data, vectors, watch, to_3_april[~new])
        aurocs.append(f"{model.name}: known from new, AUROC {auroc}")
    print("", *aurocs, sep="\n")


if __name__ == "__main__":
    main()
