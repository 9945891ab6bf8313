"""Strokes drawn by an unsteady hand, with the look of MNIST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.photos.decode import Pixels

Points = NDArray[np.float64]

SIDE = 28  # pixels of a picture
BOX = 20  # pixels of the box that holds the ink
CENTRE = 14  # row and column of MNIST's centre of mass, to half a pixel: it moves by whole ones
_STEP = 0.012  # between points of a path, as a part of the character's size


@dataclass(frozen=True)
class Stroke:
    """One movement of the pen.

    Attributes:
        points: float64 (k, 2), x to the right and y downward; a character is about 1 in size, its
            middle at (0, 0).
        smooth: whether the pen passes the points in a curve, or turns a corner at each.
        closed: whether it comes back to where it began.
    """

    points: Points
    smooth: bool = False
    closed: bool = False


@dataclass(frozen=True)
class Hand:
    """How one drawing is made: a person, in a mood, with a pen.

    Attributes:
        matrix: float64 (2, 2), slant, turn and proportions.
        bend: float64 (2, 3), how the page is bent: by x², xy and y².
        wobble: how far the pen strays, as a part of the character's size.
        carelessness: how far whole strokes are out of place, out of size and turned, likewise.
        looseness: how far corners are rounded, likewise.
        width: of the stroke, in pixels.
        pressure: how much the width changes along a stroke, as a part of it.
    """

    matrix: Points
    bend: Points
    wobble: float
    carelessness: float
    looseness: float
    width: float
    pressure: float


def random_hand(rng: np.random.Generator) -> Hand:
    """Another person, or the same on another day."""
    turn, slant = rng.normal(0, 0.07), rng.normal(0, 0.13)
    stretch = np.exp(rng.normal(0, 0.08))
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin], [sin, cos]]) @ np.array([[stretch, -slant], [0, 1 / stretch]])
    return Hand(
        matrix=matrix,
        bend=rng.normal(0, 0.10, (2, 3)),
        wobble=rng.uniform(0.010, 0.026),
        carelessness=rng.uniform(0.015, 0.06),
        looseness=min(rng.gamma(2.0, 0.011), 0.05),
        width=float(np.clip(rng.normal(2.5, 0.4), 1.7, 3.5)),
        pressure=rng.uniform(0.03, 0.18),
    )


def draw_strokes(strokes: Sequence[Stroke], rng: np.random.Generator) -> Pixels:
    """Draw strokes by a random hand.

    Returns:
        uint8 (28, 28), white on black: the ink within a box of 20 pixels, antialiased, its centre
        of mass within half a pixel of row and column 14, as MNIST has it.
    """
    hand = random_hand(rng)
    paths = [_pen_path(stroke, hand, rng) for stroke in strokes]
    everything = np.concatenate(paths)
    size = np.ptp(everything, axis=0).max()
    # Much in a small space is drawn with a finer pen, or it would run together.
    length = len(everything) * _STEP / max(size, 1e-6)
    width = hand.width * min((3.5 / length) ** 0.4, 1)
    scale = (BOX - width) / max(size, 1e-6)
    radii = width / 2 * np.concatenate([_pressure(len(path), hand, rng) for path in paths])
    step = max(int(0.45 / (scale * _STEP)), 1)  # half a pixel apart is as good as a line
    return _ink(everything[::step] * scale, radii[::step])


def draw_paths(paths: Sequence[Points], width: float = 2.5) -> Pixels:
    """Draw what somebody drew with a mouse, a finger or a pen, in the look of `draw_strokes`.

    However large it was drawn, it fills the same box, by the same pen.

    Args:
        paths: the pen's ways, each float64 (k, 2), k at least 1; x to the right and y downward.
        width: of the pen, in pixels of the result.

    Returns:
        uint8 (28, 28), white on black; see `draw_strokes`.
    """
    everything = np.concatenate(paths)
    low, size = everything.min(axis=0), float(np.ptp(everything, axis=0).max())
    even = [_even((path - low) / (size or 1.0)) for path in paths]
    spots = np.concatenate(even)
    # As in `draw_strokes`: much in a small space is drawn with a finer pen.
    width *= min((3.5 / (len(spots) * _STEP)) ** 0.4, 1)
    scale = BOX - width
    step = max(int(0.45 / (scale * _STEP)), 1)
    return _ink(spots[::step] * scale, np.full(len(spots[::step]), width / 2))


def even_path(stroke: Stroke) -> Points:
    """A stroke as it stands in the copybook: (n, 2) points, 0.012 apart."""
    points = np.concatenate([stroke.points, stroke.points[:1]]) if stroke.closed else stroke.points
    return _even(_curve(points) if stroke.smooth else points)


def _pen_path(stroke: Stroke, hand: Hand, rng: np.random.Generator) -> Points:
    """The way of the pen, (n, 2), in steps of about `_STEP`."""
    points = stroke.points
    middle = points.mean(0)
    turn, grow = rng.normal(0, hand.carelessness), np.exp(rng.normal(0, 1.5 * hand.carelessness))
    cos, sin = grow * np.cos(turn), grow * np.sin(turn)
    points = (points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle
    points = points + rng.normal(0, 0.6 * hand.carelessness, 2)
    points = points + rng.normal(0, hand.wobble * (0.5 if stroke.smooth else 1.3), points.shape)
    if stroke.closed:
        points = np.concatenate([points, points[:1] + rng.normal(0, 1.3 * hand.wobble, (1, 2))])
    path = _even(_curve(points) if stroke.smooth else points)
    path = _rounded(path, hand.looseness)
    along = np.linspace(0, 1, len(path))
    for waves in (1, 2, 3):
        phase, size = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.5 * hand.wobble / waves, 2)
        path = path + np.sin(np.pi * waves * along + phase)[:, None] * size
    x, y = path.T
    path = path + np.stack([x * x, x * y, y * y], 1) @ hand.bend.T
    return path @ hand.matrix.T


def _curve(points: Points) -> Points:
    """A Catmull-Rom spline through points (k, 2), 16 steps between each two."""
    before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
    p = np.concatenate([[before], points, [after]])
    t = np.linspace(0, 1, 16, endpoint=False)[:, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = b + 0.5 * t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a)))
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _even(path: Points) -> Points:
    """The same path in even steps."""
    steps = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    spots = np.linspace(0, along[-1], max(round(along[-1] / _STEP), 2) + 1)
    return np.stack([np.interp(spots, along, path[:, axis]) for axis in (0, 1)], 1)


def _rounded(path: Points, looseness: float) -> Points:
    """Corners rounded by a Gaussian along the path; its ends stay where they are."""
    reach = min(int(2.5 * looseness / _STEP), len(path) - 1)
    if reach < 1:
        return path
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _STEP / looseness) ** 2)
    kernel /= kernel.sum()
    head = 2 * path[0] - path[reach:0:-1]
    tail = 2 * path[-1] - path[-2 : -reach - 2 : -1]
    longer = np.concatenate([head, path, tail])
    return np.stack([np.convolve(longer[:, axis], kernel, "valid") for axis in (0, 1)], 1)


def _pressure(count: int, hand: Hand, rng: np.random.Generator) -> Points:
    """The stroke's width at each of `count` points, as a factor."""
    along = np.linspace(0, 1, count)
    wave = np.sin(2 * np.pi * (rng.uniform(0.4, 1.2) * along + rng.uniform(0, 1)))
    return 1 + hand.pressure * wave


def _ink(spots: Points, radii: Points) -> Pixels:
    """Round spots of ink, (n, 2) and (n,) in pixels, placed by their centre of mass."""
    reach = radii[:, None]
    low, high = (spots - reach).min(0), (spots + reach).max(0)
    corner = np.rint(low + CENTRE + 0.5 - np.average(spots, axis=0, weights=radii))
    corner = np.clip(corner, 0, np.floor(SIDE - (high - low)))  # nothing hangs over the edge
    shift = corner - low
    x, y = (spots + shift - 0.5).T.astype(np.float32)
    grid = np.arange(SIDE, dtype=np.float32)
    across, down = (grid[:, None] - x) ** 2, (grid[:, None] - y) ** 2
    distance = np.sqrt(down[:, None, :] + across[None, :, :])
    # From full ink to none over a pixel and a quarter, as in MNIST's own antialiasing.
    depth = (radii.astype(np.float32) - distance).max(2)
    return np.rint(255 * np.clip(depth / 1.25 + 0.5, 0, 1)).astype(np.uint8)
