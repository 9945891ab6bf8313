"""Keypoints: where they lie, how they are described, and the cache."""

import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from resight.compare import KeypointCache, Keypoints, draw_match, find_keypoints, match
from resight.compare import keypoints as module
from resight.errors import UnreadablePhoto
from resight.photos.content import content_hash
from resight.photos.decode import read_image
from resight.photos.glyphs import draw_glyph
from textures import noisy, texture, turned


def test_descriptors_are_the_roots_of_opencvs_histograms() -> None:
    image = texture(1, side=256)
    found = find_keypoints(image)
    points, described = cv2.SIFT_create(nfeatures=500, contrastThreshold=0.02).detectAndCompute(
        image, None
    )
    strongest = int(np.argmax([point.response for point in points]))
    np.testing.assert_allclose(found.places[0], points[strongest].pt, atol=1e-3)
    share = described[strongest] / described[strongest].sum()
    np.testing.assert_allclose(found.descriptors[0] ** 2, share, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.descriptors, axis=1), 1, atol=1e-5)
    assert found.angles.max() <= 2 * np.pi
    assert found.size == (256, 256)
    assert len(found) > 100


def test_colour_grey_and_one_channel_are_the_same_photo() -> None:
    image = texture(2)
    forms = [image, image[..., None], np.repeat(image[..., None], 3, axis=2)]
    found = [find_keypoints(form) for form in forms]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].descriptors, other.descriptors)


def test_small_photos_are_enlarged_and_large_ones_shrunk_and_places_are_the_photos_own() -> None:
    """The same picture at three sizes: its spots lie at the same shares of the side."""
    image = texture(3, side=256)
    large = np.asarray(Image.fromarray(image).resize((2048, 2048), Image.Resampling.BICUBIC))
    small = np.asarray(Image.fromarray(image).resize((64, 64), Image.Resampling.BOX))
    whole, more, few = find_keypoints(image), find_keypoints(large), find_keypoints(small)
    assert more.places.max() > 1500
    assert few.places.min() >= 0
    assert few.places.max() < 64
    assert len(few) > 5
    for other in (more, few):
        spots = (other.places[:20] + 0.5) / other.size[0]
        away = np.linalg.norm((whole.places + 0.5)[None] / 256 - spots[:, None], axis=2).min(1)
        assert np.median(away) < 0.01


def test_a_drawing_of_28_pixels_has_keypoints() -> None:
    found = find_keypoints(draw_glyph("star", np.random.default_rng(0)))
    assert len(found) >= 10


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_photo_has_none(level: int) -> None:
    found = find_keypoints(np.full((80, 60, 3), level, np.uint8))
    assert len(found) == 0
    assert found.places.shape == (0, 2)
    assert found.descriptors.shape == (0, 128)
    assert found.size == (80, 60)


def test_the_strongest_are_kept() -> None:
    image = texture(4)
    some, all_of_them = find_keypoints(image, most=30), find_keypoints(image, most=5000)
    assert len(some) == 30 < len(all_of_them)
    np.testing.assert_allclose(some.places, all_of_them.places[:30], atol=1e-3)


def test_clahe_finds_more_in_the_dark() -> None:
    dim = (texture(5) // 12 + 3).astype(np.uint8)
    assert len(find_keypoints(dim, clahe=True)) > len(find_keypoints(dim)) + 10


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 5), np.float32),
        np.zeros((5, 5, 2), np.uint8),
        np.zeros(5, np.uint8),
    ],
    ids=lambda image: f"{image.dtype}{image.shape}",
)
def test_what_is_no_photo_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="photo"):
        find_keypoints(image)


@settings(max_examples=25)
@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        elements=st.integers(0, 255),
    )
)
def test_any_pixels_are_looked_at_without_an_error(image: np.ndarray) -> None:
    found = find_keypoints(image)
    assert np.isfinite(found.places).all()
    assert np.isfinite(found.descriptors).all()
    assert len(found) == len(found.sizes) == len(found.angles) == len(found.descriptors)


