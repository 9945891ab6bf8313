"""Who is this? Answers, as values."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.search import Gallery, Vectors, nearest, nearest_individuals
from resight.catalogue.store import Store, chunks
from resight.errors import UnreadablePhoto, UnusableCatalogue


@dataclass(frozen=True, slots=True)
class Match:
    """An enrolled photo near the query.

    Attributes:
        path: the photo's file, absolute.
        distance: cosine distance 1 - cos to the query, in [0, 2]; 0 for equal fingerprints.
        individual: the name of who is on it.
    """

    path: Path
    distance: float
    individual: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An individual offered.

    Attributes:
        individual: its name.
        distance: that of its nearest photo.
        photos: its nearest photos, nearest first.
    """

    individual: str
    distance: float
    photos: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """What was searched for an answer.

    Attributes:
        model: id of the model whose fingerprints were compared.
        individuals: how many there were to choose from.
        photos: how many of theirs.
    """

    model: str
    individuals: int
    photos: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Who a photo shows, as far as the catalogue knows: a ranking, not yet a decision.

    Attributes:
        query: the photo's path as it was given, or a word for one that came from memory.
        individual: the nearest individual, be it near or far; None when there is none.
        probability: that it is this individual; None, since nothing is calibrated yet.
        candidates: the individuals whose nearest photo is nearest, nearest first.
        searched: what was searched.
        enrolled_as: whose photo this very file is enrolled as, or None.
    """

    query: str
    individual: str | None
    probability: float | None
    candidates: tuple[Candidate, ...]
    searched: Searched
    enrolled_as: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer in strings, numbers, lists and dictionaries, ready for JSON."""
        return {
            "query": self.query,
            "individual": self.individual,
            "probability": self.probability,
            "enrolled_as": self.enrolled_as,
            "candidates": [
                {
                    "individual": candidate.individual,
                    "distance": candidate.distance,
                    "photos": [
                        {"path": str(match.path), "distance": match.distance}
                        for match in candidate.photos
                    ],
                }
                for candidate in self.candidates
            ],
            "searched": {
                "model": self.searched.model,
                "individuals": self.searched.individuals,
                "photos": self.searched.photos,
            },
        }


@dataclass(frozen=True, slots=True)
class Answers(Sequence[Answer]):
    """The answers for several photos, in their order; behaves as a sequence of them.

    Attributes:
        answers: one for every photo that could be read.
        unreadable: the errors of the others; each names its file and says why.
    """

    answers: tuple[Answer, ...]
    unreadable: tuple[UnreadablePhoto, ...] = ()

    def __len__(self) -> int:
        return len(self.answers)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self.answers)

    @overload
    def __getitem__(self, place: int) -> Answer: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Answer, ...]: ...
    def __getitem__(self, place: int | slice) -> Answer | tuple[Answer, ...]:
        return self.answers[place]


def identify(
    store: Store,
    gallery: Gallery,
    model_id: str,
    vectors: Vectors,
    queries: Sequence[str],
    *,
    top: int,
    photos_each: int,
    enrolled: Sequence[Collection[int]] | None = None,
    leave_out_itself: bool = False,
) -> tuple[Answer, ...]:
    """Rank the individuals of a gallery for each query.

    Args:
        store: where names and paths are.
        gallery: what is searched.
        model_id: of the model that made both sides.
        vectors: float32 (q, dim), the queries' fingerprints.
        queries: q words that name them.
        top: how many individuals to offer.
        photos_each: how many photos of each.
        enrolled: for each query the ids of the photos that are this very file.
        leave_out_itself: whether those are left out of its candidates.

    Raises:
        UnusableCatalogue: nobody is enrolled.
    """
    if not len(gallery):
        raise UnusableCatalogue(f"{store.path}: nobody is enrolled yet; enrol a photo first")
    enrolled = enrolled if enrolled is not None else [()] * len(queries)
    ranked = nearest_individuals(
        vectors,
        gallery,
        top=top,
        photos_each=photos_each,
        without=enrolled if leave_out_itself else None,
    )
    known = _photos(
        store,
        {int(i) for found in ranked for one in found for i in gallery.photo_ids[one.rows]}
        | {i for ids in enrolled for i in ids},
    )
    searched = Searched(model_id, len(gallery.starts), len(gallery))
    answers = []
    for query, found, itself in zip(queries, ranked, enrolled, strict=True):
        candidates = []
        for one in found:
            matches = _matches(gallery, one.rows, one.distances, known)
            candidates.append(Candidate(matches[0].individual, matches[0].distance, matches))
        answers.append(
            Answer(
                query,
                candidates[0].individual if candidates else None,
                None,
                tuple(candidates),
                searched,
                next((known[i][1] for i in itself), None),
            )
        )
    return tuple(answers)


def neighbours(store: Store, gallery: Gallery, vectors: Vectors, k: int) -> list[tuple[Match, ...]]:
    """For each of the vectors, float32 (q, dim), its k nearest photos, whosever they are."""
    found = nearest(vectors, gallery, k)
    known = _photos(store, {int(i) for rows, _ in found for i in gallery.photo_ids[rows]})
    return [_matches(gallery, rows, distances, known) for rows, distances in found]


def _matches(
    gallery: Gallery, rows: Any, distances: Any, known: dict[int, tuple[Path, str]]
) -> tuple[Match, ...]:
    matches = []
    for photo_id, distance in zip(
        gallery.photo_ids[rows].tolist(), distances.tolist(), strict=True
    ):
        path, individual = known[photo_id]
        matches.append(Match(path, distance, individual))
    return tuple(matches)


def _photos(store: Store, ids: Iterable[int]) -> dict[int, tuple[Path, str]]:
    """Path and individual of each of these photos."""
    photos, individuals = schema.photos, schema.individuals
    known = {}
    with store.reading() as connection:
        for some in chunks(sorted(ids)):
            for photo_id, path, name in connection.execute(
                sa.select(photos.c.id, photos.c.path, individuals.c.name)
                .join(individuals, individuals.c.id == photos.c.individual_id)
                .where(photos.c.id.in_(some))
            ):
                known[photo_id] = (store.whole_path(path), name)
    return known
