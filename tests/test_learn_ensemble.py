"""Several networks as one."""

import numpy as np
import pytest
import torch

from resight.errors import ResightError
from resight.fingerprint import Fingerprinter
from resight.learn.embedder import create_embedder
from resight.learn.ensemble import Ensemble
from resight.learn.export import export_model
from resight.learn.views import Views
from resight.photos.digits import embedded_digits


def pixels(count=6):
    return torch.from_numpy(embedded_digits().test_pixels[:count])[:, None]


def members(count=2, **options):
    torch.manual_seed(0)
    return [create_embedder("small", dim=8 * (1 + i), **options).eval() for i in range(count)]


def test_its_cosine_is_the_mean_of_its_members():
    several = members(3)
    together = Ensemble(several).eval()
    with torch.no_grad():
        out = together(pixels())
        each = [member(pixels()) for member in several]
    assert together.dim == 8 + 16 + 24
    torch.testing.assert_close(out.norm(dim=1), torch.ones(6))
    mean = torch.stack([e @ e.T for e in each]).mean(0)
    torch.testing.assert_close(out @ out.T, mean, atol=1e-5, rtol=0)


def test_what_takes_other_photos_is_no_member():
    with pytest.raises(ResightError, match="one member"):
        Ensemble([])
    with pytest.raises(ResightError, match="one size"):
        Ensemble([*members(1), *members(1, size=(32, 32))])
    with pytest.raises(ResightError, match="one size"):
        Ensemble([*members(1), *members(1, channels=3)])


def test_it_is_looked_through_and_exported_in_an_embedders_place(tmp_path):
    network = Views(Ensemble(members())).eval()
    card = export_model(network, tmp_path / "several.onnx")
    assert card.dim == 24
    assert card.body == "small + small"
    with torch.no_grad():
        expected = network(pixels()).numpy()
    found = Fingerprinter(tmp_path / "several.onnx")(pixels()[:, 0].numpy()).vectors
    np.testing.assert_allclose(found, expected, atol=1e-4)
