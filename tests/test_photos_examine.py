"""One look at every photo: what is broken is told, what is not is described, memory stays small."""

import hashlib
import io
import shutil
import time
import tracemalloc
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from resight.errors import UnusablePhotos
from resight.photos.decode import read_image
from resight.photos.examine import difference_hash, examine
from resight.photos.gather import gather
from resight.photos.photo import Photo


def scene(seed: int, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Soft random shapes, as a photo is: neighbouring pixels are alike."""
    cells = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def test_what_one_look_tells(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2025:04:14 10:11:12"
    exif[0x0112] = 6
    scene(0).save(tmp_path / "a.jpg", exif=exif)
    Image.new("L", (30, 20), 200).save(tmp_path / "b.png")
    looked = examine([Photo(tmp_path / "a.jpg"), Photo(tmp_path / "b.png")])
    assert looked.problems == []
    one, two = looked.facts
    assert one is not None
    assert two is not None
    raw = (tmp_path / "a.jpg").read_bytes()
    assert one.content_hash == hashlib.sha256(raw).hexdigest()
    assert (one.bytes, one.width, one.height) == (len(raw), 200, 300)
    assert one.taken_at == datetime(2025, 4, 14, 10, 11, 12)
    whole = read_image(tmp_path / "a.jpg", channels=1)[:, :, 0]
    assert one.brightness == pytest.approx(whole.mean(), abs=2)
    assert apart(one.difference_hash, difference_hash(whole)) <= 3
    assert (two.width, two.height, two.difference_hash, two.brightness) == (30, 20, 0, 200)
    assert two.taken_at is None


def test_the_hash_of_a_box_is_that_of_the_crop(tmp_path: Path) -> None:
    large = scene(3, (3000, 2000))
    for turn in (1, 6, 3):
        exif = Image.Exif()
        exif[0x0112] = turn
        large.save(tmp_path / "a.jpg", exif=exif, quality=95)
        boxes = [(0, 0, 1500, 1800), (701, 333, 901, 555), (100, 100, 140, 150)]
        looked = examine([Photo(tmp_path / "a.jpg", box=box) for box in boxes])
        for facts, box in zip(looked.facts, boxes, strict=True):
            crop = read_image(tmp_path / "a.jpg", channels=1, box=box)[:, :, 0]
            assert facts is not None
            assert apart(facts.difference_hash, difference_hash(crop)) <= 4, (turn, box)
            assert facts.brightness == pytest.approx(crop.mean(), abs=3)


@given(st.integers(0, 1000))
@settings(max_examples=30)
def test_near_copies_have_near_hashes_and_others_do_not(seed: int) -> None:
    one = scene(seed).convert("L")
    packed = io.BytesIO()
    one.save(packed, "JPEG", quality=60)
    hashed = difference_hash(np.asarray(one))
    assert 0 <= hashed < 2**64
    copies = [Image.open(packed), one.resize((150, 100)), one.point([v * 0.8 for v in range(256)])]
    for copy in copies:
        assert apart(hashed, difference_hash(np.asarray(copy))) <= 6
    assert apart(hashed, difference_hash(np.asarray(scene(seed + 5000).convert("L")))) > 10


def test_bits_of_the_hash_by_hand() -> None:
    rising = np.tile(np.arange(9, dtype=np.uint8), (8, 1))
    assert difference_hash(rising) == 2**64 - 1
    assert difference_hash(rising[:, ::-1]) == 0
    one = np.zeros((8, 9), np.uint8)
    one[0, 1] = 9
    assert difference_hash(one) == 1 << 63
    one = np.zeros((8, 9), np.uint8)
    one[7, 8] = 9
    assert difference_hash(one) == 1
    assert isinstance(difference_hash(np.zeros((1, 1), np.uint8)), int)


def test_what_is_wrong_with_a_photo_is_told_with_its_place(tmp_path: Path) -> None:
    good = tmp_path / "good.jpg"
    scene(1).save(good)
    (tmp_path / "cut.jpg").write_bytes(good.read_bytes()[:2000])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    photos = [
        Photo(good, "Luna"),
        Photo(tmp_path / "cut.jpg"),
        Photo(tmp_path / "text.png"),
        Photo(tmp_path / "empty.png"),
        Photo(tmp_path / "none.png"),
        Photo(good, "Luna", box=(0, 0, 301, 10)),
        Photo(good, "Luna", box=(0, 0, 300, 200)),
        Photo(good, "Sol", box=(1, 1, 9, 9)),
        Photo(good, "Luna", box=(1, 1, 9, 9)),
        Photo(tmp_path),
    ]
    for threads in (1, 3):
        looked = examine(photos, threads=threads)
        assert [facts is None for facts in looked.facts] == [n not in (0, 6) for n in range(10)]
        assert [problem.place for problem in looked.problems] == [1, 2, 3, 4, 5, 7, 8, 9]
        words = [problem.what for problem in looked.problems]
        for said, says in zip(
            words,
            ["cut short", "not a picture", "empty", "no such file", "within its 300 × 200 pixels",
             "'Luna' and 'Sol'", "'Luna' and 'Sol'", "not a file"], strict=True,
        ):  # fmt: skip
            assert says in said
        assert looked.problems[0].where == str(tmp_path / "cut.jpg")


def test_a_box_of_the_whole_picture_is_the_same_photo_as_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(1).save(tmp_path / "a.jpg", exif=exif)
    scene(2).save(tmp_path / "b.jpg")
    table = tmp_path / "t.csv"
    table.write_text(
        "path,individual,box\na.jpg,Luna,\na.jpg,Sol,0 0 200 300\na.jpg,Sol,0 0 200 299\n"
        "b.jpg,Luna,\nb.jpg,Luna,0 0 300 200\n"
    )
    found = gather(table, skip_bad=True)
    assert [(one.row, one.what.partition(": ")[2]) for one in found.left_out] == [
        (row, "stands there as 'Luna' and 'Sol'; a photo has one name") for row in (2, 3)
    ]
    assert len(found.photos) == len(found.facts) == 3


def test_heic_is_read_with_its_date_and_upright(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2025:04:14 10:11:12"
    picture = heif.from_pillow(scene(2))
    picture.save(tmp_path / "a.heic", exif=exif.tobytes())
    (tmp_path / "cut.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:1500])
    looked = examine([Photo(tmp_path / "a.heic"), Photo(tmp_path / "cut.heic")])
    facts = looked.facts[0]
    assert facts is not None
    assert (facts.width, facts.height) == (200, 300)
    assert facts.taken_at == datetime(2025, 4, 14, 10, 11, 12)
    assert [problem.place for problem in looked.problems] == [1]
    upright = read_image(tmp_path / "a.heic", channels=3)
    expected = np.asarray(scene(2).rotate(-90, expand=True)).astype(int)
    assert np.abs(upright.astype(int) - expected).mean() < 12


def test_twenty_thousand_files_of_which_37_are_broken(tmp_path: Path) -> None:
    packed = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)).save(
        packed, "PNG"
    )
    whole = packed.getvalue()
    bad = set(np.random.default_rng(0).choice(20_000, 37, replace=False).tolist())
    for individual in range(200):
        folder = tmp_path / "in" / f"whale {individual:03}"
        folder.mkdir(parents=True)
        for n in range(100):
            place = individual * 100 + n
            (folder / f"{place:05}.png").write_bytes(whole[:150] if place in bad else whole)
    began = time.process_time()
    listing = tmp_path / "problems.csv"
    found = gather(tmp_path / "in", skip_bad=True, listing=listing)
    assert time.process_time() - began < 20  # 5 here
    assert (len(found.photos), len(found.facts), len(found.left_out)) == (19_963, 19_963, 37)
    assert {int(photo.path.stem) for photo in found.photos}.isdisjoint(bad)
    assert {int(one.file.stem) for one in found.left_out if one.file} == bad
    lines = listing.read_text(encoding="utf-8").splitlines()
    assert {int(Path(line.split(",")[0]).stem) for line in lines[1:]} == bad
    shutil.rmtree(tmp_path / "in")


def test_without_skip_bad_the_first_twenty_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "Luna"
    folder.mkdir(parents=True)
    for n in range(100):
        scene(n, (20, 20)).save(folder / f"{n:03}.png")
        if n % 4 == 0:
            (folder / f"{n:03}.png").write_bytes(b"broken")
    with pytest.raises(UnusablePhotos) as refused:
        gather(tmp_path / "in")
    assert str(refused.value) == (
        f"{tmp_path / 'in'}: 25 problems; put them right, or go on without these photos with "
        "--skip-bad"
    )
    notes = refused.value.__notes__
    assert [Path(note.split(": ")[0]).stem for note in notes[:-1]] == [
        f"{n:03}" for n in range(0, 80, 4)
    ]
    assert notes[-1] == "and 5 more; --problems FILE.csv lists all"
    with pytest.raises(UnusablePhotos, match="25 problems"):
        gather(tmp_path / "in", listing=tmp_path / "problems.csv")
    assert len((tmp_path / "problems.csv").read_text().splitlines()) == 26


def test_decoding_holds_few_pictures_at_a_time(tmp_path: Path) -> None:
    """A hundred pictures of 12 megabytes each as pixels, of which a handful is under way."""
    scene(0, (2000, 2000)).convert("L").save(tmp_path / "large.png")
    photos = []
    for n in range(60):
        (tmp_path / f"{n}.png").hardlink_to(tmp_path / "large.png")
        photos.append(Photo(tmp_path / f"{n}.png"))
    tracemalloc.start()
    looked = examine(photos, threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert looked.problems == []
    assert peak < 8 * (2000 * 2000 + 300_000)


def test_problems_of_a_table_have_file_and_row(tmp_path: Path) -> None:
    scene(1).save(tmp_path / "a.jpg")
    scene(2).save(tmp_path / "b.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:2000])
    table = tmp_path / "t.csv"
    table.write_text(
        "path,individual,date,box\na.jpg,Luna,,0 0 9 9\ncut.jpg,Luna,,\nnone.jpg,Luna,,\n"
        "a.jpg,Sol,03/04/2025,\na.jpg,Sol,,0 0 999 9\nb.jpg,,,\nb.jpg,,2025-01-01,\n"
    )
    with pytest.raises(UnusablePhotos) as refused:
        gather(table)
    assert [note.split(": ")[0] for note in refused.value.__notes__] == [
        f"{table}, line {line}" for line in (3, 4, 5, 6)
    ]
    said: list[str] = []
    found = gather(table, skip_bad=True, say=said.append)
    assert [photo.path.name for photo in found.photos] == ["a.jpg"]
    assert [(one.row, one.file and one.file.name) for one in found.left_out] == [
        (3, "cut.jpg"), (4, "none.jpg"), (5, "a.jpg"), (6, "a.jpg"),
    ]  # fmt: skip
    assert "3 April or 4 March" in found.left_out[2].what
    assert any("1 photo of nobody's name" in words for words in said)
    table.write_text("path\nb.jpg\n")
    with pytest.raises(UnusablePhotos, match="--column individual=NAME"):
        gather(table)
    assert len(gather(table, named=False).photos) == 1
