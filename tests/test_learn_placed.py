"""A body that tells where its features lie, and a head that is learned first."""

from pathlib import Path

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from learning import made_up_photos, one_thread  # noqa: F401
from resight.learn import head_first
from resight.learn.arcface import ArcFaceLoss
from resight.learn.augment import Warp
from resight.learn.embedder import Embedder, create_embedder
from resight.learn.export import export_model
from resight.learn.fold import fold_batchnorm, settle_gains
from resight.learn.head_first import learn_head
from resight.learn.placed import (
    PlacedBody,
    Standardise,
    in_cells,
    keep_first_stages,
    keep_wide_depthwise,
    place,
)

SIZE = (48, 64)


def embedder_on(name: str = "test_efficientnet", dim: int = 16) -> Embedder:
    torch.manual_seed(0)
    return create_embedder(name, dim=dim, channels=3, size=SIZE)


def test_cells_by_hand() -> None:
    row = torch.tensor([[[[3.0, 6.0, 12.0]]]])
    # Two cells of one and a half columns each: (3 + 6/2) / 1.5 and (6/2 + 12) / 1.5.
    torch.testing.assert_close(in_cells(row, 2)[0, 0, 0], torch.tensor([4.0, 10.0]))
    torch.testing.assert_close(in_cells(row, 1), torch.full((1, 1, 1, 1), 7.0))


@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3))
def test_where_cells_divide_a_map_they_are_its_means(cells: int, down: int, across: int) -> None:
    maps = torch.rand(2, 3, cells * down, cells * across)
    torch.testing.assert_close(in_cells(maps, cells), F.adaptive_avg_pool2d(maps, cells))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_no_size_of_map_changes_its_mean(high: int, wide: int, cells: int) -> None:
    maps = torch.rand(1, 2, high, wide)
    torch.testing.assert_close(in_cells(maps, cells).mean((2, 3)), maps.mean((2, 3)))


@pytest.mark.parametrize(
    ("name", "stages", "cells"),
    [
        ("test_efficientnet", [2, 3], [8, 4]),
        ("test_resnet", [2, 3], [8, 4]),
        ("convnext_atto", [1, 2], [8, 4]),
        ("tf_efficientnet_lite0", [2, 3], [8, 4]),
    ],
)
def test_the_maps_of_strides_8_and_16_are_laid_in_cells(
    name: str, stages: list[int], cells: list[int]
) -> None:
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=0).eval()
    photos = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        _, maps = net.forward_intermediates(photos, indices=stages)
        numbers = sum(p.numel() for p in net.parameters())
        body = PlacedBody(net, 3, (64, 64))
        features = body(photos)
    assert body.cells == cells, "no more cells than the maps have places"
    whole = torch.cat([each.flatten(1) for each in maps], 1)  # a cell for each place
    assert body.features == whole.shape[1]
    torch.testing.assert_close(features, whole)
    assert sum(p.numel() for p in body.parameters()) < numbers, "the later stages are dropped"


