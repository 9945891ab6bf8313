"""`resight map`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, MovedModel, check_output, report, wants_bar
from resight.errors import ResightError


def draw(
    catalogue: CatalogueFile,
    out: Annotated[Path, typer.Option("--out", metavar="MAP.png", help="The picture to write.")],
    more: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PHOTO", help="More photos to place, after --query."),
    ] = None,
    query: Annotated[
        list[Path] | None,
        typer.Option(metavar="PHOTO...", help="Photos or folders to place in it, boxed."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another one lays out another map.")] = 0,
    model: MovedModel = None,
) -> None:
    """Draw a catalogue as a map.

    The map is made by t-SNE: like photos lie together.

    \b
    Examples:
      resight map whales.db --out map.png
      resight map whales.db --out map.png --query who-is-this.jpg
    """
    check_output(out, ".png")
    from resight.photos import find_photos

    # A shell turns `--query new/*.jpg` into one value for the option, and others after it.
    places = [*(query or []), *(more or [])]
    paths = find_photos(places) if places else []
    from resight.catalogue import Catalogue
    from resight.catalogue.checks import none_readable

    queries = asked = None
    with Catalogue.open(catalogue, model=model) as book:
        vectors, individuals, photos = book.vectors()
        if not len(vectors):
            raise ResightError(f"{catalogue}: nobody is enrolled yet; enrol a photo first")
        if out.absolute() in {*photos, *(path.absolute() for path in paths)}:
            raise ResightError(f"{out}: is one of the photos; give the map another name")
        if paths:
            queries, index, unreadable = book.fingerprint(paths, wants_bar(len(paths)))
            if not len(index):
                raise none_readable(unreadable, len(paths))
            report(unreadable)
            asked = [paths[place].name for place in index]
    from resight.evaluate.map import Map, draw_map

    drawn = Map.fit(vectors, seed=seed)
    draw_map(
        drawn.positions,
        individuals,
        path=out,
        queries=None if queries is None else drawn.place(queries),
        query_labels=asked,
        title=Path(catalogue).stem,
    )
    typer.echo(f"Wrote {out}")
