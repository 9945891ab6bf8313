"""`resight name`."""

from __future__ import annotations

from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, KnownPhotos, Who, known_photos, say_done


def name(
    catalogue: CatalogueFile,
    individual: Annotated[str, typer.Argument(metavar="NAME", help="Who is on the photos.")],
    photos: KnownPhotos,
    alone: Annotated[
        bool, typer.Option("--alone", help="These photos only, not their encounters' others.")
    ] = False,
    who: Who = None,
) -> None:
    """Say who is on photos that have been added without a name.

    All photos of an unnamed encounter get the name together. A name that nobody has makes a new
    individual.

    \b
    Examples:
      resight name whales.db Luna new/dsc-0031.jpg
      resight name whales.db "Luna 2" new/dsc-0040.jpg new/dsc-0041.jpg --alone
    """
    from resight.catalogue import Catalogue
    from resight.catalogue.checks import checked_name
    from resight.catalogue.refs import near_names

    individual = checked_name(individual)
    with Catalogue.open(catalogue) as book:
        known = [one.name for one in book.individuals()]
        done = book.name(known_photos(photos), individual, alone=alone, who=who)
    more = []
    if done.along:
        went = "1 of them went" if done.along == 1 else f"{done.along:,} of them went"
        more.append(f"{went} along as photos of the same encounter (not so with --alone).")
    if individual not in known:
        more.append(f"{individual} is a new individual.")
        near = near_names(individual, known)
        if near:
            typer.echo(f"Note: there is also {', '.join(near)}", err=True)
    say_done(done, catalogue, more)
