"""Several at once, and one that is killed: what was acknowledged is there, nothing by halves."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalogues import write_files
from resight.catalogue import Catalogue

# Enrols files in calls of some each, and says so after each. Arguments: catalogue, model, folder,
# word, size of a call.
ENROLLER = """
import sys
from pathlib import Path
from resight.catalogue import Catalogue
from catalogues import unit_vectors
place, model, folder, word, size = sys.argv[1:]
size = int(size)
paths = sorted(Path(folder).glob(f"{word}-*"))
with Catalogue.open(place, model=model, create=True) as catalogue:
    print("open", flush=True)
    sys.stdin.readline()
    for start in range(0, len(paths), size):
        some = paths[start : start + size]
        catalogue.enrol(f"{word}{start}", some, vectors=unit_vectors(len(some), seed=start))
        print(start + len(some), flush=True)
"""


def enroller(place: Path, model: Path, folder: Path, word: str, size: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ENROLLER, str(place), str(model), str(folder), word, str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )


def sound(place: Path) -> int:
    """Check the file through and through; how many photos it has."""
    with sqlite3.connect(place) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = {
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("photos", "fingerprints", "decisions")
        }
    connection.close()
    assert len(counts) == 1
    return counts.pop()


def test_all_that_several_programs_write_is_there_once(tmp_path, tiny_model):
    """They make the catalogue together, too; some photos are of both."""
    place, folder = tmp_path / "c.db", tmp_path / "in"
    for word in ("a", "b"):
        write_files(folder, 50, word=word)
    programs = [
        enroller(place, tiny_model, folder, word, size)
        for word, size in (("a", 1), ("b", 1), ("a", 1))
    ]
    for program in programs:
        assert program.stdout.readline() == "open\n"
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        out, err = program.communicate(timeout=60)
        assert (program.returncode, err) == (0, "")
        assert len(out.splitlines()) == 50
    assert sound(place) == 100
    with Catalogue.open(place) as catalogue:
        assert {who.photos for who in catalogue.individuals()} == {1}
        assert len(catalogue.individuals()) == 100


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_leaves_whole_calls_and_the_next_goes_on(tmp_path, tiny_model, seed):
    place, folder, size = tmp_path / "c.db", tmp_path / "in", 40
    write_files(folder, 800, word="a")
    program = enroller(place, tiny_model, folder, "a", size)
    assert program.stdout.readline() == "open\n"
    program.stdin.write("go\n")
    program.stdin.flush()
    time.sleep(random.Random(seed).uniform(0.005, 0.25))
    program.send_signal(signal.SIGKILL)
    out, _ = program.communicate(timeout=60)
    acknowledged = int(out.split()[-1]) if out.split() else 0
    found = sound(place)
    assert found % size == 0
    assert acknowledged <= found <= acknowledged + size
    again = enroller(place, tiny_model, folder, "a", size)
    out, err = again.communicate("go\n", timeout=60)
    assert (again.returncode, err) == (0, "")
    assert sound(place) == 800


def test_many_make_the_same_catalogue_at_once(tmp_path, tiny_model):
    folder = tmp_path / "in"
    write_files(folder, 1, word="a")
    programs = [enroller(tmp_path / "c.db", tiny_model, folder, "a", 1) for _ in range(4)]
    for program in programs:
        _, err = program.communicate("go\n", timeout=60)
        assert (program.returncode, err) == (0, "")
    assert sound(tmp_path / "c.db") == 1
