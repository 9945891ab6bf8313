"""A table of fingerprints: the local way's vectors, gone on with, one row for a broken file."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from command_line import resight
from resight.errors import ResightError, UnusablePhotos
from resight.fingerprint import Fingerprinter
from resight.fingerprint import block as blocks
from resight.fingerprint.careful import KILLS, CarefulWorker
from resight.fingerprint.fill import fill_table
from resight.fingerprint.folder import Folder, listed
from resight.fingerprint.table import read_held
from resight.photos.content import content_hash

models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")


def paint(folder: Path, count: int, *, seed: int = 0, side: int = 60) -> list[Path]:
    """Made pictures, in two folders."""
    rng = np.random.default_rng(seed)
    paths = []
    for i in range(count):
        path = folder / ("even" if i % 2 == 0 else "odd") / f"{seed}-{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
        paths.append(path)
    return paths


def rows_of(table: str | Path) -> dict[str, dict[str, object]]:
    """Its rows by their paths, each once."""
    place = str(table).removeprefix("file://")
    rows = pq.read_table(place).to_pylist()
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row for row in rows}


def check(table: str | Path, model: Path, photos: list[Path], *, url: bool = False) -> None:
    """Hold a table to what `Fingerprinter` gives for each photo."""
    found = Fingerprinter(model)(photos)
    rows = rows_of(table)
    assert rows.keys() == {f"file://{path}" if url else str(path) for path in photos}
    fine = dict(zip(found.index.tolist(), found.vectors, strict=True))
    for place, path in enumerate(photos):
        row = rows[f"file://{path}" if url else str(path)]
        assert row["content"] == content_hash(path)
        if place in fine:
            assert row["error"] is None
            assert np.allclose(row["vector"], fine[place], atol=1e-6)
        else:
            assert row["vector"] is None
            assert row["error"]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Thirty, two of them broken, two of them with the same bytes."""
    found = paint(tmp_path / "photos", 30)
    found[4].write_bytes(found[4].read_bytes()[:200])
    found[11].write_text("no picture")
    shutil.copy(found[7], found[20])
    return sorted(found)


@pytest.mark.parametrize("url", [False, True])
def test_rows_are_the_local_fingerprints(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path, url: bool
) -> None:
    begin = "file://" if url else ""
    out = f"{begin}{tmp_path}/out.parquet"
    filled = fill_table(tiny_rgb_model, [f"{begin}{tmp_path}/photos"], out, block=8)
    assert filled.photos == 30
    assert (filled.held.fingerprints, filled.held.unreadable) == (28, 2)
    assert len(filled.held.parts) == 4
    check(out, tiny_rgb_model, photos, url=url)
    names = {path.name for path in (tmp_path / "out.parquet").iterdir()}
    assert names == set(filled.held.parts)
    again = fill_table(tiny_rgb_model, [f"{begin}{tmp_path}/photos"], out, block=8)
    assert (again.photos, again.held.fingerprints) == (0, 28)
    assert {path.name for path in (tmp_path / "out.parquet").iterdir()} == names


def test_the_same_bytes_are_read_once(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path
) -> None:
    filled = fill_table(tiny_rgb_model, [str(tmp_path / "photos")], str(tmp_path / "t.parquet"))
    assert (filled.photos, filled.known) == (30, 1)
    check(tmp_path / "t.parquet", tiny_rgb_model, photos)


def test_a_stopped_run_goes_on(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = blocks.content_hash

    def counting(path: str) -> str:
        if len(read) == 18:
            raise KeyboardInterrupt
        read.append(path)
        return real(path)

    out = str(tmp_path / "out.parquet")
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "content_hash", counting)
        with pytest.raises(KeyboardInterrupt):
            fill_table(tiny_rgb_model, [str(tmp_path / "photos")], out, block=8, threads=1)
    held = read_held(Folder(out))
    assert held.fingerprints + held.unreadable == 16
    filled = fill_table(tiny_rgb_model, [str(tmp_path / "photos")], out, block=8)
    assert filled.photos == 14
    check(out, tiny_rgb_model, photos)


