"""What is told of photos that are alike, and of an individual's two sides."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from inspections import DAY, SOME, found, herd, kinds, looked
from resight.photos.photo import Photo


def test_copies_within_and_across_individuals() -> None:
    photos = herd()
    hashes = {"0-0-0": "a", "0-0-1": "a", "0-1-0": "a", "1-0-0": "b", "2-0-0": "b"}
    inspection = looked(photos, content_hash=hashes)
    copies, crossed = found(inspection, "copies"), found(inspection, "crossed")
    assert (copies.count, copies.cases) == (2, 1)
    assert copies.examples[0].photos == (0, 1, 2)
    assert (crossed.count, crossed.examples[0].words) == (1, "cow 1 and cow 2")
    assert [one.grade for one in inspection.findings] == ["mend", "mend"]
    assert "mend first" in inspection.verdict


def test_two_boxes_of_one_file_are_no_copies() -> None:
    photos = [*herd(), Photo(Path("two.jpg"), "cow 0", date=DAY, box=(0, 0, 90, 90))]
    photos.append(Photo(Path("two.jpg"), "cow 1", date=DAY, box=(95, 0, 190, 90)))
    assert kinds(looked(photos, content_hash={"two": "same"})) == []


def test_near_copies_within_and_across_individuals() -> None:
    photos = herd()
    pixels = np.random.default_rng(0).integers(0, 256, (36, 256), dtype=np.uint8)
    pixels[[1, 13]] = pixels[[0, 12]]
    pixels[30] = pixels[24]
    close = {photos[n].path.stem: h for n, h in ((0, 5), (1, 7), (12, 5 << 40), (13, 7 << 40))}
    close |= {photos[24].path.stem: 9 << 20, photos[30].path.stem: 9 << 20}
    inspection = looked(photos, pixels=pixels, difference_hash=close)
    near, crossed = found(inspection, "near-copies"), found(inspection, "near-crossed")
    assert (near.count, near.cases) == (4, 2)
    assert [one.photos for one in near.examples] == [(0, 1), (12, 13)]
    assert (crossed.count, crossed.examples[0].photos) == (1, (24, 30))


def test_one_wrong_name_in_a_burst_is_one_photo_and_the_burst_is_still_told() -> None:
    photos = [Photo(Path(f"{n}.jpg"), "Luna", date=DAY) for n in range(300)]
    photos[140] = Photo(Path("140.jpg"), "Sol", date=DAY)
    photos[141] = Photo(Path("141.jpg"), None, date=DAY)
    hashes = {f"{n}": 7 << 20 | (1 << n % 8) for n in range(300)}
    same = np.random.default_rng(0).integers(0, 256, (1, 256), dtype=np.uint8)
    inspection = looked(photos, pixels=same.repeat(300, axis=0), difference_hash=hashes)
    near, crossed = found(inspection, "near-copies"), found(inspection, "near-crossed")
    assert (crossed.count, crossed.cases) == (1, 1)
    assert crossed.title == "1 photo is nearly the same picture as one under another name"
    assert crossed.examples[0].words == "1 of Sol among 298 of Luna"
    assert 140 in crossed.examples[0].photos
    assert len(crossed.examples[0].photos) == 2
    assert near.title == "299 photos in 1 group of near-copies"


def test_of_one_file_under_two_paths_no_copy_is_to_be_removed(tmp_path: Path) -> None:
    (tmp_path / "luna.jpg").write_bytes(b"x")
    (tmp_path / "sol.jpg").symlink_to(tmp_path / "luna.jpg")
    photos = [*herd(), *(Photo(tmp_path / f"{name}.jpg", name, date=DAY) for name in SOME)]
    crossed = found(looked(photos, content_hash={"luna": "x", "sol": "x"}), "crossed")
    assert "remove the copy" not in crossed.advice
    assert "they are one file under two paths" in crossed.advice
    (tmp_path / "sol.jpg").unlink()
    (tmp_path / "sol.jpg").write_bytes(b"x")
    crossed = found(looked(photos, content_hash={"luna": "x", "sol": "x"}), "crossed")
    assert "remove the copy" in crossed.advice


def test_sides() -> None:
    words = ["left", "Left side", "L", "right", "", None]
    photos = [
        Photo(Path(f"{n}.jpg"), f"cow {n % 3}", date=DAY + timedelta(n), side=words[n % 6])
        for n in range(24)
    ]
    inspection = looked(photos)
    assert "'left' (4) and 'Left side' (4) and 'L' (4)" in (
        found(inspection, "sides-written").examples[0].words
    )
    assert found(inspection, "sides-missing").count == 8
    one = found(inspection, "one-sided")
    assert one.title.startswith("2 individuals of 3 were photographed from one side only")
    assert found(inspection, "sides-written").grade == "mend"


def _on_both_sides(*words: str | None) -> list[Photo]:
    return [
        Photo(Path(f"{who}-{n}.jpg"), f"cow {who}", date=DAY + timedelta(n), side=word)
        for who in range(5)
        for n, word in enumerate(words)
    ]


def test_both_sides_under_one_name_are_told() -> None:
    inspection = looked(_on_both_sides("left", "Right", "L"))
    mixed = found(inspection, "mixed-sides")
    assert (mixed.grade, mixed.count) == ("know", 5)
    assert mixed.title == "5 individuals of 5 have several sides under one name"
    assert mixed.examples[0].words == "cow 0: left and right"
    assert mixed.examples[0].photos == (0, 1)
    assert "Luna L" in mixed.advice
    assert "one-sided" not in kinds(inspection)
    assert "mixed-sides" not in kinds(looked(_on_both_sides("left", "left")))


@pytest.mark.parametrize("word", ["unknown", "Unknown", "none", "n/a", "NaN", "?", " ", ""])
def test_a_word_for_no_side_is_no_side(word: str) -> None:
    inspection = looked(_on_both_sides("left", "left", word))
    assert kinds(inspection) == ["sides-missing"]
    assert found(inspection, "sides-missing").count == 5
    assert kinds(looked(_on_both_sides(word, word))) == []
