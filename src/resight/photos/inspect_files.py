"""Checks of the files: what cannot be read, what is there twice, what shows hardly anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from resight.photos.findings import EXAMPLES, Example, Finding, Herd, problem_examples
from resight.photos.near import Look, NearCopies, near_copies
from resight.photos.problem import Problem
from resight.photos.sound import is_sound
from resight.words import counted

SMALL = 48  # pixels of the shorter side
DARK, BRIGHT = 20, 235  # mean grey level

_TAUGHT = "the model is taught that one picture shows two individuals"
_ADVICE = "Look at each, correct the name, and remove the copy."


@dataclass(frozen=True, slots=True)
class _Case:
    """Near-copies under several names.

    Attributes:
        odd: positions of those that are not of the commonest name.
        names: how many photos there are of each.
    """

    odd: list[int]
    names: Counter[str | None]


def broken(problems: Sequence[Problem]) -> list[Finding]:
    """Rows and files that cannot be used."""
    if not problems:
        return []
    count = len({one.where for one in problems})  # several things may be wrong with one
    return [
        Finding(
            "broken",
            "mend",
            count,
            f"{counted(count, 'photo')} cannot be used",
            "They teach nothing, and training stops at them.",
            "Mend the files or their lines in the table, or go on without them: --skip-bad.",
            problem_examples(problems),
            groups=len(problems),
        )
    ]


def copies(herd: Herd, look: Look) -> list[Finding]:
    """The same picture twice, to the byte or nearly, of one individual or of two."""
    same: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place in herd.good:
        fact = herd.facts[place]
        assert fact is not None
        same[fact.content_hash, herd.photos[place].box].append(place)
    exact = [places for places in same.values() if len(places) > 1]
    crossed = [places for places in exact if len(_names(herd, places)) > 1]
    within = [places for places in exact if len(_names(herd, places)) <= 1]
    # Of each picture one is enough to look for those that are nearly the same.
    single = [places[0] for places in same.values()]
    near = _near(herd, single, look)
    other: dict[int, int] = {}  # a near-copy under another name, of each that has one
    for one, two in near.crossed.tolist():
        other.setdefault(single[one], single[two])
        other.setdefault(single[two], single[one])
    cases, runs = [], []
    for part in near.groups:
        places = [single[place] for place in part.tolist()]
        names = Counter(herd.photos[place].individual for place in places)
        del names[None]
        # One wrong name in a burst is one photo's; the others are near-copies all the same.
        odd = [p for p in places if p in other and herd.name(p) != names.most_common(1)[0][0]]
        if odd:
            cases.append(_Case(odd, names))
        if len(rest := sorted({*places}.difference(odd))) > 1:
            runs.append(rest)
    return [
        *_crossed(herd, crossed),
        *_near_crossed(herd, cases, other),
        *_within(herd, within),
        *_runs(herd, runs),
    ]


def _near(herd: Herd, places: list[int], look: Look) -> NearCopies:
    facts = (herd.facts[place] for place in places)
    hashes = np.array([fact.difference_hash if fact else 0 for fact in facts], np.uint64)
    at = np.array(places, np.int64)
    return near_copies(hashes, lambda some: look(at[some]), labels=herd.labels(places))


def _crossed(herd: Herd, exact: list[list[int]]) -> list[Finding]:
    if not exact:
        return []
    one_file = [places for places in exact if _is_one_file(herd, places)]
    advice = _ADVICE
    if one_file:
        which = "they are" if len(one_file) == len(exact) else f"{len(one_file):,} of them are"
        advice = (
            f"Look at each, and correct the name. Remove no file before you know that there are "
            f"two: {which} one file under two paths."
        )
    return [
        Finding(
            "crossed",
            "mend",
            len(exact),
            f"{counted(len(exact), 'picture')} stand{'s' * (len(exact) == 1)} under two names, "
            "the same to the byte",
            f"At least one of the names is wrong: {_TAUGHT}, and is marked wrong when it sees "
            "that it does not.",
            advice,
            tuple(_together(herd, _one_of_each_name(herd, places)) for places in exact[:EXAMPLES]),
        )
    ]


def _is_one_file(herd: Herd, places: list[int]) -> bool:
    """Whether paths lead to one file, by a link or in another way."""
    first, *others = (herd.photos[place].path for place in places)
    try:
        return all(path.samefile(first) for path in others)
    except OSError:
        return False


def _near_crossed(herd: Herd, cases: list[_Case], other: dict[int, int]) -> list[Finding]:
    count = sum(len(case.odd) for case in cases)
    if not count:
        return []
    return [
        Finding(
            "near-crossed",
            "look",
            count,
            f"{counted(count, 'photo')} {'is' if count == 1 else 'are'} nearly the same picture as "
            "one under another name",
            f"If one of the names is wrong, {_TAUGHT}. If two were photographed together, or "
            "only composed alike, all is well.",
            _ADVICE,
            tuple(_among(herd, case, other) for case in cases[:EXAMPLES]),
            len(cases),
        )
    ]


def _among(herd: Herd, case: _Case, other: dict[int, int]) -> Example:
    """Those of other names, each beside a near-copy, and how many there are of either."""
    pairs = [sorted((place, other[place])) for place in case.odd[:3]]
    photos = tuple(dict.fromkeys(place for pair in pairs for place in pair))
    if case.names.total() == 2:
        return _together(herd, photos)
    (most, count), *_ = case.names.most_common(1)
    others = Counter(herd.name(place) for place in case.odd).most_common(3)
    words = ", ".join(f"{n:,} of {name}" for name, n in others)
    return Example(f"{words} among {count:,} of {most}", photos)


def _within(herd: Herd, exact: list[list[int]]) -> list[Finding]:
    extra = sum(len(places) - 1 for places in exact)
    if not extra:
        return []
    return [
        Finding(
            "copies",
            "mend",
            extra,
            f"{counted(extra, 'photo')} {'is a copy' if extra == 1 else 'are copies'} of others, "
            "to the byte",
            "They count twice in training. On both sides of a split they give the answer away, "
            "and what is measured is too good.",
            "Keep one of each.",
            tuple(_together(herd, places) for places in exact[:EXAMPLES]),
            len(exact),
        )
    ]


def _runs(herd: Herd, runs: list[list[int]]) -> list[Finding]:
    photos = sum(map(len, runs))
    if not photos:
        return []
    runs.sort(key=len, reverse=True)
    return [
        Finding(
            "near-copies",
            "look",
            photos,
            f"{counted(photos, 'photo')} in {counted(len(runs), 'group')} of near-copies",
            "Frames of one burst teach little more than one of them. One of them on either side of "
            "a split makes the question as easy as its answer.",
            "Keep the best of each, or leave them and never split at random: resight divide.",
            tuple(_together(herd, places) for places in runs[:EXAMPLES]),
            len(runs),
        )
    ]


def hardly_visible(herd: Herd) -> list[Finding]:
    """Photos that are very small, dark or bright."""
    small, dark, bright = [], [], []
    for place in herd.good:
        fact, box = herd.facts[place], herd.photos[place].box
        assert fact is not None
        if is_sound(herd.photos[place].path):
            continue  # a spectrogram is as dark as the recording is quiet, and 64 bands are enough
        wide, high = (fact.width, fact.height) if box is None else _size(box)
        if min(wide, high) < SMALL:
            small.append((min(wide, high), place, f"{wide} × {high} pixels"))
        if fact.brightness < DARK:
            dark.append((fact.brightness, place, f"mean grey level {fact.brightness:.0f} of 255"))
        elif fact.brightness > BRIGHT:
            bright.append(
                (-fact.brightness, place, f"mean grey level {fact.brightness:.0f} of 255")
            )
    found = []
    for kind, cases, what, why in (
        ("small", small, f"less than {SMALL} pixels on the shorter side", "too few pixels"),
        ("dark", dark, "nearly black", "too little light"),
        ("bright", bright, "nearly white", "too much light"),
    ):
        if cases:
            verb = "is" if len(cases) == 1 else "are"
            found.append(
                Finding(
                    kind,
                    "look",
                    len(cases),
                    f"{counted(len(cases), 'photo')} {verb} {what}",
                    f"With {why} the pattern cannot be seen; the model learns whatever else is "
                    "there, and such a photo is matched at random.",
                    "Take out those on which you yourself would not know the individual.",
                    tuple(
                        Example(f"{herd.name(place)}, {words}", (place,))
                        for _, place, words in sorted(cases)[:EXAMPLES]
                    ),
                )
            )
    return found


def _size(box: tuple[int, int, int, int]) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _names(herd: Herd, places: Sequence[int]) -> set[str]:
    names = (herd.photos[place].individual for place in places)
    return {name for name in names if name is not None}


def _one_of_each_name(herd: Herd, places: list[int]) -> list[int]:
    return list({herd.photos[place].individual: place for place in places}.values())


def _together(herd: Herd, places: Sequence[int]) -> Example:
    names = sorted(_names(herd, places))
    words = " and ".join(names[:4]) or "nobody named"
    if len(places) > 2:
        words += f", {counted(len(places), 'photo')}"
    return Example(words, tuple(places[:6]))
