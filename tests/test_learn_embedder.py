"""The embedder: any body, unit vectors, and errors in one line."""

import socket
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from resight.errors import ResightError
from resight.learn import create_embedder
from resight.learn.embedder import split_parameters

BODIES: list[dict[str, Any]] = [
    {"body": "small"},
    {"body": "small", "channels": 3, "size": (40, 30)},
    {"body": "small", "size": (8, 9)},
    {"body": "drawing"},
    {"body": "drawing", "channels": 3, "size": (12, 20)},
    {"body": "drawing", "size": (70, 50)},
    {"body": "resnet18"},
    {"body": "test_vit"},
    {"body": "test_vit", "channels": 3, "size": (50, 70)},
    {"body": "tf_efficientnet_lite0", "channels": 3, "size": (64, 64)},
    {"body": "torchvision/shufflenet_v2_x0_5"},
    {"body": "torchvision/googlenet"},
]


def _photos(n: int, channels: int = 1, size: tuple[int, int] = (28, 28)) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, channels, *size), dtype=torch.uint8, generator=generator)


@pytest.fixture(autouse=True)
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a network connection fails."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a download was attempted")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize(
    "wish", BODIES, ids=lambda w: "-".join(map(str, w.values())).replace(" ", "")
)
def test_any_body_gives_unit_vectors_and_learns_everywhere(wish: dict[str, Any]) -> None:
    torch.manual_seed(0)
    embedder = create_embedder(dim=20, **wish).to(memory_format=torch.channels_last)
    pixels = _photos(4, embedder.channels, embedder.size)
    out = embedder(pixels)
    assert out.shape == (4, 20)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.norm(dim=1), torch.ones(4))
    (out * torch.randn(4, 20)).sum().backward()
    assert [name for name, p in embedder.named_parameters() if p.grad is None] == []
    body, head = split_parameters(embedder)
    assert len(body) + len(head) == len(list(embedder.parameters()))


@pytest.mark.parametrize("body", ["small", "drawing", "test_vit"])
def test_bytes_and_floats_are_the_same_photos(body: str) -> None:
    torch.manual_seed(0)
    embedder = create_embedder(body).eval()
    pixels = _photos(5)
    with torch.no_grad():
        as_bytes, as_floats = embedder(pixels), embedder(pixels.float() / 255)
        last = embedder(pixels.to(memory_format=torch.channels_last))
        one = embedder(pixels[3:4])
    torch.testing.assert_close(as_bytes, as_floats, rtol=0, atol=0)
    torch.testing.assert_close(as_bytes, last, rtol=0, atol=1e-6)
    torch.testing.assert_close(as_bytes[3:4], one, rtol=0, atol=1e-5)


def test_a_body_sees_small_photos_large_enough() -> None:
    assert create_embedder("resnet18").sees == (28, 28)  # its stem keeps the resolution
    assert create_embedder("test_vit").sees == (64, 64)  # whole patches of 16
    assert create_embedder("test_vit", size=(64, 96)).sees == (64, 96)
    assert create_embedder("tf_efficientnet_lite0").sees == (112, 112)
    assert create_embedder("small").sees == (28, 28)
    assert create_embedder("drawing").sees == (48, 48)
    assert create_embedder("drawing", size=(12, 20)).sees == (29, 48)
    assert create_embedder("drawing", size=(70, 50)).sees == (70, 50)


def test_a_photo_may_be_as_large_already_as_it_is_seen() -> None:
    embedder = create_embedder("drawing", size=(24, 24)).eval()
    pixels = _photos(3, size=(24, 24)).float() / 255
    large = F.interpolate(pixels, (48, 48), mode="bilinear", align_corners=False)
    with torch.no_grad():
        torch.testing.assert_close(embedder(large), embedder(pixels), rtol=0, atol=1e-5)
        assert not torch.allclose(embedder(large.flip(3)), embedder(pixels), rtol=0, atol=1e-3)


def test_half_precision_is_for_training_only_and_never_left_on() -> None:
    embedder = create_embedder("small", size=(16, 16))
    seen: list[torch.dtype] = []
    embedder.head.register_forward_hook(lambda _, __, out: seen.append(out.dtype))
    pixels = _photos(4, size=(16, 16))
    embedder(pixels)
    embedder.half_precision = True
    assert embedder(pixels).dtype == torch.float32
    embedder.eval()(pixels)
    assert seen == [torch.float32, torch.bfloat16, torch.float32]
    with pytest.raises(RuntimeError):
        embedder.train()(pixels[:, :, :3, :3].repeat(1, 2, 1, 1))
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(
    "body",
    ["nope", "", "torchvision/nope", "torchvision/fcn_resnet50", "torchvision/vit_b_16"],
)
def test_a_body_that_cannot_be_had_is_one_line(body: str) -> None:
    with pytest.raises(ResightError) as caught:
        create_embedder(body)
    assert "\n" not in str(caught.value)


def test_a_hub_body_without_a_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ResightError, match="timm gives no body") as caught:
        create_embedder("hf-hub:nobody/has-this-model")
    assert "\n" not in str(caught.value)


def test_pretrained_weights_without_a_network_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ResightError) as caught:
        create_embedder("resnet18", pretrained=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wish",
    [
        {"size": (0, 0)},
        {"size": (28, -3)},
        {"size": (7, 28)},
        {"size": (28.0, 28.0)},
        {"size": 28},
        {"size": (28, 28, 1)},
        {"dim": 1},
        {"dim": 2.5},
        {"channels": 2},
        {"channels": 4},
    ],
    ids=str,
)
def test_nonsense_is_one_line(wish: dict[str, Any]) -> None:
    with pytest.raises(ResightError, match="cannot embed") as caught:
        create_embedder(**wish)
    assert "\n" not in str(caught.value)
