"""Photos in, unit vectors out: every kind of source, in order, and what cannot be read reported."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.errors import UnreadablePhoto, UnusableModel
from resight.fingerprint import Fingerprinter, load_model

models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")


@pytest.fixture(scope="module")
def fingerprinter(tiny_model: Path) -> Fingerprinter:
    return Fingerprinter(tiny_model)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 28, 28), dtype=np.uint8)


def test_every_source_gives_the_same(
    fingerprinter: Fingerprinter, digits: np.ndarray, tmp_path: Path
) -> None:
    few = digits[:40]
    paths = []
    for i, pixels in enumerate(few):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        paths.append(tmp_path / f"{i}.png")
    wanted = fingerprinter(few)
    assert wanted.vectors.shape == (40, 32)
    assert wanted.vectors.dtype == np.float32
    assert wanted.index.dtype == np.int64
    assert wanted.unreadable == ()
    assert len(wanted) == 40
    assert np.allclose(np.linalg.norm(wanted.vectors, axis=1), 1, atol=1e-5)
    for photos in (
        paths,
        map(str, paths),
        [Image.fromarray(pixels) for pixels in few],
        list(few),
        (pixels for pixels in few),
        few[..., None],
        np.repeat(few[..., None], 3, axis=3),
        few.astype(np.uint16) * 257,
        [[paths[i], few[i], Image.fromarray(few[i])][i % 3] for i in range(40)],
    ):
        found = fingerprinter(photos)
        assert np.allclose(found.vectors, wanted.vectors, atol=1e-5)
        assert found.index.tolist() == list(range(40))


def test_one_photo_alone(fingerprinter: Fingerprinter, digits: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(digits[0]).save(tmp_path / "a.png")
    wanted = fingerprinter(digits[:1]).vectors
    for photo in (tmp_path / "a.png", str(tmp_path / "a.png"), digits[0]):
        assert np.allclose(fingerprinter(photo).vectors, wanted, atol=1e-5)


def test_colour_models_take_grey_and_colour(tiny_rgb_model: Path) -> None:
    fingerprinter = Fingerprinter(tiny_rgb_model)
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (9, 48, 64), dtype=np.uint8)
    stacked = fingerprinter(grey).vectors
    assert stacked.shape == (9, 16)
    assert np.allclose(fingerprinter(list(grey)).vectors, stacked, atol=1e-5)
    colour = rng.integers(0, 256, (9, 48, 64, 3), dtype=np.uint8)
    stacked = fingerprinter(colour).vectors
    assert np.allclose(fingerprinter(list(colour)).vectors, stacked, atol=1e-5)
    assert not np.allclose(fingerprinter(colour[..., ::-1]).vectors, stacked, atol=1e-3)
    other_size = rng.integers(0, 256, (3, 100, 80, 3), dtype=np.uint8)
    assert np.allclose(
        fingerprinter(other_size).vectors, fingerprinter(list(other_size)).vectors, atol=1e-6
    )


@pytest.mark.parametrize("batch_size", [1, 7, 16, 64, 1000])
@pytest.mark.parametrize("threads", [1, 4])
def test_batches_and_threads_change_nothing(
    tiny_model: Path, digits: np.ndarray, batch_size: int, threads: int
) -> None:
    found = Fingerprinter(tiny_model, batch_size=batch_size, threads=threads)(list(digits))
    wanted = Fingerprinter(tiny_model)(digits)
    assert np.allclose(found.vectors, wanted.vectors, atol=1e-5)
    assert found.index.tolist() == list(range(150))


def test_batches_are_no_larger_than_asked(tiny_model: Path, digits: np.ndarray) -> None:
    seen = []

    class Watching(Fingerprinter):
        def _compute(self, pixels: np.ndarray) -> np.ndarray:
            seen.append(len(pixels))
            return super()._compute(pixels)

    Watching(tiny_model, batch_size=40)([*digits[:50], None, *digits[51:]])
    assert max(seen) <= 40
    assert sum(seen) == 149
    assert len(seen) <= 6


def test_unreadable_photos_are_reported_and_the_rest_goes_on(
    fingerprinter: Fingerprinter, digits: np.ndarray, tmp_path: Path
) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    photos: list[object] = list(digits)
    photos[0], photos[77], photos[149] = text, tmp_path / "gone.jpg", np.zeros((3, 3))
    found = fingerprinter(photos)  # type: ignore[arg-type]
    assert found.index.tolist() == [i for i in range(150) if i not in (0, 77, 149)]
    assert [error.source for error in found.unreadable] == [
        str(text),
        str(tmp_path / "gone.jpg"),
        "a picture in memory",
    ]
    assert all(isinstance(error, UnreadablePhoto) for error in found.unreadable)
    assert np.allclose(found.vectors, fingerprinter(digits[found.index]).vectors, atol=1e-5)


def test_none_at_all(fingerprinter: Fingerprinter, tmp_path: Path) -> None:
    for photos in ([], iter([]), np.zeros((0, 28, 28), np.uint8)):
        found = fingerprinter(photos)
        assert found.vectors.shape == (0, 32)
        assert found.vectors.dtype == np.float32
        assert found.index.shape == (0,)
    found = fingerprinter([tmp_path / "gone.png"])
    assert found.vectors.shape == (0, 32)
    assert len(found.unreadable) == 1


def test_few_photos_are_held_at_a_time(tiny_model: Path) -> None:
    """From a generator no more is drawn than a bounded number ahead of what was computed."""
    drawn = computed = ahead = 0

    def photos() -> Iterator[np.ndarray]:
        nonlocal drawn, ahead
        for _ in range(2000):
            drawn += 1
            ahead = max(ahead, drawn - computed)
            yield np.zeros((28, 28), np.uint8)

    class Counting(Fingerprinter):
        def _compute(self, pixels: np.ndarray) -> np.ndarray:
            nonlocal computed
            computed += len(pixels)
            return super()._compute(pixels)

    Counting(tiny_model, threads=2)(photos())
    assert computed == 2000
    assert ahead <= 64 + 2 * 2 * 16 + 16


def test_errors_of_the_callers_generator_come_through(fingerprinter: Fingerprinter) -> None:
    def photos() -> Iterator[np.ndarray]:
        yield np.zeros((28, 28), np.uint8)
        raise KeyError("the caller's own")

    before = threading.active_count()
    with pytest.raises(KeyError, match="the caller's own"):
        fingerprinter(photos())
    assert threading.active_count() == before


def test_a_model_that_gives_nonsense(tmp_path: Path) -> None:
    path = models.make_model(tmp_path / "m.onnx", weights=np.full((784, 32), np.nan))
    with pytest.raises(UnusableModel, match=r"m\.onnx: the model gives no unit vectors"):
        Fingerprinter(path)([np.full((28, 28), 255, np.uint8)])


def test_progress_on_stderr_only(
    fingerprinter: Fingerprinter,
    digits: np.ndarray,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fingerprinter(digits)
    fingerprinter(digits, progress=True)  # into a file or a pipe no bar is drawn
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    fingerprinter(digits, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "150/150" in shown.err
    fingerprinter(iter(digits), progress=True)
    assert "150/" in capsys.readouterr().err


def test_the_model_may_be_open_already(tiny_model: Path, digits: np.ndarray) -> None:
    model = load_model(tiny_model)
    fingerprinter = Fingerprinter(model)
    assert fingerprinter.model is model
    assert (fingerprinter.id, fingerprinter.dim) == (model.id, 32)
    assert fingerprinter.card.size == (28, 28)
    for wrong in ({"batch_size": 0}, {"threads": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            Fingerprinter(model, **wrong)  # type: ignore[arg-type]


def test_ten_thousand_digits_take_no_time(fingerprinter: Fingerprinter) -> None:
    stack = np.zeros((10_000, 28, 28), np.uint8)
    start = time.process_time()
    assert len(fingerprinter(stack)) == 10_000
    assert time.process_time() - start < 2  # 0.04 s on a quiet machine; 3 s is asked with a network


def test_no_learning_framework_and_a_quick_start() -> None:
    code = (
        "import sys; import resight.fingerprint, resight.photos.glyphs, resight.photos.digits\n"
        "heavy = {'torch', 'onnxruntime', 'onnx', 'sklearn', 'matplotlib', 'rich', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
