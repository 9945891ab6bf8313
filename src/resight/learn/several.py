"""fastai's training by several processes, with the batches and losses of re-identification."""

from __future__ import annotations

from typing import Any

from fastai.distributed import DistributedTrainer
from fastai.torch_core import noop
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from resight.learn import ranks
from resight.learn.callbacks import TrainingError
from resight.learn.joint_norm import JointBatchNorm, counts
from resight.learn.together import averaged, gathered, same


class Together(DistributedTrainer):
    """What `learn.distrib_ctx()` adds to a learner: one training by all processes.

    Where fastai cuts a batch in pieces and takes a loss of each, here every process takes its
    individuals of the batch, and losses, guards and metrics see the embeddings of all of them:
    figures, and so the best epoch, are the same on every process. The network is wrapped in
    `DistributedDataParallel` while it trains. A loss's own parameters are kept equal too.

    Args:
        sync_bn: take the statistics of batch normalisations over all processes, as one process
            with the whole batch does; else each process takes those of its share.
        options: for `accelerate.Accelerator`.
    """

    order = 11

    def __init__(self, sync_bn: bool = True, **options: Any) -> None:
        super().__init__(sync_bn, **options)

    def before_fit(self) -> None:
        """Share out the batches, and wrap the network."""
        rank, processes = ranks.rank(), ranks.count()
        individuals = getattr(self.learn.dls.train.batches, "individuals", processes)
        if individuals < processes:
            raise TrainingError(
                f"a batch shows {individuals} individuals, too few for {processes} processes; "
                "launch fewer, or let batches show more (--individuals)"
            )
        network = self.learn.model
        modules = network.named_modules() if self.sync_bn else ()
        self._norms = {name: module for name, module in modules if counts(module)}
        if next(network.parameters()).device.type == "cpu":
            for name, norm in self._norms.items():
                network.set_submodule(name, JointBatchNorm(norm))
        elif self._norms:
            # Not torch's own, which drops the activation inside timm's batch normalisations.
            from timm.layers import convert_sync_batchnorm

            network = convert_sync_batchnorm(network)
        self.learn.model = self.accelerator.prepare(network)
        if not isinstance(self.learn.model, DistributedDataParallel):
            raise TrainingError(
                f"accelerate sees no training by {processes} processes here; launch it with "
                "accelerate launch or torchrun"
            )
        for loader in self.learn.dls.loaders:
            loader.share = (rank, processes)
        loss = self.learn.loss_func
        self._own = list(loss.parameters()) if isinstance(loss, nn.Module) else []
        if isinstance(loss, nn.Module):
            same([*(p.data for p in loss.parameters()), *loss.buffers()])
        if rank:
            self.learn.logger = noop

    def before_train(self) -> None:
        """The loaders share out themselves."""

    def before_validate(self) -> None:
        """As before training."""

    def after_pred(self) -> None:
        """From here on the batch is that of all processes."""
        if getattr(self.learn.dl, "share", None) is not None:
            pred, labels = gathered(self.learn.pred, self.learn.y)
            self.learn.pred, self.learn.yb = pred, (labels,)

    def after_backward(self) -> None:
        """The loss's own parameters; those of the network are averaged on the way."""
        averaged(self._own)

    def after_fit(self) -> None:
        """The network as it was."""
        network = self.learn.model.module
        for name, norm in self._norms.items():
            # The weights are the same ones; the statistics need not be.
            norm.load_state_dict(network.get_submodule(name).state_dict())
            network.set_submodule(name, norm)
        self.learn.model = network
        for loader in self.learn.dls.loaders:
            loader.share = None
