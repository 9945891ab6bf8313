"""What stands in a file before its pixels: the picture's size, when and where it was taken."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from resight.errors import UnreadablePhoto
from resight.photos.dates import sensible
from resight.photos.decode import opened
from resight.photos.sound import is_sound, recorded_at, sound_size

_DETAILS, _GPS = 0x8769, 0x8825  # where EXIF keeps its further pages
_TURN = 0x0112
_TAKEN, _DIGITISED = 0x9003, 0x9004
_HAVE_EXIF = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".heic", ".heif", ".hif", ".webp", ".avif"}
)
_JPEG_HEADER = 4096  # bytes; EXIF is the first thing in a JPEG, or the next after JFIF


@dataclass(frozen=True, slots=True)
class Told:
    """What EXIF tells; None where it does not.

    Attributes:
        taken_at: by the camera's own clock, without a zone.
        latitude: degrees, WGS 84, north positive.
        longitude: degrees, WGS 84, east positive.
    """

    taken_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None


NOTHING = Told()


@dataclass(frozen=True, slots=True)
class Header:
    """What a file tells without being decoded.

    Attributes:
        told: by its EXIF.
        size: width and height of the upright picture, where it was asked for.
    """

    told: Told
    size: tuple[int, int] | None = None


def read_header(path: str | os.PathLike[str], *, size: bool = False) -> Header:
    """When and where, and how large; nothing is decoded.

    Raises:
        UnreadablePhoto: `size` is asked for, and it is no picture. Without, such a file tells
            nothing: whoever reads its pixels will say why.
    """
    name = os.fspath(path)
    if is_sound(name):
        return Header(Told(recorded_at(name)), sound_size(name) if size else None)
    if not size and not _may_have_exif(name):
        return Header(NOTHING)
    try:
        with opened(name) as picture:
            wide, high = picture.size
            if is_turned(picture):
                wide, high = high, wide
            return Header(read_exif(picture), (wide, high))
    except UnreadablePhoto:
        if size:
            raise
        return Header(NOTHING)


def _may_have_exif(name: str) -> bool:
    suffix = Path(name).suffix.lower()
    if not suffix.startswith(".j"):
        return suffix in _HAVE_EXIF
    try:
        # Most crops have none, and to see that costs a tenth of opening the picture.
        with open(name, "rb") as file:  # noqa: PTH123
            return b"Exif\0" in file.read(_JPEG_HEADER)
    except (OSError, ValueError):
        return False


def is_turned(picture: Image.Image) -> bool:
    """Whether upright it is as wide as the file's rows are many."""
    if picture.format == "PNG" and "exif" not in picture.info:
        return False  # Pillow would decode it, to see what follows the pixels
    try:
        return picture.getexif().get(_TURN) in (5, 6, 7, 8)
    except Exception:  # broken EXIF: it is read as it stands
        return False


def read_exif(picture: Image.Image) -> Told:
    """When and where, from a picture that is open.

    The date is DateTimeOriginal, or when it was digitised (EXIF 2.32, 4.6.5); not DateTime, which
    programs set when they save. A date in the future, and the place 0° 0′ that cameras without
    a fix write, are none.
    """
    if picture.format != "TIFF" and "exif" not in picture.info:
        return NOTHING
    try:
        exif = picture.getexif()
        details, gps = exif.get_ifd(_DETAILS), exif.get_ifd(_GPS)
    except Exception:  # broken EXIF beside sound pixels
        return NOTHING
    taken_at = _date(details.get(_TAKEN)) or _date(details.get(_DIGITISED))
    latitude = _degrees(gps.get(2), gps.get(1), "S", 90)
    longitude = _degrees(gps.get(4), gps.get(3), "W", 180)
    if latitude is None or longitude is None or latitude == longitude == 0:
        return Told(taken_at)
    return Told(taken_at, latitude, longitude)


def _date(value: Any) -> datetime | None:
    try:
        date = datetime.strptime(str(value).strip(" \0")[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:  # 0000:00:00 00:00:00, blanks, nonsense
        return None
    return date if sensible(date) else None


def _degrees(value: Any, reference: Any, negative: str, most: float) -> float | None:
    try:
        whole, minutes, seconds = map(float, value)
        degrees = whole + minutes / 60 + seconds / 3600
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (math.isfinite(degrees) and 0 <= degrees <= most):
        return None
    return -degrees if str(reference).strip(" \0").upper() == negative else degrees
