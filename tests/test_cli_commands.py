"""Every command: its help, and what it does when all is well."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

import command_page
from catalogues import write_photos
from command_line import PEER, processor_time, resight
from resight.cli import app
from resight.commands.train import at_chance
from resight.fingerprint import Fingerprinter, load_model
from resight.photos.glyphs import draw_glyph

COMMANDS = sorted(typer.main.get_command(app).commands)
HOUSE = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).with_name("resight")


@pytest.fixture
def book(tmp_path: Path, tiny_model: Path) -> Path:
    """A catalogue of two individuals with three photos each."""
    place = tmp_path / "book.db"
    for seed, name in enumerate(["Luna", "Milo"]):
        photos = write_photos(tmp_path / name, 3, seed=seed)
        ran = resight("enrol", place, name, *photos, "--model", tiny_model)
        assert ran.code == 0, ran
        assert f"{name}: 3 photos enrolled" in ran.out
    return place


def test_all_commands_are_there() -> None:
    wanted = (
        "add backup best-photo calibrate check compare demo describe divide doctor enrol evaluate "
        "export fingerprint forget group history identify index individuals inspect junk map merge "
        "move name not-same population redo refingerprint rename review split take-out train "
        "tutorial undo"
    )
    assert wanted.split() == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example_and_is_documented(command: str) -> None:
    ran = resight(command, "--help")
    assert ran.code == 0
    assert "Example" in ran.out
    assert f"  resight {command}" in ran.out.split("Example")[1]
    assert "\b" not in ran.out
    for page in ("README.md", "docs/commands.md"):
        assert f"resight {command}" in (HOUSE / page).read_text(encoding="utf-8"), page


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_and_argument_says_what_it_is_for(command: str) -> None:
    for parameter in typer.main.get_command(app).commands[command].params:
        assert parameter.help, f"{command}: {parameter.name}"


def test_docs_show_the_help_as_it_is() -> None:
    assert command_page.PAGE.read_text(encoding="utf-8") == command_page.page()


def test_the_version_is_the_package_s() -> None:
    from importlib.metadata import version

    assert resight("--version").out == f"resight {version('resight')}\n"


def test_no_words_and_wrong_words_are_usage() -> None:
    assert "Photos and models:" in resight().out + resight().err
    for words in (["fly"], ["identify"], ["identify", "a.db"], ["map", "a.db"], ["train", "p"]):
        ran = resight(*words)
        assert ran.code == 2, words
        assert ran.out == ""
        assert "Traceback" not in ran.err


def test_fingerprint_writes_paths_and_unit_vectors(tmp_path: Path, tiny_model: Path) -> None:
    paths = write_photos(tmp_path / "photos" / "deep", 5)
    out = tmp_path / "f.npz"
    ran = resight("fingerprint", tiny_model, tmp_path / "photos", "--out", out)
    assert ran.code == 0, ran
    with np.load(out) as file:
        assert sorted(file) == ["paths", "vectors"]
        assert file["paths"].tolist() == [str(path) for path in sorted(paths)]
        wanted = Fingerprinter(tiny_model)(sorted(paths)).vectors
        np.testing.assert_array_equal(file["vectors"], wanted)
        assert file["vectors"].dtype == np.float32
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.npz", "photos"]


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(
    tmp_path: Path, tiny_model: Path
) -> None:
    write_photos(tmp_path / "photos", 2)
    (tmp_path / "photos" / "letter.png").write_text("Dear Sir")
    out = tmp_path / "f.npz"
    ran = resight("fingerprint", tiny_model, tmp_path / "photos", "--out", out)
    assert ran.code == 0
    (line,) = ran.err.splitlines()
    assert "letter.png" in line
    assert "fingerprints" in ran.out
    with np.load(out) as file:
        assert len(file["paths"]) == 2

    book = tmp_path / "book.db"
    ran = resight("enrol", book, "Luna", tmp_path / "photos", "--model", tiny_model)
    assert (ran.code, ran.err.count("letter.png")) == (0, 1), ran
    ran = resight("identify", book, tmp_path / "photos", "--json")
    assert (ran.code, ran.err.count("letter.png")) == (0, 1), ran
    entries = json.loads(ran.out)
    assert [Path(entry["query"]).name for entry in entries] == ["0-0.png", "0-1.png", "letter.png"]
    assert [entry["error"] is None for entry in entries] == [True, True, False]
    assert entries[2]["candidates"] == []
    assert entries[0].keys() == entries[2].keys()


def test_identify_names_the_individual_and_says_what_the_answer_rests_on(
    book: Path, tmp_path: Path
) -> None:
    ran = resight("identify", book, tmp_path / "Milo" / "1-1.png")
    assert ran.code == 0, ran
    assert ran.out.index("Milo") < ran.out.index("Luna")
    assert "0.000" in ran.out
    assert "enrolled as Milo" in ran.out
    assert "Not calibrated yet" in ran.out
    assert ran.err == ""


def test_identify_json_is_json_only(book: Path, tmp_path: Path) -> None:
    ran = resight("identify", book, tmp_path / "Milo", "--json", "--top", "1", "--photos", "2")
    assert ran.code == 0
    entries = json.loads(ran.out)
    assert [entry["individual"] for entry in entries] == ["Milo"] * 3
    for entry in entries:
        others = entry["p_new"] + entry["p_others"]
        assert entry["probability"] + others == pytest.approx(1)
        assert entry["basis"]["calibrated"] is False
        assert len(entry["candidates"]) == 1
        assert len(entry["candidates"][0]["photos"]) == 2
        assert entry["searched"]["photos"] == 6


def test_identify_can_leave_a_photo_itself_out(book: Path, tmp_path: Path) -> None:
    photo = tmp_path / "Milo" / "1-1.png"
    ran = resight("identify", book, photo, "--json", "--leave-out-itself", "--photos", "9")
    paths = [m["path"] for c in json.loads(ran.out)[0]["candidates"] for m in c["photos"]]
    assert len(paths) == 5
    assert str(photo) not in paths


def test_names_with_brackets_are_shown_as_they_are(tmp_path: Path, tiny_model: Path) -> None:
    (photo,) = write_photos(tmp_path / "[red]", 1)
    book = tmp_path / "book.db"
    assert resight("enrol", book, "[bold]Bo[/]", photo, "--model", tiny_model).code == 0
    assert "[bold]Bo[/]" in resight("identify", book, photo).out


def test_enrolling_again_changes_nothing(book: Path, tmp_path: Path) -> None:
    ran = resight("enrol", book, "Luna", tmp_path / "Luna", "--encounter", "Bay")
    assert ran.code == 0
    assert "0 photos enrolled (3 there before)" in ran.out


def test_map_draws_a_picture_and_boxes_queries(book: Path, tmp_path: Path) -> None:
    plain, asked = tmp_path / "plain.png", tmp_path / "asked.png"
    assert resight("map", book, "--out", plain).code == 0
    photos = write_photos(tmp_path / "new", 3, seed=7)
    # As a shell writes `--query new/*.png`.
    ran = resight("map", book, "--out", asked, "--query", *photos)
    assert ran.code == 0, ran
    sizes = {Image.open(picture).size for picture in (plain, asked)}
    assert len(sizes) == 1
    assert plain.read_bytes() != asked.read_bytes()


def test_train_writes_a_model_that_the_others_take(tmp_path: Path) -> None:
    pytest.importorskip("fastai", reason="needs the train extra")
    rng = np.random.default_rng(0)
    for name in ("fish", "moon", "star"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(5):
            drawing = Image.fromarray(draw_glyph(name, rng))
            drawing.save(tmp_path / "photos" / name / f"{number}.png")
    model, book = tmp_path / "model.onnx", tmp_path / "book.db"
    words = ["train", tmp_path / "photos", "--out", model, "--epochs", "1", "--dim", "16"]
    ran = resight(*words)
    assert ran.code == 0, ran
    assert "Wrote" in ran.out
    assert "R@1" in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "photos"]
    assert "whose nearest photo shows the same" in ran.out
    reached = load_model(model).card.metrics["R@1"]
    assert ("hardly tells them apart" in ran.err) == at_chance(reached, 1 / 3)
    assert (at_chance(0.1, 0.1), at_chance(0.9, 0.1), at_chance(None, 0.1)) == (True, False, False)
    assert (at_chance(0.02, 0.01), at_chance(0.04, 0.01)) == (True, False)  # among hundreds
    again = resight(*words)
    assert "is there already" in again.failed_in_one_line()
    star = tmp_path / "photos" / "star"
    assert resight("enrol", book, "star", star / "0.png", "--model", model).code == 0
    assert "star" in resight("identify", book, star / "1.png").out


def test_doctor_finds_what_is_there() -> None:
    ran = resight("doctor")
    assert ran.code == 0
    for words in ("Resight", "Python", "onnxruntime", "sqlalchemy", "torch", "CPU", "fastapi"):
        assert words in ran.out, words
    for number in (0, 2):
        assert re.search(rf"tf_efficientnet_lite{number} +Apache-2.0 \(is here\)", ran.out)
    assert re.search(r"MegaDescriptor-… +CC-BY-NC-4.0, not for commercial use", ran.out)


def test_doctor_says_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    there = metadata.version

    def version(name: str) -> str:
        if name == "fastai":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "numpy" else there(name)

    monkeypatch.setattr(metadata, "version", version)
    ran = resight("doctor")
    assert ran.code == 1  # numpy is too old, and everything needs it
    assert "not installed" in ran.out
    assert "pip install 'resight[train]'" in ran.out
    assert "1.0, and >=2.0 is needed" in ran.out


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands that are timed keep theirs, as an installation does."""
    return tmp_path_factory.mktemp("bytecode")


