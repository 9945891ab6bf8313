"""The one way in for photos grouped by individual, whatever they are written down in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from resight.errors import UnusablePhotos
from resight.photos.coco import coco_rows
from resight.photos.examine import examine
from resight.photos.finding import found
from resight.photos.from_files import with_dates_and_boxes
from resight.photos.megadetector import Detections
from resight.photos.once import each_once
from resight.photos.photo import Photo
from resight.photos.problem import Problem, Taken
from resight.photos.readers import may_be_photo
from resight.photos.rows import open_rows
from resight.photos.sources import photos_by_individual
from resight.photos.table import taken_from_rows
from resight.photos.values import is_nobody, of_nobody

__all__ = ["Problem", "Taken", "take_in"]


def take_in(
    place: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    root: str | Path | None = None,
    boxes: str | Path | None = None,
    exif: bool = True,
    say: Callable[[str], None] = lambda words: None,
    progress: str | None = None,
) -> Taken:
    """Photos from a folder per individual, a table, or COCO's JSON; hardly anything is decoded.

    What is wrong with a row or a file is gathered, not raised: files that are not there, boxes
    and dates that are none, rows that give one photo two names or two splits. A row that says
    the same again is passed over. Broken files and boxes outside their picture only show when the
    files are opened: see `examine`. Those of rows that have a problem are opened here, as nobody
    else will see them and all that is wrong with a row is to be told at once.

    Args:
        place: a folder with one folder per individual (in which there may be one per encounter);
            a CSV, TSV, Parquet or Excel table; or COCO's JSON. See docs/photos.md.
        columns: our name to the table's, such as {"path": "Image", "individual": "whaleID"},
            where the table's own name does not say it; an empty one leaves that column out.
        root: the folder that the table's paths begin at; by default the table's own, or the one
            below it that has them.
        boxes: MegaDetector's JSON; a photo without a box gets that of the surest animal.
        exif: read date and place from the files of photos whose date is not known. (Where only
            the place is not, `gather` takes it from what it opens the files for anyway.)
        say: told in sentences what was taken for what, and what was passed over.
        progress: words for a bar on stderr while files' headers are read, or None.

    Raises:
        UnusablePhotos: the place cannot be read at all, or has no photos.
        ResightError: a folder may not be read.
    """
    place = Path(place)
    root = None if root is None else Path(root)
    if not place.exists():
        raise UnusablePhotos(f"{place}: no such folder, nor a table; check the path")
    if may_be_photo(place.name) and place.is_file():
        raise UnusablePhotos(f"{place}: a file, not a folder; give the folder or a table of photos")
    detections = None if boxes is None else Detections(Path(boxes))
    if place.is_dir():
        if columns or root is not None:
            raise UnusablePhotos(f"{place}: a folder has no columns and no root; give a table")
        taken = _named(photos_by_individual(place), say)
    else:
        taken = _from_file(place, columns or {}, root, say)
    if not taken.photos and not taken.problems:
        raise UnusablePhotos(f"{place}: has no photos; write a line for each")
    taken = with_dates_and_boxes(taken, detections, exif=exif, say=say, progress=progress)
    return _without_spoilt(taken, progress)


def _without_spoilt(taken: Taken, progress: str | None) -> Taken:
    """Leave out the rows that have a problem, once their files have been looked at as well."""
    places = [place for place in range(len(taken.photos)) if taken.is_spoilt(place)]
    if not places:
        return taken
    looked = examine([taken.photos[place] for place in places], progress=progress)
    more = [taken.problem(places[one.place or 0], one.what) for one in looked.problems]
    taken = taken.without(more)
    kept = [place for place in range(len(taken.photos)) if not taken.is_spoilt(place)]
    return replace(
        taken,
        photos=[taken.photos[place] for place in kept],
        rows=[taken.rows[place] for place in kept],
        spoilt=frozenset(),
    )


def _named(photos: list[Photo], say: Callable[[str], None]) -> Taken:
    """Photos of a folder; that of an individual called unknown holds photos of nobody."""
    nobody: Counter[str] = Counter()
    for place, photo in enumerate(photos):
        if photo.individual is not None and is_nobody(photo.individual):
            photos[place] = replace(photo, individual=None)
            nobody[photo.individual] += 1
    if words := of_nobody(nobody):
        say(words)
    return Taken(photos, [], [None] * len(photos))


def _from_file(
    table: Path, columns: Mapping[str, str], root: Path | None, say: Callable[[str], None]
) -> Taken:
    coco = table.suffix.lower() == ".json"
    rows = coco_rows(table, columns, say) if coco else open_rows(table, say, columns)
    taken = taken_from_rows(table, rows, columns=columns, say=say)
    return each_once(found(table, taken, root=root, say=say), say)
