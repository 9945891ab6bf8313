"""One pass over all photos, before anything expensive: which are broken, and what the rest are."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from resight.errors import UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.decode import Box, Pixels, opened, read_image
from resight.photos.finding import whole
from resight.photos.header import Told, is_turned, read_exif, read_header
from resight.photos.photo import Photo
from resight.photos.problem import Problem
from resight.photos.readers import reader_of
from resight.photos.sound import is_sound, sound_size
from resight.photos.stream import in_threads, progress_bar

_ENOUGH = 36  # pixels a side of what is looked at: four for each cell of the hash


@dataclass(frozen=True, slots=True)
class Facts:
    """What one look at a photo's file tells.

    Attributes:
        content_hash: SHA-256 of the file's bytes, in hex.
        bytes: the file's length.
        width: of the whole picture, upright, in pixels.
        height: likewise.
        exif: when and where, as the camera wrote it.
        difference_hash: 64 bits of the photo (of its box), an unsigned number: see
            `difference_hash`. Two photos that differ in few of them are nearly the same picture.
        brightness: mean grey level of the photo (of its box), 0 to 255.
    """

    content_hash: str
    bytes: int
    width: int
    height: int
    exif: Told
    difference_hash: int
    brightness: float

    @property
    def taken_at(self) -> datetime | None:
        """When, by its EXIF (the camera's own clock, no zone); None when it does not say."""
        return self.exif.taken_at


@dataclass(frozen=True)
class Examined:
    """What one pass over the photos found.

    Attributes:
        facts: for each photo; None for those that cannot be used.
        problems: of those, in the order of the photos; each one's `place` says of which.
    """

    facts: list[Facts | None]
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What came of one photo: facts, or what is wrong."""

    place: int
    facts: Facts | None
    wrong: str | None


def examine(
    photos: Sequence[Photo], *, threads: int | None = None, progress: str | None = None
) -> Examined:
    """Open every file once, in threads, and decode it: broken files show themselves only so.

    A JPEG is decoded as small as will do. What is under way at a time is bounded, so that memory
    does not grow with the photos but for the facts themselves (some 400 bytes a photo).

    Found are files that are missing or cannot be read, boxes that do not lie within their
    picture, and photos (the same box of the same file, or the whole of it) that have two names.

    Args:
        photos: what to look at; several may be boxes of one file, which is read once.
        threads: how many read; all processors by default.
        progress: words for a bar on stderr, or None for no bar.
    """
    facts: list[Facts | None] = [None] * len(photos)
    wrong: dict[int, str] = {}
    for looked in _in_threads(photos, threads, progress):
        facts[looked.place] = looked.facts
        if looked.wrong is not None:
            wrong[looked.place] = looked.wrong
    wrong = dict(two_names(photos, facts)) | wrong
    problems = []
    for place in sorted(wrong):
        path = photos[place].path
        facts[place] = None
        problems.append(Problem(str(path), wrong[place], path, None, place))
    return Examined(facts, problems)


def two_names(photos: Sequence[Photo], facts: Sequence[Facts | None]) -> Iterator[tuple[int, str]]:
    """The photos that stand there twice with different names: each one's place, and words."""

    def part(place: int) -> tuple[Path, Box | None]:
        """A box that is the whole picture is as good as none."""
        box, fact = photos[place].box, facts[place]
        is_whole = fact is not None and box == (0, 0, fact.width, fact.height)
        return whole(photos[place].path), None if is_whole else box

    names: dict[tuple[Path, Box | None], set[str]] = defaultdict(set)
    for place, photo in enumerate(photos):
        if photo.individual is not None:
            names[part(place)].add(photo.individual)
    twice = {key: sorted(found) for key, found in names.items() if len(found) > 1}
    if not twice:
        return
    for place in range(len(photos)):
        if found := twice.get(part(place)):
            listed = " and ".join(map(repr, found[:3]))
            yield place, f"stands there as {listed}; a photo has one name"


def difference_hash(grey: Pixels) -> int:
    """64 bits, whether each of 8 × 8 cells is brighter than its left neighbour.

    The picture is averaged to 9 × 8 cells, from left to right and top to bottom, the first
    comparison being the highest bit. Changes of size, quality and brightness leave it nearly as
    it is. Krawetz, "Kind of like that" (2013).

    Args:
        grey: uint8 (H, W).

    Returns:
        0 to 2⁶⁴ - 1; 0 for a picture of one grey.
    """
    small = Image.fromarray(grey).resize((9, 8), Image.Resampling.BOX)
    cells = np.asarray(small)
    bits = np.packbits(cells[:, 1:] > cells[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _in_threads(
    photos: Sequence[Photo], threads: int | None, progress: str | None
) -> Iterator[_Looked]:
    files: dict[Path, list[int]] = {}
    for place, photo in enumerate(photos):
        files.setdefault(photo.path, []).append(place)

    def look_at(some: list[tuple[Path, list[int]]]) -> list[_Looked]:
        looked: list[_Looked] = []
        for path, places in some:
            looked += _look(path, [(place, photos[place].box) for place in places])
        return looked

    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar(progress, len(photos))) if progress else None
        # The stack closes it, and with it the threads, where nobody draws to the end.
        chunks = stack.enter_context(closing(in_threads(look_at, files.items(), threads=threads)))
        for looked in chunks:
            yield from looked
            if bar:
                bar(len(looked))


def _look(path: Path, boxes: list[tuple[int, Box | None]]) -> list[_Looked]:
    """All photos of one file."""
    if is_sound(path) or reader_of(path) is not None:
        return [_look_whole(path, place, box) for place, box in boxes]
    try:
        content = content_hash(path)
        length = os.stat(path).st_size  # noqa: PTH116
        with opened(path) as picture:
            full_width, full_height = picture.size
            if picture.format in ("JPEG", "MPO"):
                least = _at_least(picture.size, [box for _, box in boxes])
                picture.draft("L", (least, least))
            small_width = picture.size[0]
            exif, turned = read_exif(picture), is_turned(picture)
            grey = read_image(picture, channels=1)[:, :, 0]
    except UnreadablePhoto as error:
        return [_Looked(place, None, error.reason) for place, _ in boxes]
    scale = small_width / full_width
    width, height = (full_height, full_width) if turned else (full_width, full_height)
    if scale == 1:
        height, width = grey.shape
    looked = []
    for place, box in boxes:
        part = grey
        if box is not None:
            left, top, right, bottom = box
            if not (0 <= left < right <= width and 0 <= top < bottom <= height):
                words = f"the box {box} does not lie within its {width} × {height} pixels"
                looked.append(_Looked(place, None, words))
                continue
            part = _part(grey, box, scale)
        facts = Facts(
            content, length, width, height, exif, difference_hash(part), float(part.mean())
        )
        looked.append(_Looked(place, facts, None))
    return looked


def _look_whole(path: Path, place: int, box: Box | None) -> _Looked:
    """What is no picture: a recording, or a signal with a reader of its own."""
    try:
        content = content_hash(path)
        grey = read_image(path, channels=1, box=box)[:, :, 0]
        size = (grey.shape[1], grey.shape[0])
        if box is not None and is_sound(path):
            size = sound_size(path)
        length, told = os.stat(path).st_size, read_header(path).told  # noqa: PTH116
    except UnreadablePhoto as error:
        return _Looked(place, None, error.reason)
    facts = Facts(content, length, *size, told, difference_hash(grey), float(grey.mean()))
    return _Looked(place, facts, None)


def _at_least(size: tuple[int, int], boxes: list[Box | None]) -> int:
    """The shortest side to decode, so that the smallest box still has `_ENOUGH` pixels."""
    shortest = min(size)
    sides = [shortest if box is None else min(box[2] - box[0], box[3] - box[1]) for box in boxes]
    return min(math.ceil(_ENOUGH * shortest / max(min(sides), 1)), shortest)


def _part(grey: Pixels, box: Box, scale: float) -> Pixels:
    """A box of the whole picture, cut from the reduced one."""
    left, top = (min(int(box[axis] * scale), grey.shape[1 - axis] - 1) for axis in (0, 1))
    right, bottom = (math.ceil(box[axis] * scale) for axis in (2, 3))
    return grey[top : max(bottom, top + 1), left : max(right, left + 1)]
