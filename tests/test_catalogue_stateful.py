"""Whatever people do in whatever order, the catalogue is what a plain dictionary would be."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from catalogues import unit_vectors, write_files
from plain_catalogue import BOXES, Plain, Refused
from resight.catalogue import Catalogue, schema
from resight.catalogue.store import Store
from resight.errors import ResightError
from resight.photos.photo import Photo

PHOTOS = 9
NAMES = ("Luna", "Sol", "Mars")
ENCOUNTERS = (None, "Monday", "Tuesday")


def dump(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every visible row, with everything in it but the time stamp for caches."""
    shown = {
        "individuals": ~schema.individuals.c.gone,
        "encounters": ~schema.encounters.c.gone,
        "photos": schema.photos.c.state != "gone",
        "not_same": ~schema.not_same.c.gone,
    }
    with store.reading() as connection:
        return {
            name: [
                tuple(str(value) for key, value in row._mapping.items() if key != "changed")
                for row in connection.execute(
                    sa.select(schema.metadata.tables[name])
                    .where(visible)
                    .order_by(schema.metadata.tables[name].c.id)
                )
            ]
            for name, visible in shown.items()
        }


some = st.sets(st.integers(0, PHOTOS - 1), min_size=1, max_size=4)
one_photo = st.integers(0, PHOTOS - 1)
names = st.sampled_from(NAMES)


