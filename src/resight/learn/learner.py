"""`reid_learner`: a fastai `Learner` with the batches and pictures of re-identification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import fastai.callback.schedule  # noqa: F401  gives the learner lr_find and fit_one_cycle
import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import Tensor, nn

from resight.errors import UnusablePhotos
from resight.fingerprint.model import Card
from resight.learn.callbacks import CollapseGuard, HalfPrecision, LossToDevice, retrieval_metrics
from resight.learn.data import Augment, PhotoLoader, PhotoSet, validation_batches
from resight.learn.embedder import Embedder, create_embedder, split_parameters
from resight.learn.export import export_model
from resight.learn.losses import TripletLoss
from resight.learn.sampler import PKSampler
from resight.photos.decode import Fit

Loss = Callable[[Tensor, Tensor], Tensor]


class ReidLearner(Learner):
    """A fastai `Learner`, with the pictures and the export of re-identification.

    Everything of fastai works as ever: `lr_find`, `fit_one_cycle`, `fine_tune`, `freeze`,
    `save`, `load`, callbacks.
    """

    dls: DataLoaders
    model: Embedder

    def embed(self, pixels: Tensor, *, batch_size: int = 256) -> Tensor:
        """Embeddings of uint8 (n, C, H, W) pixels as they are: float32 (n, dim), on the CPU."""
        device = next(self.model.parameters()).device
        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            parts = [self.model(part.to(device)).cpu() for part in pixels.split(batch_size)]
        self.model.train(training)
        return torch.cat(parts)

    def show_batch(
        self, *, individuals: int = 8, photos: int = 8, path: str | Path | None = None
    ) -> Any:
        """Draw a training batch as the network sees it, a row an individual.

        Args:
            individuals, photos: how many rows and columns at most.
            path: also write the picture there.

        Returns:
            The matplotlib figure.
        """
        from resight.learn.show import batch_figure

        loader = self.dls.train
        pixels, labels = loader.one_batch()
        return batch_figure(
            pixels.cpu(), labels.cpu(), loader.photos.names, individuals, photos, path
        )

    def show_results(
        self, *, queries: int = 6, nearest: int = 6, seed: int = 0, path: str | Path | None = None
    ) -> Any:
        """Draw validation photos with the nearest others: framed if right, crossed if wrong.

        Args:
            queries, nearest: how many rows, and neighbours a row.
            seed: of the choice of queries.
            path: also write the picture there.

        Returns:
            The matplotlib figure.
        """
        from resight.learn.show import results_figure

        photos: PhotoSet = self.dls.valid.photos
        return results_figure(photos, self.embed(photos.pixels), queries, nearest, seed, path)

    def export_onnx(
        self,
        path: str | Path,
        *,
        fit: Fit = "pad",
        fill: int = 0,
        licence: str = "",
        **training: Any,
    ) -> Card:
        """Write the model file; its card tells the training's data and the last metrics."""
        photos: PhotoSet = self.dls.train.photos
        record = getattr(self, "final_record", None)
        names = ["train_loss", "valid_loss", *(metric.name for metric in self.metrics)]
        metrics = dict(zip(names, map(float, record), strict=False)) if record else {}
        summary = {
            "photos": len(photos),
            "individuals": len(photos.names),
            "loss": repr(self.loss_func),
            **training,
        }
        # JSON knows no NaN; a figure that could not be had is left out.
        metrics = {name: value for name, value in metrics.items() if np.isfinite(value)}
        return export_model(
            self.model,
            path,
            fit=fit,
            fill=fill,
            training=summary,
            metrics=metrics,
            licence=licence,
        )


def reid_learner(
    train: PhotoSet,
    valid: PhotoSet,
    *,
    body: str | Embedder = "small",
    dim: int = 128,
    pretrained: bool = False,
    loss: Loss | None = None,
    individuals: int | None = None,
    photos: int = 4,
    augment: Sequence[Augment] = (),
    half_precision: bool = True,
    seed: int = 0,
    device: str | torch.device | None = None,
    path: str | Path = ".",
    cbs: Sequence[Any] = (),
    **options: Any,
) -> ReidLearner:
    """A fastai learner for an embedder.

    Args:
        train, valid: the photos; they may show the same individuals or different ones.
        body: a name for `create_embedder`, or an embedder of your own.
        dim: length of the embedding.
        pretrained: start from published weights.
        loss: called as `loss(embeddings, labels)`: ours, or any loss of pytorch-metric-learning
            (`with_miner` adds one of its miners). Its own parameters are trained too. Default:
            `TripletLoss` with semi-hard mining.
        individuals, photos: P and K of a batch; P is 16, or all where there are fewer.
        augment: steps `(pixels, labels, generator) -> (pixels, labels)` on training batches.
        half_precision: compute in bfloat16, where it is faster.
        seed: of the weights, the batches and the augmentation.
        device: "cuda", "cpu", …; the default is a GPU where there is one.
        path: where fastai's `save` puts its files.
        cbs, options: for fastai's `Learner`.

    Raises:
        UnusablePhotos: individuals or photos are too few, or of two sizes.

    Example:
        >>> learn = reid_learner(train, valid, augment=glyph_augmentation())
        >>> learn.fit_one_cycle(5, 3e-3)
        >>> learn.export_onnx("digits.onnx")
    """
    if (train.channels, train.size) != (valid.channels, valid.size):
        raise UnusablePhotos(
            f"training photos are {train.channels}×{train.size} and validation photos "
            f"{valid.channels}×{valid.size}; bring both to one size"
        )
    torch.manual_seed(seed)
    there = len(train.labels.unique())
    sampler = PKSampler(
        train.labels.numpy(),
        individuals=min(individuals or 16, there) if there > 1 else 2,
        photos=photos,
        seed=seed,
    )
    size = sampler.individuals * photos
    held = validation_batches(valid.labels, photos=photos, size=max(size, 256))
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dls = DataLoaders(
        PhotoLoader(train, sampler, augment=augment, seed=seed),
        PhotoLoader(valid, held),
        path=path,
        device=device,
    )
    model = (
        body
        if isinstance(body, Embedder)
        else create_embedder(
            body, dim=dim, channels=train.channels, size=train.size, pretrained=pretrained
        )
    )
    model.to(device).to(memory_format=torch.channels_last)
    loss = loss or TripletLoss()
    own = [*cbs, LossToDevice(), CollapseGuard()]
    if half_precision:
        own.append(HalfPrecision())
    return ReidLearner(
        dls,
        model,
        loss_func=loss,
        splitter=lambda model: _groups(model, loss),
        metrics=retrieval_metrics(),
        cbs=own,
        path=path,
        **options,
    )


def with_miner(loss: nn.Module, miner: Any) -> Loss:
    """A loss of pytorch-metric-learning together with one of its miners."""
    return _Mined(loss, miner)


class _Mined(nn.Module):
    def __init__(self, loss: nn.Module, miner: Any) -> None:
        super().__init__()
        self.loss, self.miner = loss, miner

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return cast(Tensor, self.loss(embeddings, labels, self.miner(embeddings, labels)))


def _groups(model: Embedder, loss: Loss) -> list[list[nn.Parameter]]:
    body, head = split_parameters(model)
    own = list(loss.parameters()) if isinstance(loss, nn.Module) else []
    return [body, head + own]
