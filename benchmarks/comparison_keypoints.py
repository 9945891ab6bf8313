"""RootSIFT in the comparison: one against many for a shortlist, then the geometric check.

Matching costs a fraction of a second a query where a fingerprint costs a millisecond, so a part of
the queries is asked, drawn by a fixed seed; the tables say how many.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from comparison_tasks import (
    AUROC,
    KNOWN,
    MEAN,
    ONE,
    OPEN,
    R1,
    SHOT,
    TOP1,
    DigitsTask,
    Figures,
    PhotoTask,
)
from numpy.typing import NDArray
from photo_sets import TRAINING

from resight.compare import Gallery, Keypoints, find_keypoints, match, match_many, one_against_many
from resight.evaluate.metrics import Figure, mean_figures
from resight.evaluate.open_set import open_set_figures
from resight.photos.decode import read_image

SHORTLIST = 20
MOST = 200  # keypoints a photo
Ints = NDArray[np.int64]


class Answers:
    """Each query's shortlist of photos, checked: which is nearest, how surely."""

    def __init__(self, queries: Sequence[Keypoints], gallery: Sequence[Keypoints]) -> None:
        begun = time.perf_counter()
        # Every photo for itself, as a shortlist is of photos.
        index = Gallery(gallery, range(len(gallery)))
        self.first, self.order, self.score = [], [], []
        checking = 0.0
        for query in queries:
            alike = one_against_many(query, index)
            shortlist = np.argsort(-alike, kind="stable")[:SHORTLIST]
            start = time.perf_counter()
            checked = [found.score for found in match_many(query, [gallery[i] for i in shortlist])]
            checking += time.perf_counter() - start
            order = np.lexsort((np.arange(len(shortlist)), -np.array(checked)))
            self.first.append(int(shortlist[0]))
            self.order.append(shortlist[order])
            self.score.append(float(np.max(checked, initial=0.0)))
        count = max(len(queries), 1)
        self.seconds = (time.perf_counter() - begun) / count
        self.checking = checking / count

    @property
    def nearest(self) -> Ints:
        """The first photo of each shortlist after the check."""
        return np.array([order[0] for order in self.order])


def measure_keypoints(task: DigitsTask | PhotoTask, queries: int) -> dict[str, Any]:
    """Figures for one-against-many alone and with the geometric check, on some of the queries."""
    measured = _digits(task, queries) if isinstance(task, DigitsTask) else _photos(task, queries)
    checked, plain, seconds, checking = measured
    return {
        "kind": "keypoints",
        "set": task.name,
        "queries": queries,
        "figures": {name: figure.to_dict() for name, figure in checked.items()},
        "one against many": {name: figure.to_dict() for name, figure in plain.items()},
        "seconds a query": round(seconds, 3),
        "of these checking": round(checking, 3),
    }


def _photos(task: PhotoTask, queries: int) -> tuple[Figures, Figures, float, float]:
    data, rng = task.data, np.random.default_rng(0)
    known: dict[int, Keypoints] = {}

    def points(at: Ints) -> list[Keypoints]:
        for i in at.tolist():
            if i not in known:
                known[i] = find_keypoints(read_image(data.paths[i], channels=1), most=MOST)
        return [known[i] for i in at.tolist()]

    def some(part: Ints, count: int) -> Ints:
        return np.sort(rng.permutation(part)[:count])

    catalogue, asked = data.at(*TRAINING), some(data.at("ask"), queries)
    names, truth = data.labels[catalogue], data.labels[asked]
    answers = Answers(points(asked), points(catalogue))
    there = np.isin(truth, names)
    right = truth[there] == names[answers.nearest][there]
    before = truth[there] == names[np.array(answers.first)][there]
    checked, plain = _shares(truth[there], right, before)
    if not task.open:
        # Of the ranking only a shortlist is known, so there is no mAP.
        return {TOP1: checked}, {TOP1: plain}, answers.seconds, answers.checking
    watched, earlier = some(data.at("watch"), queries), data.at("fit")
    tried = Answers(points(watched), points(earlier))
    _, threshold = task.judge(watched, earlier[tried.nearest], np.array(tried.score, np.float32))
    told = open_set_figures(
        np.array(answers.score),
        names[answers.nearest],
        truth,
        set(names.tolist()),
        threshold=threshold,
    )
    further = data.at("open_query")
    whole = data.at("open_gallery", "beside", "ask", *TRAINING)
    among = Answers(points(further), points(whole))
    new = data.labels[further]
    last, last_plain = _shares(
        new, new == data.labels[whole][among.nearest], new == data.labels[whole][among.first]
    )
    assert told.geometric_mean is not None
    figures = {KNOWN: checked, AUROC: told.auroc, MEAN: told.geometric_mean, OPEN: last}
    return figures, {KNOWN: plain, OPEN: last_plain}, answers.seconds, answers.checking


