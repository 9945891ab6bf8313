"""`resight compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resight.commands.common import AsJson, check_output, known_photos
from resight.errors import ResightError
from resight.words import counted

if TYPE_CHECKING:
    from resight.compare import Keypoints, Match
    from resight.photos.decode import Pixels

# Of pairs of different whales and cows, one in a hundred had more agreeing places than this.
STRANGERS = 9


def compare(
    first: Annotated[
        str, typer.Argument(metavar="PHOTO_A", help="A photo; FILE@left,top,right,bottom a part.")
    ],
    second: Annotated[str, typer.Argument(metavar="PHOTO_B", help="Another one.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE.png", help="Draw both, with a line for each agreeing place."),
    ] = None,
    learned: Annotated[
        Path | None,
        typer.Option(
            metavar="WEIGHTS",
            help="Look with ALIKED and LightGlue instead of RootSIFT: the folder with their files, "
            "aliked-n16.pth and aliked_lightglue.pth. Takes torch and kornia.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look closely at two photos: which places are on both.

    Spots, scars and edges of one photo are looked for on the other; those that are found again in
    the same arrangement agree. It takes no model and no catalogue. The animal should fill the
    photo, or a part of it be given: what lies behind it agrees, too, where it is the same.

    \b
    Examples:
      resight compare luna-2019.jpg who-is-this.jpg --out match.png
      resight compare herd.jpg@410,80,900,520 luna-2019.jpg
    """
    if out is not None:
        check_output(out, ".png")
    from resight.compare import draw_match

    names, images = [first, second], [_read(first), _read(second)]
    if out is not None and any(_same_file(out, name) for name in names):
        raise ResightError(f"{out}: is one of the photos; give the picture another name")
    points, found = _look(images, learned)
    if out is not None:
        draw_match(images[0], images[1], points[0], points[1], found, path=out)
    if as_json:
        told = {
            "photos": names,
            "places": [len(one) for one in points],
            "matching": len(found.pairs),
            "agreeing": found.inliers,
            "score": found.score,
            "transform": None if found.transform is None else found.transform.tolist(),
            "picture": None if out is None else str(out),
        }
        typer.echo(json.dumps(told, indent=2))
        return
    for name, one in zip(names, points, strict=True):
        typer.echo(f"{name}: {counted(len(one), 'place')} that can be found again")
    typer.echo(f"{_in_words(found)} (score {found.score:.1f}).")
    if not all(map(len, points)):
        typer.echo("A photo without such places is blank, blurred or very small.")
    elif learned is None:
        typer.echo(_verdict(found.inliers))
    if out is not None:
        typer.echo(f"Wrote {out}")


def _look(images: list[Pixels], learned: Path | None) -> tuple[tuple[Keypoints, Keypoints], Match]:
    """The keypoints of two photos, and what they have in common."""
    if learned is not None:
        from resight.compare.learned import LearnedKeypoints

        by = LearnedKeypoints.load(learned)
        one, other = by.find(images[0]), by.find(images[1])
        return (one, other), by.match(one, other)
    from resight.compare import CLOSE, find_keypoints, match

    # As they lie, and turned: the first tells more where both are the same way up.
    tries = []
    for upright in (True, False):
        one, other = (find_keypoints(image, upright=upright) for image in images)
        found = match(one, other, ratio=CLOSE.ratio, tolerance=CLOSE.tolerance)
        tries.append(((one, other), found))
    return max(tries, key=lambda tried: tried[1].score)


def _in_words(found: Match) -> str:
    matching, agreeing = len(found.pairs), found.inliers
    if not matching:
        return "Nothing of one is found again on the other"
    pairs = f"{counted(matching, 'place')} {'is' if matching == 1 else 'are'} alike on both"
    if not agreeing:
        return f"{pairs}, but in no common arrangement"
    return f"{pairs}, and {agreeing:,} of them agree: one arrangement of them fits both photos"


def _verdict(agreeing: int) -> str:
    often = (
        f"Of photos of different animals, one pair in a hundred had more than {STRANGERS} agreeing "
        "places where this was measured"
    )
    if agreeing > STRANGERS:
        return f"{often}: this is more than chance. Look at the lines: are they on the animal?"
    return f"{often}: so few say nothing, neither that it is the same animal nor that it is not."


def _read(name: str) -> Pixels:
    from resight.photos.decode import read_image
    from resight.photos.photo import Photo

    (ref,) = known_photos([name])
    if isinstance(ref, Photo):
        return read_image(ref.path, channels=3, box=ref.box)
    return read_image(ref, channels=3)


def _same_file(out: Path, name: str) -> bool:
    (ref,) = known_photos([name])
    path = Path(ref) if isinstance(ref, str) else ref.path
    return out.exists() and path.exists() and out.samefile(path)
