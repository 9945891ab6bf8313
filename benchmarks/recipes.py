"""The old tutorial's recipe and ours, side by side: learning, fingerprinting, unseen glyphs.

    python benchmarks/recipes.py           # a few minutes: both train for 60 s
    python benchmarks/recipes.py --full    # half an hour: the old recipe's two epochs of digits
    python benchmarks/recipes.py --race 500  # only until the goal, the old one at most 500 s

The old recipe: a stock ResNet34 from scratch on 28 × 28 digits, its head replaced by 128
dimensions with L2 norm, random batches of 64, semi-hard triplets, fastai's one-cycle. Its batches
come from memory here and its fingerprints in batches of 64, both faster than the tutorial did it.
Ours: `train_digits`, exported, on ONNX Runtime; the same network looking five times (`Views`);
three of them, of three seeds, side by side (`Ensemble`); and those looking five times. Two threads
each.

Reported for each: seconds of training until R@1 ≥ 0.985 among the test digits (leave one out;
the checks are not counted), R@1 at the end, seconds per 10,000 fingerprints of pixels in memory,
and how often one enrolled example of a character never seen is found at rank 1 among all test
digits by the other drawings of it: where photos are ranked, and where individuals are, each by all
of its photos (`resight.likeness`). *Digits beside them* are every fifth of the test digits, asked
in that second way among the others and one of each character. The last columns are with a second
look at the strokes of the first hundred (`resight.compare.drawings`).
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from digit_sets import Characters, SecondLook, characters, digits, one_of_each
from fastai.callback.core import Callback, CancelFitException
from fastai.callback.progress import ProgressCallback
from numpy.typing import NDArray
from pytorch_metric_learning import distances, losses, miners
from torch import nn

from resight.evaluate.few_shot import n_way_k_shot, one_enrolled
from resight.evaluate.metrics import Figure, mean_figures, retrieval
from resight.evaluate.nearest import mark, right_by_individual
from resight.fingerprint import Fingerprinter
from resight.learn.data import PhotoLoader, PhotoSet
from resight.learn.embedder import Embedder
from resight.learn.ensemble import Ensemble
from resight.learn.export import export_model
from resight.learn.learner import ReidLearner, reid_learner, with_miner
from resight.learn.train import train_digits
from resight.learn.views import Views
from resight.photos.digits import Digits

GOAL = 0.985
Fingerprint = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Clock(Callback):
    """Seconds of training alone, and when the goal was reached."""

    order = 90

    def __init__(
        self, valid: PhotoSet, every: int, limit: float | None, race: bool = False
    ) -> None:
        self.valid, self.every, self.limit, self.race = valid, every, limit, race
        self.seconds, self.reached, self.steps = 0.0, float("nan"), 0

    def before_batch(self) -> None:
        self._begun = time.perf_counter()

    def after_batch(self) -> None:
        if not self.learn.training:
            return
        self.seconds += time.perf_counter() - self._begun
        self.steps += 1
        if np.isnan(self.reached) and self.steps % self.every == 0:
            found = self.learn.embed(self.valid.pixels).numpy()
            if retrieval(found, self.valid.labels.numpy(), resamples=0).rank_1.value >= GOAL:
                self.reached = self.seconds
                if self.race:
                    raise CancelFitException
        if self.limit is not None and self.seconds > self.limit:
            raise CancelFitException


class Shuffled:
    """Random batches of 64, as the tutorial's loader made them."""

    def __init__(self, count: int) -> None:
        self.count, self.epoch = count, 0

    def __len__(self) -> int:
        return self.count // 64

    def __iter__(self):
        order = np.random.default_rng(self.epoch).permutation(self.count)
        return iter(order[: len(self) * 64].reshape(-1, 64).tolist())


def old_recipe(train: PhotoSet, valid: PhotoSet, clock: Clock) -> ReidLearner:
    import timm

    torch.manual_seed(0)
    body = timm.create_model("resnet34", in_chans=1, num_classes=0)
    embedder = Embedder(body, 512, name="resnet34", channels=1, size=(28, 28), dim=128)
    embedder.head = nn.Linear(512, 128)
    squared = distances.LpDistance(power=2)
    loss = with_miner(
        losses.TripletMarginLoss(0.2, distance=squared),
        miners.TripletMarginMiner(0.2, "semihard", distance=squared),
    )
    learn = reid_learner(train, valid, body=embedder, loss=loss, half_precision=False)
    learn.dls.loaders[0] = PhotoLoader(train, Shuffled(len(train)))
    with learn.removed_cbs(list(learn._grab_cbs(ProgressCallback))), learn.no_logging():
        learn.fit_one_cycle(2, 1e-3, cbs=clock)
    return learn


def our_recipe(train: PhotoSet, valid: PhotoSet, clock: Clock, seed: int = 0) -> ReidLearner:
    return train_digits(train, valid, seed=seed, progress=False, cbs=[clock])