def _digits(task: DigitsTask, queries: int) -> tuple[Figures, Figures, float, float]:
    rng = np.random.default_rng(0)
    unseen = task.unseen
    digits = [find_keypoints(image, most=MOST) for image in task.test]
    drawn = [find_keypoints(image, most=MOST) for image in unseen.pixels]
    # One drawing of each character beside all digits; some of the others ask.
    names = np.unique(unseen.labels)
    enrolled = np.array([rng.choice(np.flatnonzero(unseen.labels == name)) for name in names])
    rest = np.setdiff1d(np.arange(len(drawn)), enrolled)
    asked = np.sort(rng.permutation(rest)[:queries])
    gallery = [*(drawn[i] for i in enrolled), *digits]
    whose = np.concatenate([names, task.test_labels])
    answers = Answers([drawn[i] for i in asked], gallery)
    truth = unseen.labels[asked]
    one, one_plain = _shares(
        truth, truth == whose[answers.nearest], truth == whose[np.array(answers.first)]
    )
    tested = np.sort(rng.permutation(len(digits))[:queries])
    # The query's own photo stands in the gallery, and is left out of its shortlist.
    alone = Answers([digits[i] for i in tested], digits)
    own = [order[order != i] for order, i in zip(alone.order, tested, strict=True)]
    nearest = np.array([order[0] for order in own])
    truth = task.test_labels[tested]
    r1, _ = _shares(truth, truth == task.test_labels[nearest], truth == truth)
    error = _one_shot(task, drawn, max(2, queries // 10), rng)
    figures = {ONE: one, SHOT: error, R1: r1}
    return figures, {ONE: one_plain}, answers.seconds, answers.checking


def _one_shot(
    task: DigitsTask, drawn: list[Keypoints], episodes: int, rng: np.random.Generator
) -> Figure:
    """Lake's task by the score of the match: one drawer's characters against another's."""
    unseen = task.unseen
    wrong, who = [], []
    for _ in range(episodes):
        alphabet = rng.choice(np.unique(unseen.alphabets))
        here = np.flatnonzero(unseen.alphabets == alphabet)
        characters = np.unique(unseen.labels[here])
        chosen = rng.permutation(characters)[: min(20, len(characters))]
        drawers = rng.choice(np.unique(unseen.drawers[here]), 2, replace=False)
        asked, enrolled = (
            [
                int(here[(unseen.labels[here] == name) & (unseen.drawers[here] == drawer)][0])
                for name in chosen
            ]
            for drawer in drawers
        )
        for place, query in enumerate(asked):
            scores = np.array([match(drawn[query], drawn[other]).score for other in enrolled])
            others = np.delete(scores, place)
            wrong.append(scores[place] <= others.max())
            who.append(chosen[place])
    (figure,) = mean_figures(
        np.array(wrong, np.float64)[:, None], np.unique(who, return_inverse=True)[1]
    )
    return figure


def _shares(truth: NDArray[np.str_], *right: NDArray[np.bool_]) -> list[Figure]:
    """Shares of right answers, with intervals over individuals."""
    who = np.unique(truth, return_inverse=True)[1]
    return mean_figures(np.stack(right, 1).astype(np.float64), who)
