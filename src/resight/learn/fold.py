"""Folding batch normalisation into the convolutions before it."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights


def fold_batchnorm(net: nn.Module, example: Tensor) -> int:
    """Fold every batch normalisation that follows a convolution into its weights, in place.

    With the statistics that it came with, a pretrained body computes the same with fewer passes
    over memory, in training too (docs/learning.md). It then learns without normalising its batches:
    what it needs is a smaller learning rate.

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
                    folded.append((module, name, norm, conv, conv.weight, conv.bias))
                    _fold(module, conv, name, norm)
        same = torch.allclose(
            net(example), before, rtol=1e-3, atol=1e-4 * float(before.abs().max())
        )
        if not same:
            for module, name, norm, conv, weight, bias in folded:
                setattr(module, name, norm)
                conv.weight, conv.bias = weight, bias
    net.train(training)
    return len(folded) if same else 0


def _follows(norm: nn.Module, conv: nn.Conv2d) -> TypeGuard[nn.BatchNorm2d]:
    return (
        isinstance(norm, nn.BatchNorm2d)
        and norm.num_features == conv.out_channels
        and norm.running_mean is not None
    )


def _fold(module: nn.Module, conv: nn.Conv2d, name: str, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None  # `_follows` has seen to it
    assert norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    conv.bias.requires_grad_(conv.weight.requires_grad)  # a bias that was none is frozen else
    # timm's layer does the activation too.
    act = getattr(norm, "act", None)
    setattr(module, name, act if isinstance(act, nn.Module) else nn.Identity())
