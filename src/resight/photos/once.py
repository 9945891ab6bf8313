"""Rows that speak of one photo twice: the same again, or something else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from resight.photos.decode import Box
from resight.photos.finding import whole
from resight.photos.photo import Photo
from resight.photos.problem import Problem, Taken
from resight.words import counted


def each_once(taken: Taken, say: Callable[[str], None] = lambda words: None) -> Taken:
    """Each photo once, and none of those whose rows contradict one another.

    A photo is a box of a file, or the whole of it. Of rows that do not contradict one another the
    first counts, or the first with a name. Two names, or two splits, are a problem. Rows that
    have a problem already may contradict others, but do not stand for them.

    Args:
        taken: photos as the rows have them.
        say: told in a sentence how many rows were about a photo that had come before.
    """
    rows: dict[tuple[Path, Box | None], list[int]] = defaultdict(list)
    for place, photo in enumerate(taken.photos):
        rows[whole(photo.path), photo.box].append(place)
    if len(rows) == len(taken.photos):
        return taken
    problems = []
    kept: list[int] = []
    again = 0
    for places in rows.values():
        sound = [place for place in places if not taken.is_spoilt(place)] or places
        named = [place for place in sound if taken.photos[place].individual is not None]
        kept.append((named or sound)[0])
        again += sum(not taken.is_spoilt(place) for place in sound[1:])
        slips = (_names(taken, places), _splits(taken, places)) if len(places) > 1 else ()
        problems += [replace(slip, place=kept[-1]) for slip in slips if slip]
    if again:
        say(f"{taken.table}: {counted(again, taken.kind)} about a photo that is there already; "
            "each is taken once")  # fmt: skip
    kept.sort()
    new = {place: n for n, place in enumerate(kept)}
    fewer = replace(
        taken,
        photos=[taken.photos[place] for place in kept],
        rows=[taken.rows[place] for place in kept],
    )
    return fewer.without(replace(one, place=new[one.place or 0]) for one in problems)


def _names(taken: Taken, places: Iterable[int]) -> Problem | None:
    return _contradiction(taken, places, lambda photo: photo.individual, "a photo has one name")


def _splits(taken: Taken, places: Iterable[int]) -> Problem | None:
    return _contradiction(taken, places, lambda photo: photo.split, "a photo is in one split")


def _contradiction(
    taken: Taken, places: Iterable[int], of: Callable[[Photo], str | None], rule: str
) -> Problem | None:
    """What the rows say of the photo, where it is not all the same; told at the first of them."""
    said: dict[str, int] = {}
    for place in places:
        word = of(taken.photos[place])
        if word is not None:
            said.setdefault(word, place)
    if len(said) < 2:
        return None
    (first, here), *others = said.items()
    there = " and ".join(f"{word!r} in {taken.kind} {taken.rows[p]}" for word, p in others[:3])
    return taken.problem(here, f"is {first!r} here, and {there}; {rule}")
