"""The journal: an action is all or nothing, and what it wrote down puts everything back."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from catalogues import unit_vectors, write_files
from resight.catalogue import Catalogue, schema
from resight.catalogue.images import compact, from_json, runs, spread, to_json, unrolled
from resight.catalogue.journal import acting
from resight.catalogue.store import Store
from resight.catalogue.undo import redo, undo
from resight.errors import ResightError


@pytest.fixture
def store(place: str, tmp_path: Path, tiny_model: Path) -> Store:
    """Of a catalogue with Luna (two photos, one on Monday) and Sol (one), on each engine."""
    one, two, three = write_files(tmp_path / "in", 3)
    vectors = unit_vectors(3)
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        catalogue.enrol("Luna", one, vectors=vectors[:1])
        catalogue.enrol("Luna", two, vectors=vectors[1:2], encounter="Monday")
        catalogue.enrol("Sol", three, vectors=vectors[2:])
        yield catalogue._store


def rows_of(store: Store, table: sa.Table) -> list[dict]:
    with store.reading() as connection:
        found = connection.execute(sa.select(table).order_by(table.c.id)).all()
    return [dict(row._mapping) for row in found]


def without_stamps(rows: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "changed"} for row in rows]


@given(st.sets(st.integers(1, 50)))
def test_runs_are_the_ids(ids):
    spans = runs(sorted(ids))
    assert unrolled(spans) == sorted(ids)
    assert all(b[0] > a[1] + 1 for a, b in pairwise(spans))


def test_runs_by_hand():
    assert runs([]) == []
    assert runs([7]) == [[7, 7]]
    assert runs([3, 4, 5, 9, 11, 12]) == [[3, 5], [9, 9], [11, 12]]


@given(st.lists(st.one_of(st.none(), st.booleans(), st.text(max_size=3)), min_size=1, max_size=5))
def test_values_that_are_equal_are_kept_once(values):
    kept = compact(values)
    assert spread(kept, len(values)) == values
    assert isinstance(kept, list) == (len({repr(v) for v in values}) > 1)


def test_moments_come_back_from_json():
    moment = datetime(2025, 4, 3, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    for value in (moment, None, [moment, None]):
        kept = to_json({"began_at": value, "place": "Brest"})
        assert from_json(schema.encounters, kept) == {"began_at": value, "place": "Brest"}
    camera = datetime(2025, 4, 3, 12, 30)  # knows no zone, and gets none
    assert from_json(schema.photos, to_json({"taken_at": camera}))["taken_at"] == camera


def test_an_action_is_a_row_with_who_and_what_and_the_revision(store):
    with acting(store, "rename", "Luna is called Lune", "Anna") as act:
        assert act.update(schema.individuals, [1], name="Lune") == [1]
    action = rows_of(store, schema.actions)[-1]
    (about,) = rows_of(store, schema.about)
    assert (action["verb"], action["summary"]) == ("rename", "Luna is called Lune")
    assert (action["who"], action["undoes"]) == ("Anna", None)
    assert action["revision"] == about["revision"] == act.revision
    assert abs(action["at"] - datetime.now(UTC)) < timedelta(minutes=1)
    change = rows_of(store, schema.changes)[-1]
    assert (change["action_id"], change["table_name"]) == (action["id"], "individuals")
    assert (change["rows"], change["before"], change["after"]) == (
        [[1, 1]],
        {"name": "Luna"},
        {"name": "Lune"},
    )


def test_a_block_that_fails_leaves_nothing(store):
    before = [rows_of(store, table) for table in (schema.individuals, schema.actions, schema.about)]

    def fail():
        with acting(store, "rename", "…") as act:
            act.update(schema.individuals, [1], name="Lune")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    after = [rows_of(store, table) for table in (schema.individuals, schema.actions, schema.about)]
    assert after == before


def test_a_block_that_changes_nothing_leaves_no_trace(store):
    tables = (schema.actions, schema.changes, schema.about)
    before = [rows_of(store, table) for table in tables]
    with acting(store, "rename", "…") as act:
        assert act.update(schema.individuals, [1, 2], name=["Luna", "Sol"]) == []
        assert act.insert(schema.individuals, []) == []
        assert act.decide("same", []) == []
    assert [rows_of(store, table) for table in tables] == before
    assert act.done.action is None


@pytest.mark.parametrize("who", ["", " \n", "x" * 1000, "a\0b"])
def test_who_needs_a_name(store, who):
    with pytest.raises(ResightError, match="who does it"), acting(store, "x", "…", who):
        pass


def test_what_changes_is_stamped_for_the_caches(store):
    before = {row["id"]: row["changed"] for row in rows_of(store, schema.photos)}
    with acting(store, "x", "…") as act:
        act.update(schema.photos, [1, 3], side=["left", None])  # 3 has none before
    after = {row["id"]: row["changed"] for row in rows_of(store, schema.photos)}
    assert after == before | {1: act.revision}
    assert act.revision > max(before.values())


def test_photos_go_with_their_encounter_and_come_back(store):
    before = [rows_of(store, t) for t in (schema.encounters, schema.photos)]
    with acting(store, "x", "Monday was Sol's") as act:
        act.update(schema.encounters, [1], individual_id=2)
    photos = rows_of(store, schema.photos)
    assert [row["individual_id"] for row in photos] == [1, 2, 2]
    assert photos[1]["changed"] == act.revision
    undo(store)
    assert rows_of(store, schema.encounters) == before[0]
    assert without_stamps(rows_of(store, schema.photos)) == without_stamps(before[1])


def test_values_of_every_kind_are_put_back(store):
    moment = datetime(2025, 4, 3, 12, 30, tzinfo=UTC)
    first = [rows_of(store, t) for t in (schema.individuals, schema.encounters, schema.photos)]
    with acting(store, "x", "…") as act:
        act.update(schema.individuals, [1, 2], fields={"sex": "f"}, notes=["a", "b"])
        act.update(schema.encounters, [1], began_at=moment, latitude=48.4, place="Brest")
        act.update(schema.photos, [1, 2], taken_at=datetime(2025, 4, 3), quality=[0.1, None])
    then = [rows_of(store, t) for t in (schema.individuals, schema.encounters, schema.photos)]
    assert then[1][0]["began_at"] == moment
    undo(store)
    now = [rows_of(store, t) for t in (schema.individuals, schema.encounters, schema.photos)]
    assert [without_stamps(rows) for rows in now] == [without_stamps(rows) for rows in first]
    redo(store)
    now = [rows_of(store, t) for t in (schema.individuals, schema.encounters, schema.photos)]
    assert [without_stamps(rows) for rows in now] == [without_stamps(rows) for rows in then]


def test_decisions_keep_what_was_shown(store):
    shown = [{"individual": "Luna", "probability": 0.7}, {"individual": "Sol", "probability": 0.1}]
    with acting(store, "x", "…", "Anna") as act:
        one, two = act.decide(
            "same", [1, 3], [1, 2], shown=shown, probability=0.7, details=[None, {"was": "Sol"}]
        )
    decisions = rows_of(store, schema.decisions)[-2:]
    assert [row["id"] for row in decisions] == [one, two]
    assert [row["photo_id"] for row in decisions] == [1, 3]
    assert [row["individual_id"] for row in decisions] == [1, 2]
    assert all(row["shown"] == shown and row["probability"] == 0.7 for row in decisions)
    assert [row["details"] for row in decisions] == [None, {"was": "Sol"}]
    assert {row["action_id"] for row in decisions} == {act.id}


def test_an_action_that_only_says_something_can_be_taken_back(store):
    with acting(store, "confirm", "looked at it again") as act:
        act.decide("same", [1], 1)
    assert undo(store).summary == "took back: looked at it again"
    with pytest.raises(ResightError, match="taken back already"):
        undo(store, act.id)
    assert redo(store).summary == "did again: looked at it again"


def test_what_was_changed_behind_the_journal_is_not_overwritten(store):
    with acting(store, "rename", "renamed Luna to Lune") as act:
        act.update(schema.individuals, [1], name="Lune")
    with store.writing() as connection:
        connection.execute(
            sa.update(schema.individuals).values(name="Other").where(sa.text("id=1"))
        )
    with pytest.raises(ResightError, match="resight check"):
        undo(store, act.id)
    assert rows_of(store, schema.individuals)[0]["name"] == "Other"


def test_the_order_of_undo_and_redo_is_an_editor_s(store):
    for number, name in enumerate(("A", "B", "C"), 1):
        with acting(store, "rename", f"step {number}") as act:
            act.update(schema.individuals, [1], name=name)

    def name_now() -> str:
        return rows_of(store, schema.individuals)[0]["name"]

    undo(store)
    undo(store)
    assert name_now() == "A"
    redo(store)
    assert name_now() == "B"
    undo(store)
    assert name_now() == "A"
    redo(store)
    redo(store)
    assert name_now() == "C"
    with pytest.raises(ResightError, match="nothing to do again"):
        redo(store)
    undo(store)
    with acting(store, "rename", "something else") as act:
        act.update(schema.individuals, [2], name="D")
    with pytest.raises(ResightError, match="nothing to do again"):
        redo(store)
    undo(store)
    undo(store)
    assert name_now() == "A"
    assert rows_of(store, schema.individuals)[1]["name"] == "Sol"


def test_undo_of_an_undo_is_called_redo(store):
    with acting(store, "rename", "…") as act:
        act.update(schema.individuals, [1], name="Lune")
    back = undo(store, act.id)
    words = f"itself an undo of action {act.id}, which is taken back now; .*: resight redo"
    with pytest.raises(ResightError, match=words):
        undo(store, back.action)
    with pytest.raises(ResightError, match="no action 4711"):
        undo(store, 4711)
