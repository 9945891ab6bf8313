"""Photos held as uint8, in memory or a mapped file, and loaders that cut batches at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from resight.errors import UnusablePhotos
from resight.photos.store import fits_in_memory, scratch

Augment = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


_RESIZED_AT_ONCE = 256


class Batches(Protocol):
    """What gives the positions of a batch's photos, epoch by epoch: `PKSampler`, or a list."""

    def __iter__(self) -> Iterator[Sequence[int]]: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class PhotoSet:
    """Decoded photos and who is on them.

    Attributes:
        pixels: uint8 (n, C, H, W).
        labels: int64 (n,), positions in `names`.
        names: the individuals.
    """

    pixels: Tensor
    labels: Tensor
    names: tuple[str, ...]

    @classmethod
    def of(cls, pixels: np.ndarray, individuals: Sequence[str] | np.ndarray) -> PhotoSet:
        """From arrays: uint8 (n, H, W) or (n, C, H, W), and every photo's individual.

        Raises:
            UnusablePhotos: the two do not fit together, there is no photo, or one without a name.
        """
        pixels, who = np.asarray(pixels), np.asarray(individuals)
        shape = pixels.shape if pixels.ndim == 4 else (*pixels.shape[:1], 1, *pixels.shape[1:])
        if pixels.dtype != np.uint8 or len(shape) != 4 or shape[1] not in (1, 3):
            raise UnusablePhotos(
                "pixels are uint8 (n, H, W) or (n, C, H, W) with 1 or 3 channels, "
                f"not {pixels.dtype} {tuple(pixels.shape)}"
            )
        if who.ndim != 1 or len(pixels) != len(who) or not pixels.size:
            raise UnusablePhotos(
                f"{len(pixels)} photos and {len(who) if who.ndim else 1} names: "
                "every photo needs the name of its individual, and there must be some"
            )
        if who.dtype == object and any(name is None for name in who):
            raise UnusablePhotos("a photo has no name of an individual; leave it out, or name it")
        pixels = pixels.reshape(shape)
        names, labels = np.unique(who.astype(str), return_inverse=True)
        return cls(
            torch.from_numpy(np.ascontiguousarray(pixels)),
            torch.from_numpy(labels.astype(np.int64)),
            tuple(names.tolist()),
        )

    def __len__(self) -> int:
        """How many photos."""
        return len(self.labels)

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return int(self.pixels.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.pixels.shape[2]), int(self.pixels.shape[3])

    def take(self, positions: Sequence[int] | np.ndarray | Tensor) -> PhotoSet:
        """Some of the photos, the same individuals to choose from."""
        at = torch.as_tensor(positions, dtype=torch.long)
        shape = (len(at), *self.pixels.shape[1:])
        if fits_in_memory(shape):
            return PhotoSet(self.pixels[at], self.labels[at], self.names)
        pixels = torch.from_numpy(scratch(shape))
        torch.index_select(self.pixels, 0, at, out=pixels)
        return PhotoSet(pixels, self.labels[at], self.names)

    def resized(self, size: tuple[int, int]) -> PhotoSet:
        """The same photos at another, smaller (height, width); itself where it is that."""
        if size == self.size:
            return self
        small = [shrink(part, size) for part in self.pixels.split(_RESIZED_AT_ONCE)]
        return PhotoSet(torch.cat(small), self.labels, self.names)

    def numbered_as(self, other: PhotoSet) -> PhotoSet:
        """The same photos with the other set's numbers for its individuals; the rest follow."""
        names = (*other.names, *(name for name in self.names if name not in set(other.names)))
        place = {name: i for i, name in enumerate(names)}
        number = torch.tensor([place[name] for name in self.names], dtype=torch.long)
        return PhotoSet(self.pixels, number[self.labels], names)


