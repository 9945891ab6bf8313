"""How a folder is to be trained: by the look of its photos, before any hour is spent."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from resight.errors import ResightError
from resight.learn.data import PhotoSet
from resight.learn.hearing import plan_hearing
from resight.learn.weights import OWN, file_of, is_of_hub, package_of, packaged_weights
from resight.licences import PACKAGES
from resight.photos.decode import Fit
from resight.photos.photo import Photo
from resight.photos.sound import BANDS, Hearing

Kind = Literal["drawings", "photos", "sound"]
LossName = Literal["triplet", "soft-triplet", "supcon", "arcface"]
Size = tuple[int, int]

# Pictures up to this side are taken as they are and suit the bodies "drawing" and "small".
SMALL = 48
# The side of square photos for a body from scratch; the most for a pretrained one of any kind, and
# for those of `PACKAGES`, where there is time for it.
USUAL_SIZE, LARGE_SIZE, LARGEST_SIZE = 96, 224, 304
_STEP = 16
# More of a photo's pixels than it has show a body, whose maps are coarse, where things are.
_ENLARGED = 1.75
# Bodies for photographs whose weights come from the package index (`resight.learn.weights`), the
# one that is taken first (docs/tried.md).
BODIES = ("tf_efficientnet_lite2", "tf_efficientnet_lite0")
# No more elongated than so, whatever the photos are.
_LONGEST = 2.5


@dataclass(frozen=True)
class Plan:
    """How photos are to be trained; what `resight train` shows before it begins.

    Attributes:
        epochs: passes over the photos; None while the budget has not been divided.
        budget: seconds that the training may take, where that decides the epochs.
        individuals: how many a batch shows; None for what the kind is trained with.
        hearing: what is heard of recordings; None for photos.
        size_given: the size was asked for, not chosen.
        mirrored: photographs: half of the individuals are shown mirrored, as somebody else.
        whitened: drawings and photographs: embeddings are spread over more directions afterwards,
            where that is needed (`resight.learn.whitening`).
        fine_tune: a pretrained body is trained further, from small photos to the full size.
    """

    kind: Kind
    body: str
    pretrained: bool
    size: Size
    channels: int
    fit: Fit
    dim: int
    loss: LossName
    epochs: int | None = None
    budget: float | None = None
    individuals: int | None = None
    hearing: Hearing | None = None
    size_given: bool = False
    mirrored: bool = True
    whitened: bool = True

    @property
    def fine_tune(self) -> bool:
        """Whether it is the recipe for pretrained bodies."""
        return self.pretrained and self.kind == "photos"


@dataclass(frozen=True)
class Look:
    """What some of the photos look like.

    Attributes:
        grey, dark: all of them have no colour; they are light on dark on the whole.
        shapes: (n, 2) heights and widths of the photos, or of their boxes.
    """

    grey: bool
    dark: bool
    shapes: np.ndarray


def look(photos: Sequence[Photo], most: int = 24) -> Look:
    """Look at some photos, evenly spread; those that cannot be read are passed over."""
    from resight.photos.decode import read_image

    some = [photos[i] for i in np.linspace(0, len(photos) - 1, min(most, len(photos))).astype(int)]
    images = []
    for photo in some:
        try:
            images.append(read_image(photo.path, channels=3, box=photo.box))
        except ResightError:  # all that cannot be read are told of together, later
            continue
    if not images:
        return Look(False, False, np.full((1, 2), USUAL_SIZE))
    grey = all(bool((image[..., :1] == image).all()) for image in images)
    dark = bool(np.mean([image.mean() for image in images]) < 128)
    return Look(grey, dark, np.array([image.shape[:2] for image in images]))


def choose_size(seen: Look, *, fine_tune: bool, most: int = LARGEST_SIZE) -> Size:
    """Height and width for a training.

    Small pictures keep theirs, square. For a body from scratch it is 96×96. For a pretrained one
    it has the photos' usual proportions and somewhat more pixels than they have, at most those of
    a square of side `most`, in steps of 16; where time is short, fewer
    (`resight.learn.photographs`).
    """
    if (largest := int(seen.shapes.max())) <= SMALL:
        return largest, largest
    if not fine_tune:
        return USUAL_SIZE, USUAL_SIZE
    height, width = np.exp(np.log(seen.shapes).mean(0))
    shape = np.clip(height / width, 1 / _LONGEST, _LONGEST)
    side = np.clip(np.sqrt(height * width) * _ENLARGED, USUAL_SIZE, most)
    high, wide = (
        max(_STEP, round(float(edge) / _STEP) * _STEP)
        for edge in (side * np.sqrt(shape), side / np.sqrt(shape))
    )
    return high, wide


def usual_body() -> str:
    """The first of `BODIES` whose package is installed; the last where none is."""
    return next((body for body in BODIES if package_of(body) is not None), BODIES[-1])


def hold_back(
    photos: PhotoSet, share: float, seed: int, *, most: int | None = None
) -> tuple[np.ndarray, PhotoSet]:
    """Positions of the training photos, and the others; all of them twice where none is spared.

    Of individuals with four photos or more a share is held back, two photos at least. Where each
    has few, that would be up to half of all photos, and what is held back teaches nothing; so it
    is of some individuals, drawn at random, until it is that share of all photos, or `most`.
    """
    rng = np.random.default_rng(seed)
    labels = photos.labels.numpy()
    held = np.zeros(len(labels), dtype=bool)
    counts = np.bincount(labels, minlength=len(photos.names))
    some = {who: max(2, round(share * count)) for who, count in enumerate(counts) if count >= 4}
    limit = max(4, round(share * len(labels)))  # two photos of two, or nobody can be mistaken
    limit = limit if most is None else min(limit, most)
    order = list(some) if sum(some.values()) <= limit else rng.permutation(list(some))
    for who in order if share > 0 else ():
        if held.sum() < limit:
            held[rng.permutation(np.flatnonzero(labels == who))[: some[who]]] = True
    if len(np.unique(labels[held])) < 2:  # whoever is held back alone is always right
        return np.arange(len(photos)), photos
    return np.flatnonzero(~held), photos.take(np.flatnonzero(held))


def seconds(words: str) -> float:
    """A length of time such as "90s", "30m", "1h" or "1h30m", in seconds.

    Raises:
        ResightError: it is none, or nothing.
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", words.strip().lower())
    hours, minutes, rest = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + rest
    if not 0 < total <= 30 * 24 * 3600:
        raise ResightError(f"{words!r} is no length of time; write it like 30m, 1h or 1h30m")
    return total


