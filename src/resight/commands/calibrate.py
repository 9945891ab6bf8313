"""`resight calibrate`."""

from __future__ import annotations

import base64
import html
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
            help="Look at the candidates' photos by keypoints, too, or at drawings by their "
            "strokes; from then on identify does. Photos take minutes.",
        ),
    ] = False,
) -> None:
    """Make the probabilities of `identify` true.

    Asks the catalogue's own named photos of each other, each encounter of what was known before
    it, once with its individual and once without; from the answers it learns what a likeness is
    worth here, when to say "new", and how often that is wrong. Run it again when the catalogue has
    grown. Photos that the model was trained on look better than new ones will: use --since.

    It takes 20 encounters with somebody seen before, 20 with somebody new, and 20 individuals. With
    less nothing gets worse: a calibration that was made before stays in use. This is no step of
    resight undo.

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
    from resight.catalogue.calibration_words import lines, stays, trained_on

    with Catalogue.open(catalogue) as book:
        kept = book.calibrate(
            share_new=share_new, since=_day(since), closely=closely, progress=closely
        )
        used = book.newest_calibration() or kept
        name = Path(str(book.path or "catalogue")).stem
        model = book.model_id[:12]
    if out is not None and "answer" not in kept.calibration.figures:
        still = f"; {stays(used)}" if used != kept else ""
        raise ResightError(
            f"nothing to draw in {out}: not calibrated yet, there are {kept.calibration.missing()}"
            f"{trained_on(kept)}{still}"
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


def _draw(kept: Kept, name: str, said: list[str], out: Path) -> None:
    made, figures = kept.calibration, kept.calibration.figures
    from resight.catalogue.calibration_words import when
    from resight.evaluate.reliability import draw_reliability

    diagrams = {"The answer": figures["answer"], "Somebody new": figures["new"]}
    title = f"How true the probabilities are: {name}"
    if not made.enough:
        title += " (not calibrated yet)"
    if out.suffix.lower() == ".png":
        note = f"{made.encounters:,} encounters of {made.individuals:,} individuals, {when(kept)}"
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
