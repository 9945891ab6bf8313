"""Folding batch normalisation into the convolutions before it, the gains still to be learned."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TypeGuard

import torch
from torch import Tensor, nn


@cache
def _gained(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    """A kind of convolution whose weights are `plain` (out, in, h, w) times `gain` (out,)."""

    class Gained(kind):  # type: ignore[valid-type,misc]
        plain: Tensor
        gain: Tensor

        @property
        def weight(self) -> Tensor:
            return self.plain * self.gain.view(-1, 1, 1, 1)

    return Gained


def fold_batchnorm(net: nn.Module, example: Tensor) -> int:
    """Fold every batch normalisation that follows a convolution into it, in place.

    With the statistics that it came with, a pretrained body computes the same with fewer passes
    over memory, in training too (docs/tried.md). Weights, gains and biases stay parameters of
    their own (`plain`, `gain`, `bias`): multiplied together, channels whose weights differ in
    size would all be moved by the same step, and little is learned. `settle_gains`
    multiplies them for good.

    Convolution and normalisation are taken for neighbours when a module names them one after the
    other, as timm's and torchvision's bodies do. Whether the network still computes the same is
    checked on the example, and if it does not, everything is put back.

    Args:
        net: the body, with its pretrained statistics.
        example: what it takes, (B, C, H, W), such as random numbers.

    Returns:
        How many were folded; 0 where there is none, or it could not be done.
    """
    training = net.training
    net.eval()
    with torch.no_grad():
        before = net(example)
        folded = []
        for module in list(net.modules()):
            for (_, conv), (name, norm) in pairwise(list(module.named_children())):
                if isinstance(conv, nn.Conv2d) and _follows(norm, conv):
                    folded.append((module, name, norm, conv, type(conv), conv.weight, conv.bias))
                    _fold(module, conv, name, norm)
        same = torch.allclose(
            net(example), before, rtol=1e-3, atol=1e-4 * float(before.abs().max())
        )
        if not same:
            for module, name, norm, conv, kind, weight, bias in folded:
                setattr(module, name, norm)
                _plain_again(conv, kind, weight)
                conv.bias = bias
    net.train(training)
    return len(folded) if same else 0


def settle_gains(net: nn.Module) -> None:
    """Multiply all gains into their weights, in place; the network computes the same."""
    for module in net.modules():
        kind = type(module).__base__
        if isinstance(module, nn.Conv2d) and kind is not None and type(module) is _gained(kind):
            _plain_again(module, kind, module.weight)


def _plain_again(conv: nn.Conv2d, kind: type[nn.Conv2d], weight: Tensor) -> None:
    conv.__class__ = kind
    del conv.plain, conv.gain
    conv.weight = weight if isinstance(weight, nn.Parameter) else nn.Parameter(weight.detach())


def _follows(norm: nn.Module, conv: nn.Conv2d) -> TypeGuard[nn.BatchNorm2d]:
    return (
        isinstance(norm, nn.BatchNorm2d)
        and norm.num_features == conv.out_channels
        and norm.running_mean is not None
    )


def _fold(module: nn.Module, conv: nn.Conv2d, name: str, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None  # `_follows` has seen to it
    assert norm.running_var is not None
    ones, zeros = torch.ones_like(norm.running_var), torch.zeros_like(norm.running_mean)
    gain = (ones if norm.weight is None else norm.weight) / (norm.running_var + norm.eps).sqrt()
    shift = (zeros if norm.bias is None else norm.bias) - norm.running_mean * gain
    bias = zeros if conv.bias is None else conv.bias
    learned = conv.weight.requires_grad
    conv.bias = nn.Parameter((shift + bias * gain).detach(), requires_grad=learned)
    # A channel that the normalisation shut stays shut, by a gain of 0 that may be learned.
    conv.register_parameter("plain", nn.Parameter(conv.weight.detach(), requires_grad=learned))
    conv.register_parameter("gain", nn.Parameter(gain.detach().clone(), requires_grad=learned))
    del conv.weight
    conv.__class__ = _gained(type(conv))  # type: ignore[arg-type]
    # timm's layer does the activation too.
    act = getattr(norm, "act", None)
    setattr(module, name, act if isinstance(act, nn.Module) else nn.Identity())
