"""How much of one drawing is found again in another: against the sums written out, and by hand."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from resight.compare.align import lay_upon, redraw
from resight.compare.drawings import REACH, edges, found_again, shares
from resight.photos.glyphs import GLYPHS, draw_glyph

SMALL = arrays.arrays(np.uint8, (3, 4, 5))


def missed(first: np.ndarray, second: np.ndarray, reach: int) -> float:
    """D(a, b) of the module's words, place by place."""
    _, height, width = first.shape
    first, second = (np.pad(one.astype(float), ((0, 0), (1, 1), (1, 1))) for one in (first, second))

    def at(cells: np.ndarray, y: int, x: int) -> np.ndarray:
        return cells[:, y + 1, x + 1]

    around = [(j, i) for j in (-1, 0, 1) for i in (-1, 0, 1)]
    shifts = [(j, i) for j in range(-reach, reach + 1) for i in range(-reach, reach + 1)]
    return sum(
        min(
            sum(
                ((at(first, y + j, x + i) - at(second, y + down + j, x + across + i)) ** 2).sum()
                for j, i in around
            )
            for down, across in shifts
            if 0 <= y + down < height and 0 <= x + across < width
        )
        for y in range(height)
        for x in range(width)
    )


def plain_share(first: np.ndarray, second: np.ndarray, reach: int) -> float:
    nothing = np.zeros_like(first)
    whole = missed(first, nothing, 0) + missed(second, nothing, 0)
    if not whole:
        return 0.0
    return max(0.0, 1 - (missed(first, second, reach) + missed(second, first, reach)) / whole)


@settings(max_examples=20, deadline=None)
@given(SMALL, st.integers(0, 2))
def test_it_is_what_the_sums_say(pixels, reach):
    looked = edges(pixels)
    found = shares(looked[[0, 0, 0]], looked, reach)
    plain = [plain_share(looked[0], one, reach) for one in looked]
    np.testing.assert_allclose(found, plain, atol=1e-4)


@given(SMALL)
def test_it_is_a_share_and_the_same_from_both_sides(pixels):
    first, second = edges(pixels)[:2], edges(pixels)[1:]
    there = shares(first, second)
    assert ((there >= 0) & (there <= 1)).all()
    np.testing.assert_allclose(there, shares(second, first), atol=1e-5)
    # The farther it reaches, the more it finds.
    assert (shares(first, second, 1) <= there + 1e-6).all()


@settings(deadline=None)
@given(SMALL)
def test_whatever_is_drawn_it_is_a_share(pixels):
    found = found_again(pixels[0], pixels)
    assert ((found >= 0) & (found <= 1)).all()
    assert found[0] > 1 - 1e-6 or not edges(pixels)[0].any()


def test_gradients_of_a_slope_are_its_steps():
    slope = np.broadcast_to(np.arange(0, 100, 10, dtype=np.uint8), (1, 8, 10))
    ((across, down),) = edges(slope)
    np.testing.assert_allclose(across[:, 2:-2], 20 / 255, rtol=1e-5)
    assert not down.any()


def test_a_drawing_moved_within_reach_is_found_and_another_is_not():
    rng = np.random.default_rng(0)
    star, arrow = (draw_glyph(name, rng) for name in list(GLYPHS)[:2])
    moved = [np.roll(star, (REACH, -REACH), (0, 1)), np.roll(star, 3 * REACH, 1)]
    looked = edges(np.stack([star, *moved, arrow, np.zeros_like(star)]))
    itself, near, far, other, blank = shares(looked[[0] * 5], looked)
    assert itself == 1
    assert near > 0.98
    assert other < 0.8
    assert far < near
    assert blank == 0
    assert shares(looked[4:], looked[4:])[0] == 0


@pytest.mark.parametrize("name", list(GLYPHS)[::3])
def test_a_drawing_that_leans_is_laid_upon_the_other(name):
    drawn = draw_glyph(name, np.random.default_rng(0))
    height, width = drawn.shape
    leaning = np.array([[1.05, 0.2, -2.4], [-0.22, 0.95, 4.0]])
    other = cv2.warpAffine(drawn, leaning, (width, height))
    (plain,) = shares(*edges(np.stack([drawn, other]))[:, None])
    (laid,) = found_again(drawn, other[None])
    assert 1 - laid < 0.55 * (1 - plain)
    # Black on white is laid the same way: what comes into the picture is paper.
    (dark,) = found_again(255 - drawn, 255 - other[None])
    assert dark == pytest.approx(laid, abs=0.02)


def test_a_blank_drawing_lays_nothing_and_is_found_nowhere():
    star = draw_glyph("star", np.random.default_rng(0))
    blank = np.zeros_like(star)
    assert found_again(star, blank[None])[0] == 0
    assert found_again(blank, np.stack([star, blank])).tolist() == [0, 0]
    np.testing.assert_allclose(lay_upon(blank, blank[None])[0], np.eye(3), atol=1e-6)
    assert lay_upon(star, star[None][:0]).shape == (0, 3, 3)
    assert redraw(star, np.empty((0, 3, 3))).shape == (0, *star.shape)


def test_a_map_leads_from_the_other_to_the_query():
    square = np.zeros((28, 28), np.uint8)
    square[8:20, 6:18] = 255
    (found,) = lay_upon(square, np.roll(square, (2, 3), (0, 1))[None])
    np.testing.assert_allclose(found, [[1, 0, -3], [0, 1, -2], [0, 0, 1]], atol=0.1)
    np.testing.assert_array_equal(
        redraw(square, np.float64([[[1, 0, -3], [0, 1, -2], [0, 0, 1]]]))[0],
        np.roll(square, (2, 3), (0, 1)),
    )


def test_hundreds_are_the_same_as_one_at_a_time():
    pixels = np.random.default_rng(1).integers(0, 256, (150, 9, 9), dtype=np.uint8)
    together = found_again(pixels[0], pixels)
    np.testing.assert_allclose(together[[70, 149]], found_again(pixels[0], pixels[[70, 149]]))
    assert found_again(pixels[0], pixels[:0]).shape == (0,)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 9, 9)), np.zeros((9, 9), np.uint8), np.zeros((1, 0, 9), np.uint8)],
)
def test_what_is_no_drawing_is_refused(pixels):
    with pytest.raises(ValueError, match="drawings are uint8"):
        found_again(np.zeros((9, 9), np.uint8), pixels)


def test_drawings_of_other_sizes_are_refused():
    first, second = np.zeros((9, 9), np.uint8), np.zeros((1, 9, 8), np.uint8)
    with pytest.raises(ValueError, match="cannot be looked for"):
        found_again(first, second)
    with pytest.raises(ValueError, match="float64"):
        found_again(np.zeros((9, 8)), second)
    with pytest.raises(ValueError, match="-1 pixels"):
        found_again(first, first[None], reach=-1)
