"""The first scenes: digits, and learning from them. Needs the train extra."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from resight.photos.decode import Pixels
from resight.photos.digits import Digits, embedded_digits, full_digits, read_digits
from resight.story.pictures import Thumb, polyline, thumb
from resight.story.telling import Teller

if TYPE_CHECKING:
    from resight.learn import ReidLearner

HELD = 0.1  # share of the training digits that learning is watched with


@dataclass(frozen=True)
class Learned:
    """What came of the training.

    Attributes:
        learner: the trained learner.
        facts: JSON values for the results.
        batch: pictures of one training batch, a row an individual.
        curve: points of the loss, and of R@1 epoch by epoch, in a drawing of 600 × 160, and what
            the ends of its axes say.
    """

    learner: ReidLearner
    facts: dict[str, Any]
    batch: list[list[Thumb]]
    curve: dict[str, str]


def find_digits(*, full: bool, folder: Path | None, few: tuple[int, int] | None) -> Digits:
    """The digits asked for; `few` keeps so many of each to learn from and to test with."""
    digits = read_digits(folder) if folder else full_digits() if full else embedded_digits()
    if few is None:
        return digits
    train = _first_of_each(digits.train_labels, few[0])
    test = _first_of_each(digits.test_labels, few[1])
    return Digits(
        digits.train_pixels[train],
        digits.train_labels[train],
        digits.test_pixels[test],
        digits.test_labels[test],
        f"{digits.source} (a few of them)",
    )


def learn_digits(digits: Digits, *, seed: int, steps: int | None, teller: Teller) -> Learned:
    """Train on the training digits; a tenth of them only watches. No test digit takes part."""
    from resight.learn import PhotoSet
    from resight.learn.one import STEPS
    from resight.learn.train import train_digits
    from resight.story.watching import Watching

    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits.train_labels))
    held = _first_of_each(
        digits.train_labels[order], max(2, int(HELD * len(order) / _classes(digits)))
    )
    watched, taught = order[held], np.sort(np.delete(order, held))
    names = digits.train_labels.astype(str)
    train = PhotoSet.of(digits.train_pixels[taught], names[taught])
    valid = PhotoSet.of(digits.train_pixels[watched], names[watched])
    with teller.bar("Learning") as advance:
        learner = train_digits(
            train,
            valid,
            steps=steps or STEPS,
            seed=seed,
            progress=False,
            cbs=[Watching(advance)],
        )
    batch, virtual = _batch(learner)
    table = _table(learner)
    losses = [float(loss) for loss in learner.recorder.losses]
    reached = [row["R@1"] for row in table if row.get("R@1") is not None]
    curve = _curve(losses, [value for value in reached if value is not None])
    facts = {
        "photos": len(train),
        "watched": len(valid),
        "individuals": len(train.names),
        "virtual_individuals_in_a_batch": virtual,
        "batches": len(losses),
        "parameters": sum(p.numel() for p in learner.model.parameters()),
        "loss": repr(learner.loss_func),
        "epochs": table,
    }
    return Learned(learner, facts, batch, curve)


def _first_of_each(labels: np.ndarray, count: int) -> np.ndarray:
    places = [np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]
    return np.sort(np.concatenate(places))


def _classes(digits: Digits) -> int:
    return len(np.unique(digits.train_labels))


def _table(learner: ReidLearner) -> list[dict[str, float | None]]:
    """Fastai's table of epochs, without the times."""
    names = learner.recorder.metric_names[1:]
    return [
        {
            name: round(float(value), 6) if math.isfinite(value) else None
            for name, value in zip(names, values, strict=False)
            if name != "time"
        }
        for values in learner.recorder.values
    ]


def _curve(losses: list[float], reached: list[float]) -> dict[str, str]:
    most = float(np.quantile(losses, 0.98)) or 1.0
    curve = {"loss": polyline(losses, 600, 160, 0, most), "most": f"{most:.2g}", "rank_1": ""}
    if len(reached) > 1:
        low = np.floor(min(reached) * 20) / 20 if min(reached) < 1 else 0.0
        curve |= {"rank_1": polyline(reached, 600, 160, low, 1), "low": f"{low:.2f}", "high": "1"}
    return curve


def _batch(learner: ReidLearner) -> tuple[list[list[Thumb]], int]:
    """Some rows of a training batch, real and virtual individuals; and how many are virtual."""
    loader = learner.dls.train
    pixels, labels = loader.one_batch()
    grey = _grey(pixels)
    labels = labels.cpu().numpy()
    names = loader.photos.names
    known = np.unique(labels)
    virtual = known[known >= len(names)]
    shown = [*known[known < len(names)][:3], *virtual[:: max(1, len(virtual) // 5)][:5]]
    rows = []
    for label in shown:
        places = np.flatnonzero(labels == label)[:6]
        words = f"the digit {names[label]}" if label < len(names) else "a virtual individual"
        rows.append([thumb(grey[place], words=words) for place in places])
    return rows, len(virtual)


def _grey(pixels: Any) -> Pixels:
    array = pixels.detach().float().cpu().numpy()[:, 0]
    scale = 1 if str(pixels.dtype) == "torch.uint8" else 255
    return np.clip(np.rint(array * scale), 0, 255).astype(np.uint8)


def sample_rows(digits: Digits, seed: int, columns: int = 20) -> list[list[Thumb]]:
    """Two rows of training digits: each of them as often."""
    rng = np.random.default_rng(seed)
    known = np.unique(digits.train_labels)
    picked = [rng.choice(np.flatnonzero(digits.train_labels == label), 4) for label in known]
    order = np.stack(picked, 1).reshape(-1)  # 0 1 2 … 9, four times
    rows = [order[:columns], order[columns : 2 * columns]]
    return [
        [thumb(digits.train_pixels[at], words=f"a {digits.train_labels[at]}") for at in row]
        for row in rows
    ]
