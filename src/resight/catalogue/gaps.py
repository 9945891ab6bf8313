"""What would make a catalogue surer: who lacks photos, encounters or a side; and what is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.browse import natural
from resight.catalogue.store import Store
from resight.catalogue.undo import undone_ids

COMMON = 0.1  # share of the photos with a side that show one, for it to be missed in others


@dataclass(frozen=True)
class Gaps:
    """Individuals that a catalogue knows too little of, by name, in natural order.

    Attributes:
        individuals: how many have a photo.
        one_photo: those with one photo only.
        one_encounter: those with several photos, all of one encounter.
        without_side: for each side that is common here, those with a known side, but not this one.
        sided: photos whose side is told.
        photos: photos with a name.
        decisions: what has been decided since, and stands: see `gaps`.
        named: photos with a name now, less those that there were then.
    """

    individuals: int
    one_photo: tuple[str, ...]
    one_encounter: tuple[str, ...]
    without_side: dict[str, tuple[str, ...]]
    sided: int
    photos: int
    decisions: int
    named: int


def gaps(store: Store, *, revision: int = 0, photos_then: int = 0) -> Gaps:
    """Look through a catalogue.

    Args:
        store: the open catalogue.
        revision: count the decisions since this revision, such as that of a calibration.
        photos_then: photos that had a name then.
    """
    photos, people, meetings = schema.photos, schema.individuals, schema.encounters
    actions, said = schema.actions, schema.decisions
    mine = (photos.c.state == "in", photos.c.individual_id.is_not(None))
    count = sa.func.count()
    with store.reading() as connection:
        rows = connection.execute(
            sa.select(
                photos.c.individual_id,
                photos.c.side,
                count,
                sa.func.min(sa.func.coalesce(photos.c.encounter_id, -photos.c.id)),
                sa.func.max(sa.func.coalesce(photos.c.encounter_id, -photos.c.id)),
            )
            .where(*mine)
            .group_by(photos.c.individual_id, photos.c.side)
        ).all()
        names: dict[int, str] = dict(
            connection.execute(sa.select(people.c.id, people.c.name).where(~people.c.gone)).all()
        )
        met = connection.scalar(sa.select(count).select_from(meetings).where(~meetings.c.gone))
        since = connection.scalar(
            sa.select(count)
            .select_from(said)
            .join(actions, actions.c.id == said.c.action_id)
            .where(actions.c.revision > revision, actions.c.id.not_in(undone_ids()))
        )
    held: dict[int, int] = {}
    sides: dict[int, set[str]] = {}
    ends: dict[int, list[int]] = {}
    of_side: dict[str, int] = {}
    for owner, side, many, first, last in rows:
        if owner not in names:
            continue
        held[owner] = held.get(owner, 0) + many
        ends.setdefault(owner, []).extend((first, last))
        if side:
            word = side.casefold()
            sides.setdefault(owner, set()).add(word)
            of_side[word] = of_side.get(word, 0) + many
    sided = sum(of_side.values())
    common = sorted(word for word, many in of_side.items() if many >= COMMON * sided)

    def named(ids: Any) -> tuple[str, ...]:
        return tuple(sorted((names[i] for i in ids), key=natural))

    return Gaps(
        individuals=len(held),
        one_photo=named(i for i, many in held.items() if many == 1),
        one_encounter=named(
            i for i, many in held.items() if many > 1 and len(set(ends[i])) == 1 and met
        ),
        without_side={
            word: named(i for i, seen in sides.items() if word not in seen)
            for word in common
            if len(common) > 1
        },
        sided=sided,
        photos=sum(held.values()),
        decisions=since or 0,
        named=sum(held.values()) - photos_then,
    )
