"""Photos for whatever takes hours: taken in, each opened once, and all problems told before."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resight.errors import UnusablePhotos
from resight.photos.examine import Facts, examine
from resight.photos.from_files import dated, placed
from resight.photos.photo import Photo
from resight.photos.problem import Problem
from resight.photos.ways_in import take_in
from resight.words import counted

TOLD = 20  # problems that are told; all of them go to the listing


@dataclass(frozen=True)
class Gathered:
    """Photos that can be used.

    Attributes:
        photos: in the order of the folder or the table.
        facts: what one look at each told.
        left_out: what was wrong with those that are not among them.
    """

    photos: list[Photo]
    facts: list[Facts]
    left_out: list[Problem]


def gather(
    place: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    root: str | Path | None = None,
    boxes: str | Path | None = None,
    exif: bool = True,
    named: bool = True,
    skip_bad: bool = False,
    listing: str | Path | None = None,
    say: Callable[[str], None] = lambda words: None,
    progress: bool = False,
) -> Gathered:
    """The photos at a place, every one of which can be read.

    Args:
        place: a folder per individual, a table, or COCO's JSON; this and `columns`, `root`,
            `boxes`, `exif` and `say` are as in `take_in`.
        named: leave out photos that do not say who they show, and say how many.
        skip_bad: go on without the photos that have problems.
        listing: write all problems to this CSV file: where, file, row, problem.
        progress: show bars on stderr.

    Raises:
        UnusablePhotos: the place cannot be read; there are problems, and not `skip_bad`: the
            first 20 are in the error's notes; or no photo is left.
    """
    taken = take_in(
        place,
        columns=columns,
        root=root,
        boxes=boxes,
        exif=exif,
        say=say,
        progress="Reading dates" if progress else None,
    )
    looked = examine(taken.photos, progress="Checking photos" if progress else None)
    bad = [taken.problem(one.place or 0, one.what) for one in looked.problems]
    good = taken.without(bad)
    facts = [one for one in looked.facts if one is not None]
    if listing is not None:
        write_problems(Path(listing), good.problems)
    if good.problems and not skip_bad:
        raise _refusal(place, good.problems, listing)
    photos = good.photos
    if exif:
        # The files have been opened by now, so what they tell costs nothing. The look at headers
        # alone does not find a date that stands far into a file, and inspect does.
        photos = [
            placed(dated(one, fact.exif), fact.exif)
            for one, fact in zip(photos, facts, strict=True)
        ]
    if named:
        keep = [n for n, photo in enumerate(photos) if photo.individual is not None]
        if nobody := len(photos) - len(keep):
            say(f"{place}: {counted(nobody, 'photo')} of nobody's name, passed over")
        photos, facts = [photos[n] for n in keep], [facts[n] for n in keep]
    if not photos:
        raise UnusablePhotos(
            f"{place}: no photo is left that can be used"
            + (" and has a name; which column has it? --column individual=NAME" if named else "")
        )
    return Gathered(photos, facts, good.problems)


def write_problems(file: Path, problems: Sequence[Problem]) -> None:
    """Write problems as a CSV table, whole or not at all."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with beside.open("w", newline="", encoding="utf-8") as out:
            table = csv.DictWriter(out, ["where", "file", "row", "problem"])
            table.writeheader()
            table.writerows(one.entry() for one in problems)
        os.replace(beside, file)  # noqa: PTH105
    finally:
        beside.unlink(missing_ok=True)


def _refusal(
    place: str | Path, problems: Sequence[Problem], listing: str | Path | None
) -> UnusablePhotos:
    refusal = UnusablePhotos(
        f"{place}: {counted(len(problems), 'problem')}; put them right, or go on without these "
        "photos with --skip-bad"
    )
    for one in problems[:TOLD]:
        refusal.add_note(str(one))
    if len(problems) > TOLD:
        where = f"all are in {listing}" if listing else "--problems FILE.csv lists all"
        refusal.add_note(f"and {len(problems) - TOLD:,} more; {where}")
    return refusal
