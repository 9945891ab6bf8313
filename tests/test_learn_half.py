"""bfloat16 on a processor: who gains by it, and what stays in float32."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from learning import PLAN, made_up_photos
from resight.learn.fold import fold_batchnorm, settle_gains
from resight.learn.half import computes_bfloat16, gains_by_bfloat16, suit_bfloat16
from resight.learn.photographs import FineTuning

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("instructions", "computes", "gains"),
    [
        ({}, False, False),
        ({"avx512_bf16": True}, True, False),
        ({"avx512_bf16": True, "amx_bf16": True}, True, True),
    ],
)
def test_thin_convolutions_gain_where_tiles_are_multiplied(
    monkeypatch: pytest.MonkeyPatch, instructions: dict[str, bool], computes: bool, gains: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
    assert computes_bfloat16(CPU) is computes
    assert gains_by_bfloat16(CPU) is gains


def test_strided_depthwise_convolutions_are_found_and_no_others() -> None:
    assert suit_bfloat16(timm.create_model("tf_efficientnet_lite0")) == 4  # one a stage that halves
    assert suit_bfloat16(timm.create_model("resnet18")) == 0


def strided(suited: bool) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.ReLU6(inplace=True), nn.Conv2d(8, 8, 3, stride=2, groups=8)
    )
    assert suit_bfloat16(net) == 1 if suited else True
    return net


def in_half(net: nn.Module, photos: Tensor) -> tuple[Tensor, Tensor]:
    """What the last convolution is given, and what it gives, under autocast."""
    seen: list[Any] = []
    handle = net[2].register_forward_hook(lambda _, given, out: seen.extend([given[0], out]))  # type: ignore[index,operator]
    with torch.autocast("cpu", torch.bfloat16):
        net(photos)
    handle.remove()
    return seen[0], seen[1]


def test_their_gradients_are_those_of_float32() -> None:
    photos = torch.rand(2, 3, 9, 9)
    net = strided(True)
    given, out = in_half(net, photos)
    assert given.dtype == out.dtype == torch.bfloat16
    weight = net[2].weight
    assert isinstance(weight, Tensor)
    passed = torch.rand_like(out)
    got = torch.autograd.grad(out, [given, weight], passed)
    exact = given.detach().float().requires_grad_()
    expected = torch.autograd.grad(
        nn.functional.conv2d(exact, weight, net[2].bias, stride=2, groups=8),  # type: ignore[arg-type]
        [exact, weight],
        passed.float(),
    )
    assert torch.equal(got[0], expected[0].bfloat16())  # rounded once, on its way on
    assert torch.equal(got[1], expected[1])
    # In bfloat16 throughout, the weights' gradient is rounded: the test can tell.
    given, out = in_half(plain := strided(False), photos)
    (rounded,) = torch.autograd.grad(out, [plain[2].weight], passed)  # type: ignore[list-item]
    assert not torch.equal(rounded, expected[1])


def test_what_learns_nothing_before_them_stays_in_bfloat16() -> None:
    suited, plain = (strided(each).requires_grad_(False) for each in (True, False))
    photos = torch.rand(2, 3, 9, 9)
    assert torch.equal(in_half(suited, photos)[1], in_half(plain, photos)[1])


def test_a_suited_body_folds_and_computes_the_same() -> None:
    torch.manual_seed(0)
    body = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    photos = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        before = body(photos)
        assert suit_bfloat16(body)
        assert torch.equal(body(photos), before)
        assert fold_batchnorm(body, photos) > 10
        folded = body(photos)
        settle_gains(body)
    torch.testing.assert_close(folded, before, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(body(photos), before, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("gains", [True, False])
def test_photographs_are_trained_so_where_it_gains(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gains: bool
) -> None:
    monkeypatch.setattr("resight.learn.photographs.gains_by_bfloat16", lambda device: gains)
    photos = made_up_photos(4, 4, size=PLAN.size, channels=3)
    tuning = FineTuning(photos, photos, PLAN, path=tmp_path)
    assert tuning.learn.model.half_precision is (gains or torch.cuda.is_available())
    apart = [m for m in tuning.learn.model.modules() if type(m).__base__.__name__ == "InFloat32"]  # type: ignore[union-attr]
    assert bool(apart) is (gains and not torch.cuda.is_available())
