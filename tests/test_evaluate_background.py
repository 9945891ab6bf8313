"""The background test, on photos where the fence gives the animal away, and where it does not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.errors import UnreadablePhoto
from resight.evaluate.background import (
    background_test,
    both_parts,
    chosen,
    has_surroundings,
    parts,
)
from resight.photos.photo import Photo
from textures import texture

SIDE, EDGE = 60, 6  # the outermost tenth of each side


def write(path: Path, fence: int, animal: int, noise: int) -> Photo:
    """A photo with one pattern around another."""
    pixels = texture(fence, SIDE).astype(float)
    pixels[EDGE:-EDGE, EDGE:-EDGE] = texture(animal, SIDE)[EDGE:-EDGE, EDGE:-EDGE]
    pixels += np.random.default_rng(noise).normal(0, 10, pixels.shape)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return Photo(path)


def asked(folder: Path, fence_tells: bool, animal_tells: bool, people: int = 12):
    """The test on four photos of each; the model is the pixels themselves."""
    photos, who = [], []
    rng = np.random.default_rng(0)
    for person in range(people):
        for number in range(4):
            fence = person if fence_tells else int(rng.integers(10**6))
            animal = 1000 + person if animal_tells else int(rng.integers(10**6))
            name = folder / f"{person}-{number}.png"
            photos.append(write(name, fence, animal, len(photos)))
            who.append(f"cow {person}")
    found = list(both_parts(photos, channels=1))
    assert [place for place, _, _ in found] == list(range(len(photos)))

    def vectors(pictures):
        flat = np.stack([np.asarray(p, np.float64).ravel() for p in pictures])
        flat -= flat.mean(axis=1, keepdims=True)
        return (flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32)

    whole = vectors([np.asarray(Image.open(photo.path)) for photo in photos])
    places = np.arange(len(photos))
    return background_test(
        whole,
        vectors([behind for _, behind, _ in found]),
        vectors([before for _, _, before in found]),
        who,
        None,
        places[places % 4 == 3],
        places[places % 4 != 3],
        apart=False,
        resamples=200,
    )


def test_a_model_that_knows_the_fence_is_told_so(tmp_path):
    found = asked(tmp_path, fence_tells=True, animal_tells=False)
    assert found.verdict == "background"
    assert found.background.value == 1
    assert found.animal.value < 0.3
    assert found.share == pytest.approx(1)
    assert found.chance == pytest.approx(1 / 12)


def test_a_model_that_knows_the_animal_is_told_so(tmp_path):
    found = asked(tmp_path, fence_tells=False, animal_tells=True)
    assert found.verdict == "animal"
    assert found.full.value == found.animal.value == 1
    assert found.background.value < 0.3
    assert found.share < 0.2


def test_where_both_tell_the_background_is_not_passed_over(tmp_path):
    found = asked(tmp_path, fence_tells=True, animal_tells=True)
    assert found.verdict == "background"
    assert found.animal.value == 1


def test_where_nothing_tells_the_test_says_nothing(tmp_path):
    found = asked(tmp_path, fence_tells=False, animal_tells=False)
    assert found.verdict in ("nothing", "animal")
    assert found.full.value < 0.3


def test_the_parts_of_a_photo_without_a_box(tmp_path):
    picture = np.full((100, 50, 3), 40, np.uint8)
    picture[10:90, 5:45] = 200
    Image.fromarray(picture).save(tmp_path / "a.png")
    behind, before = parts(Photo(tmp_path / "a.png"), channels=3)
    # A tenth of each side is 36 % of the picture; the blank has the mean of what is left.
    assert (behind == 40).all()
    assert (before == 200).all()
    noise = np.random.default_rng(0).integers(0, 255, (100, 50, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b.png")
    behind, before = parts(Photo(tmp_path / "b.png"), channels=3)
    kept = (behind == noise).all(axis=2)
    assert kept[:10].all()
    assert kept[:, :5].all()
    assert 0.35 < kept.mean() < 0.37
    assert ((before == noise).all(axis=2) != kept).mean() > 0.99
    assert len(np.unique(behind[10:90, 5:45].reshape(-1, 3), axis=0)) == 1


def test_of_a_box_the_surroundings_are_the_background(tmp_path):
    picture = np.full((100, 100, 3), 40, np.uint8)
    picture[40:60, 30:60] = 200  # the animal
    Image.fromarray(picture).save(tmp_path / "a.png")
    photo = Photo(tmp_path / "a.png", box=(30, 40, 60, 60))
    assert has_surroundings(photo, 100, 100)
    behind, before = parts(photo, channels=3)
    assert behind.shape == (40, 60, 3)  # as far again each way
    assert (behind == 40).all()
    assert before.shape == (20, 30, 3)
    assert (before == 200).all()
    # At the picture's corner the surroundings end with the picture.
    behind, _ = parts(Photo(tmp_path / "a.png", box=(0, 0, 30, 20)), channels=1)
    assert behind.shape == (30, 45, 1)


def test_a_box_that_is_nearly_the_picture_has_no_surroundings(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    photo = Photo(tmp_path / "a.png", box=(2, 2, 98, 98))
    assert not has_surroundings(photo, 100, 100)
    behind, _ = parts(photo, channels=3)
    assert behind.shape == (96, 96, 3)
    assert (behind[:9] == noise[2:11, 2:98]).all()


def test_photos_that_are_hardly_there(tmp_path):
    for size in ((1, 1), (2, 1), (3, 3), (1, 40)):
        Image.new("RGB", size, "red").save(tmp_path / "a.png")
        for part in parts(Photo(tmp_path / "a.png"), channels=3):
            assert part.shape == (size[1], size[0], 3)
    with pytest.raises(UnreadablePhoto, match="does not lie within"):
        parts(Photo(tmp_path / "a.png", box=(0, 0, 9, 99)), channels=3)
    gone = [Photo(tmp_path / "a.png"), Photo(tmp_path / "gone.png"), Photo(tmp_path / "a.png")]
    assert [place for place, _, _ in both_parts(gone, channels=1)] == [0, 2]


def test_many_photos_are_cut_down_to_whole_individuals():
    who = [f"w{n // 10}" for n in range(1000)]
    query, gallery = np.arange(0, 1000, 2), np.arange(1, 1000, 2)
    assert len(chosen(who, query, gallery)) == 1000
    some = chosen(who, query, gallery, most=205)
    assert len(some) == 200
    assert set(np.bincount(some // 10)[np.unique(some // 10)]) == {10}
    np.testing.assert_array_equal(some, chosen(who, query, gallery, most=205))


def test_nobody_who_asks_is_in_the_gallery():
    vectors = np.eye(2, dtype=np.float32)
    found = background_test(
        vectors, vectors, vectors, ["a", "b"], None, np.array([0]), np.array([1]), apart=False
    )
    assert found is None
