"""One alphabet left out: trained on the digits and the other alphabets, asked for one-shot answers.

    python benchmarks/alphabets.py            # some minutes a fold on two cores
    python benchmarks/alphabets.py --steps 100 --only Latin

The task is Lake's (Science 350, 2015): one drawer's characters of an alphabet against another
drawer's, up to 20 ways, one example each. The other alphabets' characters stand beside the digits
as individuals to learn from; the one that is asked about was never seen. Needs `omniglot_small1`.
"""

import argparse
import sys
import time
from functools import partial

import numpy as np
import torch
from digit_sets import Characters, SecondLook, characters, digits
from numpy.typing import NDArray

from resight.evaluate.few_shot import n_way_k_shot
from resight.learn.data import PhotoSet
from resight.learn.learner import embed
from resight.learn.one import STEPS
from resight.learn.train import train_digits
from resight.learn.views import Views
from resight.photos.digits import Digits

# Photos of each individual an epoch. A character has 20: they come round again, always augmented.
EACH = 500


def training_photos(data: Digits, others: Characters, use: NDArray[np.bool_]) -> PhotoSet:
    pixels = np.concatenate([data.train_pixels, others.pixels[use]])
    labels = np.concatenate([data.train_labels.astype(str), others.labels[use]])
    rng = np.random.default_rng(0)
    chosen = [
        np.resize(rng.permutation(np.flatnonzero(labels == who)), EACH) for who in np.unique(labels)
    ]
    return PhotoSet.of(pixels, labels).take(np.concatenate(chosen))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2 * STEPS, help="batches of training a fold")
    parser.add_argument("--only", help="leave out this alphabet alone")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(2)
    data, others = digits(), characters()
    if others.source != "omniglot_small1":
        sys.exit("needs the characters of omniglot_small1 (set RESIGHT_DATA)")
    print(
        "| left out | characters | training | 20-way one-shot error | error, five looks "
        "| with a second look at strokes | five looks and that |\n"
        "|---|---|---|---|---|---|---|",
        flush=True,
    )
    errors = []
    for alphabet in np.unique(others.alphabets):
        if options.only not in (None, alphabet):
            continue
        out = others.alphabets == alphabet
        train = training_photos(data, others, ~out)
        valid = PhotoSet.of(data.test_pixels[:500], data.test_labels[:500])
        begun = time.perf_counter()
        learn = train_digits(
            train,
            valid,
            steps=options.steps,
            seed=options.seed,
            progress=False,
        )
        seconds = time.perf_counter() - begun
        plain, closer = [], []
        strokes = SecondLook(others.pixels[out])
        for network in (learn.model, Views(learn.model)):
            vectors = embed(network, torch.from_numpy(others.pixels[out])[:, None]).numpy()
            shots = partial(
                n_way_k_shot,
                vectors,
                others.labels[out],
                ways=min(20, len(set(others.labels[out]))),
                drawers=others.drawers[out],
                within=others.alphabets[out],
            )
            plain.append(shots().error)
            closer.append(shots(look=strokes).error)
        errors.append(plain + closer)
        print(
            f"| {alphabet} | {len(set(others.labels[out]))} | {seconds:.0f} s | "
            + " | ".join(f"{error:.3f}" for error in errors[-1])
            + " |",
            flush=True,
        )
    print("| mean | | | " + " | ".join(f"{e:.3f}" for e in np.mean(errors, axis=0)) + " |")


if __name__ == "__main__":
    main()