def _same(one: Keypoints, other: Keypoints) -> bool:
    """Whether they are equal to the bit."""
    return (one.size, len(one)) == (other.size, len(other)) and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("places", "sizes", "angles", "descriptors")
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "cow.png"
    Image.fromarray(texture(6)).save(path)
    return path


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A line for every time that a photo is really looked at."""
    seen: list[int] = []
    real = module._look

    def count(*arguments: object) -> object:
        seen.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_look", count)
    return seen


def test_a_photo_is_looked_at_once_wherever_it_lies(
    photo: Path, tmp_path: Path, looks: list[int]
) -> None:
    folder = tmp_path / "kept"
    cache = KeypointCache(folder)
    first = cache.of(photo)
    assert cache.of(str(photo)) is first
    moved = photo.rename(tmp_path / "moved.png")
    assert cache.of(moved) is first
    later = KeypointCache(folder).of(moved)
    assert len(looks) == 1
    assert _same(first, later)
    assert later.descriptors.dtype == np.float32


@pytest.mark.parametrize("upright", [False, True])
def test_what_was_kept_matches_as_what_was_found(tmp_path: Path, upright: bool) -> None:
    """The score of a ratio test near its bar would flip by a rounding."""
    cow = texture(6)
    files = [tmp_path / f"{name}.png" for name in "abc"]
    for file, pixels in zip(files, (cow, noisy(turned(cow, 4)), texture(7)), strict=True):
        Image.fromarray(pixels).save(file)

    def scores() -> list[float]:
        cache = KeypointCache(tmp_path / "kept", upright=upright)
        points = [cache.of(file) for file in files]
        return [match(points[0], other, ratio=0.9).score for other in points]

    first = scores()
    assert first == scores()
    assert min(first[:2]) > 10


def test_a_keypoint_takes_144_bytes(photo: Path, tmp_path: Path) -> None:
    found = KeypointCache(tmp_path / "kept").of(photo)
    (file,) = (tmp_path / "kept").glob("*/*.npz")
    assert 144 * len(found) < file.stat().st_size < 144 * len(found) + 1500


def test_an_entry_of_an_older_version_is_made_anew(
    photo: Path, tmp_path: Path, looks: list[int]
) -> None:
    """It held RootSIFT as float16, and places on the photo as it was read."""
    right = KeypointCache(tmp_path / "kept").of(photo)
    (file,) = (tmp_path / "kept").glob("*/*.npz")
    for older in ({}, {"version": 1, "histograms": np.zeros((3, 128), np.uint8)}):
        half = np.zeros((3, 128), np.float16)
        np.savez(file, rows=np.zeros((3, 4)), descriptors=half, size=(9, 9), **older)
        assert _same(KeypointCache(tmp_path / "kept").of(photo), right)
    assert len(looks) == 3
    assert _same(KeypointCache(tmp_path / "kept").of(photo), right)
    assert len(looks) == 3


@pytest.mark.parametrize("turn", [1, 6], ids=["lying", "turned by EXIF"])
def test_places_are_the_photos_own_though_a_jpeg_is_read_smaller(tmp_path: Path, turn: int) -> None:
    path = tmp_path / "cow.jpg"
    exif = Image.Exif()
    exif[0x0112] = turn
    large = Image.fromarray(texture(3, 256)).resize((2402, 1801), Image.Resampling.BICUBIC)
    large.save(path, quality=95, exif=exif)
    image = read_image(path, channels=1)
    found, whole = KeypointCache(tmp_path / "kept").of(path), find_keypoints(image)
    assert found.size == image.shape[:2]
    away = np.linalg.norm(whole.places[None] - found.places[:20, None], axis=2).min(1)
    assert np.median(away) < 5, "of 2,400 pixels"
    assert np.median(found.sizes) == pytest.approx(np.median(whole.sizes), rel=0.1)
    draw_match(image, image, found, found, match(found, found))
    assert _same(KeypointCache(tmp_path / "kept").of(path), found)


def test_another_box_setting_or_content_is_another_entry(
    photo: Path, tmp_path: Path, looks: list[int]
) -> None:
    folder = tmp_path / "kept"
    whole = KeypointCache(folder).of(photo)
    part = KeypointCache(folder).of(photo, (20, 30, 140, 160))
    assert part.size == (130, 120)
    assert len(KeypointCache(folder, most=10).of(photo)) == 10
    KeypointCache(folder, clahe=True).of(photo)
    Image.fromarray(texture(7)).save(photo)
    assert not _same(KeypointCache(folder).of(photo), whole)
    assert len(looks) == 5


def test_a_blank_photo_is_kept_too(tmp_path: Path, looks: list[int]) -> None:
    Image.new("L", (60, 60), 90).save(tmp_path / "blank.png")
    cache = KeypointCache(tmp_path / "kept")
    assert len(cache.of(tmp_path / "blank.png")) == len(cache.of(tmp_path / "blank.png")) == 0
    assert len(KeypointCache(tmp_path / "kept").of(tmp_path / "blank.png")) == 0
    assert len(looks) == 1


@pytest.mark.parametrize("harm", ["cut", "empty", "other", "shape"])
def test_a_damaged_entry_is_made_anew(photo: Path, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "kept"
    right = KeypointCache(folder).of(photo)
    (file,) = folder.glob("*/*.npz")
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:300])
    elif harm == "empty":
        file.write_bytes(b"")
    elif harm == "other":
        np.savez(file, something=np.zeros(3))
    else:
        np.savez(
            file,
            rows=np.zeros((5, 4)),
            histograms=np.zeros((3, 128)),
            size=(9, 9),
            version=module._VERSION,
        )
    assert _same(KeypointCache(folder).of(photo), right)
    assert _same(KeypointCache(folder).of(photo), right)
    assert not list(folder.rglob("*.part"))


def test_without_a_place_to_keep_them_it_still_answers(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert len(KeypointCache(tmp_path / "file" / "below").of(photo)) > 10


def test_memory_holds_the_last_ones(photo: Path, tmp_path: Path, looks: list[int]) -> None:
    other = tmp_path / "other.png"
    Image.fromarray(texture(8)).save(other)
    cache = KeypointCache(in_memory=1)
    cache.of(photo)
    cache.of(other)
    cache.of(other)
    cache.of(photo)
    assert len(looks) == 3


@pytest.mark.parametrize("what", ["missing", "folder", "text", "pipe"])
def test_a_file_that_is_no_photo_is_told_of(tmp_path: Path, what: str) -> None:
    path = tmp_path / "photo.jpg"
    if what == "folder":
        path.mkdir()
    elif what == "text":
        path.write_text("nothing to see")
    elif what == "pipe":
        os.mkfifo(path)
    with pytest.raises(UnreadablePhoto):
        KeypointCache(tmp_path / "kept").of(path)


def test_threads_share_a_cache(photo: Path, tmp_path: Path) -> None:
    cache = KeypointCache(tmp_path / "kept")
    found: list[Keypoints] = []
    threads = [threading.Thread(target=lambda: found.append(cache.of(photo))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(_same(found[0], other) for other in found)


def test_upright_each_place_is_described_once_as_it_lies() -> None:
    image = texture(5, side=256)
    found, turning = find_keypoints(image, upright=True), find_keypoints(image)
    assert (found.angles == 0).all()
    rows = np.column_stack([found.places, found.sizes])
    assert len(np.unique(rows, axis=0)) == len(found) > 100
    assert len(found) < len(turning)
    # The strongest are the same places, and SIFT's own description of them without a turn.
    assert np.abs(found.places[0] - turning.places[0]).max() < 1e-3
    x, y = map(float, found.places[0])
    sift = cv2.SIFT_create(contrastThreshold=0.02)
    points = [one for one in sift.detect(image, None) if np.allclose(one.pt, (x, y), atol=1e-3)]
    points[0].angle = 0.0
    _, described = sift.compute(image, points[:1])
    share = described[0] / described[0].sum()
    np.testing.assert_allclose(found.descriptors[0] ** 2, share, atol=1e-6)
    assert len(find_keypoints(image, upright=True, most=7)) == 7
    assert len(find_keypoints(np.zeros((90, 90), np.uint8), upright=True)) == 0


def test_the_cache_tells_upright_from_turned(tmp_path: Path) -> None:
    photo = tmp_path / "cow.png"
    Image.fromarray(texture(6)).save(photo)
    turned = KeypointCache(tmp_path / "kept").of(photo)
    upright = KeypointCache(tmp_path / "kept", upright=True).of(photo)
    assert (upright.angles == 0).all()
    assert (turned.angles != 0).any()


def test_a_known_file_is_not_opened_again_and_another_in_its_place_is_refused(
    tmp_path: Path,
) -> None:
    photo = tmp_path / "cow.png"
    Image.fromarray(texture(6)).save(photo)
    content = content_hash(photo)
    first = KeypointCache(tmp_path / "kept").of(photo, content=content)
    photo.unlink()
    again = KeypointCache(tmp_path / "kept").of(photo, content=content)
    np.testing.assert_array_equal(again.places, first.places)
    with pytest.raises(UnreadablePhoto, match="no such file"):
        KeypointCache().of(photo, content=content)
    Image.fromarray(texture(7)).save(photo)
    with pytest.raises(UnreadablePhoto, match="another picture by now"):
        KeypointCache(tmp_path / "new").of(photo, content=content)
    assert len(KeypointCache(tmp_path / "new").of(photo)) > 50
