"""How a training is planned: its time, its size, what is held back; by hand-made cases."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning import PLAN, made_up_photos, one_thread, write_photos  # noqa: F401
from resight.errors import ResightError
from resight.learn import photographs
from resight.learn.data import PhotoSet
from resight.learn.photographs import FineTuning, tuning_within
from resight.learn.plan import (
    Look,
    Plan,
    choose_size,
    hold_back,
    look,
    make_plan,
    seconds,
    usual_body,
)
from resight.learn.train import train_photos
from resight.photos.photo import Photo
from resight.photos.sources import photos_by_individual

Size = tuple[int, int]
Within = Callable[[float, Plan], tuple[Size, int]]


@pytest.mark.parametrize(
    ("words", "expected"), [("90s", 90), ("30m", 1800), ("1h", 3600), (" 1H30m ", 5400)]
)
def test_lengths_of_time(words: str, expected: float) -> None:
    assert seconds(words) == expected


@pytest.mark.parametrize("words", ["", "30", "0m", "m", "-5m", "1h 5", "soon", "99999h", "1e9s"])
def test_what_is_no_length_of_time_is_one_line(words: str) -> None:
    with pytest.raises(ResightError, match="write it like"):
        seconds(words)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((186, 101), (320, 176)),  # a cow's face
        ((224, 224), (304, 304)),
        ((3000, 4000), (256, 352)),
        ((60, 80), (112, 144)),
        ((100, 900), (192, 480)),  # no more elongated than 2.5
        ((40, 30), (40, 40)),
    ],
)
def test_the_size_follows_the_photos(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    assert choose_size(Look(False, False, np.array([shape] * 3)), fine_tune=True) == expected


@pytest.mark.parametrize(
    ("installed", "expected"), [("012", 2), ("12", 2), ("01", 0), ("1", 0), ("", 0)]
)
def test_the_usual_body_is_the_best_whose_package_is_installed(
    monkeypatch: pytest.MonkeyPatch, installed: str, expected: int
) -> None:
    monkeypatch.setattr(
        "resight.learn.plan.package_of", lambda body: Path() if body[-1] in installed else None
    )
    assert usual_body() == f"tf_efficientnet_lite{expected}"


def test_boxes_are_what_is_looked_at(tmp_path: Path) -> None:
    root = write_photos(tmp_path, made_up_photos(2, 2, size=(60, 80), channels=3))
    paths = sorted(root.rglob("*.png"))
    assert look([Photo(p) for p in paths]).shapes.tolist() == [[60, 80]] * 4
    assert look([Photo(p, box=(0, 0, 20, 50)) for p in paths]).shapes.tolist() == [[50, 20]] * 4


@pytest.mark.parametrize("body", [None, "drawing", "small"])
def test_drawings_are_grey_whoever_names_the_body(tmp_path: Path, body: str | None) -> None:
    root = write_photos(
        tmp_path / "photos", PhotoSet.of(np.zeros((4, 28, 28), np.uint8), [*"aabb"])
    )
    plan = make_plan(
        photos_by_individual(root),
        body,
        *[None] * 5,
        pretrained=None,
        loss=None,
        hertz=None,
    )
    assert (plan.kind, plan.body, plan.channels) == ("drawings", body or "drawing", 1)


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    """Photographs in colour."""
    photos = made_up_photos(3, 2, size=(60, 80), channels=3)
    return photos_by_individual(write_photos(tmp_path_factory.mktemp("animals") / "a", photos))


def plan_for(
    photos: list[Photo],
    body: str | None,
    *,
    pretrained: bool | None = None,
    channels: int | None = None,
) -> Plan:
    """A plan of which nothing else is given."""
    return make_plan(
        photos,
        body,
        None,
        channels,
        *[None] * 3,
        pretrained=pretrained,
        loss=None,
        hertz=None,
    )


@pytest.mark.parametrize(
    "body",
    [
        "resnet18@mine.safetensors",
        "some/where/MINE.SAFETENSORS",
        "hf-hub:BVRA/MegaDescriptor-T-224",
        "hf_hub:BVRA/MegaDescriptor-T-224",
    ],
)
def test_a_file_and_a_hub_are_pretrained_unasked(animals: list[Photo], body: str) -> None:
    plan = plan_for(animals, body)
    assert plan.pretrained
    assert plan.fine_tune
    assert plan == plan_for(animals, body, pretrained=True)
    assert (plan.body, plan.size, plan.loss, plan.dim) == (body, (112, 144), "arcface", 256)


def test_from_scratch_stays_from_scratch(animals: list[Photo]) -> None:
    plan = plan_for(animals, "hf-hub:BVRA/MegaDescriptor-T-224", pretrained=False)
    assert (plan.pretrained, plan.loss, plan.size) == (False, "triplet", (96, 96))
    assert not plan_for(animals, "resnet18").pretrained, "its weights may be a download"
    with pytest.raises(ResightError, match="--from-scratch") as caught:
        plan_for(animals, "resnet18@mine.safetensors", pretrained=False)
    assert "resnet18@mine.safetensors" in str(caught.value)


@pytest.mark.parametrize("body", [None, "resnet18"])
@pytest.mark.parametrize(("channels", "expected"), [(1, 1), (3, 3), (None, 3)])
def test_a_pretrained_body_sees_grey_where_it_is_asked_for(
    animals: list[Photo], body: str | None, channels: int | None, expected: int
) -> None:
    plan = plan_for(animals, body, pretrained=True, channels=channels)
    assert (plan.fine_tune, plan.channels) == (True, expected)


def test_of_grey_photographs_a_pretrained_body_sees_three_channels(tmp_path: Path) -> None:
    photos = made_up_photos(3, 2, size=(60, 80), channels=1)
    grey = photos_by_individual(write_photos(tmp_path / "photos", photos))
    assert plan_for(grey, None, pretrained=True).channels == 3
    assert plan_for(grey, None, pretrained=False).channels == 1


@pytest.mark.parametrize("pretrained", [True, False])
def test_a_budget_that_is_passed_over_is_told_of_before_photos_are_decoded(
    tmp_path: Path,
    animals: list[Photo],
    pretrained: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load_pixels(*_: object, **__: object) -> None:
        raise ResightError("not yet")

    monkeypatch.setattr("resight.learn.train.load_pixels", load_pixels)
    for budget, times in ((60.0, int(not pretrained)), (None, 0)):
        with pytest.raises(ResightError, match="not yet"):
            train_photos(
                animals, tmp_path / "m.onnx", budget=budget, networks=2, pretrained=pretrained
            )
        assert capsys.readouterr().err.count("budget") == times


def test_of_many_individuals_few_photos_are_held_back() -> None:
    photos = made_up_photos(30, 6)
    used, valid = hold_back(photos, 0.1, 0, most=10)
    assert len(valid) == 10
    assert valid.labels.unique(return_counts=True)[1].tolist() == [2] * 5
    assert len(used) == 170
    # Two of five each would be two in five of all; the share is meant of all.
    few = made_up_photos(40, 5)
    for share, most, expected in ((0.1, 300, 20), (0.2, None, 40), (0.1, 6, 6)):
        used, valid = hold_back(few, share, 0, most=most)
        assert (len(valid), len(used)) == (expected, 200 - expected)
        assert set(valid.labels.unique(return_counts=True)[1].tolist()) == {2}
    assert len(hold_back(made_up_photos(3, 4), 0.1, 0)[1]) == 4  # two of two at least
    # Of many photos each a share of every individual's, as ever.
    assert hold_back(made_up_photos(6, 20), 0.2, 0)[1].labels.bincount().tolist() == [4] * 6
    assert not np.array_equal(hold_back(photos, 0.1, 1, most=10)[0], used)


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Within:
    """The size and the epochs for a budget, where a batch of whole photos takes a second."""

    def planned(budget: float, plan: Plan) -> tuple[Size, int]:
        whole = plan.size[0] * plan.size[1]

        def seconds(_: FineTuning, size: Size) -> tuple[float, float]:
            share = size[0] * size[1] / whole
            return share, share / 3

        monkeypatch.setattr(FineTuning, "_seconds_a_batch", seconds)
        photos = made_up_photos(4, 16, size=plan.size, channels=3)
        tuning, epochs, takes = tuning_within(photos, photos, plan, budget, path=tmp_path)
        assert epochs == 3 or takes <= budget
        assert tuning.learn.model.size == tuning.plan.size == tuning.learn.dls.train.photos.size
        return tuning.plan.size, epochs

    monkeypatch.setattr(photographs, "fold_batchnorm", lambda *_: 0)  # takes seconds, says nothing
    return planned


def test_where_time_is_short_photos_are_made_smaller(within: Within) -> None:
    assert within(1000, PLAN)[0] == (192, 192)
    size, epochs = within(70, PLAN)
    assert 96 <= size[0] < 192
    assert epochs >= 9
    assert within(0.1, PLAN) == ((96, 96), 3)  # no smaller, and no fewer
    assert within(70, replace(PLAN, size_given=True))[0] == (192, 192)


@pytest.fixture
def tuning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FineTuning:
    """Eight batches to learn from in an epoch, and as many to look at."""
    photos = made_up_photos(4, 16, size=PLAN.size, channels=3)
    monkeypatch.setattr(photographs, "fold_batchnorm", lambda *_: 0)
    return FineTuning(photos, photos, replace(PLAN, whitened=False), path=tmp_path)


def test_what_validation_takes_is_within_the_budget(
    monkeypatch: pytest.MonkeyPatch, tuning: FineTuning
) -> None:
    epochs = {}
    for looking in (1.0, 0.0):  # of several times the shortest counts
        monkeypatch.setattr(FineTuning, "_seconds_a_batch", lambda *_, one=looking: (1.0, one))
        epochs[looking], takes = tuning.epochs_within(200)
        assert takes <= 200
    # Before the first epoch four times as many are looked at as in one.
    assert epochs == {0.0: 200 // 8, 1.0: (200 - 4 * 8) // 16}


def test_a_slow_moment_at_the_beginning_does_not_shorten_the_training(
    monkeypatch: pytest.MonkeyPatch, tuning: FineTuning
) -> None:
    epochs = []
    for moment in ((2.0, 0.5), (1.0, 1.0), (4.0, 4.0)):
        monkeypatch.setattr(FineTuning, "_seconds_a_batch", lambda *_, one=moment: one)
        epochs.append(tuning.epochs_within(400)[0])
    # Of learning and of looking the shortest time so far counts.
    assert epochs == [(400 - 16) // 20, (400 - 16) // 12, (400 - 16) // 12]


def test_photos_are_large_only_where_there_is_time_for_many_epochs(within: Within) -> None:
    plan = replace(PLAN, size=(304, 304))
    # An epoch of photos that grow to the whole ones takes some seven seconds here.
    size, epochs = within(250, plan)
    assert size == (304, 304)
    assert epochs >= 30
    size, epochs = within(100, plan)
    assert size == (224, 224)  # three quarters, and no smaller
    assert 12 <= epochs < 30
    size, epochs = within(32, plan)
    assert size < (224, 224)
    assert epochs >= 10  # sides go in steps of 16
