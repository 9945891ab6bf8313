"""All figures of an evaluation, from fingerprints, names, encounters and a split; nothing is read.

The report (`resight.evaluate.report`) puts them on a page.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError, UnusablePhotos
from resight.evaluate.calibration import Reliability, reliability
from resight.evaluate.effect import Effect, effect_of_split
from resight.evaluate.metrics import Figure, Retrieval, mean_figures, retrieval
from resight.evaluate.nearest import Marked, Nearest, mark, nearest, right_by_individual
from resight.evaluate.open_set import OpenSet, open_set_figures
from resight.evaluate.people import Confusion, Person, by_person, worst_confusions
from resight.evaluate.ranking import Floats, Ints
from resight.evaluate.trust import (
    Asked,
    ask_gallery,
    choose_threshold,
    learn_probability,
    probability,
)
from resight.photos.split import Split

KS = (1, 2, 3, 5, 10, 20, 50)
FEW = 20  # queries; below it figures are anecdotes


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured; figures are None where the split gives nothing to measure them by.

    Attributes:
        by: how the photos were split.
        flatters: why the split is too easy, in a sentence; None where nothing is known against it.
        photos, individuals: that were given.
        gallery, gallery_individuals: photos that are searched, and whom they show.
        queries: positions (q,) of the photos that ask.
        known, new: queries whose individual is in the gallery, and the others.
        left_out: photos that did not ask because the model was trained on them.
        seen_in_gallery: photos of the gallery that the model was trained on; None if not known.
        chance: what naming the individual of a gallery photo drawn blindly would reach.
        closed: of the known queries: cumulative match characteristic, mAP and the rest.
        balanced: R@1 with every individual counting alike.
        by_individual: R@1 where individuals are ranked instead of photos, each by all of its
            photos (`resight.likeness`).
        opened: known or new, by the nearest photo's cosine.
        familiar, unfamiliar: float32, cosines of the nearest photo behind `opened`: of the known,
            and of the new.
        left_individuals_out: whether the new ones of `opened` are the same queries with their
            individual left out of the gallery, as the split has no newcomers.
        asked: what the gallery said of itself, by which the threshold was chosen.
        unseen: R@1 and the rest of individuals that the model was not trained on, each query asked
            of the gallery and of the newcomers' other encounters.
        unseen_by_individual: R@1 of these where individuals are ranked, as `by_individual`.
        unseen_told: whether it is known whom the model was trained on; else those of `unseen` are
            newcomers to the gallery and to the photos trained on that are among these.
        people: individual by individual.
        confusions, strangers: the surest mistakes, with known and with new individuals.
        reliable: how true the probability is that the gallery's cosines taught.
        curve: (slope, offset) of that probability.
        effect: what a random split would have said.
        encounters_told: share of all photos that tell their encounter.
    """

    by: str
    flatters: str | None
    photos: int
    individuals: int
    gallery: int
    gallery_individuals: int
    queries: Ints
    known: int
    new: int
    left_out: int
    seen_in_gallery: int | None
    chance: float
    closed: Retrieval | None
    balanced: Figure | None
    by_individual: Figure | None
    opened: OpenSet | None
    familiar: Floats
    unfamiliar: Floats
    left_individuals_out: bool
    asked: Asked
    unseen: Retrieval | None
    unseen_by_individual: Figure | None
    unseen_told: bool
    people: list[Person]
    confusions: list[Confusion]
    strangers: list[Confusion]
    reliable: Reliability | None
    curve: tuple[float, float] | None
    effect: Effect | None
    encounters_told: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the single photos."""
        plain = (
            "by flatters photos individuals gallery gallery_individuals known new left_out "
            "seen_in_gallery chance left_individuals_out unseen_told curve encounters_told"
        )
        values: dict[str, Any] = {name: getattr(self, name) for name in plain.split()}
        values["queries"] = len(self.queries)
        values["curve"] = None if self.curve is None else list(self.curve)
        measured = (
            "closed balanced by_individual opened unseen unseen_by_individual reliable effect"
        )
        for name in measured.split():
            found = getattr(self, name)
            values[name] = None if found is None else found.to_dict()
        values["people"] = [person.to_dict() for person in self.people]
        return values


def evaluation(
    fingerprints: Floats,
    individuals: Sequence[Hashable] | NDArray[Any],
    encounters: Sequence[Hashable] | NDArray[Any] | None,
    split: Split,
    *,
    seen: NDArray[np.bool_] | None = None,
    taught: Sequence[bool] | NDArray[np.bool_] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Measure a model on photos of a split.

    Args:
        fingerprints: float32 (n, d); brought to length 1 where they are not.
        individuals: (n,) who is on each; those of `split.dropped` are not looked at but need one.
        encounters: (n,) of each photo, None or -1 where it is not told (see
            `resight.photos.encounters.encounter_numbers`).
        split: positions among the n. By "individual" the queries are looked for among one
            another, without their own encounters; else in `split.train`.
        seen: (n,) which photos the model was trained on, where that is known. They do not ask.
        taught: (n,) whose individuals it was trained on, by whichever photos, where that is known.
        resamples, seed: of the bootstrap over individuals that gives every figure its interval.

    Raises:
        UnusablePhotos: one individual only, or no photo that may ask.
        ResightError: arrays that do not fit.
    """
    photos = mark(fingerprints, individuals, encounters)
    trained = np.zeros(len(photos.who), bool) if seen is None else np.asarray(seen, bool)
    if trained.shape != photos.who.shape:
        raise ResightError(f"seen: {trained.shape} for {len(photos.who)} fingerprints")
    everything = np.union1d(split.train, split.query)
    if len(np.unique(photos.who[everything])) < 2:
        raise UnusablePhotos("all photos show one individual; telling apart takes two or more")
    queries = split.query[~trained[split.query]]
    if not len(queries):
        raise UnusablePhotos(
            "the model was trained on every photo that would ask; give photos that it has not seen"
            if len(split.query)
            else "no photo is left to ask; split another way"
        )
    alone = split.by == "individual"
    gallery = split.query if alone else split.train
    found = nearest(photos, queries, gallery, apart=alone)
    options = {"resamples": resamples, "seed": seed}
    closed, balanced = _closed(photos, queries, gallery, found, alone, options)
    own = ask_gallery(photos, split.train, None if seen is None else trained, seed)
    threshold = choose_threshold(own)
    opened, left = _opened(photos, queries, found, threshold, options)
    apart = found if alone else nearest(photos, queries, gallery, apart=True)
    confusions, strangers = worst_confusions(photos, queries, found)
    # Whoever is in the gallery may have been trained on, unless the model says who was.
    known_to_it = photos.who[np.union1d(gallery, np.flatnonzero(trained))]
    if taught is not None:
        told = np.asarray(taught, bool)
        if told.shape != photos.who.shape:
            raise ResightError(f"taught: {told.shape} for {len(photos.who)} fingerprints")
        known_to_it = photos.who[told | trained]  # a name may have been changed since
    curve = learn_probability(own, float((~found.known).mean()))
    unseen, unseen_by_individual = (
        (None, None) if alone else _unseen(photos, queries, gallery, found, known_to_it, options)
    )
    return Evaluation(
        by=split.by,
        flatters=split.flatters,
        photos=len(photos.who),
        individuals=len(np.unique(photos.who[everything])),
        gallery=len(gallery),
        gallery_individuals=len(np.unique(photos.who[gallery])),
        queries=queries,
        known=int(found.known.sum()),
        new=int((~found.known).sum()),
        left_out=len(split.query) - len(queries),
        seen_in_gallery=None if seen is None else int(trained[gallery].sum()),
        chance=_chance(photos, queries[found.known], gallery),
        closed=closed,
        balanced=balanced,
        by_individual=_by_individual(photos, queries, gallery, alone, options),
        opened=opened,
        familiar=found.score[found.known],
        unfamiliar=found.other[found.other_at >= 0] if left else found.other[~found.known],
        left_individuals_out=left,
        asked=own,
        unseen=unseen,
        unseen_by_individual=unseen_by_individual,
        unseen_told=taught is not None,
        people=by_person(photos, queries, gallery, found, threshold),
        confusions=confusions,
        strangers=strangers,
        reliable=None
        if curve is None
        else reliability(
            probability(curve, found.score), found.right, groups=photos.group[queries], seed=seed
        ),
        curve=curve,
        effect=effect_of_split(photos, queries, gallery, everything, apart, **options),
        encounters_told=float(photos.told[everything].mean()),
    )


