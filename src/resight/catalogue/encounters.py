"""Encounters: found or made when photos come, and kept right when photos change hands.

A photo and its encounter never name two individuals. So an encounter goes along when all its
photos do; otherwise those that leave get one of the same name and details at their new home.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.journal import Action
from resight.catalogue.store import chunks

Home = tuple[int | None, str]  # whose encounter (None: nobody knows yet), and its name
DETAILS = ("began_at", "place", "latitude", "longitude", "observer")


def encounter_ids(act: Action, wanted: Iterable[tuple[Home, Mapping[str, Any]]]) -> dict[Home, int]:
    """Find or make encounters, and fill in what was not known of them.

    Args:
        act: the action.
        wanted: where, and the details that are known; one home may come several times.
    """
    details: dict[Home, dict[str, Any]] = {}
    for home, known in wanted:
        mine = details.setdefault(home, dict.fromkeys(DETAILS))
        for name, value in known.items():
            mine[name] = value if mine[name] is None else mine[name]
    found = _here(act.connection, {owner for owner, _ in details})
    for home, row in found.items():
        if home in details:
            _fill(act, row, details[home])
    missing = [home for home in details if home not in found]
    made = act.insert(
        schema.encounters,
        [{"individual_id": owner, "name": name} | details[owner, name] for owner, name in missing],
    )
    ids = {home: row.id for home, row in found.items()}
    return ids | dict(zip(missing, made, strict=True))


def hand_over(act: Action, photo_ids: Sequence[int], individual_id: int | None) -> None:
    """Give photos to an individual, or to nobody, and their encounters where all of one go."""
    photos = schema.photos
    leaving: dict[int | None, list[int]] = {}
    for some in chunks(photo_ids):
        for row in act.connection.execute(
            sa.select(photos.c.id, photos.c.encounter_id)
            .where(photos.c.id.in_(some), photos.c.individual_id.is_distinct_from(individual_id))
            .order_by(photos.c.id)
        ):
            leaving.setdefault(row.encounter_id, []).append(row.id)
    act.update(photos, leaving.pop(None, []), individual_id=individual_id)
    staying: dict[int, int] = {}
    for some in chunks([i for i in leaving if i is not None]):
        rows = act.connection.execute(
            sa.select(photos.c.encounter_id, sa.func.count())
            .where(photos.c.encounter_id.in_(some), photos.c.state == "in")
            .group_by(photos.c.encounter_id)
        )
        staying |= dict(rows.all())
    states = _states(act.connection, [i for ids in leaving.values() for i in ids])
    whole: set[int] = set()
    for encounter_id, ids in leaving.items():
        assert encounter_id is not None
        if sum(states[i] == "in" for i in ids) == staying.get(encounter_id, 0):
            whole.add(encounter_id)
    adopt(act, sorted(whole), individual_id)
    for encounter_id, ids in leaving.items():
        if encounter_id in whole:
            continue
        row = _encounter(act.connection, encounter_id)
        there = _twin(act.connection, row, individual_id)
        if there is None:
            values = {name: getattr(row, name) for name in DETAILS}
            values |= {"name": _free_name(act.connection, row.name, individual_id)}
            (there_id,) = act.insert(schema.encounters, [values | {"individual_id": individual_id}])
        else:
            there_id = there.id
            _fill(act, there, {name: getattr(row, name) for name in DETAILS})
        act.update(photos, ids, individual_id=individual_id, encounter_id=there_id)


def adopt(act: Action, encounter_ids: Sequence[int], individual_id: int | None) -> None:
    """Give whole encounters to an individual, with all their photos.

    One of the same name that is there already is the same meeting, unless their details differ;
    then the newcomer is called "name (2)".
    """
    photos = schema.photos
    easy: set[int] = set()
    taken = {name for _, name in _here(act.connection, {individual_id})}
    for encounter_id in encounter_ids:
        row = _encounter(act.connection, encounter_id)
        if row.name not in taken:
            taken.add(row.name)
            easy.add(encounter_id)
    act.update(schema.encounters, sorted(easy), individual_id=individual_id)
    for encounter_id in encounter_ids:
        if encounter_id in easy:
            continue
        row = _encounter(act.connection, encounter_id)
        twin = _twin(act.connection, row, individual_id)
        if twin is None:
            name = _free_name(act.connection, row.name, individual_id)
            act.update(schema.encounters, [row.id], individual_id=individual_id, name=name)
            continue
        members = act.connection.scalars(
            sa.select(photos.c.id)
            .where(photos.c.encounter_id == row.id, photos.c.state != "gone")
            .order_by(photos.c.id)
        ).all()
        _fill(act, twin, {name: getattr(row, name) for name in DETAILS})
        act.update(photos, members, individual_id=individual_id, encounter_id=twin.id)
        act.update(schema.encounters, [row.id], gone=True)


def hide_empty(act: Action, encounter_ids: Iterable[int | None]) -> None:
    """Let go of encounters that have no photo left."""
    photos, left = schema.photos, {i for i in encounter_ids if i is not None}
    for some in chunks(sorted(left)):
        left -= set(
            act.connection.scalars(
                sa.select(photos.c.encounter_id).where(
                    photos.c.encounter_id.in_(some), photos.c.state != "gone"
                )
            )
        )
    act.update(schema.encounters, sorted(left), gone=True)


def _encounter(connection: sa.Connection, encounter_id: int | None) -> Any:
    table = schema.encounters
    return connection.execute(sa.select(table).where(table.c.id == encounter_id)).one()


def _states(connection: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    photos = schema.photos
    found: dict[int, str] = {}
    for some in chunks(ids):
        rows = connection.execute(
            sa.select(photos.c.id, photos.c.state).where(photos.c.id.in_(some))
        )
        found |= dict(rows.all())
    return found


def _here(connection: sa.Connection, owners: Iterable[int | None]) -> dict[Home, Any]:
    """The encounters of these individuals (None: of nobody), by owner and name."""
    table = schema.encounters
    known = sorted(owner for owner in owners if owner is not None)
    queries = [table.c.individual_id.in_(some) for some in chunks(known)]
    if None in owners:
        queries.append(table.c.individual_id.is_(None))
    found: dict[Home, Any] = {}
    for query in queries:
        for row in connection.execute(sa.select(table).where(query, ~table.c.gone)):
            found[row.individual_id, row.name] = row
    return found


def _twin(connection: sa.Connection, row: Any, individual_id: int | None) -> Any:
    """The encounter of the same name at another individual, if it can be the same meeting."""
    if individual_id is None:  # two unknown ones with encounters of one name need not be the same
        return None
    table = schema.encounters
    other = connection.execute(
        sa.select(table).where(
            table.c.individual_id == individual_id,
            table.c.name == row.name,
            table.c.id != row.id,
            ~table.c.gone,
        )
    ).first()
    if other is None or any(
        None not in (getattr(row, name), getattr(other, name))
        and getattr(row, name) != getattr(other, name)
        for name in DETAILS
    ):
        return None
    return other


def _free_name(connection: sa.Connection, name: str, individual_id: int | None) -> str:
    """The name, or "name (2)", "name (3)", … where it is taken."""
    taken = {there for _, there in _here(connection, {individual_id})}
    number, free = 1, name
    while free in taken:
        number += 1
        ending = f" ({number})"
        free = name[: schema.LONGEST_NAME - len(ending)] + ending
    return free


def _fill(act: Action, row: Any, details: Mapping[str, Any]) -> None:
    """What is known now and was not; what is known stays as it is."""
    news = {
        name: value
        for name, value in details.items()
        if value is not None and getattr(row, name) is None
    }
    if news:
        act.update(schema.encounters, [row.id], **news)
