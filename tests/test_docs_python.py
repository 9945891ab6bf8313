"""What docs/python.md shows runs as it stands, and so do the other pages' Python; its tables hold.

The pages share a folder: the program of docs/python.md leaves the photos and the model that
docs/evaluate.md and docs/looking-closely.md speak of.
"""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer

from resight import cli
from resight.catalogue import Catalogue

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "python.md").read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    return re.findall(
        r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.M | re.S
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """The folder that the program ran in, the names that it left, and what it printed."""
    pytest.importorskip("fastai", reason="needs the train extra")
    import torch

    folder = tmp_path_factory.mktemp("python")
    before, shared, said = torch.get_num_threads(), dict[str, Any](), list[str]()
    shared["print"] = lambda *words: said.append(" ".join(map(str, words)))
    torch.set_num_threads(1)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for block in blocks("python.md"):
                exec(block, shared)
    finally:
        torch.set_num_threads(before)
    shutil.copy(folder / shared["asked"][0].path, folder / "who-is-this.jpg")
    return folder, shared, "\n".join(said)


def test_the_program_does_what_its_words_say(ran: tuple[Path, dict[str, Any], str]) -> None:
    folder, shared, said = ran
    photos, split, found = shared["photos"], shared["split"], shared["found"]
    assert len(found.vectors) == len(found.index) == len(photos)
    assert found.vectors.shape[1] == shared["card"].dim
    # What was kept back, or asks, was not trained on.
    seen = shared["seen"]
    assert seen.any()
    assert not seen[split.query].any()
    assert "R@1 0." in said
    assert "AUROC 0." in said
    assert shared["kept"].calibration.enough, "the page shows how to print a probability"
    assert re.search(r": .+, \d+%; new: \d+%", said)
    assert len(shared["answers"]) == 3
    assert shared["answer"].searched.filters == "since 2025-04-10"
    assert shared["answer"].searched.photos < len(shared["known"])
    assert "taken back: " in said
    assert f"{len(shared['visit'])} photos wait for a name" in said
    assert (folder / "whales-2025" / "photos.csv").is_file()


@pytest.fixture
def here(ran: tuple[Path, dict[str, Any], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's folder is the current one."""
    monkeypatch.chdir(ran[0])


@pytest.mark.usefixtures("here")
def test_evaluate_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks("evaluate.md")
    exec(block, {})
    assert re.match(r"[01]\.\d+ [01]\.\d+ \w+\n$", capsys.readouterr().out)


@pytest.mark.usefixtures("here")
def test_looking_closely_runs(capsys: pytest.CaptureFixture[str]) -> None:
    second_look, without_model, drawings = blocks("looking-closely.md")
    # Every photo would be compared with a hundred others: forty photos are enough.
    fewer = second_look.replace('gather("photos").photos', 'gather("photos").photos[:40]')
    assert fewer != second_look
    exec(fewer, {})
    assert "photos/S" in capsys.readouterr().out
    # The made photos lie a folder deeper, one for each encounter; four animals are enough.
    deeper = without_model.replace("*/*.jpg", "S0[1-4]/*/*.jpg")
    assert deeper != without_model
    exec(deeper.replace("path.parent.name", "path.parts[1]"), {})
    assert capsys.readouterr().out.count("S0") == 4
    exec(drawings, {})
    assert capsys.readouterr().out.startswith("[")


def rows(heading: str) -> list[list[str]]:
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def place(dotted: str) -> Any:
    """What a name with dots means, whatever part of it is a module."""
    if dotted.startswith("catalogue."):
        return getattr(Catalogue, dotted.removeprefix("catalogue."))
    names = dotted.split(".")
    for count in range(len(names), 0, -1):
        try:
            found = importlib.import_module(".".join(names[:count]))
        except ModuleNotFoundError as error:
            if not dotted.startswith(error.name or "?"):
                pytest.skip(f"{error.name} is not installed")
            continue
        for name in names[count:]:
            found = getattr(found, name)
        return found
    raise AssertionError(dotted)


@pytest.mark.parametrize("row", rows("Options and parameters"), ids=lambda row: " ".join(row[:2]))
def test_options_and_parameters_are_there(row: list[str]) -> None:
    commands, options, python = row
    known = typer.main.get_command(cli.app).commands
    for command in re.findall(r"`([\w-]+)`", commands):
        has = {opt for p in known[command].params for opt in (*p.opts, *p.secondary_opts)}
        asked = set(re.findall(r"--[\w-]+", options))
        assert asked <= has, command
    called = re.findall(r"`((?:resight|catalogue)\.[\w.]+)(?:\(([^`]*)\))?`", python)
    for dotted, arguments in called:
        parameters = inspect.signature(place(dotted)).parameters
        given = re.findall(r"(\w+)=", re.sub(r"[{(].*[)}]", "", arguments or ""))
        missing = [name for name in given if name not in parameters]
        assert not missing or "values" in parameters, (dotted, missing)
    assert called or "no parameter" in python or python == "`answer.to_dict()`"


@pytest.mark.parametrize("row", rows("Where to find the rest"), ids=lambda row: row[0])
def test_what_else_there_is_can_be_imported(row: list[str]) -> None:
    named = re.findall(r"`((?:resight|catalogue)\.[\w.]+)", row[1])
    assert named
    for dotted in named:
        assert place(dotted)
