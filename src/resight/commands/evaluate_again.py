"""What `resight evaluate` asks again: of the background alone, and with a second look."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from resight.commands.common import wants_bar
from resight.compare.fuse import (
    Details,
    Fusion,
    details_cache,
    rerank,
)
from resight.compare.keypoints import Keypoints
from resight.compare.matching import Gallery, one_against_many
from resight.compare.pairs import labelled_pairs, learn_fusion
from resight.evaluate.background import background_test, both_parts, chosen, has_surroundings
from resight.evaluate.metrics import mean_figures
from resight.evaluate.nearest import Marked, mark, nearest
from resight.evaluate.second_look import SecondLook
from resight.photos.stream import progress_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from resight.evaluate.background import Background
    from resight.evaluate.evaluation import Evaluation
    from resight.fingerprint.fingerprinter import Fingerprinter
    from resight.fingerprint.model import Card
    from resight.photos.examine import Facts
    from resight.photos.photo import Photo
    from resight.photos.split import Split

QUERIES = 300  # looked at closely at most; drawn by chance
FEWEST = 20  # photos that the model was not trained on, to learn from them
MOST_STRANGERS = 1000  # photos of the gallery by which it is judged how alike strangers are
UNTRAINED, UNTRAINED_GALLERY = 60, 2000  # queries and photos at most: 1 GB of keypoints
LEARNED_FROM = 100  # photos of the gallery that teach what a match is worth, with their shortlists


def look_behind(
    fingerprinter: Fingerprinter,
    photos: list[Photo],
    facts: list[Facts],
    vectors: NDArray[np.float32],
    met: NDArray[np.int64],
    sides: Split,
    found: Evaluation,
    *,
    seed: int = 0,
) -> Background | None:
    """Fingerprint the photos' backgrounds and animals, and compare what is found in them."""
    if not found.known or fingerprinter.card.hearing is not None:  # a sound has no frame
        return None
    alone = sides.by == "individual"
    gallery = sides.query if alone else sides.train
    who = [str(photo.individual) for photo in photos]
    places = chosen(who, found.queries, gallery, seed=seed)
    card = fingerprinter.card
    read: list[int] = []

    def pixels() -> Any:
        stream = both_parts(
            [photos[place] for place in places],
            channels=card.channels,
            at_least=2 * max(card.size),
        )
        for place, behind, before in stream:
            read.append(place)
            yield behind
            yield before

    bar = wants_bar(len(places))
    parts = fingerprinter(pixels(), progress=bar).vectors
    if not read:  # the files have gone meanwhile
        return None
    places = places[read]
    return background_test(
        vectors[places],
        parts[::2],
        parts[1::2],
        [who[place] for place in places],
        met[places],
        np.flatnonzero(np.isin(places, found.queries)),
        np.flatnonzero(np.isin(places, gallery)),
        apart=alone,
        surroundings=sum(
            has_surroundings(photos[place], facts[place].width, facts[place].height)
            for place in places
        ),
        seed=seed,
    )


