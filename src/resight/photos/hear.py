"""Hearing many recordings in threads: the windows of each, in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing

import numpy as np

from resight.errors import UnreadablePhoto
from resight.photos.decode import Box, Pixels, Source
from resight.photos.sound import BANDS, Hearing, is_sound, sound_picture, windows
from resight.photos.stream import in_threads

Heard = Pixels | UnreadablePhoto
_CHUNK = 4  # recordings that one thread hears in one go


def hear(
    sources: Iterable[tuple[Source, Box | None]], hearing: Hearing, *, threads: int | None = None
) -> Iterator[list[tuple[int, Heard]]]:
    """The windows of recordings, some recordings at a time; a bounded number ahead.

    Args:
        sources: recordings, and of each the part to hear or None. An array uint8 (64, columns) is
            taken as a recording's picture.
        hearing: what is heard.
        threads: how many hear; all processors by default.

    Yields:
        For each recording its place in `sources` and its windows, uint8 (n, 64, window), or what
        is wrong with it.
    """

    def cut(some: list[tuple[int, tuple[Source, Box | None]]]) -> list[tuple[int, Heard]]:
        heard: list[tuple[int, Heard]] = []
        for place, (source, box) in some:
            try:
                heard.append((place, windows(_picture(source, box, hearing), hearing)))
            except UnreadablePhoto as error:
                heard.append((place, error))
        return heard

    with closing(in_threads(cut, enumerate(sources), threads=threads, chunk=_CHUNK)) as chunks:
        yield from chunks


def _picture(source: Source, box: Box | None, hearing: Hearing) -> Pixels:
    if isinstance(source, str | os.PathLike):
        if not is_sound(source):
            raise UnreadablePhoto(
                os.fspath(source), "not a recording, and this model was trained on recordings"
            )
        return sound_picture(source, box=box, hearing=hearing)
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and box is None:
        picture = np.asarray(source, np.uint8)
        if picture.ndim == 2 and picture.shape[0] == BANDS and picture.size:
            return picture
    raise UnreadablePhoto(
        "a picture in memory", f"no spectrogram (uint8, {BANDS} × columns), and the model hears"
    )
