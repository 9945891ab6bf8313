"""`resight group`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resight.commands.common import (
    CatalogueFile,
    Who,
    check_output,
    one_line,
    say_way_back,
)
from resight.errors import ResightError, UnusableCatalogue
from resight.words import counted

if TYPE_CHECKING:
    from resight.catalogue import Catalogue
    from resight.catalogue.group import Grouping

_SHOWN = 20  # groups on the screen; a file has all


def group(
    catalogue: CatalogueFile,
    out: Annotated[
        Path | None,
        typer.Option(metavar="GROUPS.csv", help="Write the proposals, as .csv or .json."),
    ] = None,
    confirm: Annotated[
        Path | None,
        typer.Option(metavar="GROUPS.csv", help="Name the photos as this file says."),
    ] = None,
    only: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="With --confirm: only this group. May come several times."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Distance up to which photos go together; default by the named ones."),
    ] = None,
    new_only: Annotated[
        bool, typer.Option("--new-only", help="Propose no individuals of the catalogue.")
    ] = False,
    smallest: Annotated[
        int, typer.Option(min=1, help="How many photos make a new individual.")
    ] = 2,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over what --out names, if it is there.")
    ] = False,
    who: Who = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Propose individuals for the photos without a name.

    Nothing is decided by it. Look through the file that --out writes, put the names right (or
    empty, to leave a photo alone), and --confirm it. Photos of one encounter stay together; photos
    that were said to be 'not the same' never come together; photos near no other wait. When in
    doubt it proposes two individuals rather than one.

    A line of the file is a photo. `group` is its group's number; `proposal` says whether `name` is
    to be a "new" individual, or one that is "known" already; `photo` is its number in the
    catalogue, `distance` how far it is from its group (of a known individual: from its photos), and
    `path` its file. Each name is confirmed as an action of its own, and undone so.

    \b
    Examples:
      resight group whales.db --out groups.csv
      resight group whales.db --confirm groups.csv --only 1 --only 4
      resight group whales.db --confirm groups.csv
    """
    if replace and out is None:
        raise ResightError("--replace goes with --out; name the file to write")
    if confirm is None and only:
        raise ResightError("--only chooses among the groups of a file; name it with --confirm")
    if confirm is not None and (out is not None or threshold is not None or new_only):
        raise ResightError("--confirm takes the file as it is; leave away what makes another")
    if out is not None:
        suffix = out.suffix.lower()
        if suffix not in (".csv", ".json"):
            raise ResightError(f"{out}: is no name for what is written; end it in .csv or .json")
        check_output(out, suffix)
        if out.exists() and not replace:
            raise ResightError(
                f"{out}: is there already, perhaps with names that you wrote; choose another name, "
                "or write over it with --replace"
            )
    from resight.catalogue import Catalogue
    from resight.catalogue.proposals import to_dict, write_proposals

    with Catalogue.open(catalogue) as book:
        if confirm is not None:
            _confirm(book, catalogue, confirm, only, as_json, who)
            return
        found = book.group(threshold=threshold, include_named=not new_only, smallest=smallest)
    if out is not None:
        write_proposals(found, out)
    if as_json:
        typer.echo(json.dumps(to_dict(found), indent=2))
        return
    _print(found)
    if out is not None:
        typer.echo(f"Wrote {out}: look it through, then: resight group {catalogue} --confirm {out}")


def _confirm(
    book: Catalogue,
    catalogue: str,
    path: Path,
    only: Sequence[int] | None,
    as_json: bool,
    who: str | None,
) -> None:
    from resight.catalogue.proposals import read_proposals

    proposals = read_proposals(path)
    try:
        done = book.confirm_groups(proposals, only=only, who=who)
    except UnusableCatalogue:
        raise
    except ResightError as error:
        raise ResightError(f"{path}: {error}") from None
    if as_json:
        words = asdict(done)
        typer.echo(json.dumps(words, indent=2))
    else:
        for name, count in done.named.items():
            typer.echo(f"{name}: {counted(count, 'photo')}")
        if done.already:
            typer.echo(f"{counted(done.already, 'photo')} had the name already")
        for why in done.refused:
            typer.echo(f"Not named: {one_line(why)}", err=True)
        say_way_back(done.actions[-1] if done.actions else None, catalogue, len(done.actions))
    if done.refused and not done.named and not done.already:
        raise typer.Exit(1)


def _print(found: Grouping) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("Group", justify="right")
    table.add_column("Proposal")
    table.add_column("Name", overflow="fold")
    table.add_column("Photos", justify="right")
    table.add_column("Such as", overflow="fold")
    for one in found.groups[:_SHOWN]:
        name = Text(one.name, style="bold green" if one.known else "")
        paths = ", ".join(photo.path.name for photo in one.photos[:3])
        word = "known" if one.known else "new"
        table.add_row(f"{one.number}", word, name, f"{len(one.photos):,}", Text(paths))
    if found.groups:
        console.print(table)
    known = [one for one in found.groups if one.known]
    together = sum(len(one.photos) for one in found.groups)
    lines = [
        f"{counted(together, 'photo')} in {counted(len(found.groups), 'group')}, "
        f"{len(known):,} of them of individuals that the catalogue knows; "
        f"{counted(len(found.loners), 'photo')} near no other."
    ]
    if len(found.groups) > _SHOWN:
        lines.append(f"The {_SHOWN} largest are shown; --out writes them all.")
    lines += [f"{why[0].upper()}{why[1:]}." for why in found.why]
    if known:
        lines.append(
            "Who is known here is proposed by distance alone, without a probability: see what "
            "resight identify says of such a photo before you confirm it."
        )
    lines.append("These are proposals: nothing has been named.")
    console.print("\n".join(lines), style="dim", soft_wrap=True)
