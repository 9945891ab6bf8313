"""Letters of no alphabet, for choosing between models by classes that none of them saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from resight.photos.decode import Pixels
from resight.photos.strokes import Points, Stroke, draw_strokes, even_path


@dataclass(frozen=True)
class Character:
    """A letter of no alphabet: its strokes, as they stand in the copybook."""

    strokes: tuple[Stroke, ...]

    def draw(self, rng: np.random.Generator) -> Pixels:
        """Draw it as one more person would: uint8 (28, 28), white on black, with MNIST's look."""
        return draw_strokes(self.strokes, rng)


def random_character(rng: np.random.Generator) -> Character:
    """Make up a letter of one to four strokes: lines, corners, arcs, hooks, loops, waves.

    As in real alphabets strokes mostly run along or across the line of writing and begin or end on
    one another. Letters that are a bare line, a tangle, or that draw one stroke over another are
    thrown away. Made from no data set.
    """
    while True:
        strokes: list[Stroke] = []
        for _ in range(rng.choice([1, 2, 3, 4], p=[0.14, 0.44, 0.31, 0.11])):
            strokes.append(_random_stroke(strokes, rng))
        points = np.concatenate([stroke.points for stroke in strokes])
        low, high = points.min(0), points.max(0)
        width, height = high - low
        strokes = [
            Stroke((s.points - (low + high) / 2) / max(width, height, 1e-6), s.smooth, s.closed)
            for s in strokes
        ]
        if min(width, height) > 0.35 * max(width, height) and _legible(strokes):
            return Character(tuple(strokes))


def _legible(strokes: list[Stroke]) -> bool:
    """Whether it is more than a bare line, less than a tangle, and no stroke covers another."""
    paths = [even_path(stroke)[::4] for stroke in strokes]
    if not 30 <= sum(map(len, paths)) <= 85:  # lengths from 1.4 to 4
        return False
    for i, path in enumerate(paths):
        for other in paths[:i]:
            near = np.hypot(*(path[:, None] - other).transpose(2, 0, 1)) < 0.12
            if near.any(1).mean() > 0.4 or near.any(0).mean() > 0.4:
                return False
    return True


