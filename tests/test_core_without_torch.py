"""Without the train extra: everything but `train` and `demo` works, and starts at once.

An environment of its own is made, with the package and its core dependencies alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalogues import write_photos
from command_line import PEER, processor_time

HOUSE = Path(__file__).resolve().parents[1]
NOT_THERE = ("torch", "torchvision", "fastai", "timm", "onnx", "onnxscript", "mlxtend")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment without the extra."""
    place = tmp_path_factory.mktemp("core")
    tree = place / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(HOUSE / name, tree)
    shutil.copytree(HOUSE / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__"))
    uv = [sys.executable, "-m", "uv", "--no-progress"]
    if subprocess.run([*uv, "--version"], capture_output=True).returncode:
        pytest.skip("uv is not installed (it is in the dev extra)")
    venv = place / "venv"
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    bin = venv / ("Scripts" if os.name == "nt" else "bin")
    command = [
        *uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", bin / "python",
        "-c", HOUSE / "constraints.txt", tree,
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        trouble = ("dns error", "error sending request", "failed to fetch", "timed out", "offline")
        if any(word in ran.stderr.lower() for word in trouble):
            pytest.skip("no package registry can be reached, so no environment can be made")
        pytest.fail(f"the package cannot be installed:\n{ran.stderr}")
    return bin


def run(programs: Path, *words: str | Path, code: int = 0) -> str:
    """Run a program of that environment, away from this one; what it printed."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    ran = subprocess.run(
        [programs / words[0], *words[1:]], capture_output=True, text=True, env=keep, cwd=programs
    )
    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stdout + ran.stderr


def test_nothing_to_learn_with_is_there(programs: Path) -> None:
    script = f"import importlib.util as u; print([n for n in {NOT_THERE} if u.find_spec(n)])"
    assert run(programs, "python", "-c", script) == "[]\n"
    import resight

    script = "import resight; print(resight.__version__, resight.__file__)"
    version, file = run(programs, "python", "-c", script).split()
    assert version == resight.__version__
    assert Path(file).is_relative_to(programs.parent), "installed, not this tree"
    for name in ("templates/report.html", "py.typed"):
        assert (Path(file).parent / name).is_file(), f"{name} is not in the wheel"


def test_every_command_but_train_and_demo_works(
    programs: Path, tmp_path: Path, tiny_model: Path
) -> None:
    luna = write_photos(tmp_path / "luna", 3)
    milo = write_photos(tmp_path / "milo", 3, seed=1)
    book, out = tmp_path / "book.db", tmp_path / "f.npz"
    assert "Photos and models:" in run(programs, "resight", "--help")
    told = run(programs, "resight", "fingerprint", tiny_model, tmp_path / "luna", "--out", out)
    assert "3 fingerprints" in told
    told = run(programs, "resight", "enrol", book, "Luna", *luna[:2], "--model", tiny_model)
    assert "2 photos enrolled" in told
    run(programs, "resight", "enrol", book, "Milo", *milo[:2])
    assert "Luna" in run(programs, "resight", "identify", book, luna[0])
    assert '"Milo"' in run(programs, "resight", "identify", book, milo[0], "--json")
    picture = tmp_path / "map.png"
    run(programs, "resight", "map", book, "--out", picture, "--query", luna[2], milo[2])
    assert picture.stat().st_size > 10_000
    told = run(programs, "resight", "doctor")
    assert "not installed" in told
    assert "pip install 'resight[train]'" in told


def test_train_and_demo_say_in_one_line_what_to_install(programs: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos" / "a", 2)
    write_photos(tmp_path / "photos" / "b", 2, seed=1)
    for words in (
        ["train", tmp_path / "photos", "--out", tmp_path / "m.onnx"],
        ["demo", "--out", tmp_path / "demo"],
    ):
        told = run(programs, "resight", *words, code=1)
        assert told.count("\n") == 1
        assert "pip install 'resight[train]'" in told
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_it_starts_at_once(programs: Path, tmp_path: Path, tiny_model: Path) -> None:
    (photo,) = write_photos(tmp_path / "luna", 1)
    book = tmp_path / "book.db"
    run(programs, "resight", "enrol", book, "Luna", photo, "--model", tiny_model)
    peer = processor_time(lambda: run(programs, "python", "-c", PEER))
    for words, times in (
        (("python", "-c", "import resight"), 0.5),
        (("resight", "--help"), 1),
        (("resight", "identify", book, photo), 2.5),
    ):
        assert processor_time(lambda words=words: run(programs, *words)) < times * peer, words
