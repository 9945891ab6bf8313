"""The story, told the quick way; and the folder that it may write anew."""

import io
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from command_line import all_below, resight
from resight.catalogue import Catalogue
from resight.demo import tell_story
from resight.errors import ResightError
from resight.story.farewell import draw_command, next_commands, program_name
from resight.story.pictures import bars, data_uri, polyline
from resight.story.place import MARK, fresh_folder
from resight.story.telling import Teller, seconds_in_words

WRITTEN = ["catalogue.db", "map.png", "model.onnx", "report.html", "results.json"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a story in out/demo, and what was said."""
    pytest.importorskip("fastai", reason="the demo needs the train extra")
    place = tmp_path_factory.mktemp("told")
    said = io.StringIO()
    tell_story(place / "out" / "demo", quick=True, console=Console(file=said, width=100))
    return place, said.getvalue()


def results(place: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((place / "out" / "demo" / "results.json").read_text())
    return facts


def test_it_says_what_it_does_and_how_long_it_takes(told: tuple[Path, str]) -> None:
    place, said = told
    for number in range(1, 9):
        assert re.search(rf"^{number}/8  \w", said, re.MULTILINE)
    assert len(re.findall(r"^     [\d.]+ m?s$", said, re.MULTILINE)) == 8
    assert (place / "out" / "demo" / "report.html").resolve().as_uri() in said
    assert "126th and 856th" in said
    for _, command in next_commands(place / "out" / "demo"):
        assert command in said
    assert said.rstrip().endswith(f"Draw at its top\n  {draw_command(place / 'out' / 'demo')}")


def test_it_writes_what_it_promises(told: tuple[Path, str]) -> None:
    folder = told[0] / "out" / "demo"
    there = sorted(path.name for path in folder.iterdir())
    assert there == sorted([*WRITTEN, MARK, "digits", "glyphs"])
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]
    assert len(list((folder / "digits").rglob("*.png"))) == 120
    stars = sorted((folder / "glyphs" / "star").iterdir())
    assert [star.name for star in stars] == ["00.png", "01.png", "02.png", "03.png"]
    drawn = [np.asarray(Image.open(star)).tobytes() for star in stars]
    assert len(set(drawn)) == len(drawn), "no two stars are alike"


def test_the_numbers_hang_together(told: tuple[Path, str]) -> None:
    facts = results(told[0])
    assert facts["quick"] is True
    assert facts["digits"]["train"] == 600
    star = facts["star"]
    ranks = star["ranks_of_the_enrolled_star"]
    assert len(ranks) == star["asked"] == 3
    assert star["found_at_rank_1"] == sum(rank == 1 for rank in ranks)
    assert star["among_photos"] == 121
    rows = facts["glyphs"]["glyphs"]
    assert [row["glyph"] for row in rows] == ["star", "heart", "house", "arrow"]
    for row in rows:
        assert row["recognised"] + len(row["taken_for"]) == row["asked"] == 3
        assert row["glyph"] not in row["taken_for"]
        assert 0 <= row["looked_closely"] <= row["asked"]
    closer = facts["glyphs"]["looked_closely"]
    assert closer == sum(row["looked_closely"] for row in rows)
    assert f"{closer} of {facts['glyphs']['asked']} with a second look" in told[1]
    asked, recognised = facts["glyphs"]["asked"], facts["glyphs"]["recognised"]
    # Counted by asking the catalogue, and measured on the fingerprints: the same.
    assert recognised / asked == pytest.approx(facts["glyphs"]["one_enrolled"]["rank_1"]["value"])
    assert set(facts["seconds"]) >= {"digits", "training", "catalogue", "star", "map", "all"}
    assert set(facts["strangers"]["taken_for"]) <= set("0123456789")


def test_the_catalogue_is_in_working_order(told: tuple[Path, str]) -> None:
    folder = told[0] / "out" / "demo"
    with Catalogue.open(folder / "catalogue.db") as catalogue:
        names = [individual.name for individual in catalogue.individuals()]
        assert sorted(names) == sorted([*map(str, range(10)), "star", "heart", "house", "arrow"])
        (answer,) = catalogue.identify(folder / "glyphs" / "star" / "00.png")
        assert answer.enrolled_as == answer.individual == "star"
        assert all(photo.path.is_file() for photo in catalogue.photos_of("7"))
        assert catalogue.model_id == results(told[0])["model"]["id"]


def test_the_report_is_one_page_that_asks_nobody(told: tuple[Path, str]) -> None:
    folder = told[0] / "out" / "demo"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "<script" not in page
    assert "{{" not in page
    assert "nan" not in re.findall(r">([^<]*)<", page)
    local = set(re.findall(r'(?:src|href)="([^"]+)"', page))
    assert {name for name in local if not name.startswith("data:")} == {"map.png", "results.json"}
    assert page.count('src="data:image/png;base64,') > 60
    assert page.count("<img") == len(re.findall(r'<img [^>]*alt="[^"]+"', page)), "alt texts"
    assert "prefers-color-scheme: dark" in page
    for row in results(told[0])["glyphs"]["glyphs"]:
        assert f"{row['recognised']} of {row['asked']}" in page


def test_what_it_says_to_try_next_works(
    told: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(told[0])
    commands = [command for _, command in next_commands(Path("out/demo"))]
    assert len(commands) == 3
    before = (told[0] / "out/demo/catalogue.db").read_bytes()
    for command in commands:
        ran = resight(*shlex.split(command)[1:])
        assert ran.code == 0, ran
    assert "wave" in ran.out
    (told[0] / "out/demo/catalogue.db").write_bytes(before)


def test_again_it_begins_afresh_and_says_the_same(told: tuple[Path, str]) -> None:
    place = told[0]
    folder = place / "out" / "demo"
    first = results(place)
    (folder / "my-map.png").write_text("mine")
    (folder / "glyphs" / "star" / "mine.png").write_text("mine too")
    (folder / "digits" / "0" / "00000.png").unlink(missing_ok=True)
    ran = resight("demo", "--quick", "--out", folder, "--no-open")
    assert ran.code == 0, ran
    second = results(place)
    assert (folder / "my-map.png").read_text() == "mine"
    assert (folder / "glyphs" / "star" / "mine.png").read_text() == "mine too"
    assert [path.name for path in folder.parent.iterdir()] == ["demo"]
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_commands_name_the_program_as_it_can_be_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / ".venv" / "bin" / "resight"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert program_name() == ".venv/bin/resight"
    monkeypatch.setenv("PATH", str(program.parent))
    assert program_name() == "resight"
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert program_name() == "resight"


# The folder, without a story.


def write(folder: Path, **files: str) -> None:
    with fresh_folder(folder) as made:
        for name, text in files.items():
            (made / name).write_text(text)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail() -> None:
        with fresh_folder(tmp_path / "a" / "story") as made:
            (made / "half").write_text("half")
            assert not (tmp_path / "a" / "story").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_failing_second_time_leaves_the_first(tmp_path: Path) -> None:
    def stop() -> None:
        with fresh_folder(tmp_path / "story") as made:
            (made / "one").write_text("2")
            raise KeyboardInterrupt

    write(tmp_path / "story", one="1")
    before = all_below(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert all_below(tmp_path) == before


def test_own_files_go_and_others_stay(tmp_path: Path) -> None:
    write(tmp_path / "story", one="1", gone="1")
    (tmp_path / "story" / "mine").mkdir()
    (tmp_path / "story" / "mine" / "photo").write_text("mine")
    (tmp_path / "story" / "late").write_text("mine")
    (tmp_path / "story" / "link").symlink_to(tmp_path)
    write(tmp_path / "story", one="2", late="2")
    there = {path.name: path for path in (tmp_path / "story").iterdir()}
    assert sorted(there) == [MARK, "late", "late-earlier", "link", "mine", "one"]
    assert there["one"].read_text() == there["late"].read_text() == "2"
    assert there["late-earlier"].read_text() == "mine"
    assert (there["mine"] / "photo").read_text() == "mine"
    assert there["link"].is_symlink()


def test_a_folder_of_somebody_else_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_text("a")
    (tmp_path / "file").write_text("a")
    before = all_below(tmp_path)
    for place, says in (("photos", "not of the demo's making"), ("file", "is a file")):
        with pytest.raises(ResightError, match=says):
            write(tmp_path / place, one="1")
    monkeypatch.chdir(tmp_path / "photos")
    for place in (".", "..", str(tmp_path)):
        with pytest.raises(ResightError, match="you are in it"):
            write(Path(place), one="1")
    assert all_below(tmp_path) == before
    ran = resight("demo", "--quick", "--out", tmp_path / "file", "--no-open")
    assert "is a file" in ran.failed_in_one_line()


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "story").mkdir()
    write(tmp_path / "story", one="1")
    assert (tmp_path / "story" / "one").read_text() == "1"


# Its pictures and words.


def test_pictures_survive_their_way_into_the_page() -> None:
    import base64

    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    kind, data = data_uri(pixels).split(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), pixels
    )


def test_a_line_runs_from_left_to_right_with_high_values_on_top() -> None:
    assert polyline([0, 1, 0.5], 100, 10, 0, 1) == "0.0,10.0 50.0,0.0 100.0,5.0"
    assert polyline([5, -5], 100, 10, 0, 1) == "0.0,0.0 100.0,10.0"
    long = polyline(np.ones(10_000), 100, 10, 0, 1, most=50).split()
    assert len(long) == 50


def test_bars_count() -> None:
    made = bars(np.array([0.05, 0.05, 0.95]), 600, 90, 1)
    assert [bar.height for bar in made] == [90, 45]
    assert made[0].x == pytest.approx(30)


def test_times_in_words() -> None:
    assert [seconds_in_words(s) for s in (0.0404, 2.51, 59.94, 106.2, 119.7)] == [
        "40 ms",
        "2.5 s",
        "59.9 s",
        "1 min 46 s",
        "2 min 0 s",
    ]


def test_progress_is_a_few_lines_where_there_is_no_terminal() -> None:
    said = io.StringIO()
    teller = Teller(Console(file=said, width=100), 1)
    with teller.step("x", "Working"), teller.bar("Learning") as advance:
        for done in range(1, 101):
            advance(done, 100, "R@1 0.5")
    lines = [line for line in said.getvalue().splitlines() if "Learning" in line]
    assert [line.split()[1:4] for line in lines] == [
        ["20", "of", "100,"],
        ["40", "of", "100,"],
        ["60", "of", "100,"],
        ["80", "of", "100,"],
    ]
