"""Batches of P individuals with K photos each, the batches that mining needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from resight.errors import UnusablePhotos


class PKSampler(Sampler[list[int]]):
    """Batches of `individuals` × `photos` positions; a `batch_sampler` for a torch loader.

    One epoch visits every photo at least once. Every batch holds exactly `individuals` different
    individuals with `photos` photos each, so each photo has its positives and its negatives.
    An individual's photos are shuffled and dealt in handfuls of `photos`; the last handful is
    filled with others of its photos, and an individual of a single photo gives that photo
    `photos` times (augmentation makes them differ). Where large individuals leave places in the
    batches of an epoch, random others fill them.

    Its two numbers can only be given by name, and a loader that is given a `batch_sampler`
    accepts no batch size, so neither can be taken for the other.

    Args:
        labels: (n,) the individual of every photo, any integers or strings.
        individuals: P, at least 2 and at most as many as there are.
        photos: K, at least 2.
        seed: of the shuffling; epoch e of the same seed is always the same.

    Raises:
        UnusablePhotos: fewer than two individuals, or none with two photos.
        ValueError: P or K cannot be had.

    Example:
        >>> loader = DataLoader(photos, batch_sampler=PKSampler(labels, individuals=16, photos=4))
    """

    def __init__(
        self,
        labels: Sequence[int] | Sequence[str] | np.ndarray,
        *,
        individuals: int,
        photos: int,
        seed: int = 0,
    ) -> None:
        _, label = np.unique(np.asarray(labels), return_inverse=True)
        self._of = [np.flatnonzero(label == i) for i in range(label.max(initial=-1) + 1)]
        if len(self._of) < 2:
            raise UnusablePhotos(
                f"learning compares individuals, and here {len(self._of)} is given: "
                "give photos of at least two"
            )
        if max(map(len, self._of)) < 2:
            raise UnusablePhotos(
                "no individual has two photos, so nothing shows what stays the same: "
                "give at least two photos of some individuals"
            )
        if not 2 <= individuals <= len(self._of):
            raise ValueError(
                f"individuals={individuals} a batch: give from 2 to the {len(self._of)} there are"
            )
        if photos < 2:
            raise ValueError(f"photos={photos} each: a positive pair needs at least 2")
        self.individuals = individuals
        self.photos = photos
        self.seed = seed
        self.epoch = 0
        handfuls = [-(-len(of) // photos) for of in self._of]
        self._batches = max(-(-sum(handfuls) // individuals), max(handfuls))

    def __len__(self) -> int:
        """Batches an epoch."""
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        """The next epoch's batches."""
        rng = np.random.default_rng((self.seed, self.epoch))
        self.epoch += 1
        # Dealt round and round the batches, an individual's handfuls, which are never more than
        # there are batches, fall into different ones (McNaughton's wrap-around rule).
        batches: list[dict[int, np.ndarray]] = [{} for _ in range(self._batches)]
        turn = 0
        for who in rng.permutation(len(self._of)):
            for handful in self._handfuls(who, rng):
                batches[turn % self._batches][who] = handful
                turn += 1
        for at in rng.permutation(self._batches):
            batch = batches[at]
            if lacking := self.individuals - len(batch):
                others = np.setdiff1d(np.arange(len(self._of)), list(batch))
                for who in rng.choice(others, lacking, replace=False):
                    batch[who] = self._draw(who, self.photos, rng)
            yield [int(i) for handful in batch.values() for i in handful]

    def _handfuls(self, who: int, rng: np.random.Generator) -> list[np.ndarray]:
        photos = rng.permutation(self._of[who])
        if rest := -len(photos) % self.photos:
            used = photos[len(photos) - (self.photos - rest) :]
            photos = np.concatenate([photos, self._draw(who, rest, rng, but=used)])
        return list(photos.reshape(-1, self.photos))

    def _draw(
        self, who: int, n: int, rng: np.random.Generator, but: Sequence[int] | np.ndarray = ()
    ) -> np.ndarray:
        """`n` photos of one individual: those not in `but` first, then all round and round."""
        photos = [rng.permutation(np.setdiff1d(self._of[who], but))]
        while sum(map(len, photos)) < n:
            photos.append(rng.permutation(self._of[who]))
        return np.concatenate(photos)[:n]
