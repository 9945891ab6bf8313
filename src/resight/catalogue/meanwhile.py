"""What has been said of a photo since somebody looked at it: so that nobody decides unknowingly.

Whoever shows a photo notes the number of the last decision on it (0: none). A verb that is told
that number refuses, in its own transaction, when there is a later one by now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError

Seen = Mapping[int, int]  # by the photo's number: that of the last decision that was known of it


class DecidedMeanwhile(ResightError):
    """Somebody has decided on a photo since it was shown.

    Attributes:
        photo: its number.
        who: decided.
        what: as the history has it, such as "named 3 photos: Luna".
    """

    def __init__(self, photo: int, who: str, what: str) -> None:
        super().__init__(f"photo {photo}: meanwhile {who} {what}; look again, then decide")
        self.photo = photo
        self.who = who
        self.what = what


def last_words(connection: sa.Connection, photo_ids: Sequence[int]) -> dict[int, int]:
    """For each photo the number of the last decision on it; 0 where there is none."""
    table = schema.decisions
    found = dict.fromkeys(photo_ids, 0)
    for some in chunks(photo_ids):
        found |= dict(
            connection.execute(
                sa.select(table.c.photo_id, sa.func.max(table.c.id))
                .where(table.c.photo_id.in_(some))
                .group_by(table.c.photo_id)
            ).all()
        )
    return found


def check_as_seen(store: Store, connection: sa.Connection, seen: Seen | None) -> None:
    """Hold the last words on photos to be those that were seen.

    Raises:
        DecidedMeanwhile: there is a later one.
    """
    now = last_words(connection, sorted(seen or {}))
    for photo, word in (seen or {}).items():
        if now[photo] != word:
            said, acts = schema.decisions, schema.actions
            row = connection.execute(
                sa.select(said.c.who, said.c.what, acts.c.summary)
                .outerjoin(acts, acts.c.id == said.c.action_id)
                .where(said.c.id == now[photo])
            ).first()
            who, what = (row.who, row.summary or f"said {row.what}") if row else ("nobody", "")
            raise DecidedMeanwhile(photo, who, what)
