"""Any picture of a glyph in the look of MNIST."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resight.photos.decode import Pixels
from resight.photos.strokes import BOX, CENTRE, SIDE

_FINE = 4  # working pixels a pixel, for antialiasing
# No digit is wider than high. What is, by so much, has more room: up to so much larger, where a
# network tells it apart better (docs/tried.md).
_WIDE, _LARGER = 1.4, 1.3


def like_mnist(image: NDArray[np.uint8], *, white_on_black: bool = True) -> Pixels:
    """Bring a clean picture of one glyph to the look of MNIST.

    1. Black on white is inverted. Ink is what is brighter than 0.4 of the way from the darkest to
       the brightest pixel.
    2. The stroke's mean width is estimated by 2 · area / perimeter of the ink.
    3. The ink's box is scaled to a longest side of 20 pixels, on a grid four times as fine; one
       that is much wider than high, to up to 26. Where the strokes would be thinner than 2.2 pixels
       they are widened to that by a round brush, within the box: a pen of 2 pixels on a card of
       105 would otherwise fade away. Much in a small space is drawn with a finer pen, as in
       `draw_strokes`, or it would run together.
    4. It is averaged down, and placed by whole pixels with its centre of mass at row and column 14
       (to half a pixel, as in MNIST itself), as far as the edges allow.

    Args:
        image: uint8 (H, W), of any size.
        white_on_black: whether the ink is the brighter part; False for pen on paper.

    Returns:
        uint8 (28, 28), white on black; all 0 when the picture is of one grey.

    Raises:
        ValueError: not a uint8 array (H, W).
    """
    if image.dtype != np.uint8 or image.ndim != 2 or not image.size:
        raise ValueError(f"a glyph is a uint8 array (H, W), not {image.dtype} {image.shape}")
    light = image if white_on_black else 255 - image
    dark, bright = int(light.min()), int(light.max())
    result = np.zeros((SIDE * _FINE, SIDE * _FINE), bool)
    if dark == bright:
        return np.zeros((SIDE, SIDE), np.uint8)
    threshold = dark + 0.4 * (bright - dark)
    rows, columns = (np.flatnonzero((light > threshold).any(axis)) for axis in (1, 0))
    light = light[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = light.shape
    longest = max(height, width)
    box = BOX * float(np.clip(width / height / _WIDE, 1, _LARGER))
    stroke = _stroke_width(light > threshold)
    length = int((light > threshold).sum()) / stroke / longest
    pen = 2.2 * min((3.5 / length) ** 0.4, 1)
    brush = round(max(pen - stroke * box / longest, 0) / 2 * _FINE)
    side = box * _FINE - 2 * brush
    ink = _widened(_resized_ink(light, threshold, side / longest), brush)
    centre = (np.argwhere(ink).mean(0) + 0.5) / _FINE
    edge = SIDE - np.ceil(np.array(ink.shape) / _FINE)
    top, left = _FINE * np.clip(np.rint(CENTRE + 0.5 - centre), 0, edge).astype(int)
    result[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    fine = result.reshape(SIDE, _FINE, SIDE, _FINE).mean((1, 3))
    return np.rint(255 * fine).astype(np.uint8)


def _resized_ink(light: Pixels, threshold: float, scale: float) -> NDArray[np.bool_]:
    height, width = (max(round(side * scale), 1) for side in light.shape)
    if scale >= 1:
        larger = Image.fromarray(light).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(larger) > threshold
    # Shrinking keeps every line, however thin: a cell with any ink in it is ink.
    ink = np.zeros((height, width), bool)
    y, x = np.nonzero(light > threshold)
    ink[(y * height // light.shape[0]), (x * width // light.shape[1])] = True
    return ink


def _stroke_width(ink: NDArray[np.bool_]) -> float:
    edges = np.pad(ink, 1).astype(np.int8)
    perimeter = sum(int(np.abs(np.diff(edges, axis=axis)).sum()) for axis in (0, 1)) * np.pi / 4
    return 2 * int(ink.sum()) / perimeter


def _widened(ink: NDArray[np.bool_], brush: int) -> NDArray[np.bool_]:
    height, width = ink.shape
    result = np.zeros((height + 2 * brush, width + 2 * brush), bool)
    for dy in range(-brush, brush + 1):
        for dx in range(-brush, brush + 1):
            if dx * dx + dy * dy <= (brush + 0.3) ** 2:
                y, x = brush + dy, brush + dx
                result[y : y + height, x : x + width] |= ink
    return result
