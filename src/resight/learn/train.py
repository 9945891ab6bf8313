"""Whole trainings: the digits' recipe, and a folder of photos to a model file."""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback

from resight.errors import ResightError, UnusablePhotos
from resight.evaluate.metrics import retrieval
from resight.fingerprint.model import Card
from resight.learn.augment import Warp
from resight.learn.data import Augment, PhotoSet
from resight.learn.ensemble import Ensemble
from resight.learn.learner import Loss, ReidLearner, reid_learner
from resight.learn.losses import SupConLoss, TripletLoss
from resight.learn.resume import Resume
from resight.learn.views import LOOKS, Views
from resight.learn.virtual import glyph_augmentation
from resight.learn.weights import licence_of
from resight.photos.photo import Photo
from resight.photos.sources import check_trainable, load_pixels, photos_by_individual

Kind = Literal["drawings", "photos"]
LossName = Literal["triplet", "soft-triplet", "supcon", "arcface"]

# The digits' recipe, as measured (benchmarks/RESULTS.md).
STEPS = 700
RATE = 3e-3
TEMPERATURE = 0.07
DRAWING_PHOTOS = 24

# Pictures up to this side are taken as they are and suit the "small" body.
_SMALL = 48
_USUAL_SIZE = 96


def train_digits(
    train: PhotoSet,
    valid: PhotoSet,
    *,
    steps: int = STEPS,
    loss: Loss | None = None,
    seed: int = 0,
    progress: bool = True,
    cbs: Sequence[Callback] = (),
    **options: Any,
) -> ReidLearner:
    """Train on drawings of a few classes so that classes never seen are told apart.

    Args:
        train, valid: small drawings, light on dark.
        steps: batches in all, of 24 photos of up to ten classes each; the time it takes is
            proportional to it.
        loss: default: `SupConLoss`, which held better for unseen glyphs than triplets did.
        seed: of everything.
        progress: a line an epoch on standard error, with R@1 and the time left.
        cbs: fastai callbacks.
        options: for `reid_learner`.

    Returns:
        The learner, trained.
    """
    settings: dict[str, Any] = {"individuals": 10, "photos": DRAWING_PHOTOS, **options}
    settings.setdefault("augment", glyph_augmentation(train))
    learn = reid_learner(
        train,
        valid,
        loss=loss or SupConLoss(TEMPERATURE),
        seed=seed,
        wd=0.02,
        moms=(0.95, 0.85, 0.95),
        **settings,
    )
    _fit(learn, steps, RATE, progress, cbs)
    return learn


@dataclass(frozen=True)
class Plan:
    """How a folder is to be trained; what `resight train` shows before it begins."""

    kind: Kind
    body: str
    size: int
    channels: int
    dim: int
    loss: LossName
    epochs: int
    photos: int
    individuals: int
    held_back: int


