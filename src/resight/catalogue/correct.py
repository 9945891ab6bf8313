"""Photos that are there already, given again with other facts: told, or put right when asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from resight.catalogue import schema
from resight.catalogue.encounters import encounter_ids, hide_empty
from resight.catalogue.incoming import Incoming, encounter_name
from resight.catalogue.journal import Action

_MEETING = ("place", "observer", "latitude", "longitude")


def differing(some: Sequence[Incoming]) -> list[Incoming]:
    """Those that are in the catalogue, and of which something given is not as it is kept."""
    return [
        one
        for one in some
        if one.row is not None
        and one.row.state == "in"
        and (
            any(getattr(one.row, name) != value for name, value in _facts(one).items())
            or any(getattr(one.row, name) != value for name, value in _meeting(one).items())
            or (one.explicit and one.photo.encounter != one.row.encounter)
        )
    ]


def correct(act: Action, some: Sequence[Incoming]) -> None:
    """Write what is given of photos over what is kept; nobody's name changes by it.

    A photo given with another encounter goes there. Otherwise its own encounter gets the place and
    the observer, unless that has its name from the day and the place: then it is another one.
    """
    photos, encounters = schema.photos, schema.encounters
    for one in some:
        row = one.row
        act.update(photos, [row.id], **_facts(one))
        if one.photo.individual is not None and row.name is None:
            continue  # it is being named, and goes to that individual's encounters
        target, name = row.encounter_id, one.photo.encounter
        news = _meeting(one)
        date = row.taken_at if one.photo.date is None else one.photo.date
        if row.encounter is None:
            leaves = name is not None
        elif one.explicit:
            leaves = name != row.encounter
        else:
            kept = {key: news.get(key, getattr(row, key)) for key in _MEETING}
            leaves = row.encounter == encounter_name(row.taken_at, row.place)
            name = encounter_name(date, kept["place"])
            leaves = leaves and name != row.encounter
        if leaves and name is not None:
            details: Mapping[str, Any] = {"began_at": _utc(date)} | {
                key: news.get(key, None if one.explicit else getattr(row, key)) for key in _MEETING
            }
            home = (row.individual_id, name)
            target = encounter_ids(act, [(home, details)])[home]
            act.update(photos, [row.id], encounter_id=target)
            hide_empty(act, [row.encounter_id])
        elif one.photo.date is not None and row.began_at in (None, _utc(row.taken_at)):
            news["began_at"] = _utc(date)
        if target is not None and news:
            act.update(encounters, [target], **news)


def _facts(one: Incoming) -> dict[str, Any]:
    photo = one.photo
    given = {"taken_at": photo.date and photo.date.replace(tzinfo=None), "side": photo.side}
    return {name: value for name, value in given.items() if value is not None}


def _meeting(one: Incoming) -> dict[str, Any]:
    given = {name: getattr(one.photo, name) for name in _MEETING}
    return {name: value for name, value in given.items() if value is not None}


def _utc(moment: datetime | None) -> datetime | None:
    """As an encounter's beginning is kept: the camera's clock knows no zone, its day is right."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)
