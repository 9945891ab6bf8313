"""What several tests share: small models, and the place of the real data."""

import os
from pathlib import Path

import hypothesis
import pytest

# The same command twice gives the same answer, Hypothesis' examples included. To look further than
# the fixed ones: HYPOTHESIS_PROFILE=search.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None, max_examples=500)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file: grey 28×28 pixels to 32 numbers by a random projection."""
    models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")
    return models.make_model(tmp_path_factory.mktemp("models") / "tiny.onnx")


@pytest.fixture(scope="session")
def tiny_rgb_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file: RGB pixels, 48 high and 64 wide, to 16 numbers."""
    models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")
    path = tmp_path_factory.mktemp("models") / "tiny_rgb.onnx"
    return models.make_model(path, size=(48, 64), channels=3, dim=16, seed=1)


@pytest.fixture(scope="session")
def data() -> Path:
    """Where the real data lies: RESIGHT_DATA, or shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    place = Path(os.environ.get("RESIGHT_DATA") or beside)
    if not place.is_dir():
        pytest.skip(f"no real data at {place} (set RESIGHT_DATA to where it lies)")
    return place
