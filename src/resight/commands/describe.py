"""`resight describe`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from resight.commands.common import CatalogueFile, Who, known_photos, say_done
from resight.errors import ResightError


def describe(
    catalogue: CatalogueFile,
    individual: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of whom; or whose encounter.")
    ] = None,
    notes: Annotated[str | None, typer.Option(help="Takes the place of earlier notes.")] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="WORD=VALUE", help="Such as sex=female; WORD= removes it."),
    ] = None,
    photos: Annotated[
        list[str] | None,
        typer.Option("--photo", metavar="PHOTO", help="Describe photos: see --side."),
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="The side of the body that the photos show; empty: unknown.")
    ] = None,
    encounter: Annotated[
        str | None,
        typer.Option(help="Describe an encounter of NAME; without NAME, an unnamed one."),
    ] = None,
    place: Annotated[str | None, typer.Option(help="Where the encounter was.")] = None,
    observer: Annotated[str | None, typer.Option(help="Who saw it.")] = None,
    latitude: Annotated[float | None, typer.Option(help="Of the encounter, in degrees.")] = None,
    longitude: Annotated[float | None, typer.Option(help="Of the encounter, in degrees.")] = None,
    date: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
            metavar="DATE",
            help="When the encounter was, such as 2025-04-03 or 2025-04-03T12:30.",
        ),
    ] = None,
    sides_differ: Annotated[
        bool | None,
        typer.Option(
            "--sides-differ/--sides-alike",
            help="For the catalogue: whether left and right photos are never matched.",
        ),
    ] = None,
    who: Who = None,
) -> None:
    """Write down what is known of individuals and photos.

    Of an individual, of photos, of an encounter, or of the whole catalogue; one at a time.

    \b
    Examples:
      resight describe whales.db Luna --field sex=female --notes "a notch in the left fluke"
      resight describe whales.db --photo luna-1.jpg --photo luna-2.jpg --side left
      resight describe whales.db Luna --encounter "Monday" --place Brest --observer Anna
      resight describe whales.db --sides-differ
    """
    of_encounter = (place, observer, latitude, longitude, date)
    things = {
        "an individual": notes is not None or bool(fields),
        "photos": bool(photos) or side is not None,
        "an encounter": encounter is not None or any(v is not None for v in of_encounter),
        "the catalogue": sides_differ is not None,
    }
    if sum(things.values()) != 1:
        given = " and ".join(thing for thing, is_given in things.items() if is_given)
        raise ResightError(
            f"one thing at a time: this describes {given or 'nothing'}; see resight describe --help"
        )
    from resight.catalogue import Catalogue

    with Catalogue.open(catalogue) as book:
        if things["the catalogue"]:
            done = book.set_settings(sides_differ=sides_differ, who=who)
        elif things["photos"]:
            if not photos or side is None:
                raise ResightError("photos are described by their side: give --photo and --side")
            done = book.describe_photos(known_photos(photos), side=side or None, who=who)
        elif things["an encounter"]:
            if encounter is None:
                raise ResightError("which encounter? Name it: --encounter NAME")
            done = book.describe_encounter(
                individual,
                encounter,
                place=place,
                observer=observer,
                latitude=latitude,
                longitude=longitude,
                began_at=date,
                who=who,
            )
        elif individual is None:
            raise ResightError("who is it? Give the name before the options")
        else:
            done = book.describe(individual, notes=notes, fields=_fields(fields), who=who)
    say_done(done, catalogue)


def _fields(words: list[str] | None) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    for word in words or []:
        key, equals, value = word.partition("=")
        if not equals:
            raise ResightError(f"{word!r} is no field; write it as WORD=VALUE, such as sex=female")
        fields[key] = value.strip() or None
    return fields
