"""bfloat16 on a processor: where it is worth it, and what has to stay in float32 for that."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from resight.learn.placed import depthwise


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16.

    A processor without them emulates it, twelve times slower than float32 as measured
    (docs/learning.md).
    """
    if device.type == "cpu":
        can = torch.cpu.get_capabilities()
        return any(can.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return device.type != "cuda" or torch.cuda.is_bf16_supported()


def gains_by_bfloat16(device: torch.device) -> bool:
    """Whether bodies of thin convolutions, too, are trained faster in bfloat16 on a device.

    Of processors those that multiply tiles of it (AMX). Other instructions for it gain these
    bodies nothing (docs/learning.md).
    """
    if device.type == "cpu":
        return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
    return computes_bfloat16(device)


def suit_bfloat16(net: nn.Module) -> int:
    """Make a body of thin convolutions fast in bfloat16 on a processor, in place.

    The gradient of a depthwise convolution that strides takes thirteen to 47 times as long there in
    bfloat16 as in float32, and a third of a whole step (docs/learning.md); so under autocast these
    compute in float32 where a gradient passes through them. And ReLU6 is no longer done in place,
    where autograd keeps a copy of what it overwrites.

    Args:
        net: the body; before its batch normalisations are folded.

    Returns:
        How many convolutions compute in float32.
    """
    strided = [each for each in depthwise(net) if max(each.stride) > 1]
    for convolution in strided:
        convolution.__class__ = _in_float32(type(convolution))  # type: ignore[arg-type]
    for module in net.modules():
        if isinstance(module, nn.Hardtanh):
            module.inplace = False
    return len(strided)


@cache
def _in_float32(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    """A kind of convolution that takes no part in a processor's autocast while it learns."""

    class InFloat32(kind):  # type: ignore[valid-type,misc]
        def forward(self, x: Tensor) -> Tensor:
            if not (x.requires_grad and torch.is_autocast_enabled("cpu")):
                out: Tensor = super().forward(x)
                return out
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float()).to(x.dtype)

    return InFloat32