def look_closely(
    photos: list[Photo],
    facts: list[Facts],
    vectors: NDArray[np.float32],
    met: NDArray[np.int64],
    split: Split,
    found: Evaluation,
    seen: NDArray[np.bool_] | None,
    card: Card,
    *,
    seed: int = 0,
) -> SecondLook | None:
    """R@1 of the same queries by fingerprint alone, and after a second look at their shortlists.

    What a match is worth beside the fingerprint is learned from the gallery's photos, those that
    the model was not trained on where there are such. None where nobody asked for is in the
    gallery, or nobody else.
    """
    alone = split.by == "individual"
    gallery = split.query if alone else split.train
    marked = mark(vectors, [photo.individual for photo in photos], met)
    first = nearest(marked, found.queries, gallery, apart=alone)
    asks = np.flatnonzero(first.known)
    if len(asks) > QUERIES:
        asks = np.sort(np.random.default_rng(seed).choice(asks, QUERIES, replace=False))
    if not len(asks):
        return None
    cache = details_cache(card)

    def details(place: int) -> Details:
        photo = photos[place]
        return cache.of(photo.path, photo.box, content=facts[place].content_hash)

    def of_gallery(searched: NDArray[np.int64], place: int) -> Details:
        return details(int(searched[place]))

    with progress_bar("Looking closely", LEARNED_FROM + len(asks)) as advance:
        fusion = _fusion(marked, met, split.train, seen, details, card.drawings, seed)
        advance(LEARNED_FROM)
        if fusion is None:
            return None
        right = np.zeros((len(asks), 3))
        for row, place in enumerate(asks.tolist()):
            query = int(found.queries[place])
            searched = gallery
            if alone:
                searched = gallery[marked.group[gallery] != marked.group[query]]
            cosines = marked.vectors[searched] @ marked.vectors[query]
            looked = rerank(
                details(query),
                cosines,
                marked.who[searched],
                partial(of_gallery, searched),
                fusion,
            )
            best = searched[looked.order[0]]
            before, after = first.right[place], marked.who[best] == marked.who[query]
            right[row] = before, after, float(after) - float(before)
            advance(1)
    person = np.unique(marked.who[found.queries[asks]], return_inverse=True)[1]
    before_it, after_it, gain = mean_figures(right, person, seed=seed)
    look = SecondLook(before_it, after_it, gain, learned=fusion.pairs > 0)
    if alone or card.drawings or len(gallery) > UNTRAINED_GALLERY:
        return look
    some = np.random.default_rng(seed).permutation(len(asks))[:UNTRAINED]
    hits = _by_keypoints_alone(marked, found.queries[asks[some]], gallery, details)
    (figure,) = mean_figures(hits[:, None], np.unique(person[some], return_inverse=True)[1])
    return look._replace(untrained=figure, untrained_queries=len(some))


def _by_keypoints_alone(
    marked: Marked,
    queries: NDArray[np.int64],
    gallery: NDArray[np.int64],
    details: Callable[[int], Details],
) -> NDArray[np.float64]:
    """Which queries one against many (LNBNN) names right: the model has no say."""
    with progress_bar("By keypoints alone", len(gallery) + len(queries)) as advance:
        points = []
        for place in gallery.tolist():
            points.append(cast(Keypoints, details(place)))
            advance(1)
        many = Gallery(points, marked.who[gallery].tolist())
        hits = np.zeros(len(queries))
        for row, place in enumerate(queries.tolist()):
            scores = one_against_many(cast(Keypoints, details(place)), many)
            best = many.names[int(scores.argmax())] if scores.any() else None
            hits[row] = best == marked.who[place]
            advance(1)
    return hits


def _fusion(
    marked: Marked,
    met: NDArray[np.int64],
    teachers: NDArray[np.int64],
    seen: NDArray[np.bool_] | None,
    details: Callable[[int], Details],
    drawings: bool,
    seed: int,
) -> Fusion | None:
    """What a match is worth, learned from the gallery's photos; else what is usual.

    None where the gallery has no strangers.
    """
    ask = None if seen is None else ~seen[teachers]
    if ask is None or ask.sum() >= FEWEST:
        encounters = [None if one < 0 else int(one) for one in met[teachers]]
        vectors, who = marked.vectors[teachers], marked.who[teachers]
        pairs = labelled_pairs(vectors, who, encounters, ask=ask, queries=LEARNED_FROM, seed=seed)
        if pairs.same.any() and not pairs.same.all():
            return learn_fusion(pairs, who, lambda i: details(int(teachers[i])))
    strangers = nearest(marked, teachers[:MOST_STRANGERS], teachers, apart=True).other
    strangers = strangers[np.isfinite(strangers)]
    return Fusion.guess(strangers, drawings=drawings) if len(strangers) else None
