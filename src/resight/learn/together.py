"""Training by several processes: their shares of a batch are one batch to the loss.

Each process takes a share of the individuals of the same P×K batch through its copy of the
network. The embeddings are gathered before anything is mined, so that the negatives come from all
processes, and every process computes the whole batch's loss.

The gradient is that of one process with the whole batch. With L the loss, W processes and e_r the
embeddings of process r, the backward pass of the gathering adds up what all W of them derive, W ·
dL/de_r; `DistributedDataParallel` then takes the mean of the W processes' gradients, which is
1/W · Σ_r W · dL/de_r · de_r/dθ = dL/dθ, however unequal the shares are.
"""

from __future__ import annotations

import os
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from resight.errors import ResightError
from resight.learn import ranks

T = TypeVar("T")


def begin() -> torch.device | None:
    """Join the other processes, where there are any; the device that this one is to use.

    Raises:
        ResightError: accelerate is not installed.
    """
    if ranks.count() == 1:
        return None
    try:
        from accelerate import PartialState
    except ImportError:
        raise ResightError(
            "several processes train together with accelerate, which is not installed; "
            "get it with: pip install accelerate"
        ) from None
    # Where there is no GPU accelerate has to be told, or its processes learn each for itself.
    found = torch.accelerator.current_accelerator()
    if found is None or found.type in ("cpu", "mps"):
        os.environ["ACCELERATE_USE_CPU"] = "true"
    cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
    device: torch.device = PartialState(cpu=cpu).device
    # Its "cpu:0" is no place that torch loads a state to.
    return torch.device("cpu") if device.type == "cpu" else device


def end() -> None:
    """Leave the other processes, at the end of the program."""
    if not _alone():
        dist.destroy_process_group()


def gathered(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The embeddings (b, D) and labels (b,) of all processes, by their ranks: (B, D) and (B,).

    The embeddings keep their gradient. The shares need not be equally large.
    """
    own = torch.tensor([len(labels)], device=labels.device)
    counts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, own)
    sizes = [int(count) for count in counts]
    joint: Tensor = _Gather.apply(embeddings, sizes)
    return joint, _collected(labels, sizes)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, own: Tensor, sizes: list[int]) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.sizes = sizes
        return _collected(own, sizes)

    @staticmethod
    def backward(ctx, by_joint: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        return _sum(by_joint).split(ctx.sizes)[dist.get_rank()], None


def _collected(own: Tensor, sizes: list[int]) -> Tensor:
    """Rows of all processes. What is sent has to be equally long, so it is filled up."""
    sent = own.new_zeros(max(sizes), *own.shape[1:])
    sent[: len(own)] = own.detach()
    parts = [torch.empty_like(sent) for _ in sizes]
    dist.all_gather(parts, sent)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def summed(values: Tensor) -> Tensor:
    """The sum over all processes, through which gradients pass."""
    result: Tensor = _Sum.apply(values)
    return result


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, own: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        return _sum(own)

    @staticmethod
    def backward(ctx, by_sum: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        return _sum(by_sum)


def _sum(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def averaged(parameters: list[torch.nn.Parameter]) -> None:
    """Give every process the mean of their gradients, as for a loss's own parameters."""
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()


def same(tensors: list[Tensor]) -> None:
    """Give every process what process 0 has."""
    for tensor in tensors:
        dist.broadcast(tensor, 0)


def agreed(value: T) -> T:
    """What process 0 says, on every process; as it is where there is only one."""
    if _alone():
        return value
    box: list[Any] = [value]
    dist.broadcast_object_list(box, 0)
    said: T = box[0]
    return said


def everybody(value: T) -> list[T]:
    """What each process says, by their ranks."""
    if _alone():
        return [value]
    said: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(said, value)
    return said


def wait() -> None:
    """Until all processes have come here."""
    everybody(None)


def _alone() -> bool:
    return not (dist.is_available() and dist.is_initialized())
