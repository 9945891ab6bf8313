"""`reid_learner`: a fastai `Learner` with the batches and pictures of re-identification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import fastai.callback.schedule  # noqa: F401  gives the learner lr_find and fit_one_cycle
import torch
from fastai.callback.progress import ProgressCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import Tensor, nn

from resight.errors import ResightError, UnusablePhotos
from resight.fingerprint.model import Card
from resight.learn.augment import Enlarge
from resight.learn.callbacks import LastFigures, retrieval_metrics
from resight.learn.data import Augment, PhotoLoader, PhotoSet, at_once, validation_batches
from resight.learn.embedder import Embedder, create_embedder, split_parameters
from resight.learn.export import export_model
from resight.learn.guards import guards
from resight.learn.half import computes_bfloat16
from resight.learn.losses import TripletLoss
from resight.learn.ranks import count, rank
from resight.learn.sampler import PKSampler
from resight.learn.together import begin
from resight.learn.views import Network
from resight.photos.decode import Fit

Loss = Callable[[Tensor, Tensor], Tensor]


class ReidLearner(Learner):
    """A fastai `Learner`, with the pictures and the export of re-identification.

    What trains and measures in fastai works as ever: `lr_find`, `fit_one_cycle`, `fine_tune`,
    `freeze`, `save` and `load` (a loss's own parameters with them), `validate`, `get_preds` (the
    embeddings and labels in the photos' order), callbacks. What belongs to fastai's own data sets
    does not: for `predict` take `embed`, for `export` `export_onnx`, for `dls.show_batch`
    `show_batch`; and a loss is given to `reid_learner`, not set afterwards, to have its own
    parameters trained.

    Attributes:
        figures: of the last epoch that was fitted, by name: "train_loss", "R@1", …
    """

    dls: DataLoaders
    model: Embedder
    figures: dict[str, float]

    def distrib_ctx(self, sync_bn: bool = True, **options: Any) -> AbstractContextManager[Any]:
        """fastai's: trainings in the block are one by all processes of `accelerate launch`.

        Where there is only one process nothing is different. See `resight.learn.several.Together`.
        """
        if count() == 1:
            return nullcontext(self)
        import fastai.distributed  # noqa: F401  gives learners what is called here

        block: AbstractContextManager[Any] = super().distrib_ctx(sync_bn, **options)
        return block

    def to_distributed(self, sync_bn: bool = True, **options: Any) -> ReidLearner:
        """What `distrib_ctx` begins with."""
        from resight.learn.several import Together

        self.add_cb(Together(sync_bn, **options))
        if rank():
            self.remove_cb(ProgressCallback)
        return self

    def save(self, file: str | Path, **options: Any) -> Path:
        """fastai's `save`; a loss's own parameters go into a file beside it."""
        path: Path = super().save(file, **options)
        if _state(self.loss_func) and not rank():
            torch.save(self.loss_func.state_dict(), self._beside(file))
        return path

    def load(self, file: str | Path, **options: Any) -> ReidLearner:
        """fastai's `load`, and the loss's own parameters."""
        super().load(file, **options)
        if _state(self.loss_func):
            state = torch.load(self._beside(file), map_location=self.dls.device, weights_only=True)
            self.loss_func.load_state_dict(state)
        if not hasattr(self, "lr_finder"):
            self.figures = {}  # those of other weights
        return self

    def _beside(self, file: str | Path) -> Path:
        return Path(self.path, self.model_dir, f"{file}.loss.pth")

    def embed(self, pixels: Tensor, *, batch_size: int | None = None) -> Tensor:
        """Embeddings of uint8 (n, C, H, W) pixels as they are: float32 (n, dim), on the CPU.

        `batch_size` of them are looked at together; None: as many as `at_once` says for their size.
        """
        return embed(self.model, pixels, batch_size=batch_size)

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
        network: Network | None = None,
        sound: dict[str, Any] | None = None,
        **training: Any,
    ) -> Card:
        """Write the model file; its card tells the training's data and the last fit's figures.

        Args:
            path, fit, fill, licence, sound: see `export_model`.
            network: what to write instead of `model`, made of it.
            training: more that the card is to tell.
        """
        photos: PhotoSet = self.dls.train.photos
        summary = {
            "photos": len(photos),
            "individuals": len(photos.labels.unique()),
            "loss": " ".join(repr(self.loss_func).split()),
            **training,
        }
        return export_model(
            network or self.model,
            path,
            fit=fit,
            fill=fill,
            training=summary,
            metrics=self.figures,
            licence=licence,
            sound=sound,
        )


def embed(network: nn.Module, pixels: Tensor, *, batch_size: int | None = None) -> Tensor:
    """Embeddings by an embedder, or by what is made of such; see `ReidLearner.embed`."""
    height, width = pixels.shape[-2:]
    some = batch_size or at_once((height, width))
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    with torch.no_grad():
        parts = [network(part.to(device)).cpu() for part in pixels.split(some)]
    network.train(training)
    return torch.cat(parts)


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
    half_precision: bool | None = None,
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
        individuals, photos: P and K of a batch; P is 16, or all where there are fewer. Of a batch
            that several processes share (`with learn.distrib_ctx()`), those of all of them.
        augment: steps `(pixels, labels, generator) -> (pixels, labels)` on training batches; for
            the body "drawing" at the size at which it sees them (`Enlarge`).
        half_precision: train in bfloat16; validation stays in float32. By default where the
            device computes in it (`computes_bfloat16`).
        seed: of the weights, the batches and the augmentation.
        device: "cuda", "cpu", …; the default is a GPU where there is one, and under `accelerate
            launch` the one that is this process's.
        path: where fastai's `save` puts its files.
        cbs, options: for fastai's `Learner`.

    Raises:
        UnusablePhotos: individuals or photos are too few, or of two sizes.
        ResightError: the body is unknown, or not made for these photos.

    Example:
        >>> learn = reid_learner(train, valid, augment=glyph_augmentation(train))
        >>> learn.fit_one_cycle(5, 3e-3)
        >>> learn.export_onnx("digits.onnx")
    """
    if (train.channels, train.size) != (valid.channels, valid.size):
        raise UnusablePhotos(
            f"training photos are {train.channels}×{train.size} and validation photos "
            f"{valid.channels}×{valid.size}; bring both to one size"
        )
    if not len(valid):
        raise UnusablePhotos("there are no validation photos; hold some back, or give train again")
    valid = valid.numbered_as(train)
    torch.manual_seed(seed)
    there = len(train.labels.unique())
    sampler = PKSampler(
        train.labels.numpy(),
        individuals=min(individuals or 16, there) if there > 1 else 2,
        photos=photos,
        seed=seed,
    )
    size = sampler.individuals * photos
    held = validation_batches(valid.labels, photos=photos, size=max(size, at_once(valid.size)))
    own = begin()  # of several processes
    device = torch.device(device or own or ("cuda" if torch.cuda.is_available() else "cpu"))
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
    if (model.channels, model.size) != (train.channels, train.size):
        raise ResightError(
            f"the embedder takes photos of {model.channels}×{model.size}, and these are "
            f"{train.channels}×{train.size}; create it for them"
        )
    if augment and model.name == "drawing":
        dls.train.augment = [Enlarge(model.sees), *augment]
    if half_precision is None:
        half_precision = computes_bfloat16(device)
    model.half_precision = half_precision
    model.to(device).to(memory_format=torch.channels_last)
    loss = TripletLoss() if loss is None else loss
    if isinstance(loss, nn.Module):
        loss.to(device)
    learn = ReidLearner(
        dls,
        model,
        loss_func=loss,
        splitter=lambda model: _groups(model, loss),
        metrics=retrieval_metrics(),
        cbs=[*cbs, *guards(cbs), LastFigures()],
        path=path,
        **options,
    )
    learn.figures = {}
    return learn


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
    """The body, the head, and what the loss has to learn, if anything."""
    own = _parameters(loss)
    return [*split_parameters(model), *([own] if own else [])]


def _state(loss: Loss) -> dict[str, Any]:
    return loss.state_dict() if isinstance(loss, nn.Module) else {}


def _parameters(loss: Loss) -> list[nn.Parameter]:
    return list(loss.parameters()) if isinstance(loss, nn.Module) else []