def train_folder(
    root: str | Path,
    out: str | Path,
    *,
    body: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    dim: int = 128,
    epochs: int | None = None,
    pretrained: bool = False,
    loss: LossName | None = None,
    networks: int = 1,
    looks: bool = False,
    valid_share: float = 0.2,
    seed: int = 0,
    resume: bool = True,
    progress: bool = True,
) -> Card:
    """Train on a folder per individual and write the model file.

    What is not given is chosen by looking at the photos: small grey drawings are trained like the
    digits, anything else as photographs. A share of the photos of every individual with four or
    more is held back to measure R@1 and mAP, if there are two such individuals; being drawn at
    random, it flatters where photos come in bursts.

    Args:
        root: `root/individual/photo.png`.
        out: the model file to write, `NAME.onnx`.
        body, size, channels, dim, pretrained: see `create_embedder`.
        epochs: passes over the photos.
        loss: "triplet" (semi-hard), "soft-triplet" (batch-hard, soft margin), "supcon", "arcface".
            Default, as measured (docs/comparison.md): drawings take "supcon"; photographs "arcface"
            on a pretrained body, "triplet" from scratch.
        networks: how many to train, one after another, and ask together (`Ensemble`).
        looks: look five times at every photo (`Views`).
        valid_share: what is held back, in [0, 0.5].
        seed: of everything.
        resume: after a kill, go on from the last finished epoch; the state lies beside `out`
            until the training is through.
        progress: tell the plan, the epochs and the time left on standard error.

    Raises:
        UnusablePhotos, UnreadablePhoto: the folder cannot serve, and why.
        ResightError: an option makes no sense.
    """
    out = Path(out)
    _check_options(out, size, channels, epochs, valid_share, seed)
    if loss not in (None, *get_args(LossName)):
        raise ResightError(f"{loss!r} is no loss here; take one of {', '.join(get_args(LossName))}")
    if networks < 1:
        raise ResightError(f"{networks} networks cannot be trained; give 1 or more")
    photos = photos_by_individual(root, min_individuals=2)
    check_trainable(photos)
    channels, size, kind = _look(photos, channels, size)
    pixels, kept, bad = load_pixels(
        photos, (size, size), channels, progress=progress, on_bad="skip"
    )
    if bad:
        names = "; ".join(map(str, bad[:3])) + ("; …" if len(bad) > 3 else "")
        raise UnusablePhotos(
            f"{len(bad)} of {len(photos)} photos cannot be read ({names}): "
            "mend them or take them out of the folder"
        )
    everything = PhotoSet.of(pixels, [photos[i].individual or "" for i in kept])
    used, valid = _hold_back(everything, valid_share, seed)
    train = everything.take(used)
    files = [photos[kept[place]].path for place in used.tolist()]
    per_individual = DRAWING_PHOTOS if kind == "drawings" else 4
    individuals = min(10 if kind == "drawings" else 16, len(everything.names))
    per_epoch = max(1, len(train) // (per_individual * individuals))
    plan = Plan(
        kind=kind,
        body=body or ("small" if size <= _SMALL else "resnet18"),
        size=size,
        channels=channels,
        dim=dim,
        loss=loss or _default_loss(kind, pretrained),
        epochs=epochs or int(np.clip(round(STEPS / per_epoch), 2, 60)),
        photos=len(everything),
        individuals=len(everything.names),
        held_back=len(everything) - len(train),
    )
    if plan.kind == "drawings" and plan.loss == "arcface":
        raise ResightError(
            "ArcFace knows the individuals it is given, and drawings are trained with virtual "
            "ones; take another loss"
        )
    if progress:
        _tell(
            f"{plan.photos} photos of {plan.individuals} individuals, {plan.held_back} held back; "
            f"trained as {plan.kind}, {size}×{size}, body {plan.body}, loss {plan.loss}, "
            f"{plan.epochs} epochs"
        )
    augment: list[Augment] = glyph_augmentation(train) if kind == "drawings" else [Warp()]
    states = [
        out.with_name(f"{out.name}.state{number or ''}")  # of one network: NAME.onnx.state
        for number in range(networks)
    ]
    members = []
    for number, state in enumerate(states):
        if not resume:
            state.unlink(missing_ok=True)
        if progress and networks > 1:
            _tell(f"network {number + 1} of {networks}")
        learn = reid_learner(
            train,
            valid,
            body=plan.body,
            dim=dim,
            pretrained=pretrained,
            loss=_loss(plan.loss, individuals=len(train.names), dim=dim),
            individuals=individuals,
            photos=per_individual,
            augment=augment,
            seed=seed + number,
            wd=0.02,
            path=out.parent,
        )
        _fit_epochs(learn, plan.epochs, RATE, progress, [Resume(state, keep=True)])
        members.append(learn.model)
    several = Ensemble(members) if networks > 1 else None
    network = Views(several or learn.model) if looks else several
    if network is not None and plan.held_back:
        learn.figures = {**learn.figures, **_figures(network, valid)}
    if not plan.held_back:  # measured on the training photos, they would flatter
        learn.figures = {name: v for name, v in learn.figures.items() if name == "train_loss"}
    card = learn.export_onnx(
        out,
        licence=licence_of(plan.body, pretrained),
        network=network,
        networks=networks,
        looks=len(LOOKS) if looks else 1,
        body_pretrained=pretrained,
        kind=plan.kind,
        epochs=plan.epochs,
        seed=seed,
        held_back=plan.held_back,
        # So that a catalogue knows which of its photos the model finds too easily.
        photos_seen=sorted(_beginning_of_hash(file) for file in files),
    )
    for state in states:
        state.unlink(missing_ok=True)
    return card


class Told(Callback):
    """A line an epoch on standard error: how far, how good, how long yet."""

    order = 80

    def before_fit(self) -> None:
        """Start the clock."""
        self._begun = time.monotonic()
        self._first: int | None = None

    def after_epoch(self) -> None:
        """Tell."""
        record = list(self.learn.recorder.values[-1])
        if not record:  # passed over, in a training that was taken up again
            return
        if self._first is None:
            self._first = self.learn.epoch
        done = self.learn.epoch + 1
        left = (time.monotonic() - self._begun) / (done - self._first) * (self.learn.n_epoch - done)
        names = ["train loss", "valid loss", *(metric.name for metric in self.learn.metrics)]
        figures = [f"{n} {v:.3f}" for n, v in zip(names, record, strict=False) if v is not None]
        _tell(f"epoch {done} of {self.learn.n_epoch}: {', '.join(figures)}; {left:.0f} s left")


def _fit(
    learn: ReidLearner, steps: int, rate: float, progress: bool, cbs: Sequence[Callback]
) -> None:
    _fit_epochs(learn, max(1, round(steps / len(learn.dls.train))), rate, progress, cbs)


def _fit_epochs(
    learn: ReidLearner, epochs: int, rate: float, progress: bool, cbs: Sequence[Callback]
) -> None:
    mine = [*cbs, Told()] if progress else list(cbs)
    with learn.removed_cbs(list(learn._grab_cbs(ProgressCallback))), learn.no_logging():
        learn.fit_one_cycle(epochs, rate, cbs=mine)


def _default_loss(kind: Kind, pretrained: bool) -> LossName:
    if kind == "drawings":
        return "supcon"
    return "arcface" if pretrained else "triplet"


def _loss(name: LossName, *, individuals: int, dim: int) -> Loss:
    if name == "triplet":
        return TripletLoss()
    if name == "soft-triplet":
        return TripletLoss("hard", "soft")
    if name == "supcon":
        return SupConLoss(TEMPERATURE)
    from pytorch_metric_learning.losses import ArcFaceLoss

    return ArcFaceLoss(individuals, dim, margin=20, scale=32)


def _figures(network: Ensemble | Views, valid: PhotoSet) -> dict[str, float]:
    """R@1 and mAP of what was made of several networks or looks."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        found = [network(some.to(device)).cpu() for some in valid.pixels.split(256)]
    figures = retrieval(torch.cat(found).numpy(), valid.labels.numpy(), resamples=0).figures()
    return {name: figures[name].value for name in ("R@1", "mAP")}


def _look(photos: Sequence[Photo], channels: int | None, size: int | None) -> tuple[int, int, Kind]:
    """Channels, size and kind for the photos, by the look of some of them."""
    from resight.photos.decode import read_image

    some = [photos[i] for i in np.linspace(0, len(photos) - 1, min(24, len(photos))).astype(int)]
    images = []
    for photo in some:
        try:
            images.append(read_image(photo.path, channels=3))
        except ResightError:  # all that cannot be read are told of together, later
            continue
    if not images:
        return channels or 3, size or _USUAL_SIZE, "photos"
    grey = all((image[..., :1] == image).all() for image in images)
    sides = [max(image.shape[:2]) for image in images]
    channels = channels or (1 if grey else 3)
    size = size or (max(sides) if max(sides) <= _SMALL else _USUAL_SIZE)
    dark = np.mean([image.mean() for image in images]) < 128
    kind: Kind = "drawings" if grey and dark and size <= _SMALL else "photos"
    return channels, size, kind


def _hold_back(photos: PhotoSet, share: float, seed: int) -> tuple[np.ndarray, PhotoSet]:
    """Positions of the training photos, and the others; all of them twice where none is spared."""
    rng = np.random.default_rng(seed)
    labels = photos.labels.numpy()
    held = np.zeros(len(labels), dtype=bool)
    for who in range(len(photos.names)):
        of = np.flatnonzero(labels == who)
        if len(of) >= 4 and share > 0:
            held[rng.permutation(of)[: max(2, round(share * len(of)))]] = True
    if len(np.unique(labels[held])) < 2:  # whoever is held back alone is always right
        return np.arange(len(photos)), photos
    return np.flatnonzero(~held), photos.take(np.flatnonzero(held))


def _beginning_of_hash(file: Path) -> str:
    """Sixteen characters of the SHA-256 of a file's bytes: enough to know it again."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


def _check_options(
    out: Path,
    size: int | None,
    channels: int | None,
    epochs: int | None,
    share: float,
    seed: int,
) -> None:
    if out.is_dir() or out.suffix.lower() != ".onnx":
        raise ResightError(f"{out}: the model is one file; name it like digits.onnx")
    try:  # now, and not when the training is through
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ResightError(
            f"{out}: nothing can be written there ({error.strerror or error}); choose another place"
        ) from error
    if seed < 0:
        raise ResightError(f"a seed is 0 or more, not {seed}")
    if size is not None and not 16 <= size <= 1024:
        raise ResightError(f"a size of {size} pixels makes no sense; give 16 to 1024")
    if channels not in (None, 1, 3):
        raise ResightError(f"photos have 1 channel (grey) or 3 (colour), not {channels}")
    if epochs is not None and epochs < 1:
        raise ResightError(f"{epochs} epochs train nothing; give 1 or more")
    if not 0 <= share <= 0.5:
        raise ResightError(f"a share of {share} cannot be held back; give 0 to 0.5")


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
