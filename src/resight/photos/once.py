"""Rows that speak of one photo twice: the same again, or something else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from resight.photos.decode import Box
from resight.photos.photo import Photo
from resight.photos.problem import Taken
from resight.words import counted


def each_once(taken: Taken, say: Callable[[str], None] = lambda words: None) -> Taken:
    """Each photo once, and none of those whose rows contradict one another.

    A photo is a box of a file, or the whole of it. Of rows that do not contradict one another the
    first counts, or the first with a name. Two names, or two splits, are a problem.

    Args:
        taken: photos as the rows have them.
        say: told in a sentence how many rows were about a photo that had come before.
    """
    rows: dict[tuple[Path, Box | None], list[int]] = defaultdict(list)
    for place, photo in enumerate(taken.photos):
        rows[photo.path, photo.box].append(place)
    if len(rows) == len(taken.photos):
        return taken
    problems = []
    kept: list[int] = []
    for places in rows.values():
        named = [place for place in places if taken.photos[place].individual is not None]
        slips = [
            words
            for words in (_names(taken, named), _splits(taken, places))
            if len(places) > 1 and words
        ]
        kept.append((named or places)[0])
        problems += [taken.problem(kept[-1], words) for words in slips]
    again = len(taken.photos) - len(kept)
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


def _names(taken: Taken, places: Iterable[int]) -> str | None:
    return _contradiction(taken, places, lambda photo: photo.individual, "a photo has one name")


def _splits(taken: Taken, places: Iterable[int]) -> str | None:
    return _contradiction(taken, places, lambda photo: photo.split, "a photo is in one split")


def _contradiction(
    taken: Taken, places: Iterable[int], of: Callable[[Photo], str | None], rule: str
) -> str | None:
    """What the rows say of the photo, where it is not all the same."""
    said: dict[str, int | None] = {}
    for place in places:
        word = of(taken.photos[place])
        if word is not None:
            said.setdefault(word, taken.rows[place])
    if len(said) < 2:
        return None
    (first, _), *others = said.items()
    there = " and ".join(f"{word!r} in {taken.kind} {row}" for word, row in others[:3])
    return f"is {first!r} here, and {there}; {rule}"
