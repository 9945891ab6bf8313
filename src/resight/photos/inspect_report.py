"""An inspection as one HTML file: nothing beside it, nothing loaded, pictures inside."""

from __future__ import annotations

import base64
import io
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from resight.errors import UnreadablePhoto
from resight.photos.decode import read_image
from resight.photos.inspect import Finding, Inspection
from resight.photos.photo import Photo

THUMB = 132  # pixels of a picture's longer side; 4 kB
_PICTURED = 12  # examples of a finding with pictures; the others are words
_STEPS = (1, 2, 3, 6, 11, 21, 51, 101, 501)  # photos of one individual


def write_report(found: Inspection, out: str | Path, *, title: str) -> None:
    """Write an inspection for the browser, whole or not at all.

    Args:
        found: the inspection.
        out: the file.
        title: what the photos are called, such as their folder's name.

    Raises:
        OSError: it cannot be written.
    """
    out = Path(out)
    page = report_page(found, title=title)
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")
        part.replace(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def report_page(found: Inspection, *, title: str) -> str:
    """The report's HTML; every word of the photos' is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    home = Environment(
        loader=PackageLoader("resight.photos", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures: dict[int, str | None] = {}
    days = list(found.days)
    return home.get_template("inspect_report.html").render(
        title=title,
        verdict=found.verdict,
        can_train=found.can_train,
        to_mend=any(one.grade == "mend" for one in found.findings),
        photos=sum(found.counts.values()),
        individuals=len(found.counts),
        encounters=found.encounters,
        span=(days[0], days[-1]) if days else None,
        spread=_spread(found.counts),
        days=_days(found.days),
        sections=[
            (
                heading,
                grade,
                [_entry(f, found, pictures) for f in found.findings if f.grade == grade],
            )
            for grade, heading in (
                ("mend", "To mend"),
                ("look", "To look at"),
                ("know", "To know"),
            )
        ],
    )


def thumbnail(photo: Photo, side: int = THUMB) -> str | None:
    """A small JPEG of a photo (of its box) as a data URI; None where it cannot be read."""
    from PIL import Image

    try:
        pixels = read_image(photo.path, channels=3, box=photo.box, at_least=2 * side)
    except UnreadablePhoto:
        return None
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=78)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _entry(one: Finding, found: Inspection, pictures: dict[int, str | None]) -> dict[str, Any]:
    shown: list[dict[str, Any]] = []
    words: list[str] = []
    for example in one.examples:
        if not example.photos or len(shown) == _PICTURED:
            words.append(example.words)
            continue
        photos = []
        for place in example.photos:
            if place not in pictures:
                pictures[place] = thumbnail(found.photos[place])
            photo = found.photos[place]
            photos.append(
                {
                    "picture": pictures[place],
                    "name": photo.path.name,
                    "path": str(photo.path),
                    "individual": photo.individual,
                }
            )
        shown.append({"words": example.words, "photos": photos})
    return {"finding": one, "shown": shown, "words": words}


def _spread(counts: dict[str, int]) -> list[dict[str, Any]]:
    """How many individuals have how many photos, as bars."""
    sizes = np.array(list(counts.values()) or [0])
    bars: list[dict[str, Any]] = []
    for low, above in zip(_STEPS, (*_STEPS[1:], None), strict=True):
        many = int(((sizes >= low) & (sizes < (above or np.inf))).sum())
        label = (
            f"{low}+" if above is None else str(low) if above == low + 1 else f"{low}–{above - 1}"
        )
        bars.append({"label": label, "count": many})
    while bars and not bars[-1]["count"]:
        bars.pop()
    most = max((bar["count"] for bar in bars), default=1)
    return [bar | {"height": 100 * bar["count"] / most} for bar in bars]


def _days(days: dict[str, int], most_bars: int = 60) -> list[dict[str, Any]]:
    """Photos a day; where there are too many days for a bar each, a month or a year."""
    for length in (10, 7, 4):
        sums: dict[str, int] = {}
        for day, count in days.items():
            sums[day[:length]] = sums.get(day[:length], 0) + count
        if len(sums) <= most_bars:
            break
    most = max(sums.values(), default=1)
    return [{"label": k, "count": n, "height": 100 * n / most} for k, n in sums.items()]
