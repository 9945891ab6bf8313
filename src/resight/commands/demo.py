"""`resight demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import needs_learning
from resight.errors import ResightError


def demo(
    full: Annotated[
        bool, typer.Option("--full", help="Take the whole of MNIST (a download of 15 MB, once).")
    ] = False,
    digits: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Take these digits: folders of PNGs, or idx files."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write.")] = Path("out/demo"),
    seed: Annotated[int, typer.Option(min=0, help="Another one draws other glyphs.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few digits and seconds: to see that it runs.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the report.")] = False,
) -> None:
    """Tell the story: ten digits, and a recognised star.

    Trains on handwritten digits only, enrols one hand-drawn star, and asks others who they are;
    then the same with a dozen more glyphs. Writes a report, a map, the model and the catalogue
    into a folder; what an earlier demo wrote there is replaced, other files stay.

    Needs the train extra: pip install 'resight[train]'.

    \b
    Examples:
      resight demo
      resight demo --full --out out/full
    """
    if full and digits:
        raise ResightError("--full and --digits are two sources of digits; give one of them")
    needs_learning("demo")
    from resight.demo import tell_story

    tell_story(out, full=full, digits=digits, seed=seed, quick=quick, show=not no_open)
