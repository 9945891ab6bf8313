"""Whitening in part."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional as F

from learning import made_up_photos
from resight.fingerprint import Fingerprinter
from resight.learn import whitening as room
from resight.learn.data import PhotoLoader, PhotoSet
from resight.learn.embedder import Embedder, create_embedder
from resight.learn.export import export_model
from resight.learn.views import WithMirror
from resight.learn.whitening import MOST, effective_rank, whiten, whitening_looks, whitening_matrix

WIDTH = 24


def drawn(variances: torch.Tensor, count: int = 400, seed: int = 0) -> torch.Tensor:
    """Vectors of just these variances, by the axes."""
    noise = torch.randn(count, len(variances), generator=torch.Generator().manual_seed(seed))
    noise = torch.linalg.qr(noise - noise.mean(0)).Q * (count - 1) ** 0.5
    return noise * variances.sqrt()


def cosines(vectors: torch.Tensor) -> torch.Tensor:
    unit = F.normalize(vectors.double(), dim=1)
    return unit @ unit.T


def rank_of(vectors: torch.Tensor) -> float:
    return effective_rank(torch.linalg.eigvalsh(torch.cov(vectors.double().T)).clamp(min=0))


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
    matrix, power = whitening_matrix(vectors, 16)
    spread = vectors @ matrix
    assert rank_of(vectors) < 13
    assert 0 < power < MOST
    assert rank_of(spread) == pytest.approx(16, rel=1e-3)
    torch.testing.assert_close(matrix, matrix.T)
    # Each direction by its own power of its variance, so their order stays.
    assert (spread.var(0).diff() < 0).all()


def test_what_is_spread_enough_stays_as_it_is():
    matrix, power = whitening_matrix(drawn(torch.ones(WIDTH)), WIDTH - 1)
    assert power == 0
    torch.testing.assert_close(matrix, torch.eye(WIDTH))


def test_a_little_less_than_enough_changes_little():
    """There is no jump at the aim."""
    vectors = drawn(falling(0.8))
    matrix, power = whitening_matrix(vectors, rank_of(vectors) + 1e-3)
    assert 0 < power < 1e-3
    torch.testing.assert_close(cosines(vectors @ matrix), cosines(vectors), atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    "vectors",
    [
        torch.ones(5, 4),
        F.normalize(1 + 1e-6 * drawn(torch.ones(4), 5), dim=1),  # but for rounding
        torch.zeros(5, 4),
        torch.full((5, 4), torch.nan),
        torch.ones(1, 4),
    ],
)
def test_what_says_nothing_is_left_as_it_is(vectors):
    matrix, power = whitening_matrix(vectors, 4)
    assert power == 0
    assert torch.equal(matrix, torch.eye(4))


def test_no_more_than_half_of_a_whitening():
    vectors = drawn(falling())
    matrix, power = whitening_matrix(vectors, WIDTH)
    assert power == MOST
    floor = 1e-3 * falling().max()
    expected = falling() * (falling() + floor).rsqrt()
    spread = (vectors @ matrix).var(0)
    torch.testing.assert_close(spread / spread[0], expected / expected[0], rtol=1e-3, atol=1e-5)


def test_a_whole_whitening_is_that_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(room, "_FLOOR", 0.0)
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(1))).Q
    vectors = drawn(falling(0.8)) @ turn
    matrix, power = whitening_matrix(vectors, WIDTH + 1, most=0.5)
    assert power == 0.5
    theirs = PCA(whiten=True).fit_transform(vectors.double().numpy())
    torch.testing.assert_close(
        cosines(vectors @ matrix), cosines(torch.from_numpy(theirs)), atol=1e-4, rtol=0
    )


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 60))
def test_the_directions_that_vectors_came_in_make_no_difference(seed, count):
    """Fewer vectors than numbers will do, too."""
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, WIDTH, generator=generator) * falling(0.7).sqrt()
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator)).Q
    (matrix, power), (other, again) = (
        whitening_matrix(some, 10) for some in (vectors, vectors @ turn)
    )
    assert again == pytest.approx(power, abs=1e-3)
    torch.testing.assert_close(
        cosines(vectors @ matrix), cosines(vectors @ turn @ other), atol=1e-2, rtol=0
    )


def test_individuals_that_differ_in_what_training_left_small_are_told_apart():
    """Six directions tell the trained apart; new ones differ in eighteen others, twenty times less.

    They are asked among one another and all photos of the trained.
    """
    generator = torch.Generator().manual_seed(0)
    size = torch.cat([torch.ones(6), torch.full((WIDTH - 6,), 0.05)])

    def photos_of(individuals: int, differ: torch.Tensor) -> torch.Tensor:
        centres = torch.randn(individuals, 1, WIDTH, generator=generator) * differ
        photos = centres + 0.2 * size * torch.randn(individuals, 10, WIDTH, generator=generator)
        return photos.flatten(0, 1)

    trained = photos_of(60, size)
    new = photos_of(60, torch.cat([torch.full((6,), 0.1), size[6:]]))
    who = torch.arange(120).repeat_interleave(10)

    def found(vectors: torch.Tensor) -> list[float]:
        """R@1 of the new and of the trained."""
        right = who[cosines(vectors).fill_diagonal_(-1).argmax(1)] == who
        return [float(some.double().mean()) for some in right.split(600)]

    matrix, _ = whitening_matrix(trained, WIDTH)
    everybody = torch.cat([new, trained])
    (plain, before), (spread, after) = found(everybody), found(everybody @ matrix)
    assert spread > plain + 0.2
    assert after > before - 0.05


class OnlyHead(Embedder):
    """Its embeddings are photos of 3 × 1 × 8 pixels themselves, so that they are known."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), WIDTH, name="none", channels=3, size=(1, 8), dim=WIDTH)
        self.head = nn.Sequential(nn.Identity())
        self.looks = 0

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        self.looks += len(pixels)
        scaled = pixels / 255 if pixels.dtype == torch.uint8 else pixels
        return (scaled - 0.4).flatten(1)


