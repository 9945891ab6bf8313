"""More decoded photos than the memory holds: a mapped file in its place, whole or not there."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.errors import ResightError, UnreadablePhoto
from resight.photos import sources, store
from resight.photos.photo import Photo
from resight.photos.sources import load_pixels

SIZE = (8, 10)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The cache's folder, with a memory so small that all pixels go there."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_SHARE", 0)
    return tmp_path / "cache" / "resight" / "pixels"


@pytest.fixture
def photos(tmp_path) -> list[Photo]:
    for level in range(40):
        Image.new("L", SIZE[::-1], level).save(tmp_path / f"{level}.png")
    return [Photo(tmp_path / f"{level}.png") for level in range(40)]


def undecoded(monkeypatch) -> None:
    def fail(*args, **kwargs):
        raise AssertionError("decoded again")

    monkeypatch.setattr(sources, "fitted_chunks", fail)


def test_few_photos_stay_in_memory(tmp_path, monkeypatch, photos):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    load_pixels(photos, SIZE, 1)
    assert not (tmp_path / "cache").exists()


def test_a_second_time_decodes_nothing(folder, photos, monkeypatch):
    pixels, read, bad = load_pixels(photos, SIZE, 3)
    assert pixels.shape == (40, 3, *SIZE)
    assert (pixels == np.arange(40)[:, None, None, None]).all()
    assert (read, bad) == (list(range(40)), [])
    (file,) = folder.iterdir()
    assert file.suffix == ".npy"
    undecoded(monkeypatch)
    moved = [Photo(photo.path.rename(photo.path.with_name(f"_{i}.png"))) for i, photo in
             enumerate(photos)]  # fmt: skip
    again, read, bad = load_pixels(moved, SIZE, 3)
    assert (again == pixels).all()
    assert (read, bad) == (list(range(40)), [])


def test_whatever_changes_the_pixels_is_decoded_anew(folder, photos):
    load_pixels(photos, SIZE, 1)
    assert load_pixels(photos, SIZE, 3)[0].shape[1] == 3
    assert load_pixels(photos[::-1], SIZE, 1)[0][0, 0, 0, 0] == 39
    boxed = [Photo(photo.path, box=(0, 0, 5, 8)) for photo in photos]
    assert load_pixels(boxed, SIZE, 1, fill=200)[0][0, 0, 0, 0] == 200
    assert load_pixels(boxed, SIZE, 1, fill=200, fit="stretch")[0].max() == 39
    Image.new("L", SIZE[::-1], 99).save(photos[7].path)
    assert load_pixels(photos, SIZE, 1)[0][7].max() == 99
    assert len(list(folder.iterdir())) == 6


def test_broken_photos_are_skipped_or_raised_and_nothing_is_kept(folder, photos):
    photos[30].path.write_text("no picture")
    for missing in (False, True):
        gone = [3, 30] if missing else [30]
        if missing:
            photos[3] = Photo(photos[3].path.with_name("missing.png"))
        pixels, read, bad = load_pixels(photos, SIZE, 1, on_bad="skip")
        assert read == [i for i in range(40) if i not in gone]
        assert pixels[:, 0, 0, 0].tolist() == read
        assert [error.source for error in bad] == [str(photos[i].path) for i in gone]
        with pytest.raises(UnreadablePhoto):
            load_pixels(photos, SIZE, 1)
    assert list(folder.iterdir()) == []


KILLED = """
import os, sys
from resight.photos import sources, store
from resight.photos.photo import Photo
store._SHARE = 0
chunks = sources.fitted_chunks
def killed(*args, **kwargs):
    yield next(iter(chunks(*args, **kwargs)))
    os.kill(os.getpid(), 9)
sources.fitted_chunks = killed
sources.load_pixels([Photo(path) for path in sys.argv[1:]], (8, 10), 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_killed_decode_leaves_nothing_taken_for_whole(folder, photos):
    paths = [str(photo.path) for photo in photos]
    done = subprocess.run([sys.executable, "-c", KILLED, *paths], check=False)
    assert done.returncode == -9
    (half,) = folder.iterdir()
    assert half.suffix == ".part"
    assert load_pixels(photos, SIZE, 1)[0][:, 0, 0, 0].tolist() == list(range(40))
    assert half.exists()  # another process may be at it
    os.utime(half, (0, 0))
    load_pixels(photos, SIZE, 3)
    assert [path.suffix for path in folder.iterdir()] == [".npy", ".npy"]


@pytest.mark.parametrize("content", [b"", b"foreign", "half", "shape"])
def test_a_file_that_is_not_what_its_name_says_is_made_anew(folder, photos, content):
    expected = load_pixels(photos, SIZE, 1)[0].copy()
    (file,) = folder.iterdir()
    if content == "shape":
        np.save(file, expected[:9])
    else:
        file.write_bytes(file.read_bytes()[:2000] if content == "half" else content)
    assert (load_pixels(photos, SIZE, 1)[0] == expected).all()


def test_files_long_unused_go(folder, photos):
    load_pixels(photos, SIZE, 1)
    (file,) = folder.iterdir()
    os.utime(file, (0, 0))
    load_pixels(photos, SIZE, 1)  # used, so it is not old
    load_pixels(photos, SIZE, 3)
    assert file.exists()
    os.utime(file, (0, 0))
    load_pixels(photos[:9], SIZE, 3)
    assert not file.exists()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no such call")
def test_a_full_disk_is_said_before_anything_is_decoded(folder, photos, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    undecoded(monkeypatch)
    with pytest.raises(ResightError, match=r"pixels: .*No space left on device.*XDG_CACHE_HOME"):
        load_pixels(photos, SIZE, 1)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(folder, photos):
    folder.parent.parent.write_text("a file where the folder should be")
    with pytest.raises(ResightError, match="XDG_CACHE_HOME"):
        load_pixels(photos, SIZE, 1)


def test_scratch_is_room_without_a_name(folder):
    pixels = store.scratch((3, 4))
    pixels[:] = 7
    assert list(folder.iterdir()) == []
    assert pixels.tolist() == [[7] * 4] * 3


@pytest.mark.filterwarnings("error")
def test_a_training_set_of_mapped_pixels_and_a_part_of_it(folder, photos):
    data = pytest.importorskip("resight.learn.data")
    pixels, _, _ = load_pixels(photos, SIZE, 1)
    whole = data.PhotoSet.of(pixels, [str(i % 4) for i in range(40)])
    assert whole.pixels.data_ptr() == pixels.__array_interface__["data"][0]  # no copy
    part = whole.take([5, 2, 2])
    assert part.pixels[:, 0, 0, 0].tolist() == [5, 2, 2]
    assert part.labels.tolist() == [1, 2, 2]