def check_options(
    out: Path,
    *,
    size: Size | None,
    channels: int | None,
    epochs: int | None,
    share: float,
    seed: int,
    loss: LossName | None,
    networks: int,
) -> None:
    """Refuse what makes no sense, and a place where nothing can be written.

    Raises:
        ResightError: which, and what would.
    """
    if out.is_dir() or out.suffix.lower() != ".onnx":
        raise ResightError(f"{out}: the model is one file; name it like digits.onnx")
    if seed < 0:
        raise ResightError(f"a seed is 0 or more, not {seed}")
    if size is not None and not all(16 <= side <= 1024 for side in size):
        raise ResightError(f"a size of {size} pixels makes no sense; give 16 to 1024 a side")
    if channels not in (None, 1, 3):
        raise ResightError(f"photos have 1 channel (grey) or 3 (colour), not {channels}")
    if epochs is not None and epochs < 1:
        raise ResightError(f"{epochs} epochs train nothing; give 1 or more")
    if not 0 <= share <= 0.5:
        raise ResightError(f"a share of {share} cannot be held back; give 0 to 0.5")
    if loss not in (None, *get_args(LossName)):
        raise ResightError(f"{loss!r} is no loss here; take one of {', '.join(get_args(LossName))}")
    if networks < 1:
        raise ResightError(f"{networks} networks cannot be trained; give 1 or more")
    try:  # now, and not when the training is through
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ResightError(
            f"{out}: nothing can be written there ({error.strerror or error}); choose another place"
        ) from error


def make_plan(
    photos: Sequence[Photo],
    body: str | None,
    size: Size | None,
    channels: int | None,
    dim: int | None,
    epochs: int | None,
    budget: float | None,
    *,
    pretrained: bool | None,
    loss: LossName | None,
    hertz: tuple[float, float] | None,
) -> Plan:
    """What is not given, by the look of the photos.

    Raises:
        ResightError: options that contradict each other.
    """
    if body is not None and file_of(body) is not None:
        if pretrained is False:
            raise ResightError(
                f"--body {body} is a file of weights to begin from, and --from-scratch begins "
                "from none; leave one of them out"
            )
        pretrained = True  # it is loaded, whatever the photos are
    if (hearing := plan_hearing(photos, size, channels, hertz)) is not None:
        return Plan(
            kind="sound",
            body=body or "sound",
            pretrained=bool(pretrained),
            size=(BANDS, hearing.window),
            channels=1,
            fit="stretch",
            dim=128 if dim is None else dim,
            loss=loss or "supcon",
            epochs=epochs,
            budget=budget,
            hearing=hearing,
        )
    seen = look(photos)
    own = body is None or body in OWN
    small = (max(size) if size else int(seen.shapes.max())) <= SMALL
    kind: Kind = "drawings" if seen.grey and seen.dark and small else "photos"
    usual = body or usual_body()
    if pretrained is None:
        packaged = body in PACKAGES if body else kind == "photos" and not small
        asked_of_hub = kind == "photos" and is_of_hub(usual)
        pretrained = asked_of_hub or (packaged and packaged_weights(usual) is not None)
    # A pretrained body knows colours, and is shown them unless grey is asked for.
    channels = channels or (1 if seen.grey and own and not pretrained else 3)
    fine_tune = pretrained and kind == "photos"
    # Others were mostly trained for 224×224, and many take nothing else.
    most = LARGEST_SIZE if usual in PACKAGES else LARGE_SIZE
    plan = Plan(
        kind=kind,
        body=body or (usual if pretrained else _untrained_body(kind, small)),
        pretrained=pretrained,
        size=size or choose_size(seen, fine_tune=fine_tune, most=most),
        channels=channels,
        fit="stretch" if fine_tune else "pad",
        dim=(256 if fine_tune else 128) if dim is None else dim,
        loss=loss or _default_loss(kind, pretrained),
        epochs=epochs,
        budget=budget,
        size_given=size is not None,
    )
    if plan.kind == "drawings" and plan.loss == "arcface":
        raise ResightError(
            "ArcFace knows the individuals it is given, and drawings are trained with virtual "
            "ones; take another loss"
        )
    return plan


def _untrained_body(kind: Kind, small: bool) -> str:
    if kind == "drawings":
        return "drawing"
    return "small" if small else "resnet18"


def _default_loss(kind: Kind, pretrained: bool) -> LossName:
    if kind == "drawings":
        return "supcon"
    return "arcface" if pretrained else "triplet"
