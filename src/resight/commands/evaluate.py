"""`resight evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resight.commands.common import AsJson, check_output, wants_bar
from resight.commands.photos_options import (
    Boxes,
    Columns,
    PhotosPlace,
    ProblemsFile,
    Root,
    Seed,
    Share,
    Since,
    SkipBad,
    Until,
    day,
    gathered,
)
from resight.errors import ResightError, UnusablePhotos
from resight.words import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from resight.evaluate.background import Background
    from resight.evaluate.evaluation import Evaluation
    from resight.evaluate.second_look import SecondLook
    from resight.fingerprint.fingerprinter import Fingerprinter
    from resight.fingerprint.model import Card
    from resight.photos.examine import Facts
    from resight.photos.photo import Photo
    from resight.photos.split import Split

KEPT_BACK = "as in training: the photos that it kept back are asked of those it learned from"


def evaluate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model that resight train wrote.")
    ],
    photos: PhotosPlace,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a report with the pictures: NAME.html."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="WAY",
            help="given, encounter, day, date, individual, open or random (see resight divide); by "
            "default what the model was not trained on is asked, else the first of given, day, "
            "encounter and random that the photos support.",
        ),
    ] = None,
    share: Share = 0.25,
    until: Until = None,
    since: Since = None,
    background: Annotated[
        bool,
        typer.Option(help="Ask again with the animal, and with its background, blanked out."),
    ] = True,
    closely: Annotated[
        bool,
        typer.Option("--closely", help="Ask again with a closer look at keypoints, or strokes."),
    ] = False,
    column: Columns = None,
    root: Root = None,
    boxes: Boxes = None,
    skip_bad: SkipBad = False,
    problems: ProblemsFile = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure how good a model is on photos.

    Some of the photos ask, the others are the gallery that is searched. Told are: how many are
    named right; how well newcomers are told from those that are known; what a random split would
    have pretended; whether the model knows the animal or the fence behind it; and, in the report,
    every individual and the worst confusions as pairs of pictures. docs/evaluate.md says how to
    read it.

    Photos that the model was trained on do not ask: they would be found too easily.

    \b
    Examples:
      resight evaluate whales.onnx photos/ --report report.html
      resight evaluate whales.onnx whales.csv --split date --until 2024-12-31 --report r.html
    """
    from resight.photos.split import WAYS

    if report is not None:
        check_output(report, ".html")
    way = next((way for way in WAYS if way == split), None)
    if split is not None and way is None:
        raise ResightError(f"{split!r} is no way to split photos; choose {', '.join(WAYS)}")
    if until or since:
        if way not in (None, "date"):
            raise ResightError("--until and --since are days for --split date; leave one out")
        way = "date"
    from resight.fingerprint import Fingerprinter

    fingerprinter = Fingerprinter(model)
    taken = gathered(
        photos, column=column, root=root, boxes=boxes, skip_bad=skip_bad, problems=problems
    )
    some, facts = taken.photos, taken.facts
    vectors = _vectors(fingerprinter, some)
    seen = _seen(fingerprinter.card, facts)
    from resight.commands.evaluate_again import look_behind, look_closely
    from resight.evaluate.evaluation import evaluation
    from resight.evaluate.report_words import summary
    from resight.photos.encounters import encounter_numbers
    from resight.photos.split import split_photos

    words = None
    try:
        if way is None and (kept := _kept_back(some, seen)) is not None:
            sides, words = kept, KEPT_BACK
        else:
            sides = split_photos(
                some, way, share=share, until=day(until), since=day(since), seed=seed
            )
        who, met = [photo.individual for photo in some], encounter_numbers(some)
        taught = fingerprinter.card.has_seen(who)
        found = evaluation(vectors, who, met, sides, seen=seen, taught=taught, seed=seed)
    except ResightError as error:
        raise type(error)(f"{photos}: {error}") from None
    behind = looked = None
    if background:
        behind = look_behind(fingerprinter, some, facts, vectors, met, sides, found, seed=seed)
    if closely:
        looked = look_closely(
            some, facts, vectors, met, sides, found, seen, fingerprinter.card, seed=seed
        )
        if looked is None:
            typer.echo("--closely: nobody to tell apart by a closer look; left out", err=True)
    if report is not None:
        from resight.evaluate.report import write_report

        write_report(
            report,
            found,
            some,
            title=f"{model.stem} on {photos.stem}",
            about=_about(fingerprinter, model, photos, len(taken.left_out), found),
            background=behind,
            closely=looked,
            split=words,
        )
    said = summary(found, behind, words, looked)
    if as_json:
        typer.echo(json.dumps(_entry(found, behind, looked, some, said, model), indent=2))
        return
    for sentence in said:
        typer.echo(f"{'Mind: ' if sentence.kind == 'warning' else ''}{sentence.words}")
    if report is not None:
        typer.echo(f"Wrote {report}")


def _vectors(fingerprinter: Fingerprinter, photos: list[Photo]) -> NDArray[np.float32]:
    """Fingerprint photos that were readable a moment ago.

    Raises:
        UnusablePhotos: one of them no longer is.
    """
    found = fingerprinter(photos, progress=wants_bar(len(photos)))
    if found.unreadable:
        raise UnusablePhotos(f"{found.unreadable[0]}; it could be read a moment ago")
    return found.vectors


def _seen(card: Card, facts: list[Facts]) -> NDArray[np.bool_] | None:
    """Which photos the model was trained on; None where its card does not say."""
    import numpy as np

    told = card.photos_seen
    if not told:
        return None
    return np.array([one.content_hash[:16] in told for one in facts], bool)


def _kept_back(photos: list[Photo], seen: NDArray[np.bool_] | None) -> Split | None:
    """Where the model learned from some of the photos: those teach here too, the others ask."""
    from resight.photos.split import held_back

    if seen is None or any(photo.split for photo in photos):
        return None
    return held_back(photos, seen)


def _about(
    fingerprinter: Fingerprinter, model: Path, photos: Path, left_out: int, found: Evaluation
) -> list[tuple[str, str]]:
    card = fingerprinter.card
    rows = [
        ("model", f"{model} ({fingerprinter.id})"),
        ("body", card.body),
        ("fingerprint", f"{card.dim} numbers, from {card.size[1]} × {card.size[0]} pixels"),
        ("licence", card.licence),
        ("photos", f"{photos}: {found.photos:,} of {found.individuals:,} individuals"),
        ("left out", f"{counted(left_out, 'photo')} with problems" if left_out else ""),
        (
            "trained on",
            "not known: the model's card does not say which photos it has seen"
            if found.seen_in_gallery is None
            else f"{found.seen_in_gallery:,} of the {found.gallery:,} photos of the gallery",
        ),
        ("encounters", f"known of {found.encounters_told:.0%} of the photos"),
    ]
    return [(name, value) for name, value in rows if value]


def _entry(
    found: Evaluation,
    behind: Background | None,
    looked: SecondLook | None,
    photos: list[Photo],
    said: list[Any],
    model: Path,
) -> dict[str, Any]:
    def pairs(confusions: list[Any]) -> list[dict[str, Any]]:
        return [
            {
                "query": str(photos[one.query].path),
                "taken_for": str(photos[one.nearest].path),
                "right": str(photos[one.right].path) if one.right >= 0 else None,
                "similarity": one.similarity,
            }
            for one in confusions
        ]

    return {
        "model": str(model),
        "summary": [{"kind": one.kind, "words": one.words} for one in said],
        **found.to_dict(),
        "background": behind and behind.to_dict(),
        "closely": looked and looked.to_dict(),
        "confusions": pairs(found.confusions),
        "strangers": pairs(found.strangers),
    }
