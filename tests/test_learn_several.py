"""Several processes train as one does with the whole batch."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import several
from learning import made_up_photos, one_thread, write_photos  # noqa: F401
from resight.fingerprint import Fingerprinter, load_model
from resight.learn.data import share_of

TESTS = Path(__file__).parent
pytest.importorskip("accelerate", reason="needs accelerate (the train extra)")


def free_port() -> str:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return str(place.getsockname()[1])


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes saw, over gloo."""
    folder = tmp_path_factory.mktemp("several")
    port = free_port()
    running = []
    for rank in range(2):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        more = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
        env = {
            **os.environ,
            **{k: str(v) for k, v in place.items()},
            **more,
            "OMP_NUM_THREADS": "1",
        }
        words = [sys.executable, "-W", "ignore", TESTS / "several.py", folder / f"{rank}.pt"]
        running.append(subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True))
    for one in running:
        _, told = one.communicate(timeout=1500)
        assert one.returncode == 0, told
    seen = [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(2)]
    return [{**one, "folder": folder} for one in seen]


LOSS = re.compile(r"epoch (\d) of 8: train loss ([\d.]+), valid loss ([\d.]+)")


def trained(words: list[str], photos: Path, out: Path, seed: int = 0) -> np.ndarray:
    """Losses in training and validation, epoch by epoch, of `resight train` in its own process."""
    env = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "MASTER_ADDR")}
    env |= {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "ACCELERATE_USE_CPU": "true"}
    options = ["--epochs", "8", "--loss", "supcon", "--seed", str(seed)]
    command = [sys.executable, *words, "-m", "resight.cli", "train", photos, "--out", out, *options]
    ran = subprocess.run(command, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("Wrote") == 1, ran.stdout
    told = LOSS.findall(ran.stderr)
    assert [int(epoch) for epoch, *_ in told] == list(range(1, 9)), ran.stderr
    return np.array([losses for _, *losses in told], float)


@pytest.mark.slow
def test_a_launched_training_goes_as_one_process_does(tmp_path: Path) -> None:
    """Each process draws its own augmentation, so they differ as two seeds do."""
    photos = made_up_photos(8, 12, size=(24, 24), channels=3, noise=60)
    write_photos(tmp_path / "photos", photos)
    # (--cpu would begin a single process, where there is no MPI.)
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--main_process_port", free_port()]
    alone = trained([], tmp_path / "photos", tmp_path / "alone.onnx")
    two = trained(launch, tmp_path / "photos", tmp_path / "two.onnx")
    other = trained([], tmp_path / "photos", tmp_path / "other.onnx", seed=1)
    assert (alone[-1] < alone[0]).all()
    noise = np.abs(alone - other)[:, 0].max()
    assert np.abs(alone - two)[:, 0].max() < max(3 * noise, 0.1), (alone, two, other)
    sizes = [
        load_model(tmp_path / name).card.training["photos"] for name in ("alone.onnx", "two.onnx")
    ]
    assert sizes[0] == sizes[1]
    assert not list(tmp_path.glob("*.state*"))
    found = Fingerprinter(tmp_path / "two.onnx")(sorted((tmp_path / "photos").rglob("*.png")))
    who = np.repeat(np.arange(8), 12)
    alike_photos = found.vectors @ found.vectors.T - 2 * np.eye(len(who))
    assert (who[alike_photos.argmax(1)] == who).mean() > 0.9


def alike(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """To 1e-5, of the largest number where that is above 1, as with ArcFace's short centres."""
    scale = max(1.0, float(wanted.abs().max()))
    return float((found.double() - wanted.double()).abs().max()) <= 1e-5 * scale


@pytest.mark.parametrize("name", several.LOSSES)
def test_steps_are_those_of_one_process(
    name: str, of_two: list[dict[str, Any]], tmp_path: Path
) -> None:
    alone = several.steps(name, tmp_path)
    assert len(alone["steps"]) >= 3
    assert any(float(step["loss"]) > 0.01 for step in alone["steps"])
    # Each part's largest gradient is far above the 1e-5, or two zeros would be compared.
    for what in alone["steps"][0].keys() - {"loss"}:
        assert max(float(step[what].abs().max()) for step in alone["steps"]) > 1e-3, (name, what)
    # Each process has some of the individuals, and both together are the one process's batch.
    for whole, *parts in zip(alone["shown"], *(one[name]["shown"] for one in of_two), strict=True):
        assert [who for part in parts for who in part] == whole
        first, second = map(set, parts)
        assert first
        assert second
        assert not first & second
    for one in of_two:
        seen = one[name]
        assert len(seen["steps"]) == len(alone["steps"])
        for step, wanted in zip(seen["steps"], alone["steps"], strict=True):
            assert step.keys() == wanted.keys()
            for what, value in wanted.items():
                assert alike(step[what], value), (name, what)
        assert seen["kinds"] == alone["kinds"], "the network is what it was"
        for what, value in alone["state"].items():
            assert alike(seen["state"][what], value), (name, what)
        assert seen["figures"].keys() == alone["figures"].keys()
        for what, value in alone["figures"].items():
            assert seen["figures"][what] == pytest.approx(value, abs=1e-5), (name, what)


def test_a_training_goes_on_with_as_many_processes_or_one(
    of_two: list[dict[str, Any]], tmp_path: Path
) -> None:
    for one in of_two:
        assert one["again"]["steps"] == [], "its only epoch is done"
        for what, value in one["arcface"]["state"].items():
            assert torch.equal(one["again"]["state"][what], value), what
    shutil.copy(of_two[0]["folder"] / "arcface.state", tmp_path)
    taken_up = several.steps("arcface", tmp_path)
    assert taken_up["steps"] == []
    for what, value in of_two[0]["arcface"]["state"].items():
        assert torch.equal(taken_up["state"][what], value), what


@given(
    handfuls=st.integers(0, 20),
    handful=st.integers(1, 5),
    processes=st.integers(1, 8),
    data=st.data(),
)
def test_shares_are_the_batch(
    handfuls: int, handful: int, processes: int, data: st.DataObject
) -> None:
    lacking = data.draw(st.integers(0, min(handful - 1, handfuls)))
    batch = list(range(max(0, handfuls * handful - lacking)))
    parts = [share_of(batch, rank, processes, handful=handful) for rank in range(processes)]
    assert [at for part in parts for at in part] == batch
    sizes = [-(-len(part) // handful) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert all(part[0] % handful == 0 for part in parts if part)
