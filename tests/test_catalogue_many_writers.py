"""Eight at once on one catalogue: all that they write is there once, and nobody hears of a lock."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import working_day
from catalogues import unit_vectors, write_files
from resight.catalogue import Catalogue
from resight.catalogue.check import check
from resight.catalogue.store import open_store

WRITERS = 8


def all_at_once(actions: list[Callable[[], None]]) -> None:
    """Each in a process of its own, begun at the same moment; all must come to their end."""
    start = time.monotonic() + 0.2

    def waiting(action: Callable[[], None]) -> Callable[[], None]:
        def go() -> None:
            time.sleep(max(0.0, start - time.monotonic()))
            action()

        return go

    children = [working_day.forked(waiting(action)) for action in actions]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


def test_all_that_eight_write_is_there_once(place, tmp_path, tiny_model):
    """They make the catalogue together, too; a third of the photos is everybody's."""
    calls, size = 8, 3
    shared = write_files(tmp_path / "in", calls, word="shared")
    own = [write_files(tmp_path / "in", calls * 2, word=f"own{who}") for who in range(WRITERS)]

    def writer(who: int) -> Callable[[], None]:
        def enrol() -> None:
            with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
                for call in range(calls):
                    photos = [shared[call], *own[who][2 * call : 2 * call + 2]]
                    named = catalogue.enrol("everybody's", photos[:1], vectors=unit_vectors(1))
                    assert named.added + named.already == 1
                    catalogue.enrol(
                        f"of {who}", photos[1:], vectors=unit_vectors(size - 1, seed=who + call)
                    )

        return enrol

    all_at_once([writer(who) for who in range(WRITERS)])
    with Catalogue.open(place) as catalogue:
        counts = {who.name: who.photos for who in catalogue.individuals()}
        assert counts == {
            "everybody's": calls,
            **{f"of {who}": 2 * calls for who in range(WRITERS)},
        }
        done = catalogue.check()
    assert done.findings == ()
    photos = calls + WRITERS * calls * 2
    assert done.counts["photos"] == done.counts["fingerprints"] == photos
    # An action for each call that brought something: of the shared ones, one of eight.
    assert done.counts["actions"] == calls + WRITERS * calls


def test_eight_who_edit_the_same_and_take_it_back(place, tmp_path, tiny_model):
    """Renaming, moving to and fro, undoing: each is whole, whatever comes between."""
    photos = write_files(tmp_path / "in", 16)
    with Catalogue.open(place, model=tiny_model, create=True) as catalogue:
        for who in range(WRITERS):
            catalogue.enrol(
                f"{who}", photos[2 * who : 2 * who + 2], vectors=unit_vectors(2, seed=who)
            )

    def editor(who: int) -> Callable[[], None]:
        def edit() -> None:
            with Catalogue.open(place) as catalogue:
                for turn in range(4):
                    done = catalogue.move(photos[2 * who : 2 * who + 1], f"{(who + 1) % WRITERS}")
                    catalogue.undo(done.action)
                    catalogue.describe(f"{who}", notes=f"{turn}")

        return edit

    all_at_once([editor(who) for who in range(WRITERS)])
    with Catalogue.open(place) as catalogue:
        assert [(who.name, who.photos) for who in catalogue.individuals()] == [
            (f"{who}", 2) for who in range(WRITERS)
        ]
        assert len(catalogue.history()) == WRITERS + WRITERS * 4 * 3
        assert catalogue.check().findings == ()


def test_eight_who_fingerprint_again_make_each_once(place, tmp_path):
    from resight.catalogue import refingerprint as room

    working_day.begin(place, tmp_path / "in")
    working_day.work(place, tmp_path / "in", say=lambda step: None, rounds=1)
    model = working_day.model(7)

    def again() -> None:
        store = open_store(place)
        room.refingerprint(store, model, working_day.look(7))
        store.close()

    all_at_once([again] * WRITERS)
    store = open_store(place)
    found = check(store, files=False)
    assert found.findings == ()
    # Of the first model seven and two photos, of the second and this one all nine.
    assert found.counts["fingerprints"] == 3 * found.counts["photos"]
    assert [row for row in working_day.state(store)["actions"] if model.id in row] == [
        repr(("refingerprint", f"changed the model to {model.id}"))
    ]
    store.close()


def test_who_comes_first_makes_the_catalogue(place, tmp_path, tiny_model):
    def make() -> None:
        Catalogue.open(place, model=tiny_model, create=True).close()

    all_at_once([make] * WRITERS)
    with Catalogue.open(Path(place) if "://" not in place else place) as catalogue:
        assert catalogue.individuals() == []
        assert catalogue.check().findings == ()