class People(RuleBasedStateMachine):
    """Does the same to a catalogue and to the plain dictionaries, and compares."""

    def __init__(self, catalogue: Catalogue, paths: list[Path]) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.files = [
            Photo(paths[min(number, 7)], box=BOXES.get(number)) for number in range(PHOTOS)
        ]
        self.vectors = unit_vectors(PHOTOS)
        self.plain = Plain()
        # What stands: the action's number, and what both sides were before it (None: no longer
        # so, since something older has been taken back).
        self.standing: list[tuple[int, Plain | None, Any]] = []
        self.undone: list[tuple[Plain, Any, list[Any]]] = []  # what there was before each undo
        self.last = 0

    def teardown(self) -> None:
        self.catalogue.close()

    def act(self, plainly: Callable[[Plain], None], really: Callable[[], Any]) -> None:
        before, rows = copy.deepcopy(self.plain), dump(self.catalogue._store)
        try:
            plainly(self.plain)
        except Refused:
            self.plain = before
            with pytest.raises(ResightError) as caught:
                really()
            assert "\n" not in str(caught.value)
            assert dump(self.catalogue._store) == rows
            return
        done = really()
        if done.action is None:
            assert dump(self.catalogue._store) == rows
            assert self.plain == before
            return
        assert done.action > self.last
        self.last = done.action
        self.standing.append((done.action, before, rows))
        self.undone = []

    def refs(self, numbers: set[int]) -> list[Photo]:
        return [self.files[n] for n in sorted(numbers)]

    @rule(numbers=some, name=names, encounter=st.sampled_from(ENCOUNTERS))
    def enrol(self, numbers: set[int], name: str, encounter: str | None) -> None:
        self.act(
            lambda plain: plain.enrol(numbers, name, encounter),
            lambda: self.catalogue.enrol(
                name,
                self.refs(numbers),
                vectors=self.vectors[sorted(numbers)],
                encounter=encounter,
            ),
        )

    @rule(numbers=some, encounter=st.sampled_from(ENCOUNTERS))
    def add(self, numbers: set[int], encounter: str | None) -> None:
        photos = [
            Photo(photo.path, encounter=encounter, box=photo.box) for photo in self.refs(numbers)
        ]
        self.act(
            lambda plain: plain.enrol(numbers, None, encounter),
            lambda: self.catalogue.add(photos, vectors=self.vectors[sorted(numbers)]),
        )

    @rule(numbers=some, name=names, alone=st.booleans())
    def name(self, numbers: set[int], name: str, alone: bool) -> None:
        self.act(
            lambda plain: plain.name(numbers, name, alone),
            lambda: self.catalogue.name(self.refs(numbers), name, alone=alone),
        )

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        self.act(lambda plain: plain.rename(old, new), lambda: self.catalogue.rename(old, new))

    @rule(one=names, into=names)
    def merge(self, one: str, into: str) -> None:
        self.act(lambda plain: plain.merge(one, into), lambda: self.catalogue.merge(one, into=into))

    @rule(one=names, numbers=some, new=names)
    def split(self, one: str, numbers: set[int], new: str) -> None:
        mine = {n for n in numbers if self.plain.photos.get(n, ["", ""])[1] == one} or numbers
        self.act(
            lambda plain: plain.split(one, mine, new),
            lambda: self.catalogue.split(one, self.refs(mine), new=new),
        )

    @rule(numbers=some, to=names)
    def move(self, numbers: set[int], to: str) -> None:
        self.act(
            lambda plain: plain.move(numbers, to),
            lambda: self.catalogue.move(self.refs(numbers), to),
        )

    @rule(number=one_photo)
    def move_to_nobody(self, number: int) -> None:
        self.act(
            lambda plain: plain.move({number}, None),
            lambda: self.catalogue.move(self.files[number], None),
        )

    @rule(numbers=some, back=st.booleans())
    def junk(self, numbers: set[int], back: bool) -> None:
        self.act(
            lambda plain: plain.junk(numbers, back),
            lambda: self.catalogue.junk(self.refs(numbers), back=back),
        )

    @rule(one=one_photo, two=one_photo)
    def not_same(self, one: int, two: int) -> None:
        self.act(
            lambda plain: plain.not_same(one, two),
            lambda: self.catalogue.not_same(self.files[one], self.files[two]),
        )

    @rule(number=one_photo)
    def best_photo(self, number: int) -> None:
        self.act(
            lambda plain: plain.best(number),
            lambda: self.catalogue.best_photo(self.files[number]),
        )

    @rule(name=names)
    def forget(self, name: str) -> None:
        self.act(lambda plain: plain.forget(name), lambda: self.catalogue.forget(name))

    @rule(name=names, notes=st.sampled_from(["", "lame", "a scar"]))
    def describe(self, name: str, notes: str) -> None:
        self.act(
            lambda plain: plain.describe(name, notes),
            lambda: self.catalogue.describe(name, notes=notes),
        )

    @rule()
    def undo(self) -> None:
        if not self.standing:
            with pytest.raises(ResightError, match="nothing to take back"):
                self.catalogue.undo()
            return
        self.take_back(len(self.standing) - 1, self.catalogue.undo)

    @precondition(lambda self: len(self.standing) > 1)
    @rule(data=st.data())
    def undo_an_older_one(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.standing) - 2))
        number, _, _ = self.standing[place]
        rows, refusal = dump(self.catalogue._store), ""
        try:
            self.take_back(place, lambda: self.catalogue.undo(number))
        except ResightError as error:
            refusal = str(error)
        if refusal:
            later = [one[0] for one in self.standing[place + 1 :]]
            assert any(f"--action {other}" in refusal for other in later)
            assert dump(self.catalogue._store) == rows

    def take_back(self, place: int, really: Callable[[], Any]) -> None:
        rows, plain = dump(self.catalogue._store), self.plain
        done = really()
        self.last = done.action
        _, before, rows_before = self.standing[place]
        self.undone.append((plain, rows, list(self.standing)))
        del self.standing[place]
        if before is not None and place == len(self.standing):
            assert dump(self.catalogue._store) == rows_before
            self.plain = before
        else:
            self.plain = self.seen()
            self.plain.check()  # nobody in company that must not be
            later = [(number, None, None) for number, _, _ in self.standing[place:]]
            self.standing[place:] = later

    @rule()
    def redo(self) -> None:
        if not self.undone:
            with pytest.raises(ResightError, match="nothing to do again"):
                self.catalogue.redo()
            return
        self.last = self.catalogue.redo().action
        self.plain, rows, self.standing = self.undone.pop()
        assert dump(self.catalogue._store) == rows

    @invariant()
    def they_are_the_same(self) -> None:
        assert self.seen() == self.plain

    def seen(self) -> Plain:
        """What the catalogue shows, as dictionaries."""
        number_of = {(photo.path, photo.box): n for n, photo in enumerate(self.files)}
        plain = Plain({one.name: one.notes for one in self.catalogue.individuals()})
        for state, photos in (
            ("in", self.catalogue.unnamed()),
            ("junk", self.catalogue.junked()),
            *(("in", self.catalogue.photos_of(name)) for name in plain.people),
        ):
            for photo in photos:
                number = number_of[photo.path, photo.box]
                plain.photos[number] = [state, photo.individual, photo.encounter]
        people, encounters = schema.individuals, schema.encounters
        with self.catalogue._store.reading() as connection:
            plain.encounters = {
                (who, name)
                for who, name in connection.execute(
                    sa.select(people.c.name, encounters.c.name)
                    .select_from(encounters)
                    .outerjoin(people, people.c.id == encounters.c.individual_id)
                    .where(~encounters.c.gone)
                )
            }
            one, two = schema.photos.alias(), schema.photos.alias()
            pairs = connection.execute(
                sa.select(one.c.path, one.c.box, two.c.path, two.c.box)
                .select_from(schema.not_same)
                .join(one, one.c.id == schema.not_same.c.first_photo_id)
                .join(two, two.c.id == schema.not_same.c.second_photo_id)
                .where(~schema.not_same.c.gone)
            ).all()
        kept = {
            (self.catalogue._store.kept_path(photo.path), ",".join(map(str, photo.box or ()))): n
            for n, photo in enumerate(self.files)
        }
        plain.no = {frozenset((kept[a, b], kept[c, d])) for a, b, c, d in pairs}
        return plain


def test_any_sequence_is_what_a_plain_dictionary_gives(tmp_path, tiny_model):
    paths = write_files(tmp_path / "in", PHOTOS - 1)
    empty = tmp_path / "empty.db"
    Catalogue.open(empty, model=tiny_model, create=True).close()
    place = tmp_path / "people.db"

    def begin() -> People:
        for kind in ("", "-wal", "-shm"):
            Path(f"{place}{kind}").unlink(missing_ok=True)
        shutil.copyfile(empty, place)
        return People(Catalogue.open(place), paths)

    run_state_machine_as_test(begin, settings=settings(max_examples=50, stateful_step_count=30))


def test_the_same_on_postgresql(postgres, postgres_server, tmp_path, tiny_model):
    import psycopg

    paths = write_files(tmp_path / "in", PHOTOS - 1)
    schema_name = postgres.rpartition("schema=")[2]

    def begin() -> People:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{schema_name}" CASCADE')
        return People(Catalogue.open(postgres, model=tiny_model, create=True), paths)

    run_state_machine_as_test(begin, settings=settings(max_examples=5, stateful_step_count=25))
