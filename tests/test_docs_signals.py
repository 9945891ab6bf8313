"""What docs/signals.md shows in Python runs as it stands, one block after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resight.errors import UnreadablePhoto
from resight.photos import find_photos, photos_by_individual, read_image, readers
from resight.photos.examine import examine

PAGE = Path(__file__).resolve().parents[1] / "docs" / "signals.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(autouse=True)
def no_readers_afterwards() -> Iterator[None]:
    before = dict(readers._READERS)
    yield
    readers._READERS.clear()
    readers._READERS.update(before)


@pytest.fixture
def traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in: gaits of five animals, each with its own step and swing."""
    for number in range(5):
        rng = np.random.default_rng(number)
        step, share, phase = 1.0 + 0.35 * number, rng.uniform(0.2, 1, (3, 5)), rng.random((3, 5))
        folder = tmp_path / "traces" / f"Cow {number}"
        folder.mkdir(parents=True)
        for walk in range(8):
            time = np.arange(512) / 50 + rng.random()
            pace = step * np.exp(rng.normal(0, 0.03))
            tones = np.arange(1, 6)[:, None] * pace * time
            swing = [(s[:, None] * np.sin(2 * np.pi * (tones + p[:, None]))).sum(0)
                     for s, p in zip(share, phase, strict=True)]  # fmt: skip
            trace = np.stack(swing, 1) * rng.uniform(0.5, 2) + rng.normal(0, 0.2, (512, 3))
            np.savetxt(folder / f"walk-{walk}.acc", trace, delimiter=",", fmt="%.4f")
    for name in ("note-1.txt", "note-2.txt"):
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_runs(traces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("fastai", reason="needs the train extra")
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        shared: dict[str, Any] = {}
        for block in BLOCKS:
            exec(block, shared)
    finally:
        torch.set_num_threads(before)
    assert len(BLOCKS) == 5
    assert (traces / "gait.onnx").is_file()
    assert shared["learn"].figures["R@1"] > 0.3  # the network of one's own, after two passes
    told = [line for line in capsys.readouterr().out.splitlines() if line]
    recall = next(line for line in told if re.fullmatch(r"[01]\.\d+", line))
    answer, newcomer = told[-2:]
    assert float(recall) >= 0.8
    assert answer.startswith("Cow 0 ")
    assert newcomer == "Newcomer"


def test_a_reader_reads_and_what_it_refuses_costs_a_line(tmp_path: Path) -> None:
    exec(BLOCKS[0], {})
    folder = tmp_path / "Luna"
    folder.mkdir()
    np.savetxt(folder / "good.acc", np.random.default_rng(0).normal(size=(300, 3)), delimiter=",")
    broken = {
        "empty": b"",
        "short": b"1,2,3\n",
        "words": b"a,b,c\n" * 200,
        "nan": b"nan,1,2\n" * 200,
        "binary": b"\xff\0\x01" * 99,
    }
    for name, content in broken.items():
        (folder / f"{name}.acc").write_bytes(content)
    photos = photos_by_individual(tmp_path)
    assert len(photos) == len(find_photos(tmp_path)) == 6
    found = examine(photos)
    assert {Path(one.where).stem for one in found.problems} == broken.keys()
    assert all("\n" not in one.what for one in found.problems)
    pixels = read_image(folder / "good.acc", channels=1)
    assert pixels.shape == (48, 40, 1)
    assert read_image(folder / "good.acc", channels=3, box=(0, 0, 10, 16)).shape == (16, 10, 3)
    with pytest.raises(UnreadablePhoto, match="no such file"):
        read_image(folder / "gone.acc", channels=1)
    readers.register_reader(".acc", lambda path: np.zeros((4, 4), np.float64))
    with pytest.raises(UnreadablePhoto, match="uint8"):
        read_image(folder / "good.acc", channels=1)


def test_what_is_read_already_keeps_its_reader() -> None:
    for suffix in (".png", ".WAV", "acc", ".", ""):
        with pytest.raises(ValueError, match="suffix"):
            readers.register_reader(suffix, lambda path: np.zeros((4, 4), np.uint8))
