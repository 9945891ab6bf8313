"""MegaDetector's JSON: where on camera-trap pictures the animals are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resight.errors import UnusablePhotos
from resight.photos.coco import read_json
from resight.photos.decode import Box
from resight.photos.finding import whole

SURE = 0.2  # the confidence that MegaDetector 5's own guide begins at
_SAME = 0.7  # of the smaller box lies in the larger: one animal found twice

Part = tuple[float, float, float, float]  # left, top, right, bottom as parts of the picture


@dataclass(frozen=True, slots=True)
class Animal:
    """One animal found.

    Attributes:
        confidence: 0 to 1.
        part: left, top, right, bottom, as parts of the upright picture's width and height.
    """

    confidence: float
    part: Part


class Detections:
    """What MegaDetector found, by picture.

    Args:
        file: its JSON.
        sure: animals of less confidence are passed over.

    Raises:
        UnusablePhotos: it cannot be read, or is not MegaDetector's.
    """

    def __init__(self, file: Path, *, sure: float = SURE) -> None:
        self.file = file
        content = read_json(file)
        images = content.get("images")
        if not isinstance(images, list) or not any(
            isinstance(image, dict) and "detections" in image for image in images
        ):
            raise UnusablePhotos(f"{file}: is not MegaDetector's JSON: no detections in it")
        kinds = content.get("detection_categories")
        animal = {"1"}
        if isinstance(kinds, dict):
            animal = {key for key, name in kinds.items() if str(name).casefold() == "animal"}
        self._found: dict[str, list[Animal]] = {}
        self._by_name: dict[str, list[str]] = {}
        for image in images:
            if not isinstance(image, dict) or not isinstance(image.get("file"), str):
                continue
            detections = image.get("detections")
            if not isinstance(detections, list):
                continue  # it could not read that picture
            name = image["file"].replace("\\", "/")
            animals = [one for one in map(_animal(animal, sure), detections) if one is not None]
            self._found[name] = sorted(animals, key=lambda one: -one.confidence)
            self._by_name.setdefault(name.rpartition("/")[2], []).append(name)

    def of(self, paths: Sequence[Path]) -> list[list[Animal] | None]:
        """The animals on each of these pictures, the surest first; None where it has not looked.

        A picture is the one whose path ends in the name that the file has. Names that begin at
        the root of a disk, perhaps another computer's, need to agree in their ends only; in the
        file's name alone where no other picture has that name.
        """
        counts = Counter(path.name for path in {whole(path) for path in paths})
        return [self._of(path, alone=counts[path.name] == 1) for path in paths]

    def _of(self, path: Path, *, alone: bool) -> list[Animal] | None:
        parts = path.parts[::-1]
        best: list[tuple[int, str]] = []
        for name in self._by_name.get(path.name, ()):
            other = [part for part in name.split("/") if part not in ("", ".")][::-1]
            common = next(
                (n for n, (a, b) in enumerate(zip(parts, other, strict=False)) if a != b),
                min(len(parts), len(other)),
            )
            whole = common == len(other)
            rooted = name.startswith("/") or name[1:2] == ":"
            if whole or (rooted and (common > 1 or alone)):
                best.append((common, name))
        best.sort(reverse=True)
        if not best or (len(best) > 1 and best[0][0] == best[1][0]):
            return None
        return self._found[best[0][1]]


def distinct(animals: Sequence[Animal]) -> list[Animal]:
    """These animals, the one that was found twice once: where it is surest."""
    kept: list[Animal] = []
    for animal in animals:
        if all(_overlap(animal.part, other.part) < _SAME for other in kept):
            kept.append(animal)
    return kept


def in_pixels(part: Part, size: tuple[int, int]) -> Box:
    """A part of a picture of (width, height) as a box, rounded outwards and within the picture."""
    width, height = size
    left, top = (int(part[axis] * size[axis]) for axis in (0, 1))
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    right = min(max(math.ceil(part[2] * width - 1e-6), left + 1), width)
    bottom = min(max(math.ceil(part[3] * height - 1e-6), top + 1), height)
    return left, top, right, bottom


def _animal(kinds: set[str], sure: float) -> Any:
    def read(detection: Any) -> Animal | None:
        if not isinstance(detection, Mapping) or str(detection.get("category")) not in kinds:
            return None
        try:
            confidence = float(detection["conf"])
            x, y, width, height = map(float, detection["bbox"])
        except (KeyError, TypeError, ValueError):
            return None
        whole = all(map(math.isfinite, (x, y, width, height)))
        if not (confidence >= sure and whole and width > 0 and height > 0):
            return None
        return Animal(confidence, (x, y, x + width, y + height))

    return read


def _overlap(a: Part, b: Part) -> float:
    """How much of the smaller lies in the other."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((p[2] - p[0]) * (p[3] - p[1]) for p in (a, b))
    return max(wide, 0.0) * max(high, 0.0) / smaller if smaller > 0 else 0.0
