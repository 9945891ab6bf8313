"""Made animals: the same again, dated as by a camera, and told apart by their spots alone."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.photos.decode import read_image
from resight.photos.made_animals import (
    Salamander,
    draw_salamander,
    make_photos,
    new_place,
    new_salamander,
)
from resight.photos.photo import Photo


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    return make_photos(tmp_path_factory.mktemp("made"), individuals=6, days=4, size=160, seed=1)


def test_each_photo_lies_where_it_belongs_and_says_when(made: list[Photo]) -> None:
    assert len({photo.individual for photo in made}) == 6
    for photo in made:
        assert photo.path.parts[-3:-1] == (photo.individual, photo.encounter)
        with Image.open(photo.path) as picture:
            assert picture.size == (160, 160)
            written = picture.getexif().get_ifd(0x8769)[0x9003]
        assert photo.date is not None
        assert written == f"{photo.date:%Y:%m:%d %H:%M:%S}"
        assert f"{photo.date:%Y-%m-%d}" == photo.encounter
        assert photo.box is not None
        left, top, right, bottom = photo.box
        assert 0 <= left < right <= 160
        assert 0 <= top < bottom <= 160
        assert max(right - left, bottom - top) > 80, "an animal that fills its photo"


def test_the_same_seed_makes_the_same_photos(made: list[Photo], tmp_path: Path) -> None:
    again = make_photos(tmp_path, individuals=6, days=4, size=160, seed=1)
    assert [p.path.parts[-3:] for p in again] == [p.path.parts[-3:] for p in made]
    for one, other in zip(made[:5], again[:5], strict=True):
        assert (read_image(one.path, channels=3) == read_image(other.path, channels=3)).all()
    others = make_photos(tmp_path / "others", individuals=1, days=4, size=160, seed=2)
    assert (read_image(others[0].path, channels=3) != read_image(made[0].path, channels=3)).any()


def test_more_individuals_leave_the_first_as_they_were(made: list[Photo], tmp_path: Path) -> None:
    fewer = make_photos(tmp_path, individuals=2, days=4, size=160, seed=1)
    for one, other in zip(fewer, made, strict=False):
        assert one.path.read_bytes() == other.path.read_bytes()


def _edge(photo: Photo) -> np.ndarray:
    """Mean colour of the ground: what a model that cheats would look at."""
    pixels = read_image(photo.path, channels=3).astype(float)
    return np.concatenate([pixels[:6].reshape(-1, 3), pixels[-6:].reshape(-1, 3)]).mean(0)


def test_photos_of_one_encounter_share_their_ground(made: list[Photo]) -> None:
    meetings = defaultdict(list)
    for photo in made:
        meetings[photo.individual, photo.encounter].append(_edge(photo))
    within = [np.linalg.norm(a - b) for m in meetings.values() for a in m[:1] for b in m[1:]]
    firsts = [m[0] for m in meetings.values()]
    between = [np.linalg.norm(a - b) for i, a in enumerate(firsts) for b in firsts[:i]]
    assert np.median(within) < 0.5 * np.median(between)


def test_keypoints_find_an_individual_again_on_other_ground() -> None:
    from resight.compare.keypoints import Keypoints, find_keypoints
    from resight.compare.matching import match

    def look(salamander: Salamander, seed: int) -> Keypoints:
        rng = np.random.default_rng(seed)
        pixels, (left, top, right, bottom) = draw_salamander(
            salamander, new_place(rng), rng, size=256
        )
        return find_keypoints(pixels[top:bottom, left:right])

    animals = [new_salamander(np.random.default_rng([3, number])) for number in range(5)]
    known = [[look(animal, 10 * i + shot) for shot in range(3)] for i, animal in enumerate(animals)]
    right = 0
    for i, animal in enumerate(animals):
        asked = look(animal, 900 + i)
        scores = [max(match(asked, shot).score for shot in shots) for shots in known]
        right += int(np.argmax(scores)) == i
    assert right >= 4
