"""What `group` proposes, as a file that a person may look through and change.

A line of the table is a photo. Its `name` is what confirming will call it: write another, or none
to leave the photo alone. `proposal` says whether that is to be a "new" individual or one that is
"known" already, so that a slip of the pen neither merges nor doubles anybody.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resight.catalogue.export import bare, harmless
from resight.catalogue.group import Grouping
from resight.errors import ResightError

_COLUMNS = ("group", "proposal", "name", "photo", "distance", "path", "content_hash")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One photo, and what to call it.

    Attributes:
        group: number of the group that it is in.
        name: of the individual; "" to leave the photo alone.
        known: whether that individual is in the catalogue.
        photo: the photo's number there.
        content_hash: SHA-256 of its file, in hex.
    """

    group: int
    name: str
    known: bool
    photo: int
    content_hash: str


def proposals_of(grouping: Grouping) -> list[Proposal]:
    """The photos of all groups, each with its group's name."""
    return [
        Proposal(group.number, group.name, group.known, photo.id, photo.content_hash)
        for group in grouping.groups
        for photo in group.photos
    ]


def to_dict(grouping: Grouping) -> dict[str, Any]:
    """A grouping in strings, numbers, lists and dictionaries, ready for JSON."""
    return {
        "threshold": grouping.threshold,
        "why": list(grouping.why),
        "groups": [
            {
                "group": group.number,
                "proposal": _word(group.known),
                "name": group.name,
                "photos": [
                    {
                        "photo": photo.id,
                        "distance": photo.distance,
                        "path": str(photo.path),
                        "content_hash": photo.content_hash,
                    }
                    for photo in group.photos
                ],
            }
            for group in grouping.groups
        ],
        "loners": [str(photo.path) for photo in grouping.loners],
    }


def write_proposals(grouping: Grouping, path: str | os.PathLike[str]) -> None:
    """Write the groups as .csv, a line a photo, or as .json; whole or not at all."""
    path = Path(path)
    if path.suffix.lower() == ".json":
        text = json.dumps(to_dict(grouping), indent=2, ensure_ascii=False) + "\n"
    else:
        lines = io.StringIO()
        table = csv.writer(lines)
        table.writerow(_COLUMNS)
        for group in to_dict(grouping)["groups"]:
            first = [group["group"], group["proposal"], harmless(group["name"])]
            for photo in group["photos"]:
                distance = "" if photo["distance"] is None else f"{photo['distance']:.4f}"
                table.writerow(
                    [
                        *first,
                        photo["photo"],
                        distance,
                        harmless(photo["path"]),
                        photo["content_hash"],
                    ]
                )
        text = lines.getvalue()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_proposals(path: str | os.PathLike[str]) -> list[Proposal]:
    """Read a file of `write_proposals`, as it was or as a person or a spreadsheet left it.

    Raises:
        ResightError: no such file, not one of these, or a line that cannot be read.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ResightError(f"{path}: is not UTF-8; save it as CSV in UTF-8") from None
    except FileNotFoundError:
        raise ResightError(f"{path}: no such file") from None
    try:
        if path.suffix.lower() == ".json":
            rows: Iterable[dict[str, Any]] = [
                {**group, **photo}
                for group in json.loads(text)["groups"]
                for photo in group["photos"]
            ]
        else:
            head = text.split("\n", 1)[0]  # spreadsheets of some countries write semicolons
            delimiter = max(",;\t", key=head.count)
            reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
            rows = [{**row, "line": reader.line_num} for row in reader]
        return [_proposal(path, row) for row in rows]
    except (KeyError, TypeError, ValueError, csv.Error):
        raise ResightError(
            f"{path}: is not a table that resight group wrote (its columns are "
            f"{', '.join(_COLUMNS)})"
        ) from None


def _proposal(path: Path, row: dict[str, Any]) -> Proposal:
    where = f"{path}, line {row['line']}" if "line" in row else f"{path}, group {row['group']}"
    word = str(row["proposal"]).strip().casefold()
    if word not in ("new", "known"):
        raise ResightError(f'{where}: its proposal is "new" or "known", not {word!r}')
    name = str(row["name"] or "")
    return Proposal(
        int(row["group"]),
        ((bare(name) or "") if path.suffix.lower() != ".json" else name).strip(),
        word == "known",
        int(row["photo"]),
        str(row["content_hash"]).strip(),
    )


def _word(known: bool) -> str:
    return "known" if known else "new"
