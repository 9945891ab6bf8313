"""What is no picture, or tries to do harm: UnreadablePhoto, in words, and nothing else."""

import contextlib
import io
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from resight.errors import UnreadablePhoto
from resight.photos.decode import read_image

# Pillow warns of what the tests feed it; in an application resight keeps that still.
pytestmark = pytest.mark.filterwarnings("ignore")


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(file, kind, exif=exif)
    return file.getvalue()


def refused(source: object, words: str, **limits: int) -> None:
    with pytest.raises(UnreadablePhoto) as caught:
        read_image(source, channels=3, **limits)  # type: ignore[arg-type]
    assert words in caught.value.reason
    assert "\n" not in str(caught.value)
    if isinstance(source, str | Path):
        assert str(source) in str(caught.value)
        assert caught.value.source == (str(source) or "''")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_cut_short(tmp_path: Path, kind: str) -> None:
    data = encoded(kind)
    path = tmp_path / f"half.{kind.lower()}"
    path.write_bytes(data[: len(data) // 2])
    refused(path, "")
    if kind == "JPEG":
        refused(path, "cut short")


def test_files_that_are_no_photos(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("this is no picture")
    refused(text, "not a picture")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    refused(empty, "empty")
    refused(tmp_path / "nowhere.jpg", "no such file")
    refused(str(tmp_path / "nowhere" / "a.jpg"), "no such file")
    refused(text / "below.png", "no such file")
    refused(tmp_path, "folder")
    script = tmp_path / "script.png"  # a kind that Pillow would hand to another program
    script.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    refused(script, "not a picture")
    refused("a\0b.png", "")
    refused("", "no such file")
    refused("x" * 5000, "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    start = time.monotonic()
    refused(tmp_path / "pipe.png", "pipe")
    refused("/dev/zero", "device")
    assert time.monotonic() - start < 1


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="everything may be read by this user"
)
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed.png"
    path.write_bytes(encoded("PNG"))
    path.chmod(0)
    refused(path, "permission")


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is huge, with real rows of zeros to begin with."""

    def part(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")


@pytest.mark.parametrize("size", [(12_000, 12_000), (7_000, 18_000), (2**31 - 1, 2**31 - 1)])
def test_bombs_are_refused_before_decoding(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(*size))
    limit = Image.MAX_IMAGE_PIXELS
    start = time.monotonic()
    refused(path, "125,000,000")
    assert time.monotonic() - start < 0.5
    assert limit == Image.MAX_IMAGE_PIXELS


def test_a_bomb_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(12_000, 12_000))
    code = (
        "from resight.photos.decode import read_image\n"
        "try: read_image('bomb.png', channels=3)\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("bomb.png: 12000 × 12000 pixels are more than")
    assert done.stderr == ""


def test_what_a_camera_of_61_megapixels_writes_is_read(tmp_path: Path) -> None:
    Image.new("L", (9504, 6336), 77).save(tmp_path / "a.jpg")
    pixels = read_image(tmp_path / "a.jpg", channels=1, at_least=200)
    assert pixels.shape == (792, 1188, 1)
    assert (pixels == 77).all()


def test_the_limit_holds_for_every_source(tmp_path: Path) -> None:
    pixels = np.zeros((10, 11, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    for source in (pixels, Image.fromarray(pixels), tmp_path / "a.jpg"):
        refused(source, "11 × 10", max_pixels=109)
        assert read_image(source, channels=3, max_pixels=110).shape == (10, 11, 3)  # type: ignore[arg-type]
    with pytest.raises(UnreadablePhoto, match="11 × 10"):
        read_image(tmp_path / "a.jpg", channels=3, max_pixels=109, at_least=1)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((4, 4), np.float32),
        np.zeros((4, 4), np.int64),
        np.zeros((4, 4), object),
        np.zeros((0, 4), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((3, 28, 28), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.uint8(3),
        None,
        float("nan"),
        b"bytes",
        Image.new("F", (3, 3)),
        Image.fromarray(np.full((3, 3), 70_000, np.int32)),
        Image.new("L", (0, 3)),
    ],
)
def test_values_that_are_no_photos(source: object) -> None:
    refused(source, "")


def test_broken_exif_beside_sound_pixels(tmp_path: Path) -> None:
    picture = Image.new("RGB", (30, 20), "red")
    picture.save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense")
    assert read_image(tmp_path / "a.jpg", channels=3).shape == (20, 30, 3)


def attempt(data: bytes) -> None:
    """Read bytes as a file: pixels or UnreadablePhoto; any other error fails the test."""
    for channels in (1, 3):
        with contextlib.suppress(UnreadablePhoto):
            pixels = read_image(_file(data), channels=channels, max_pixels=200_000, at_least=8)
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
            assert pixels.shape[2] == channels


_PLACE = Path(os.environ.get("TMPDIR", "/tmp")) / f"resight-fuzz-{os.getpid()}.bin"


def _file(data: bytes) -> Path:
    _PLACE.write_bytes(data)
    return _PLACE


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    _PLACE.unlink(missing_ok=True)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_random_bytes(data: bytes) -> None:
    attempt(data)


BEGINNINGS = [encoded(kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000")]


@given(
    st.sampled_from(BEGINNINGS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    st.one_of(st.none(), st.floats(0, 1)),
    st.binary(max_size=20),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_pictures(
    data: bytes, changes: list[tuple[float, int]], cut: float | None, tail: bytes
) -> None:
    changed = bytearray(data)
    for where, value in changes:
        # Squared: most of what can go wrong stands near the beginning.
        changed[int(where**2 * (len(data) - 1))] = value
    if cut is not None:
        changed = changed[: int(cut * len(changed))] + tail
    attempt(bytes(changed))
