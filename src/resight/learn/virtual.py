"""Virtual individuals: new classes made from the photos of a batch.

A network that has only seen ten digits learns ten directions, and whatever else it is shown falls
onto one of them. What it lacks is not photos but *individuals*. So they are made: a digit turned
or mirrored is a glyph of its own, and so are two digits laid over each other, each bent and placed
in a way that belongs to the new glyph; the handwriting of its photos stays that of real people.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from resight.learn import ranks
from resight.learn.augment import (
    Pen,
    Recentre,
    Warp,
    compose,
    random_affine,
    resample,
    smooth_field,
    turned,
)
from resight.learn.data import Augment, PhotoSet

TURNS = 8
HANDFUL = 3  # photos of a virtual individual in a batch
_MADE_UP = 30  # n real individuals share a batch with these, each as likely as any
_EACH = torch.arange(TURNS)
_MOST = 1 << 20  # more than anybody composes in a batch


@dataclass(frozen=True)
class VirtualIndividuals:
    """Turns most of a P×K batch into photos of individuals that do not exist.

    The photos of each individual in the batch are cut into handfuls of `photos`. Some handfuls
    stay what they are; some are turned or mirrored; the others each become a new glyph: every
    photo is laid over one of another handful. The labels of the real ones stay. A turned one has
    the label (turn · individuals + label), so two handfuls of the same turn are the same
    individual; a composed one has a label of its own.

    The placing and bending of a composed glyph's parts is the same for all its photos, which makes
    them one individual; on top, every photo's parts are put together a little differently, as no
    hand repeats itself.

    Attributes:
        turns: (individuals, 8) bool, which turn of which individual is somebody new, from
            `distinct_turns`: a 0 upside down is a 0, and a 6 upside down would be a 9.
        photos: K of the virtual individuals.
        real, turned: shares of the handfuls; the rest is composed.
        place: how the parts of a glyph are put, one draw a glyph.
        bend: elastic displacement of a glyph's parts, one draw a glyph, in half sides.
        hand: how the parts vary from photo to photo.
    """

    turns: Tensor
    photos: int = HANDFUL
    real: float = 0.25
    turned: float = 0.25
    place: Warp = field(
        default_factory=lambda: Warp(0, scale=0.2, stretch=0.15, slant=0.15, shift=0.25, bend=0)
    )
    bend: float = 0.3
    hand: Warp = field(
        default_factory=lambda: Warp(0.08, scale=0.08, stretch=0, slant=0.06, shift=0.05, bend=0)
    )

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Make a batch (B, C, H, W) with labels (B,) into one of as many photos or a few less.

        Each individual's photos that do not fill a handful are left out.
        """
        k, device = self.photos, pixels.device
        order = labels.argsort(stable=True)
        sizes = torch.unique_consecutive(labels[order], return_counts=True)[1]
        handfuls = torch.cat(
            [of[: len(of) // k * k] for of in order.split(sizes.tolist())]
        ).reshape(-1, k)
        count = len(handfuls)
        handfuls = handfuls[torch.randperm(count, generator=generator, device=device)]
        real, turn = round(count * self.real), round(count * self.turned)
        kept, to_turn, to_compose = handfuls.split([real, turn, count - real - turn])
        out_pixels = [pixels[kept.flatten()]]
        out_labels = [labels[kept.flatten()]]
        if len(to_turn):
            who = labels[to_turn[:, 0]]
            allowed = self.turns.to(device)[who].float()
            turns = torch.multinomial(allowed, 1, generator=generator)[:, 0]
            out_pixels.append(turned(pixels[to_turn.flatten()], turns.repeat_interleave(k)))
            out_labels.append((turns * len(self.turns) + who).repeat_interleave(k))
        if len(to_compose):
            partners = handfuls[torch.randperm(count, generator=generator, device=device)]
            parts = [to_compose, partners[: len(to_compose)]]
            drawn = [self._part(pixels[part.flatten()], generator) for part in parts]
            out_pixels.append(torch.maximum(*drawn))
            # Those that other processes compose at the same time are others.
            first = TURNS * len(self.turns) + ranks.rank() * _MOST
            fresh = torch.arange(first, first + len(to_compose), device=device)
            out_labels.append(fresh.repeat_interleave(k))
        return torch.cat(out_pixels), torch.cat(out_labels)

    def _part(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """One part of each composed glyph: (glyphs · photos, C, H, W)."""
        glyphs = len(pixels) // self.photos
        place = random_affine(glyphs, generator, self.place)
        angle = 2 * math.pi * torch.rand(glyphs, generator=generator, device=pixels.device)
        mirror = torch.rand(glyphs, generator=generator, device=pixels.device).round() * 2 - 1
        cos, sin = angle.cos(), angle.sin()
        # Any angle, mirrored or not, and 1.35 times smaller to leave room for the other part.
        turn = torch.stack(
            [torch.stack([cos * mirror, -sin], 1), torch.stack([sin * mirror, cos], 1)], 1
        )
        linear = 1.35 * turn @ place[:, :, :2]
        place = torch.cat([linear, place[:, :, 2:]], 2).repeat_interleave(self.photos, 0)
        matrix = compose(random_affine(len(pixels), generator, self.hand), place)
        bend = None
        if self.bend:
            bend = smooth_field(glyphs, pixels.shape[-2:], 3, generator, self.bend)
            bend = bend.repeat_interleave(self.photos, 0)
        return resample(pixels, matrix, bend)


@dataclass(frozen=True)
class Turned:
    """Shows some individuals of a batch turned or mirrored, each in one way.

    It gives a loss that compares the photos of a batch eight times as many individuals, and nobody
    needs to say what looks the same turned: a batch holds each individual in one way only, so none
    is taught to differ from itself (a 6 may still stand upside down beside a 9). The labels stay,
    so a loss that remembers, with a centre for each individual or earlier batches, would be
    taught that an individual is the same however it is turned.

    Attributes:
        share: of the individuals in a batch.
    """

    share: float = 0.5

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Turn all photos of some individuals in a batch (B, C, H, W), labels (B,)."""
        device = pixels.device
        who, place = labels.unique(return_inverse=True)
        square = pixels.shape[-2] == pixels.shape[-1]
        ways = torch.tensor([1, 2, 3, 4, 5, 6, 7] if square else [2, 4, 6], device=device)
        drawn = torch.rand(len(who), generator=generator, device=device)
        turns = ways[torch.randint(len(ways), (len(who),), generator=generator, device=device)]
        return turned(pixels, (turns * (drawn < self.share))[place]), labels


@dataclass(frozen=True)
class Mirrored:
    """Shows some individuals of a batch mirrored, as somebody else.

    A coat or a scar seen in a mirror is one that no animal here has, so it makes an individual of
    its own out of photos that are there: there are twice as many to tell apart, and individuals
    that training never saw are told apart better for it (docs/tried.md). Nobody is taught that
    a side and its mirror image are the same.

    `VirtualIndividuals` can mirror, too, but its labels leave gaps, where a loss with a centre for
    each individual would hold some that nobody has; and it leaves photos out.

    Attributes:
        individuals: how many there are; the mirrored `label` is `label + individuals`.
        share: of the individuals in a batch.
    """

    individuals: int
    share: float = 0.5

    def __call__(
        self, pixels: Tensor, labels: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Mirror all photos of some individuals in a batch (B, C, H, W), labels (B,)."""
        who, place = labels.unique(return_inverse=True)
        drawn = torch.rand(len(who), generator=generator, device=pixels.device)
        mirrored = (drawn < self.share)[place]
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
        return pixels, labels + self.individuals * mirrored


# Which digit under which turn reads as which: (digit, turn, the digit it reads as).
DIGITS_ALIKE = (
    *((digit, turn, digit) for digit in "018" for turn in (2, 4, 6)),
    ("6", 2, "9"),
    ("2", 2, "2"),  # like a Z
    ("5", 2, "5"),  # like an S
    ("2", 4, "5"),
    ("3", 6, "3"),  # top to bottom
)


def distinct_turns(
    names: Sequence[str], alike: Iterable[tuple[str, int, str]] = DIGITS_ALIKE
) -> Tensor:
    """Which turned or mirrored individuals are somebody new, one of each set that look the same.

    What looks alike is knowledge and has to be given: distances between pixels do not tell it (a 0
    lies farther from a 0 upside down than a 4 from a 9). What follows is worked out: where a 6
    turned by two quarters is a 9, a 6 turned by one is a 9 turned by three.

    Args:
        names: the individuals.
        alike: (name, turn, name it reads as); turns as in `turned`. Names not among `names` are
            passed over.

    Returns:
        (individuals, 8) bool. Where no turn of an individual is somebody new, its first column is
        True: it stays itself.
    """
    place = {name: i for i, name in enumerate(names)}
    # A turn is what it does to a picture of four different corners.
    corners = turned(torch.arange(4.0).reshape(1, 1, 2, 2).repeat(TURNS, 1, 1, 1), _EACH)
    known = {tuple(c.flatten().tolist()): t for t, c in enumerate(corners)}
    after = [
        [known[tuple(turned(c[None], torch.tensor([t])).flatten().tolist())] for c in corners]
        for t in range(TURNS)
    ]
    leader = {(who, turn): (who, turn) for turn in range(TURNS) for who in range(len(names))}

    def find(one: tuple[int, int]) -> tuple[int, int]:
        return one if leader[one] == one else find(leader[one])

    for name, turn, reads_as in alike:
        if name in place and reads_as in place:
            for more in range(TURNS):
                pair = (place[name], after[more][turn]), (place[reads_as], after[more][0])
                first, second = sorted(map(find, pair), key=lambda one: (one[1] > 0, one))
                leader[second] = first
    distinct = torch.zeros(len(names), TURNS, dtype=torch.bool)
    for who, turn in leader:
        distinct[who, turn] = turn > 0 and leader[who, turn] == (who, turn)
    distinct[:, 0] = ~distinct.any(1)
    return distinct


def glyph_augmentation(photos: PhotoSet, *, each: int = HANDFUL) -> list[Augment]:
    """The steps for drawings, light on dark: virtual individuals, another hand, another pen.

    Digits are turned as `DIGITS_ALIKE` allows, into others that stand beside them. Of other
    drawings nobody has said what looks the same turned, so half of the individuals of a batch are
    turned, each in one way (`Turned`); for more give `VirtualIndividuals` your `distinct_turns`.

    The more individuals there are, the fewer need to be made up: of ten digits three quarters of
    a batch are, of a hundred characters a quarter (docs/tried.md).
    """
    if set(photos.names) <= set("0123456789"):
        steps: list[Augment] = [VirtualIndividuals(distinct_turns(photos.names), photos=each)]
    else:
        many = len(photos.labels.unique())
        real = many / (many + _MADE_UP)
        none = distinct_turns(photos.names, ())
        steps = [Turned(), VirtualIndividuals(none, photos=each, real=real, turned=0)]
    return [*steps, Recentre(), Warp(), Pen()]