def _closed(
    photos: Marked,
    queries: Ints,
    gallery: Ints,
    found: Nearest,
    alone: bool,
    options: dict[str, int],
) -> tuple[Retrieval | None, Figure | None]:
    """Retrieval of the known, and the mean over individuals of their R@1."""
    if not found.known.any():
        return None, None
    known = queries[found.known]
    # Of the unseen, each is its own gallery: what a query has in common with itself is left out.
    mine, theirs = (photos.group[known], photos.group[gallery]) if alone else (None, None)
    closed = retrieval(
        photos.vectors[known],
        photos.who[known],
        photos.vectors[gallery],
        photos.who[gallery],
        query_groups=mine,
        gallery_groups=theirs,
        ks=[k for k in KS if k <= len(gallery)],
        **options,
    )
    right = found.right[found.known]
    _, own = np.unique(photos.who[known], return_inverse=True)
    rates = np.bincount(own, right) / np.bincount(own)
    (balanced,) = mean_figures(rates[:, None], np.arange(len(rates)), **options)
    return closed, balanced


def _by_individual(
    photos: Marked, queries: Ints, gallery: Ints, apart: bool, options: dict[str, int]
) -> Figure | None:
    """R@1 of the known where individuals are ranked."""
    right, known = right_by_individual(photos, queries, gallery, apart=apart)
    if not known.any():
        return None
    whose = np.unique(photos.who[queries[known]], return_inverse=True)[1]
    (figure,) = mean_figures(right[known, None].astype(np.float64), whose, **options)
    return figure


