"""`resight identify`."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resight.commands.common import (
    AnimalBoxes,
    CatalogueFile,
    MovedModel,
    Photos,
    photos_at,
    report,
    wants_bar,
    with_animals,
)
from resight.errors import ResightError, UnreadablePhoto
from resight.words import printable

if TYPE_CHECKING:
    from resight.catalogue import Answer, Answers
    from resight.photos.photo import Photo


def identify(
    catalogue: CatalogueFile,
    photos: Photos,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    top: Annotated[
        int,
        typer.Option(min=1, help="How many individuals to offer, the nearest; the answer is one."),
    ] = 3,
    photos_each: Annotated[
        int, typer.Option("--photos", min=1, help="How many photos of each.")
    ] = 3,
    leave_out_itself: Annotated[
        bool,
        typer.Option("--leave-out-itself", help="A photo that is enrolled shall not find itself."),
    ] = False,
    together: Annotated[
        bool,
        typer.Option("--together", help="All photos show one individual, at one time and place."),
    ] = False,
    share_new: Annotated[
        str | None,
        typer.Option(
            "--new-share",
            metavar="SHARE",
            help='How often somebody new is expected: 0 to 1, or "asked", as these photos suggest. '
            "Without a calibration it changes nothing.",
        ),
    ] = None,
    side: Annotated[str | None, typer.Option(help="Search only photos of this side.")] = None,
    place: Annotated[str | None, typer.Option(help="Search only photos of this place.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="Search only photos of this day or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="Search only photos of this day or earlier.")
    ] = None,
    near: Annotated[
        str | None,
        typer.Option(metavar="LAT,LON,KM", help="Search only photos from within this area."),
    ] = None,
    closely: Annotated[
        bool,
        typer.Option(
            "--closely",
            help="Look at the candidates' photos by keypoints, too; at drawings by their strokes. "
            "A catalogue that was calibrated so does it by itself.",
        ),
    ] = False,
    boxes: AnimalBoxes = None,
    model: MovedModel = None,
) -> None:
    """Ask of photos who they show.

    The first line of each photo is the answer. Below it are the answer and the other nearest
    individuals, nearest first, with the nearest photos of each, and the probability of each and of
    somebody new; distances run from 0 (the same) to 2. What the probabilities rest on is said at
    the end: until `resight calibrate` has run on a catalogue with enough in it they are a guess;
    then the text leaves them out, names the nearest, and calls nobody new.

    \b
    Examples:
      resight identify whales.db who-is-this.jpg
      resight identify whales.db encounter-17/ --together
      resight identify whales.db new-photos/ --json
    """
    several, unboxed = with_animals(photos_at(photos), boxes)
    from resight.catalogue import Catalogue
    from resight.catalogue.where import Filters

    filters = Filters.parse(side=side, place=place, since=since, until=until, near=near)
    expected = _share(share_new)
    with Catalogue.open(catalogue, model=model) as book:
        answers = (book.identify_encounter if together else book.identify)(
            several,
            top=top,
            photos_each=photos_each,
            leave_out_itself=leave_out_itself,
            filters=filters,
            share_new=expected,
            closely=closely,
            progress=wants_bar(len(several)),
        )
    report([*unboxed, *answers.unreadable])
    if as_json and together:
        typer.echo(json.dumps(answers[0].to_dict(), indent=2))
    elif as_json:
        typer.echo(json.dumps(_entries(several, answers, unboxed), indent=2))
    else:
        _print(answers, expected)


def _share(text: str | None) -> float | str | None:
    if text is None or text == "asked":
        return text
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ResightError(f'--new-share {text[:20]!r}: is neither 0 to 1 nor "asked"')
    return share


def _entries(
    photos: Sequence[Photo], answers: Answers, unboxed: Sequence[UnreadablePhoto]
) -> list[dict[str, Any]]:
    """One entry a photo, in the order asked; `error` says why where there is no answer.

    Those in which no animal could be looked for come last.
    """
    from resight.catalogue.refs import called, kept_box

    told = {answer.query: answer.to_dict() | {"error": None} for answer in answers}
    keys = told[answers[0].query]
    wrong: dict[str, list[str]] = {}
    for error in answers.unreadable:  # in the order asked, by the file's path alone
        wrong.setdefault(error.source, []).append(error.reason)

    def failed(name: str, why: str) -> dict[str, Any]:
        return dict.fromkeys(keys) | {"query": name, "candidates": [], "error": why}

    entries = []
    for photo in photos:
        name = called(photo.path, kept_box(photo))
        if name in told:
            entries.append(told[name])
        else:
            entries.append(failed(name, wrong[str(photo.path)].pop(0)))
    return [*entries, *(failed(error.source, error.reason) for error in unboxed)]


def _print(answers: Answers, share: float | str | None) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for answer in answers:
        typer.echo(typer.style(printable(_headline(answer)), bold=True))
        for line, is_answer in _lines(_rows(answer), width):
            typer.echo(typer.style(line, fg="green", bold=True) if is_answer else line)
        for note in _notes(answer):
            typer.echo(printable(f"  {note}"))
        typer.echo()
    searched, basis = answers[0].searched, answers[0].basis
    among = f" ({searched.filters})" if searched.filters else ""
    typer.echo(
        f"Searched {searched.individuals:,} individuals with {searched.photos:,} photos{among}. "
        "Distances run from 0 (the same) to 2."
    )
    if basis is None:
        return
    if basis.closely:
        typer.echo("Their photos were looked at closely: the likeliest are first, near or not.")
    if basis.calibrated:
        typer.echo(basis.words())
        typer.echo(f"Somebody new was expected in {_percent(basis.share_new)} of the cases.")
    else:
        typer.echo(f"{basis.words()} They are not shown, and nobody is called new.")
        if share is not None:
            typer.echo("--new-share has no effect until then.")


def _headline(answer: Answer) -> str:
    """The answer in a line."""
    who = next((one for one in answer.candidates if one.individual == answer.individual), None)
    told = _answer_in_words(answer)
    if answer.enrolled_as is not None:
        if who is not None and who.distance < 1e-4 and answer.individual == answer.enrolled_as:
            told = who.individual  # a person has said so: that is no matter of probability
        this = "one of these photos" if len(answer.queries) > 1 else "this very photo"
        told += f" ({this} is enrolled as {answer.enrolled_as})"
    return f"{answer.query}{', together' * (len(answer.queries) > 1)}: {told}"


def _answer_in_words(answer: Answer) -> str:
    new, chance = answer.p_new, answer.probability
    if new is None or chance is None:
        return "nobody to compare it with"
    if answer.basis is None or not answer.basis.calibrated:
        return f"nearest is {answer.individual} (not calibrated: no probability to trust)"
    if answer.individual is None and new < 0.5:
        return (
            f"somebody new, {_percent(new)} (called new, though that is less likely than not, "
            "since the likeness lies below this catalogue's threshold: look at the candidates)"
        )
    if answer.individual is not None and new > chance:
        return (
            f"{answer.individual}, {_percent(chance)} (called known by this catalogue's threshold, "
            f"though somebody new is likelier, {_percent(new)}: look at the candidates)"
        )
    return f"{answer.individual or 'somebody new'}, {_percent(chance)}"


_Row = tuple[str, str, str, str, str]  # name, probability, distance, those of its photos; paths


def _rows(answer: Answer) -> list[tuple[_Row, bool]]:
    """The table: the answer first, then the others, nearest first; whether it is the answer."""
    sure = answer.basis is not None and answer.basis.calibrated
    rows: list[tuple[_Row, bool]] = []
    for one in sorted(answer.candidates, key=lambda one: one.individual != answer.individual):
        is_it = one.individual == answer.individual
        chance = _percent(one.probability) if sure else ""
        for place, match in enumerate(one.photos):
            begin = ("", "", "") if place else (one.individual, chance, f"{one.distance:.3f}")
            rows.append(((*begin, f"{match.distance:.3f}", _short(match.path)), is_it))
    if sure and answer.p_new is not None:
        new: tuple[_Row, bool] = (
            ("somebody new", _percent(answer.p_new), "", "", ""),
            answer.is_new,
        )
        rows.insert(0 if answer.is_new else len(rows), new)
        if answer.p_others:
            rows.append((("anybody else", _percent(answer.p_others), "", "", ""), False))
    if rows:
        head = ("Individual", "Probability" if sure else "", "Distance", "Its nearest photos", "")
        rows.insert(0, (head, False))
    return rows


def _lines(rows: Sequence[tuple[_Row, bool]], width: int | None) -> Iterator[tuple[str, bool]]:
    """The rows under each other; paths are cut in their middle where a terminal is narrow."""
    from rich.cells import cell_len

    cells = [[printable(cell) for cell in row] for row, _ in rows]
    wide = [max((cell_len(row[n]) for row in cells), default=0) for n in range(3)]
    room = None if width is None else max(20, width - sum(wide) - 15)
    for place, (name, chance, distance, of_photo, path) in enumerate(cells):
        path = path if room is None else _cut(path, room)
        parts = (
            [name + " " * (wide[0] - cell_len(name)), f"{chance:>{wide[1]}}"]
            if wide[1]
            else [name + " " * (wide[0] - cell_len(name))]
        )
        parts += [f"{distance:>{wide[2]}}", of_photo, path]
        yield f"  {'  '.join(parts)}".rstrip(), rows[place][1]


def _cut(text: str, room: int) -> str:
    """A path without its middle; its end tells most."""
    if len(text) <= room:
        return text
    end = (room - 1) * 2 // 3
    return f"{text[: room - 1 - end]}…{text[-end:]}"


def _notes(answer: Answer) -> Iterator[str]:
    for one in answer.sets:
        names = ["somebody new"] * one.new + list(one.individuals)
        many = "anybody" if one.everybody else ", ".join(names[:8]) or "nobody"
        more = f" and {len(names) - 8} more" if len(names) > 8 and not one.everybody else ""
        yield f"With {one.level:.0%} certainty among: {many}{more}"
    if answer.left_out:
        names = list(answer.left_out)
        yield f"Not offered, since somebody said that it is not the same: {', '.join(names)}"
    if answer.junk:
        yield "Somebody has called this photo junk; it is compared all the same."


def _percent(probability: float | None) -> str:
    if probability is None:
        return ""
    return f"{probability:.1%}" if 0.001 <= probability <= 0.999 else f"{probability:.2%}"


def _short(path: Path) -> str:
    """As seen from here, where it lies below."""
    here = os.path.join(Path.cwd(), "")  # noqa: PTH118
    return str(path).removeprefix(here)
