"""Learning from recordings: their windows, and the augmentation of spectrograms.

Steps as in `resight.learn.augment`: `step(pixels, labels, generator) -> (pixels, labels)`; pixels
are pictures as `resight.photos.sound` makes them, 0 the background and 1 50 dB above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from resight.errors import ResightError, UnreadablePhoto, UnusablePhotos
from resight.learn.augment import resample
from resight.learn.data import Augment, PhotoSet
from resight.photos.hear import hear
from resight.photos.photo import Photo
from resight.photos.sound import BANDS, RANGE, Hearing, is_sound
from resight.photos.stream import progress_bar
from resight.words import counted


@dataclass(frozen=True)
class Shift:
    """Every recording a little earlier or later, slower or faster, higher or lower; never turned.

    Attributes:
        time: at most so far, as a share of the window; what is moved out is lost.
        tempo: standard deviation of the logarithm of the speed.
        pitch: standard deviation of a shift up or down, in bands: other distances and moods bend
            a voice less than its owner's throat tells it from others.
    """

    time: float = 0.25
    tempo: float = 0.08
    pitch: float = 0.35

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Move a batch; labels stay."""
        n, device = len(pixels), pixels.device
        when = 2 * torch.rand(n, generator=generator, device=device) - 1
        speed, up = torch.randn((2, n), generator=generator, device=device).clamp(-2.5, 2.5)
        matrix = torch.zeros(n, 2, 3, device=device)
        matrix[:, 0, 0] = (self.tempo * speed).exp()
        matrix[:, 0, 2] = 2 * self.time * when
        matrix[:, 1, 1] = 1
        matrix[:, 1, 2] = 2 * self.pitch * up / pixels.shape[-2]
        return resample(pixels, matrix), labels


@dataclass(frozen=True)
class Background:
    """Another distance and another background: quieter or louder, and noise laid beneath.

    Powers are added, as sounds are, and level is told above the new background, as the picture's
    is. Noise has its own colour in each recording, and its cells scatter as those of noise do.

    Attributes:
        gain: decibels by which the whole rises or falls, at most.
        noise: decibels above the old background that the new one has, at most.
        share: of the recordings that get noise.
    """

    gain: float = 6.0
    noise: float = 15.0
    share: float = 0.6

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Lay another background beneath a batch; labels stay."""
        n, _, bands, _ = pixels.shape
        device = pixels.device
        gain, level, which = torch.rand((3, n, 1, 1, 1), generator=generator, device=device)
        colour = torch.randn((n, 1, 4), generator=generator, device=device)
        colour = F.interpolate(colour, size=bands, mode="linear", align_corners=True)[..., None]
        scatter = torch.empty_like(pixels).exponential_(generator=generator).clamp(min=1e-3)
        sound = pixels * RANGE + self.gain * (2 * gain - 1)
        above = self.noise * level
        beneath = above + 3 * colour + 10 * scatter.log10()
        mixed = 10 * torch.log10(10 ** (sound / 10) + 10 ** (beneath / 10)) - above
        mixed = torch.where(which < self.share, mixed, sound)
        return (mixed / RANGE).clamp(0, 1), labels


@dataclass(frozen=True)
class Masks:
    """Some bands and some moments left out (SpecAugment: Park et al., Interspeech 2019).

    Attributes:
        bands: at most so many, as a share.
        time: likewise of the window.
        share: of the recordings that lose bands, and of those that lose a moment.
    """

    bands: float = 0.12
    time: float = 0.2
    share: float = 0.5

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mask a batch; labels stay."""
        n, device = len(pixels), pixels.device
        kept = torch.ones_like(pixels, dtype=torch.bool)
        for side, most in ((-2, self.bands), (-1, self.time)):
            extent, where, which = torch.rand((3, n, 1), generator=generator, device=device)
            at = torch.arange(pixels.shape[side], device=device)[None] / pixels.shape[side]
            extent = most * extent
            first = where * (1 - extent)
            masked = (at >= first) & (at < first + extent) & (which < self.share)
            kept &= ~(masked[:, None, :, None] if side == -2 else masked[:, None, None, :])
        return pixels * kept, labels


