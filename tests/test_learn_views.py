"""Looking several times."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from resight.fingerprint import Fingerprinter
from resight.learn.data import enlarge
from resight.learn.embedder import Embedder, create_embedder
from resight.learn.ensemble import Ensemble
from resight.learn.export import export_model
from resight.learn.views import LOOKS, Views, WithMirror
from resight.photos.digits import embedded_digits


def pixels(count=6):
    return torch.from_numpy(embedded_digits().test_pixels[:count])[:, None]


def test_the_mean_of_the_looks_in_unit_length():
    embedder = create_embedder("small").eval()
    views = Views(embedder).eval()
    with torch.no_grad():
        out = views(pixels())
        torch.testing.assert_close(out.norm(dim=1), torch.ones(6))
        looks = []
        for angle, zoom in LOOKS:
            cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
            matrix = torch.tensor([[[cos, -sin, 0], [sin, cos, 0]]]).expand(6, 2, 3)
            grid = nn.functional.affine_grid(matrix, [6, 1, 28, 28], align_corners=False)
            seen = nn.functional.grid_sample(pixels().float() / 255, grid, align_corners=False)
            looks.append(embedder(seen))
    expected = nn.functional.normalize(torch.stack(looks).mean(0), dim=1)
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=0)


def test_a_photo_and_its_mirror_image_side_by_side():
    embedder = create_embedder("small", dim=16).eval()
    both = WithMirror(embedder).eval()
    with torch.no_grad():
        plain, mirrored = embedder(pixels()), embedder(pixels().flip(3))
        out, swapped = both(pixels()), both(pixels().flip(3))
    assert out.shape == (6, both.dim) == (6, 32)
    cosines = (plain @ plain.T + mirrored @ mirrored.T) / 2
    torch.testing.assert_close(out @ out.T, cosines, atol=1e-5, rtol=0)
    # A photo is not its mirror image: that has the two halves the other way round.
    torch.testing.assert_close(swapped, out.roll(16, dims=1), atol=1e-5, rtol=0)
    assert ((out * swapped).sum(1) < 0.99).all()


def test_a_turn_keeps_the_shape_of_what_is_in_an_oblong_photo():
    """A round spot stays round: turned in pixels, not in shares of the sides."""
    seen = []

    class Watch(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x.flatten(1)

    oblong = Embedder(Watch(), 20 * 40, name="watch", channels=1, size=(20, 40), dim=4).eval()
    rows, columns = torch.meshgrid(torch.arange(20) - 9.5, torch.arange(40) - 19.5, indexing="ij")
    spot = torch.exp(-(rows**2 + columns**2) / 20)[None, None]
    Views(oblong).eval()(spot)
    as_it_is, turned = seen[0] * oblong.std + oblong.mean, seen[1] * oblong.std + oblong.mean
    torch.testing.assert_close(as_it_is, spot, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned, spot, atol=0.03, rtol=0)


def test_what_is_seen_enlarged_is_enlarged_before_it_is_turned():
    torch.manual_seed(0)
    embedder = create_embedder("drawing", dim=8).eval()
    seen = []
    embedder.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-2:]))
    views = Views(Ensemble([embedder])).eval()
    assert views.grid.shape == (5, 48, 48, 2)
    with torch.no_grad():
        found = views(pixels())
        large = enlarge(pixels().float() / 255, (48, 48))
        turned = [
            F.grid_sample(large, grid.expand(len(large), -1, -1, -1), "bilinear", "border")
            for grid in views.grid[:, None]
        ]
        wanted = F.normalize(sum(embedder(one) for one in turned), dim=1)
    assert set(seen) == {(48, 48)}
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("body", ["small", "drawing"])
@pytest.mark.parametrize("looks", [Views, WithMirror, lambda one: Views(WithMirror(one))])
def test_it_is_exported_in_an_embedders_place(looks, body, tmp_path):
    torch.manual_seed(0)
    views = looks(create_embedder(body, dim=16)).eval()
    export_model(views, tmp_path / "views.onnx")
    fingerprinter = Fingerprinter(tmp_path / "views.onnx")
    with torch.no_grad():
        expected = views(pixels()).numpy()
    np.testing.assert_allclose(fingerprinter(pixels()[:, 0].numpy()).vectors, expected, atol=1e-4)
