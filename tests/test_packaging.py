"""What is installed: a wheel and an archive of sources with all that runs and shows in them."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import venv
import zipfile
from pathlib import Path
from urllib.parse import urljoin

import pytest
from PIL import Image

from command_line import resight

HOUSE = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What no wheel of ours has: what was made on the way, and what is somebody's own.
_MADE = ("__pycache__", ".ipynb_checkpoints", ".pyc", ".db", ".onnx", ".npz", ".env", "out/")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archive of sources, and the wheel that is built from it; no network."""
    pytest.importorskip("build", reason="needs build (the dev extra)")
    pytest.importorskip("hatchling", reason="needs hatchling (the dev extra)")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, HOUSE]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def in_wheel(built: Path) -> dict[str, bytes]:
    (wheel,) = built.glob("*.whl")
    assert wheel.name == f"resight-{PROJECT['version']}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def in_sources(built: Path) -> dict[str, bytes]:
    (path,) = built.glob("*.tar.gz")
    found = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file is not None:
                found[member.name.partition("/")[2]] = file.read()
    return found


def kept_files(folder: str) -> list[Path]:
    """The files of a folder that are the project's, not what lies there for the moment."""
    return [
        path
        for path in sorted((HOUSE / folder).rglob("*"))
        if path.is_file() and not any(word in f"{path}" for word in _MADE[:3])
    ]


def test_the_wheel_has_all_that_runs_and_shows(built: Path) -> None:
    files = in_wheel(built)
    for path in kept_files("src/resight"):
        name = str(path.relative_to(HOUSE / "src"))
        assert files.get(name) == path.read_bytes(), name
    for path in kept_files("tutorials"):
        assert files.get(f"resight/tutorials/{path.name}") == path.read_bytes(), path
    for name in (
        "resight/web/static/resight.css",
        "resight/web/static/queue.js",
        "resight/web/templates/queue.html",
        "resight/templates/report.html",
        "resight/catalogue/migrations/env.py",
        "resight/catalogue/migrations/versions/layout_0001.py",
        "resight/py.typed",
    ):
        assert name in files, name
    strange = [name for name in files if any(word in name for word in _MADE)]
    assert strange == []
    tops = {name.partition("/")[0] for name in files}
    assert tops == {"resight", f"resight-{PROJECT['version']}.dist-info"}


def test_the_wheel_says_what_it_is(built: Path) -> None:
    files = in_wheel(built)
    about = f"resight-{PROJECT['version']}.dist-info"
    assert b"resight = resight.cli:main" in files[f"{about}/entry_points.txt"]
    assert files[f"{about}/licenses/LICENSE"] == (HOUSE / "LICENSE").read_bytes()
    metadata = files[f"{about}/METADATA"].decode()
    extras = set(re.findall(r"^Provides-Extra: (.+)$", metadata, re.M))
    assert extras == set(PROJECT["optional-dependencies"])
    # What a field laptop needs has nothing of what only learning needs.
    plain = re.findall(r"^Requires-Dist: ([\w.-]+)(?!.*extra ==)", metadata, re.M)
    assert "onnxruntime" in plain
    assert not {"torch", "fastai", "ray", "accelerate"} & set(plain)


def test_the_sources_have_all_that_it_is_made_of(built: Path) -> None:
    files = in_sources(built)
    for folder in ("src", "tests", "tutorials", "docs", "benchmarks", "website"):
        for path in kept_files(folder):
            if "out/" not in str(path.relative_to(HOUSE)):
                assert str(path.relative_to(HOUSE)) in files, path
    for name in ("pyproject.toml", "constraints.txt", "Makefile", "README.md", "LICENSE"):
        assert files[name] == (HOUSE / name).read_bytes()
    assert [name for name in files if any(word in name for word in _MADE[:4])] == []


def test_constraints_name_versions_and_no_address() -> None:
    lines = (HOUSE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = {re.split(r"[=\s;]", line)[0].lower() for line in lines}
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    extras = PROJECT["optional-dependencies"].values()
    for one in (*PROJECT["dependencies"], *(one for extra in extras for one in extra)):
        name = re.split(r"[\[<>=;\s]", one)[0].lower().replace("_", "-")
        assert name in names or name == "resight", one


def test_the_tutorials_are_laid_out_and_never_overwritten(tmp_path: Path) -> None:
    ran = resight("tutorial", "--out", tmp_path / "deep" / "here")
    assert ran.code == 0, ran
    found = {path.name: path.read_bytes() for path in (tmp_path / "deep" / "here").iterdir()}
    assert found == {path.name: path.read_bytes() for path in kept_files("tutorials")}
    mine = tmp_path / "deep" / "here" / "real-photographs.ipynb"
    mine.write_text("mine")
    assert "stays as it is" in resight("tutorial", "--out", mine.parent).out
    assert mine.read_text() == "mine"
    (tmp_path / "file").write_text("")
    resight("tutorial", "--out", tmp_path / "file").failed_in_one_line()


@pytest.mark.slow
def test_the_wheel_runs_where_nothing_else_is(
    built: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """In an environment of its own, on the libraries of this one, and far from the sources."""
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    (wheel,) = built.glob("*.whl")
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*words: str | Path) -> str:
        ran = subprocess.run(
            words, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=900
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    # Its libraries are those of this environment, which may hold the sources too: those come last.
    here = next(Path(one) for one in sys.path if one.endswith("site-packages"))
    (own,) = (place / "lib").glob("python*/site-packages")
    (own / "libraries.pth").write_text(f"{here}\n")
    where = run(python, "-c", "import resight; print(resight.__file__)")
    assert Path(where.strip()).is_relative_to(place)
    program = place / "bin" / "resight"
    assert "Photos and models:" in run(program, "--help")
    assert "Resight" in run(program, "doctor")
    run(program, "tutorial", "--out", "tutorials")
    assert len(list((tmp_path / "tutorials").glob("*.ipynb"))) == len(kept_files("tutorials"))
    photo = tmp_path / "luna.png"
    Image.effect_noise((60, 60), 50).save(photo)
    run(program, "enrol", "c.db", "Luna", photo, "--model", tiny_model)
    assert "Luna" in run(program, "identify", "c.db", photo)
    words = [program, "review", "c.db", "--port", "0", "--no-open"]
    serving = subprocess.Popen(words, cwd=tmp_path, env=clean, stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None
        address = serving.stdout.readline().split()[-1]
        with urllib.request.urlopen(address, timeout=120) as page:
            shown = page.read().decode()
        looks = re.search(r'href="([^"]+resight\.css[^"]*)"', shown)
        assert looks is not None
        with urllib.request.urlopen(urljoin(address, looks[1]), timeout=120) as sheet:
            style = HOUSE / "src/resight/web/static/resight.css"
            assert sheet.read() == style.read_bytes()
    finally:
        serving.terminate()
        serving.wait(60)
