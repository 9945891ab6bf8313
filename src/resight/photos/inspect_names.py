"""Checks of who is on the photos: slips in names, and who has too few, too many or one side."""

from __future__ import annotations

import statistics
import unicodedata
from collections import Counter, defaultdict

from resight.photos.alike import alike_names
from resight.photos.findings import EXAMPLES, Example, Finding, Herd
from resight.photos.values import is_nobody
from resight.words import counted

_SHORT_SIDES = {"l": "left", "lt": "left", "r": "right", "rt": "right"}


def names(herd: Herd) -> list[Finding]:
    """Individuals whose names are probably one name."""
    found = []
    alike = alike_names(herd.of)
    for kind, sure in (("names", True), ("names-alike", False)):
        cases = [case for case in alike if case.sure == sure]
        if not cases:
            continue
        count = len(cases)
        found.append(
            Finding(
                kind,
                "mend" if sure else "look",
                count,
                f"{counted(count, 'name')} {'is' if count == 1 else 'are'} written in several ways"
                if sure
                else f"{counted(count, 'group')} of names so alike that they may be one",
                "One individual under two names is taught as two: the model is pushed to tell "
                "it from itself, and finding it counts as a mistake.",
                "Write one name in all places. Two individuals who are really called so are no "
                "mistake.",
                tuple(
                    Example(
                        " and ".join(
                            f"{name!r} ({counted(len(herd.of[name]), 'photo')})"
                            for name in case.names
                        )
                        + f" {case.why}",
                        tuple(herd.of[name][0] for name in case.names[:6]),
                    )
                    for case in cases[:EXAMPLES]
                ),
            )
        )
    return found


def unnamed(herd: Herd) -> list[Finding]:
    """Photos that nobody has named."""
    places = [place for place in herd.good if herd.photos[place].individual is None]
    if not places:
        return []
    return [
        Finding(
            "unnamed",
            "know",
            len(places),
            f"{counted(len(places), 'photo')} without an individual",
            "They teach nothing.",
            "Leave them: once there is a model, resight add and resight identify are for them.",
            tuple(Example("nobody named", (place,)) for place in places[:EXAMPLES]),
        )
    ]


def singles(herd: Herd) -> list[Finding]:
    """Individuals with one photo."""
    alone = [name for name, places in herd.of.items() if len(places) == 1]
    if not alone:
        return []
    verb = "has" if len(alone) == 1 else "have"
    return [
        Finding(
            "singles",
            "know",
            len(alone),
            f"{counted(len(alone), 'individual')} of {len(herd.of):,} {verb} one photo only",
            "What makes two photos the same individual cannot be learned from one; it serves only "
            "as an example of another. And nobody can measure whether it would be found again.",
            "Keep them: in a catalogue one photo is enough to be found by. A second one, of "
            "another day, is worth more than a tenth of somebody else.",
            tuple(Example(name, (herd.of[name][0],)) for name in alone[:EXAMPLES]),
        )
    ]


def imbalance(herd: Herd) -> list[Finding]:
    """A few individuals who have most of the photos."""
    counts = sorted((len(places) for places in herd.of.values()), reverse=True)
    if len(counts) < 4:
        return []
    half, total = 0, 0
    while 2 * total < sum(counts):
        total += counts[half]
        half += 1
    median = statistics.median(counts)
    if counts[0] < 10 * median and half * 5 > len(counts):
        return []
    most = sorted(herd.of, key=lambda name: (-len(herd.of[name]), name))
    return [
        Finding(
            "imbalance",
            "know",
            half,
            f"Half of the photos show {half} of {len(counts):,} individuals: the most photographed "
            f"has {counts[0]:,}, the middle one {median:g}",
            "Counted by photo, a measured accuracy is that of the few. (Training draws individuals "
            "evenly, so the others are not drowned.)",
            "Read the report's figures per individual, and photograph the rare ones.",
            tuple(
                Example(f"{name}, {counted(len(herd.of[name]), 'photo')}", (herd.of[name][0],))
                for name in most[: min(half, EXAMPLES)]
            ),
        )
    ]


def sides(herd: Herd) -> list[Finding]:
    """Sides of the body: in several ways, missing, under one name, or only one of them known."""
    written: dict[str, Counter[str]] = defaultdict(Counter)
    has: dict[str, dict[str, int]] = defaultdict(dict)  # of each side the first photo
    missing = []
    for name, places in herd.of.items():
        for place in places:
            side = herd.photos[place].side
            if side is None or is_nobody(side.casefold()):  # unknown, none, n/a, ?
                missing.append(place)
                continue
            written[_side(side)][side] += 1
            has[name].setdefault(_side(side), place)
    if not written:
        return []
    found = []
    several = {side: ways for side, ways in written.items() if len(ways) > 1}
    if several:
        found.append(
            Finding(
                "sides-written",
                "mend",
                len(several),
                f"{counted(len(several), 'side')} of the body "
                f"{'is' if len(several) == 1 else 'are'} written in several ways",
                "Photos of one side are then taken for photos of two, and never compared.",
                "Write each side in one way.",
                tuple(
                    Example(" and ".join(f"{way!r} ({n:,})" for way, n in ways.most_common()))
                    for ways in list(several.values())[:EXAMPLES]
                ),
            )
        )
    if missing:
        found.append(
            Finding(
                "sides-missing",
                "look",
                len(missing),
                f"{counted(len(missing), 'photo')} without a side, where others have one",
                "They may show either side, so a left flank may be asked of right ones.",
                "Write the side, or take the column away if the sides do not differ.",
                tuple(Example(herd.name(place), (place,)) for place in missing[:EXAMPLES]),
            )
        )
    mixed = [name for name, known in has.items() if len(known) > 1]
    if mixed:
        count = len(mixed)
        found.append(
            Finding(
                "mixed-sides",
                "know",
                count,
                f"{counted(count, 'individual')} of {len(has):,} "
                f"{'has' if count == 1 else 'have'} several sides under one name",
                "Flanks of one body differ. Where the pattern is what tells individuals apart, the "
                "model is taught that two unlike patterns are one.",
                "Give each side a name of its own, such as Luna L and Luna R, or keep a table for "
                "each. Of faces and shapes, which are known from any side, it is no mistake.",
                tuple(
                    Example(f"{name}: {' and '.join(has[name])}", tuple(has[name].values())[:6])
                    for name in mixed[:EXAMPLES]
                ),
            )
        )
    one_sided = [name for name, known in has.items() if len(known) == 1]
    if len(written) > 1 and one_sided:
        count = len(one_sided)
        found.append(
            Finding(
                "one-sided",
                "know",
                count,
                f"{counted(count, 'individual')} of {len(has):,} "
                f"{'was' if count == 1 else 'were'} photographed from one side only, of "
                + " and ".join(sorted(written)),
                "Flanks of one body differ. A photo of the other side cannot be matched to them, "
                "and the answer will be that it is somebody new.",
                "Photograph the missing sides. To measure each side for itself, make a table of "
                "its photos.",
                tuple(
                    Example(f"{name}: {min(has[name])} only", (herd.of[name][0],))
                    for name in one_sided[:EXAMPLES]
                ),
            )
        )
    return found


def _side(word: str) -> str:
    plain = unicodedata.normalize("NFKC", word).casefold().replace("side", "")
    plain = plain.strip(" ._-:")
    return _SHORT_SIDES.get(plain, plain or word)
