"""The scenes after the training: a catalogue, a stranger, one example, a dozen more, the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resight.catalogue import Answer, Catalogue
from resight.evaluate.metrics import retrieval
from resight.evaluate.protocols import one_enrolled
from resight.fingerprint import Fingerprinter
from resight.photos import Photo, read_image
from resight.photos.decode import Pixels
from resight.photos.glyphs import GLYPHS, draw_glyph
from resight.story.pictures import Bar, Thumb, bars, spread, thumb

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """Facts are JSON values, for the results; what is shown is for the report alone."""

    facts: dict[str, Any]
    shown: dict[str, Any]


def write_digits(folder: Path, pixels: Pixels, labels: NDArray[np.int64]) -> list[Photo]:
    """A file for each digit, in a folder for each of the ten."""
    photos = []
    for place, (picture, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
        path = folder / str(label) / f"{place:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
        photos.append(Photo(path, individual=str(label)))
    return photos


def write_glyph(folder: Path, name: str, count: int, seed: int) -> list[Path]:
    """Drawings of a glyph, a file each; the same seed draws the same ones."""
    rng = np.random.default_rng((seed, GLYPHS.index(name)))
    paths = [folder / name / f"{number:02}.png" for number in range(count)]
    paths[0].parent.mkdir(parents=True)
    for path in paths:
        Image.fromarray(draw_glyph(name, rng)).save(path)
    return paths


def look_at_digits(catalogue: Catalogue, seed: int) -> Scene:
    """How well the test digits find their like, and the neighbours of three of them."""
    vectors, names, paths = catalogue.vectors()
    figures = retrieval(vectors, names, seed=seed)
    nearest = _nearest_other(vectors)
    rng = np.random.default_rng(seed)
    rows = []
    for place in rng.choice(len(names), 3, replace=False):
        matches = catalogue.neighbours(vectors[place][None], k=13)[0]
        others = [match for match in matches if match.path != paths[place]][:12]
        row = [thumb(_pixels(paths[place]), f"a {names[place]}", "enrolled")]
        row += [_match(m.path, m.individual, m.distance, names[place]) for m in others]
        rows.append(row)
    facts = {
        **figures.to_dict(),
        "nearest_other": {
            "median": _rounded(np.median(nearest)),
            "95_percent_within": _rounded(np.quantile(nearest, 0.95)),
        },
    }
    return Scene(facts, {"rows": rows, "nearest": nearest})


def meet_strangers(
    catalogue: Catalogue, stars: Sequence[Path], vectors: Vectors, nearest_digits: Vectors
) -> Scene:
    """Before anybody knows a star: who is nearest to each, and how far away."""
    answers = catalogue.identify(stars, top=1, photos_each=1)
    before = [answer.candidates[0].distance for answer in answers]
    near = catalogue.neighbours(vectors[:1], k=12)[0]
    row = [thumb(_pixels(stars[0]), "a star", "enrolled")]
    row += [_match(m.path, m.individual, m.distance, "star") for m in near]
    wider = _rounded((nearest_digits > min(before)).mean())
    facts = {
        "nearest_digit": [_rounded(distance) for distance in before],
        "taken_for": [answer.individual for answer in answers],
        "digits_with_a_nearest_other_beyond_the_nearest_star": wider,
    }
    return Scene(facts, {"row": row, "distances": before})


def enrol_one(catalogue: Catalogue, stars: Sequence[Path], vectors: Vectors) -> Scene:
    """Enrol the first star, and let the others find it among all photos."""
    ranks_of = _ranks(vectors[1:], vectors[0], catalogue.vectors()[0])
    catalogue.enrol("star", [stars[0]])
    answers = catalogue.identify(stars[1:], top=1, photos_each=1)
    thumbs = [_asked(path, answer, "star") for path, answer in zip(stars[1:], answers, strict=True)]
    found = sum(answer.individual == "star" for answer in answers)
    facts = {
        "asked": len(answers),
        "found_at_rank_1": found,
        "ranks_of_the_enrolled_star": ranks_of.tolist(),
        "among_photos": answers[0].searched.photos,
        "distances": [_rounded(d) for d in (1 - vectors[1:] @ vectors[0]).tolist()],
    }
    return Scene(facts, {"enrolled": thumb(_pixels(stars[0]), "enrolled", "enrolled"),
                         "asked": thumbs})  # fmt: skip


def enrol_more(
    catalogue: Catalogue,
    drawn: dict[str, list[Path]],
    fingerprinter: Fingerprinter,
    digits: tuple[Vectors, list[str]],
    seed: int,
) -> Scene:
    """The same with other glyphs: one of each is enrolled, all the others are asked."""
    for name, paths in drawn.items():
        catalogue.enrol(name, [paths[0]])
    rows: list[dict[str, Any]] = []
    shown = []
    for name, paths in drawn.items():
        answers = catalogue.identify(paths[1:], top=1, photos_each=1)
        taken = [answer.individual for answer in answers if answer.individual != name]
        closer = catalogue.identify(paths[1:], top=1, photos_each=1, closely=True)
        rows.append({"glyph": name, "asked": len(answers), "recognised": len(answers) - len(taken),
                     "taken_for": taken,
                     "looked_closely": sum(a.individual == name for a in closer)})  # fmt: skip
        thumbs = [_asked(path, a, name) for path, a in zip(paths[1:], answers, strict=True)]
        shown.append({"enrolled": thumb(_pixels(paths[0]), "", "enrolled", name), "asked": thumbs})
    names = [name for name, paths in drawn.items() for _ in paths]
    vectors = fingerprinter([path for paths in drawn.values() for path in paths]).vectors
    starts = np.cumsum([0, *map(len, drawn.values())])[:-1]
    measured = one_enrolled(*digits, vectors, names, enrolled=starts, seed=seed)
    asked = sum(row["asked"] for row in rows)
    facts = {
        "glyphs": rows,
        "asked": asked,
        "recognised": sum(row["recognised"] for row in rows),
        "looked_closely": sum(row["looked_closely"] for row in rows),
        "one_enrolled": measured.to_dict(),
    }
    return Scene(facts, {"rows": shown})


def draw_story_map(
    catalogue: Catalogue,
    path: Path,
    drawn: dict[str, list[Path]],
    fingerprinter: Fingerprinter,
    seed: int,
) -> Scene:
    """The catalogue as a map; the other stars, and one more of each glyph, are boxed in it."""
    from resight.evaluate.map import Map, draw_map

    vectors, names, _ = catalogue.vectors()
    asked = [
        (name, file)
        for name, files in drawn.items()
        for file in files[1 : None if name == "star" else 2]
    ]
    places = Map.fit(vectors, seed=seed)
    draw_map(
        places.positions,
        names,
        path=path,
        queries=places.place(fingerprinter([file for _, file in asked]).vectors),
        query_labels=[name for name, _ in asked],
        title="Ten digits, learned, and glyphs that were enrolled with one example each",
    )
    return Scene({"photos": len(names), "queries": len(asked)}, {})


@dataclass(frozen=True)
class Distances:
    """A drawing: how far a digit's nearest other is, and how far a star's, before and after."""

    bars: list[Bar]
    before: list[float]
    after: list[float]
    ticks: list[tuple[float, str]]


def draw_distances(
    nearest: Vectors, before: Sequence[float], after: Sequence[float], width: float = 640
) -> Distances:
    """Laid out in a drawing of this width and, for the bars, a height of 90."""
    high = 1.05 * max(float(nearest.max()), *before, *after)
    step = 0.05 if high < 0.45 else 0.1 if high < 0.9 else 0.2
    ticks = [
        (round(value / high * width, 1), f"{value:.2f}".rstrip("0").rstrip(".") or "0")
        for value in np.arange(0, high, step).tolist()
    ]
    return Distances(
        bars(nearest, width, 90, high), spread(before, width, high), spread(after, width, high),
        ticks,
    )  # fmt: skip


def _asked(path: Path, answer: Answer, truth: str) -> Thumb:
    best = answer.candidates[0]
    right = best.individual == truth
    return thumb(
        _pixels(path),
        f"{best.distance:.2f}",
        "right" if right else "wrong",
        f"{path.parent.name} {path.stem}: nearest is {best.individual}, at {best.distance:.3f}",
        below="" if right else best.individual,
    )


def _match(path: Path, individual: str, distance: float, truth: str) -> Thumb:
    state = "right" if individual == truth else "wrong"
    return thumb(_pixels(path), f"{distance:.2f}", state, f"{individual}, at {distance:.3f}")


def _pixels(path: Path) -> Pixels:
    return read_image(path, channels=1)[..., 0]


def _ranks(queries: Vectors, enrolled: Vectors, others: Vectors) -> NDArray[np.int64]:
    """The place of one fingerprint among others, seen from each query; ties count against it."""
    own = queries @ enrolled
    return 1 + (queries @ others.T >= own[:, None]).sum(axis=1)


def _nearest_other(vectors: Vectors) -> Vectors:
    """Cosine distance of each to the nearest of the others."""
    nearest = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), 1000):
        cosines = vectors[start : start + 1000] @ vectors.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        nearest[start : start + 1000] = 1 - cosines.max(axis=1)
    return np.clip(nearest, 0, 2)


def _rounded(value: Any) -> float:
    return round(float(value), 4)
