"""What else people write down: of individuals, photos, encounters and the catalogue itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.checks import checked_name, checked_place, checked_side, checked_text
from resight.catalogue.journal import Done, acting
from resight.catalogue.refs import (
    Refs,
    find_photos_here,
    individual_id,
    photo_rows,
)
from resight.catalogue.store import Store
from resight.errors import ResightError
from resight.words import counted

SETTINGS = {"sides_differ": False}  # left and right photos are never matched with each other


def describe(
    store: Store,
    individual: str,
    *,
    notes: str | None = None,
    fields: Mapping[str, str | None] | None = None,
    who: str | None = None,
) -> Done:
    """Write down of an individual what is known.

    Args:
        store: the open catalogue.
        individual: its name.
        notes: take the place of those before.
        fields: words for values, such as sex: female; None takes a field away. Others stay.
        who: says so.

    Raises:
        ResightError: nobody is called so, or a text that cannot be kept.
    """
    individual = checked_name(individual)
    news = {
        checked_name(key, "a field's name"): value and checked_text(value, f"the field {key[:20]}")
        for key, value in (fields or {}).items()
    }
    said = [] if notes is None else ["notes"]
    said += [f"{key} = {value}" if value else f"no {key}" for key, value in news.items()]
    what = " ".join(f": {', '.join(said)}".split())[:300] if said else ""
    with acting(store, "describe", f"described {individual}{what}", who) as act:
        owner = individual_id(store, act.connection, individual)
        table = schema.individuals
        row = act.connection.execute(sa.select(table).where(table.c.id == owner)).one()
        known = {k: v for k, v in {**(row.fields or {}), **news}.items() if v is not None}
        text = row.notes if notes is None else checked_text(notes, "notes")
        act.update(table, [owner], notes=text, fields=known or None)
    return act.done


def describe_photos(
    store: Store, photos: Refs, *, side: str | None, who: str | None = None
) -> Done:
    """Write down which side of the body photos show; None: it is not known.

    Raises:
        ResightError: a photo that is not there, or a word for a side that cannot be one.
    """
    side = None if side is None else checked_side(side)
    found = find_photos_here(store, photos)
    summary = f"described {counted(len(found), 'photo')}: side {side or 'not known'}"
    with acting(store, "describe", summary, who) as act:
        rows = photo_rows(act.connection, found)
        act.update(schema.photos, [row.id for row in rows], side=side)
    return act.done


def describe_encounter(
    store: Store,
    individual: str | None,
    encounter: str,
    *,
    place: str | None = None,
    observer: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    began_at: datetime | None = None,
    who: str | None = None,
) -> Done:
    """Write down of an encounter when and where it was, and who saw it; None leaves as it is.

    Args:
        store: the open catalogue.
        individual: whose encounter; None for one of nobody known yet.
        encounter: its name.
        place: in words.
        observer: who was there.
        latitude: degrees, WGS 84.
        longitude: degrees, WGS 84.
        began_at: when; without a time zone it is taken as UTC.
        who: says so.

    Raises:
        ResightError: no such encounter, or a value that cannot be kept.
    """
    checked_place(latitude, longitude)
    if began_at is not None and began_at.tzinfo is None:
        began_at = began_at.replace(tzinfo=UTC)
    given = {
        "place": place and checked_text(place, "a place"),
        "observer": observer and checked_name(observer, "an observer's name"),
        "latitude": latitude,
        "longitude": longitude,
        "began_at": began_at,
    }
    known = {column: value for column, value in given.items() if value is not None}
    encounter = checked_name(encounter, "an encounter's name")
    said = ", ".join(column.replace("began_at", "date") for column in known)
    summary = f"described the encounter {encounter}{said and f': {said}'}"
    table = schema.encounters
    with acting(store, "describe", summary, who) as act:
        owner = None
        if individual is not None:
            owner = individual_id(store, act.connection, checked_name(individual))
        found = act.connection.scalar(
            sa.select(table.c.id).where(
                table.c.individual_id.is_not_distinct_from(owner),
                table.c.name == encounter,
                ~table.c.gone,
            )
        )
        if found is None:
            whose = "no unnamed" if individual is None else f"{individual!r} has no"
            raise ResightError(f"{store.place}: {whose} encounter called {encounter!r}")
        act.update(table, [found], **known)
    return act.done


def settings(store: Store) -> dict[str, Any]:
    """What is so in this catalogue; see `SETTINGS` for what there is and what it is at first."""
    with store.reading() as connection:
        return settings_in(connection)


def settings_in(connection: sa.Connection) -> dict[str, Any]:
    """The same, where a transaction is open already."""
    kept = connection.scalar(sa.select(schema.about.c.settings))
    return {**SETTINGS, **(kept or {})}


def set_settings(store: Store, *, who: str | None = None, **values: Any) -> Done:
    """Say how things are in this catalogue, such as sides_differ=True.

    Raises:
        ResightError: there is no such setting, or its value is of another kind.
    """
    for key, value in values.items():
        if key not in SETTINGS:
            raise ResightError(f"there is no setting {key!r}; there are: {', '.join(SETTINGS)}")
        if type(value) is not type(SETTINGS[key]):
            raise ResightError(f"{key} is yes or no (True or False), not {value!r}")
    words = ", ".join(f"{key} is {str(value).lower()}" for key, value in values.items())
    with acting(store, "settings", f"set: {words}", who) as act:
        kept = act.connection.scalar(sa.select(schema.about.c.settings)) or {}
        act.update(schema.about, [1], settings={**kept, **values})
    return act.done
