"""Look over photos before an hour is spent on them: what is wrong, what it costs, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from resight.errors import UnusablePhotos
from resight.photos.examine import Examined
from resight.photos.findings import Example, Finding, Herd
from resight.photos.inspect_files import broken, copies, hardly_visible
from resight.photos.inspect_names import imbalance, names, sides, singles, unnamed
from resight.photos.inspect_times import bursts, dates
from resight.photos.near import Look, look_at
from resight.photos.photo import Photo
from resight.photos.problem import Problem
from resight.photos.sources import check_trainable
from resight.words import counted

__all__ = ["Example", "Finding", "Inspection", "inspect"]

_GRADES = ("mend", "look", "know")


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        photos: those that were looked at, with the dates that their files tell; the findings'
            positions are of these.
        counts: how many photos can be used of each individual, by name.
        days: how many photos were taken on each day, by day; empty where no photo has a date.
        encounters: how many encounters are known.
        findings: what is wrong first, then what may be, then what costs.
        can_train: whether training can begin, with --skip-bad where photos cannot be used.
        verdict: the same in a sentence.
    """

    photos: list[Photo]
    counts: dict[str, int]
    days: dict[str, int]
    encounters: int
    findings: list[Finding]
    can_train: bool
    verdict: str


def inspect(
    photos: Sequence[Photo],
    examined: Examined,
    *,
    problems: Sequence[Problem] = (),
    look: Look | None = None,
) -> Inspection:
    """Check photos and what is written down of them.

    Of each kind of thing that is wrong or costs comes one finding, if there is any.

    Args:
        photos: what to check.
        examined: what `examine` found of them.
        problems: what was wrong already when they were taken in.
        look: a closer look at photos that may be near-copies; by default they are read again.
    """
    herd = Herd(photos, examined.facts)
    found = [
        *broken([*problems, *examined.problems]),
        *copies(herd, look or look_at(herd.photos)),
        *names(herd),
        *bursts(herd),
        *singles(herd),
        *imbalance(herd),
        *sides(herd),
        *dates(herd),
        *hardly_visible(herd),
        *unnamed(herd),
    ]
    found.sort(key=lambda finding: _GRADES.index(finding.grade))
    days: dict[str, int] = {}
    for place in herd.good:
        if (date := herd.photos[place].date) is not None:
            day = date.date().isoformat()
            days[day] = days.get(day, 0) + 1
    can_train, verdict = _verdict(herd, found)
    return Inspection(
        herd.photos,
        {name: len(places) for name, places in herd.of.items()},
        dict(sorted(days.items())),
        len(np.unique(herd.encounters[herd.encounters >= 0])),
        found,
        can_train,
        verdict,
    )


def _verdict(herd: Herd, found: list[Finding]) -> tuple[bool, str]:
    try:
        check_trainable([herd.photos[place] for place in herd.good])
    except UnusablePhotos as error:
        return False, f"Training cannot begin: {error}."
    several = sum(len(places) > 1 for places in herd.of.values())
    of_them = "all" if several == len(herd.of) else f"{several:,} of them"
    have = (
        f"{counted(sum(map(len, herd.of.values())), 'photo')} of "
        f"{counted(len(herd.of), 'individual')}, {of_them} with two photos or more"
    )
    kinds = {finding.kind for finding in found if finding.grade == "mend"}
    how = " with --skip-bad" if "broken" in kinds else ""
    but = ", but mend first what is wrong" if kinds - {"broken"} else ""
    return True, f"Training can begin{how}{but}: {have}."
