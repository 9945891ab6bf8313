"""`kill -9` at random moments: what was acknowledged is there, nothing by halves, work goes on."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

import working_day
from resight.catalogue.check import check
from resight.catalogue.store import open_store


def killed(place: str, folder: Path, after: float) -> tuple[bool, int]:
    """Let a process work and kill it; whether that came in time, and what it acknowledged."""
    read, write = os.pipe()

    def go() -> None:
        working_day.work(
            place,
            folder,
            ready=lambda: os.write(write, b"go\n"),
            say=lambda step: os.write(write, b"%d\n" % step),
        )

    child = working_day.forked(go)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        assert said.readline() == b"go\n"
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        lines = said.read().split()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0, int(lines[-1]) if lines else 0


def kill_many_times(count: int, place: str, folder: Path, seed: int) -> dict[str, int]:
    """Kill so many workers on catalogues at `place`-0, …; gives what the kills fell upon."""
    states = working_day.states()
    rng = random.Random(seed)
    kills, days = 0, 0
    fell: dict[str, int] = {}
    while kills < count:
        book = place.replace("place", f"place-{days}")
        days += 1
        working_day.begin(book, folder)
        before = 0
        while True:
            in_time, acknowledged = killed(book, folder, rng.uniform(0.005, 0.25))
            store = open_store(book)
            found = working_day.state(store)
            at = int(found["steps"][0])
            assert max(acknowledged, before) <= at <= max(acknowledged, before) + 1
            assert found == states[at]
            assert check(store, files=False).findings == ()
            store.close()
            before = at
            if not in_time or kills == count:
                break
            kills += 1
            step = "the end" if at == len(states) - 1 else str(at % working_day.STEPS)
            fell[step] = fell.get(step, 0) + 1
        working_day.work(book, folder, say=lambda step: None)  # the rest, unharmed
        store = open_store(book)
        assert working_day.state(store) == states[-1]
        assert check(store, files=False).findings == ()
        store.close()
    return fell


def test_killed_at_any_moment_on_sqlite(tmp_path):
    kill_many_times(20, str(tmp_path / "place.db"), tmp_path / "in", seed=1)


def test_killed_at_any_moment_on_postgresql(postgres, tmp_path):
    kill_many_times(6, f"{postgres}_place", tmp_path / "in", seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_fifty_times_on_sqlite(tmp_path, seed):
    fell = kill_many_times(50, str(tmp_path / "place.db"), tmp_path / "in", 100 + seed)
    print("kills by the step they fell upon:", dict(sorted(fell.items())))
    assert len(fell) > 5


@pytest.mark.slow
def test_killed_fifty_times_on_postgresql(postgres, tmp_path):
    kill_many_times(50, f"{postgres}_place", tmp_path / "in", seed=3)
