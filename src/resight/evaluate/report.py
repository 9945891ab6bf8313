"""The report: an evaluation as one page of HTML, nothing beside it and nothing loaded."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from resight.errors import UnreadablePhoto
from resight.evaluate.background import FRAME, Background, parts
from resight.evaluate.evaluation import Evaluation
from resight.evaluate.metrics import Figure
from resight.evaluate.people import Confusion
from resight.evaluate.report_drawing import Bar, bar, cmc_curve, hills, reliability_dots
from resight.evaluate.report_pictures import SIDE, Picture, picture, small_uri
from resight.evaluate.report_words import of_100, summary
from resight.evaluate.second_look import SecondLook
from resight.photos.photo import Photo

WIDE, NARROW, HIGH = 560, 400, 220  # of the drawings, in their own units
_SQUARE, _BARS = 260, 60
_EXAMPLES = 3  # photos of the background test
_OPEN_TABLE = 40  # individuals; a longer table is folded


def write_report(
    out: str | os.PathLike[str],
    found: Evaluation,
    photos: Sequence[Photo],
    *,
    title: str,
    about: Sequence[tuple[str, str]] = (),
    background: Background | None = None,
    closely: SecondLook | None = None,
    split: str | None = None,
) -> None:
    """Write an evaluation for the browser, whole or not at all.

    Args:
        out: the file.
        found: what was measured.
        photos: (n,), those that the positions in `found` mean; their files are opened for the
            pictures, and one that has gone is left blank.
        title: which model on which photos.
        about: what else is to be said of both, as (name, value).
        background: of the background test, where it was made.
        closely: of a second look at keypoints or strokes, where one was taken.
        split: how the photos were split, in words; by default from `found.by`.

    Raises:
        OSError: it cannot be written.
    """
    page = report_page(
        found,
        photos,
        title=title,
        about=about,
        background=background,
        closely=closely,
        split=split,
    )
    out = Path(out)
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def report_page(
    found: Evaluation,
    photos: Sequence[Photo],
    *,
    title: str,
    about: Sequence[tuple[str, str]] = (),
    background: Background | None = None,
    closely: SecondLook | None = None,
    split: str | None = None,
) -> str:
    """The report's HTML; every word that comes from the photos is escaped. See `write_report`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    home = Environment(
        loader=PackageLoader("resight"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    home.filters |= {"figure": _figure, "percent": _percent, "of_100": of_100}
    unseen = found.unseen
    return home.get_template("evaluation.html").render(
        title=title,
        found=found,
        background=background,
        closely=closely,
        about=about,
        said=summary(found, background, split, closely),
        cards=_cards(found, background),
        wide=WIDE,
        narrow=NARROW,
        high=HIGH,
        square=_SQUARE,
        cmc=cmc_curve(found.closed, NARROW, HIGH) if found.closed else None,
        unseen=unseen,
        open_bars=_open_bars(found),
        hills=_hills(found),
        dots=reliability_dots(found.reliable, _SQUARE, _SQUARE, _BARS) if found.reliable else [],
        split_bars=_split_bars(found),
        background_bars=_background_bars(background),
        closely_bars=[]
        if closely is None
        else [
            bar("fingerprint alone", closely.alone),
            bar("with a closer look", closely.closely, "good"),
            *(
                [bar("keypoints alone, no training", closely.untrained, "faint")]
                if closely.untrained
                else []
            ),
        ],
        examples=_examples(found, photos) if background else [],
        frame=round(100 * FRAME),
        confusions=[_row(one, photos) for one in found.confusions],
        strangers=[_row(one, photos) for one in found.strangers],
        fold=len(found.people) > _OPEN_TABLE,
    )


def _cards(found: Evaluation, background: Background | None) -> list[tuple[str, str]]:
    """The few large numbers on top, as (number, what it counts)."""
    cards = []
    if found.closed:
        cards.append((_percent(found.closed.rank_1.value), "of known animals named right (R@1)"))
        most = max(k for k in found.closed.cmc if k <= 10)
        if most > 1:
            cards.append(
                (_percent(found.closed.cmc[most].value), f"have one of theirs among {most}")
            )
    if found.opened:
        if found.opened.baus:
            cards.append((_percent(found.opened.baus.value), "of newcomers called new"))
        else:
            cards.append(
                (f"{found.opened.auroc.value:.2f}", "AUROC of known and new (0.5 is a guess)")
            )
    if background:
        cards.append((_percent(background.background.value), "named right by the background alone"))
    elif found.unseen:
        cards.append(
            (_percent(found.unseen.rank_1.value), "of newcomers named right, once enrolled")
        )
    return cards


def _open_bars(found: Evaluation) -> list[Bar]:
    if not found.opened:
        return []
    names = {
        "AUROC": "known looks more familiar than new (AUROC)",
        "TPR at 5 % FPR": "known accepted where 5 % of new are (TPR at 5 % FPR)",
        "TPR at 1 % FPR": "known accepted where 1 % of new are (TPR at 1 % FPR)",
        "BAKS": "known named right at the threshold (BAKS)",
        "BAUS": "new called new at the threshold (BAUS)",
        "geometric mean": "geometric mean of these two",
    }
    figures = found.opened.figures()
    return [bar(words, one) for name, words in names.items() if (one := figures[name])]


def _hills(found: Evaluation) -> dict[str, Any] | None:
    """Two hills of cosines, known and new, and where the threshold lies between them."""
    if not found.opened or not len(found.familiar) or not len(found.unfamiliar):
        return None
    drawn, low, high = hills([found.familiar, found.unfamiliar], WIDE, HIGH / 2)
    ticks = [low + (high - low) * part for part in (0, 0.25, 0.5, 0.75, 1)]
    threshold = found.opened.threshold
    return {
        "known": drawn[0].line,
        "new": drawn[1].line,
        "ticks": [(round((t - low) / (high - low) * WIDE, 1), f"{t:.2f}") for t in ticks],
        "threshold": None
        if threshold is None
        else round(float(np.clip((threshold - low) / (high - low), 0, 1)) * WIDE, 1),
        "value": "" if threshold is None else f"{threshold:.3f}",
    }


def _split_bars(found: Evaluation) -> list[Bar]:
    if not found.effect:
        return []
    return [
        bar("its own encounters kept out", found.effect.honest, "good"),
        bar("drawn at random", found.effect.random, "bad"),
    ]


def _background_bars(found: Background | None) -> list[Bar]:
    if found is None:
        return []
    return [
        bar("the photo as it is", found.full),
        bar("the animal alone", found.animal, "good"),
        bar("the background alone", found.background, "bad"),
        bar("chance", float(found.chance), "faint"),
    ]


def _examples(found: Evaluation, photos: Sequence[Photo]) -> list[tuple[Picture, ...]]:
    """A few queries as the background test saw them: whole, background, animal."""
    count = min(_EXAMPLES, len(found.queries))
    examples: list[tuple[Picture, ...]] = []
    for place in np.linspace(0, len(found.queries) - 1, count).astype(int).tolist():
        photo = photos[int(found.queries[place])]
        try:
            behind, before = parts(photo, channels=3, at_least=SIDE)
        except UnreadablePhoto:
            continue
        file = str(photo.path)
        examples.append(
            (
                picture(photo, "as it is"),
                Picture(small_uri(behind), "background alone", "", file),
                Picture(small_uri(before), "animal alone", "", file),
            )
        )
    return examples


def _row(one: Confusion, photos: Sequence[Photo]) -> dict[str, Any]:
    """A query beside the photo it was taken for, and the one that would have been right."""
    asked, taken = photos[one.query], photos[one.nearest]
    row = [
        picture(asked, f"asked: {asked.individual}"),
        picture(taken, f"taken for {taken.individual} · {one.similarity:.2f}", "wrong"),
    ]
    if one.right >= 0:
        right = photos[one.right]
        words = f"right: {right.individual} · {one.right_similarity:.2f}"
        row.append(picture(right, words, "right"))
    return {"pictures": row, "asked": asked.individual, "taken": taken.individual}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _figure(figure: Figure | None, factor: float = 100) -> str:
    """A figure with its interval, in hundredths."""
    if figure is None:
        return "–"
    if figure.low != figure.low:
        return f"{factor * figure.value:.1f}"
    return f"{factor * figure.value:.1f} [{factor * figure.low:.1f}, {factor * figure.high:.1f}]"
