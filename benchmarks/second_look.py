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

import numpy as np
import torch
from digit_sets import digits
from numpy.typing import NDArray

from resight.compare.drawings import edges, found_again, shares
from resight.learn.augment import turned
from resight.learn.data import PhotoSet
from resight.learn.train import train_digits
from resight.photos.look import like_mnist

Figure = tuple[int, int]
LEARNED = "01234"
# (digit, turn as of `turned`). A 6 upside down is the 9 that
# is there, a 5 mirrored nearly a 2, and an 8 has but two.
ASKED: tuple[Figure, ...] = (
    *((5, turn) for turn in (0, 1)),
    *((6, turn) for turn in (0, 1, 3, 4, 5, 6, 7)),
    *((7, turn) for turn in range(8)),
    *((8, turn) for turn in (0, 1)),
    (9, 0),
)
WEIGHTS = (0.25, 0.5, 1, 2, 4)
DRAWS = 60


Drawings = NDArray[np.uint8]
Looks = list[NDArray[np.floating]]


def turned_digits(count: int) -> list[tuple[Drawings, Drawings]]:
    """Pairs of asked and enrolled drawings, uint8 (20, 28, 28) each, in the order of `ASKED`."""
    rng = np.random.default_rng(3)
    return [(_drawn(ASKED, rng), _drawn(ASKED, rng)) for _ in range(count)]


def side_by_side(count: int) -> list[tuple[Drawings, Drawings]]:
    """The same of two of five figures beside one another, of 20 of the 25 ways to put them."""
    rng = np.random.default_rng(4)
    pairs = []
    for _ in range(count):
        five = [ASKED[i] for i in rng.choice(len(ASKED), 5, replace=False)]
        both = [(five[i // 5], five[i % 5]) for i in rng.choice(25, 20, replace=False)]
        pairs.append((_beside(both, rng), _beside(both, rng)))
    return pairs


def _beside(both: list[tuple[Figure, Figure]], rng: np.random.Generator) -> Drawings:
    pictures = []
    for two in both:
        left, right = _drawn(two, rng)[:, 3:25, 3:25]
        down, across = 19 + rng.integers(-2, 3), 29 + rng.integers(-1, 2)
        picture = np.zeros((60, 60), np.uint8)
        picture[19:41, 8:30] = left
        beside = picture[down : down + 22, across : across + 22]
        np.maximum(beside, right, out=beside)
        pictures.append(like_mnist(picture))
    return np.stack(pictures)


def _drawn(figures: Sequence[Figure], rng: np.random.Generator) -> Drawings:
    """One drawing of each, by a hand drawn at random."""
    data = digits()
    labels = np.asarray(data.test_labels).astype(int)
    places = [rng.choice(np.flatnonzero(labels == digit)) for digit, _ in figures]
    turns = torch.tensor([turn for _, turn in figures])
    return turned(torch.from_numpy(data.test_pixels[places])[:, None], turns)[:, 0].numpy()


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


def error(similar: Looks) -> str:
    """Share of wrong answers, and its standard error over the draws."""
    wrong = [(cells.argmax(1) != np.arange(len(cells))).mean() for cells in similar]
    return f"{np.mean(wrong):.3f} (±{np.std(wrong) / len(wrong) ** 0.5:.3f})"


def laid(pairs: list[tuple[Drawings, Drawings]]) -> Looks:
    return [np.stack([found_again(one, enrolled) for one in asked]) for asked, enrolled in pairs]


def as_they_lie(pairs: list[tuple[Drawings, Drawings]]) -> Looks:
    looks = []
    for asked, enrolled in pairs:
        there = edges(enrolled)
        looks.append(
            np.stack([shares(np.repeat(one[None], len(there), 0), there) for one in edges(asked)])
        )
    return looks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    torch.set_num_threads(2)
    embed = network(parser.parse_args().seed)
    alone = turned_digits(DRAWS)
    beside = side_by_side(DRAWS)
    columns = {
        "turned: strokes as they lie": (alone, as_they_lie(alone)),
        "turned: laid upon one another": (alone, laid(alone)),
        "side by side: laid upon one another": (beside, laid(beside)),
    }
    cosines = {
        name: [embed(asked) @ embed(enrolled).T for asked, enrolled in pairs]
        for name, (pairs, _) in columns.items()
    }
    print(f"| weight beside the cosine | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    rows: list[tuple[str, float, float]] = [("0: fingerprint alone", 1, 0)]
    rows += [(f"{weight}", 1, weight) for weight in WEIGHTS] + [("strokes alone", 0, 1)]
    for words, of_cosine, of_look in rows:
        errors = [
            error(
                [
                    of_cosine * cosine + of_look * look
                    for cosine, look in zip(cosines[name], looks, strict=True)
                ]
            )
            for name, (_, looks) in columns.items()
        ]
        print(f"| {words} | {' | '.join(errors)} |", flush=True)


if __name__ == "__main__":
    main()
