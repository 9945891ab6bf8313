"""`resight tutorial`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resight.errors import ResightError


def tutorial(
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Where to lay them; it is made if it is not there."),
    ] = Path("tutorials"),
) -> None:
    """Lay out the tutorials' notebooks, to be run and changed.

    A notebook that is there already stays as it is, with whatever you have tried in it. They run in
    Jupyter, and need the train extra.

    \b
    Example:
      resight tutorial --out tutorials
    """
    import shutil

    for notebook in _notebooks():
        target = out / notebook.name
        if target.exists():
            typer.echo(f"{target}: is there already, and stays as it is")
            continue
        out.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(notebook, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        typer.echo(f"{target}")
    typer.echo("To run them: pip install 'resight[train]' jupyterlab, then: jupyter lab")


def _notebooks() -> list[Path]:
    """Those of the package, or of the repository that it runs from."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "tutorials", package.parents[1] / "tutorials"):
        found = sorted(folder.glob("*.ipynb"))
        if found:
            return found
    raise ResightError(
        f"{package}: has no tutorials in it; install it anew: pip install --force-reinstall resight"
    )
