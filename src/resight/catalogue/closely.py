"""Looking closely: the keypoints of a question's photos against those of its candidates' photos.

Where the model was trained on drawings, their strokes instead (`resight.compare.drawings`).
Keypoints are found once and kept: beside an SQLite catalogue in the folder `whales.db.keypoints`,
for PostgreSQL in the user's cache folder. It may be deleted at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from resight.catalogue import schema, vectors_file
from resight.catalogue.evidence import FEW, Floats
from resight.catalogue.store import Store, chunks
from resight.compare.fuse import Details, details_cache, match_scores
from resight.errors import UnreadablePhoto
from resight.fingerprint.model import Card
from resight.photos.decode import Box, read_image
from resight.photos.photo import Photo
from resight.photos.stream import in_threads, progress_bar

# What a match says of a question's photo (by its number) and rows of the gallery: float64, the
# log(1 + score) of each.
Look = Callable[[int, Any], Floats]


_IN_MEMORY = 500  # photos, of a quarter of a megabyte each
_CHUNK = 8
MOST_LOOKED = 6  # photos of a question that are looked at, where it has many


def best_looks(look: Look, number: int, rows: Sequence[Any]) -> Floats:
    """The best match of a photo with each of some individuals: float64 (n,).

    Args:
        look: compares.
        number: of the question's photo.
        rows: of each individual the rows of the gallery to look at; 0 where there are none.
    """
    best = np.zeros(len(rows))
    whose = np.repeat(np.arange(len(rows)), [len(some) for some in rows])
    if len(whose):
        np.maximum.at(best, whose, look(number, np.concatenate(list(rows))))
    return best


def nearest_rows(similarity: Any, rows: Any) -> Any:
    """Those of an individual's rows (k,) that are looked at: the nearest that count, best first."""
    order = np.argsort(-similarity, kind="stable")[:FEW]
    return rows[order[np.isfinite(similarity[order])]]


class Closely:
    """The keypoints of a catalogue's photos, or the strokes of its drawings.

    Args:
        store: the open catalogue.
        card: of the model whose fingerprints are asked.

    Attributes:
        unreadable: why photos could not be looked at, by their number.
    """

    def __init__(self, store: Store, card: Card) -> None:
        self.store = store
        self.unreadable: dict[int, UnreadablePhoto] = {}
        self._cache = details_cache(card, _folder(store), in_memory=_IN_MEMORY)
        self._places: dict[int, tuple[Path, Box | None, str]] = {}

    def of_source(self, source: Any) -> Details:
        """What is compared of a photo that is asked about: a file, a `Photo`, or a picture.

        Raises:
            UnreadablePhoto: it has gone since its fingerprint was made.
        """
        if isinstance(source, Photo):
            return self._cache.of(source.path, source.box)
        if isinstance(source, str | os.PathLike):
            return self._cache.of(source)
        return self._cache.of_image(read_image(source, channels=1))

    def compare(self, asked: Details | None, photos: Any) -> Floats:
        """Compare what `of_source` gave with photos of the catalogue, given by their numbers (n,).

        Returns:
            float64 (n,), log(1 + score) of each match; 0 where nothing matches, or one of the two
            cannot be read.
        """
        ids = np.asarray(photos, np.int64).tolist()
        self._locate(ids)
        others = [None if asked is None else self._of_photo(i) for i in ids]
        found = np.zeros(len(ids))
        if asked is not None:
            there = np.array([one is not None for one in others], bool)
            found[there] = match_scores(asked, [one for one in others if one is not None])
        return np.log1p(found)

    def among(self, photos: Any, progress: bool = False) -> Look:
        """Compares photos of the catalogue with one another, by positions in these numbers (n,).

        All that is compared is found first, in threads; `progress` shows a bar on stderr.
        """
        from contextlib import nullcontext

        ids = np.asarray(photos, np.int64)
        self._locate(ids.tolist())

        def find(some: list[int]) -> int:
            return sum(self._of_photo(i) is not None for i in some)

        with progress_bar("Looking closely", len(ids)) if progress else nullcontext() as advance:
            for _ in in_threads(find, ids.tolist(), chunk=_CHUNK):
                if advance:
                    advance(_CHUNK)
        return lambda number, rows: self.compare(self._of_photo(int(ids[number])), ids[rows])

    def _of_photo(self, photo: int) -> Details | None:
        """What is compared of one of the catalogue's photos; None where it cannot be read."""
        if photo in self.unreadable or photo not in self._places:  # or was taken away just now
            return None
        path, box, content = self._places[photo]
        try:
            return self._cache.of(path, box, content=content)
        except UnreadablePhoto as error:  # its fingerprint still speaks for it
            self.unreadable[photo] = error
            return None

    def _locate(self, photos: Iterable[int]) -> None:
        """Find out which files photos are, all of them in one go."""
        table = schema.photos
        columns = (table.c.id, table.c.path, table.c.box, table.c.content_hash)
        with self.store.reading() as connection:
            for some in chunks(sorted({*photos} - {*self._places})):
                for row in connection.execute(sa.select(*columns).where(table.c.id.in_(some))):
                    box = None
                    if row.box:
                        left, top, right, bottom = map(int, row.box.split(","))
                        box = (left, top, right, bottom)
                    self._places[row.id] = (self.store.whole_path(row.path), box, row.content_hash)


def _folder(store: Store) -> Path:
    file = vectors_file.place_for(store, "").vectors
    return file.with_name(f"{file.name.rpartition('.vectors-')[0]}.keypoints")