class PhotoLoader:
    """Batches (pixels, labels) of a `PhotoSet`, as fastai's `DataLoaders` takes them.

    Without augmentation the pixels come as uint8, otherwise as what it makes of floats in [0, 1].
    A pass is drawn from the seed and the number of the epoch alone, so a training that is taken
    up again goes on as if it had never stopped; `epoch` counts up by itself. With `shrunk_to`, a
    (height, width), photos are brought to that size first (see `GrowingSize`). With `share`, (rank,
    processes), a batch is this process's share of the individuals of the whole one.
    """

    n_inp = 1

    def __init__(
        self, photos: PhotoSet, batches: Batches, *, augment: Sequence[Augment] = (), seed: int = 0
    ) -> None:
        self.photos = photos
        self.batches = batches
        self.augment = augment
        self.seed = seed
        self.epoch = 0
        self.shrunk_to: tuple[int, int] | None = None
        self.share: tuple[int, int] | None = None
        self.device = torch.device("cpu")
        self._pixels, self._labels = photos.pixels, photos.labels

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.batches)

    def to(self, device: torch.device | str) -> PhotoLoader:
        """Hold the photos on a device; there they are augmented too."""
        self.device = torch.device(device)
        self._pixels = self.photos.pixels.to(self.device)
        self._labels = self.photos.labels.to(self.device)
        return self

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch."""
        rank = self.share[0] if self.share else 0
        seed = (self.seed * 100_003 + self.epoch + (rank << 48)) % 2**63
        generator = torch.Generator(self.device).manual_seed(seed)
        if hasattr(self.batches, "epoch"):
            self.batches.epoch = self.epoch
        self.epoch += 1
        handful = getattr(self.batches, "photos", 1)
        for positions in self.batches:
            if self.share is not None:
                positions = share_of(positions, *self.share, handful=handful)
            at = torch.as_tensor(positions, dtype=torch.long, device=self.device)
            pixels, labels = self._pixels[at], self._labels[at]
            if self.shrunk_to not in (None, tuple(pixels.shape[-2:])):
                pixels = shrink(pixels, self.shrunk_to)
            if self.augment:
                pixels = pixels.float().div_(255)
                for step in self.augment:
                    pixels, labels = step(pixels, labels, generator)
            yield pixels, labels

    def one_batch(self) -> tuple[Tensor, Tensor]:
        """The first batch of the next epoch, which stays the next."""
        epoch = self.epoch
        try:
            return next(iter(self))
        finally:
            self.epoch = epoch

    def new(self, **_: Any) -> PhotoLoader:
        """Every photo once, in order and as it is; fastai's `get_preds` asks for it."""
        at = range(len(self.photos))
        some = at_once(self.photos.size)
        plain = [at[i : i + some] for i in range(0, len(at), some)]
        return PhotoLoader(self.photos, plain).to(self.device)


def share_of(positions: Sequence[int], rank: int, processes: int, *, handful: int) -> Sequence[int]:
    """The part of a batch that one of several processes takes; the parts follow one another.

    Handfuls, the photos of one individual that stand together, are not torn apart. Where there
    are fewer of them than processes, some parts are empty.
    """
    handfuls = -(-len(positions) // handful)
    first, end = (handfuls * r // processes * handful for r in (rank, rank + 1))
    return positions[first:end]


def shrink(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 pixels (n, C, H, W) at another (height, width), antialiased.

    On a processor each side is rounded in its turn, which is faster: off by one at most.
    """
    whole = pixels if pixels.device.type == "cpu" else pixels.float()
    small = F.interpolate(whole, size, mode="bilinear", antialias=True, align_corners=False)
    return small if small.dtype == torch.uint8 else small.round_().byte()


def enlarge(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Floats (n, C, H, W) at a larger (height, width); themselves where they have it."""
    if tuple(pixels.shape[-2:]) == size:
        return pixels
    return F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)


def at_once(size: tuple[int, int]) -> int:
    """How many photos (height, width) to look at together where nothing is learned.

    At most 256, and no more pixels than 64 of 224×224 have: the first maps of a body are dozens of
    times as large, and memory that was taken once is kept (`resight.learn.allocator`).
    """
    return max(1, min(256, 64 * 224 * 224 // (size[0] * size[1])))


def validation_batches(labels: Tensor, *, photos: int, size: int) -> list[list[int]]:
    """Every photo once, in batches where photos of one individual stand together.

    A loss with mining needs both in a batch; a plain order by individual gives it no negatives,
    a shuffled one hardly a positive.

    Args:
        labels: (n,) integers.
        photos: how many of an individual stand together.
        size: photos a batch.
    """
    seen: dict[int, int] = {}
    handful = []
    for label in labels.tolist():
        handful.append(seen.get(label, 0) // photos)
        seen[label] = seen.get(label, 0) + 1
    order = np.lexsort((labels.numpy(), np.asarray(handful)))
    return [order[i : i + size].tolist() for i in range(0, len(order), size)]
