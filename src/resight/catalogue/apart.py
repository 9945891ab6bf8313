"""Photos that can never be of one individual: a person's "no", and two boxes of one picture."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.parts import exclude_here
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError


@dataclass(frozen=True, slots=True)
class Together:
    """Two photos of one individual that must not be.

    Attributes:
        photo_ids: the two.
        pair_id: of the row of `not_same` that forbids it; None for two boxes of one picture.
        why: in words.
    """

    photo_ids: tuple[int, int]
    pair_id: int | None
    why: str


def way_back(store: Store, action_id: int) -> str:
    """The command that takes an action back."""
    return f"resight undo {shlex.quote(str(store.place))} --action {action_id}"


def check_apart(store: Store, connection: sa.Connection, photo_ids: Sequence[int]) -> None:
    """Refuse what has just been written when it puts photos together that must not be.

    Args:
        store: the open catalogue.
        connection: the transaction.
        photo_ids: the photos that have come to another individual, or back.

    Raises:
        ResightError: two of one individual are "not the same", or are two boxes of one picture.
    """
    wrong = wrongly_together(store, connection, photo_ids)
    if wrong is not None:
        raise ResightError(wrong.why)


def wrongly_together(
    store: Store, connection: sa.Connection, photo_ids: Sequence[int]
) -> Together | None:
    """The first such two, or None; see `check_apart`."""
    return _said_no(store, connection) or _twice_on_a_picture(store, connection, photo_ids)


def _said_no(store: Store, connection: sa.Connection) -> Together | None:
    # Of all pairs, not only those of some photos: they are few, and none may ever be wrong.
    pairs, decisions = schema.not_same, schema.decisions
    one, other = schema.photos.alias("one"), schema.photos.alias("other")
    row = connection.execute(
        sa.select(
            pairs.c.id,
            one.c.id.label("one_id"),
            other.c.id.label("other_id"),
            one.c.path,
            other.c.path.label("other_path"),
            schema.individuals.c.name,
            decisions.c.who,
            decisions.c.at,
            decisions.c.action_id,
        )
        .join(one, one.c.id == pairs.c.first_photo_id)
        .join(other, other.c.id == pairs.c.second_photo_id)
        .join(schema.individuals, schema.individuals.c.id == one.c.individual_id)
        .join(decisions, decisions.c.id == pairs.c.decision_id)
        .where(
            ~pairs.c.gone,
            one.c.individual_id == other.c.individual_id,
            # Junk too: a "no" holds though the photo that it was said of is too blurred to show.
            one.c.state != "gone",
            other.c.state != "gone",
        )
        .order_by(pairs.c.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    return Together(
        (row.one_id, row.other_id),
        row.id,
        f"{store.whole_path(row.path)} and {store.whole_path(row.other_path)} would both be "
        f"{row.name!r}, but {row.who} said on {row.at:%Y-%m-%d} that they are not the same; "
        f"to take that back: {way_back(store, row.action_id)}",
    )


def _twice_on_a_picture(
    store: Store, connection: sa.Connection, photo_ids: Sequence[int]
) -> Together | None:
    one, other = schema.photos.alias("one"), schema.photos.alias("other")
    for some in chunks(photo_ids):
        row = connection.execute(
            sa.select(one.c.id, other.c.id.label("other_id"), one.c.path, schema.individuals.c.name)
            .join(
                other,
                sa.and_(
                    other.c.content_hash == one.c.content_hash,
                    other.c.individual_id == one.c.individual_id,
                    other.c.id != one.c.id,
                ),
            )
            .join(schema.individuals, schema.individuals.c.id == one.c.individual_id)
            .where(
                one.c.id.in_(some),
                one.c.box != "",
                other.c.box != "",
                exclude_here(one.c.path),
                one.c.state == "in",
                other.c.state == "in",
            )
            .order_by(one.c.id)
            .limit(1)
        ).first()
        if row is not None:
            return Together(
                (row.id, row.other_id),
                None,
                f"{store.whole_path(row.path)}: two boxes of this picture would both be "
                f"{row.name!r}, and nobody is twice on one picture; name one of them otherwise",
            )
    return None
