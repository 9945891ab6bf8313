"""Taking an action back, and doing it again.

Any action can be taken back, not only the last, unless a later one builds on it. As in an editor,
what has been taken back can be done again, the last first, until somebody does something else.
"""

from __future__ import annotations

import shlex
from bisect import bisect_left
from collections.abc import Collection, Iterable
from typing import Any, NoReturn

import sqlalchemy as sa

from resight.catalogue import schema
from resight.catalogue.apart import way_back, wrongly_together
from resight.catalogue.images import from_json, spread, unrolled
from resight.catalogue.journal import Action, Done, acting, read_columns
from resight.catalogue.store import Store, chunks
from resight.errors import ResightError

Row = dict[str, Any]
Images = dict[str, dict[int, tuple[Row, Row]]]  # by table and id: what it held before, and after

# Individuals before their encounters before their photos: a photo goes where its encounter is.
_TABLES = (
    schema.individuals,
    schema.encounters,
    schema.photos,
    schema.not_same,
    schema.about,
)
_WHETHER_THERE = {"gone", "state"}


def undo(store: Store, action_id: int | None = None, who: str | None = None) -> Done:
    """Take an action back: the last one that still stands, or any other by its number.

    Raises:
        ResightError: there is nothing to take back, no such action, it has been taken back
            already, or a later action builds on it, which is named.
    """
    with acting(store, "undo", "", who) as act:
        target = _standing(store, act.connection, action_id)
        images = _images(act.connection, target.id)
        later = _later(act.connection, target.id, images)
        if later is not None:
            _refuse(store, target, later)
        _check_names(store, act.connection, target, images)
        _check_company(store, act.connection, target, images)
        act.undoes = target.id
        act.summary = f"took back: {target.summary}"
        _apply(act, target, images, back=True)
        _check_whole(store, act.connection, target, images)
    return act.done


def redo(store: Store, who: str | None = None) -> Done:
    """Do again what was taken back last; only until somebody does something else.

    Raises:
        ResightError: nothing has been taken back, or something else has been done since.
    """
    with acting(store, "redo", "", who) as act:
        target = _redoable(act.connection)
        act.undoes = target.id
        act.summary = f"did again: {target.summary}"
        # Since the undo there were only undos and redos, all taken back themselves: everything is
        # as it was just before it, and nothing can stand in the way.
        _apply(act, target, _images(act.connection, target.id), back=False)
    return act.done


def undone_ids() -> sa.Select[tuple[int]]:
    """A query for the ids of the actions that are taken back as things stand."""
    undoes = schema.actions.c.undoes
    balance = sa.func.sum(sa.case((schema.actions.c.verb == "undo", 1), else_=-1))
    return sa.select(undoes).where(undoes.is_not(None)).group_by(undoes).having(balance > 0)


def in_words(action: Any) -> str:
    """An action's row, for a sentence."""
    return f"action {action.id} ({action.summary}; {action.who}, {action.at:%Y-%m-%d %H:%M})"


def _standing(store: Store, connection: sa.Connection, action_id: int | None) -> Any:
    actions = schema.actions
    if action_id is None:
        row = connection.execute(
            sa.select(actions)
            .where(actions.c.undoes.is_(None), actions.c.id.not_in(undone_ids()))
            .order_by(actions.c.id.desc())
            .limit(1)
        ).first()
        if row is None:
            raise ResightError("there is nothing to take back")
        return row
    row = connection.execute(sa.select(actions).where(actions.c.id == action_id)).first()
    if row is None:
        raise ResightError(f"there is no action {action_id}; resight history lists them")
    if row.undoes is not None:
        itself = f"{in_words(row)} is itself {'an undo' if row.verb == 'undo' else 'a redo'}"
        if connection.scalar(undone_ids().where(actions.c.undoes == row.undoes)) is None:
            raise ResightError(
                f"{itself} of action {row.undoes}, which stands now; to take that back: "
                f"{way_back(store, row.undoes)}"
            )
        raise ResightError(
            f"{itself} of action {row.undoes}, which is taken back now; to do that again, if it "
            f"was the last: resight redo {shlex.quote(str(store.place))}"
        )
    if connection.scalar(undone_ids().where(actions.c.undoes == action_id)) is not None:
        raise ResightError(f"{in_words(row)} has been taken back already")
    return row