def _random_stroke(others: list[Stroke], rng: np.random.Generator) -> Stroke:
    """A stroke that is mostly upright or level, and mostly joined to the others."""
    if others and rng.random() < 0.12:  # the last one again, beside it
        last = others[-1]
        beside = rng.choice([-1, 1]) * rng.uniform(0.3, 0.5) * np.eye(2)[rng.integers(2)]
        return Stroke(last.points + beside, last.smooth, last.closed)
    shape = _random_shape(rng, part=bool(others))
    if shape.smooth and not shape.closed and rng.random() < (0.25 if others else 0.5):
        shape = _run_on(shape, rng)
    turn = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.12)
    if rng.random() < 0.2:
        turn += rng.choice([-1, 1]) * np.pi / 4
    size = rng.uniform(0.55, 1) if others else 1
    points = size * _turned(shape.points * [rng.choice([-1, 1]), 1], turn)
    if not others:
        return Stroke(points, shape.smooth, shape.closed)
    if rng.random() < 0.15:  # free of the others
        place = rng.uniform(-0.5, 0.5, 2)
        return Stroke(points - points.mean(0) + place, shape.smooth, shape.closed)
    # Joined to an end, a corner, or midway: of the other stroke and of its own.
    other = others[rng.integers(len(others))].points
    where = rng.integers(len(other))
    anchor = other[where]
    if rng.random() < 0.4 and where:
        anchor = (other[where] + other[where - 1]) / 2
    own = points[rng.choice([0, 0, -1, len(points) // 2])]
    return Stroke(points - own + anchor, shape.smooth, shape.closed)


def _random_shape(rng: np.random.Generator, *, part: bool) -> Stroke:
    """A shape of a random kind; a bare line is often part of a letter, seldom all of it."""
    chances = np.array([part_chance if part else chance for chance, part_chance, _ in _SHAPES])
    return _SHAPES[rng.choice(len(_SHAPES), p=chances / chances.sum())][2](rng)


def _run_on(stroke: Stroke, rng: np.random.Generator) -> Stroke:
    """Without lifting the pen, and in about the same direction, into another curve."""
    more = (_arc, _hook, _loop)[rng.integers(3)](rng).points * [rng.choice([-1, 1]), 1]
    end, start = stroke.points[-1] - stroke.points[-2], more[1] - more[0]
    turn = np.arctan2(*end[::-1]) - np.arctan2(*start[::-1]) + rng.normal(0, 0.4)
    more = rng.uniform(0.5, 0.9) * _turned(more, turn)
    return Stroke(np.concatenate([stroke.points, (more - more[0] + stroke.points[-1])[1:]]), True)


def _turned(points: Points, turn: float) -> Points:
    cos, sin = np.cos(turn), np.sin(turn)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _line(rng: np.random.Generator) -> Stroke:
    bulge = rng.normal(0, 0.08)
    return Stroke(np.array([[0, -0.5], [bulge, 0], [0, 0.5]]), smooth=True)


def _corner(rng: np.random.Generator) -> Stroke:
    across, lean = rng.uniform(0.4, 0.9), rng.normal(0, 0.12)
    return Stroke(np.array([[lean, -0.5], [0, 0.4], [across, 0.4 + rng.normal(0, 0.08)]]))


def _arc(rng: np.random.Generator) -> Stroke:
    start, sweep = rng.uniform(0, 90), rng.uniform(130, 300)
    turns = np.radians(np.linspace(start, start + sweep, 9))
    return Stroke(_ellipse(turns, rng), smooth=True)


def _ring(rng: np.random.Generator) -> Stroke:
    return Stroke(_ellipse(np.radians(np.arange(0, 360, 36)), rng), smooth=True, closed=True)


def _hook(rng: np.random.Generator) -> Stroke:
    radius, sweep = rng.uniform(0.15, 0.3), rng.uniform(120, 220)
    turns = np.radians(np.linspace(0, sweep, 6))
    curl = np.stack([radius - radius * np.cos(turns), 0.25 + radius * np.sin(turns)], 1)
    stem = np.array([[rng.normal(0, 0.06), -0.55], [0, -0.15]])
    return Stroke(np.concatenate([stem, curl]), smooth=True)


def _loop(rng: np.random.Generator) -> Stroke:
    """A tail that runs into a loop and crosses itself, as in a written l, e or a rho."""
    radius, tail = rng.uniform(0.2, 0.32), rng.uniform(0.5, 0.8)
    turns = np.radians(np.linspace(200, 200 - rng.uniform(330, 450), 11))
    circle = radius * np.stack([np.cos(turns), -1.15 * np.sin(turns)], 1)
    start = circle[0] + [-0.05, tail]
    return Stroke(np.concatenate([[start, (start + circle[0]) / 2], circle]), smooth=True)


def _wave(rng: np.random.Generator) -> Stroke:
    bends, height = rng.choice([2, 3], p=[0.7, 0.3]), rng.uniform(0.16, 0.3)
    along = np.linspace(0, 1, 4 * bends + 1)
    points = [height * np.sin(np.pi * bends * along), along - 0.5]
    return Stroke(np.stack(points, 1), smooth=True)


def _zigzag(rng: np.random.Generator) -> Stroke:
    corners = rng.integers(3, 6)
    side = np.where(np.arange(corners) % 2, 1, -1) * rng.uniform(0.18, 0.35)
    along = np.linspace(-0.5, 0.5, corners)
    return Stroke(np.stack([side, along], 1) + rng.normal(0, 0.06, (corners, 2)))


def _polygon(rng: np.random.Generator) -> Stroke:
    corners = rng.choice([3, 4], p=[0.35, 0.65])
    turns = 2 * np.pi * (np.arange(corners) / corners + (0.125 if corners == 4 else 0))
    points = 0.6 * np.stack([rng.uniform(0.6, 1) * np.cos(turns), np.sin(turns)], 1)
    return Stroke(points + rng.normal(0, 0.04, points.shape), closed=True)


def _dot(rng: np.random.Generator) -> Stroke:
    return Stroke(np.array([[-0.05, -0.04], [0.05, 0.04]]))


def _ellipse(turns: Points, rng: np.random.Generator) -> Points:
    width = rng.uniform(0.28, 0.5)
    return np.stack([width * np.cos(turns), 0.5 * np.sin(turns)], 1)


# How often each comes as the first stroke of a letter, as a further one, and how it is made.
_SHAPES: tuple[tuple[float, float, Callable[[np.random.Generator], Stroke]], ...] = (
    (0.14, 0.36, _line),
    (0.15, 0.12, _corner),
    (0.18, 0.15, _arc),
    (0.08, 0.06, _ring),
    (0.15, 0.12, _hook),
    (0.09, 0.05, _loop),
    (0.09, 0.04, _wave),
    (0.06, 0.02, _zigzag),
    (0.06, 0.03, _polygon),
    (0.00, 0.05, _dot),
)
