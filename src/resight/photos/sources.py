"""The ways in: files, folders walked, a folder per individual; and decoding once."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from resight.errors import ResightError, UnreadablePhoto, UnusablePhotos
from resight.photos.decode import Fit, Pixels
from resight.photos.photo import Photo
from resight.photos.readers import SUFFIXES as SUFFIXES
from resight.photos.readers import may_be_photo
from resight.photos.store import fits_in_memory, kept, key_of, scratch
from resight.photos.stream import fitted_chunks


def find_photos(places: Iterable[str | Path] | str | Path) -> list[Path]:
    """The photos at the places given: files as they are, folders walked.

    Of a folder come the files with a picture's or a recording's suffix (either case), at any
    depth, sorted; hidden files and folders are passed over and links to folders are not followed.

    Raises:
        UnusablePhotos: there is not one photo at any of the places.
        ResightError: a place does not exist, or a folder may not be read.
    """
    paths = [Path(place) for place in ([places] if isinstance(places, str | Path) else places)]
    found: list[Path] = []
    for place in paths:
        if place.is_dir():
            found += sorted(_walk(place))
        elif place.exists():
            found.append(place)
        else:
            raise ResightError(f"{place}: no such file or folder; check the path")
    if not found:
        where = ", ".join(map(str, paths)) or "nowhere"
        raise UnusablePhotos(f"{where}: no photos there (files such as .jpg, .png or .tif)")
    return found


def photos_by_individual(
    root: str | Path, *, min_individuals: int = 1, loose: bool = False
) -> list[Photo]:
    """Photos from a folder per individual, named by it.

    `root/individual/photo.png`, or with folders below it `root/individual/encounter/photo.png`
    (deeper folders make encounters named "a/b"). Photos that lie in `root` itself belong to nobody
    and are passed over, as are folders without photos.

    Args:
        root: the folder.
        min_individuals: fewer are refused.
        loose: take the photos that belong to nobody, too, without a name.

    Returns:
        Photos sorted by individual, then by path; the loose ones last.

    Raises:
        UnusablePhotos: no such folder, no photos in folders, or fewer than `min_individuals`.
    """
    root = Path(root)
    if not root.is_dir():
        what = "a file, not a folder" if root.exists() else "no such folder"
        raise UnusablePhotos(f"{root}: {what}; give a folder with one folder per individual")
    photos: list[Photo] = []
    nobody: list[Photo] = []
    for path in sorted(_walk(root)):
        name, *between = path.relative_to(root).parts[:-1] or ("",)
        if name:
            photos.append(Photo(path, individual=name, encounter="/".join(between) or None))
        else:
            nobody.append(Photo(path))
    if not photos and nobody:
        raise UnusablePhotos(
            f"{root}: its {len(nobody)} photos lie in no individual's folder; "
            "put each individual's photos into a folder of its name"
        )
    if not photos:
        raise UnusablePhotos(f"{root}: no photos in it; make one folder per individual in it")
    individuals = {photo.individual for photo in photos}
    if len(individuals) < min_individuals:
        raise UnusablePhotos(
            f"{root}: photos of {len(individuals)} individual(s) where {min_individuals} are "
            "needed; add folders of others"
        )
    return photos + nobody if loose else photos


def check_trainable(photos: Sequence[Photo]) -> None:
    """Say whether these photos can teach anything: two of one individual, and another individual.

    Raises:
        UnusablePhotos: photos of fewer than two individuals, or one photo of each.
    """
    counts = Counter(photo.individual for photo in photos if photo.individual is not None)
    if not counts:
        raise UnusablePhotos("no photo says which individual it shows; name them by their folders")
    if len(counts) < 2:
        raise UnusablePhotos(
            f"every photo shows the same individual ({next(iter(counts))}); "
            "training needs two individuals or more"
        )
    if max(counts.values()) < 2:
        raise UnusablePhotos(
            f"each of the {len(counts)} individuals has one photo only; "
            "training needs individuals with two photos or more"
        )


def warn_of_queries(photos: Sequence[Photo]) -> None:
    """Say it where photos that are to teach stand on the side of their table that asks."""
    from resight.photos.sides import QUERY_WORDS, split_word

    asking = sum(split_word(photo) in QUERY_WORDS for photo in photos)
    if asking:
        warnings.warn(
            f"{asking:,} of {len(photos):,} photos that are learned from are queries by their "
            "split; leave them out, or what is measured on them is too good",
            stacklevel=3,
        )


def load_pixels(
    photos: Sequence[Photo],
    size: tuple[int, int],
    channels: int,
    *,
    fit: Fit = "pad",
    fill: int = 0,
    progress: bool = False,
    on_bad: Literal["raise", "skip"] = "raise",
    threads: int | None = None,
) -> tuple[Pixels, list[int], list[UnreadablePhoto]]:
    """Decode photos once, in threads, into one array that a training can draw from.

    Where the array would pass a quarter of the machine's memory it is a mapped file in the user's
    cache folder instead, which the next call on the same photos takes as it is.

    Args:
        photos: what to read; a photo's `box` is cut out.
        size: (height, width) of the pixels wanted.
        channels: 1 (grey) or 3 (RGB).
        fit: how a photo of another shape is brought to `size`; see `fit_image`.
        fill: grey level of margins.
        progress: show a bar on stderr.
        on_bad: what a photo that cannot be read does: "raise" its error, or "skip" it.
        threads: decoding threads; all processors by default.

    Returns:
        uint8 (n, channels, height, width); for each of the n its place in `photos`; and the errors
        of those that were skipped.

    Raises:
        UnreadablePhoto: the first photo that cannot be read, with on_bad="raise".
        ResightError: too many for the memory, and no room for the file either.
    """
    shape = (len(photos), channels, *size)
    sources = [(photo.path, photo.box) for photo in photos]
    read: list[int] = []
    unreadable: list[UnreadablePhoto] = []

    def decode_into(pixels: Pixels) -> bool:
        for chunk in fitted_chunks(
            sources,
            size=size,
            channels=channels,
            fit=fit,
            fill=fill,
            threads=threads,
            progress="Reading photos" if progress else None,
            total=len(photos),
        ):
            if chunk.unreadable and on_bad == "raise":
                raise chunk.unreadable[0]
            pixels[len(read) : len(read) + len(chunk.index)] = chunk.pixels
            read.extend(chunk.index.tolist())
            unreadable.extend(chunk.unreadable)
        return not unreadable

    try:
        key = "" if fits_in_memory(shape) else key_of(sources, [*shape[1:], fit, fill])
    except UnreadablePhoto:
        if on_bad == "raise":
            raise
        key = ""
    if key:
        pixels = kept(key, shape, decode_into)
    else:
        pixels = scratch(shape)
        decode_into(pixels)
    if not read and not unreadable:  # from the file
        read = list(range(len(photos)))
    return np.asarray(pixels[: len(read)]), read, unreadable


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise ResightError(f"{error.filename}: this folder cannot be read ({error.strerror})")

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and may_be_photo(name):
                yield Path(place, name)
