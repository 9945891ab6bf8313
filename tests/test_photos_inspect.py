"""What a biologist's folder is told before training."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import resight
from inspections import DAY, found, herd, kinds, looked
from resight.photos.examine import Examined, Facts
from resight.photos.findings import EXAMPLES
from resight.photos.header import NOTHING
from resight.photos.inspect import inspect
from resight.photos.inspect_report import report_page, write_report
from resight.photos.photo import Photo
from resight.photos.problem import Problem
from textures import texture


def _fact(number: int) -> Facts:
    return Facts(f"{number}", 1, 200, 100, NOTHING, 0, 100.0)


def _never(places: np.ndarray) -> np.ndarray:
    raise AssertionError("nothing is like anything else")


def test_a_tidy_herd_has_nothing_to_say() -> None:
    inspection = looked(herd())
    assert kinds(inspection) == []
    assert inspection.can_train
    assert inspection.verdict == (
        "Training can begin: 36 photos of 6 individuals, all with two photos or more."
    )
    assert inspection.counts == {f"cow {who}": 6 for who in range(6)}
    assert inspection.days == {f"2025-04-0{day}": 12 for day in (1, 2, 3)}
    assert inspection.encounters == 18
    assert "Nothing was found" in report_page(inspection, title="herd")


def test_what_cannot_be_used_is_told_and_training_goes_on_without() -> None:
    photos = herd()
    problems = [Problem("table.csv, line 9", "9.jpg: no such file", Path("9.jpg"), 9, 3)]
    examined = Examined([None, *[_fact(n) for n in range(1, len(photos))]], problems)
    early = [Problem(f"table.csv, line {line}", "'x' is no date") for line in (2, 9)]
    inspection = inspect(photos, examined, problems=early, look=_never)
    broken = found(inspection, "broken")
    assert (broken.count, broken.cases) == (2, 3)  # line 9 has two
    assert broken.title == "2 photos cannot be used"
    assert [one.words for one in broken.examples] == [
        "table.csv, line 2: 'x' is no date",
        "table.csv, line 9: 'x' is no date",
        "table.csv, line 9: 9.jpg: no such file",
    ]
    assert "--skip-bad" in inspection.verdict
    assert sum(inspection.counts.values()) == 35


def test_slips_in_names() -> None:
    photos = [*herd(), Photo(Path("x.jpg"), "Cow 1", date=DAY), Photo(Path("y.jpg"), "cow 01")]
    inspection = looked(photos)
    assert (
        "'Cow 1' (1 photo) and 'cow 1' (6 photos)" in found(inspection, "names").examples[0].words
    )
    assert "look alike" in found(inspection, "names-alike").examples[0].words


def test_bursts_count_what_a_random_split_would_give_away() -> None:
    inspection = looked(herd(individuals=4, days=2, each=15))
    bursts = found(inspection, "bursts")
    assert bursts.count == 8
    assert "100% of all photos" in bursts.title
    assert "Split at random, 100% of the photos" in bursts.cost
    assert len(bursts.examples[0].photos) == 6
    assert found(looked(herd(days=1, each=3)), "met-once").count == 6


def test_without_dates_it_says_that_nothing_tells() -> None:
    photos = [Photo(Path(f"{n}.jpg"), f"{n % 5}") for n in range(20)]
    assert "Only a random split" in found(looked(photos), "no-dates").cost
    given = [Photo(p.path, p.individual, split="train") for p in photos]
    assert "table's own split" in found(looked(given), "no-dates").cost


def test_the_files_own_date_is_taken_and_compared() -> None:
    from resight.photos.header import Told

    photos = [Photo(p.path, p.individual, date=p.date if n else None) for n, p in enumerate(herd())]
    exif = {
        photos[0].path.stem: Told(taken_at=DAY),
        photos[1].path.stem: Told(taken_at=DAY - timedelta(days=365)),
    }
    inspection = looked(photos, exif=exif)
    assert inspection.photos[0].date == DAY
    assert found(inspection, "dates-differ").examples[0].words.endswith("file 2024-04-01")
    assert "dates-missing" not in kinds(inspection)


def test_dates_that_cannot_be_and_that_are_missing() -> None:
    future = datetime.now(UTC) + timedelta(days=40)
    photos = herd()
    for number, date in enumerate([future, datetime(1970, 1, 1, 0, 0, 7), None]):
        photos[number] = Photo(photos[number].path, "cow 0", date=date)
    inspection = looked(photos)
    assert found(inspection, "dates-wrong").count == 2
    assert found(inspection, "dates-missing").count == 1


def test_singles_imbalance_and_nobody() -> None:
    photos = [
        *(Photo(Path(f"a{n}.jpg"), "Ada", date=DAY + timedelta(n)) for n in range(40)),
        *(Photo(Path(f"b{n}.jpg"), f"B{n % 8}", date=DAY + timedelta(n)) for n in range(16)),
        Photo(Path("c.jpg"), "Cleo", date=DAY),
        Photo(Path("n.jpg"), None, date=DAY),
    ]
    inspection = looked(photos)
    assert found(inspection, "singles").title == "1 individual of 10 has one photo only"
    assert "show 1 of 10 individuals" in found(inspection, "imbalance").title
    assert found(inspection, "unnamed").count == 1
    assert "9 of them with two photos or more" in inspection.verdict


def test_small_dark_and_bright_by_their_box() -> None:
    photos = herd()
    photos[3] = Photo(photos[3].path, "cow 0", date=DAY, box=(0, 0, 20, 90))
    stems = [photo.path.stem for photo in photos]
    inspection = looked(photos, brightness={stems[0]: 3.0, stems[1]: 250.0})
    assert found(inspection, "small").examples[0].words == "cow 0, 20 × 90 pixels"
    assert found(inspection, "dark").examples[0].photos == (0,)
    assert found(inspection, "bright").examples[0].photos == (1,)


@pytest.mark.parametrize(
    ("photos", "words"),
    [
        ([Photo(Path("a.jpg"), "A"), Photo(Path("b.jpg"), "A")], "the same individual"),
        ([Photo(Path("a.jpg"), "A"), Photo(Path("b.jpg"), "B")], "one photo only"),
        ([Photo(Path("a.jpg"))], "no photo says"),
        ([], "no photo says"),
    ],
)
def test_what_cannot_teach_is_said(photos: list[Photo], words: str) -> None:
    inspection = looked(photos)
    assert not inspection.can_train
    assert inspection.verdict.startswith("Training cannot begin: ")
    assert words in inspection.verdict


def test_a_thousand_cases_stay_a_page() -> None:
    photos = [Photo(Path(f"{n}.jpg"), f"cow {n:04d}", date=DAY) for n in range(1000)]
    inspection = looked(photos, brightness={f"{n}": 2.0 for n in range(1000)})
    for one in inspection.findings:
        assert len(one.examples) <= EXAMPLES
        assert all(len(example.photos) <= 6 for example in one.examples)
    assert found(inspection, "dark").count == 1000
    page = report_page(inspection, title="many")
    assert "The first 24 of 1,000." in page
    assert len(page) < 60_000


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A folder as people have it: a broken file, copies under two names, a slip, a single."""
    place = tmp_path / "photos"
    for seed, name in enumerate(["Luna", "luna ", "Milo", "<b>Zoë & co"]):
        folder = place / name
        folder.mkdir(parents=True)
        for number in range(3 if name in ("Luna", "Milo") else 1):
            picture = Image.fromarray(texture(10 * seed + number))
            picture.save(folder / f"{number}.jpg", quality=92)
    (place / "Milo" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (place / "Milo" / "copy.jpg").write_bytes((place / "Milo" / "1.jpg").read_bytes())
    (place / "Milo" / "hers.jpg").write_bytes((place / "Luna" / "0.jpg").read_bytes())
    again = Image.open(place / "Luna" / "1.jpg").resize((90, 90))
    again.save(place / "Milo" / "small.jpg", quality=60)
    return place


def test_a_messy_folder_from_end_to_end(messy: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    ran = resight("inspect", messy, "--report", report)
    assert ran.code == 0, ran
    for words in (
        "1 photo cannot be used",
        "1 picture stands under two names",
        "1 photo is a copy of others",
        "1 photo is nearly the same picture as one under another name",
        "1 name is written in several ways",
        "Luna and Milo (1.jpg, small.jpg)",
    ):
        assert words in " ".join(ran.out.split()), (words, ran.out)
    assert "Training can begin with --skip-bad, but mend first" in " ".join(ran.out.split())
    page = report.read_text(encoding="utf-8")
    assert "<b>Zoë" not in page
    assert "&lt;b&gt;Zoë &amp; co" in page
    assert page.count("data:image/jpeg;base64,") >= 8
    sources = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]{1,30})""", page)
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_json_is_json_and_nothing_else(messy: Path) -> None:
    ran = resight("inspect", messy, "--json")
    entry = json.loads(ran.out)
    assert (ran.code, entry["can_train"]) == (0, True)
    assert {one["kind"]: one["count"] for one in entry["findings"]} == {
        "broken": 1,
        "crossed": 1,
        "copies": 1,
        "names": 1,
        "near-crossed": 1,
        "no-dates": 11,
        "singles": 2,
    }
    crossed = next(one for one in entry["findings"] if one["kind"] == "crossed")
    assert {Path(path).name for path in crossed["examples"][0]["photos"]} == {"0.jpg", "hers.jpg"}


def test_every_broken_file_is_listed_for_whoever_asks(tmp_path: Path) -> None:
    for number in range(8):
        folder = tmp_path / "photos" / f"cow{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(texture(number)).save(folder / f"{number}.png")
    broken = [tmp_path / "photos" / "cow1" / f"broken{number}.jpg" for number in range(37)]
    for path in broken:
        path.write_bytes(b"no picture")
    listing = tmp_path / "problems.csv"
    ran = resight("inspect", tmp_path / "photos", "--json", "--problems", listing)
    told = json.loads(ran.out)["problems"]
    assert sorted(one["file"] for one in told) == sorted(map(str, broken))
    assert listing.read_text().count("not a picture") == 37
    ran = resight("inspect", tmp_path / "photos")
    assert "--problems FILE.csv lists all 37 problems" in ran.out
    assert resight("inspect", tmp_path / "photos", "--problems", tmp_path / "a.html").code == 1


def test_the_same_twice_is_the_same(messy: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        assert resight("inspect", messy, "--report", tmp_path / name).code == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_report_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report.html"
    out.write_text("the last one")

    def full(*words: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_report(looked(herd()), out, title="herd")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert out.read_text() == "the last one"


def test_bad_options_are_refused_before_anything_is_read(messy: Path, tmp_path: Path) -> None:
    for words in (("--report", tmp_path / "report.pdf"), ("--column", "individual")):
        ran = resight("inspect", messy, *words)
        assert "Error: " in ran.failed_in_one_line()
    assert resight("inspect", tmp_path / "nowhere").code == 1


def test_the_real_sets_are_not_full_of_false_alarms(data: Path) -> None:
    """One infrared cow is much like another; they are no near-copies."""
    ran = resight("inspect", data / "holstein" / "open_gallery", "--json")
    entry = json.loads(ran.out)
    alarms = {one["kind"] for one in entry["findings"]} & {"near-copies", "near-crossed", "crossed"}
    assert entry["photos"] == 61
    assert alarms == set()
