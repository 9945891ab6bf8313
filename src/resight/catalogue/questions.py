"""The questions whose answers are known: a catalogue's labelled photos, asked of itself.

Each encounter is asked as it would have been on its day: of what was known before, where there are
dates; of everything but itself, where there are none. And it is asked twice: with its individual in
the gallery (if anything else of it is there), and with it left out, so that it is somebody new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from resight.catalogue.closely import MOST_LOOKED, Look, best_looks, nearest_rows
from resight.catalogue.decision import BEYOND, NEW
from resight.catalogue.evidence import (
    KEPT,
    Evidence,
    Floats,
    Ints,
    combined,
    evidence,
    nearest_few,
    rows_of,
)

Days = npt.NDArray[np.datetime64]

MOST_ENCOUNTERS = 1500  # asked at most; drawn by chance, the same at every calibration
MOST_CLOSELY = 300  # where every photo is looked at closely, which takes a tenth of a second each
SINGLES = 6  # photos of an encounter that are asked alone
MOST_TOGETHER = 16  # photos of an encounter that are asked together
DATED = 0.8  # share of photos that must have a date for time to count
BURST = 0.05  # of the usual distance between strangers: nearer, photos are of one moment


@dataclass(frozen=True, eq=False)
class Questions:
    """t questions and what is true.

    Attributes:
        asked: what each found.
        truth: int64 (t,), column of the right candidate, NEW or BEYOND.
        encounter: int64 (t,), which encounter asks.
        individual: int64 (t,), who is asked about.
        day: datetime64[D] (t,), when; NaT without dates.
        weights: float64 (t,); those of an encounter that ask for the same (known or new) sum to 1.
        centre, scale: mean and standard deviation of the similarity between strangers.
        forward: whether each was asked of what was known before.
    """

    asked: Evidence
    truth: Ints
    encounter: Ints
    individual: Ints
    day: Days
    weights: Floats
    centre: float
    scale: float
    forward: bool

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def alone(self) -> npt.NDArray[np.bool_]:
        """Which are of one photo, (t,)."""
        return self.asked.asked == 1


def ask_itself(
    vectors: npt.NDArray[np.float32],
    individuals: npt.NDArray[Any],
    encounters: npt.NDArray[Any],
    days: Days,
    *,
    since: np.datetime64 | None = None,
    seen: npt.NDArray[np.bool_] | None = None,
    look: Look | None = None,
    keep: int = KEPT,
    seed: int = 0,
) -> Questions | None:
    """Ask labelled photos of each other.

    Args:
        vectors: float32 (n, dim), unit length.
        individuals: (n,) who is on each.
        encounters: (n,) code of each photo's encounter, as `encounters_of` gives it.
        days: datetime64[D] (n,), NaT where unknown.
        since: ask only with encounters of this day or later.
        seen: bool (n,), which photos the model was trained on. They never ask: they would be found
            too easily; and an individual of which it has seen any is no newcomer to it.
        look: looks at the candidates of a photo closely; both by their positions in `vectors`.
        keep: candidates of each question.
        seed: of the draws.

    Returns:
        The questions, or None where there are no two individuals to tell apart.
    """
    order = np.lexsort((np.arange(len(vectors)), individuals))
    vectors, encounters, days = vectors[order], np.asarray(encounters)[order], days[order]
    trained = np.zeros(len(order), bool) if seen is None else np.asarray(seen, bool)[order]
    who, starts = np.unique(np.asarray(individuals)[order], return_index=True)
    own = np.repeat(np.arange(len(who)), np.diff(np.append(starts, len(vectors))))
    if len(who) < 2:
        return None
    dated = ~np.isnat(days)
    forward = bool(dated.mean() >= DATED)
    rng = np.random.default_rng(seed)
    parts: list[Evidence] = []
    asked: list[tuple[int, int, int, np.datetime64, float]] = []
    strangers: list[Floats] = []
    codes, firsts = np.unique(encounters, return_index=True)
    askable = np.ones(len(codes), bool)
    if since is not None:
        askable &= days[firsts] >= since  # NaT is not
    if forward:
        askable &= dated[firsts]
    askable &= np.bincount(np.searchsorted(codes, encounters), trained) == 0
    of_trained = np.bincount(own, trained) > 0
    chosen = codes[askable]
    encounters_most = MOST_ENCOUNTERS if look is None else MOST_CLOSELY
    together_most = MOST_TOGETHER if look is None else MOST_LOOKED
    if len(chosen) > encounters_most:
        chosen = np.sort(rng.choice(chosen, encounters_most, replace=False))
    for code in chosen:
        mine = np.flatnonzero(encounters == code)
        me, day = own[mine[0]], days[mine[0]]
        here = (days < day) if forward else (encounters != code)
        count = np.add.reduceat(here, starts, dtype=np.int64)
        known = np.flatnonzero(count)
        if len(known) < 2 or (len(known) == 2 and count[me]):
            continue
        if len(mine) > together_most:
            mine = rng.choice(mine, together_most, replace=False)
        cells = np.where(here, vectors[mine] @ vectors.T, np.float32(-np.inf))
        best = np.maximum.reduceat(cells, starts, axis=1).astype(np.float64)
        strangers.append(best[:, known[known != me]].ravel()[:: max(1, len(known) // 20)])
        groups = _groups(len(mine), rng)
        means = [best[group].mean(axis=0) for group, _ in groups]
        nearest = np.unique(
            np.concatenate([known[np.argsort(-mean[known])[: keep + 1]] for mean in means])
        )
        rows, first = rows_of(nearest, starts, len(vectors))
        similarity, support = nearest_few(cells[:, rows], first)
        closely = np.zeros(similarity.shape)
        if look is not None:
            ends = np.append(first[1:], len(rows))
            for number, photo in enumerate(mine.tolist()):
                few = [
                    order[nearest_rows(cells[number, rows[a:b]], rows[a:b])]
                    for a, b in zip(first.tolist(), ends.tolist(), strict=True)
                ]
                closely[number] = best_looks(look, int(order[photo]), few)
        for absent in (False, True):
            if (absent and of_trained[me]) or not (absent or count[me]):
                continue
            here_now = nearest != me if absent else np.ones(len(nearest), bool)
            columns = nearest[here_now]
            for group, weight in groups:
                part, kept = evidence(
                    similarity[group][:, here_now],
                    count[columns],
                    support=support[group][:, here_now],
                    closely=closely[group][:, here_now],
                    individuals=len(known) - (absent and bool(count[me])),
                    keep=keep,
                )
                place = np.flatnonzero(columns[kept] == me)
                truth = NEW if absent else int(place[0]) if len(place) else BEYOND
                parts.append(part)
                asked.append((truth, int(code), int(me), day, weight))
    if not parts:
        return None
    truths, asking, about, when, weights = zip(*asked, strict=True)
    far = np.concatenate(strangers)
    return Questions(
        combined(parts),
        np.array(truths, np.int64),
        np.array(asking, np.int64),
        np.array(about, np.int64),
        np.array(when, "datetime64[D]"),
        np.array(weights),
        float(far.mean()),
        max(float(far.std()), 1e-4),
        forward,
    )


def encounters_of(
    vectors: npt.NDArray[np.float32],
    individuals: npt.NDArray[Any],
    encounters: npt.NDArray[Any],
    days: Days,
) -> Ints:
    """What belongs together: an encounter; else an individual's day; else its near-copies.

    Args:
        vectors: float32 (n, dim), unit length.
        individuals: (n,) who is on each.
        encounters: (n,) number of the encounter, -1 where there is none.
        days: datetime64[D] (n,), NaT where unknown.

    Returns:
        int64 (n,), a code for each photo; equal for those that belong together.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    individuals, encounters = np.asarray(individuals), np.asarray(encounters)
    codes = np.full(len(vectors), -1, np.int64)
    stand = np.where(encounters >= 0, encounters, -1)
    keys: dict[Any, int] = {}
    for row, (who, number, day) in enumerate(zip(individuals.tolist(), stand, days, strict=True)):
        if number >= 0:
            codes[row] = keys.setdefault((who, int(number)), len(keys))
        elif not np.isnat(day):
            codes[row] = keys.setdefault((who, day), len(keys))
    left = np.flatnonzero(codes < 0)
    following = len(keys)
    near = 1 - BURST * _usual_distance(vectors)
    for who in np.unique(individuals[left]):
        mine = left[individuals[left] == who]
        close = vectors[mine] @ vectors[mine].T >= near
        count, label = connected_components(csr_array(close), directed=False)
        codes[mine] = following + label
        following += count
    return codes


def _usual_distance(vectors: npt.NDArray[np.float32]) -> float:
    """Median cosine distance of photos drawn by chance."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, len(vectors), (2, 2000))
    apart = one != other
    if not apart.any():
        return 1.0
    return float(np.median(1 - np.einsum("nd,nd->n", vectors[one], vectors[other])[apart]))


def _groups(photos: int, rng: np.random.Generator) -> list[tuple[Ints, float]]:
    """Which photos of an encounter ask together, and the weight of the question."""
    singles = rng.permutation(photos)[:SINGLES]
    groups = [singles[i : i + 1] for i in range(len(singles))]
    if photos == 1:
        return [(groups[0], 1.0)]
    many = [np.arange(photos)]
    if photos > 3:
        many.append(rng.permutation(photos)[:2])
    return [(g, 0.5 / len(groups)) for g in groups] + [(g, 0.5 / len(many)) for g in many]
