"""`resight divide`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resight.commands.common import AsJson, check_output
from resight.commands.photos_options import (
    Boxes,
    Columns,
    PhotosPlace,
    ProblemsFile,
    Root,
    Seed,
    Share,
    Since,
    SkipBad,
    Until,
    day,
    gathered,
)
from resight.errors import ResightError
from resight.words import counted

if TYPE_CHECKING:
    from resight.photos.photo import Photo
    from resight.photos.split import Split


def divide(
    photos: PhotosPlace,
    out: Annotated[
        Path, typer.Option("--out", metavar="TABLE", help="The table to write: NAME.csv.")
    ],
    by: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            help="given, encounter, day, date, individual, open or random; by default the first "
            "of given, day, encounter and random that the photos support.",
        ),
    ] = None,
    share: Share = 0.25,
    until: Until = None,
    since: Since = None,
    seed: Seed = 0,
    column: Columns = None,
    root: Root = None,
    boxes: Boxes = None,
    skip_bad: SkipBad = False,
    problems: ProblemsFile = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a table that is there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Divide photos into those that teach and those that ask.

    Photos of one burst are nearly the same picture. With one of them on either side, a model
    seems better than it is; so whole encounters, days or individuals change sides.

    \b
      encounter    some whole encounters of each individual ask
      day          some whole days ask
      date         what was taken from a day on asks (--until, --since)
      individual   some individuals ask, who are in no photo to train on
      open         some individuals are new, and the others ask with their latest encounters
      given        as the table's column split says
      random       photo by photo: what is measured on it is too good

    The table has a line for each photo, with all that is known of it and a column split: train,
    query, or empty for photos that serve neither side. The other commands read it.

    \b
    Examples:
      resight divide photos/ --out split.csv
      resight divide whales.csv --by date --until 2024-12-31 --out split.csv
    """
    from resight.photos.split import WAYS, split_photos
    from resight.photos.split_table import write_split

    way = next((way for way in WAYS if way == by), None)
    if by is not None and way is None:
        raise ResightError(f"{by!r} is no way to divide photos; choose {', '.join(WAYS)}")
    if (until or since) and way != "date":
        raise ResightError("--until and --since are days for --by date; add it, or leave them out")
    check_output(out, ".csv")
    if out.exists() and (not replace or (photos.exists() and out.samefile(photos))):
        raise ResightError(f"{out}: is there already; give another name, or --replace")
    found = gathered(
        photos,
        column=column,
        root=root,
        boxes=boxes,
        skip_bad=skip_bad,
        problems=problems,
        named=False,
    ).photos
    try:
        split = split_photos(found, way, share=share, until=day(until), since=day(since), seed=seed)
    except ResightError as error:
        raise type(error)(f"{photos}: {error}") from None
    write_split(found, split, out)
    if as_json:
        typer.echo(json.dumps({"table": str(out), **_entry(found, split)}, indent=2))
        return
    for words in in_words(found, split):
        typer.echo(words)
    typer.echo(f"Wrote {out}")
    if split.flatters:
        typer.echo(f"Warning: {split.flatters}.", err=True)


def in_words(photos: list[Photo], split: Split) -> list[str]:
    """What is on either side of a split, a sentence each."""
    entry = _entry(photos, split)
    lines = [
        f"Split by {split.by}: {counted(entry['train'], 'photo')} of "
        f"{counted(entry['train_individuals'], 'individual')} to train on.",
        f"{counted(entry['query'], 'photo')} of "
        f"{counted(entry['query_individuals'], 'individual')} ask; {entry['query_new']:,} of them "
        "show individuals that are not among those to train on.",
    ]
    if entry["dropped"]:
        lines.append(
            f"{counted(entry['dropped'], 'photo')} on neither side: it is not known who is on "
            "them, or when they were taken."
            if split.by not in ("date", "given")
            else f"{counted(entry['dropped'], 'photo')} on neither side."
        )
    return lines


def _entry(photos: list[Photo], split: Split) -> dict[str, Any]:
    train, query = ({photos[p].individual for p in part} for part in (split.train, split.query))
    return {
        "by": split.by,
        "train": len(split.train),
        "train_individuals": len(train),
        "query": len(split.query),
        "query_individuals": len(query),
        "query_new": sum(photos[place].individual not in train for place in split.query),
        "dropped": len(split.dropped),
        "flatters": split.flatters,
    }
