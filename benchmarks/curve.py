"""Accuracy against seconds of training: the digits' recipe, shorter and longer.

    python benchmarks/curve.py                       # about ten minutes on two cores
    python benchmarks/curve.py --steps 250 500 --seeds 0 1 2

Every row is a training of its own (a one-cycle schedule ends where it was planned to end; the steps
are rounded to whole passes over the digits), on the digits alone; asked about the test digits and
about classes that no network saw, as in `recipes.py`: one drawing of each enrolled beside the test
digits.
"""

import argparse
import time

import numpy as np
import torch
from digit_sets import characters, digits
from fastai.callback.core import Callback

from resight.evaluate.few_shot import n_way_k_shot, one_enrolled
from resight.evaluate.metrics import retrieval
from resight.learn.data import PhotoSet
from resight.learn.learner import embed
from resight.learn.train import train_digits
from resight.learn.views import Views


class Seconds(Callback):
    """Seconds of training alone, its pipeline included; validation is not counted."""

    def before_fit(self) -> None:
        self.spent, self.steps = 0.0, 0

    def after_step(self) -> None:
        self.steps += 1

    def before_train(self) -> None:
        self._begun = time.perf_counter()

    def after_train(self) -> None:
        self.spent += time.perf_counter() - self._begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[250, 500, 750, 1500])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    torch.set_num_threads(2)
    data, unseen = digits(), characters()
    train = PhotoSet.of(data.train_pixels, data.train_labels)
    valid = PhotoSet.of(data.test_pixels[:1000], data.test_labels[:1000])
    looks = [torch.from_numpy(p.copy())[:, None] for p in (data.test_pixels, unseen.pixels)]
    print(
        f"{len(train):,} digits to learn from; unseen: {unseen.source}\n\n"
        "| steps | seed | training | R@1 of test digits | unseen, rank-1 from one "
        "| 20-way one-shot error | with five looks: rank-1 | error |\n"
        "|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    for steps in options.steps:
        for seed in options.seeds:
            clock = Seconds()
            learn = train_digits(train, valid, steps=steps, seed=seed, progress=False, cbs=[clock])
            cells = [f"{clock.steps}", f"{seed}", f"{clock.spent:.0f} s"]
            for network in (learn.model, Views(learn.model)):
                gallery, new = (embed(network, x).numpy() for x in looks)
                if network is learn.model:
                    cells.append(f"{retrieval(gallery, data.test_labels).rank_1}")
                one = one_enrolled(
                    gallery, data.test_labels.astype(str), new, unseen.labels, repeats=5
                )
                few = n_way_k_shot(
                    new,
                    unseen.labels,
                    ways=min(20, len(np.unique(unseen.labels))),
                    drawers=unseen.drawers,
                    within=unseen.alphabets,
                )
                cells += [f"{one.rank_1}", f"{few.error:.3f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
