"""Filling a table of fingerprints: on this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from resight.fingerprint.block import BlockWorker, Done
from resight.fingerprint.fingerprinter import Fingerprinter
from resight.fingerprint.folder import Folder, listed
from resight.fingerprint.model import load_model
from resight.fingerprint.table import Held, read_held, tidy
from resight.photos.stream import progress_bar

# What a kill costs at most, on each processor; and what a file of the table holds.
BLOCK = 512

Block = tuple[list[str], list[str]]  # paths and versions


@dataclass(frozen=True)
class Filled:
    """What a table holds after a run.

    Attributes:
        held: all of it.
        photos: how many were read in this run.
        known: how many of these had bytes that had been read before.
    """

    held: Held
    photos: int
    known: int


def fill_table(
    model: str | Path,
    places: list[str],
    out: str,
    *,
    ray: str | None = None,
    workers: int | None = None,
    block: int = BLOCK,
    threads: int | None = None,
    progress: bool = False,
) -> Filled:
    """Write the fingerprints of photos into a table (see `resight.fingerprint.table`).

    What the table holds already is not done again: a run that was stopped goes on with the same
    call, and new photos are added to those that are there. Photos that could not be had at all are
    tried again; those that are broken are not, until they change.

    Args:
        model: the model file.
        places: photos, and folders of them, on the disk or by URLs.
        out: the table's folder, or its URL.
        ray: the address of a Ray cluster ("auto", "HOST:PORT"), or "local" to start one here; None
            to do without.
        workers: processes on the cluster; as many as it has processors by default.
        block: photos in a file of the table, at most.
        threads: without Ray, as for `Fingerprinter`.
        progress: show a bar on stderr.

    Raises:
        UnusableModel, UnusablePhotos: see `Fingerprinter`, `listed`.
        ResightError: the table is another model's, or none; the cluster cannot be reached, or
            fails.
    """
    folder = Folder(out)
    opened = load_model(model, threads=threads)
    held = read_held(folder, opened.id)
    photos = known = 0
    with progress_bar("Fingerprinting", None) if progress else nullcontext() as advance:
        lacking = _lacking(places, held, block)
        finished: Iterator[Done]
        if ray is None:
            worker = BlockWorker(Fingerprinter(opened, threads=threads), held, held.next_run)
            finished = (worker(*some) for some in lacking)
        else:
            from resight.fingerprint.cluster import on_ray

            finished = on_ray(ray, Path(model), held, lacking, workers=workers, block=block)
        for done in finished:
            photos += done.photos
            known += done.known
            if advance:
                advance(done.photos)
    held = read_held(folder, opened.id)
    if held.stale:
        tidy(held)
        held = read_held(folder, opened.id)
    return Filled(held, photos, known)


def _lacking(places: list[str], held: Held, block: int) -> Iterator[Block]:
    """What is still to be done, in blocks; the listing is read as they are taken."""
    photos = listed(places)
    paths: list[str] = []
    versions: list[str] = []
    while some := list(islice(photos, 4096)):
        lacks = held.lacks([one.path for one in some], [one.version for one in some])
        for one, lacking in zip(some, lacks.tolist(), strict=True):
            if lacking:
                paths.append(one.path)
                versions.append(one.version)
                if len(paths) == block:
                    yield paths, versions
                    paths, versions = [], []
    if paths:
        yield paths, versions
