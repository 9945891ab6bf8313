"""What a check of photos finds: how many, what it costs, what to do, and some of them to see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from resight.photos.encounters import Places, encounter_numbers
from resight.photos.examine import Facts
from resight.photos.from_files import dated
from resight.photos.photo import Photo
from resight.photos.problem import Problem

# mend: it is wrong. look: it may be, and only a person can tell. know: it costs, and is nobody's
# mistake.
Grade = Literal["mend", "look", "know"]
EXAMPLES = 24  # of each finding, at most


@dataclass(frozen=True, slots=True)
class Example:
    """One case of a finding.

    Attributes:
        words: what is to be seen, such as the names or the place in the table.
        photos: positions of the photos to show, few.
    """

    words: str
    photos: tuple[int, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One kind of thing that a person should know before training.

    Attributes:
        kind: a word for programs: "broken", "copies", "crossed", ….
        grade: "mend" what is wrong, "look" at what may be, "know" what it costs.
        count: how many there are, of what `title` counts.
        title: what was found, a sentence without its full stop.
        cost: what happens when it stays as it is.
        advice: what to do.
        examples: some of them, `EXAMPLES` at most.
        groups: how many cases there are to show, where one is several of what is counted.
    """

    kind: str
    grade: Grade
    count: int
    title: str
    cost: str
    advice: str
    examples: tuple[Example, ...] = ()
    groups: int | None = None

    @property
    def cases(self) -> int:
        """How many examples there would be, if all were shown."""
        return self.count if self.groups is None else self.groups


class Herd:
    """What every check looks at: the photos that can be read, counted once.

    Attributes:
        photos: all of them, with the date from the file where the table has none.
        facts: for each photo; None where it cannot be read.
        good: positions of those that can be read.
        of: the good positions of each individual, by name, sorted by name.
        encounters: int64 (n,), see `encounter_numbers`.
    """

    def __init__(self, photos: Sequence[Photo], facts: Sequence[Facts | None]) -> None:
        self.facts = facts
        self.photos = [
            dated(photo, fact.exif) if fact else photo
            for photo, fact in zip(photos, facts, strict=True)
        ]
        self.good = [place for place, fact in enumerate(facts) if fact is not None]
        of: dict[str, list[int]] = defaultdict(list)
        for place in self.good:
            if (name := self.photos[place].individual) is not None:
                of[name].append(place)
        self.of = dict(sorted(of.items()))
        self.encounters: Places = encounter_numbers(self.photos)

    def name(self, place: int) -> str:
        """Who a photo shows."""
        return self.photos[place].individual or "nobody named"

    def labels(self, places: Sequence[int]) -> Places:
        """Numbers of the individuals, int64; -1 where nobody knows."""
        numbers = {name: number for number, name in enumerate(self.of)}
        names = (self.photos[place].individual for place in places)
        return np.array([-1 if n is None else numbers[n] for n in names], np.int64)


def problem_examples(problems: Iterable[Problem]) -> tuple[Example, ...]:
    """The first of some problems as examples; there is nothing to show of a broken file."""
    return tuple(Example(str(problem)) for problem, _ in zip(problems, range(EXAMPLES)))  # noqa: B905
