"""What may come into a catalogue: names, fingerprints, photos."""

from __future__ import annotations

import operator
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resight.catalogue.schema import LONGEST_NAME
from resight.catalogue.search import Vectors
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.sources import find_photos

LONGEST_TEXT = 10_000


def checked_name(name: str, what: str = "a name") -> str:
    """A name as it is kept: without spaces around it, composed (Unicode NFC).

    Raises:
        ResightError: nothing to be seen in it, more than 200 characters, or line breaks and other
            control characters.
    """
    kept = unicodedata.normalize("NFC", name).strip()
    kinds = [unicodedata.category(letter) for letter in kept]
    if all(kind in ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp") for kind in kinds):
        raise ResightError(f"{what} needs a letter or a sign at least, and {name[:20]!r} has none")
    if len(kept) > LONGEST_NAME:
        raise ResightError(
            f"{what} has at most {LONGEST_NAME} characters; {kept[:20]!r}… has {len(kept):,}"
        )
    if any(kind in ("Cc", "Cs", "Zl", "Zp") for kind in kinds):
        raise ResightError(f"{what} has no line breaks or control characters; {kept!r} does")
    return kept


def checked_text(text: str, what: str) -> str:
    """Notes and other free text as it is kept: composed (Unicode NFC), with its line breaks.

    Raises:
        ResightError: more than 10,000 characters, or control characters that are no line breaks.
    """
    kept = unicodedata.normalize("NFC", text).strip()
    if len(kept) > LONGEST_TEXT:
        raise ResightError(f"{what} has at most {LONGEST_TEXT:,} characters, not {len(kept):,}")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\r\t" for c in kept):
        raise ResightError(f"{what} has no control characters; {kept[:20]!r} does")
    return kept


def checked_side(side: str) -> str:
    """A word for a side of the body, as it is kept.

    Raises:
        ResightError: see `checked_name`; and it has at most 32 characters.
    """
    kept = checked_name(side, "a side")
    if len(kept) > 32:
        raise ResightError(f"a side has at most 32 characters; {kept[:20]!r}… has {len(kept)}")
    return kept


def checked_place(latitude: float | None, longitude: float | None) -> None:
    """Refuse degrees that are nowhere on Earth.

    Raises:
        ResightError: a latitude outside -90 … 90, a longitude outside -180 … 180, or NaN.
    """
    for value, word, most in ((latitude, "latitude", 90), (longitude, "longitude", 180)):
        if value is not None and not -most <= value <= most:
            raise ResightError(f"a {word} is between -{most} and {most} degrees, not {value}")


def checked_box(box: Sequence[int]) -> tuple[int, int, int, int]:
    """A part of a picture, (left, top, right, bottom), as it is kept.

    Raises:
        ResightError: not four whole numbers, or nothing in it.
    """
    try:
        left, top, right, bottom = map(operator.index, box)
    except (TypeError, ValueError):
        left, top, right, bottom = 0, 0, 0, 0
    if not (0 <= left < right < 1 << 31 and 0 <= top < bottom < 1 << 31):
        raise ResightError(
            f"a box is (left, top, right, bottom) in whole pixels, not {str(box)[:60]}"
        )
    return left, top, right, bottom


def checked_vectors(vectors: Any, dim: int, *, count: int | None = None) -> Vectors:
    """Fingerprints that came from elsewhere, checked, as float32 (n, dim) of unit length.

    Raises:
        ResightError: another shape or number, not floats, NaN, or not of unit length (to 1e-3).
    """
    try:
        given = np.asarray(vectors)
    except ValueError:  # rows of several lengths
        given = np.empty(0, object)
    if given.dtype.kind != "f" or given.ndim != 2 or given.shape[1] != dim:
        raise ResightError(
            f"vectors are floats of shape (n, {dim}) for this model; "
            f"these are {given.dtype} of shape {given.shape}"
        )
    if count is not None and len(given) != count:
        raise ResightError(f"{len(given)} vectors for {count} photos; give one for each")
    wide = given.astype(np.float64)
    with np.errstate(over="ignore"):  # infinitely long is not of unit length either
        lengths = np.sqrt(np.square(wide).sum(axis=1))
    bad = np.flatnonzero(~(np.abs(lengths - 1) <= 1e-3))  # NaN is bad too
    if len(bad):
        raise ResightError(
            f"vector {bad[0]} is not of unit length but {lengths[bad[0]]:.4g} long; "
            "divide each by its length"
        )
    return (wide / lengths[:, None]).astype(np.float32)


def checked_path(path: str | os.PathLike[str]) -> None:
    """Refuse what cannot be written down.

    Raises:
        UnreadablePhoto: a file name of bytes that are no text.
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise UnreadablePhoto(
            ascii(os.fspath(path)), "its name is not Unicode; rename it"
        ) from None


def listed(photos: Any, *, folders: bool = True) -> list[Any]:
    """One photo or many, as a list; with `folders`, the photos of a folder stand in its place."""
    alone = isinstance(photos, str | os.PathLike) or not isinstance(photos, Iterable)
    if alone or (isinstance(photos, np.ndarray) and photos.ndim == 2):
        photos = [photos]
    found: list[Any] = []
    for photo in photos:
        if folders and isinstance(photo, str | os.PathLike) and os.path.isdir(photo):  # noqa: PTH112
            found += find_photos([Path(photo)])
        else:
            found.append(photo)
    return found


def none_readable(unreadable: Sequence[UnreadablePhoto], count: int) -> ResightError:
    """What to raise when not one of `count` photos can be read."""
    if count == 0:
        return ResightError("no photos given; give one at least")
    if count == 1:
        return unreadable[0]
    return ResightError(f"none of the {count} photos can be read; the first: {unreadable[0]}")
