"""Laying one drawing upon another: turned, slanted, stretched and moved until the two agree.

Hands lean and stretch what they draw, each in its own way. So before two drawings are compared,
one is drawn as the other lies: by the affine map that takes the sum of squared differences of their
blurred pixels down, found with Gauss and Newton's steps as Baker and Matthews take them ("Lucas-
Kanade 20 years on: a unifying framework", IJCV 2004: inverse compositional). The map is held back
from going far, or anything could be laid upon anything.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float64]
Pixel = TypeVar("Pixel", np.uint8, np.float32)

# Standard deviations of the blur in pixels, and the steps at each: a softer one is led farther.
_BLURS = ((2.0, 6), (1.0, 4))
# How strongly turning, slanting and stretching are held back, as a share of what the pixels say,
# and shifting beside it; and the longest step in pixels.
_HOLD, _SHIFT, _STEP = 0.1, 0.02, 3.0


def lay_upon(query: NDArray[np.uint8], others: NDArray[np.uint8]) -> Maps:
    """Affine maps that lay a drawing upon each of some others.

    Args:
        query: uint8 (h, w).
        others: uint8 (n, h, w).

    Returns:
        float64 (n, 3, 3), from a place (x, y, 1) in the other drawing to the one in the query
        where the same should be, in pixels from the middle.
    """
    count, height, width = others.shape
    if not count:
        return np.empty((0, 3, 3))
    radius = max(height, width) / 2.8
    down, across = np.mgrid[:height, :width].astype(np.float32).reshape(2, 1, -1)
    down, across = (down - (height - 1) / 2) / radius, (across - (width - 1) / 2) / radius
    held = np.array([1, 1, 1, 1, _SHIFT, _SHIFT])
    maps = np.tile(np.eye(3), (count, 1, 1))
    for blur, steps in _BLURS:
        soft, goal = _soft(query[None], blur)[0], _soft(others, blur)
        along_y, along_x = (g.reshape(count, -1) for g in np.gradient(goal, axis=(1, 2)))
        # How the other drawing's pixels change with each of the map's six numbers: (n, 6, h w).
        change = np.stack(
            [part for g in (along_x, along_y) for part in (g * across[0], g * down[0])]
            + [along_x, along_y],
            axis=1,
        )
        curved = (change @ change.transpose(0, 2, 1)).astype(np.float64)
        hold = _HOLD * np.trace(curved, axis1=1, axis2=2) / 6
        # A blank drawing moves nothing.
        curved += hold[:, None, None] * np.diag(held) + 1e-9 * np.eye(6)
        inverse = np.linalg.inv(curved)
        for _ in range(steps):
            apart = (redraw(soft, maps) - goal).reshape(count, -1, 1)
            slope = (change @ apart)[..., 0] + hold[:, None] * held * _numbers(maps, radius)
            step = np.clip((inverse @ slope[..., None])[..., 0], -_STEP, _STEP)
            maps = maps @ np.linalg.inv(_map(step, radius))
    return maps


def redraw(picture: NDArray[Pixel], maps: Maps) -> NDArray[Pixel]:
    """A drawing (h, w), uint8 or float32, as maps of `lay_upon` lay it: (n, h, w)."""
    import cv2

    height, width = picture.shape
    middle = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
    in_pixels = (middle @ maps @ np.linalg.inv(middle))[:, :2]
    how = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    seen = np.empty((len(maps), height, width), picture.dtype)
    for one, to in zip(in_pixels, seen, strict=True):
        to[...] = cv2.warpAffine(picture, one, (width, height), **how)
    return seen


def _soft(pictures: NDArray[np.uint8], blur: float) -> NDArray[np.float32]:
    import cv2

    soft = np.divide(pictures, 255, dtype=np.float32)
    for one in soft:
        one[...] = cv2.GaussianBlur(one, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    return soft


def _numbers(maps: Maps, radius: float) -> NDArray[np.float64]:
    """Six numbers of each map in pixels, 0 where nothing is moved: (n, 6)."""
    away = maps - np.eye(3)
    linear = away[:, :2, :2].reshape(len(maps), 4) * radius
    return np.concatenate([linear, away[:, :2, 2]], axis=1)


def _map(numbers: NDArray[np.float64], radius: float) -> Maps:
    """The maps of such numbers: (n, 3, 3)."""
    maps = np.tile(np.eye(3), (len(numbers), 1, 1))
    maps[:, :2, :2] += numbers[:, :4].reshape(-1, 2, 2) / radius
    maps[:, :2, 2] += numbers[:, 4:]
    return maps
