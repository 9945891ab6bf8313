"""Drawn glyphs, made-up letters, and pictures brought to the look of MNIST."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from resight.photos.decode import read_image
from resight.photos.glyphs import GLYPHS, draw_glyph, like_mnist, random_character


def ink_box(image: np.ndarray) -> tuple[int, int]:
    rows, columns = np.nonzero(image > 127)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def looks_like_mnist(image: np.ndarray) -> None:
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    assert image.max() == 255
    assert image.min() == 0
    assert 17 <= max(ink_box(image)) <= 21
    rows, columns = np.mgrid[:28, :28]
    middle = [np.average(axis, weights=image) for axis in (rows, columns)]
    assert np.allclose(middle, 14, atol=4.1)  # to half a pixel where the edges allow
    # Between single hairs and a full box: 4 % to 45 % of the pixels are inked.
    assert 0.04 < (image > 127).mean() < 0.45


@given(st.sampled_from(GLYPHS), st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_every_glyph_has_the_look(name: str, seed: int) -> None:
    looks_like_mnist(draw_glyph(name, np.random.default_rng(seed)))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_every_letter_has_the_look(seed: int) -> None:
    rng = np.random.default_rng(seed)
    looks_like_mnist(random_character(rng).draw(rng))


def test_no_two_drawings_are_alike_and_seeds_repeat() -> None:
    assert len(GLYPHS) >= 16
    assert "star" in GLYPHS
    rng = np.random.default_rng(0)
    stars = [draw_glyph("star", rng) for _ in range(50)]
    assert len({star.tobytes() for star in stars}) == 50
    again = np.random.default_rng(0)
    assert all(np.array_equal(star, draw_glyph("star", again)) for star in stars)


def nearest_is_same(groups: list[list[np.ndarray]]) -> float:
    """How often the nearest other drawing, blurred and by plain pixels, is of the same class."""
    pixels = np.array([image for group in groups for image in group], np.float64)
    pixels = pixels.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(len(pixels), -1)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    likeness = pixels @ pixels.T
    np.fill_diagonal(likeness, -1)
    labels = np.repeat(np.arange(len(groups)), len(groups[0]))
    return float((labels[likeness.argmax(1)] == labels).mean())


def test_drawings_of_one_glyph_are_the_same_glyph() -> None:
    rng = np.random.default_rng(0)
    assert nearest_is_same([[draw_glyph(name, rng) for _ in range(10)] for name in GLYPHS]) > 0.85
    letters = [random_character(rng) for _ in range(20)]
    assert nearest_is_same([[letter.draw(rng) for _ in range(10)] for letter in letters]) > 0.8


def test_letters_differ() -> None:
    rng = np.random.default_rng(0)
    letters = [random_character(rng) for _ in range(30)]
    assert len({len(letter.strokes) for letter in letters}) >= 3
    again = np.random.default_rng(0)
    assert np.array_equal(
        random_character(np.random.default_rng(5)).draw(again),
        random_character(np.random.default_rng(5)).draw(np.random.default_rng(0)),
    )


def test_unknown_glyph() -> None:
    with pytest.raises(ValueError, match="no glyph is named 'unicorn'; there are star, heart"):
        draw_glyph("unicorn", np.random.default_rng(0))


def test_drawing_is_quick() -> None:
    rng = np.random.default_rng(0)
    letter = random_character(rng)
    start = time.process_time()
    for _ in range(50):
        draw_glyph("star", rng)
        letter.draw(rng)
    assert (time.process_time() - start) / 100 < 0.008  # 0.7 ms on a quiet machine


def pen_drawing(side: int, pen: int) -> np.ndarray:
    """A T with a tail, drawn black on white."""
    picture = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(picture)
    at = [tuple(int(side * v) for v in point) for point in ((0.2, 0.3), (0.7, 0.3), (0.4, 0.8))]
    draw.line([at[0], at[1]], 0, pen)
    draw.line([((at[0][0] + at[1][0]) // 2, at[0][1]), at[2]], 0, pen)
    return np.asarray(picture)


@pytest.mark.parametrize(("side", "pen"), [(105, 1), (105, 3), (105, 9), (1000, 4), (30, 1)])
def test_like_mnist_keeps_thin_strokes_bright(side: int, pen: int) -> None:
    drawing = pen_drawing(side, pen)
    result = like_mnist(drawing, white_on_black=False)
    looks_like_mnist(result)
    assert max(ink_box(result)) == 20
    assert (result > 250).sum() > 25
    assert np.array_equal(result, like_mnist(255 - drawing))


def test_like_mnist_centres_by_mass() -> None:
    drawing = np.zeros((60, 60), np.uint8)
    drawing[10:50, 10:14] = 255  # a stem
    drawing[46:50, 10:30] = 255  # a foot: the mass lies below and left of the box's middle
    result = like_mnist(drawing).astype(float)
    rows, columns = np.mgrid[:28, :28]
    assert abs(np.average(rows, weights=result) - 14) < 0.6
    assert abs(np.average(columns, weights=result) - 14) < 0.6


def test_like_mnist_of_nothing_and_of_a_dot() -> None:
    assert not like_mnist(np.zeros((9, 9), np.uint8)).any()
    assert not like_mnist(np.full((9, 9), 255, np.uint8), white_on_black=False).any()
    dot = np.zeros((50, 50), np.uint8)
    dot[20, 30] = 200
    assert like_mnist(dot).max() == 255
    for bad in (np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3)), np.zeros((0, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"uint8 array \(H, W\)"):
            like_mnist(bad)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=100, deadline=None)
def test_like_mnist_takes_any_picture(height: int, width: int, seed: int, white: bool) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    result = like_mnist(image, white_on_black=white)
    assert result.shape == (28, 28)
    assert result.any() == (image.min() < image.max())


@pytest.mark.parametrize(
    ("height", "width", "side"), [(40, 40, 20), (40, 50, 20), (20, 34, 24), (10, 60, 26)]
)
def test_what_is_wide_is_drawn_larger(height: int, width: int, side: int) -> None:
    frame = np.zeros((70, 70), np.uint8)
    frame[5 : 5 + height, 5 : 5 + width] = 255
    frame[8 : 2 + height, 8 : 2 + width] = 0
    assert max(ink_box(like_mnist(frame))) == side
    assert max(ink_box(like_mnist(frame.T))) == 20, "what is high is not"


def test_like_mnist_leaves_mnist_as_it_is(data: Path) -> None:
    from resight.photos.digits import read_digits

    pixels = read_digits(data / "mnist").test_pixels[:200]
    changed = np.array([like_mnist(image) for image in pixels], np.float64).reshape(200, -1)
    digits = pixels.reshape(200, -1).astype(np.float64)
    likeness = (changed * digits).sum(1) / np.sqrt((changed**2).sum(1) * (digits**2).sum(1))
    assert np.median(likeness) > 0.93


def test_like_mnist_on_real_characters(data: Path) -> None:
    paths = sorted((data / "omniglot_small1").glob("*/*/*_01.png"))
    assert len(paths) == 136
    for path in paths[::8]:
        image = read_image(path, channels=1)[:, :, 0]
        high, wide = ink_box(255 - image)
        drawn = max(ink_box(like_mnist(image, white_on_black=False)))
        if wide <= 1.4 * high:
            assert drawn == 20
        else:
            assert drawn == pytest.approx(20 * min(wide / high / 1.4, 1.3), abs=1)
