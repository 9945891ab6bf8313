"""What a second look at strokes adds for classes that a network never saw, drawn by real hands.

    RESIGHT_DATA=… python benchmarks/second_look.py    # five minutes at most

A network learns the digits 0 to 4 by the recipe of `train_digits`. Asked are the digits 5 to 9,
turned by quarters and mirrored where that makes another figure: 20 classes that nobody trained
on, from MNIST's test digits, one enrolled example each and another one asked, drawn 60 times. What
is chosen about the second look (its reach, its weight, laying one drawing upon the other) is
chosen here, and not on the characters that recipes.py and alphabets.py measure with.
"""

import argparse

import numpy as np
import torch
from digit_sets import digits
from numpy.typing import NDArray

from resight.compare.drawings import edges, found_again, shares
from resight.learn.augment import turned
from resight.learn.data import PhotoSet
from resight.learn.train import train_digits

LEARNED = "01234"
# (digit, turn as of `turned`). A 6 upside down is the 9 that
# is there, a 5 mirrored nearly a 2, and an 8 has but two.
ASKED = (
    *((5, turn) for turn in (0, 1)),
    *((6, turn) for turn in (0, 1, 3, 4, 5, 6, 7)),
    *((7, turn) for turn in range(8)),
    *((8, turn) for turn in (0, 1)),
    (9, 0),
)
WEIGHTS = (0.25, 0.5, 1, 2, 4)
DRAWS = 60


def drawn(count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Pairs of asked and enrolled drawings, uint8 (20, 28, 28) each, in the order of `ASKED`."""
    data, rng = digits(), np.random.default_rng(3)
    labels = np.asarray(data.test_labels).astype(int)
    of = {digit: np.flatnonzero(labels == digit) for digit, _ in ASKED}
    turns = torch.tensor([turn for _, turn in ASKED])
    pairs = []
    for _ in range(count):
        both = np.stack([rng.choice(of[digit], 2, replace=False) for digit, _ in ASKED], axis=1)
        asked, enrolled = (
            turned(torch.from_numpy(data.test_pixels[places])[:, None], turns)[:, 0].numpy()
            for places in both
        )
        pairs.append((asked, enrolled))
    return pairs


def network(seed: int):  # type: ignore[no-untyped-def]
    data = digits()
    labels = np.asarray(data.train_labels).astype(str)
    some = np.isin(labels, list(LEARNED))
    pixels, labels = data.train_pixels[some], labels[some]
    held = len(labels) // 30
    learn = train_digits(
        PhotoSet.of(pixels[held:], labels[held:]),
        PhotoSet.of(pixels[:held], labels[:held]),
        individuals=len(LEARNED),
        photos=48,
        seed=seed,
    )
    return lambda pictures: learn.embed(torch.from_numpy(pictures[:, None])).numpy()


def error(similar: list[NDArray[np.floating]]) -> str:
    """Share of wrong answers, and its standard error over the draws."""
    wrong = [(cells.argmax(1) != np.arange(len(cells))).mean() for cells in similar]
    return f"{np.mean(wrong):.3f} (±{np.std(wrong) / len(wrong) ** 0.5:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    torch.set_num_threads(2)
    embed = network(parser.parse_args().seed)
    pairs = drawn(DRAWS)
    cosines = [embed(asked) @ embed(enrolled).T for asked, enrolled in pairs]
    as_they_lie, laid = [], []
    for asked, enrolled in pairs:
        there = edges(enrolled)
        as_they_lie.append(
            np.stack([shares(np.repeat(one[None], len(there), 0), there) for one in edges(asked)])
        )
        laid.append(np.stack([found_again(one, enrolled) for one in asked]))
    print(f"fingerprint alone: error {error(cosines)}\n")
    print("| weight beside the cosine | strokes as they lie | laid upon one another |")
    print("|---|---|---|")
    for weight in WEIGHTS:
        both = [
            error([cosine + weight * look for cosine, look in zip(cosines, looks, strict=True)])
            for looks in (as_they_lie, laid)
        ]
        print(f"| {weight} | {both[0]} | {both[1]} |")
    print(f"| strokes alone | {error(as_they_lie)} | {error(laid)} |")


if __name__ == "__main__":
    main()