def test_what_changed_is_done_again_and_what_moved_is_known(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = str(tmp_path / "photos"), str(tmp_path / "out.parquet")
    fill_table(tiny_rgb_model, [folder], out, block=8)
    changed, touched, moved = photos[0], photos[1], photos[2]
    Image.new("RGB", (50, 50), "red").save(changed)
    os.utime(touched, (1, 1))
    new = moved.with_name("moved.png")
    moved.rename(new)
    asked: list[str] = []
    real = Fingerprinter.__call__

    def watching(self: Fingerprinter, given, **more):  # type: ignore[no-untyped-def]
        asked.extend(given := list(given))
        return real(self, given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Fingerprinter, "__call__", watching)
        filled = fill_table(tiny_rgb_model, [folder], out, block=8)
    assert asked == [str(changed)]
    assert (filled.photos, filled.known) == (3, 2)
    gone = rows_of(out).pop(str(moved))  # a photo that is away keeps its row
    now = rows_of(out)
    assert now[str(new)]["vector"] == gone["vector"]
    assert now[str(new)]["content"] == gone["content"]
    assert len(now) == 31
    assert np.allclose(
        now[str(changed)]["vector"], Fingerprinter(tiny_rgb_model)(changed).vectors[0], atol=1e-6
    )
    assert not read_held(Folder(out)).stale
    assert fill_table(tiny_rgb_model, [folder, folder], out).photos == 0


def test_a_kill_between_two_runs_leaves_no_row_twice(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = str(tmp_path / "photos"), str(tmp_path / "out.parquet")
    fill_table(tiny_rgb_model, [folder, folder], out, block=8)  # asked for twice
    check(out, tiny_rgb_model, photos)
    for path in photos[:9]:
        Image.new("RGB", (50, 50), "red").save(path)
    with monkeypatch.context() as patch:
        patch.setattr("resight.fingerprint.fill.tidy", lambda held: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fill_table(tiny_rgb_model, [folder], out, block=8)
    held = read_held(Folder(out))
    assert held.stale
    assert held.fingerprints + held.unreadable == 30
    assert fill_table(tiny_rgb_model, [folder], out).photos == 0
    check(out, tiny_rgb_model, photos)


def test_a_file_that_cannot_be_had_is_tried_again(tiny_rgb_model: Path, tmp_path: Path) -> None:
    (path,) = paint(tmp_path / "photos", 1)
    worker = blocks.BlockWorker(
        Fingerprinter(tiny_rgb_model), read_held(Folder(str(tmp_path / "t.parquet"))), 1
    )
    there = next(listed([str(path)]))
    path.rename(path.with_suffix(".away"))
    worker([there.path], [there.version])
    held = read_held(worker.held.folder)
    assert (held.unreadable, held.fingerprints) == (1, 0)
    assert held.errors == ((str(path), "no such file"),)
    path.with_suffix(".away").rename(path)
    filled = fill_table(tiny_rgb_model, [str(path)], str(tmp_path / "t.parquet"))
    assert (filled.held.unreadable, filled.held.fingerprints) == (0, 1)


def test_photos_that_kill_who_reads_them_cost_a_row_each(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Folder(str(tmp_path / "t.parquet"))
    killers = {str(photos[2]), str(photos[9])}
    real, died = Fingerprinter.__call__, []

    def dying(self: Fingerprinter, given, **more):  # type: ignore[no-untyped-def]
        if killers & set(given := list(given)):
            died.append(given)
            raise SystemExit  # as far as the next worker can see
        return real(self, given, **more)

    worker = CarefulWorker(Fingerprinter(tiny_rgb_model), read_held(out), 1)
    listing = list(listed([str(tmp_path / "photos")]))
    block = [one.path for one in listing], [one.version for one in listing]
    with monkeypatch.context() as patch:
        patch.setattr(Fingerprinter, "__call__", dying)
        for _ in range(4):
            with pytest.raises(SystemExit):
                worker(*block)
        assert [len(given) for given in died] == [29, 29, 1, 1]
        worker(*block)
    rows = rows_of(out.place)
    assert len(rows) == 30
    assert {path for path, row in rows.items() if row["error"] == KILLS} == killers
    assert [path.name for path in (tmp_path / "t.parquet").iterdir()] == list(read_held(out).parts)
    assert all(rows[path]["content"] == content_hash(path) for path in killers)
    assert fill_table(tiny_rgb_model, [str(tmp_path / "photos")], out.place).photos == 0


def test_names_that_are_no_text_cost_a_row(tiny_rgb_model: Path, tmp_path: Path) -> None:
    (path,) = paint(tmp_path / "photos", 1)
    try:
        shutil.copy(path, os.fsencode(path.parent) + b"/\xff.png")
    except OSError:
        pytest.skip("this disk takes no such names")
    filled = fill_table(tiny_rgb_model, [str(tmp_path / "photos")], str(tmp_path / "t.parquet"))
    assert (filled.held.unreadable, filled.held.fingerprints) == (1, 1)
    assert "not Unicode" in filled.held.errors[0][1]


def test_other_models_and_foreign_files_are_refused(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path
) -> None:
    folder, out = str(tmp_path / "photos"), tmp_path / "out.parquet"
    fill_table(tiny_rgb_model, [folder], str(out))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    other = models.make_model(tmp_path / "other.onnx", size=(48, 64), channels=3, dim=16, seed=2)
    with pytest.raises(ResightError, match="another model"):
        fill_table(other, [folder], str(out))
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ResightError, match=r"notes\.txt"):
        fill_table(tiny_rgb_model, [folder], str(out))
    (out / "notes.txt").unlink()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    part = out / min(before)
    part.write_bytes(part.read_bytes()[:-100])
    with pytest.raises(ResightError, match=part.name):
        fill_table(tiny_rgb_model, [folder], str(out))
    with pytest.raises(ResightError, match="no such file or folder"):
        fill_table(tiny_rgb_model, [str(tmp_path / "none")], str(tmp_path / "t.parquet"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnusablePhotos, match="no photos there"):
        fill_table(tiny_rgb_model, [f"file://{tmp_path}/empty"], str(tmp_path / "t.parquet"))
    with pytest.raises(ResightError, match="nowhere://x: cannot be reached"):
        fill_table(tiny_rgb_model, ["nowhere://x"], str(tmp_path / "t.parquet"))


def test_the_command_writes_a_table(
    photos: list[Path], tiny_rgb_model: Path, tmp_path: Path
) -> None:
    words = ("fingerprint", tiny_rgb_model, tmp_path / "photos", "--out")
    ran = resight(*words, tmp_path / "t.parquet")
    assert ran.code == 0, ran.err
    assert "28 fingerprints; 30 photos read in this run" in ran.out
    assert ran.err.count("Passed over") == 2
    assert "0 photos read" in resight(*words, tmp_path / "t.parquet").out
    assert pq.read_schema(next((tmp_path / "t.parquet").iterdir())).field("vector").type == (
        pa.list_(pa.float32(), 16)
    )
    for out, more, said in (
        ("f.npz", ["--ray", "local"], "end it in .parquet"),
        ("f.parquet", ["--workers", "2"], "--workers is for --ray"),
        ("f.csv", [], "end it in .npz or .parquet"),
        ("none/f.parquet", [], "its folder does not exist"),
    ):
        line = resight(*words, tmp_path / out, *more).failed_in_one_line()
        assert said in line
    for path in photos:
        path.write_text("no picture")
    line = resight(*words, tmp_path / "bad.parquet")
    assert line.code == 1
    assert "not one of 30 photos can be read" in line.err
