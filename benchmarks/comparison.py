"""Losses for metric learning side by side, and against matching keypoints and raw pixels.

    python benchmarks/comparison.py --quick             # minutes: no outside data
    python benchmarks/comparison.py                     # all sets that are at hand
    python benchmarks/comparison.py --write docs/       # tables and plots from what was measured

Seven losses, three seeds, the same network and the same number of the same batches for each; their
knobs are chosen on a part of the training photos. Every result is appended to a file of JSON lines
as soon as it is there (`--results`), and what stands in it is not measured again: a run that was
stopped goes on where it was.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparison_bodies import BodyTask
from comparison_keypoints import measure_keypoints
from comparison_losses import METHODS, Method, Trained
from comparison_tasks import DigitsTask, Model, PhotoTask, Vectors
from comparison_write import write_page
from numpy.typing import NDArray
from photo_sets import PHOTO_SETS
from PIL import Image

from resight.errors import ResightError
from resight.photos.decode import read_image

Task = DigitsTask | PhotoTask
PIXELS, FROZEN, KEYPOINTS = "raw pixels", "body as it comes", "RootSIFT"
WITHOUT_TRAINING = (PIXELS, FROZEN, KEYPOINTS)
BODIES = {"holstein-body": "holstein"}  # where the body learns, too
SETS = ("digits", *PHOTO_SETS, *BODIES)


class Results:
    """A file of JSON lines, a line a cell."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells: dict[str, dict[str, Any]] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    cell = json.loads(line)
                    self.cells[cell["cell"]] = cell
                except (ValueError, KeyError, TypeError):
                    continue  # the line that a kill broke off

    def get(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The cell, measured now if it is not there."""
        if key not in self.cells:
            begun = time.perf_counter()
            made = {"cell": key, **make(), "wall": round(time.perf_counter() - begun, 2)}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                if file.tell() and _last_byte(file) != b"\n":
                    file.write(b"\n")
                file.write(json.dumps(made).encode() + b"\n")
            self.cells[key] = made
            print(f"{key}: {made['wall']:.0f} s", file=sys.stderr, flush=True)
        return self.cells[key]


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    last: bytes = file.read(1)
    return last


def compare(
    task: Task,
    results: Results,
    *,
    seeds: Sequence[int],
    only: Sequence[str] | None,
    queries: int,
    budget: str,
) -> None:
    """Fill in the cells of one set."""
    start = f"{task.name}, {budget}"
    about = {"words": task.words, "steps": task.steps, "second knob": task.second_knob}
    known = results.get(start, lambda: {"kind": "set", **about})
    if differ := [name for name, value in about.items() if known.get(name) != value]:
        raise ResightError(
            f"{results.path} was measured in another way ({', '.join(differ)}): move it away, or "
            "give another file by --results"
        )
    for name in () if isinstance(task, BodyTask) else WITHOUT_TRAINING:
        if (only and name not in only) or (name == FROZEN and isinstance(task, DigitsTask)):
            continue
        if name == KEYPOINTS:
            results.get(f"{start}, {name}", partial(measure_keypoints, task, queries))
        else:
            results.get(f"{start}, {name}", partial(_as_they_are, task, name))
    for method in METHODS:
        if only and method.name not in only:
            continue
        key = f"{start}, {method.name}"
        tried = [
            results.get(f"{key}, {knob} at {rate}", partial(_try, task, method, knob, rate))
            for knob, rate in method.settings(task.rates)
        ]
        best = max(tried, key=lambda cell: cell["value"])
        for seed in seeds:
            results.get(f"{key}, seed {seed}", partial(_run, task, method, best, seed))


def _try(task: Task, method: Method, knob: float, rate: float) -> dict[str, Any]:
    """A setting, judged on the part of the training that is watched."""
    model = task.fit(method, knob, rate, 0, task.steps_to_choose, choosing=True)
    value, threshold = task.watch(model)
    return {
        **_cell(task, method.name, "choice", model.trained),
        "knob": knob,
        "rate": rate,
        "value": value,
        "threshold": threshold,
    }


def _run(task: Task, method: Method, best: dict[str, Any], seed: int) -> dict[str, Any]:
    knob, rate, threshold = best["knob"], best["rate"], best["threshold"]
    model = task.fit(method, knob, rate, seed, task.steps, choosing=False)
    figures = task.measure(model, threshold)
    return {
        **_cell(task, method.name, "figures", model.trained),
        "seed": seed,
        "knob": knob,
        "rate": rate,
        "figures": {name: figure.to_dict() for name, figure in figures.items()},
    }


def _as_they_are(task: Task, name: str) -> dict[str, Any]:
    """A method that learns nothing: the pixels themselves, or the body's own features."""
    model = task.untrained() if isinstance(task, PhotoTask) and name == FROZEN else _pixels(task)
    _, threshold = task.watch(model)
    figures = task.measure(model, threshold)
    return {
        **_cell(task, name, "figures", model.trained),
        "seed": None,
        "figures": {figure: value.to_dict() for figure, value in figures.items()},
    }


def _cell(task: Task, method: str, kind: str, trained: Trained) -> dict[str, Any]:
    return {
        "kind": kind,
        "set": task.name,
        "method": method,
        "seconds": round(trained.seconds, 2),
        "steps": trained.steps,
        "spread": trained.spread if np.isfinite(trained.spread) else None,
        "collapsed": trained.steps > 0 and trained.collapsed,
    }


def _pixels(task: Task) -> Model:
    """Grey pixels, at most 32 a side, less their mean: the cosine is then their correlation."""
    if isinstance(task, DigitsTask):
        rows = task.pixels.reshape(len(task.pixels), -1).astype(np.float32)
    else:
        height, width = (round(side * 32 / max(task.data.size)) for side in task.data.size)
        rows = np.stack(
            [
                np.asarray(
                    Image.fromarray(read_image(path, channels=1)[..., 0]).resize((width, height)),
                    np.float32,
                ).ravel()
                for path in task.data.paths
            ]
        )
    rows = rows - rows.mean(1, keepdims=True)
    rows[~rows.any(1), 0] = 1e-3  # a blank photo has no direction

    def embed(at: NDArray[np.int64]) -> Vectors:
        return rows[at]

    return Model(embed, Trained(0.0, 0, 1.0))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5,000 digits and drawn glyphs alone")
    parser.add_argument("--sets", nargs="+", choices=SETS, help="these sets alone")
    names = [*WITHOUT_TRAINING, *(method.name for method in METHODS)]
    parser.add_argument("--only", nargs="+", choices=names, help="these methods alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--queries", type=int, default=150, help="asked of RootSIFT, drawn by seed")
    parser.add_argument("--results", type=Path, default=Path("out/comparison.jsonl"))
    parser.add_argument("--cache", type=Path, default=Path("out/comparison"), help="maps of photos")
    parser.add_argument("--write", type=Path, help="a folder with comparison.md to fill in")
    options = parser.parse_args(arguments)
    budget = "quick" if options.quick else "full"
    results = Results(options.results)
    if options.write is not None:
        write_page(list(results.cells.values()), options.write, budget)
        return
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    for name in options.sets or (("digits",) if options.quick else SETS):
        if name == "digits":
            task: Task = DigitsTask(options.quick)
        else:
            data = PHOTO_SETS[BODIES.get(name, name)]()
            if data is None:
                print(f"{name}: not at hand (set RESIGHT_DATA to where it lies); left out")
                continue
            task = BodyTask(data) if name in BODIES else PhotoTask(data, options.cache)
        compare(
            task,
            results,
            seeds=options.seeds,
            only=options.only,
            queries=options.queries,
            budget=budget,
        )


if __name__ == "__main__":
    main()
