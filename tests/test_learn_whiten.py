"""Whitening in part."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch.nn import functional as F

from resight.fingerprint import Fingerprinter
from resight.learn import whiten
from resight.learn.embedder import create_embedder
from resight.learn.export import export_model
from resight.learn.views import WithMirror
from resight.learn.whiten import AIM, MOST, Whitened, effective_rank, whitened, whitening
from resight.photos.digits import embedded_digits

WIDTH = 24


def drawn(variances: torch.Tensor, count: int = 400, seed: int = 0) -> torch.Tensor:
    """Vectors of just these variances, by the axes, about a mean that is not 0."""
    noise = torch.randn(count, len(variances), generator=torch.Generator().manual_seed(seed))
    noise = torch.linalg.qr(noise - noise.mean(0)).Q * (count - 1) ** 0.5
    return noise * variances.sqrt() + 3


def cosines(vectors: torch.Tensor) -> torch.Tensor:
    unit = F.normalize(vectors.double(), dim=1)
    return unit @ unit.T


def falling(rate: float = 0.5) -> torch.Tensor:
    return rate ** torch.arange(WIDTH, dtype=torch.float32)


@pytest.mark.parametrize(
    ("variances", "rank"),
    [([2, 2, 2, 2], 4), ([7, 0, 0], 1), ([1, 1, 0], 2), ([0, 0], 0), ([0.5, 0.25, 0.25], 2**1.5)],
)
def test_effective_rank_of_variances_worked_by_hand(variances, rank):
    assert effective_rank(torch.tensor(variances, dtype=torch.double)) == pytest.approx(rank)


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8), st.floats(1e-3, 1e3))
def test_effective_rank_lies_between_one_and_all_and_knows_no_unit(variances, unit):
    some = torch.tensor(variances, dtype=torch.double)
    rank = effective_rank(some)
    assert 1 - 1e-9 <= rank <= len(some) + 1e-9
    assert effective_rank(some * unit) == pytest.approx(rank)


def test_vectors_spread_over_as_many_directions_as_was_aimed_at():
    vectors = drawn(falling(0.8))
    before = effective_rank(torch.linalg.eigvalsh(torch.cov(vectors.T)).clamp(min=0))
    mean, matrix, power = whitening(vectors, 16)
    spread = (vectors - mean) @ matrix
    after = torch.linalg.eigvalsh(torch.cov(spread.T)).clamp(min=0)
    assert before < 13
    assert 0 < power < MOST
    assert effective_rank(after) == pytest.approx(16, rel=1e-3)
    torch.testing.assert_close(spread.mean(0), torch.zeros(WIDTH), atol=1e-5, rtol=0)
    torch.testing.assert_close(matrix, matrix.T)
    # Each direction by its own power of its variance, so their order stays.
    assert (spread.var(0).diff() < 0).all()


def test_what_is_spread_enough_stays_as_it_is():
    vectors = drawn(torch.ones(WIDTH))
    mean, matrix, power = whitening(vectors, WIDTH - 1)
    assert power == 0
    assert not mean.any()
    torch.testing.assert_close(matrix, torch.eye(WIDTH))


@pytest.mark.parametrize("vectors", [torch.ones(5, 4), torch.zeros(5, 4)])
def test_vectors_that_are_all_the_same_stay_as_they_are(vectors):
    assert whitening(vectors, 2)[2] == 0


def test_no_more_than_half_of_a_whitening():
    vectors = drawn(falling())
    mean, matrix, power = whitening(vectors, WIDTH)
    assert power == MOST
    variances = falling()
    floor = whiten._FLOOR * variances.max()
    expected = variances * (variances + floor).rsqrt()
    spread = ((vectors - mean) @ matrix).var(0)
    torch.testing.assert_close(spread / spread[0], expected / expected[0], rtol=1e-3, atol=1e-5)


def test_a_whole_whitening_is_that_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(whiten, "_FLOOR", 0.0)
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(1))).Q
    vectors = drawn(falling(0.8)) @ turn
    mean, matrix, power = whitening(vectors, WIDTH + 1, most=0.5)
    assert power == 0.5
    theirs = PCA(whiten=True).fit_transform(vectors.double().numpy())
    ours = cosines((vectors - mean) @ matrix)
    torch.testing.assert_close(ours, cosines(torch.from_numpy(theirs)), atol=1e-4, rtol=0)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_the_directions_that_vectors_came_in_make_no_difference(seed, count):
    """Fewer vectors than numbers will do, too."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, WIDTH, generator=generator) * falling(0.7).sqrt()
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator)).Q
    (mean, matrix, power), (other_mean, other, again) = (
        whitening(some, 10) for some in (vectors, vectors @ turn)
    )
    assert again == pytest.approx(power, abs=1e-3)
    ours = cosines((vectors - mean) @ matrix)
    torch.testing.assert_close(
        ours, cosines((vectors @ turn - other_mean) @ other), atol=1e-2, rtol=0
    )


