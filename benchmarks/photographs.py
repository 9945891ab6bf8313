"""How well a model finds individuals on photographs, by its fingerprints and looking closely.

    resight train DATA/right_whale/split.csv --out whale.onnx --budget 1h
    python benchmarks/photographs.py right_whale whale.onnx
    resight train DATA/holstein/days.csv --until 2025-04-03 --out cow.onnx --budget 1h
    python benchmarks/photographs.py holstein cow.onnx

Right whales: the published split, R@1 of the `test` photos among the `train` photos. Holstein:
catalogued to 2025-04-03 and asked from 2025-04-14 on: R@1 of the cows that are in the catalogue,
and how well they are told from new ones (AUROC, TPR at 5 % FPR). Open: photos of ten further cows,
among a gallery of theirs and all the other photos. Ranked are the gallery's photos, or its
individuals, each by all of its photos (`resight.likeness`).

What a match of keypoints is worth beside a likeness is learned on those photos of the catalogue
that the model was not trained on (`benchmarks/looking_closely.py`), as training holds some back.
The measured photos then choose nothing.
"""

import argparse
from pathlib import Path

import numpy as np
from looking_closely import known_worth, vectors_of
from numpy.typing import NDArray
from photo_sets import PHOTO_SETS, TRAINING, PhotoData

from resight.compare import CLOSE, Fusion, KeypointCache, rerank
from resight.evaluate.metrics import mean_figures
from resight.evaluate.open_set import open_set_figures
from resight.fingerprint import load_model
from resight.likeness import likeness

Positions = NDArray[np.int64]
Scores = NDArray[np.float64]


class Asked:
    """Whom a gallery names for each query, and how sure it is, in three ways."""

    def __init__(self, data: PhotoData, vectors: NDArray[np.float32], queries: Positions) -> None:
        self.data, self.vectors, self.queries = data, vectors, queries

    def plainly(self, gallery: Positions) -> tuple[NDArray[np.str_], Scores]:
        cosines = self.vectors[self.queries] @ self.vectors[gallery].T
        best = cosines.argmax(1)
        return self.data.labels[gallery[best]], cosines[np.arange(len(best)), best]

    def by_individual(self, gallery: Positions) -> tuple[NDArray[np.str_], Scores]:
        names, whose = np.unique(self.data.labels[gallery], return_inverse=True)
        cosines = self.vectors[self.queries] @ self.vectors[gallery].T
        alike = likeness(cosines, whose, len(names))
        return names[alike.argmax(1)], alike.max(1)

    def closely(
        self, gallery: Positions, cache: KeypointCache, fusion: Fusion, shortlist: int
    ) -> tuple[NDArray[np.str_], Scores]:
        names, sure = [], []
        paths = self.data.paths
        for query in self.queries.tolist():
            looked = rerank(
                cache.of(paths[query]),
                self.vectors[gallery] @ self.vectors[query],
                self.data.labels[gallery],
                lambda i: cache.of(paths[gallery[i]]),
                fusion,
                shortlist=shortlist,
            )
            names.append(self.data.labels[gallery[looked.order[0]]])
            sure.append(looked.probability[looked.order[0]])
        return np.array(names), np.array(sure)


def rank_1(named: NDArray[np.str_], truth: NDArray[np.str_]) -> str:
    who = np.unique(truth, return_inverse=True)[1]
    (figure,) = mean_figures((named == truth).astype(float)[:, None], who)
    return str(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=sorted(PHOTO_SETS))
    parser.add_argument("model", type=Path)
    parser.add_argument("--shortlist", type=int, default=100, help="0 does not look closely")
    parser.add_argument("--cache", type=Path, help="a folder to keep keypoints in")
    options = parser.parse_args()
    data = PHOTO_SETS[options.set]()
    if data is None:
        parser.error(f"{options.set}: its photos are not here")
    card = load_model(options.model).card
    vectors, unseen = vectors_of(data, options.model)
    catalogue, asked = data.at(*TRAINING), data.at("ask")
    known = np.isin(data.labels[asked], data.labels[catalogue])
    cache = KeypointCache(
        options.cache, most=CLOSE.most, upright=CLOSE.upright, in_memory=len(data.paths)
    )
    ways = {
        "fingerprint, the nearest photo": Asked.plainly,
        "fingerprint, all photos of an individual": Asked.by_individual,
    }
    if options.shortlist:
        fusion = known_worth(data, catalogue, vectors[catalogue], unseen[catalogue], cache)
        ways[f"and keypoints of the first {options.shortlist}"] = lambda ask, gallery: ask.closely(
            gallery, cache, fusion, options.shortlist
        )
    height, width = card.size
    print(
        f"{options.model.name}: {card.body}, {height}×{width}, {card.training['epochs']} epochs\n"
    )
    print("| asked | by | R@1 | known from new, AUROC | TPR at 5 % FPR |\n|---|---|---|---|---|")
    for name, way in ways.items():
        named, sure = way(Asked(data, vectors, asked), catalogue)
        told = "| | |"
        if not known.all():
            enrolled = np.unique(data.labels[catalogue])
            figures = open_set_figures(sure, named, data.labels[asked], enrolled)
            told = f"| {figures.auroc} | {figures.tpr_at_5_fpr} |"
        found = rank_1(named[known], data.labels[asked[known]])
        print(f"| {data.name}, {known.sum():,} known | {name} | {found} {told}", flush=True)
        if len(further := data.at("open_query")):
            beside = np.flatnonzero(data.part != "open_query")
            named, _ = way(Asked(data, vectors, further), beside)
            found = rank_1(named, data.labels[further])
            print(f"| open, {len(further)} of ten more | {name} | {found} | | |", flush=True)


if __name__ == "__main__":
    main()
