"""What the photos' own files add to what is written of them: dates, places, boxes of animals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from resight.errors import UnreadablePhoto
from resight.photos.header import Header, Told, read_header
from resight.photos.megadetector import Animal, Detections, distinct, in_pixels
from resight.photos.photo import Photo
from resight.photos.problem import Taken
from resight.photos.stream import in_threads, progress_bar
from resight.words import counted

_HEADERS = 64  # that one thread reads in one go

_Outcome = tuple[int, Header | UnreadablePhoto]


def with_dates_and_boxes(
    taken: Taken,
    detections: Detections | None,
    *,
    exif: bool,
    say: Callable[[str], None] = lambda words: None,
    progress: str | None = None,
) -> Taken:
    """Photos with what their files' headers tell; nothing is decoded.

    Args:
        taken: photos whose files are there.
        detections: where the animals are; a photo without a box gets that of the surest one. A
            photo that has a name, and several animals on it, is a problem.
        exif: take date and place from the files of photos whose date is not known.
        say: told of how many photos no animal is known.
        progress: words for a bar on stderr, or None.
    """
    animals: list[list[Animal] | None] = [None] * len(taken.photos)
    if detections is not None:
        animals = _animals(taken.photos, detections, say)
    asked = [
        (place, photo, bool(animals[place]))
        for place, photo in enumerate(taken.photos)
        if animals[place] or (exif and photo.date is None)
    ]
    photos = list(taken.photos)
    problems = []
    for place, header in _headers(asked, progress):
        if isinstance(header, UnreadablePhoto):
            problems.append(taken.problem(place, header.reason))
            continue
        if exif:
            photos[place] = placed(dated(photos[place], header.told), header.told)
        some = animals[place]
        if not some or header.size is None:
            continue
        if photos[place].individual is not None and (count := len(distinct(some))) > 1:
            words = f"{count} animals on it, and one name; give its box in a table, or cut it"
            problems.append(taken.problem(place, words))
            continue
        photos[place] = replace(photos[place], box=in_pixels(some[0].part, header.size))
    return taken.without(problems, photos)


def each_animal(
    photos: Sequence[Photo],
    detections: Detections,
    say: Callable[[str], None] = lambda words: None,
    progress: str | None = None,
) -> tuple[list[Photo], list[UnreadablePhoto]]:
    """A photo for each animal, for a catalogue, where each is somebody.

    A photo that has a box keeps it. One that nothing is known of is taken whole, and so is one with
    a name and no animal on it; without a name such a photo is left out.

    Args:
        photos: of files; a name or an encounter says that one individual is on it.
        detections: where the animals are.
        say: told of how many photos no animal is known.
        progress: words for a bar on stderr, or None.

    Returns:
        The photos, and why others can have no box: an unreadable file, or several animals where
        one individual is meant.
    """
    found = _animals(photos, detections, say, left_out=True)
    asked = [(place, photos[place], True) for place, some in enumerate(found) if some]
    headers = dict(_headers(asked, progress))
    parts: list[Photo] = []
    bad: list[UnreadablePhoto] = []
    for place, photo in enumerate(photos):
        some, header = distinct(found[place] or []), headers.get(place)
        if isinstance(header, UnreadablePhoto):
            bad.append(header)
        elif len(some) > 1 and (photo.individual or photo.encounter):
            words = f"{len(some)} animals on it, where one is meant; say which: "
            words += "FILE@left,top,right,bottom"
            bad.append(UnreadablePhoto(str(photo.path), words))
        elif header is not None and header.size is not None:
            parts += [replace(photo, box=in_pixels(one.part, header.size)) for one in some]
        elif found[place] != [] or photo.individual is not None:
            parts.append(photo)
    return parts, bad


def _headers(asked: Sequence[tuple[int, Photo, bool]], progress: str | None) -> Iterator[_Outcome]:
    def read(some: list[tuple[int, Photo, bool]]) -> list[_Outcome]:
        headers: list[_Outcome] = []
        for place, photo, size in some:
            try:
                headers.append((place, read_header(photo.path, size=size)))
            except UnreadablePhoto as error:
                headers.append((place, error))
        return headers

    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar(progress, len(asked))) if progress else None
        chunks = stack.enter_context(closing(in_threads(read, asked, chunk=_HEADERS)))
        for chunk in chunks:
            yield from chunk
            if bar:
                bar(len(chunk))


def dated(photo: Photo, told: Told) -> Photo:
    """A photo with the date that its file tells, where nothing is written of it."""
    if photo.date is None and told.taken_at is not None:
        photo = replace(photo, date=told.taken_at)
    return photo


def placed(photo: Photo, told: Told) -> Photo:
    """A photo with the place that its file tells, where nothing is written of it."""
    if photo.latitude is None and photo.longitude is None and told.latitude is not None:
        photo = replace(photo, latitude=told.latitude, longitude=told.longitude)
    return photo


def _animals(
    photos: Sequence[Photo],
    detections: Detections,
    say: Callable[[str], None],
    *,
    left_out: bool = False,
) -> list[list[Animal] | None]:
    """The animals on each photo; None where it has a box, or nobody has looked.

    Told is of how many photos no animal is known. `left_out`: those without an animal and without
    a name are not taken whole.
    """
    seen = detections.of([photo.path for photo in photos])
    pairs = [(photo, some) for photo, some in zip(photos, seen, strict=True) if not photo.box]
    unseen = sum(some is None for _, some in pairs)
    empty = sum(some == [] and not (left_out and photo.individual) for photo, some in pairs)
    if unseen:
        say(f"{detections.file}: has nothing of {counted(unseen, 'photo')}, taken whole")
    if empty:
        what = "left out" if left_out else "taken whole"
        say(f"{detections.file}: no animal on {counted(empty, 'photo')}, {what}")
    return [None if photo.box else some for photo, some in zip(photos, seen, strict=True)]
