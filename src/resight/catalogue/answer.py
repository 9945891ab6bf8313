"""The answer to "who is this?", as a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, overload

from resight.errors import UnreadablePhoto


@dataclass(frozen=True, slots=True)
class Match:
    """An enrolled photo near the query.

    Attributes:
        path: the photo's file, absolute.
        distance: cosine distance 1 - cos to the query, in [0, 2]; 0 for equal fingerprints.
        individual: the name of who is on it.
        photo: its number in the catalogue.
    """

    path: Path
    distance: float
    individual: str
    photo: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An individual offered.

    Attributes:
        individual: its name.
        distance: that of its nearest photo; of several queries together, the mean of theirs.
        photos: its nearest photos, nearest first.
        probability: that it is this individual.
    """

    individual: str
    distance: float
    photos: tuple[Match, ...]
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """Who it is, with a promise. The answer itself is always among them.

    Attributes:
        level: how often the truth is among these, such as 0.95; known or new alike.
        individuals: the names, the likeliest first.
        new: whether "somebody new" is one of them.
        everybody: it takes the whole catalogue to keep the promise; `individuals` are the nearest.
    """

    level: float
    individuals: tuple[str, ...]
    new: bool
    everybody: bool


@dataclass(frozen=True, slots=True)
class Basis:
    """What the probabilities rest on.

    Attributes:
        calibrated: whether they were measured on enough of this catalogue's own photos; otherwise
            they are a guess from how catalogues are on average, and nobody is called new.
        resightings: encounters with somebody seen before that they rest on.
        individuals: whose.
        photos: that the catalogue had then.
        at: when; None if never.
        old: the catalogue has since grown by more than a quarter: calibrate again.
        share_new: how often somebody new was expected.
        closely: whether candidates were looked at closely, by keypoints.
    """

    calibrated: bool
    resightings: int
    individuals: int
    photos: int
    at: datetime | None
    old: bool
    share_new: float
    closely: bool = False

    def words(self) -> str:
        """The same in a sentence."""
        if not self.calibrated:
            rests = (
                f"too few to tell: {self.resightings} encounters with somebody seen before"
                if self.at
                else f"run resight calibrate{' --closely' * self.closely}"
            )
            return f"Not calibrated yet ({rests}); the probabilities are a guess."
        old = " The catalogue has grown since: calibrate again." if self.old else ""
        return (
            f"Calibrated on {self.resightings:,} encounters with somebody seen before, of "
            f"{self.individuals:,} individuals.{old}"
        )


@dataclass(frozen=True, slots=True)
class Searched:
    """What was searched for an answer.

    Attributes:
        model: id of the model whose fingerprints were compared.
        individuals: how many there were to choose from.
        photos: how many of theirs.
        filters: which photos were searched, in words; "" for all.
    """

    model: str
    individuals: int
    photos: int
    filters: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Who a photo shows, as far as the catalogue knows.

    Attributes:
        query: the photo's path as it was given, or a word for one that came from memory.
        individual: the likeliest; None for somebody new (and where there is nobody to choose).
            Until the catalogue is calibrated, the nearest, be it near or far. Of a photo that is
            enrolled itself, whoever it is enrolled as.
        probability: that this is so: that it is `individual`, or that it is new.
        candidates: the individuals whose nearest photo is nearest, nearest first; the likeliest,
            where it is not among them, comes last.
        searched: what was searched.
        enrolled_as: whose photo this very file is enrolled as, or None.
        p_new: the probability that it is somebody new.
        p_others: that it is one of the individuals that are not among the candidates.
        sets: candidate sets with a promise; none until the catalogue is calibrated.
        basis: what the probabilities rest on.
        queries: of an answer for several photos together, all of them.
        left_out: who was not offered, since somebody said "not the same" of the photo.
        junk: whether somebody has said that the photo is; it is compared all the same.
    """

    query: str
    individual: str | None
    probability: float | None
    candidates: tuple[Candidate, ...]
    searched: Searched
    enrolled_as: str | None = None
    p_new: float | None = None
    p_others: float | None = None
    sets: tuple[CandidateSet, ...] = ()
    basis: Basis | None = None
    queries: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    junk: bool = False

    @property
    def is_new(self) -> bool:
        """Whether the answer is "somebody new"."""
        return self.individual is None and self.p_new is not None

    def to_dict(self) -> dict[str, Any]:
        """The answer in strings, numbers, lists and dictionaries, ready for JSON."""
        basis = None
        if self.basis is not None:
            basis = asdict(self.basis)
            basis["at"] = self.basis.at.isoformat() if self.basis.at else None
        return {
            "query": self.query,
            "individual": self.individual,
            "new": self.is_new,
            "probability": self.probability,
            "p_new": self.p_new,
            "p_others": self.p_others,
            "enrolled_as": self.enrolled_as,
            "candidates": [
                {
                    "individual": candidate.individual,
                    "probability": candidate.probability,
                    "distance": candidate.distance,
                    "photos": [
                        {"path": str(match.path), "distance": match.distance}
                        for match in candidate.photos
                    ],
                }
                for candidate in self.candidates
            ],
            "sets": [{**asdict(one), "individuals": list(one.individuals)} for one in self.sets],
            "basis": basis,
            "queries": list(self.queries),
            "left_out": list(self.left_out),
            "junk": self.junk,
            "searched": asdict(self.searched),
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