def _opened(
    photos: Marked,
    queries: Ints,
    found: Nearest,
    threshold: float | None,
    options: dict[str, int],
) -> tuple[OpenSet | None, bool]:
    """Known or new; without newcomers each query asks a second time without its individual."""
    known = found.known
    if not known.any() or not (found.other_at >= 0).any():
        return None, False
    rows = np.arange(len(queries))
    left = bool(known.all())
    again = np.flatnonzero(found.other_at >= 0) if left else np.empty(0, np.int64)
    answer = photos.who[found.at]
    truth = photos.who[queries]
    return open_set_figures(
        np.concatenate((found.score, found.other[again])),
        np.concatenate((answer[rows], photos.who[found.other_at[again]])),
        # Left out of the gallery, an individual is another one.
        np.concatenate((truth, truth[again] + len(photos.names))),
        set(truth[known].tolist()),
        threshold=threshold,
        **options,
    ), left


def _unseen(
    photos: Marked,
    queries: Ints,
    gallery: Ints,
    found: Nearest,
    taught: Ints,
    options: dict[str, int],
) -> tuple[Retrieval | None, Figure | None]:
    """Of individuals that the model was not `taught`: retrieval, and R@1 by individuals."""
    asks = queries[~np.isin(photos.who[queries], taught)]
    beside = np.concatenate((gallery, queries[~found.known]))
    try:
        of_photos = retrieval(
            photos.vectors[asks],
            photos.who[asks],
            photos.vectors[beside],
            photos.who[beside],
            query_groups=photos.group[asks],
            gallery_groups=photos.group[beside],
            ks=[k for k in KS if k <= len(beside)],
            **options,
        )
    except ResightError:  # nobody is new, or nobody of them was met twice
        return None, None
    return of_photos, _by_individual(photos, asks, beside, True, options)


def _chance(photos: Marked, known: Ints, gallery: Ints) -> float:
    counts = np.bincount(photos.who[gallery], minlength=len(photos.names))
    return float(counts[photos.who[known]].mean() / len(gallery)) if len(known) else 0.0
