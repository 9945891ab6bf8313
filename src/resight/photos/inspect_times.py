"""Checks of when photos were taken: bursts, dates that cannot be, dates that are missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from resight.errors import UnusablePhotos
from resight.photos.encounters import Places
from resight.photos.findings import EXAMPLES, Example, Finding, Herd
from resight.photos.split import split_photos
from resight.words import counted

BURST = 10  # photos of one individual at one encounter; more are many
# Where clocks begin that nobody has set; cameras differ.
_NEVER_SET = {(1970, 1, 1), (1980, 1, 1), (2000, 1, 1), (2010, 1, 1)}


def bursts(herd: Herd) -> list[Finding]:
    """Many photos of one encounter, and individuals who were met only once."""
    encounters = herd.encounters[herd.good] if herd.good else np.empty(0, np.int64)
    if not (encounters >= 0).any():
        return _nothing_tells(herd)
    sizes = np.bincount(encounters[encounters >= 0])
    many = np.flatnonzero(sizes > BURST)
    found = []
    if len(many):
        order = many[np.argsort(-sizes[many], kind="stable")][:EXAMPLES]
        first = [int(np.argmax(encounters == number)) for number in order]
        share = sizes[many].sum() / len(encounters)
        found.append(
            Finding(
                "bursts",
                "know",
                len(many),
                f"{counted(len(many), 'encounter')} with more than {BURST} photos of one "
                f"individual, {share:.0%} of all photos",
                "They share a background, a light and a pose. " + _flatters(herd),
                "Split by day or by encounter: resight divide. More photos of other days teach "
                "more than more of these.",
                tuple(
                    _encounter(herd, herd.good[place], np.flatnonzero(encounters == number))
                    for place, number in zip(first, order, strict=True)
                ),
            )
        )
    met = {
        name: set(herd.encounters[places].tolist())
        for name, places in herd.of.items()
        if len(places) > 1
    }
    once = [name for name, numbers in met.items() if len(numbers) == 1 and -1 not in numbers]
    if once:
        verb = "was" if len(once) == 1 else "were"
        found.append(
            Finding(
                "met-once",
                "know",
                len(once),
                f"{counted(len(once), 'individual')} of {len(herd.of):,} with several photos "
                f"{verb} met only once",
                "All their photos are of one day, so the model can learn the day instead of the "
                "individual, and nobody can measure whether they would be known again.",
                "Keep them to train on; measure with the others.",
                tuple(Example(name, tuple(herd.of[name][:3])) for name in once[:EXAMPLES]),
            )
        )
    return found


def _encounter(herd: Herd, place: int, members: Places) -> Example:
    photo = herd.photos[place]
    when = photo.encounter or (photo.date.date().isoformat() if photo.date else "")
    some = members[np.linspace(0, len(members) - 1, 6).astype(int)]
    return Example(
        f"{herd.name(place)}, {when}: {counted(len(members), 'photo')}",
        tuple(herd.good[member] for member in some),
    )


def _nothing_tells(herd: Herd) -> list[Finding]:
    if not herd.of:
        return []
    given = any(photo.split for photo in herd.photos)
    return [
        Finding(
            "no-dates",
            "know",
            len(herd.good),
            "Nothing tells which photos were taken together: no dates, no encounters",
            "Nobody can check whether the table's own split keeps them together."
            if given
            else "Only a random split is left, with photos of one burst on both sides: what is "
            "measured is too good, and nobody knows by how much.",
            "Write a column date or encounter, or a folder for each encounter in the individual's "
            "folder; or split by individual, which needs neither.",
        )
    ]


def _flatters(herd: Herd) -> str:
    """What a random split of these very photos would do, counted."""
    try:
        split = split_photos(herd.photos, "random")
    except UnusablePhotos:
        return ""
    train = herd.encounters[split.train]
    asked = herd.encounters[split.query]
    leaked = np.isin(asked[asked >= 0], train).sum()
    return (
        f"Split at random, {leaked / len(asked):.0%} of the photos that ask would find photos of "
        "their own encounter on the other side, and what is measured is too good."
    )


def dates(herd: Herd) -> list[Finding]:
    """Dates that cannot be, that contradict the file's own, or that are missing."""
    soon = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    wrong, other, missing, known = [], [], [], 0
    for place in herd.good:
        date, fact = herd.photos[place].date, herd.facts[place]
        assert fact is not None
        if date is None:
            missing.append(place)
            continue
        known += 1
        day = date.replace(tzinfo=None)
        if day > soon or (day.year, day.month, day.day) in _NEVER_SET:
            wrong.append((place, f"{herd.name(place)}, {day.date()}"))
        elif fact.taken_at and abs(fact.taken_at - day) > timedelta(days=2):
            words = f"{herd.name(place)}: table {day.date()}, file {fact.taken_at.date()}"
            other.append((place, words))
    found = []
    if wrong:
        found.append(
            Finding(
                "dates-wrong",
                "mend",
                len(wrong),
                f"{counted(len(wrong), 'photo')} with a date in the future, or of a clock that "
                "nobody has set",
                "Photos of different days are taken for one encounter, and splits by day or date "
                "put them on the wrong side.",
                "Correct the dates, or leave them empty.",
                tuple(Example(words, (place,)) for place, words in wrong[:EXAMPLES]),
            )
        )
    if other:
        found.append(
            Finding(
                "dates-differ",
                "look",
                len(other),
                f"{counted(len(other), 'photo')} whose date in the table is not the one in the "
                "file",
                "One of the two is wrong; the table's is used.",
                "Look at some. A whole trip that is off by the same time is a camera's clock.",
                tuple(Example(words, (place,)) for place, words in other[:EXAMPLES]),
            )
        )
    if missing and known:
        found.append(
            Finding(
                "dates-missing",
                "know",
                len(missing),
                f"{counted(len(missing), 'photo')} without a date, where others have one",
                "Splits by day leave them out: nobody knows on which side they would leak.",
                "Write their dates, if they are known.",
                tuple(Example(herd.name(place), (place,)) for place in missing[:EXAMPLES]),
            )
        )
    return found