@dataclass
class Row:
    name: str
    clock: Clock
    fingerprint: Fingerprint
    look: SecondLook

    def measure(self, data: Digits, unseen: Characters) -> str:
        pixels = data.test_pixels
        self.fingerprint(pixels[:64])
        begun = time.perf_counter()
        gallery = self.fingerprint(pixels)
        per_10k = (time.perf_counter() - begun) * 10_000 / len(pixels)
        rank_1 = retrieval(gallery, data.test_labels).rank_1
        new = self.fingerprint(unseen.pixels)
        enrolled = partial(
            one_enrolled, gallery, data.test_labels.astype(str), new, unseen.labels, repeats=5
        )
        shots = partial(
            n_way_k_shot,
            new,
            unseen.labels,
            ways=min(20, len(set(unseen.labels))),
            drawers=unseen.drawers,
            within=unseen.alphabets,
        )
        one, few = enrolled(), shots()
        new_at = len(pixels)  # where the new ones begin among all that may be looked at
        by_individual = enrolled(by_individual=True)
        digits_too = digits_beside(gallery, data.test_labels.astype(str), new, unseen.labels)

        def beside(asked: int, known: NDArray[np.int64]) -> NDArray[np.float32]:
            return self.look(new_at + asked, known)

        closer, closer_by_individual = (
            enrolled(look=beside, by_individual=by) for by in (False, True)
        )
        by_look = shots(look=lambda asked, known: self.look(new_at + asked, new_at + known))
        return (
            f"| {self.name} | {self.clock.seconds:.0f} s, {self.clock.steps} steps "
            f"| {self.clock.reached:.0f} s | {rank_1} | {per_10k:.2f} s | {one.rank_1} "
            f"| {by_individual.rank_1} | {digits_too} | {one.median_rank.value:.0f} "
            f"| {few.error:.3f} "
            f"| {closer.rank_1} | {closer_by_individual.rank_1} | {by_look.error:.3f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the old recipe's two whole epochs")
    parser.add_argument("--only", choices=["old", "ours"], help="one of the two")
    parser.add_argument("--race", type=float, help="seconds for either to reach the goal; no more")
    options = parser.parse_args()
    torch.set_num_threads(2)
    data, unseen = digits(), characters()
    rng = np.random.default_rng(0)
    held = np.zeros(len(data.train_labels), bool)
    held[rng.permutation(len(held))[: min(4000, len(held) // 5)]] = True
    train = PhotoSet.of(data.train_pixels[~held], data.train_labels[~held])
    valid = PhotoSet.of(data.train_pixels[held], data.train_labels[held])
    print(f"{platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    source = Path(data.source).name
    print(f"digits: {source}, {len(train):,} to train on, {len(data.test_labels):,} to test")
    print(f"unseen: {unseen.source}, {len(set(unseen.labels))} classes\n")
    if options.race is not None:
        race(train, valid, options.race)
        return
    print(
        "| recipe | training | until R@1 ≥ 0.985 | R@1 of test digits | per 10,000 fingerprints "
        "| unseen, rank-1 from one | by individual | digits beside them, so | median rank "
        "| 20-way one-shot error "
        "| with a second look, rank-1 | by individual | error |"
    )
    print(f"|{'---|' * 13}", flush=True)
    look = SecondLook(np.concatenate([data.test_pixels, unseen.pixels]))
    limit = None if options.full else 60.0
    for name, (recipe, every) in RECIPES.items():
        if options.only in (None, name):
            clock = Clock(valid, every, limit)
            learn = recipe(train, valid, clock)
            if name == "old":
                row = Row(name, clock, partial(_eager, learn), look)
                print(row.measure(data, unseen), flush=True)
                continue
            show_exported(learn.model, "ours", clock, data, unseen, look)
            show_exported(Views(learn.model), "ours, five looks", clock, data, unseen, look)
            members = [learn.model]
            for seed in (1, 2):  # the clocks of all three are added up
                more = Clock(valid, 10**9, limit)
                members.append(our_recipe(train, valid, more, seed=seed).model)
                clock.seconds, clock.steps = clock.seconds + more.seconds, clock.steps + more.steps
            several = Ensemble(members)
            show_exported(several, "three of ours", clock, data, unseen, look)
            show_exported(Views(several), "three of ours, five looks", clock, data, unseen, look)


RECIPES = {"ours": (our_recipe, 10), "old": (old_recipe, 100)}


def digits_beside(
    gallery: NDArray[np.float32],
    labels: NDArray[np.str_],
    new: NDArray[np.float32],
    new_labels: NDArray[np.str_],
) -> Figure:
    """R@1 of digits by individual, where one drawing of each new class is enrolled, too."""
    one = one_of_each(new_labels, np.random.default_rng(0))
    people = [*labels, *new_labels[one]]
    photos = mark(np.concatenate([gallery, new[one]]), people)
    asked = np.arange(0, len(gallery), 5)
    right, _ = right_by_individual(photos, asked, np.arange(len(people)), apart=False)
    whose = np.unique(labels[asked], return_inverse=True)[1]
    (figure,) = mean_figures(right[:, None].astype(np.float64), whose)
    return figure


def race(train: PhotoSet, valid: PhotoSet, limit: float) -> None:
    """Which recipe is at the goal first, among the digits held back; each has `limit` seconds."""
    print("| recipe | until R@1 ≥ 0.985 | steps |\n|---|---|---|", flush=True)
    for name, (recipe, every) in RECIPES.items():
        clock = Clock(valid, every, limit, race=True)
        recipe(train, valid, clock)
        reached = np.isfinite(clock.reached)
        words = f"{clock.reached:.0f} s" if reached else f"not in {clock.seconds:.0f} s"
        print(f"| {name} | {words} | {clock.steps} |", flush=True)


def show_exported(
    network: nn.Module,
    name: str,
    clock: Clock,
    data: Digits,
    unseen: Characters,
    look: SecondLook,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        export_model(network, path)
        print(Row(name, clock, partial(_onnx, path), look).measure(data, unseen), flush=True)


def _onnx(path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return Fingerprinter(path)(pixels).vectors


def _eager(learn: ReidLearner, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return learn.embed(torch.from_numpy(pixels.copy())[:, None], batch_size=64).numpy()


if __name__ == "__main__":
    main()