def mirror(pixels, labels, generator):
    return pixels.flip(3), labels


def batches_of(count: int, seed: int = 0) -> PhotoLoader:
    """Photos whose numbers vary less and less, mirrored in training, a dozen at a time."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, 3, 1, 8, generator=generator) * falling(0.7).view(3, 1, 8)
    pixels = (128 + 30 * noise).round().clamp(0, 255).byte().numpy()
    photos = PhotoSet.of(pixels, [str(i % 4) for i in range(count)])
    return PhotoLoader(
        photos, [list(range(i, i + 12)) for i in range(0, count, 12)], augment=[mirror]
    )


def test_an_embedder_gets_a_layer_that_spreads_its_embeddings(monkeypatch):
    monkeypatch.setattr(room, "AIM", 0.5)
    embedder, loader = OnlyHead(), batches_of(480)
    plain = loader.photos.pixels
    before = torch.cat([embedder(plain), embedder(plain.flip(3))])
    matrix, expected = whitening_matrix(before, 12)
    power = whiten(embedder.train(), loader)
    assert power == pytest.approx(expected, abs=1e-4)
    assert power > 0
    assert embedder.training
    assert loader.epoch == 0
    after = torch.cat([embedder(plain), embedder(plain.flip(3))])
    spread = F.normalize((before - before.mean(0)) @ matrix, dim=1)
    torch.testing.assert_close(after, spread, atol=1e-4, rtol=0)
    assert rank_of(after) > rank_of(before) + 1


@pytest.mark.parametrize(("aim", "each"), [(0.1, 8), (0.5, 200)])
def test_only_what_needs_it_is_whitened(aim, each, monkeypatch):
    """Neither what is spread enough, nor where too few photos were seen to aim at more."""
    monkeypatch.setattr(room, "AIM", aim)
    monkeypatch.setattr(room, "PHOTOS_EACH", each)
    embedder, loader = OnlyHead(), batches_of(480)
    before = embedder(loader.photos.pixels)
    assert whiten(embedder, loader) == 0
    assert torch.equal(embedder(loader.photos.pixels), before)


@pytest.mark.parametrize(("photos", "looks"), [(36, 72), (1200, 200)])
def test_so_many_looks_at_most(photos, looks, monkeypatch):
    monkeypatch.setattr(room, "LOOKS", 100)
    assert whitening_looks(photos) == looks
    embedder = OnlyHead()
    whiten(embedder, batches_of(photos))
    assert embedder.looks == looks


def test_a_whitened_network_is_exported_whole(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(room, "AIM", 1.0)
    monkeypatch.setattr(room, "PHOTOS_EACH", 1)
    torch.manual_seed(0)
    embedder = create_embedder("small", dim=16, channels=3, size=(32, 32))
    photos = made_up_photos(8, 20, size=(32, 32), channels=3)
    before = embedder.eval()(photos.pixels)
    loader = PhotoLoader(photos, [list(range(80))])
    assert whiten(embedder, loader) == MOST
    network = WithMirror(embedder).eval()
    with torch.no_grad():
        out = network(photos.pixels)
        assert not torch.allclose(out[:, :16] * 2**0.5, before, atol=1e-2)
    export_model(network, tmp_path / "spread.onnx")
    exported = Fingerprinter(tmp_path / "spread.onnx")(photos.pixels.permute(0, 2, 3, 1).numpy())
    np.testing.assert_allclose(exported.vectors, out.numpy(), atol=1e-4)


def test_only_the_network_looks_in_half_precision():
    embedder, loader = OnlyHead(), batches_of(48)
    embedder.half_precision = True
    found = {"network": [], "augmentation": []}
    features = embedder.features

    def looking(pixels):
        found["network"].append(torch.is_autocast_enabled("cpu"))
        return features(pixels)

    def shown(pixels, labels, generator):
        found["augmentation"].append(torch.is_autocast_enabled("cpu"))
        return pixels, labels

    embedder.features, loader.augment = looking, [shown]
    whiten(embedder, loader)
    assert set(found["network"]) == {True}
    assert set(found["augmentation"]) == {False}
