"""Few photos each: n-way k-shot episodes, and one photo enrolled beside many others.

Similarity is the cosine, and ties are pessimistic: equally similar is not yet found.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError
from resight.evaluate.metrics import Array, Figure, at_least, mean_figures, table, with_intervals
from resight.evaluate.ranking import Floats, Ints, Labels, encode, similarity_blocks, unit_vectors
from resight.likeness import likeness

# What a second look at a photo (its position) and some others is worth beside their cosines: (n,).
Look = Callable[[int, Ints], NDArray[np.floating[Any]]]
SHORTLIST = 100  # others that a photo is looked at beside, the most similar
LOOKED = 3  # at most so many of these are of one individual, where individuals are ranked


@dataclass(frozen=True, slots=True)
class FewShot:
    """Right answers among a few individuals known by a few photos each."""

    accuracy: Figure
    ways: int
    shots: int
    episodes: int
    queries: int

    @property
    def error(self) -> float:
        """Share of wrong answers."""
        return 1 - self.accuracy.value

    def __str__(self) -> str:
        title = f"{self.ways}-way {self.shots}-shot: {self.episodes} episodes"
        return table(title, {"accuracy": self.accuracy}, [f"{self.queries} queries"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "accuracy": self.accuracy.to_dict(),
            "ways": self.ways,
            "shots": self.shots,
            "episodes": self.episodes,
            "queries": self.queries,
        }


def n_way_k_shot(
    vectors: Floats,
    labels: Labels,
    *,
    ways: int = 20,
    shots: int = 1,
    drawers: Labels | None = None,
    within: Labels | None = None,
    episodes: int = 400,
    look: Look | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> FewShot:
    """Draw `ways` individuals with `shots` photos each, and ask with one other photo of each.

    A query is answered by the individual of the most similar of the enrolled photos. With
    `drawers` an episode is Lake's (Lake, Salakhutdinov and Tenenbaum, "Human-level concept
    learning through probabilistic program induction", 2015): the photos of one drawer are asked
    against those of another (of `shots` others), for the same characters.

    Args:
        vectors: fingerprints, float32 (n, d).
        labels: (n,) individuals.
        ways: individuals in an episode.
        shots: enrolled photos of each.
        drawers: (n,) who drew (or photographed) each photo.
        within: (n,) an episode stays within one of these, an alphabet say, one per individual.
            Where names come again in another, give (group, name) as the label.
        episodes: how many draws, 1 or more.
        look: a second look at each photo that is asked and all that are enrolled, by positions in
            `vectors`; it is added to their cosines.
        resamples: of the bootstrap.
        seed: of the draws and the bootstrap.

    Raises:
        ResightError: nowhere are there enough individuals with enough photos, or the photos of one
            lie within several groups.
    """
    at_least(1, episodes, "episodes")
    vectors = unit_vectors(vectors, "photos")
    codes: dict[Hashable, int] = {}
    own = encode(labels, codes, len(vectors), "photos")
    field = encode([0] * len(own) if within is None else within, {}, len(own), "alphabets")
    by_drawer = None if drawers is None else encode(drawers, {}, len(own), "drawers")
    rng = np.random.default_rng(seed)
    photos = [np.flatnonzero(own == code) for code in range(len(codes))]
    fit = np.array([len(places) > shots for places in photos])
    home = np.array([field[places[0]] for places in photos])
    astray = np.flatnonzero(field != home[own])
    if astray.size:
        raise ResightError(
            f"individual {list(codes)[own[astray[0]]]!r} has photos in more than one group of "
            "`within`, so these would be taken for one; give (group, name) as the label"
        )
    fields = [f for f in np.unique(home) if (fit & (home == f)).sum() >= ways]
    if ways < 2 or shots < 1 or not fields:
        raise ResightError(
            f"{ways}-way {shots}-shot needs {max(ways, 2)} individuals with {shots + 1} photos "
            "each; ask for fewer ways or shots"
        )
    right, asked = np.zeros(len(codes)), np.zeros(len(codes))
    for _ in range(episodes):
        here = fit & (home == rng.choice(fields))
        if by_drawer is None:
            who = rng.choice(np.flatnonzero(here), ways, replace=False)
            drawn = np.stack([rng.choice(photos[w], shots + 1, replace=False) for w in who])
        else:
            who, drawn = _draw_by_drawers(own, by_drawer, here, ways, shots, rng)
        known = drawn[:, 1:].ravel()
        # In double precision, so that equal photos tie exactly.
        asking, enrolled = vectors[drawn[:, 0]].astype(np.float64), vectors[known]
        similar = (asking @ enrolled.T.astype(np.float64)).astype(np.float32)
        if look is not None:
            similar = similar + np.stack([look(one, known) for one in drawn[:, 0].tolist()])
        best = similar.reshape(ways, ways, shots).max(axis=2)
        mine = best.diagonal().copy()
        np.fill_diagonal(best, -np.inf)
        right[who] += mine > best.max(axis=1)
        asked[who] += 1
    took_part = asked > 0
    right, asked = right[took_part], asked[took_part]
    (accuracy,) = with_intervals(
        lambda weights: [float(weights @ right / (weights @ asked))],
        [len(asked)],
        [len(asked)],
        resamples,
        seed,
    )
    return FewShot(accuracy, ways, shots, episodes, episodes * ways)


def _draw_by_drawers(
    own: Ints,
    drawer: Ints,
    here: NDArray[np.bool_],
    ways: int,
    shots: int,
    rng: np.random.Generator,
) -> tuple[Ints, Ints]:
    """Draw shots + 1 drawers, and `ways` individuals that all of them drew: (ways, shots + 1)."""
    photos = np.flatnonzero(here[own])
    for _ in range(100):
        hands = np.unique(drawer[photos])
        if len(hands) <= shots:
            break
        hands = rng.choice(hands, shots + 1, replace=False)
        columns = []
        for hand in hands:
            places = rng.permutation(photos[drawer[photos] == hand])
            who, first = np.unique(own[places], return_index=True)
            columns.append(dict(zip(who.tolist(), places[first].tolist(), strict=True)))
        shared = sorted(set.intersection(*(set(column) for column in columns)))
        if len(shared) >= ways:
            chosen = rng.choice(shared, ways, replace=False)
            return chosen, np.array([[column[w] for column in columns] for w in chosen.tolist()])
    raise ResightError(
        f"found no {shots + 1} drawers who drew the same {ways} individuals; ask for fewer ways"
    )


@dataclass(frozen=True, slots=True)
class OneEnrolled:
    """How well one photo is enough.

    Attributes:
        rank_1: share of queries nearer to their own individual's one photo than to any other photo,
            or individual.
        median_rank: of that photo, or individual, counted from 1.
        individuals: new individuals, each enrolled with one photo.
        beside: photos of others in the gallery.
        queries: queries asked in one repeat; every repeat enrols other photos.
        repeats: how often.
    """

    rank_1: Figure
    median_rank: Figure
    individuals: int
    beside: int
    queries: int
    repeats: int

    def __str__(self) -> str:
        title = (
            f"One photo each of {self.individuals} new individuals enrolled beside "
            f"{self.beside} photos of others"
        )
        figures: dict[str, Figure | None] = {
            "rank-1": self.rank_1,
            "median rank": self.median_rank,
        }
        return table(title, figures, [f"{self.repeats} times {self.queries} queries"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "rank_1": self.rank_1.to_dict(),
            "median_rank": self.median_rank.to_dict(),
            "individuals": self.individuals,
            "beside": self.beside,
            "queries": self.queries,
            "repeats": self.repeats,
        }


def one_enrolled(
    gallery: Floats,
    gallery_labels: Labels,
    new: Floats,
    new_labels: Labels,
    *,
    together: bool = True,
    enrolled: Sequence[int] | Ints | None = None,
    repeats: int = 1,
    by_individual: bool = False,
    look: Look | None = None,
    shortlist: int = SHORTLIST,
    resamples: int = 1000,
    seed: int = 0,
) -> OneEnrolled:
    """Enrol one photo of every new individual beside the gallery, and ask with all the others.

    Args:
        gallery, gallery_labels: fingerprints (g, d) and individuals (g,) of the others.
        new, new_labels: fingerprints (n, d) and individuals (n,) of the new ones.
        together: all new individuals are enrolled at once; False: each one alone.
        enrolled: positions in `new`, one for each individual; None draws them.
        repeats: how often to draw; while there are photos enough, each time another photo.
        by_individual: rank individuals, each by all of its photos (`resight.likeness`), not photos.
        look: a second look at a photo of `new` and at those most similar to it, by their positions
            in the gallery, or g more than those in `new`; 0 or more, added to their cosines. Where
            individuals are ranked, at the `LOOKED` most similar of each, and the best is added.
        shortlist: how many photos are looked at.
        resamples: of the bootstrap over the new individuals.
        seed: of the draws and the bootstrap.

    Raises:
        ResightError: an individual is both new and in the gallery, or no photo is left to ask.
    """
    gallery, new = unit_vectors(gallery, "gallery"), unit_vectors(new, "new individuals")
    codes: dict[Hashable, int] = {}
    in_gallery = encode(gallery_labels, codes, len(gallery), "gallery")
    known = len(codes)
    own = encode(new_labels, codes, len(new), "new individuals") - known
    if own.min() < 0:
        raise ResightError("some of the new individuals are in the gallery already")
    count = len(codes) - known
    choices = _choose(own, count, enrolled, repeats, seed)

    ranks = np.empty((len(choices), len(new)), np.int64)
    for part, cells in similarity_blocks(new, gallery):
        among = (new[part].astype(np.float64) @ new.T.astype(np.float64)).astype(np.float32)
        rows = np.arange(len(cells))
        # What the new individuals compete with is the same for every choice of their photos.
        others = likeness(cells, in_gallery, known) if by_individual else cells
        if look is not None:
            places, near = _to_look_at(cells, in_gallery if by_individual else None)
        for choice, found in zip(choices, ranks, strict=True):
            rivals, beside = among[:, choice], others
            if not together:  # only the own one is enrolled
                rivals = np.where(own[part, None] == np.arange(count), rivals, -np.inf)
            if look is not None:
                enrolled_at = np.broadcast_to(len(gallery) + choice, rivals.shape)
                more = _looked(
                    np.concatenate([near, rivals], axis=1, dtype=np.float32),
                    np.concatenate([places, enrolled_at], axis=1),
                    part,
                    look,
                    shortlist,
                )
                rivals = rivals + more[:, near.shape[1] :]
                of_others = more[:, : near.shape[1]]
                beside = others + of_others.reshape(*others.shape, -1).max(axis=2)
            mine = rivals[rows, own[part]].copy()
            found[part] = 1 + np.count_nonzero(beside >= mine[:, None], axis=1)
            rivals[rows, own[part]] = -np.inf
            found[part] += np.count_nonzero(rivals >= mine[:, None], axis=1)
    asks = np.ones(ranks.shape, bool)
    np.put_along_axis(asks, choices, False, axis=1)
    if not asks.any():
        raise ResightError("the new individuals have one photo each: none is left to ask with")
    rank, whose = ranks[asks], np.broadcast_to(own, ranks.shape)[asks]
    _, whose = np.unique(whose, return_inverse=True)
    (rank_1,) = mean_figures((rank == 1).astype(np.float64)[:, None], whose, resamples, seed)
    order = np.argsort(rank, kind="stable")
    rank, whose = rank[order], whose[order]

    def median(weights: Array) -> list[float]:
        share = np.cumsum(weights[whose])
        half = share[-1] / 2
        lower, upper = np.searchsorted(share, half, "left"), np.searchsorted(share, half, "right")
        return [float(rank[lower] + rank[upper]) / 2]

    (median_rank,) = with_intervals(median, [rank_1.n], [rank_1.n], resamples, seed)
    return OneEnrolled(rank_1, median_rank, count, len(gallery), int(asks[0].sum()), len(choices))


def _to_look_at(cells: Floats, individual: Ints | None) -> tuple[Ints, Floats]:
    """Photos of the gallery that may be looked at, and how similar they are: (r, p) both.

    All of them, or of each individual the most similar `LOOKED`, side by side; where it has fewer,
    the place of its last is there again, with a similarity of -inf, and is not looked at.
    """
    if individual is None:
        return np.broadcast_to(np.arange(cells.shape[1]), cells.shape), cells
    order = np.argsort(individual, kind="stable")
    places, near = [], []
    for of in np.split(order, np.flatnonzero(np.diff(individual[order])) + 1):
        own = cells[:, of]
        first = np.argsort(-own, axis=1, kind="stable")[:, :LOOKED]
        similar = np.take_along_axis(own, first, axis=1)
        lacks = ((0, 0), (0, LOOKED - first.shape[1]))
        places.append(np.pad(of[first], lacks, mode="edge"))
        near.append(np.pad(similar, lacks, constant_values=-np.inf))
    return np.concatenate(places, axis=1), np.concatenate(near, axis=1)


def _looked(near: Floats, where: Ints, asked: slice, look: Look, shortlist: int) -> Floats:
    """What a second look says of the most similar of each row, 0 of the others: (r, p)."""
    more = np.zeros_like(near)
    rows = zip(more, near, where, range(asked.start, asked.stop), strict=True)
    for said, similar, places, query in rows:
        first = np.argsort(-similar, kind="stable")[:shortlist]
        first = first[similar[first] > -np.inf]
        said[first] = look(query, places[first])
    return more


def _choose(
    own: Ints, count: int, enrolled: Sequence[int] | Ints | None, repeats: int, seed: int
) -> Ints:
    """Positions of the enrolled photos: (repeats, count), the individuals in order of code."""
    if enrolled is not None:
        chosen = np.asarray(enrolled, np.int64)
        inside = chosen.size > 0 and chosen.min() >= 0 and chosen.max() < len(own)
        if not inside or not np.array_equal(np.sort(own[chosen]), np.arange(count)):
            raise ResightError(f"enrolled must name one photo of each of {count} individuals")
        return chosen[np.argsort(own[chosen])][None]
    if repeats < 1:
        raise ResightError(f"repeats must be 1 or more, got {repeats}")
    rng = np.random.default_rng(seed)
    columns = [
        np.resize(rng.permutation(np.flatnonzero(own == code)), repeats) for code in range(count)
    ]
    return np.stack(columns, axis=1)
