"""Who is this? One photo at a time, or all photos of an encounter together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.answer import (
    Answer,
    Answers,
    Basis,
    Candidate,
    CandidateSet,
    Match,
    Searched,
)
from resight.catalogue.asking import Asked, Near, Query, ask_each, ask_together, left_out
from resight.catalogue.calibrated import Kept
from resight.catalogue.closely import Closely, Look
from resight.catalogue.conformal import candidate_sets, unbounded
from resight.catalogue.decision import Probabilities, assign, probabilities, share_among
from resight.catalogue.evidence import KEPT
from resight.catalogue.search import Gallery, Vectors, nearest
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError, UnusableCatalogue

__all__ = [
    "Answer",
    "Answers",
    "Asking",
    "Basis",
    "Candidate",
    "CandidateSet",
    "Match",
    "Query",
    "Searched",
    "identify",
    "identify_encounter",
    "neighbours",
]

_Words = tuple[dict[int, tuple[Path, str | None]], dict[int, str]]

SAME = 1e-4  # the distance of a photo to itself, as far as rounding goes
REMEMBERED = 20.0  # encounters that the past counts for, when those asked tell the share of new


@dataclass(frozen=True)
class Asking:
    """How questions are put, the same for all of them.

    Attributes:
        store: where names and paths are.
        gallery: what is searched.
        model_id: of the model that made both sides.
        decide: how to decide.
        top: how many individuals to offer.
        photos_each: how many photos of each.
        leave_out_itself: whether a query's own photo is left out of its candidates.
        share_new: how often somebody new is expected; "asked": as often as these questions
            themselves suggest, taken together; None: as the calibration found.
        filters: what was left out of the gallery, in words.
        closely: looks at the candidates' photos by keypoints; None where nobody does.
    """

    store: Store
    gallery: Gallery
    model_id: str
    decide: Kept
    top: int = 3
    photos_each: int = 3
    leave_out_itself: bool = False
    share_new: float | str | None = None
    filters: str = ""
    closely: Closely | None = None

    def look(self, queries: Sequence[Query]) -> Look | None:
        """How the candidates of these queries are looked at."""
        by = self.closely
        if by is None:
            return None
        return lambda number, rows: by.compare(
            queries[number].details, self.gallery.photo_ids[rows]
        )


def identify(how: Asking, vectors: Vectors, queries: Sequence[Query]) -> tuple[Answer, ...]:
    """Rank the individuals of a gallery for each query, and decide.

    Args:
        how: what all have in common.
        vectors: float32 (q, dim), the queries' fingerprints.
        queries: what is known of each.

    Raises:
        UnusableCatalogue: nobody is enrolled.
    """
    _check(how)
    without, said = left_out(how.store, queries, how.leave_out_itself)
    asked = ask_each(
        how.gallery,
        vectors,
        without,
        top=how.top,
        photos_each=how.photos_each,
        look=how.look(queries),
    )
    return _answers(how, asked, [(query,) for query in queries], said)


def identify_encounter(how: Asking, vectors: Vectors, queries: Sequence[Query]) -> Answer:
    """Ask of several photos of one individual: one answer; arguments as those of `identify`.

    Raises:
        ResightError: two photos are parts of one picture, so that they show two individuals.
        UnusableCatalogue: nobody is enrolled.
    """
    _check(how)
    seen = set()
    for query in queries:
        if query.picture is not None and query.picture in seen:
            raise ResightError(
                f"{query.name}: is a part of the same picture as another, so they show two "
                "individuals and not one encounter; ask of each by itself"
            )
        seen.add(query.picture)
    without, said = left_out(how.store, queries, how.leave_out_itself)
    asked = ask_together(
        how.gallery,
        vectors,
        without,
        top=how.top,
        photos_each=how.photos_each,
        look=how.look(queries),
    )
    (answer,) = _answers(how, asked, [tuple(queries)], [{i for some in said for i in some}])
    return answer


def neighbours(store: Store, gallery: Gallery, vectors: Vectors, k: int) -> list[tuple[Match, ...]]:
    """For each of the vectors, float32 (q, dim), its k nearest photos, whosever they are."""
    found = nearest(vectors, gallery, k)
    return matches(store, [(gallery.photo_ids[rows], distances) for rows, distances in found])


def matches(store: Store, found: Sequence[tuple[Any, Any]]) -> list[tuple[Match, ...]]:
    """Found photos, as pairs of ids (k,) and distances (k,), in words."""
    known, _ = _words(store, {int(i) for ids, _ in found for i in ids})
    return [
        tuple(
            Match(known[i][0], distance, name, i)
            for i, distance in zip(ids.tolist(), distances.tolist(), strict=True)
            if (name := known[i][1]) is not None  # else somebody has just taken it away
        )
        for ids, distances in found
    ]


def _check(how: Asking) -> None:
    if not len(how.gallery):
        if how.filters:
            raise UnusableCatalogue(f"{how.store.place}: no photo passes the filter: {how.filters}")
        raise UnusableCatalogue(f"{how.store.place}: nobody is enrolled yet; enrol a photo first")


def _answers(
    how: Asking,
    asked: Asked,
    queries: Sequence[tuple[Query, ...]],
    said: Sequence[set[int]],
) -> tuple[Answer, ...]:
    """The answer to each question; `said` is whom it was not to find, as somebody told."""
    made = how.decide.calibration
    share = how.share_new
    sure = None
    if asked.evidence is not None:
        number = share if isinstance(share, float | int) else None
        sure = probabilities(asked.evidence, made.parameters, number)
        if share == "asked":
            past = REMEMBERED / max(REMEMBERED, sum(made.expected))
            new, known = made.expected
            share = share_among(sure.odds, np.ones(len(sure.odds)), (new * past, known * past))
            sure = probabilities(asked.evidence, made.parameters, share)
    ids = how.gallery.photo_ids
    words = _words(
        how.store,
        {int(i) for near in asked.near for one in near for i in ids[one.rows]}
        | {i for several in queries for query in several for i in query.enrolled},
        {one.individual_id for near in asked.near for one in near}.union(*said),
    )
    looks = how.closely is not None
    picks = _choose(how.decide, asked, sure, [several[0].picture for several in queries], looks)
    searched = Searched(how.model_id, len(how.gallery.people), len(how.gallery), how.filters)
    basis = how.decide.basis(len(how.gallery), None if isinstance(share, str) else share)
    basis = replace(basis, closely=how.closely is not None)
    answers = []
    here = set(how.gallery.people.tolist())
    for several, near, row, pick, told in zip(
        queries, asked.near, asked.rows, picks, said, strict=True
    ):
        names = tuple(query.name for query in several)
        word = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        itself = (i for query in several for i in query.enrolled)
        answer = Answer(
            word,
            None,
            None,
            (),
            searched,
            next((name for i in itself if (name := words[0][i][1]) is not None), None),
            basis=basis,
            queries=names,
            left_out=tuple(sorted(words[1][i] for i in told & here)),
            junk=any(query.junk for query in several),
        )
        if row is not None and sure is not None:
            if len(several) == 1 and (itself_at := _itself(how, near, several[0])) is not None:
                pick = itself_at
            answer = _told(how, answer, near, sure.of(np.array([row])), pick, words)
        answers.append(answer)
    return tuple(answers)


def _itself(how: Asking, near: Sequence[Near], query: Query) -> int | None:
    """The place of the individual whose photo this very one is: a person has said who that is."""
    mine = set(query.enrolled)
    for place, one in enumerate(near[:KEPT]):
        for row, distance in zip(one.rows.tolist(), one.distances.tolist(), strict=True):
            if distance < SAME and int(how.gallery.photo_ids[row]) in mine:
                return place
    return None


def _choose(
    decide: Kept,
    asked: Asked,
    sure: Probabilities | None,
    pictures: Sequence[str | None],
    closely: bool,
) -> list[int | None]:
    """For each question the place of the individual that it is; None: somebody new, or nobody."""
    picks: list[int | None] = []
    for near, row in zip(asked.near, asked.rows, strict=True):
        if row is None or sure is None:
            picks.append(None)
        elif not decide.calibration.enough:
            picks.append(int(sure.known[row][: len(near)].argmax()) if closely else 0)
        elif sure.odds[row] > decide.calibration.parameters.threshold:
            picks.append(None)
        else:
            picks.append(int(sure.known[row][: len(near)].argmax()))
    for picture in {picture for picture in pictures if picture is not None}:
        here = [
            (number, row)
            for number, row in enumerate(asked.rows)
            if pictures[number] == picture and picks[number] is not None and row is not None
        ]
        if len(here) < 2 or sure is None:
            continue
        people = [[one.individual_id for one in asked.near[number][:KEPT]] for number, _ in here]
        who = sorted({i for some in people for i in some})
        table = np.zeros((len(here), len(who)))
        for line, (_, row) in enumerate(here):
            table[line, np.searchsorted(who, people[line])] = sure.known[row][: len(people[line])]
        new = np.array([sure.new[row] for _, row in here])
        for line, column in enumerate(assign(table, new)):
            picks[here[line][0]] = None if column is None else people[line].index(who[column])
    return picks


def _told(
    how: Asking,
    answer: Answer,
    near: Sequence[Near],
    sure: Probabilities,
    pick: int | None,
    known: _Words,
) -> Answer:
    """An answer with all that was found (`sure` is of this one question)."""
    photos, name = known
    shown = list(range(len(near)))
    if how.closely is not None:  # nearest is then not likeliest
        shown.sort(key=lambda place: -sure.known[0][place] if place < sure.known.shape[1] else 0)
    del shown[how.top :]
    if pick is not None and pick not in shown:
        shown.append(pick)
    chance, new = sure.known[0], float(sure.new[0])
    candidates = []
    for place in shown:
        one, few = near[place], slice(how.photos_each)
        candidates.append(
            Candidate(
                name[one.individual_id],
                float(one.distance),
                tuple(
                    Match(photos[i][0], distance, name[one.individual_id], i)
                    for i, distance in zip(
                        how.gallery.photo_ids[one.rows[few]].tolist(),
                        one.distances[few].tolist(),
                        strict=True,
                    )
                ),
                float(chance[place]) if place < len(chance) else None,
            )
        )
    sets = []
    alone = np.array([len(answer.queries) == 1])
    for one_promise in how.decide.calibration.promises if how.decide.calibration.enough else ():
        inside, with_new = candidate_sets(sure, one_promise, alone)
        if pick is not None and pick < len(chance):
            inside[0, pick] = True  # the answer itself, even where the promise is kept without
        places = np.flatnonzero(inside[0])
        places = places[np.argsort(-chance[places], kind="stable")]
        sets.append(
            CandidateSet(
                one_promise.level,
                tuple(name[near[int(place)].individual_id] for place in places),
                bool(with_new[0]) or pick is None,
                bool(unbounded(one_promise, alone)[0]),
            )
        )
    return replace(
        answer,
        individual=None if pick is None else name[near[pick].individual_id],
        probability=new if pick is None else float(chance[pick]),
        candidates=tuple(candidates),
        p_new=new,
        p_others=max(0.0, 1 - new - sum(one.probability or 0.0 for one in candidates)),
        sets=tuple(sets),
    )


def _words(store: Store, photo_ids: Iterable[int], people_ids: Iterable[int] = ()) -> _Words:
    """Path and name (None: without one) of each of these photos; name of each individual.

    Somebody may have moved, merged or unnamed since the gallery was read. An answer says whose a
    photo was there, so individuals are named by their own rows, which are never deleted.
    """
    photos, people = schema.photos, schema.individuals
    known: dict[int, tuple[Path, str | None]] = {}
    names: dict[int, str] = {}
    with store.reading() as connection:
        for some in chunks(sorted(photo_ids)):
            for photo_id, path, name in connection.execute(
                sa.select(photos.c.id, photos.c.path, people.c.name)
                .outerjoin(people, people.c.id == photos.c.individual_id)
                .where(photos.c.id.in_(some))
            ):
                known[photo_id] = (store.whole_path(path), name)
        for some in chunks(sorted(people_ids)):
            for person_id, name in connection.execute(
                sa.select(people.c.id, people.c.name).where(people.c.id.in_(some))
            ):
                names[person_id] = name
    return known, names