def _redoable(connection: sa.Connection) -> Any:
    actions = schema.actions
    last = connection.scalar(sa.select(sa.func.max(actions.c.id)).where(actions.c.undoes.is_(None)))
    stack: list[int] = []
    for row in connection.execute(
        sa.select(actions.c.verb, actions.c.undoes)
        .where(actions.c.id > (last or 0))
        .order_by(actions.c.id)
    ):
        if row.verb == "undo":
            stack.append(row.undoes)
        else:
            stack.pop()
    if not stack:
        raise ResightError("there is nothing to do again: nothing was taken back last")
    return connection.execute(sa.select(actions).where(actions.c.id == stack[-1])).one()


def _images(connection: sa.Connection, action_id: int) -> Images:
    """What each row held before an action and after it, of the columns that it changed."""
    changes = schema.changes
    images: Images = {}
    for change in connection.execute(
        sa.select(changes).where(changes.c.action_id == action_id).order_by(changes.c.id)
    ):
        rows = images.setdefault(change.table_name, {})
        ids = unrolled(change.rows)
        table = schema.metadata.tables[change.table_name]
        before = _by_row(from_json(table, change.before), len(ids))
        after = _by_row(from_json(table, change.after), len(ids))
        for i, was, new in zip(ids, before, after, strict=True):
            if i in rows:  # twice in one action: from before the first to after the last
                was, new = was | rows[i][0], rows[i][1] | new
            rows[i] = (was, new)
    return images


def _by_row(values: dict[str, Any], count: int) -> Iterable[Row]:
    names = list(values)
    columns = [spread(value, count) for value in values.values()]
    for row in zip(*columns, strict=True) if columns else [()] * count:
        yield dict(zip(names, row, strict=True))


def _apply(act: Action, target: Any, images: Images, *, back: bool) -> None:
    _ = act.id  # an action that only said something is undone by this line alone
    for table in _TABLES:
        alike: dict[tuple[str, ...], list[int]] = {}
        rows = images.get(table.name, {})
        for i, (_was, new) in rows.items():
            alike.setdefault(tuple(sorted(new)), []).append(i)
        for names, ids in alike.items():
            now = read_columns(act.connection, table, ids, names)
            here, there = (1, 0) if back else (0, 1)
            # Encounters bring their photos along, which are then where they are to go already.
            if any(
                now[n][i] not in (rows[i][here][n], rows[i][there][n]) for n in names for i in ids
            ):
                raise ResightError(
                    f"{in_words(target)}: the {table.name} are no longer as it left them, and no "
                    "action says why; find out with: resight check"
                )
            act.update(table, ids, **{name: [rows[i][there][name] for i in ids] for name in names})


def _later(connection: sa.Connection, action_id: int, images: Images) -> Any:
    """The last action after this one that still stands and changed the same."""
    actions, changes = schema.actions, schema.changes
    alike: dict[str, dict[frozenset[str], list[int]]] = {}  # by table and columns: ids, ascending
    for name, rows in images.items():
        for i in sorted(rows):
            alike.setdefault(name, {}).setdefault(frozenset(rows[i][1]), []).append(i)
    for change in connection.execute(
        sa.select(changes.c.table_name, changes.c.rows, changes.c.after, changes.c.action_id)
        .join(actions, actions.c.id == changes.c.action_id)
        .where(
            changes.c.action_id > action_id,
            changes.c.table_name.in_(list(images)),
            actions.c.undoes.is_(None),
            actions.c.id.not_in(undone_ids()),
        )
        .order_by(changes.c.id.desc())
    ):
        its = set(change.after)
        for mine, ids in alike[change.table_name].items():
            clash = mine & its or (mine | its) & _WHETHER_THERE
            if clash and _meet(ids, change.rows):
                return _action(connection, change.action_id)
    return None


def _meet(ids: list[int], spans: Iterable[tuple[int, int]]) -> bool:
    for first, last in spans:
        place = bisect_left(ids, first)
        if place < len(ids) and ids[place] <= last:
            return True
    return False


def _check_names(store: Store, connection: sa.Connection, target: Any, images: Images) -> None:
    """Refuse when a name that would come back is somebody else's by now."""
    for table, key in (
        (schema.individuals, ("name",)),
        (schema.encounters, ("individual_id", "name")),
    ):
        rows = images.get(table.name, {})
        now = read_columns(connection, table, list(rows), ["gone", *key])
        for i, (was, _) in rows.items():
            if was.get("gone", now["gone"][i]):
                continue
            values = {name: was.get(name, now[name][i]) for name in key}
            holders = connection.scalars(
                sa.select(table.c.id).where(
                    ~table.c.gone, *(table.c[n].is_not_distinct_from(v) for n, v in values.items())
                )
            ).all()
            for holder in holders:
                if holder not in rows:
                    why = f"{values['name']!r} is taken"
                    _refuse_for(store, connection, target, table, [holder], why)


