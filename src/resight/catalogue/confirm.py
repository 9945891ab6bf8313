"""Confirming what `group` proposed: what has been decided since counts more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.checks import checked_name
from resight.catalogue.edit import name as name_photos
from resight.catalogue.parts import exclude
from resight.catalogue.proposals import Proposal
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a confirmation did.

    Attributes:
        named: for each name how many photos got it.
        already: how many had it before.
        refused: for each photo that was not named, in words why.
        actions: their numbers, one for each name, to take them back by.
    """

    named: dict[str, int]
    already: int
    refused: tuple[str, ...]
    actions: tuple[int, ...] = ()


def confirm(
    store: Store,
    proposals: Iterable[Proposal],
    *,
    only: Iterable[int] | None = None,
    who: str | None = None,
) -> Confirmed:
    """Name photos as proposed: an action, and a step of undo, for each individual.

    What has been decided since counts more than the proposal: a photo that was named, junked or
    said to be "not the same" meanwhile is refused, and the others are named. To repeat it does no
    harm.

    Args:
        store: the open catalogue.
        proposals: the photos.
        only: the numbers of the groups to confirm; default all.
        who: says so.

    Raises:
        ResightError: nothing to confirm, a name that cannot be one, "new" for an individual that
            exists or "known" for one that does not, or a photo under two names. Nothing was named.
    """
    wanted = set(only) if only is not None else None
    chosen = [p for p in proposals if p.name and (wanted is None or p.group in wanted)]
    if not chosen:
        which = f" in group {', '.join(map(str, sorted(wanted)))}" if wanted else ""
        raise ResightError(f"there is nothing to confirm{which}: no photo with a name")
    by_name: dict[str, list[Proposal]] = {}
    for proposal in chosen:
        by_name.setdefault(checked_name(proposal.name), []).append(proposal)
    _once(chosen)
    now = _Now(store, [proposal.photo for proposal in chosen])
    known = {name: now.check_name(name, photos) for name, photos in by_name.items()}
    named: dict[str, int] = {}
    already, refused, actions = 0, [], []
    for name, photos in by_name.items():
        good = []
        for proposal in photos:
            row = now.rows.get(proposal.photo)
            if row is not None and row.name == name and row.state == "in":
                already += 1
            elif why := now.objection(proposal, name, {p.photo for p in photos}):
                refused.append(why)
            else:
                good.append(proposal.photo)
        if good:
            try:
                # Held to that by the transaction: "New 1" may have become somebody else meanwhile.
                done = name_photos(
                    store,
                    good,
                    name,
                    alone=True,
                    known=known[name],
                    shown={"group": good},
                    who=who,
                )
                named[name] = len(good)
                actions += [done.action] if done.action is not None else []
            except ResightError as error:  # decided in this very moment by somebody else
                refused.append(f"{name!r}: {error}")
    return Confirmed(named, already, tuple(refused), tuple(actions))


class _Now:
    """What the catalogue says now of the photos proposed."""

    def __init__(self, store: Store, ids: Sequence[int]) -> None:
        photos, people, pairs = schema.photos, schema.individuals, schema.not_same
        self.store = store
        self.rows: dict[int, Any] = {}
        self.noes: dict[int, set[int]] = {}
        self.boxes: dict[str, set[int]] = {}
        self.names: set[str] = set()
        query = sa.select(
            *photos.c["id", "content_hash", "box", "path", "state"], people.c.name
        ).outerjoin(people, people.c.id == photos.c.individual_id)
        with store.reading() as connection:
            for one, other in connection.execute(
                sa.select(pairs.c.first_photo_id, pairs.c.second_photo_id).where(~pairs.c.gone)
            ):
                self.noes.setdefault(one, set()).add(other)
                self.noes.setdefault(other, set()).add(one)
            others = {other for i in ids for other in self.noes.get(i, ())}
            for some in chunks(sorted({*ids, *others})):
                for row in connection.execute(query.where(photos.c.id.in_(some))):
                    self.rows[row.id] = row
                    if row.box:
                        self.boxes.setdefault(row.content_hash, set()).add(row.id)
            self.names.update(connection.scalars(sa.select(people.c.name).where(~people.c.gone)))

    def check_name(self, name: str, photos: Sequence[Proposal]) -> bool:
        """Hold "known" names to exist and "new" ones not to, unless this very group made them.

        Returns whether the name is there.
        """
        if len({proposal.known for proposal in photos}) > 1:
            groups = " and ".join(map(str, sorted({proposal.group for proposal in photos})))
            raise ResightError(
                f'group {groups}: {name!r} is proposed both as "new" and as "known"; choose one'
            )
        begun = any((row := self.rows.get(p.photo)) and row.name == name for p in photos)
        if photos[0].known and name not in self.names:
            raise ResightError(
                f"group {photos[0].group}: nobody is called {name!r}; to make a new individual, "
                'write "new" as its proposal'
            )
        if not photos[0].known and name in self.names and not begun:
            raise ResightError(
                f"group {photos[0].group}: somebody is called {name!r} already; if that is who the "
                'photos show, write "known" as their proposal, else another name'
            )
        return photos[0].known or begun

    def objection(self, proposal: Proposal, name: str, company: set[int]) -> str | None:
        """Why a photo cannot be named so now, or None."""
        row = self.rows.get(proposal.photo)
        if row is None or row.content_hash != proposal.content_hash:
            return f"photo {proposal.photo}: is not this catalogue's, or not the photo it was"
        path = self.store.whole_path(row.path)
        if row.state != "in":
            return f"{path}: is {row.state} now"
        if row.name is not None:
            return f"{path}: was named {row.name!r} meanwhile"
        for other in sorted(company & self.boxes.get(row.content_hash, set()) - {row.id}):
            if row.box and exclude(path):
                return f"{path}: two parts of it, {row.box} and {self.rows[other].box}, are not one"
        for other in sorted(self.noes.get(row.id, ())):
            their = self.rows[other]
            if their.state != "gone" and (other in company or their.name == name):
                return f"{path}: was said not to be the same as {self.store.whole_path(their.path)}"
        return None


def _once(chosen: Sequence[Proposal]) -> None:
    first: dict[int, Proposal] = {}
    for proposal in chosen:
        other = first.setdefault(proposal.photo, proposal)
        if other.name != proposal.name:
            raise ResightError(
                f"photo {proposal.photo} is to be both {other.name!r} (group {other.group}) and "
                f"{proposal.name!r} (group {proposal.group}); choose one"
            )
