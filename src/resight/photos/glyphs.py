"""Glyphs as people draw them, no two alike. With them: made-up letters, and MNIST's look."""

from __future__ import annotations

import numpy as np

from resight.photos.decode import Pixels
from resight.photos.letters import Character, random_character
from resight.photos.look import like_mnist
from resight.photos.strokes import Stroke, draw_strokes

__all__ = ["GLYPHS", "Character", "draw_glyph", "like_mnist", "random_character"]


def _corners(*points: tuple[float, float], closed: bool = False) -> Stroke:
    return Stroke(np.array(points, np.float64), closed=closed)


def _flow(*points: tuple[float, float], closed: bool = False) -> Stroke:
    return Stroke(np.array(points, np.float64), smooth=True, closed=closed)


def _arc(
    x: float, y: float, width: float, height: float, start: float, end: float, steps: int = 10
) -> Stroke:
    """Part of an ellipse; degrees, 0 to the right, 90 at the top."""
    turns = np.radians(np.linspace(start, end, steps))
    points = [x + width / 2 * np.cos(turns), y - height / 2 * np.sin(turns)]
    return Stroke(np.stack(points, 1), smooth=True)


def _spiral(turns: float, steps: int = 24) -> Stroke:
    t = np.linspace(0.04, 1, steps)
    angle = 2 * np.pi * turns * t
    return Stroke(0.5 * t[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), smooth=True)


def _round(order: tuple[int, ...], of: int, start: float = 90) -> Stroke:
    """Corners of a regular polygon, joined in an order."""
    turns = np.radians(start - 360 / of * np.array(order))
    points = 0.5 * np.stack([np.cos(turns), -np.sin(turns)], 1)
    return Stroke(points, closed=True)


_DRAWINGS: dict[str, tuple[Stroke, ...]] = {
    "star": (_round((3, 0, 2, 4, 1), 5),),
    "heart": (
        _flow((0, -0.2), (-0.14, -0.4), (-0.36, -0.4), (-0.48, -0.2), (-0.38, 0.08), (0, 0.48)),
        _flow((0, -0.2), (0.14, -0.4), (0.36, -0.4), (0.48, -0.2), (0.38, 0.08), (0, 0.48)),
    ),
    "house": (
        _corners((-0.36, -0.08), (-0.36, 0.48), (0.36, 0.48), (0.36, -0.08)),
        _corners((-0.48, -0.04), (0, -0.5), (0.48, -0.04)),
    ),
    "arrow": (
        _corners((-0.5, 0), (0.48, 0)),
        _corners((0.16, -0.3), (0.5, 0), (0.16, 0.3)),
    ),
    "spiral": (_spiral(2.2),),
    "lightning": (_corners((0.16, -0.5), (-0.22, 0.04), (0.2, -0.04), (-0.18, 0.5)),),
    "moon": (
        _flow((0.2, -0.48), (-0.22, -0.34), (-0.34, 0), (-0.22, 0.34), (0.2, 0.48)),
        _flow((0.2, -0.48), (-0.02, -0.24), (-0.08, 0), (-0.02, 0.24), (0.2, 0.48)),
    ),
    "fish": (
        _flow((0.5, -0.26), (0.1, 0.14), (-0.24, 0.24), (-0.5, 0), (-0.24, -0.24), (0.1, -0.14),
              (0.5, 0.26)),
        _corners((0.48, -0.26), (0.48, 0.26)),
    ),
    "tree": (
        _corners((0, -0.5), (-0.26, -0.12), (-0.12, -0.12), (-0.42, 0.28), (0.42, 0.28),
                 (0.12, -0.12), (0.26, -0.12), closed=True),
        _corners((0, 0.3), (0, 0.5)),
    ),
    "cross": (_corners((0, -0.5), (0, 0.5)), _corners((-0.5, 0), (0.5, 0))),
    "square": (_corners((-0.45, -0.45), (-0.45, 0.45), (0.45, 0.45), (0.45, -0.45), closed=True),),
    "triangle": (_corners((0, -0.45), (-0.5, 0.42), (0.5, 0.42), closed=True),),
    "anchor": (
        _corners((0, -0.3), (0, 0.48)),
        _arc(0, -0.1, 0.9, 1.16, 200, 340),
        _corners((-0.24, -0.18), (0.24, -0.18)),
        _arc(0, -0.4, 0.2, 0.2, 270, 630),
    ),
    "sun": (
        _arc(0, 0, 0.44, 0.44, 90, 450),
        *(
            _corners((0.34 * c, 0.34 * s), (0.5 * c, 0.5 * s))
            for c, s in ((np.cos(a), np.sin(a)) for a in np.radians(np.arange(0, 360, 60) + 30))
        ),
    ),
    "flag": (
        _corners((-0.3, 0.5), (-0.3, -0.5)),
        _corners((-0.3, -0.48), (0.4, -0.26), (-0.3, -0.02)),
    ),
    "umbrella": (
        _arc(0, 0.04, 1, 1.04, 180, 0),
        _flow((-0.5, 0.04), (-0.34, -0.06), (-0.17, 0.04), (0, -0.06), (0.17, 0.04), (0.34, -0.06),
              (0.5, 0.04)),
        _flow((0, -0.02), (0, 0.2), (0, 0.36), (0.06, 0.48), (0.16, 0.46), (0.18, 0.36)),
    ),
    "cup": (
        _corners((-0.44, -0.36), (-0.36, 0.4), (0.16, 0.4), (0.24, -0.36), closed=True),
        _flow((0.22, -0.2), (0.42, -0.22), (0.48, -0.02), (0.38, 0.16), (0.2, 0.18)),
    ),
    "hourglass": (_corners((-0.34, -0.5), (0.34, -0.5), (-0.34, 0.5), (0.34, 0.5), closed=True),),
    "music": (
        _arc(-0.16, 0.36, 0.32, 0.24, 0, 360),
        _corners((0.0, 0.34), (0.0, -0.5)),
        _flow((0.0, -0.5), (0.12, -0.3), (0.3, -0.2), (0.26, 0.02)),
    ),
    "wave": (
        _flow((-0.5, -0.12), (-0.34, -0.3), (-0.1, -0.1), (0.1, -0.3), (0.34, -0.1), (0.5, -0.28)),
        _flow((-0.5, 0.28), (-0.34, 0.1), (-0.1, 0.3), (0.1, 0.1), (0.34, 0.3), (0.5, 0.12)),
    ),
}  # fmt: skip

GLYPHS: tuple[str, ...] = tuple(_DRAWINGS)


def draw_glyph(name: str, rng: np.random.Generator) -> Pixels:
    """Draw a glyph as one more person would; no two drawings are alike.

    Args:
        name: one of `GLYPHS`.
        rng: where the hand comes from.

    Returns:
        uint8 (28, 28), white on black, with MNIST's look.
    """
    if name not in _DRAWINGS:
        raise ValueError(f"no glyph is named {name!r}; there are {', '.join(GLYPHS)}")
    return draw_strokes(_DRAWINGS[name], rng)
