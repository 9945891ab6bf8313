"""On Ray: the same table as without it, whoever of its workers dies on the way."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import resight
from resight.fingerprint.cluster import LOCAL, _connected, on_ray
from resight.fingerprint.fill import fill_table
from resight.fingerprint.folder import Folder, listed
from resight.fingerprint.model import load_model
from resight.fingerprint.table import read_held
from test_fingerprint_table import check, paint

# Ray takes a while to start; what it is given to do is in test_fingerprint_table.py.
pytestmark = pytest.mark.slow
pytest.importorskip("ray", reason="needs Ray (the ray extra)")
pytest.importorskip("models", reason="needs the onnx package (the train extra)")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray of our own for all tests here, as --ray local starts it."""
    with _connected(LOCAL) as connected:
        yield connected


def test_a_worker_killed_on_the_way_costs_nothing(
    ray: Any, tiny_rgb_model: Path, tmp_path: Path
) -> None:
    photos = sorted(paint(tmp_path / "photos", 40))
    photos[3].write_bytes(photos[3].read_bytes()[:200])
    out = str(tmp_path / "t.parquet")
    held = read_held(Folder(out), load_model(tiny_rgb_model).id)
    blocks = (([one.path], [one.version]) for one in listed([str(tmp_path / "photos")]))
    workers: list[int] = []
    for done in on_ray(LOCAL, tiny_rgb_model, held, blocks, workers=2, block=1):
        if not workers:
            os.kill(done.worker, signal.SIGKILL)
        workers.append(done.worker)
    assert len(workers) == 40
    assert len(set(workers)) >= 3, "another took the place of the one that died"
    check(out, tiny_rgb_model, photos)
    assert len(read_held(Folder(out)).parts) == 40

    ran = resight("fingerprint", tiny_rgb_model, tmp_path / "photos", "--out", out, "--ray", LOCAL)
    assert ran.code == 0, ran.err
    assert "39 fingerprints; 0 photos read in this run" in ran.out
    more = paint(tmp_path / "photos", 10, seed=1)
    filled = fill_table(tiny_rgb_model, [str(tmp_path / "photos")], out, ray=LOCAL, workers=1)
    assert (filled.photos, filled.held.fingerprints) == (10, 49)
    check(out, tiny_rgb_model, photos + more)


def test_what_cannot_be_reached_is_said_in_one_line(
    ray: Any, tiny_rgb_model: Path, tmp_path: Path
) -> None:
    blocker = tmp_path / "t.parquet"
    paint(tmp_path / "photos", 2)
    held = read_held(Folder(str(blocker)))
    blocker.write_text("in the way")
    blocks = (([one.path], [one.version]) for one in listed([str(tmp_path / "photos")]))
    with pytest.raises(Exception, match="Ray at local: ") as told:
        list(on_ray(LOCAL, tiny_rgb_model, held, blocks, workers=1, block=1))
    assert type(told.value).__name__ == "ResightError"
    assert "\n" not in str(told.value)
