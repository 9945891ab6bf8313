"""Reliability: probabilities against what came true."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from resight.errors import ResightError
from resight.evaluate.calibration import reliability
from resight.evaluate.reliability import draw_reliability


def test_by_hand():
    found = reliability([0.1, 0.1, 0.9, 0.9], [0, 1, 1, 1], bins=2)
    assert found.predicted == pytest.approx([0.1, 0.9])
    assert found.observed == pytest.approx([0.5, 1.0])
    assert found.counts.tolist() == [2, 2]
    assert found.error == pytest.approx((0.4 + 0.1) / 2)
    assert (found.low <= found.observed).all()
    assert (found.observed <= found.high).all()


def test_weights_count_as_so_many():
    rng = np.random.default_rng(0)
    p, true = rng.random(50), rng.random(50) < 0.5
    times = rng.integers(1, 5, 50)
    one = reliability(p, true, weights=times)
    other = reliability(np.repeat(p, times), np.repeat(true, times))
    assert one.error == pytest.approx(other.error)
    assert one.observed == pytest.approx(other.observed, nan_ok=True)


def test_true_probabilities_are_at_the_floor_and_others_above():
    rng = np.random.default_rng(1)
    p = rng.random(4000)
    true = rng.random(4000) < p
    good = reliability(p, true)
    assert good.error == pytest.approx(good.floor, abs=0.01)
    assert reliability(p**3, true).error > 5 * good.floor


def test_copies_are_no_more_evidence():
    rng = np.random.default_rng(2)
    p = rng.random(60)
    true = rng.random(60) < p
    groups = np.repeat(np.arange(60), 50)
    copies = reliability(np.repeat(p, 50), np.repeat(true, 50), groups=groups)
    single = reliability(p, true)
    assert copies.groups == 60
    assert copies.floor == pytest.approx(single.floor, rel=0.15)
    assert copies.low == pytest.approx(single.low, nan_ok=True)


@pytest.mark.parametrize(
    ("p", "true"), [([], []), ([0.5], [1, 0]), ([1.2], [1]), ([np.nan], [0]), ([-0.1], [0])]
)
def test_what_is_no_probability_is_refused(p, true):
    with pytest.raises(ResightError):
        reliability(p, true)


def test_the_diagram_is_a_picture(tmp_path):
    found = reliability([0.05, 0.55, 0.95, 1.0], [0, 1, 1, 1]).to_dict()
    json.dumps(found, allow_nan=False)
    drawn = draw_reliability({"one": found, "other": found}, tmp_path / "r.png", title="T")
    assert (tmp_path / "r.png").read_bytes() == drawn
    with Image.open(io.BytesIO(drawn)) as picture:
        assert picture.width > picture.height
    assert draw_reliability({"one": found}) == draw_reliability({"one": found})
    assert [path.name for path in tmp_path.iterdir()] == ["r.png"]
