"""Whole trainings: the digits' recipe, and a folder of photos to a model file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from fastai.callback.core import Callback

from resight.errors import ResightError, UnusablePhotos
from resight.evaluate.metrics import retrieval
from resight.fingerprint.model import Card, name_key
from resight.learn.data import PhotoSet
from resight.learn.embedder import Embedder
from resight.learn.ensemble import Ensemble
from resight.learn.hearing import held_recordings, load_windows, whole_recordings
from resight.learn.learner import Loss, ReidLearner, embed, reid_learner
from resight.learn.losses import SupConLoss
from resight.learn.one import RATE, STEPS, TEMPERATURE, drawing_batch, fit_epochs, train_one
from resight.learn.plan import LossName, Size, check_options, hold_back, make_plan
from resight.learn.ranks import rank
from resight.learn.together import agreed, begin, wait
from resight.learn.told import tell
from resight.learn.views import LOOKS, Network, Views, WithMirror
from resight.learn.virtual import glyph_augmentation
from resight.learn.weights import licence_of
from resight.learn.whitening import whiten
from resight.photos.content import content_hash
from resight.photos.photo import Photo
from resight.photos.sources import (
    check_trainable,
    load_pixels,
    photos_by_individual,
    warn_of_queries,
)
from resight.words import counted

# What is held back of pretrained training: enough to see how it goes, and little of the photos.
_HELD_SHARE, _HELD_MOST = 0.1, 300


def train_digits(
    train: PhotoSet,
    valid: PhotoSet,
    *,
    steps: int = STEPS,
    loss: Loss | None = None,
    seed: int = 0,
    whitened: bool = True,
    progress: bool = True,
    cbs: Sequence[Callback] = (),
    **options: Any,
) -> ReidLearner:
    """Train on drawings of some classes so that classes never seen are told apart.

    Args:
        train, valid: small drawings, light on dark.
        steps: batches in all, of some 240 photos (`drawing_batch`); the time it takes is
            proportional to it.
        loss: default: `SupConLoss`, which held better for unseen glyphs than triplets did.
        seed: of everything.
        whitened: spread embeddings over more directions afterwards (`resight.learn.whitening`).
        progress: a line an epoch on standard error, with R@1 and the time left.
        cbs: fastai callbacks.
        options: for `reid_learner`.

    Returns:
        The learner, trained.
    """
    there = len(train.labels.unique())
    individuals, photos = drawing_batch(there, options.get("individuals"))
    settings: dict[str, Any] = {
        "body": "drawing",
        "photos": photos,
        **options,
        "individuals": individuals,
    }
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
    fit_epochs(learn, max(1, round(steps / len(learn.dls.train))), RATE, progress, cbs)
    if whitened and whiten(learn.model, learn.dls.train):
        learn.figures = {**learn.figures, **_figures(learn.model, learn.dls.valid.photos, None)}
    return learn


def train_folder(root: str | Path, out: str | Path, **options: Any) -> Card:
    """Train on a folder per individual and write the model file.

    Args:
        root: `root/individual/photo.png`.
        out, options: as for `train_photos`.

    Raises:
        UnusablePhotos, UnreadablePhoto: the folder cannot serve, and why.
        ResightError: an option makes no sense.
    """
    return train_photos(photos_by_individual(root, min_individuals=2), out, **options)


def train_photos(
    photos: Sequence[Photo],
    out: str | Path,
    *,
    body: str | None = None,
    size: int | Size | None = None,
    channels: int | None = None,
    dim: int | None = None,
    epochs: int | None = None,
    budget: float | None = None,
    pretrained: bool | None = None,
    loss: LossName | None = None,
    individuals: int | None = None,
    mirrored: bool = True,
    whitened: bool = True,
    networks: int = 1,
    looks: bool = False,
    valid_share: float | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: bool = True,
    left_out: Sequence[str] = (),
    hertz: tuple[float, float] | None = None,
) -> Card:
    """Train on photos whose individuals are known, and write the model file.

    What is not given is chosen by looking at the photos: small grey drawings are trained like the
    digits; recordings as spectrograms, from scratch; anything else as photographs, which go on
    from a pretrained body if there is one.

    A share of the photos of some individuals with four or more is held back to measure R@1 and
    mAP, if there are two such individuals; being drawn at random, it flatters where photos come
    in bursts.

    Args:
        photos: with their individuals; see `photos_by_individual`, `resight.photos.ways_in`.
        out: the model file to write, `NAME.onnx`.
        body, channels, pretrained: see `create_embedder`. By default photographs take
            EfficientNet-Lite2 with the ImageNet weights that come as a package, or Lite0 where only
            its package is installed, and a hub's body or a file of weights is pretrained.
        size: pixels of the side of square photos, or (height, width). By default of the photos' own
            proportions.
        dim: length of the embedding: by default 256 for a pretrained body, else 128.
        epochs: passes over the photos; not beside a budget.
        budget: seconds of training, from which the epochs follow; half an hour at most by default,
            for pretrained bodies. Epochs and size are in the card: with them the same training can
            be had on a faster or slower machine.
        loss: "triplet" (semi-hard), "soft-triplet" (batch-hard, soft margin), "supcon", "arcface".
            Default, as measured (docs/comparison.md): drawings take "supcon"; photographs "arcface"
            on a pretrained body, "triplet" from scratch.
        individuals: how many a batch shows; by default 16, of drawings up to 80. Under `accelerate
            launch` the processes share them (docs/several-machines.md).
        mirrored: of photographs on a pretrained body, show half of the individuals mirrored, as
            somebody else, and have fingerprints see both (`WithMirror`); not for what is the same
            in a mirror, such as the outline of a fin.
        whitened: of drawings, and of photographs on a pretrained body, spread fingerprints over
            more directions where few individuals left them few (`resight.learn.whitening`).
        networks: how many to train, one after another, and ask together (`Ensemble`).
        looks: look five times at every photo (`Views`).
        valid_share: what is held back, in [0, 0.5]; by default a fifth, and of a pretrained body's
            training a tenth, 300 photos at most.
        seed: of everything.
        resume: after a kill, go on from the last finished epoch; the state lies beside `out`
            until the training is through.
        progress: tell the plan, the epochs and the time left on standard error.
        left_out: what was wrong with photos that are not among these, for the card.
        hertz: of recordings, the lowest and highest frequency to hear; by default 50 to 8000.

    Raises:
        UnusablePhotos, UnreadablePhoto: the photos cannot serve, and why.
        ResightError: an option makes no sense.
    """
    out = Path(out)
    sides = (size, size) if isinstance(size, int) else size
    check_options(
        out,
        size=sides,
        channels=channels,
        epochs=epochs,
        share=0.0 if valid_share is None else valid_share,
        seed=seed,
        loss=loss,
        networks=networks,
    )
    if epochs is not None and budget is not None:
        raise ResightError("a budget and epochs both say how long; give one of them")
    if individuals is not None and individuals < 2:
        raise ResightError(f"a batch of {individuals} individuals compares nobody; give 2 or more")
    check_trainable(photos)
    warn_of_queries(photos)
    begin()
    progress = progress and not rank()
    plan = make_plan(
        photos,
        body,
        sides,
        channels,
        dim,
        epochs,
        budget,
        pretrained=pretrained,
        loss=loss,
        hertz=hertz,
    )
    if plan.hearing is not None and looks:
        raise ResightError("looks turn photos, and recordings are not turned; leave them out")
    whitened = whitened and (plan.fine_tune or plan.kind == "drawings")
    plan = replace(plan, individuals=individuals, mirrored=mirrored, whitened=whitened)
    if progress and plan.budget is not None and not plan.fine_tune:  # now, not after the decoding
        tell(
            "the budget is passed over: it is for photographs on a pretrained body; for others "
            "--epochs says how long"
        )
    licence = licence_of(plan.body, plan.pretrained)  # in an hour a file may be gone
    if plan.hearing is not None:  # a recording stands there once for each of its windows
        pixels, kept, bad = load_windows(photos, plan.hearing, progress=progress)
    else:
        pixels, kept, bad = load_pixels(
            photos, plan.size, plan.channels, fit=plan.fit, progress=progress, on_bad="skip"
        )
    if bad:
        names = "; ".join(map(str, bad[:3])) + ("; …" if len(bad) > 3 else "")
        raise UnusablePhotos(
            f"{len(bad)} of {len(photos)} photos cannot be read ({names}): "
            "mend them or take them out of the folder"
        )
    everything = PhotoSet.of(pixels, [photos[i].individual or "" for i in kept])
    recordings: list[int] | None = None
    if plan.hearing is not None:
        share = 0.2 if valid_share is None else valid_share
        used, valid, recordings = held_recordings(everything, kept, share, seed)
    elif valid_share is None and plan.fine_tune:
        used, valid = hold_back(everything, _HELD_SHARE, seed, most=_HELD_MOST)
    else:
        used, valid = hold_back(everything, 0.2 if valid_share is None else valid_share, seed)
    train = everything.take(used)
    held = len(everything) - len(train)
    if progress:
        tell(
            f"{counted(len(everything), 'window' if plan.hearing else 'photo')} of "
            f"{counted(len(everything.names), 'individual')}, {held} held back; trained as "
            f"{plan.kind}, {plan.size[0]}×{plan.size[1]}, body {plan.body}"
            f"{' (pretrained)' if plan.pretrained else ''}, loss {plan.loss}"
        )
    states = [
        out.with_name(f"{out.name}.state{number or ''}")  # of one network: NAME.onnx.state
        for number in range(networks)
    ]
    members: list[Embedder] = []
    powers: list[float] = []
    for number, state in enumerate(states):
        if not resume:
            if not rank():
                state.unlink(missing_ok=True)
            wait()
        if progress and networks > 1:
            tell(f"network {number + 1} of {networks}")
        learn, plan = train_one(
            train,
            valid,
            plan,
            state,
            networks,
            seed=seed + number,
            path=out.parent,
            progress=progress,
        )
        if plan.whitened:
            powers.append(whiten(learn.model, learn.dls.train))
            if progress and powers[-1]:
                tell(f"few individuals, few directions: whitened by a power of {powers[-1]:.2f}")
        members.append(learn.model)
    network = put_together(members, mirror=plan.fine_tune and plan.mirrored, looks=looks)
    if held and (network is not learn.model or any(powers) or recordings is not None):
        learn.figures = {**learn.figures, **_figures(network, valid, recordings)}
    if not held:  # measured on the training photos, they would flatter
        learn.figures = {name: v for name, v in learn.figures.items() if name == "train_loss"}
    if rank():  # process 0 writes
        return agreed(cast(Card, None))
    more: dict[str, Any] = {"mirrored": plan.mirrored} if plan.fine_tune else {}
    if powers:
        more["whitened"] = [round(power, 3) for power in powers]
    card = learn.export_onnx(
        out,
        fit=plan.fit,
        licence=licence,
        network=network,
        networks=networks,
        looks=len(LOOKS) if looks else 1,
        body_pretrained=plan.pretrained,
        kind=plan.kind,
        epochs=plan.epochs,
        seed=seed,
        sound=None if plan.hearing is None else plan.hearing.entry(),
        photos=len({kept[i] for i in used.tolist()}),
        **more,
        held_back=len(set(kept)) - len({kept[i] for i in used.tolist()}),
        # So that a catalogue knows which of its photos the model finds too easily.
        photos_seen=sorted(
            content_hash(photos[i].path)[:16] for i in {kept[i] for i in used.tolist()}
        ),
        individuals_seen=sorted({name_key(str(photos[kept[i]].individual)) for i in used.tolist()}),
        left_out=list(left_out),
    )
    for state in states:
        state.unlink(missing_ok=True)
    return agreed(card)


def put_together(members: Sequence[Embedder], *, mirror: bool, looks: bool) -> Network:
    """One network of all that were trained, which also looks in the mirror, or five times."""
    all_of_them = Ensemble(members) if len(members) > 1 else members[0]
    network = WithMirror(all_of_them) if mirror else all_of_them
    return Views(network) if looks else network


def _figures(
    network: Network, valid: PhotoSet, recordings: Sequence[int] | None
) -> dict[str, float]:
    """R@1 and mAP of what was made of several networks, looks, or windows of a recording."""
    # What a budget allowed may be smaller than the photos.
    found = embed(network, valid.resized(network.size).pixels)
    labels = valid.labels.numpy()
    if recordings is not None:
        _, first = np.unique(recordings, return_index=True)
        found, labels = whole_recordings(found, recordings)[0], labels[first]
    figures = retrieval(found.numpy(), labels, resamples=0).figures()
    return {name: figures[name].value for name in ("R@1", "mAP")}
