"""A small catalogue of digits and glyphs whose model takes 28 × 28 grey pixels, for the tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

import models
from resight.catalogue import Catalogue
from resight.photos import Photo
from resight.photos.digits import embedded_digits
from resight.photos.glyphs import GLYPHS, draw_glyph

DIGITS = 8  # of each

digits = cache(embedded_digits)


def learned_model(path: Path) -> Path:
    """A model that has learned digits and glyphs, but no star, in no time.

    By linear discriminant analysis (Fisher, 1936): it weighs the pixels so that drawings of one
    thing lie together, and of different things apart.
    """
    rng = np.random.default_rng(0)
    pixels = [digits().train_pixels[::5].reshape(-1, 784)]
    labels = [digits().train_labels[::5]]
    for code, name in enumerate(GLYPHS[1:], 10):  # the first is the star
        pixels += [draw_glyph(name, rng).reshape(1, 784) for _ in range(12)]
        labels.append(np.full(12, code))
    x, y = np.concatenate(pixels) / 255, np.concatenate(labels)
    own = np.stack([x[y == code].mean(axis=0) for code in range(y.max() + 1)])
    within = x - own[y]
    values, axes = np.linalg.eigh(within.T @ within / len(x) + 0.02 * np.eye(784))
    whiten = axes / np.sqrt(values)
    _, _, turn = np.linalg.svd((own - x.mean(axis=0)) @ whiten, full_matrices=False)
    return models.make_model(path, channels=1, dim=24, weights=whiten @ turn[:24].T)


def fill(folder: Path) -> Path:
    """The catalogue, digits.db, in a folder with its photos and model; gives its path."""
    model = learned_model(folder / "digits.onnx")
    photos = []
    for label in range(10):
        for number, row in enumerate(np.flatnonzero(digits().test_labels == label)[:DIGITS]):
            path = folder / "digits" / str(label) / f"{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(digits().test_pixels[row]).save(path)
            photos.append(Photo(path, individual=str(label)))
    with Catalogue.open(folder / "digits.db", model=model, create=True) as catalogue:
        catalogue.enrol_many(photos, who="Ada")
    return folder / "digits.db"
