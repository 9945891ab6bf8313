"""`resight fingerprint`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from resight.commands.common import check_output, one_line, report, wants_bar
from resight.errors import ResightError
from resight.words import counted

_TOLD = 20


def fingerprint(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model that resight train wrote.")
    ],
    photos: Annotated[
        list[str],
        typer.Argument(metavar="PHOTO", help="Photos, or folders of them; for .parquet also URLs."),
    ],
    out: Annotated[
        str,
        typer.Option("--out", metavar="F", help="What to write: F.npz, or a table F.parquet."),
    ],
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Do it on a Ray cluster: its HOST:PORT, auto, or local to start one here.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="With --ray, how many processes. Default: one a processor."),
    ] = None,
) -> None:
    """Write photos' fingerprints into a file, or a table.

    F.npz is a file for numpy and holds two arrays: `paths` (n,), and `vectors` (n, dim), float32
    and of length 1.

    F.parquet is for many photos: a folder of Parquet files, read as one table by pandas, DuckDB
    and others, with a row a photo: path, version, content (the SHA-256 of its bytes), vector, and
    error, which says why a photo has no fingerprint. The same command again goes on where it was
    stopped, and does nothing where nothing is new. Photos and the table may lie in object stores,
    as s3://bucket/photos.

    --ray does it on as many machines as a Ray cluster has, for millions of photos; see
    docs/several-machines.md. It needs: pip install 'resight[ray]'.

    \b
    Examples:
      resight fingerprint whales.onnx photos/ --out whales.npz
      resight fingerprint whales.onnx photos/ --out whales.parquet
      resight fingerprint whales.onnx s3://herd/photos --out s3://herd/whales.parquet --ray auto
    """
    kind = Path(out).suffix.lower()
    if kind == ".parquet":
        _table(model, photos, out, ray, workers)
    elif ray is not None or workers is not None:
        raise ResightError(f"{out}: --ray and --workers are for tables; end it in .parquet")
    elif kind == ".npz":
        _file(model, photos, Path(out))
    else:
        raise ResightError(f"{out}: is no name for what is written; end it in .npz or .parquet")


def _table(model: Path, photos: list[str], out: str, ray: str | None, workers: int | None) -> None:
    if workers is not None and ray is None:
        raise ResightError("--workers is for --ray; without it all processors are used anyway")
    if "://" not in out:
        place = Path(out)
        if place.exists() and not place.is_dir():
            raise ResightError(f"{out}: is a file, and the table is a folder; give another name")
        if not place.is_dir():
            check_output(place, ".parquet")
    from resight.fingerprint.fill import fill_table

    filled = fill_table(model, photos, out, ray=ray, workers=workers, progress=sys.stderr.isatty())
    held = filled.held
    for path, error in held.errors[:_TOLD]:
        typer.echo(f"Passed over {one_line(f'{path}: {error}')}", err=True)
    if (more := held.unreadable - len(held.errors[:_TOLD])) > 0:
        typer.echo(f"Passed over {more:,} more; the column error has all", err=True)
    if not held.fingerprints:
        raise ResightError(f"not one of {held.unreadable:,} photos can be read; {out} says why")
    again = f" ({filled.known:,} of them known by their bytes)" if filled.known else ""
    typer.echo(
        f"Wrote {out}: {counted(held.fingerprints, 'fingerprint')}; "
        f"{counted(filled.photos, 'photo')} read in this run{again}"
    )


def _file(model: Path, photos: list[str], out: Path) -> None:
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