def _check_company(store: Store, connection: sa.Connection, target: Any, images: Images) -> None:
    """Refuse when an encounter that goes back would take along photos that came to it later."""
    photos, mine = schema.photos, images.get("photos", {})
    encounters = [
        i for i, (was, _) in images.get("encounters", {}).items() if "individual_id" in was
    ]
    for some in chunks(encounters):
        members = connection.scalars(
            sa.select(photos.c.id).where(photos.c.encounter_id.in_(some), photos.c.state != "gone")
        )
        later = [i for i in members if i not in mine]
        if later:
            why = "photos have joined its encounters"
            _refuse_for(store, connection, target, photos, later, why)


def _check_whole(store: Store, connection: sa.Connection, target: Any, images: Images) -> None:
    """Refuse when a later photo would be left with nobody, or in company that must not be."""
    # Only what this undo has changed can be so; looking through 100,000 photos takes 80 ms.
    photos, people, meetings = schema.photos, schema.individuals, schema.encounters
    left: list[int] = []
    for table, column in (
        (photos, photos.c.id),
        (people, photos.c.individual_id),
        (meetings, photos.c.encounter_id),
    ):
        for some in chunks(sorted(images.get(table.name, {}))):
            left += connection.scalars(
                sa.select(photos.c.id)
                .outerjoin(people, people.c.id == photos.c.individual_id)
                .outerjoin(meetings, meetings.c.id == photos.c.encounter_id)
                .where(column.in_(some), photos.c.state != "gone", people.c.gone | meetings.c.gone)
            )
    if left:
        _refuse_for(store, connection, target, photos, {*left}, "its photos would be nobody's")
    if any("model_id" in was for was, _ in images.get("about", {}).values()):
        _check_model(store, connection, target, images)
    wrong = wrongly_together(store, connection, sorted(images.get("photos", {})))
    if wrong is not None and wrong.pair_id is not None:
        _refuse_for(store, connection, target, schema.not_same, [wrong.pair_id], wrong.why)
    if wrong is not None:
        _refuse_for(store, connection, target, photos, wrong.photo_ids, wrong.why)


def _check_model(store: Store, connection: sa.Connection, target: Any, images: Images) -> None:
    """Refuse when photos have come that the older model has never seen: nobody would find them."""
    photos, prints = schema.photos, schema.fingerprints
    ((was, new),) = images["about"].values()

    def has(model_id: str) -> Any:
        return sa.exists().where(prints.c.photo_id == photos.c.id, prints.c.model_id == model_id)

    count = connection.scalar(
        sa.select(sa.func.count(photos.c.id)).where(
            photos.c.state == "in", has(new["model_id"]), ~has(was["model_id"])
        )
    )
    if count:
        models = schema.models
        path = connection.scalar(sa.select(models.c.path).where(models.c.id == was["model_id"]))
        many = "1 photo has" if count == 1 else f"{count:,} photos have"
        raise ResightError(
            f"{in_words(target)} cannot be taken back: {many} no fingerprint of the older model "
            "and would not be found; change to it instead with: resight refingerprint "
            f"{shlex.quote(str(store.place))} {shlex.quote(str(store.whole_path(path or '')))}"
        )


def _refuse_for(
    store: Store,
    connection: sa.Connection,
    target: Any,
    table: sa.Table,
    ids: Collection[int],
    why: str,
) -> NoReturn:
    for some in chunks(sorted(ids)):
        later = _later(connection, target.id, {table.name: {i: ({}, {"gone": 0}) for i in some}})
        if later is not None:
            _refuse(store, target, later)
    raise ResightError(f"{in_words(target)} cannot be taken back: {why}")


def _refuse(store: Store, target: Any, later: Any) -> NoReturn:
    raise ResightError(
        f"{in_words(target)} cannot be taken back, because {in_words(later)} builds on it; "
        f"take that back first: {way_back(store, later.id)}"
    )


def _action(connection: sa.Connection, action_id: int) -> Any:
    return connection.execute(
        sa.select(schema.actions).where(schema.actions.c.id == action_id)
    ).one()