def time_of(bytecode: Path, *command: str | Path) -> float:
    """Processor time of a command whose bytecode is compiled."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return processor_time(
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    )


@pytest.fixture(scope="module")
def peer(bytecode: Path) -> float:
    """What the libraries alone take to be imported."""
    return time_of(bytecode, sys.executable, "-c", PEER)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["identify", "--help"]])
def test_help_comes_at_once(words: list[str], bytecode: Path, peer: float) -> None:
    assert time_of(bytecode, PROGRAM, *words) < peer


def test_nothing_heavy_is_imported_for_help() -> None:
    heavy = "numpy, PIL, onnxruntime, sqlalchemy, matplotlib, torch, sklearn, jinja2, rich.table"
    script = (
        "import sys, resight.cli\n"
        f"print([name for name in '{heavy}'.split(', ') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_identify_answers_from_a_cold_start(
    book: Path, tmp_path: Path, bytecode: Path, peer: float
) -> None:
    photo = tmp_path / "Milo" / "1-1.png"
    assert time_of(bytecode, PROGRAM, "identify", book, photo) < 2.5 * peer


def test_ctrl_c_is_one_line(book: Path, tmp_path: Path) -> None:
    script = (
        "import signal, sys, time\n"
        # What ran before in this process of tests may have it ignored or held up, and children too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})\n"
        "import resight.catalogue.enquiries as c\n"
        # Short ones: a signal just before a sleep begins does not end that sleep.
        "def wait(*a, **k):\n    print('waiting', flush=True)\n"
        "    for _ in range(600): time.sleep(0.1)\n"
        "c.identify = wait\n"
        "from resight.cli import main\nmain()\n"
    )
    command = [sys.executable, "-c", script, "identify", book, tmp_path / "Milo"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "waiting\n"
    running.send_signal(signal.SIGINT)
    try:
        out, err = running.communicate(timeout=30)
    finally:
        running.kill()
    assert (running.returncode, out, err) == (130, "", "Stopped.\n")


def test_a_broken_pipe_is_silent(book: Path, tmp_path: Path) -> None:
    for more in ([], ["--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        ran = subprocess.run(
            [PROGRAM, "identify", book, tmp_path / "Milo", *more],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writing)
        assert ran.stderr == ""
