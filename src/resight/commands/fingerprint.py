"""`resight fingerprint`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import Photos, check_output, report, wants_bar


def fingerprint(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model that resight train wrote.")
    ],
    photos: Photos,
    out: Annotated[Path, typer.Option("--out", metavar="F.npz", help="The file to write.")],
) -> None:
    """Write photos' fingerprints into a file.

    The file is for numpy and holds two arrays: `paths` (n,), and `vectors` (n, dim), float32
    and of length 1.

    \b
    Example:
      resight fingerprint whales.onnx photos/ --out whales.npz
    """
    check_output(out, ".npz")
    from resight.photos import find_photos

    paths = find_photos(photos)
    from resight.fingerprint import Fingerprinter

    found = Fingerprinter(model)(paths, progress=wants_bar(len(paths)))
    if not len(found):
        from resight.catalogue.checks import none_readable

        raise none_readable(found.unreadable, len(paths))
    report(found.unreadable)
    import numpy as np

    names = np.array([str(paths[place]) for place in found.index])
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, paths=names, vectors=found.vectors)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    many = "1 fingerprint" if len(found) == 1 else f"{len(found):,} fingerprints"
    typer.echo(f"Wrote {out}: {many} of {found.vectors.shape[1]} numbers")
