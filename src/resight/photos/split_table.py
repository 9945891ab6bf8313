"""A split as a table that the ways in read again: a photo a line, and the side it is on."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Sequence
from pathlib import Path

from resight.photos.columns import COLUMNS
from resight.photos.photo import Photo
from resight.photos.split import Split


def write_split(photos: Sequence[Photo], split: Split, out: str | Path) -> None:
    """Write photos and the side each is on, as CSV in UTF-8, whole or not at all.

    All that is known of the photos comes along, in the columns that `photos_from_table` reads;
    columns that nothing is known for are left out. `split` says train or query, and is empty for
    photos that serve neither side. Paths below the table's folder are written from there, others
    in full.

    Raises:
        OSError: it cannot be written.
    """
    out = Path(out).absolute()
    words = [""] * len(photos)
    for places, word in ((split.train, "train"), (split.query, "query")):
        for place in places.tolist():
            words[place] = word
    rows = (_row(photo, word, out.parent) for photo, word in zip(photos, words, strict=True))
    known = [
        name
        for name in COLUMNS
        if name in ("path", "individual", "split")
        or any(getattr(photo, name) not in (None, "") for photo in photos)
    ]
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, known, extrasaction="ignore", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        part.replace(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _row(photo: Photo, word: str, folder: Path) -> dict[str, str]:
    row = {name: getattr(photo, name) for name in COLUMNS}
    path = photo.path.absolute()
    row |= {"path": path.relative_to(folder) if path.is_relative_to(folder) else path}
    row |= {"split": word}
    row |= {"date": photo.date and photo.date.isoformat()}
    row |= {"box": photo.box and " ".join(map(str, photo.box))}
    return {name: "" if value is None else str(value) for name, value in row.items()}