def test_every_parameter_that_is_left_learns() -> None:
    body = PlacedBody(timm.create_model("tf_efficientnet_lite0", num_classes=0), 3, (64, 64))
    body(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert all(p.grad is not None for p in body.parameters())


def test_a_body_that_ends_at_stride_16_gives_what_it_gave_too() -> None:
    net = timm.create_model("test_vit", num_classes=0).eval()
    body = PlacedBody(net, 3, (160, 160))
    assert body.stages == [5], "the last of a stride that stages share"
    assert body.cells == [10]
    photos = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        plain, features = net(photos), body(photos)
    torch.testing.assert_close(features[:, : plain.shape[1]], plain)
    assert features.shape == (2, plain.shape[1] + 64 * 100)


def test_a_wide_map_is_laid_in_fewer_cells() -> None:
    wide = timm.create_model("resnet18", num_classes=0)
    assert PlacedBody(wide, 3, (224, 224)).cells == [8, 5]  # of 128 and 256 channels


def test_a_body_without_such_maps_keeps_its_own() -> None:
    torch.manual_seed(0)
    embedder = create_embedder("resnet18", dim=8, channels=3, size=SIZE)
    body = embedder.body
    body.feature_info = body.feature_info[:2]  # strides 2 and 4
    assert not place(embedder)
    assert embedder.body is body
    assert embedder(torch.rand(2, 3, *SIZE)).shape == (2, 8)


def test_wide_depthwise_kernels_stay_and_what_lies_between_learns() -> None:
    net = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    fold_batchnorm(net, torch.rand(2, 3, 64, 64))
    assert keep_wide_depthwise(net) == 9
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            wide = module.groups > 1 and module.kernel_size == (5, 5)
            assert all(p.requires_grad != wide for p in module.parameters()), name
    plain = timm.create_model("test_resnet", num_classes=0)
    assert keep_wide_depthwise(plain) == 0


def test_place_is_seen_where_a_mean_forgets_it() -> None:
    class Spot(nn.Module):
        """A body whose only map is the photo itself."""

        feature_info = ({"reduction": 8},)

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward_intermediates(
            self, x: Tensor, indices: list[int]
        ) -> tuple[Tensor, list[Tensor]]:
            return x, [x]

        def forward_head(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    left, right = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    left[..., 3, 1] = right[..., 3, 6] = 1
    body = PlacedBody(Spot(), 1, (8, 8))
    assert body.features == 1 + 64
    one, other = body(left)[0], body(right)[0]
    assert one[0] == other[0]
    assert not torch.equal(one[1:], other[1:])


def test_a_body_that_gives_no_maps_keeps_its_head() -> None:
    embedder = create_embedder("small", dim=8, channels=1, size=(28, 28))
    head = embedder.head
    assert not place(embedder)
    assert embedder.head is head


def test_standardised_features_by_hand() -> None:
    layer = Standardise(2)
    seen = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    layer.see(seen)
    out = layer(seen)
    torch.testing.assert_close(out.mean(0), torch.zeros(2))
    assert out[1, 0] == pytest.approx(0.5**0.5, abs=0.02)  # 1 / √2
    assert out[:, 1].tolist() == [0, 0]  # the same everywhere, and still finite
    assert torch.equal(layer.eval()(seen), layer.train()(seen))


def test_the_first_stages_stay_and_the_others_learn() -> None:
    net = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    assert keep_first_stages(net) > 0
    learns = {name: parameter.requires_grad for name, parameter in net.named_parameters()}
    for stays in ("conv_stem.", "bn1.", "blocks.0.", "blocks.1."):
        assert not any(free for name, free in learns.items() if name.startswith(stays))
    for goes_on in ("blocks.2.", "blocks.6.", "conv_head.", "bn2."):
        assert all(free for name, free in learns.items() if name.startswith(goes_on))
    small = create_embedder("small").body
    assert keep_first_stages(small) == 0
    assert all(parameter.requires_grad for parameter in small.parameters())


def test_gains_are_learned_and_settled_at_the_end(tmp_path: Path) -> None:
    embedder = embedder_on()
    photos = torch.rand(4, 3, *SIZE)
    embedder(photos)  # moves the statistics
    assert fold_batchnorm(embedder.body, photos)
    gains = [p for name, p in embedder.named_parameters() if name.endswith(".gain")]
    weights = [p for name, p in embedder.named_parameters() if name.endswith(".plain")]
    assert len(gains) == len(weights) > 5
    embedder(photos).square().sum().backward()
    embedder(photos)[:, 0].sum().backward()
    assert all(bool((p.grad != 0).any()) for p in gains)
    embedder.eval()
    with torch.no_grad():
        before = embedder(photos)
        settle_gains(embedder)
        torch.testing.assert_close(embedder(photos), before, rtol=1e-5, atol=1e-6)
    assert not any(name.endswith(".gain") for name, _ in embedder.named_parameters())


def test_export_settles_a_copy(tmp_path: Path) -> None:
    embedder = embedder_on()
    fold_batchnorm(embedder.body, torch.rand(2, 3, *SIZE))
    assert place(embedder)
    names = list(embedder.state_dict())
    card = export_model(embedder, tmp_path / "m.onnx")
    assert list(embedder.state_dict()) == names
    assert export_model(embedder, tmp_path / "n.onnx").content_hash == card.content_hash


@pytest.fixture
def placed() -> Embedder:
    embedder = embedder_on()
    assert place(embedder)
    return embedder


def test_the_head_learns_and_the_body_stays(placed: Embedder) -> None:
    photos = made_up_photos(6, 6, size=SIZE, channels=3)
    body = {name: value.clone() for name, value in placed.body.state_dict().items()}
    loss = ArcFaceLoss(6, placed.dim)
    with torch.no_grad():
        first = float(loss(placed.eval()(photos.pixels), photos.labels))
    learn_head(placed, loss, photos, [Warp()], SIZE)
    with torch.no_grad():
        last = float(loss.eval()(placed.eval()(photos.pixels), photos.labels))
    assert last < 0.5 * first
    assert all(torch.equal(value, body[name]) for name, value in placed.body.state_dict().items())


def test_the_same_seed_learns_the_same_head() -> None:
    photos = made_up_photos(4, 5, size=SIZE, channels=3)
    heads = []
    for seed in (1, 1, 2):
        embedder = embedder_on()
        place(embedder)
        torch.manual_seed(0)
        learn_head(embedder, ArcFaceLoss(4, embedder.dim), photos, [Warp()], SIZE, seed)
        heads.append(embedder.head[2].weight.detach().clone())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_of_very_many_photos_some_are_looked_at(
    placed: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = made_up_photos(5, 8, size=SIZE, channels=3)
    looked = []
    monkeypatch.setattr(head_first, "MOST_LOOKS", 30)
    hook = placed.body.register_forward_pre_hook(lambda _, args: looked.append(len(args[0])))
    learn_head(placed, ArcFaceLoss(5, placed.dim), photos, [], SIZE)
    hook.remove()
    assert sum(looked) == 30
