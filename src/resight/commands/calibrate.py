"""`resight calibrate`."""

from __future__ import annotations

import base64
import html
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resight.commands.common import CatalogueFile, check_output
from resight.errors import ResightError

if TYPE_CHECKING:
    from resight.catalogue.calibrated import Kept


HOW_TO_READ = (
    "On the dashed line the probabilities are true; below it they are too sure, above not sure "
    "enough."
)


def calibrate(
    catalogue: CatalogueFile,
    out: Annotated[
        Path | None,
        typer.Option(metavar="REPORT", help="Draw the reliability diagram: a .png or .html file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    share_new: Annotated[
        float | None,
        typer.Option(
            "--new-share", help="How often somebody new is expected, such as 0.2, if you know."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Ask only with photos of this day or later, such as those that the model was not "
            "trained on.",
        ),
    ] = None,
    closely: Annotated[
        bool,
        typer.Option(
            "--closely",
            help="Look at the candidates' photos by keypoints, too; from then on identify does. It "
            "takes minutes.",
        ),
    ] = False,
) -> None:
    """Make the probabilities of `identify` true.

    Asks the catalogue's own named photos of each other, each encounter of what was known before
    it, once with its individual and once without; from the answers it learns what a likeness is
    worth here, when to say "new", and how often that is wrong. Run it again when the catalogue has
    grown. Photos that the model was trained on look better than new ones will: use --since.

    It takes 20 encounters with somebody seen before and 20 individuals. With less nothing gets
    worse: a calibration that was made before stays in use. This is no step of resight undo.

    \b
    Examples:
      resight calibrate whales.db
      resight calibrate whales.db --out reliability.html
      resight calibrate whales.db --closely
    """
    if out is not None:
        suffix = out.suffix.lower()
        if suffix not in (".png", ".html"):
            raise ResightError(f"{out}: is no name for what is drawn; end it in .png or .html")
        check_output(out, suffix)
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        kept = book.calibrate(
            share_new=share_new, since=_day(since), closely=closely, progress=closely
        )
        used = book.newest_calibration() or kept
        name = Path(str(book.path or "catalogue")).stem
        model = book.model_id[:12]
    if out is not None and "answer" not in kept.calibration.figures:
        stays = f"; {_stays(used)}" if used != kept else ""
        raise ResightError(
            f"nothing to draw in {out}: not calibrated yet, there are {kept.calibration.missing()}"
            f"{_trained_on(kept)}{stays}"
        )
    said = lines(kept, used, model)
    if as_json:
        made = kept.calibration
        typer.echo(
            json.dumps(
                {
                    "at": kept.at.isoformat() if kept.at else None,
                    "revision": kept.revision,
                    "calibrated": made.enough,
                    "in_use": used == kept,
                    **made.to_dict(),
                    "figures": made.figures,
                },
                indent=2,
                allow_nan=False,
            )
        )
    else:
        typer.echo("\n".join(said))
    if out is not None:
        _draw(kept, name, said, out)
        typer.echo(f"Wrote {out}", err=as_json)


def lines(kept: Kept, used: Kept, model: str) -> list[str]:
    """A calibration in words; `used` is the one that counts, `model` the short id of the model."""
    made, figures = kept.calibration, kept.calibration.figures
    asked = "what was known before each" if made.forward else "everything but themselves"
    said = [
        f"Asked {made.encounters:,} encounters of {made.individuals:,} individuals, of {asked}; "
        f"{made.resightings:,} of them with somebody seen before. The catalogue has "
        f"{made.photos:,} named photos; model {model}; {_when(kept)}."
    ]
    if made.closely:
        said.append("Candidates were looked at closely, and are whenever somebody asks.")
    if made.trained_on:
        said.append(
            f"{made.trained_on:,} photos asked nothing, since the model was trained on them."
        )
    if not made.enough and used != kept:
        stays = _stays(used)
        said.append(
            f"{stays[:1].upper()}{stays[1:]}; this one rests on too little: {made.missing()}."
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


def _stays(used: Kept) -> str:
    made = used.calibration
    return (
        f"kept the calibration of {_when(used)} in use, which rests on {made.resightings:,} "
        f"encounters with somebody seen before, of {made.individuals:,} individuals"
    )


def _when(kept: Kept) -> str:
    return f"{kept.at:%Y-%m-%d %H:%M} UTC" if kept.at else "never"


def _trained_on(kept: Kept) -> str:
    count = kept.calibration.trained_on
    return f" ({count:,} photos asked nothing: the model was trained on them)" if count else ""


def _interval(figure: dict[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.1%}"
    return f"{figure['value']:.1%} [{figure['low']:.1%}, {figure['high']:.1%}]"


def _draw(kept: Kept, name: str, said: list[str], out: Path) -> None:
    made, figures = kept.calibration, kept.calibration.figures
    from resight.evaluate.reliability import draw_reliability

    diagrams = {"The answer": figures["answer"], "Somebody new": figures["new"]}
    title = f"How true the probabilities are: {name}"
    if not made.enough:
        title += " (not calibrated yet)"
    if out.suffix.lower() == ".png":
        note = f"{made.encounters:,} encounters of {made.individuals:,} individuals, {_when(kept)}"
        draw_reliability(diagrams, out, title=title, note=f"{HOW_TO_READ}\n{note}")
        return
    picture = base64.b64encode(draw_reliability(diagrams, note=HOW_TO_READ)).decode()
    items = "".join(f"<li>{html.escape(line)}</li>" for line in said)
    part = Path(f"{out}.part")
    try:
        part.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}'
            '</title><body style="font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;'
            f'padding:0 1rem"><h1>{html.escape(title)}</h1><ul>{items}</ul><img style="max-width:'
            '100%" alt="Two reliability diagrams: what was given as probability, and how much of '
            f'it came true" src="data:image/png;base64,{picture}"></body></html>\n',
            encoding="utf-8",
        )
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ResightError(f"since {text[:40]!r}: is no day such as 2024-05-01") from None
