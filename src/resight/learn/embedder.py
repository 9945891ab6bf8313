"""The network: a body named by one string, a head to a few dimensions, unit length at the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from resight.errors import ResightError

# ImageNet's channel means and deviations, which pretrained bodies expect; a model that learns
# from scratch takes them as well as any.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

# A body sees at least this many times its total stride a side, so that its last map of features
# still says where in the photo something is.
_LEAST_CELLS = 3

SMALL_WIDTHS = (32, 64, 128, 256)


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
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: nn.Module,
        features: int,
        *,
        name: str,
        channels: int,
        size: tuple[int, int],
        dim: int,
        enlarge: int = 1,
    ) -> None:
        super().__init__()
        self.name, self.channels, self.size, self.dim = name, channels, size, dim
        self.body = body
        self.head = nn.Sequential(
            nn.Linear(features, dim, bias=False),
            # Centres the cloud of embeddings, so that directions are used evenly.
            nn.BatchNorm1d(dim),
        )
        self.enlarge = enlarge
        mean, std = (MEAN, STD) if channels == 3 else ((sum(MEAN) / 3,), (sum(STD) / 3,))
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 or [0, 1] floats (B, C, H, W) to float32 (B, dim) unit vectors."""
        scaled = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
        x = (scaled - self.mean) / self.std
        if self.enlarge > 1:
            x = F.interpolate(x, scale_factor=self.enlarge, mode="bilinear", align_corners=False)
        return F.normalize(self.head(self.body(x)).float(), dim=1)


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
        body: "small", our own stack of convolutions for little pictures; or any name that
            `timm.create_model` takes ("resnet34", "hf-hub:BVRA/MegaDescriptor-T-224"); or
            "torchvision/NAME" for one of torchvision's.
        dim: length of the embedding.
        channels: 1 for grey, 3 for colour.
        size: height and width of the photos in pixels. For small ones, the stem of a ResNet
            keeps its resolution (no stride, no pooling), and any other body, whose last map
            would be left with less than 3×3 cells, sees the photo enlarged.
        pretrained: start from published weights; needs a network, or a cache of them.

    Raises:
        ResightError: the name is unknown, or its weights cannot be had.
    """
    height, width = size
    if min(height, width) < 8 or channels not in (1, 3) or dim < 2:
        raise ResightError(
            f"cannot embed {width}×{height} photos of {channels} channels in {dim} dimensions: "
            "a side needs 8 pixels or more, channels are 1 or 3, dimensions 2 or more"
        )
    enlarge = 1
    if body == "small":
        net: nn.Module = _small_body(channels, size)
    elif body.startswith("torchvision/"):
        net = _torchvision_body(body.removeprefix("torchvision/"), channels, pretrained)
        enlarge = _open_stem(net, size, stride=32)
    else:
        net = _timm_body(body, channels, size, pretrained)
        info = getattr(net, "feature_info", None)
        enlarge = _open_stem(net, size, stride=info[-1]["reduction"] if info else 32)
        if enlarge > 1:  # a transformer is made for one size
            net = _timm_body(body, channels, (height * enlarge, width * enlarge), pretrained)
    features = _features(net, channels, (height * enlarge, width * enlarge))
    return Embedder(
        net, features, name=body, channels=channels, size=size, dim=dim, enlarge=enlarge
    )


def split_parameters(embedder: Embedder) -> list[list[nn.Parameter]]:
    """The body's parameters and the head's, for a learner that trains them at different rates."""
    return [list(embedder.body.parameters()), list(embedder.head.parameters())]


def _small_body(channels: int, size: tuple[int, int]) -> nn.Sequential:
    """Four convolutions, each halving the picture but the last; where things lie is kept.

    Flattening the last map, where a mean over it would be usual, tells the head where a stroke
    lies; that is worth more for glyphs than it costs in weights. Larger photos are averaged down
    to the 4×4 cells that 28 pixels leave.
    """
    layers: list[nn.Module] = []
    before = channels
    for width in SMALL_WIDTHS:
        layers += [
            nn.Conv2d(before, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        before = width
    del layers[-1]
    if max(size) > 32:
        layers.append(nn.AdaptiveAvgPool2d(4))
    return nn.Sequential(*layers, nn.Flatten())


def _timm_body(name: str, channels: int, size: tuple[int, int], pretrained: bool) -> nn.Module:
    import timm

    wanted = {"num_classes": 0, "in_chans": channels, "pretrained": pretrained}
    try:
        try:  # transformers must know the size, and convolutions refuse to hear of it
            return timm.create_model(name, img_size=size, **wanted)
        except TypeError:
            return timm.create_model(name, **wanted)
    except Exception as error:
        raise ResightError(
            f"timm gives no body {name!r} ({_first_line(error)}): "
            'see timm.list_models() for names, or take "small"'
        ) from error


def _torchvision_body(name: str, channels: int, pretrained: bool) -> nn.Module:
    import torchvision

    try:
        net = torchvision.models.get_model(name, weights="DEFAULT" if pretrained else None)
    except Exception as error:
        raise ResightError(
            f"torchvision gives no body {name!r} ({_first_line(error)}): "
            "see torchvision.models.list_models() for names"
        ) from error
    for head in ("fc", "classifier", "heads", "head"):
        if isinstance(getattr(net, head, None), nn.Module):
            setattr(net, head, nn.Identity())
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


def _open_stem(net: nn.Module, size: tuple[int, int], stride: int) -> int:
    """Make a body fit for small photos; returns how many times they are to be enlarged."""
    least = _LEAST_CELLS * stride
    if min(size) >= least:
        return 1
    conv, pool = getattr(net, "conv1", None), getattr(net, "maxpool", None)
    if isinstance(conv, nn.Conv2d) and isinstance(pool, nn.MaxPool2d):
        conv.stride = (1, 1)
        net.maxpool = nn.Identity()
        least //= 4
    return max(1, -(-least // min(size)))


def _features(net: nn.Module, channels: int, size: tuple[int, int]) -> int:
    training = net.training
    net.eval()
    with torch.no_grad():
        out = net(torch.zeros(1, channels, *size))
    net.train(training)
    if out.ndim != 2:
        raise ResightError(
            f"this body gives {tuple(out.shape)} instead of a row of features a photo; take another"
        )
    return int(out.shape[1])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
