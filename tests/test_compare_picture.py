"""The picture of a match: lines where pairs fit, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.compare import draw_match, find_keypoints, match
from resight.compare.picture import LINE
from resight.errors import ResightError
from textures import noisy, texture


def _lines(picture: np.ndarray) -> int:
    """Pixels of a line's colour or nearly."""
    return int((np.abs(picture.astype(int) - LINE).max(2) < 30).sum())


def test_lines_join_what_fits_and_the_file_is_the_picture(tmp_path: Path) -> None:
    cow = texture(1)
    again = noisy(cow)
    first, second = find_keypoints(cow), find_keypoints(again)
    found = match(first, second)
    path = tmp_path / "match.png"
    picture = draw_match(cow, again, first, second, found, path=path, height=240)
    assert picture.shape == (240, 492, 3)
    assert _lines(picture) > 2000
    np.testing.assert_array_equal(np.asarray(Image.open(path)), picture)
    assert [p.name for p in tmp_path.iterdir()] == ["match.png"]
    # Fewer lines, less colour; and the surest are the ones that stay.
    assert 0 < _lines(draw_match(cow, again, first, second, found, height=240, most=3)) < 2000


def test_a_line_begins_and_ends_at_its_keypoints() -> None:
    cow = texture(2)
    points = find_keypoints(cow)
    found = match(points, points)
    picture = draw_match(cow, cow, points, points, found, height=400, most=1)
    surest = np.flatnonzero(found.fits)
    one = points.places[found.pairs[surest[np.argmin(found.ratios[surest])], 0]]
    x, y = np.rint((one + 0.5) * 2 - 0.5).astype(int)
    for column in (x, x + 412):
        around = picture[y - 2 : y + 3, column - 2 : column + 3].reshape(-1, 3).astype(int)
        assert np.abs(around - LINE).max(1).min() < 30


def test_colour_beside_grey_of_other_sizes_and_nothing_in_common() -> None:
    colour = np.repeat(texture(3, side=120)[:, :60, None], 3, axis=2)
    grey = texture(4, side=90)[..., None]
    first, second = find_keypoints(colour), find_keypoints(grey)
    found = match(first, second)
    found.fits[:] = False
    picture = draw_match(colour, grey, first, second, found, height=100)
    assert picture.shape == (100, 50 + 12 + 100, 3)
    assert _lines(picture) == 0
    assert (picture[:, 52:60] == 255).all()


def test_keypoints_of_another_photo_are_refused() -> None:
    cow, small = texture(1), texture(1, side=100)
    points = find_keypoints(cow)
    with pytest.raises(ValueError, match="keypoints of a photo"):
        draw_match(small, cow, points, points, match(points, points))


def test_where_nothing_can_be_written_one_line_says_so(tmp_path: Path) -> None:
    cow = texture(1)
    points = find_keypoints(cow)
    with pytest.raises(ResightError, match="cannot be written") as caught:
        draw_match(
            cow, cow, points, points, match(points, points), path=tmp_path / "no" / "match.png"
        )
    assert "\n" not in str(caught.value)
