"""What the catalogue's tests share: photos, fingerprints for them, and what is asked of both."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from resight.catalogue import Catalogue
from resight.errors import ResightError
from resight.photos.photo import Photo


def write_photos(folder: Path, count: int, *, seed: int = 0) -> list[Path]:
    """Grey noise, 28×28, a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    paths = [folder / f"{seed}-{number}.png" for number in range(count)]
    for path, photo in zip(paths, pixels, strict=True):
        Image.fromarray(photo).save(path)
    return paths


def write_files(folder: Path, count: int, *, word: str = "file") -> list[Path]:
    """Files that differ; where vectors are given, a photo's pixels are never looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{word}-{number}.png" for number in range(count)]
    for path in paths:
        path.write_text(path.name)
    return paths


def unit_vectors(count: int, dim: int = 32, *, seed: int = 0) -> NDArray[np.float32]:
    """Random directions."""
    vectors = np.random.default_rng(seed).standard_normal((count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def come_in(book: Catalogue, photos: list[Photo]) -> None:
    """Add photos, with whatever is known of them."""
    vectors = unit_vectors(6)
    numbers = [int(photo.path.stem[-1]) for photo in photos]
    assert book.add(photos, vectors=vectors[numbers]).added == len(photos)


def whose(book: Catalogue) -> dict[str | None, list[tuple[str, str | None]]]:
    """Everybody's photos, each with its encounter."""
    found = {one.name: book.photos_of(one.name) for one in book.individuals()}
    if unnamed := book.unnamed():
        found[None] = unnamed
    return {
        name: [(photo.path.stem[-1], photo.encounter) for photo in photos]
        for name, photos in found.items()
    }


def refusal(action: Callable[[], object], kind: type[ResightError] = ResightError) -> str:
    """What an action says that is refused: one line, and not a long one."""
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


def holdings(catalogue: Catalogue) -> dict[str, int]:
    """Everybody's number of photos; each has its fingerprint and its decision."""
    found = {individual.name: individual.photos for individual in catalogue.individuals()}
    assert len(catalogue.vectors()[1]) == len(catalogue.decisions()) == sum(found.values())
    return found
