"""`resight train`."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from resight.commands.common import check_output, needs_learning
from resight.commands.photos_options import (
    Boxes,
    Columns,
    PhotosPlace,
    ProblemsFile,
    Root,
    SkipBad,
    gathered,
)
from resight.errors import ResightError
from resight.learn.ranks import rank
from resight.licences import caution, in_words
from resight.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resight.photos.photo import Photo


def train(
    photos: PhotosPlace,
    out: Annotated[
        Path, typer.Option("--out", metavar="MODEL", help="The model to write: NAME.onnx.")
    ],
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="How long it may take: 20m, 1h30m. Photographs: 30m if not given."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Learn from photos to this day, none later."),
    ] = None,
    body: Annotated[
        str | None,
        typer.Option(
            help="The network's body: a name of timm's, NAME@FILE.safetensors, hf-hub:OWNER/NAME."
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="PIXELS",
            help="Pixels a side that the network sees, or HEIGHTxWIDTH: 16 to 1024.",
        ),
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for colour.")] = None,
    dim: Annotated[
        int | None, typer.Option(min=2, max=4096, help="Numbers in a fingerprint.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the photos.")] = None,
    pretrained: Annotated[
        bool | None,
        typer.Option(
            "--pretrained/--from-scratch",
            help="Begin from published weights, which may be a download. By default if they are "
            "here already, or --body names a hub's or a file.",
        ),
    ] = None,
    loss: Annotated[
        Literal["triplet", "soft-triplet", "supcon", "arcface"] | None,
        typer.Option(help="Default: what was measured to be best for photos like these."),
    ] = None,
    individuals: Annotated[
        int | None,
        typer.Option(min=2, help="How many a batch shows. Default: 16; of drawings up to 80."),
    ] = None,
    mirrored: Annotated[
        bool,
        typer.Option(
            "--mirrored/--not-mirrored",
            help="Photographs: show half of the individuals mirrored, as somebody else, and let "
            "fingerprints see both, in twice the time. Not where a mirror changes nothing that "
            "tells individuals apart: the outline of a fin.",
        ),
    ] = True,
    whitened: Annotated[
        bool,
        typer.Option(
            "--whitened/--not-whitened",
            help="Drawings, and photographs on a pretrained body: spread fingerprints over more "
            "directions where few individuals taught few, so that others are told apart better.",
        ),
    ] = True,
    networks: Annotated[
        int, typer.Option(min=1, max=16, help="Train so many, and ask them together.")
    ] = 1,
    looks: Annotated[bool, typer.Option("--looks", help="Look five times at every photo.")] = False,
    valid_share: Annotated[
        float | None,
        typer.Option(min=0, max=0.5, help="Share of the photos kept back to measure."),
    ] = None,
    hertz: Annotated[
        str | None,
        typer.Option(
            metavar="LOW-HIGH", help="Recordings: the frequencies to hear, by default 50-8000."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume/--anew", help="Go on where a stopped training was.")
    ] = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a model that is there.")
    ] = False,
    column: Columns = None,
    root: Root = None,
    boxes: Boxes = None,
    skip_bad: SkipBad = False,
    problems: ProblemsFile = None,
) -> None:
    """Learn a fingerprint from photos.

    The photos lie in one folder per individual, or a table names them. Where the table has a
    column split, only its training side (train, gallery, ...) is learned from; the other side is
    for resight evaluate. Every photo is opened before anything is learned, and whatever is wrong
    is said at once.

    A folder of recordings (WAV, FLAC, MP3, Ogg) is trained on as sound: see docs/sound.md.

    Photographs go on from a network that knows ImageNet, if the train extra is there; its size,
    and how often it sees each photo, follow from the photos and from --budget. A training that
    was stopped goes on where it was when the same command is given again.

    What it reached is said at the end, of photos that were kept back (--valid-share): R@1, the
    share whose nearest photo shows the same individual, and mAP, how high all of them rank. Keep
    some individuals out of PHOTOS altogether, to calibrate with later: resight calibrate needs
    photos that the model was not trained on.

    Several GPUs, or machines, train together under accelerate launch: see
    docs/several-machines.md.

    --networks and --looks cost as many times the time, and hold better for individuals that
    were not there in training.

    Needs the train extra: pip install 'resight[train]'.

    \b
    Examples:
      resight train photos/ --out whales.onnx
      resight train photos/ --out whales.onnx --budget 1h
      resight train calls/ --out calls.onnx --hertz 200-12000
      resight train whales.csv --column individual=whaleID --out whales.onnx
      resight train photos/ --out whales.onnx --body resnet18 --size 128 --epochs 20
    """
    needs_learning("train")
    if channels not in (None, 1, 3):
        raise ResightError(f"--channels is 1 (grey) or 3 (colour), not {channels}")
    check_output(out, ".onnx")
    if out.exists() and not replace:
        raise ResightError(
            f"{out}: is there already, and catalogues made with it need it; "
            "give another name, or --replace"
        )
    from resight.photos import check_trainable

    if budget is not None and epochs is not None:
        raise ResightError("--budget and --epochs both say how long; give one of them")
    sides = None if size is None else _sides(size)
    # Whatever is wrong with the photos is said at once, not after torch has been imported.
    with _told_by_first():
        taken = gathered(
            photos, column=column, root=root, boxes=boxes, skip_bad=skip_bad, problems=problems
        )
        found = to_learn_from(taken.photos, until)
    try:
        check_trainable(found)
    except ResightError as error:
        raise type(error)(f"{photos}: {error}") from None
    from resight.learn.plan import seconds
    from resight.learn.together import end
    from resight.learn.train import train_photos

    with _told_by_first():
        card = train_photos(
            found,
            out,
            body=body,
            size=sides,
            channels=channels,
            dim=dim,
            epochs=epochs,
            budget=None if budget is None else seconds(budget),
            pretrained=pretrained,
            loss=loss,
            individuals=individuals,
            mirrored=mirrored,
            whitened=whitened,
            networks=networks,
            looks=looks,
            valid_share=valid_share,
            seed=seed,
            resume=resume,
            left_out=[str(problem) for problem in taken.left_out],
            hertz=frequencies(hertz),
        )
    end()
    if rank():
        return
    reached = ", ".join(f"{name} {value:.3g}" for name, value in card.metrics.items())
    typer.echo(f"Wrote {out}" + (f" ({reached})" if reached else ""))
    if "R@1" in card.metrics:
        typer.echo(
            "The photos kept back were asked among themselves, so with few of each to be found. "
            "R@1: the share whose nearest photo shows the same individual. mAP: how high all "
            "photos of the same individual rank; 1 is first of all."
        )
    if caution(card.licence):
        typer.echo(f"Licence of the weights that it began with: {in_words(card.licence)}.")
    counts = Counter(photo.individual for photo in found).values()
    if at_chance(card.metrics.get("R@1"), max(counts) / sum(counts)):
        typer.echo(
            f"Warning: R@1 {card.metrics['R@1']:.3g} is little better than chance (always naming "
            f"the commonest individual is right in {max(counts) / sum(counts):.3g}): this model "
            "hardly tells them apart. Try more photos of each, more --epochs, --pretrained, or "
            "another --body and --size.",
            err=True,
        )


def _sides(words: str) -> tuple[int, int]:
    """Height and width from "160" or "240x128"."""
    sides = [int(side) for side in words.lower().replace("×", "x").split("x") if side.isdecimal()]
    if len(sides) != words.lower().replace("×", "x").count("x") + 1 or len(sides) > 2:
        raise ResightError(f"--size is a number of pixels, or HEIGHTxWIDTH, not {words!r}")
    if not all(16 <= side <= 1024 for side in sides):
        raise ResightError(f"--size is 16 to 1024 pixels, not {words}")
    return sides[0], sides[-1]


@contextmanager
def _told_by_first() -> Iterator[None]:
    """Of several processes that train together the first tells how it goes; each its errors."""
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere) if rank() else nullcontext():  # noqa: PTH123
        yield


def frequencies(words: str | None) -> tuple[float, float] | None:
    """What --hertz says: the lowest and the highest."""
    if words is None:
        return None
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)-(\d{1,6}(?:\.\d+)?)", words.strip())
    if found is None:
        raise ResightError(f"--hertz is LOW-HIGH, such as 50-8000, not {words[:20]!r}")
    return float(found[1]), float(found[2])


def to_learn_from(photos: Sequence[Photo], until: datetime | None) -> list[Photo]:
    """The training side of photos that have sides, and those of days up to `until`."""
    found = list(photos)
    if any(photo.split for photo in found):
        from resight.photos.split import split_photos

        found = [found[place] for place in split_photos(found, "given").train]
    if until is not None:
        found = [p for p in found if p.date is not None and p.date.date() <= until.date()]
        if not found:
            raise ResightError(f"no photo has a date up to {until.date()}; look at their dates")
    if passed := len(photos) - len(found):
        typer.echo(f"{counted(passed, 'photo')} not learned from (split, --until)", err=True)
    return found


def at_chance(recall: float | None, commonest: float) -> bool:
    """Whether R@1 clears the share of the commonest individual neither threefold nor by a tenth.

    The tenth is of what is left to 1; among hundreds of individuals, three times is far already.
    """
    return recall is not None and recall < min(3 * commonest, commonest + 0.1 * (1 - commonest))
