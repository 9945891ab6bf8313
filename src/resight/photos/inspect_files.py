"""Checks of the files: what cannot be read, what is there twice, what shows hardly anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from resight.photos.findings import EXAMPLES, Example, Finding, Herd, problem_examples
from resight.photos.near import Look, NearCopies, near_copies
from resight.photos.problem import Problem
from resight.photos.sound import is_sound
from resight.words import counted

SMALL = 48  # pixels of the shorter side
DARK, BRIGHT = 20, 235  # mean grey level


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
    pairs = [(single[one], single[two]) for one, two in near.crossed.tolist()]
    mixed = {place for pair in near.crossed.tolist() for place in pair}
    runs = [[single[p] for p in part] for part in near.groups if not mixed & set(part.tolist())]
    return [
        *_crossed(herd, crossed, pairs),
        *_within(herd, within),
        *_runs(herd, runs),
    ]


def _near(herd: Herd, places: list[int], look: Look) -> NearCopies:
    facts = (herd.facts[place] for place in places)
    hashes = np.array([fact.difference_hash if fact else 0 for fact in facts], np.uint64)
    at = np.array(places, np.int64)
    return near_copies(hashes, lambda some: look(at[some]), labels=herd.labels(places))


def _crossed(herd: Herd, exact: list[list[int]], near: list[tuple[int, int]]) -> list[Finding]:
    found = []
    taught = "the model is taught that one picture shows two individuals"
    advice = "Look at each, correct the name, and remove the copy."
    if exact:
        found.append(
            Finding(
                "crossed",
                "mend",
                len(exact),
                f"{counted(len(exact), 'picture')} stand{'s' * (len(exact) == 1)} under two names, "
                "the same to the byte",
                f"At least one of the names is wrong: {taught}, and is marked wrong when it sees "
                "that it does not.",
                advice,
                tuple(
                    _together(herd, _one_of_each_name(herd, places)) for places in exact[:EXAMPLES]
                ),
            )
        )
    if near:
        found.append(
            Finding(
                "near-crossed",
                "look",
                len(near),
                f"{counted(len(near), 'pair')} of pictures under two names "
                f"{'is' if len(near) == 1 else 'are'} nearly the same",
                f"If one of the names is wrong, {taught}. If two were photographed together, or "
                "only composed alike, all is well.",
                advice,
                tuple(_together(herd, pair) for pair in near[:EXAMPLES]),
            )
        )
    return found


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
