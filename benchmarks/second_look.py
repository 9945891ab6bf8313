"""What a second look at strokes adds for classes that a network never saw, drawn by real hands.

    RESIGHT_DATA=… python benchmarks/second_look.py    # five minutes at most

A network learns the digits 0 to 4 by the recipe of `train_digits`. Asked are two sets of 20 classes
that nobody trained on, made of MNIST's test digits, one enrolled example each and another one
asked, drawn 60 times: the digits 5 to 9, turned by quarters and mirrored where that makes another
figure; and pairs of these side by side, of five in any order, which are wide and share their parts.
What is chosen about the second look (its reach, its weight, laying one drawing upon the other), and
how large `like_mnist` draws what is wide, is chosen here, and not on the characters that recipes.py
and alphabets.py measure with.
"""

import argparse
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from digit_sets import digits
from numpy.typing import NDArray

from resight.compare.drawings import edges, found_again, shares
from resight.learn.augment import turned
from resight.learn.data import PhotoSet
from resight.learn.learner import ReidLearner
from resight.learn.train import train_digits
from resight.photos.look import like_mnist

Figure = tuple[int, int]
Drawings = NDArray[np.uint8]
Pairs = list[tuple[Drawings, Drawings]]  # asked and enrolled, (20, 28, 28) each
Cells = list[NDArray[np.floating]]  # what each asked one has to do with each enrolled one
LEARNED = "01234"
# (digit, turn as of `turned`). A 6 upside down is the 9 that is there, a 5 mirrored nearly a 2, and
# an 8 has but two.
ASKED: tuple[Figure, ...] = (
    *((5, turn) for turn in (0, 1)),
    *((6, turn) for turn in (0, 1, 3, 4, 5, 6, 7)),
    *((7, turn) for turn in range(8)),
    *((8, turn) for turn in (0, 1)),
    (9, 0),
)
WEIGHTS = (0.25, 0.5, 1, 2, 4)
DRAWS = 60


def turned_digits(count: int) -> Pairs:
    """The figures of `ASKED`."""
    rng = np.random.default_rng(3)
    return [_drawn_twice(ASKED, rng) for _ in range(count)]


def side_by_side(count: int) -> Pairs:
    """Two of five figures beside one another, in 20 of the 25 ways to put them."""
    rng = np.random.default_rng(4)
    pairs = []
    for _ in range(count):
        five = [ASKED[i] for i in rng.choice(len(ASKED), 5, replace=False)]
        ways = rng.choice(25, 20, replace=False)
        left = _drawn_twice([five[way // 5] for way in ways], rng)
        right = _drawn_twice([five[way % 5] for way in ways], rng)
        asked, enrolled = (_beside(*two, rng) for two in zip(left, right, strict=True))
        pairs.append((asked, enrolled))
    return pairs


def _beside(left: Drawings, right: Drawings, rng: np.random.Generator) -> Drawings:
    pictures = np.zeros((len(left), 60, 60), np.uint8)
    pictures[:, 19:41, 8:30] = left[:, 3:25, 3:25]
    for picture, other in zip(pictures, right, strict=True):
        down, across = 19 + rng.integers(-2, 3), 29 + rng.integers(-1, 2)
        beside = picture[down : down + 22, across : across + 22]
        np.maximum(beside, other[3:25, 3:25], out=beside)
    return np.stack([like_mnist(picture) for picture in pictures])


def _drawn_twice(figures: Sequence[Figure], rng: np.random.Generator) -> tuple[Drawings, Drawings]:
    """Two drawings of each, by hands drawn at random."""
    pixels, of = digits().test_pixels, _places()
    places = np.stack([rng.choice(of[digit], 2, replace=False) for digit, _ in figures], axis=1)
    turns = torch.tensor([turn for _, turn in figures])
    first, second = (
        turned(torch.from_numpy(pixels[some])[:, None], turns)[:, 0].numpy() for some in places
    )
    return first, second


@cache
def _places() -> list[NDArray[np.int64]]:
    """Where each digit stands among the test digits."""
    labels = np.asarray(digits().test_labels).astype(int)
    return [np.flatnonzero(labels == digit) for digit in range(10)]


def trained(seed: int, **options: Any) -> ReidLearner:
    """A training on `LEARNED`; options as of `train_digits`."""
    data = digits()
    labels = np.asarray(data.train_labels).astype(str)
    some = np.isin(labels, list(LEARNED))
    pixels, labels = data.train_pixels[some], labels[some]
    held = len(labels) // 30
    return train_digits(
        PhotoSet.of(pixels[held:], labels[held:]),
        PhotoSet.of(pixels[:held], labels[:held]),
        individuals=len(LEARNED),
        photos=48,
        seed=seed,
        **options,
    )


def fingerprints(learn: ReidLearner, drawings: Drawings) -> NDArray[np.float32]:
    """Unit vectors (n, d) of drawings (n, 28, 28)."""
    return learn.embed(torch.from_numpy(drawings[:, None])).numpy()


def error(similar: Cells) -> str:
    """Share of wrong answers, and its standard error over the draws."""
    wrong = [(cells.argmax(1) != np.arange(len(cells))).mean() for cells in similar]
    return f"{np.mean(wrong):.3f} (±{np.std(wrong) / len(wrong) ** 0.5:.3f})"


def laid(pairs: Pairs) -> Cells:
    return [np.stack([found_again(one, enrolled) for one in asked]) for asked, enrolled in pairs]


def as_they_lie(pairs: Pairs) -> Cells:
    cells = []
    for asked, enrolled in pairs:
        there = edges(enrolled)
        cells.append(
            np.stack([shares(np.repeat(one[None], len(there), 0), there) for one in edges(asked)])
        )
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    torch.set_num_threads(2)
    embed = partial(fingerprints, trained(parser.parse_args().seed))
    alone, beside = turned_digits(DRAWS), side_by_side(DRAWS)
    of_alone, of_beside = (
        [embed(asked) @ embed(enrolled).T for asked, enrolled in pairs] for pairs in (alone, beside)
    )
    columns = {
        "turned: strokes as they lie": (of_alone, as_they_lie(alone)),
        "turned: laid upon one another": (of_alone, laid(alone)),
        "side by side: laid upon one another": (of_beside, laid(beside)),
    }

    def row(words: object, cosine: float, look: float) -> None:
        errors = [
            error([cosine * near + look * found for near, found in zip(*both, strict=True)])
            for both in columns.values()
        ]
        print(f"| {words} | {' | '.join(errors)} |", flush=True)

    print(f"| weight beside the cosine | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    row("0: fingerprint alone", 1, 0)
    for weight in WEIGHTS:
        row(weight, 1, weight)
    row("strokes alone", 0, 1)


if __name__ == "__main__":
    main()
