"""Photos in, fingerprints out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resight.errors import UnreadablePhoto, UnusableModel
from resight.fingerprint.model import INPUT, OUTPUT, Card, Model, load_model
from resight.photos.decode import Box, Pixels, Source
from resight.photos.hear import hear
from resight.photos.photo import Photo
from resight.photos.sound import Hearing
from resight.photos.stream import Chunk, fitted_chunks, progress_bar

# Whether to show a bar on stderr; or what to call with each number done, for a bar of the caller's.
Progress = bool | Callable[[int], None]


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of some photos.

    Attributes:
        vectors: float32 (m, dim), unit vectors of the photos that could be read, in their order.
        index: int64 (m,), the place of each in what was given.
        unreadable: the errors of the others, in their order; each names its file and says why.
    """

    vectors: NDArray[np.float32]
    index: NDArray[np.int64]
    unreadable: tuple[UnreadablePhoto, ...]

    def __len__(self) -> int:
        return len(self.vectors)


class Fingerprinter:
    """A model, ready to be asked.

        fingerprinter = Fingerprinter("whales.onnx")
        found = fingerprinter(["a.jpg", "b.jpg"])
        found.vectors @ found.vectors.T      # cosine similarities

    Args:
        model: the model file, or one that `load_model` opened (with its own threads).
        batch_size: photos that go through the network at once.
        threads: threads that decode, and threads that compute; all processors by default.

    Raises:
        UnusableModel: see `load_model`.
    """

    def __init__(
        self, model: str | Path | Model, *, batch_size: int = 64, threads: int | None = None
    ) -> None:
        if batch_size < 1 or (threads is not None and threads < 1):
            raise ValueError("batch_size and threads are at least 1")
        self.model = model if isinstance(model, Model) else load_model(model, threads=threads)
        self.batch_size = batch_size
        self.threads = threads

    @property
    def card(self) -> Card:
        """What the model file says of itself."""
        return self.model.card

    @property
    def id(self) -> str:
        """Sixteen hex digits that name the model's weights."""
        return self.model.id

    @property
    def dim(self) -> int:
        """Length of a fingerprint."""
        return self.model.card.dim

    def __call__(
        self, photos: Iterable[Source | Photo] | Source | Photo, *, progress: Progress = False
    ) -> Fingerprints:
        """Fingerprint photos.

        Decoding runs in threads while the network computes, a bounded number of photos ahead.

        Args:
            photos: for a model that hears, recordings: paths and `Photo`s (see
                `resight.photos.sound`); each has the mean direction of its windows. Else
                paths, PIL images and arrays (see `read_image`) and `Photo`s (whose box is cut
                out), mixed as they come, from a list or a generator; or one of them alone. One
                array (n, H, W) or (n, H, W, C) is a stack of n pictures; uint8 of the model's size
                it goes straight to the network.
            progress: show a bar on stderr; or what to call with each number done.

        Returns:
            Fingerprints of all photos that could be read. The others are reported, not raised.

        Raises:
            UnusableModel: the model cannot compute, or what it gives are not unit vectors.
        """
        if isinstance(photos, str | os.PathLike | Image.Image | Photo) or (
            isinstance(photos, np.ndarray) and photos.ndim == 2
        ):
            photos = [photos]
        total = len(photos) if isinstance(photos, Sized) else None
        vectors: list[NDArray[np.float32]] = []
        index: list[NDArray[np.int64]] = []
        unreadable: list[UnreadablePhoto] = []
        bar: AbstractContextManager[Callable[[int], None]]
        if callable(progress):
            bar = nullcontext(progress)
        elif progress:
            bar = progress_bar("Fingerprinting", total)
        else:
            bar = nullcontext(lambda done: None)
        hearing = self.card.hearing
        with bar as advance:
            if hearing is not None:
                for made in self._recordings(photos, hearing):
                    vectors.append(made.vectors)
                    index.append(made.index)
                    unreadable += made.unreadable
                    advance(len(made) + len(made.unreadable))
                photos = ()
            for batch in self._batches(photos):
                if len(batch.index):
                    vectors.append(self._compute(batch.pixels))
                    index.append(batch.index)
                unreadable += batch.unreadable
                advance(len(batch.index) + len(batch.unreadable))
        return Fingerprints(
            np.concatenate([np.empty((0, self.dim), np.float32), *vectors]),
            np.concatenate([np.empty(0, np.int64), *index]),
            tuple(unreadable),
        )

    def _recordings(
        self, photos: Iterable[Source | Photo], hearing: Hearing
    ) -> Iterator[Fingerprints]:
        """Recordings, some at a time: of each the mean direction of its windows'."""
        for heard in hear(_with_boxes(photos), hearing, threads=self.threads):
            good = [(n, one) for n, one in heard if not isinstance(one, UnreadablePhoto)]
            bad = tuple(one for _, one in heard if isinstance(one, UnreadablePhoto))
            made = np.empty((len(good), self.dim), np.float32)
            for row, (_, windows) in enumerate(good):
                pixels = windows[:, None]
                parts = [
                    self._compute(pixels[first : first + self.batch_size])
                    for first in range(0, len(pixels), self.batch_size)
                ]
                total = np.concatenate(parts).sum(axis=0, dtype=np.float64)
                made[row] = total / max(float(np.linalg.norm(total)), 1e-12)
            yield Fingerprints(made, np.array([n for n, _ in good], np.int64), bad)

    def _batches(self, photos: Iterable[Source | Photo]) -> Iterator[Chunk]:
        card = self.card
        if isinstance(photos, np.ndarray) and (stack := _as_pixels(photos, card)) is not None:
            for first in range(0, len(stack), self.batch_size):
                pixels = np.ascontiguousarray(stack[first : first + self.batch_size])
                yield Chunk(pixels, np.arange(first, first + len(pixels)), [])
            return
        gathered: list[Chunk] = []
        chunks = fitted_chunks(
            _with_boxes(photos),
            size=card.size,
            channels=card.channels,
            fit=card.fit,
            fill=card.fill,
            threads=self.threads,
            chunk=min(16, self.batch_size),
        )
        for chunk in chunks:
            gathered.append(chunk)
            if sum(len(part.index) for part in gathered) + len(chunk.index) > self.batch_size:
                yield _joined(gathered)
                gathered = []
        if gathered:
            yield _joined(gathered)

    def _compute(self, pixels: Pixels) -> NDArray[np.float32]:
        try:
            (vectors,) = self.model.session.run([OUTPUT], {INPUT: pixels})
        except Exception as error:  # onnxruntime's errors share no base class of their own
            detail = " ".join(str(error).split())[:200]
            raise UnusableModel(f"{self.model.path}: the model cannot compute ({detail})") from None
        lengths = np.linalg.norm(vectors, axis=1)
        if vectors.shape != (len(pixels), self.dim) or not np.all(np.abs(lengths - 1) < 1e-3):
            raise UnusableModel(
                f"{self.model.path}: the model gives no unit vectors (NaN, or not normalised); "
                "export it again"
            )
        return vectors


def _with_boxes(photos: Iterable[Source | Photo]) -> Iterator[tuple[Source, Box | None]]:
    for photo in photos:
        yield (photo.path, photo.box) if isinstance(photo, Photo) else (photo, None)


def _as_pixels(stack: NDArray[np.generic], card: Card) -> Pixels | None:
    """A view (n, C, H, W) of a stack that needs no decoding, or None where it does."""
    if stack.dtype != np.uint8 or stack.shape[1:3] != card.size:
        return None
    pixels = stack.astype(np.uint8, copy=False)
    if stack.ndim == 3 or (stack.ndim == 4 and stack.shape[3] == 1):
        grey = pixels.reshape(len(stack), 1, *card.size)
        return np.broadcast_to(grey, (len(stack), card.channels, *card.size))
    if stack.ndim == 4 and stack.shape[3] == 3 == card.channels:
        return pixels.transpose(0, 3, 1, 2)
    return None


def _joined(chunks: list[Chunk]) -> Chunk:
    return Chunk(
        np.concatenate([chunk.pixels for chunk in chunks]),
        np.concatenate([chunk.index for chunk in chunks]),
        [error for chunk in chunks for error in chunk.unreadable],
    )