def sound_augmentation() -> list[Augment]:
    """The steps for recordings."""
    return [Shift(), Background(), Masks()]


def plan_hearing(
    photos: Sequence[Photo],
    size: tuple[int, int] | None,
    channels: int | None,
    hertz: tuple[float, float] | None,
) -> Hearing | None:
    """What is to be heard of recordings; None where they are photos.

    Raises:
        UnusablePhotos: recordings and photos together.
        ResightError: an option that is for the other kind.
    """
    sounds = sum(is_sound(photo.path) for photo in photos)
    if sounds == 0:
        if hertz is not None:
            raise ResightError("frequencies are for recordings, and these are photos")
        return None
    if sounds < len(photos):
        raise UnusablePhotos(
            f"{counted(sounds, 'recording')} and {counted(len(photos) - sounds, 'photo')}: a model "
            "is for one or the other; put them into two folders"
        )
    if size is not None or channels not in (None, 1):
        raise ResightError("a size and channels are for photos; of recordings say the frequencies")
    try:
        return Hearing() if hertz is None else Hearing(*hertz)
    except ValueError as error:
        raise ResightError(
            f"{error}; give the lowest and the highest, such as 50 and 8000"
        ) from None


def load_windows(
    photos: Sequence[Photo], hearing: Hearing, *, progress: bool = False
) -> tuple[np.ndarray, list[int], list[UnreadablePhoto]]:
    """The windows of recordings, in threads, in one array that a training can draw from.

    Args:
        photos: the recordings; of one with a `box`, that part.
        hearing: what is heard of them.
        progress: show a bar on stderr.

    Returns:
        uint8 (n, 1, 64, window); for each of the n the place of its recording in `photos`; and
        the errors of those that cannot be read.
    """
    parts = [np.empty((0, BANDS, hearing.window), np.uint8)]
    places: list[int] = []
    unreadable: list[UnreadablePhoto] = []
    sources = ((photo.path, photo.box) for photo in photos)
    with ExitStack() as stack:
        bar = stack.enter_context(progress_bar("Hearing", len(photos))) if progress else None
        for chunk in hear(sources, hearing):
            for place, found in chunk:
                if isinstance(found, UnreadablePhoto):
                    unreadable.append(found)
                else:
                    parts.append(found)
                    places += [place] * len(found)
            if bar:
                bar(len(chunk))
    return np.concatenate(parts)[:, None], places, unreadable


def whole_recordings(vectors: Tensor, places: Sequence[int]) -> tuple[Tensor, list[int]]:
    """One vector a recording: the mean direction of its windows.

    Args:
        vectors: (n, d) of windows.
        places: of each window the number of its recording.

    Returns:
        (m, d) unit vectors, and the m numbers, ascending.
    """
    numbers, which = np.unique(np.asarray(places), return_inverse=True)
    total = torch.zeros(len(numbers), vectors.shape[1])
    total.index_add_(0, torch.from_numpy(which), vectors.cpu().float())
    return F.normalize(total, dim=1), numbers.tolist()


def held_recordings(
    photos: PhotoSet, places: Sequence[int], share: float, seed: int
) -> tuple[np.ndarray, PhotoSet, list[int]]:
    """Hold back whole recordings: positions of the windows to train on, and the others.

    Two recordings or more of some individuals are held back, of those with four or more
    (`hold_back`).

    Returns:
        int64 positions of training windows; the windows held back (all, where none can be), and
        the number of the recording of each of these.
    """
    from resight.learn.plan import hold_back

    numbers, first = np.unique(np.asarray(places), return_index=True)
    used, _ = hold_back(photos.take(first), share, seed)
    taught = np.isin(np.asarray(places), numbers[used])
    held = np.arange(len(photos)) if taught.all() else np.flatnonzero(~taught)
    return np.flatnonzero(taught), photos.take(held), [places[i] for i in held.tolist()]
