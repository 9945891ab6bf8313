"""A calibration in plain sentences: for the terminal and for the review."""

from __future__ import annotations

from typing import Any

from resight.catalogue.calibrated import Kept


def lines(kept: Kept, used: Kept, model: str) -> list[str]:
    """A calibration in words; `used` is the one that counts, `model` the short id of the model."""
    made, figures = kept.calibration, kept.calibration.figures
    asked = "what was known before each" if made.forward else "everything but themselves"
    said = [
        f"Asked {made.encounters:,} encounters of {made.individuals:,} individuals, of {asked}; "
        f"{made.resightings:,} of them with somebody seen before. The catalogue has "
        f"{made.photos:,} named photos; model {model}; {when(kept)}."
    ]
    if made.closely:
        said.append("Candidates were looked at closely, and are whenever somebody asks.")
    if made.trained_on:
        said.append(
            f"{made.trained_on:,} photos asked nothing, since the model was trained on them."
        )
    if not made.enough and used != kept:
        words = stays(used)
        said.append(
            f"{words[:1].upper()}{words[1:]}; this one rests on too little: {made.missing()}."
        )
    elif not made.enough:
        said.append(
            f"Not calibrated yet: there are {made.missing()}; photos that the model was trained on "
            "do not count. Until then there is no probability to trust, and nobody is called new."
        )
    if hardly_tells(figures):
        said.append(
            "This model can hardly tell these animals apart: what it says of who is known and who "
            "is new is little better than chance. Train one on more photos, or with another body."
        )
    said.append(f"Somebody new is expected in {made.parameters.share:.1%} of the encounters.")
    if not figures:
        return said
    for name, words in (("single", "A single photo"), ("encounter", "Several photos together")):
        if found := figures.get(name):
            said.append(
                f"{words}: right {_interval(found['right'])}, asked {found['known']:,} times with "
                f"somebody known and {found['unknown']:,} times with somebody new, of "
                f"{found['right']['n']:,} individuals; AUROC {found['AUROC']['value']:.3f}, "
                f"BAKS {found['BAKS']['value']:.3f}, BAUS {found['BAUS']['value']:.3f}, their "
                f"geometric mean {found['geometric mean']['value']:.3f}."
            )
    said.append(
        "AUROC: how often a newcomer looks newer than somebody known, 0.5 being a guess and 1 "
        "always. BAKS: share of the known who are recognised; BAUS: share of the new who are "
        "called new; every individual counts alike."
    )
    said.append(
        f"Expected calibration error {figures['answer']['error']:.3f} (of the answer), "
        f"{figures['new']['error']:.3f} (of new): by so much the probabilities miss what came "
        f"true, on average; perfectly true ones would show {figures['answer']['floor']:.3f} and "
        f"{figures['new']['floor']:.3f} on these {figures['answer']['groups']:,} encounters."
    )
    for promise in made.promises:
        found = figures[f"set {promise.level:.0%}"]
        said.append(
            f"Candidate sets of {promise.level:.0%} held the truth in {found['coverage']:.1%} of "
            f"{figures['answer']['answers']:,} answers, with {found['size']:.1f} names on average "
            "(new is one)."
        )
    return said


def hardly_tells(figures: dict[str, Any]) -> bool:
    """Whether known and new, or the known among themselves, are told apart as if by chance."""
    found = [figures[name] for name in ("single", "encounter") if name in figures]
    return bool(found) and all(
        one["AUROC"]["value"] < 0.6 or one["BAKS"]["value"] < 2 / max(1, one["right"]["n"])
        for one in found
    )


def stays(used: Kept) -> str:
    """That a calibration stays in use, and what it rests on."""
    made = used.calibration
    return (
        f"kept the calibration of {when(used)} in use, which rests on {made.resightings:,} "
        f"encounters with somebody seen before, of {made.individuals:,} individuals"
    )


def when(kept: Kept) -> str:
    """When it was made."""
    return f"{kept.at:%Y-%m-%d %H:%M} UTC" if kept.at else "never"


def trained_on(kept: Kept) -> str:
    """How many photos asked nothing, in brackets; "" where all asked."""
    count = kept.calibration.trained_on
    return f" ({count:,} photos asked nothing: the model was trained on them)" if count else ""


def _interval(figure: dict[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.1%}"
    return f"{figure['value']:.1%} [{figure['low']:.1%}, {figure['high']:.1%}]"
