"""Reading many photos in threads: in order, a bounded number ahead of who takes them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from resight.errors import UnreadablePhoto
from resight.photos.decode import Box, Fit, Pixels, Source, fit_image, read_image
from resight.photos.sound import is_sound

# A task per photo would cost as much as decoding a small one; a large chunk would leave threads
# idle when there are few photos.
CHUNK = 16
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some photos, read.

    Attributes:
        pixels: uint8 (n, C, height, width) of those that could be read.
        index: int64 (n,) their places in the order given.
        unreadable: the errors of the others.
    """

    pixels: Pixels
    index: NDArray[np.int64]
    unreadable: list[UnreadablePhoto]


def fitted_chunks(
    sources: Iterable[tuple[Source, Box | None]],
    *,
    size: tuple[int, int],
    channels: int,
    fit: Fit,
    fill: int,
    threads: int | None = None,
    progress: str | None = None,
    total: int | None = None,
    chunk: int = CHUNK,
    sounds: bool = False,
) -> Iterator[Chunk]:
    """Read and fit photos in threads; chunks come in the order of the sources.

    At most two chunks a thread are under way or waiting, and `sources` is drawn
    from only as they are taken: memory stays small however many photos there are.

    Args:
        sources: photos and, for each, the box to cut or None.
        size: (height, width) wanted; `channels`, `fit` and `fill` as in `fit_image`.
        threads: how many decode; all processors by default.
        chunk: photos that one thread reads in one go.
        progress: words for a bar on stderr, or None for no bar; `total` is its length.
        sounds: take recordings too, as pictures; a model for photos has no use for them.
    """
    threads = threads or usable_processors()

    def read(first: int, some: list[tuple[Source, Box | None]]) -> Chunk:
        pixels = np.empty((len(some), channels, *size), np.uint8)
        index: list[int] = []
        unreadable: list[UnreadablePhoto] = []
        for place, (source, box) in enumerate(some, first):
            try:
                if not sounds and is_sound(source):
                    words = "a recording, and this model is for photos"
                    raise UnreadablePhoto(str(source), words)
                # Twice the size wanted leaves enough for the antialiasing.
                image = read_image(source, channels=channels, box=box, at_least=2 * max(size))
            except UnreadablePhoto as error:
                unreadable.append(error)
                continue
            pixels[len(index)] = fit_image(image, size, fit=fit, fill=fill)
            index.append(place)
        return Chunk(pixels[: len(index)], np.array(index, np.int64), unreadable)

    with ExitStack() as stack:
        advance = stack.enter_context(progress_bar(progress, total)) if progress else None
        pool = ThreadPoolExecutor(threads, thread_name_prefix="resight-decode")
        # Whoever stops taking chunks does not wait for those that nobody will see.
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        waiting: deque[Future[Chunk]] = deque()
        remaining = iter(sources)
        first = 0
        while True:
            while len(waiting) < 2 * threads and (some := list(islice(remaining, chunk))):
                waiting.append(pool.submit(read, first, some))
                first += len(some)
            if not waiting:
                return
            done = waiting.popleft().result()
            yield done
            if advance:
                advance(len(done.index) + len(done.unreadable))


def in_threads(
    work: Callable[[list[T]], R],
    items: Iterable[T],
    *,
    threads: int | None = None,
    chunk: int = CHUNK,
) -> Generator[R]:
    """Do work in threads, on some items at a time; what it gives comes in their order.

    At most two chunks a thread are under way or waiting, and `items` is drawn from only as they
    are taken.
    """
    threads = threads or usable_processors()
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="resight-read")
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        waiting: deque[Future[R]] = deque()
        remaining = iter(items)
        while True:
            while len(waiting) < 2 * threads and (some := list(islice(remaining, chunk))):
                waiting.append(pool.submit(work, some))
            if not waiting:
                return
            yield waiting.popleft().result()


@contextmanager
def progress_bar(words: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr for as long as the block runs; call what it gives with each number done.

    Where stderr is no terminal nothing is drawn.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(words, total=total)
        yield lambda done: bar.advance(task, done)


def usable_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
