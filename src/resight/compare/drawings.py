"""A second look at drawings: how much of one is found again in another by another hand.

Keypoints need spots; a drawing of 28×28 pixels has strokes alone. So one drawing is laid upon the
other (`resight.compare.align`), and every place of it then looks for itself in the other, some
pixels around: the image distortion model (Keysers, Deselaers, Gollan and Ney, "Deformation models
for image recognition", PAMI 2007), on the gradients of slightly blurred pixels, with 3×3 of them
around each place. Nothing is learned, so it knows what no training has shown.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.compare.align import lay_upon, redraw
from resight.compare.latest import Latest
from resight.errors import UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.decode import Box, Fit, Pixels, fit_image, read_image

Floats = NDArray[np.float32]
Drawings = NDArray[np.uint8]

REACH = 2  # pixels; 3 took half as long again and found no more
# What the whole of a drawing found again is worth beside a cosine of fingerprints, where nobody
# has learned it (`Fusion`): chosen on digits that a network had not seen, turned and mirrored.
WEIGHT = 1.0
_BLOCK = 64  # drawings at a time, so that what is computed stays near the processor


def found_again(query: Drawings, others: Drawings, *, reach: int = REACH) -> NDArray[np.float64]:
    """How much of a drawing is found again in each of some others, after it is laid upon them.

    Args:
        query: uint8 (h, w), any paper and ink: paper and ink exchanged are another drawing.
        others: uint8 (n, h, w).
        reach: pixels that a place of it may lie away.

    Returns:
        float64 (n,), from 0 to 1: 1 where the two are the same, 0 where nothing is found again, or
        nothing was there.

    Raises:
        ValueError: no such arrays, drawings of different sizes, or a reach below 0.
    """
    wanted = edges(others)
    if query.dtype != np.uint8 or query.shape != others.shape[1:] or reach < 0:
        raise ValueError(
            f"a drawing {query.dtype} {query.shape} cannot be looked for in {others.shape} "
            f"within {reach} pixels"
        )
    parts = [np.empty(0)]
    for at in range(0, len(others), _BLOCK):
        some = others[at : at + _BLOCK]
        laid = edges(redraw(query, lay_upon(query, some)))
        parts.append(shares(laid, wanted[at : at + _BLOCK], reach))
    return np.concatenate(parts)


def edges(pixels: Drawings) -> Floats:
    """What is compared of drawings: float32 (n, 2, h, w), gradients across and down.

    Args:
        pixels: uint8 (n, h, w).

    Raises:
        ValueError: no such array, or pictures of no pixel.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or not all(pixels.shape[1:]):
        raise ValueError(f"drawings are uint8 (n, h, w), not {pixels.dtype} {pixels.shape}")
    grey = np.pad(pixels.astype(np.float32) / 255, ((0, 0), (1, 1), (1, 1)), mode="edge")
    soft = np.pad(_around(np.moveaxis(grey, 0, -1)) / 9, ((1, 1), (1, 1), (0, 0)), mode="edge")
    across, down = soft[1:-1, 2:] - soft[1:-1, :-2], soft[2:, 1:-1] - soft[:-2, 1:-1]
    return np.ascontiguousarray(np.moveaxis(np.stack([across, down]), -1, 0))


def shares(drawn: Floats, others: Floats, reach: int = REACH) -> NDArray[np.float64]:
    """How much of n drawings and of as many others is found again in one another, pair by pair.

    With gradients a and b, and N the 3×3 pixels around a place (0 beyond the edge),

        D(a, b) = sum over x of the least, over shifts d of `reach` pixels at most either way that
                  do not lead off the paper, of the sum over p in N of |a(x + p) - b(x + d + p)|²

    and what is returned is 1 − (D(a, b) + D(b, a)) / (D(a, 0) + D(b, 0)), at least 0.

    Args:
        drawn, others: (n, 2, h, w) of `edges`.
        reach: pixels.

    Returns:
        float64 (n,), from 0 to 1.
    """
    count, _, height, width = others.shape
    # Drawings last: every step is then over one stretch of memory.
    ours, theirs = (
        np.pad(np.moveaxis(one, 0, -1), ((0, 0), (1, 1), (1, 1), (0, 0))) for one in (drawn, others)
    )
    there, back = np.full((2, height, width, count), np.inf, np.float32)
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            (top, end), (left, right) = _stays(down, height), _stays(across, width)
            if top >= end or left >= right:
                continue
            away = (
                ours[:, top : end + 2, left : right + 2]
                - theirs[:, top + down : end + down + 2, left + across : right + across + 2]
            )
            away *= away
            apart = _around(away[0] + away[1])
            # Seen from the other drawing, the place is where the shift has led.
            for least, y, x in ((there, 0, 0), (back, down, across)):
                place = least[top + y : end + y, left + x : right + x]
                np.minimum(place, apart, out=place)
    whole = _sum(_around((ours**2).sum(0))) + _sum(_around((theirs**2).sum(0)))
    share = 1 - (_sum(there) + _sum(back)) / np.where(whole > 0, whole, 1)
    return np.where(whole > 0, np.clip(share, 0, 1), 0.0)


def _stays(shift: int, size: int) -> tuple[int, int]:
    """From where to where a shift does not lead off the paper."""
    return max(0, -shift), min(size, size - shift)


def _around(cells: Any) -> Any:
    """Sums over 3×3: (h + 2, w + 2, n) to (h, w, n)."""
    rows = cells[:-2] + cells[1:-1] + cells[2:]
    return rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]


def _sum(cells: Any) -> NDArray[np.float64]:
    return np.asarray(cells.sum((0, 1), dtype=np.float64))


class DrawingCache:
    """The drawings of files as a model sees them, asked for as keypoints are of a `KeypointCache`.

    The last ones stay in memory; to read one again takes a millisecond. May be shared by threads.

    Args:
        size, fit, fill: how a model sees drawings, as its card says; they are compared so.
        in_memory: of how many files, the last ones asked for.
    """

    def __init__(
        self, size: tuple[int, int], fit: Fit, fill: int, *, in_memory: int = 10_000
    ) -> None:
        self.size, self.fit, self.fill = size, fit, fill
        self._latest: Latest[tuple[str, Box | None], Drawings] = Latest(in_memory)

    def of(
        self, path: str | os.PathLike[str], box: Box | None = None, *, content: str | None = None
    ) -> Drawings:
        """A drawing, uint8 (h, w), or a box of it.

        Args:
            path: its file.
            box: (left, top, right, bottom) of the part to look at.
            content: the SHA-256 of the file that is meant, in hex, where it is known.

        Raises:
            UnreadablePhoto: the file is missing, no picture, or not the one that is meant.
        """
        if content is None:
            return self.of_image(read_image(path, channels=1, box=box))
        key = (content, box)
        if (known := self._latest.get(key)) is not None:
            return known
        if content_hash(path) != content:
            raise UnreadablePhoto(os.fspath(path), "is another picture by now")
        found = self.of_image(read_image(path, channels=1, box=box))
        self._latest.keep(key, found)
        return found

    def of_image(self, image: Pixels) -> Drawings:
        """A picture in memory, uint8 (H, W, 1), as the model sees it: uint8 (h, w)."""
        return fit_image(image, self.size, fit=self.fit, fill=self.fill)[0]
