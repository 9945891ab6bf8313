"""Made-up individuals, and small learners, for tests of learning."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastai.callback.progress import ProgressCallback
from PIL import Image

from resight.learn import PhotoSet, ReidLearner, reid_learner
from resight.learn.plan import Plan

# Of photographs, from ImageNet's weights.
PLAN = Plan(
    kind="photos",
    body="tf_efficientnet_lite0",
    pretrained=True,
    size=(192, 192),
    channels=3,
    fit="stretch",
    dim=32,
    loss="arcface",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """For a test file that imports it: tiny batches gain nothing by threads that wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made_up_photos(
    individuals: int = 6,
    each: int = 8,
    *,
    size: tuple[int, int] = (16, 16),
    channels: int = 1,
    noise: float = 40,
    seed: int = 0,
) -> PhotoSet:
    """Photos of individuals that are a coarse random pattern each; noise makes the photos."""
    coarse = np.random.default_rng(0).integers(40, 216, (individuals, channels, 4, 4))
    rows = np.arange(size[0]) * 4 // size[0]
    columns = np.arange(size[1]) * 4 // size[1]
    patterns = coarse[:, :, rows][:, :, :, columns]
    who = np.repeat(np.arange(individuals), each)
    rng = np.random.default_rng(seed)
    pixels = patterns[who] + rng.normal(0, noise, (len(who), channels, *size))
    return PhotoSet.of(pixels.clip(0, 255).astype(np.uint8), [f"who {i}" for i in who])


def small_learner(path: Path, *, bar: bool = False, **options: Any) -> ReidLearner:
    """A learner that takes a second: 48 photos of six individuals, and as many to measure."""
    settings: dict[str, Any] = {
        "train": made_up_photos(),
        "valid": made_up_photos(seed=1),
        "dim": 16,
        "individuals": 4,
        "photos": 2,
        **options,
    }
    learn = reid_learner(settings.pop("train"), settings.pop("valid"), path=path, **settings)
    if not bar:
        learn.remove_cb(ProgressCallback)
        learn.logger = lambda _: None
    return learn


def write_photos(root: Path, photos: PhotoSet, suffix: str = ".png") -> Path:
    """A folder per individual."""
    for i, (pixels, label) in enumerate(zip(photos.pixels, photos.labels.tolist(), strict=True)):
        folder = root / photos.names[label]
        folder.mkdir(parents=True, exist_ok=True)
        image = pixels.permute(1, 2, 0).numpy()
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(
            folder / f"{i:03d}{suffix}"
        )
    return root