def test_individuals_that_differ_in_what_training_left_small_are_told_apart():
    """Six directions tell the trained apart; new ones differ in eighteen others, twenty times less.

    Beside them lie photos of the trained, whose six directions no new one is near in.
    """
    generator = torch.Generator().manual_seed(0)
    size = torch.cat([torch.ones(6), torch.full((WIDTH - 6,), 0.05)])

    def photos_of(individuals: int, differ: torch.Tensor) -> torch.Tensor:
        centres = torch.randn(individuals, 1, WIDTH, generator=generator) * differ
        return centres + 0.2 * size * torch.randn(individuals, 10, WIDTH, generator=generator)

    trained = photos_of(60, size).flatten(0, 1)
    new = photos_of(60, torch.cat([torch.full((6,), 0.1), size[6:]]))

    def found(vectors: torch.Tensor) -> float:
        likeness = cosines(vectors).fill_diagonal_(-1)
        who = torch.arange(60).repeat_interleave(10)
        return float((who[likeness.argmax(1)] == who).double().mean())

    mean, matrix, _ = whitening(trained, AIM * 4 * WIDTH)
    plain, spread = found(new.flatten(0, 1)), found(((new - mean) @ matrix).flatten(0, 1))
    assert spread > plain + 0.2


def pixels(count: int = 40) -> torch.Tensor:
    return torch.from_numpy(embedded_digits().test_pixels[:count])[:, None]


@pytest.mark.parametrize("looks", [lambda one: one, WithMirror])
def test_a_network_is_whitened_and_exported_whole(looks, tmp_path: Path):
    torch.manual_seed(0)
    network = looks(create_embedder("small", dim=16)).eval()
    with torch.no_grad():
        vectors = network(pixels())
        mean, matrix, power = whitening(vectors, network.dim)
        assert power > 0
        spread = Whitened(network, mean, matrix).eval()
        out = spread(pixels())
    assert (spread.name, spread.dim, spread.size, spread.channels) == (
        network.name,
        network.dim,
        network.size,
        network.channels,
    )
    torch.testing.assert_close(out.norm(dim=1), torch.ones(len(out)))
    torch.testing.assert_close(out, F.normalize((vectors - spread.mean) @ spread.matrix, dim=1))
    export_model(spread, tmp_path / "spread.onnx")
    exported = Fingerprinter(tmp_path / "spread.onnx")(pixels()[:, 0].numpy()).vectors
    np.testing.assert_allclose(exported, out.numpy(), atol=1e-5)


def test_only_what_needs_it_is_whitened():
    network = create_embedder("small", dim=16)
    assert whitened(network, drawn(torch.ones(16))) == (network, 0.0)
    spread, power = whitened(network, drawn(falling(0.2)[:16]))
    assert isinstance(spread, Whitened)
    assert 0 < power <= MOST
