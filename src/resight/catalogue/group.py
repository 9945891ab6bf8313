"""Which photos without a name may show one individual: proposals, which a person confirms.

What people have decided holds whatever the pictures look like: photos of one encounter stay
together, and so do those of one individual; 'not the same' photos, two parts of one picture and
two individuals never come together. All else is average linkage up to a distance that the
catalogue's own named photos have shown to be safe: better one individual proposed twice than two
as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.linkage import Clusters
from resight.catalogue.pool import (
    IN,
    PEOPLE,
    Pool,
    decided_clusters,
    fingerprinted,
    near_individuals,
    read_pool,
)
from resight.catalogue.search import Vectors
from resight.catalogue.store import Store
from resight.errors import ResightError

# What share of the links among named photos may be wrong up to the threshold; the first that any
# threshold reaches.
WRONG_LINKS = (0.01, 0.02, 0.05, 0.1)
ENOUGH_LINKS = 100
_SAMPLE = 5000  # named photos that the threshold is chosen from
_SAMPLE_NEIGHBOURS = 20


@dataclass(frozen=True, slots=True)
class UnnamedPhoto:
    """A photo that nobody has named.

    Attributes:
        id: its number in the catalogue.
        content_hash: SHA-256 of its file, in hex.
        box: "a,b,c,d" where it is a part of a picture, else "".
        path: the file, absolute.
        distance: mean cosine distance to the other photos of its group, those of the known
            individual included; None for a loner.
    """

    id: int
    content_hash: str
    box: str
    path: Path
    distance: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that may show one individual.

    Attributes:
        number: 1 for the largest.
        name: of the individual in the catalogue that they may show, or one made up for a new one.
        known: whether it is in the catalogue.
        photos: the photos without a name, in the order in which they were added.
    """

    number: int
    name: str
    known: bool
    photos: tuple[UnnamedPhoto, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """What is proposed; nothing of it is in the catalogue before somebody confirms it.

    Attributes:
        groups: the largest first.
        loners: photos that are near no other; they wait for more.
        threshold: the mean cosine distance up to which photos were put together.
        why: where that comes from, and what else should be known.
    """

    groups: tuple[Group, ...]
    loners: tuple[UnnamedPhoto, ...]
    threshold: float
    why: tuple[str, ...]


def propose(
    store: Store,
    model_id: str,
    dim: int,
    *,
    threshold: float | None = None,
    include_named: bool = True,
    smallest: int = 2,
    progress: Callable[[str, float | None], None] | None = None,
) -> Grouping:
    """Propose individuals for the photos without a name.

    Args:
        store: the open catalogue.
        model_id: of the model whose fingerprints are compared.
        dim: their length.
        threshold: mean cosine distance up to which photos are put together, in [0, 2]; None to
            choose one (see `choose_threshold`).
        include_named: whether photos may be proposed to show an individual of the catalogue.
        smallest: how many photos make a new individual; fewer are loners.
        progress: is told what is being done, and how far that is, from 0 to 1.

    Raises:
        ResightError: a threshold or a size that cannot be one, or no photo waits for a name.
        UnusableCatalogue: a fingerprint that is damaged.
    """
    if threshold is not None and not 0 <= threshold <= 2:
        raise ResightError(f"a threshold is a distance from 0 to 2, and {threshold} is none")
    if smallest < 1:
        raise ResightError(f"a group has one photo at least, not {smallest}")
    tell = progress or _nobody
    tell("Reading", None)
    whose = schema.photos.c.individual_id
    with store.reading() as connection:
        unnamed = read_pool(connection, store, dim, fingerprinted(model_id, whose.is_(None)))
        waiting = connection.scalars(
            sa.select(sa.func.count()).where(whose.is_(None), IN)
        ).one() - len(unnamed.rows)
        if not unnamed.rows:
            without = f"; {waiting:,} have no fingerprint of the model in use" if waiting else ""
            raise ResightError(f"{store.place}: no photo here waits for a name{without}")
        named = fingerprinted(model_id, whose.is_not(None))
        reason = f"the threshold {threshold} was given"
        if threshold is None:
            sample = read_pool(connection, store, dim, named.limit(_SAMPLE))
            tell("Asking the named photos how near is near enough", None)
            blind, _ = decided_clusters(connection, sample, blind=True)
            threshold, reason = choose_threshold(sample, blind, unnamed.vectors)
        some = unnamed
        if include_named:
            tell("Looking who is near", None)
            near = near_individuals(connection, store, dim, named, unnamed.vectors, threshold)
            # SQLite takes no more than 32,766 values in a statement.
            them = whose.in_(near) if len(near) < 30_000 else whose.is_not(None)
            some = read_pool(
                connection, store, dim, fingerprinted(model_id, whose.is_(None) | them)
            )
        clusters, clashes = decided_clusters(connection, some)
        people = sa.select(PEOPLE.c.id, PEOPLE.c.name).where(~PEOPLE.c.gone)
        names = {row.id: row.name for row in connection.execute(people)}
    few = f"{len(some.rows):,} photos"
    for _ in clusters.link(threshold, progress=lambda share: tell(f"Comparing {few}", share)):
        tell(f"Putting together {few}", None)
    groups, loners = _values(store, some, clusters, names, smallest)
    why = [reason]
    if clashes:
        why.append(
            "encounters whose photos cannot all be of one individual, and were taken one by one: "
            f"{clashes:,}"
        )
    if waiting:
        why.append(f"photos left out for want of a fingerprint of the model in use: {waiting:,}")
    return Grouping(groups, loners, threshold, tuple(why))


def choose_threshold(named: Pool, clusters: Clusters, unnamed: Vectors) -> tuple[float, str]:
    """Up to which distance photos are put together, and in words why.

    The named photos are linked as if nobody had named them; a link is right when most photos of
    both clusters show the same individual. The threshold is the distance of the last right link
    up to which under 1 % of the links are wrong; or, where no distance keeps them so few, under 2,
    5 or 10 %, said aloud. Where that rests on fewer than `ENOUGH_LINKS` links, it is a tenth of the
    median distance between photos, but less than the distance of any wrong link.

    Args:
        named: photos with names.
        clusters: of the same rows, none with an owner; they are linked here.
        unnamed: float32 (n, dim), to guess from with the others.
    """
    right = wrong = 0
    first_wrong = 2.0
    reached = dict.fromkeys(WRONG_LINKS, (0.0, 0, 0))  # distance, wrong links, links
    owners = named.owners().tolist()
    whose = [Counter(owners[row] for row in rows) for rows in clusters.members]
    for link in clusters.link(2.0, _SAMPLE_NEIGHBOURS):
        one, other = whose[link.kept], whose[link.gone]
        if _most(one) == _most(other):
            right += 1
            for level in WRONG_LINKS:
                if wrong < level * (right + wrong):
                    reached[level] = (max(0.0, link.distance), wrong, right + wrong)
        else:
            wrong += 1
            first_wrong = min(first_wrong, link.distance)
            if wrong > WRONG_LINKS[-1] * len(owners):  # never to be made good again
                break
        one.update(other)
    for level, (distance, bad, of) in reached.items():
        if of >= ENOUGH_LINKS:
            strict = f"; no distance keeps them under {WRONG_LINKS[0]:.0%}, so look closely"
            return distance, (
                f"the threshold {distance:.3f} comes from {len(owners):,} named photos: of {of:,} "
                f"links between them up to that distance {bad} were wrong ({bad / of:.1%})"
                + strict
                * (level > WRONG_LINKS[0])
            )
    some = np.concatenate([named.vectors, unnamed])
    some = some[:: 1 + len(some) // 1000]
    pairs = (1 - some @ some.T)[np.triu_indices(len(some), 1)]
    guess = float(np.median(pairs)) / 10 if len(pairs) else 0.0
    guess = max(0.0, min(guess, float(np.nextafter(first_wrong, 0))))
    most = len(owners) - len({*owners})  # links that could be right
    why = (
        f"the named photos can make {most:,} right links, and it takes {ENOUGH_LINKS} to choose by"
        if most < ENOUGH_LINKS
        else f"among the named photos no distance keeps wrong links under {WRONG_LINKS[-1]:.0%}: "
        "the model hardly tells them apart, train one on them"
    )
    return guess, (
        f"the threshold {guess:.3f} is a guess, a tenth of the median distance between photos or "
        f"less; {why}"
    )


def _nobody(words: str, share: float | None) -> None:
    """Is told."""


def _most(whose: Counter[int]) -> int:
    return min(whose, key=lambda owner: (-whose[owner], owner))


def _values(
    store: Store, photos: Pool, clusters: Clusters, names: dict[int, str], smallest: int
) -> tuple[tuple[Group, ...], tuple[UnnamedPhoto, ...]]:
    found: list[tuple[str | None, list[UnnamedPhoto]]] = []
    loners: list[UnnamedPhoto] = []
    for members in clusters.members:
        rows = sorted((photos.rows[i].id, i) for i in members if not photos.rows[i].individual_id)
        if not rows:
            continue
        whose = {photos.rows[i].individual_id for i in members}
        wide = photos.vectors[members].astype(np.float64)
        others = len(members) - 1
        some = []
        for _, i in rows:
            row, vector = photos.rows[i], photos.vectors[i].astype(np.float64)
            to_others = vector @ wide.sum(axis=0) - vector @ vector
            distance = max(0.0, float(1 - to_others / others)) if others else None
            path = store.whole_path(row.path)
            some.append(UnnamedPhoto(row.id, row.content_hash, row.box, path, distance))
        if whose != {None} or len(some) >= smallest:
            found.append((next((names[i] for i in whose if i), None), some))
        else:
            loners += some
    found.sort(key=lambda pair: -len(pair[1]))  # equals stay in the order of their content
    taken = {*names.values()}
    free = (name for i in count(1) if (name := f"New {i}") not in taken)
    groups = tuple(
        Group(number, known or next(free), known is not None, tuple(some))
        for number, (known, some) in enumerate(found, start=1)
    )
    return groups, tuple(sorted(loners, key=lambda photo: photo.id))
