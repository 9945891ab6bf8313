"""`resight train`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from resight.commands.common import check_output, needs_learning
from resight.errors import ResightError


def train(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="A folder with one folder per individual.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="MODEL", help="The model to write: NAME.onnx.")
    ],
    body: Annotated[
        str | None, typer.Option(help="The network's body: a name of timm or torchvision.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=16, max=1024, help="Pixels a side that the network sees.")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1 for grey, 3 for colour.")] = None,
    dim: Annotated[int, typer.Option(min=2, max=4096, help="Numbers in a fingerprint.")] = 128,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the photos.")] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Begin from published weights (a download).")
    ] = False,
    loss: Annotated[
        Literal["triplet", "soft-triplet", "supcon", "arcface"] | None,
        typer.Option(help="Default: what was measured to be best for photos like these."),
    ] = None,
    networks: Annotated[
        int, typer.Option(min=1, max=16, help="Train so many, and ask them together.")
    ] = 1,
    looks: Annotated[bool, typer.Option("--looks", help="Look five times at every photo.")] = False,
    valid_share: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of the photos kept back to measure.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume/--anew", help="Go on where a stopped training was.")
    ] = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a model that is there.")
    ] = False,
) -> None:
    """Learn a fingerprint from photos.

    The photos lie in one folder per individual. A training that was stopped goes on where it
    was when the same command is given again.

    What it reached is said at the end, of photos that were kept back (--valid-share): R@1, the
    share whose nearest photo shows the same individual, and mAP, how high all of them rank. Keep
    some individuals out of PHOTOS altogether, to calibrate with later: resight calibrate needs
    photos that the model was not trained on.

    --networks and --looks cost as many times the time, and hold better for individuals that
    were not there in training.

    Needs the train extra: pip install 'resight[train]'.

    \b
    Examples:
      resight train photos/ --out whales.onnx
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
    # Whatever is wrong with the photos is said at once, not after torch has been imported.
    from resight.photos import check_trainable, photos_by_individual

    found = photos_by_individual(photos, min_individuals=2)
    try:
        check_trainable(found)
    except ResightError as error:
        raise type(error)(f"{photos}: {error}") from None
    from resight.learn.train import train_folder

    card = train_folder(
        photos,
        out,
        body=body,
        size=size,
        channels=channels,
        dim=dim,
        epochs=epochs,
        pretrained=pretrained,
        loss=loss,
        networks=networks,
        looks=looks,
        valid_share=valid_share,
        seed=seed,
        resume=resume,
    )
    reached = ", ".join(f"{name} {value:.3g}" for name, value in card.metrics.items())
    typer.echo(f"Wrote {out}" + (f" ({reached})" if reached else ""))
    if "R@1" in card.metrics:
        typer.echo(
            "R@1: of the photos kept back, the share whose nearest photo shows the same "
            "individual. mAP: how high all photos of the same individual rank; 1 is first of all."
        )
    counts = Counter(photo.individual for photo in found).values()
    if at_chance(card.metrics.get("R@1"), max(counts) / sum(counts)):
        typer.echo(
            f"Warning: R@1 {card.metrics['R@1']:.3g} is little better than chance (always naming "
            f"the commonest individual is right in {max(counts) / sum(counts):.3g}): this model "
            "hardly tells them apart. Try more photos of each, more --epochs, --pretrained, or "
            "another --body and --size.",
            err=True,
        )


def at_chance(recall: float | None, commonest: float) -> bool:
    """Whether R@1 does not clear the share of the commonest individual by a tenth of the rest."""
    return recall is not None and recall < commonest + 0.1 * (1 - commonest)
