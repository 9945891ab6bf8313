"""The report: one page of HTML that needs nothing else (but shows the map that lies beside it)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resight.story.farewell import next_commands
from resight.story.telling import seconds_in_words

_STEPS = {
    "digits": "Fetching the digits",
    "training": "Learning",
    "export": "Writing the model file",
    "catalogue": "Filling the catalogue",
    "strangers": "Drawing stars and asking who they are",
    "star": "Enrolling one, asking again",
    "glyphs": "A dozen more",
    "map": "The map",
}


def write_report(path: Path, facts: dict[str, Any], shown: dict[str, Any], out: Path) -> None:
    """Write the page.

    Args:
        path: the file.
        facts: what stands in results.json.
        shown: pictures and drawings.
        out: the folder's name as it was given, for the commands to try next.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("resight"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "number": _number, "seconds": seconds_in_words}
    seconds = facts["seconds"]
    steps = [(words, seconds[key]) for key, words in _STEPS.items()]
    longest = max(took for _, took in steps)
    page = environment.get_template("report.html").render(
        facts=facts,
        shown=shown,
        steps=[(words, took, 100 * took / longest) for words, took in steps],
        commands=next_commands(out),
    )
    path.write_text(page, encoding="utf-8")


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
