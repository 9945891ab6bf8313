"""How the constants of the likeness to an individual were chosen: how sharp, of what dimensions.

    python benchmarks/likenesses.py cow.onnx whale.onnx                # photos that were held back
    python benchmarks/likenesses.py cow.onnx whale.onnx --measured     # those that are measured

The models are those of photographs.py. Asked are photos that their trainings held back, those of
cows among the photos of other days; and of a network that learns the digits 0 to 4 here (two
minutes), digits held back from it and drawings of the 20 figures of second_look.py, one of each
enrolled beside those digits. Printed are the mean of −log p of the right individual, with p in
proportion to exp(SHARPNESS likeness), and R@1; the sum of the former gives each of the four as much
weight, whatever the number of its queries. Of the photos that are measured elsewhere, only what is
built in is printed.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from digit_sets import characters, digits, one_of_each
from looking_closely import vectors_of
from numpy.typing import NDArray
from photo_sets import TRAINING, holstein, right_whale
from second_look import ASKED, fingerprints, trained

import resight.likeness
from resight.evaluate.nearest import Marked, mark
from resight.evaluate.ranking import similarity_blocks
from resight.learn.augment import turned
from resight.learn.data import PhotoSet
from resight.learn.train import train_digits

Floats = NDArray[np.float32]
Positions = NDArray[np.int64]
TRIED = [(sharp, many) for many in (10, 14, 18, 22, 28) for sharp in (12, 15, 18, 21, 25)]
DRAWN = 20  # of each figure


@dataclass(frozen=True)
class Questions:
    """Photos that are asked among others.

    Attributes:
        name: in the table.
        photos: all of them.
        queries, gallery: positions.
        apart: only photos of other encounters count.
    """

    name: str
    photos: Marked
    queries: Positions
    gallery: Positions
    apart: bool = False

    def measure(self) -> tuple[float, float]:
        """Mean of −log p, and R@1, of the queries whose individual is in the gallery."""
        vectors, who = self.photos.vectors, self.photos.who
        skip = self.photos.group if self.apart else np.arange(len(who))
        there, whose = np.unique(who[self.gallery], return_inverse=True)
        missed, right = [], []
        for part, cells in similarity_blocks(vectors[self.queries], vectors[self.gallery]):
            asked = self.queries[part]
            same = skip[asked, None] == skip[self.gallery]
            cells = np.where(same, np.float32(-np.inf), cells)
            alike = resight.likeness.likeness(cells.astype(np.float64), whose, len(there))
            mine = who[asked, None] == there
            known = (mine & np.isfinite(alike)).any(axis=1)
            alike, mine = resight.likeness.SHARPNESS * alike[known], mine[known]
            own = alike[mine]
            highest = alike.max(axis=1)
            total = highest + np.log(np.exp(alike - highest[:, None]).sum(axis=1))
            missed.append(total - own)
            right.append(own > np.where(mine, -np.inf, alike).max(axis=1))
        return float(np.concatenate(missed).mean()), float(np.concatenate(right).mean())


def of_photographs(cow: Path, whale: Path, measured: bool) -> Iterator[Questions]:
    """Cows and whales."""
    for data, model in ((holstein(), cow), (right_whale(), whale)):
        if data is None:
            raise SystemExit("the photos are not here: set RESIGHT_DATA to where they lie")
        vectors, unseen = vectors_of(data, model)
        catalogue, asked = data.at(*TRAINING), data.at("ask")
        photos = mark(vectors, data.labels, data.encounters(np.arange(len(data.paths))))
        held = catalogue[unseen[catalogue]]
        if not measured:
            if not len(held):
                raise SystemExit(f"{model}: its training held no photo back; train it again")
            yield Questions(f"{data.name}, held back", photos, held, catalogue, apart=True)
            continue
        yield Questions(data.name, photos, asked, catalogue)
        if len(further := data.at("open_query")):
            beside = np.flatnonzero(data.part != "open_query")
            yield Questions("further cows", photos, further, beside)


def of_drawings(
    learned: Floats, labels: NDArray[np.str_], new: Floats, new_labels: NDArray[np.str_], name: str
) -> Iterator[Questions]:
    """New classes, one drawing of each enrolled, and a thousand of the digits beside them."""
    rng = np.random.default_rng(0)
    enrolled = len(learned) + one_of_each(new_labels, rng)
    photos = mark(np.concatenate([learned, new]), np.concatenate([labels, new_labels]))
    gallery = np.append(np.arange(len(learned)), enrolled)
    asked = np.setdiff1d(np.arange(len(learned), len(photos.who)), enrolled)
    yield Questions(name, photos, asked, gallery)
    some = rng.permutation(len(learned))[:1000]
    yield Questions("digits beside them", photos, some, gallery)


def turned_digits() -> Iterator[Questions]:
    """A network of the digits 0 to 4, and figures made of the others."""
    learn = trained(0, progress=False)
    data, held = digits(), learn.dls.valid.photos
    labels = np.asarray(data.test_labels).astype(str)
    rng = np.random.default_rng(5)
    drawn = []
    for digit, turn in ASKED:
        some = rng.choice(np.flatnonzero(labels == str(digit)), DRAWN, replace=False)
        pixels = torch.from_numpy(data.test_pixels[some])[:, None]
        drawn.append(turned(pixels, torch.full((DRAWN,), turn))[:, 0].numpy())
    names = np.repeat([f"figure {i}" for i in range(len(ASKED))], DRAWN)
    known = np.array(held.names)[held.labels.numpy()]
    vectors = fingerprints(learn, held.pixels[:, 0].numpy())
    new = fingerprints(learn, np.concatenate(drawn))
    return of_drawings(vectors, known, new, names, "figures")


def unseen_characters() -> Iterator[Questions]:
    """A network of the ten digits, and the characters that recipes.py measures with."""
    data, unseen = digits(), characters()
    held = len(data.train_labels) // 15
    train, valid = (
        PhotoSet.of(data.train_pixels[part], data.train_labels[part])
        for part in (slice(held, None), slice(held))
    )
    learn = train_digits(train, valid, progress=False)
    labels = np.asarray(data.test_labels).astype(str)
    vectors, new = (fingerprints(learn, pixels) for pixels in (data.test_pixels, unseen.pixels))
    return of_drawings(vectors, labels, new, unseen.labels, "characters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cow", type=Path)
    parser.add_argument("whale", type=Path)
    parser.add_argument("--measured", action="store_true", help="the photos of RESULTS.md, instead")
    options = parser.parse_args()
    torch.set_num_threads(2)
    asked = [*of_photographs(options.cow, options.whale, options.measured)]
    asked += unseen_characters() if options.measured else turned_digits()
    print(f"| sharpness | dimensions | {' | '.join(one.name for one in asked)} | sum |")
    print("|---" * (len(asked) + 3) + "|")
    built_in = [(resight.likeness.SHARPNESS, resight.likeness.DIMENSIONS)]
    for sharp, many in built_in if options.measured else TRIED:
        resight.likeness.SHARPNESS, resight.likeness.DIMENSIONS = float(sharp), many
        found = [one.measure() for one in asked]
        cells = [f"{missed:.3f}, {right:.3f}" for missed, right in found]
        total = sum(missed for missed, _ in found)
        print(f"| {sharp} | {many} | {' | '.join(cells)} | {total:.3f} |", flush=True)


if __name__ == "__main__":
    main()
