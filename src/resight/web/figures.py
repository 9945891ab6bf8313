"""A calibration's figures, ready for the page: large numbers, diagrams and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from resight.catalogue.calibrated import Kept
from resight.evaluate.calibration import Reliability
from resight.evaluate.report_drawing import Dot, reliability_dots

SQUARE, BARS = 260, 56  # of the diagrams, in their own units


@dataclass(frozen=True)
class Diagram:
    """A reliability diagram, ready to be drawn."""

    name: str
    dots: list[Dot]
    error: float
    floor: float


def cards_of(kept: Kept) -> list[tuple[str, str]]:
    """The few large numbers on top, as (number, what it counts)."""
    figures = kept.calibration.figures
    cards = []
    for name, what in (("single", "a photo alone"), ("encounter", "an encounter's together")):
        if found := figures.get(name):
            cards.append((f"{100 * found['right']['value']:.1f} %", f"answered right, {what}"))
    if found := figures.get("answer"):
        cards.append((f"{100 * found['error']:.1f} %", "by so much probabilities miss the truth"))
    if found := figures.get("set 95%"):
        cards.append((f"{100 * found['coverage']:.1f} %", "of the sets of 95 % hold the truth"))
    return cards


def diagrams_of(figures: dict[str, Any]) -> list[Diagram]:
    """The reliability of the answer and of "new", where they were measured."""
    drawn = []
    for key, name in (("answer", "The answer"), ("new", "Somebody new")):
        if found := figures.get(key):
            made = _reliability(found)
            dots = reliability_dots(made, SQUARE, SQUARE, BARS)
            drawn.append(Diagram(name, dots, made.error, made.floor))
    return drawn


def _reliability(found: dict[str, Any]) -> Reliability:
    """What `Reliability.to_dict` was given, again."""

    def array(name: str) -> np.ndarray:
        return np.array([np.nan if value is None else value for value in found[name]], np.float64)

    return Reliability(
        array("predicted"),
        array("observed"),
        array("low"),
        array("high"),
        np.array(found["counts"], np.int64),
        found["error"],
        found["floor"],
        found["answers"],
        found["groups"],
    )


def opened_of(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The open-set figures: (of what, by name)."""
    names = (("single", "A photo alone"), ("encounter", "Photos together"))
    return [(words, figures[name]) for name, words in names if name in figures]


def sets_of(kept: Kept) -> list[dict[str, Any]]:
    """The candidate sets with their promises: level, coverage and size of each."""
    figures = kept.calibration.figures
    return [
        {"level": one.level, **figures[f"set {one.level:.0%}"]}
        for one in kept.calibration.promises
        if f"set {one.level:.0%}" in figures
    ]
