"""Taking back what people said of photos, and the history that tells of it."""

import pytest
import sqlalchemy as sa

from catalogues import come_in, refusal, unit_vectors, whose
from resight.catalogue import Catalogue
from resight.errors import ResightError
from resight.photos.photo import Photo


def test_undo_is_refused_when_it_would_bring_together_what_is_not_the_same(book, files):
    come_in(book, [Photo(files[0], "Luna"), Photo(files[1], "Luna")])
    split = book.split("Luna", files[1], new="Sol")
    no = book.not_same(files[0], files[1])
    assert f"--action {no.action}" in refusal(lambda: book.undo(split.action))
    assert set(whose(book)) == {"Luna", "Sol"}


def test_undo_leaves_no_later_photo_with_nobody(book, files):
    vectors = unit_vectors(6)
    first = book.enrol("Luna", files[0], vectors=vectors[:1], encounter="Monday")
    later = book.enrol("Luna", files[1], vectors=vectors[1:2], encounter="Monday")
    assert f"--action {later.action}" in refusal(lambda: book.undo(first.action))
    book.undo()
    book.undo()
    assert whose(book) == {}
    with pytest.raises(ResightError, match="nothing to take back"):
        book.undo()
    # What comes back is the same photo, with the fingerprint that it had.
    again = book.enrol("Sol", files[:2], vectors=vectors[:2])
    assert (again.added, again.already) == (2, 0)
    assert whose(book) == {"Sol": [("0", None), ("1", None)]}
    assert len(book.vectors()[0]) == 2


def test_undo_is_refused_when_the_name_is_somebody_else_s_by_now(book, files):
    come_in(book, [Photo(files[0], "Luna"), Photo(files[1], "Sol")])
    renamed = book.rename("Luna", "Lune")
    other = book.rename("Sol", "Luna")
    assert f"--action {other.action}" in refusal(lambda: book.undo(renamed.action))


def test_undo_takes_no_photos_along_that_came_later(book, files):
    come_in(book, [Photo(files[0], encounter="Monday")])
    named = book.name(files[0], "Luna")
    later = book.enrol("Luna", files[1], vectors=unit_vectors(1), encounter="Monday")
    assert f"--action {later.action}" in refusal(lambda: book.undo(named.action))
    assert whose(book) == {"Luna": [("0", "Monday"), ("1", "Monday")]}


def test_history_tells_who_said_what_of_a_photo(book, files):
    come_in(book, [Photo(files[0], "Luna"), Photo(files[1], "Sol")])
    book.move(files[0], "Sol", who="Anna", shown=["Sol", "Luna"], probability=0.7)
    book.describe_photos(files[0], side="left", who="Ben")
    book.undo(who="Chris")
    book.merge("Sol", into="Luna", who="Dora")
    events = book.history(photo=files[0])
    told = [(event.who, event.verb, event.undone) for event in events[1:]]
    assert told == [
        ("Anna", "move", False),
        ("Ben", "describe", True),
        ("Chris", "undo", False),
        ("Dora", "merge", False),
    ]
    (said,) = events[1].said
    assert (said.what, said.details) == ("same", {"was": "Luna"})
    assert (said.probability, said.shown) == (0.7, ["Sol", "Luna"])
    assert [one.what for one in book.decisions(files[0])] == ["enrol", "same", "merge"]
    assert "describe" not in {event.verb for event in book.history(photo=files[1])}
    assert "not in" in refusal(lambda: book.history(photo=files[5]))
    assert "Give one" in refusal(lambda: book.history(photo=files[0], individual="Luna"))


def test_the_history_of_an_individual_has_what_was_taken_from_it(book, files):
    come_in(book, [Photo(path, "Luna") for path in files[:4]])
    come_in(book, [Photo(files[4], "Sol")])
    done = [
        book.move(files[0], "Sol").action,
        book.split("Luna", files[1], new="Mars").action,
        book.move(files[2], None).action,
    ]
    of_luna = [event.action for event in book.history(individual="Luna")]
    assert of_luna[-3:] == done
    assert done[2] not in [event.action for event in book.history(individual="Sol")]


def test_no_undo_gives_a_photo_to_somebody_who_was_let_go_of(book, files):
    vectors = unit_vectors(6)
    book.enrol("Luna", files[0], vectors=vectors[:1])
    book.enrol("Milo", files[1], vectors=vectors[1:2])
    moved = book.move(files[1], "Luna").action
    book.forget("Milo")
    assert "would be nobody's" in refusal(lambda: book.undo(moved))
    book.undo()  # Milo is back
    book.undo(moved)
    assert len(whose(book)["Milo"]) == 1


def test_an_undo_looks_at_what_it_changes_not_at_all_photos(tmp_path, tiny_model, files):
    with Catalogue.open(tmp_path / "plan.db", model=tiny_model, create=True) as book:
        book.enrol("Luna", files, vectors=unit_vectors(6))
        book.rename("Luna", "Lune")
        book.split("Lune", files[0], new="Milo")
        asked: list[tuple[str, object]] = []

        def note(connection, cursor, statement, parameters, context, many):
            if statement.startswith("SELECT"):
                asked.append((statement, parameters))

        engine = book._store.engine
        sa.event.listen(engine, "before_cursor_execute", note)
        book.undo()
        sa.event.remove(engine, "before_cursor_execute", note)
        with engine.connect() as connection:
            plans = [
                row[-1]
                for statement, parameters in asked
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
        assert any("photos" in plan for plan in plans)
        scans = [plan for plan in plans if plan.startswith("SCAN")]
        for table in ("photos", "encounters", "individuals"):
            assert f"SCAN {table}" not in scans
