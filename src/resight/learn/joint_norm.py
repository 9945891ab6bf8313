"""Batch normalisation over the shares of all processes, on processors; torch has it for GPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from resight.learn.together import summed


class JointBatchNorm(nn.Module):
    """A batch normalisation whose mean and variance are those of all processes' photos.

    It has the weights and running statistics of the one it stands in for, under the same names, and
    does what timm has put inside some of them: a drop and an activation.

    Args:
        norm: the batch normalisation, with running statistics and a momentum.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    drop: nn.Module
    act: nn.Module

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        assert norm.momentum is not None
        self.eps, self.momentum = norm.eps, norm.momentum
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        for name in ("drop", "act"):
            setattr(self, name, getattr(norm, name, nn.Identity()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the same shape."""
        if self.training:
            y = self._normalised(x)
        else:
            mean, var = self.running_mean, self.running_var
            y = F.batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.eps)
        result: Tensor = self.act(self.drop(y))
        return result

    def _normalised(self, x: Tensor) -> Tensor:
        others = [0, *range(2, x.ndim)]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        wide = x.float()
        count = summed(wide.new_tensor(wide.numel() / wide.shape[1]))
        mean = summed(wide.sum(others)) / count
        var = summed((wide - mean.view(shape)).square().sum(others)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * count / (count - 1).clamp(min=1), self.momentum)
            self.num_batches_tracked += 1
        scale = (var + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale if self.bias is None else self.bias - mean * scale
        return torch.addcmul(shift.view(shape), wide, scale.view(shape)).to(x.dtype)


def counts(module: nn.Module) -> bool:
    """Whether it is a batch normalisation that keeps running statistics in the usual way."""
    return (
        isinstance(module, _BatchNorm)
        and module.running_mean is not None
        and module.momentum is not None
    )
