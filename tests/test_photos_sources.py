"""The ways in: files and folders, a folder per individual, pixels into memory."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resight.errors import ResightError, UnreadablePhoto, UnusablePhotos
from resight.photos.photo import Photo
from resight.photos.sources import (
    check_trainable,
    find_photos,
    load_pixels,
    photos_by_individual,
    warn_of_queries,
)


def picture(path: Path, level: int = 100, size: tuple[int, int] = (10, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)
    return path


def test_find_photos(tmp_path: Path) -> None:
    wanted = [picture(tmp_path / name) for name in ("a/1.PNG", "a/b/2.jpg", "a/c.tiff", "d.webp")]
    picture(tmp_path / ".hidden.png")
    picture(tmp_path / ".trash" / "a.png")
    (tmp_path / "a" / "notes.txt").write_text("no photo")
    assert find_photos([tmp_path]) == sorted(wanted)
    assert find_photos(tmp_path) == sorted(wanted)
    assert find_photos([wanted[3], str(tmp_path / "a")]) == [wanted[3], *sorted(wanted[:3])]
    assert find_photos([tmp_path / "a" / "notes.txt"]) == [tmp_path / "a" / "notes.txt"]


def test_find_photos_refuses_in_words(tmp_path: Path) -> None:
    with pytest.raises(ResightError, match=r"nowhere: no such file or folder"):
        find_photos([tmp_path / "nowhere"])
    with pytest.raises(UnusablePhotos, match=f"{re.escape(str(tmp_path))}: no photos there"):
        find_photos([tmp_path])
    with pytest.raises(UnusablePhotos):
        find_photos([])


def test_links_in_a_ring_are_not_followed(tmp_path: Path) -> None:
    path = picture(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert find_photos([tmp_path]) == [path]


def test_photos_by_individual(tmp_path: Path) -> None:
    picture(tmp_path / "Zoë" / "1.png")
    picture(tmp_path / "Anna" / "2020-05-01" / "2.png")
    picture(tmp_path / "Anna" / "2020-05-01" / "evening" / "3.png")
    picture(tmp_path / "Anna" / "0.png")
    picture(tmp_path / "stray.png")
    (tmp_path / "nobody").mkdir()
    photos = photos_by_individual(tmp_path, min_individuals=2)
    assert [(p.individual, p.encounter, p.path.name) for p in photos] == [
        ("Anna", None, "0.png"),
        ("Anna", "2020-05-01", "2.png"),
        ("Anna", "2020-05-01/evening", "3.png"),
        ("Zoë", None, "1.png"),
    ]


def test_folders_that_cannot_serve(tmp_path: Path) -> None:
    def message(root: Path, count: int = 1) -> str:
        with pytest.raises(UnusablePhotos) as caught:
            photos_by_individual(root, min_individuals=count)
        assert str(caught.value).startswith(f"{root}: ")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no such folder" in message(tmp_path / "nowhere")
    assert "no photos in it" in message(tmp_path)
    stray = picture(tmp_path / "stray.png")
    assert "in no individual's folder" in message(tmp_path)
    assert "not a folder" in message(stray)
    picture(tmp_path / "Anna" / "1.png")
    assert len(photos_by_individual(tmp_path)) == 1
    assert "1 individual(s) where 2 are needed" in message(tmp_path, 2)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "no photo says which"),
        ([None, None], "no photo says which"),
        (["a", "a", None], r"the same individual \(a\)"),
        (["a", "b", "c"], "each of the 3 individuals has one photo only"),
    ],
)
def test_what_cannot_train(names: list[str | None], words: str) -> None:
    with pytest.raises(UnusablePhotos, match=words):
        check_trainable([Photo(Path("x.png"), individual=name) for name in names])


def test_what_can_train() -> None:
    check_trainable([Photo(Path("x.png"), individual=name) for name in "aab"])


def test_load_pixels_keeps_order(tmp_path: Path) -> None:
    photos = [Photo(picture(tmp_path / f"{i}.png", i)) for i in range(100)]
    pixels, kept, unreadable = load_pixels(photos, (8, 10), 3, threads=3)
    assert pixels.shape == (100, 3, 8, 10)
    assert pixels.dtype == np.uint8
    assert (pixels == np.arange(100)[:, None, None, None]).all()
    assert kept == list(range(100))
    assert unreadable == []


def test_load_pixels_skips_or_raises(tmp_path: Path) -> None:
    photos = [Photo(picture(tmp_path / f"{i}.png", i)) for i in range(40)]
    photos[3] = Photo(tmp_path / "missing.png")
    photos[30].path.write_text("no picture")
    pixels, kept, unreadable = load_pixels(photos, (8, 10), 1, on_bad="skip")
    assert kept == [i for i in range(40) if i not in (3, 30)]
    assert pixels[:, 0, 0, 0].tolist() == kept
    assert [error.source for error in unreadable] == [str(photos[i].path) for i in (3, 30)]
    with pytest.raises(UnreadablePhoto, match=r"missing\.png: no such file"):
        load_pixels(photos, (8, 10), 1)


def test_load_pixels_cuts_boxes_and_fits(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40), np.uint8)
    pixels[5:15, 10:30] = 250
    Image.fromarray(pixels).save(tmp_path / "a.png")
    photo = Photo(tmp_path / "a.png", box=(10, 5, 30, 15))
    loaded, _, _ = load_pixels([photo], (10, 20), 1)
    assert (loaded == 250).all()
    loaded, _, _ = load_pixels([photo], (20, 20), 1, fill=7)
    assert loaded[0, 0, :, 10].tolist() == [7] * 5 + [250] * 10 + [7] * 5


def test_no_photos_give_no_pixels() -> None:
    pixels, kept, unreadable = load_pixels([], (8, 10), 3)
    assert pixels.shape == (0, 3, 8, 10)
    assert (kept, unreadable) == ([], [])


def test_queries_that_are_to_teach_are_told() -> None:
    photos = [Photo(Path("a"), "x", split=" Test"), Photo(Path("b"), "y", split="train")]
    with pytest.warns(UserWarning, match="1 of 2 photos that are learned from are queries"):
        warn_of_queries(photos)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_queries([*photos[1:], Photo(Path("c"), "z")])
