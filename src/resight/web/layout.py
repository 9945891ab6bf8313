"""Where each photo lies on the map: at once by the plane, then by t-SNE, kept beside the catalogue.

A map is laid out for a set of photos and stays as it is while they are named, merged and split;
what comes in is placed beside what it is like, until it is so much that a new map is due.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.catalogue.prints import Prints
from resight.evaluate.doubts import Near, nearest_few
from resight.evaluate.map import Map, beside
from resight.web.desk import Desk
from resight.web.jobs import Job

MOST = 20_000  # photos that are drawn
NEW = 0.1  # share of a map's photos that may have come or gone since
_VERSION = 1  # of what is kept
_laying = threading.Lock()


@dataclass(frozen=True, eq=False)
class Layout:
    """A map.

    Attributes:
        photos: int64 (n,), their numbers, ascending.
        positions: float32 (n, 2), within -1 to 1, y upwards.
        way: "plane" or "t-SNE".
        near: of the photos, or None while that is not known yet.
    """

    photos: NDArray[np.int64]
    positions: NDArray[np.float32]
    way: str
    near: Near | None = None


def layout(desk: Desk, prints: Prints) -> tuple[Layout, Job | None]:
    """The map of these photos as far as there is one, and the work that makes a better one."""
    with _laying:
        kept = kept_layout(desk, prints)
        if kept is None and not len(prints):
            return Layout(prints.photos, np.empty((0, 2), np.float32), "plane"), None
        if kept is None:
            kept = Layout(prints.photos, _scaled(Map.flat(prints.vectors)), "plane")
            desk.memory["layout"] = (prints.model, kept)
        there = np.isin(prints.photos, kept.photos, assume_unique=True)
        gone = len(kept.photos) - int(there.sum())
        old = (~there).sum() + gone > max(NEW * len(kept.photos), 20)
        jobs = desk.jobs
        job = jobs.get("map")
        if (kept.way == "plane" or old) and (job is None or job.done) and not _failed(job, prints):
            job = jobs.start("map", "Looking for each photo's neighbours", _work(desk, prints))
        known = desk.memory.get("layout now")
        if known is None or known[0] is not kept or known[1] != _key(prints):
            known = (kept, _key(prints), _of_now(kept, prints, there))
            desk.memory["layout now"] = known
    now: Layout = known[2]
    return now, job


def kept_layout(desk: Desk, prints: Prints) -> Layout | None:
    """The map by the model in use, finished or not, of the photos that it was made for."""
    known: tuple[str, Layout] | None = desk.memory.get("layout")
    if known is not None and known[0] == prints.model:
        return known[1]
    kept = _read(_file(desk, prints.model), prints)
    if kept is not None:
        desk.memory["layout"] = (prints.model, kept)
    return kept


def _failed(job: Job | None, prints: Prints) -> bool:
    """Whether the same work has failed already: it would again."""
    return job is not None and job.error is not None and job.result == _key(prints)


def _of_now(kept: Layout, prints: Prints, there: NDArray[np.bool_]) -> Layout:
    """A map with those that have come since, and without those that have gone."""
    if there.all() and len(kept.photos) == len(prints):
        return kept
    positions = np.empty((len(prints), 2), np.float32)
    at = np.searchsorted(kept.photos, prints.photos[there])
    positions[there] = kept.positions[at]
    if not there.all():
        if there.any():
            positions[~there] = beside(prints.take(~there), prints.take(there), kept.positions[at])
        else:
            positions = _scaled(Map.flat(prints.vectors))
    return Layout(prints.photos, positions, kept.way)


def _work(desk: Desk, prints: Prints) -> Any:
    def lay_out(job: Job) -> str:
        job.result = _key(prints)  # known also where it fails
        few = f"{len(prints):,} photos"
        near = nearest_few(
            prints.vectors,
            progress=lambda share: job.tell("Looking for each photo's neighbours", share),
        )

        def told(share: float, positions: NDArray[np.float64]) -> bool:
            made = Layout(prints.photos, _scaled(positions), "plane", near)
            desk.memory["layout"] = (prints.model, made)
            job.tell(f"Laying out {few}", share, news=True)
            return False

        positions = _scaled(Map.fit(prints.vectors, progress=told).positions)
        made = Layout(prints.photos, positions, "t-SNE", near)
        desk.memory["layout"] = (prints.model, made)
        _write(_file(desk, prints.model), prints.model, made)
        job.tell(f"Laid out {few}", 1.0)
        return _key(prints)

    return lay_out


def _scaled(positions: NDArray[Any]) -> NDArray[np.float32]:
    """Within -1 to 1 both ways, in proportion, but for a few that are far from all others."""
    if not len(positions):
        return np.empty((0, 2), np.float32)
    low, high = np.quantile(positions, (0.001, 0.999), axis=0)
    reach = max(float((high - low).max()) / 2, 1e-12)
    return np.clip((positions - (low + high) / 2) / reach, -1.2, 1.2).astype(np.float32)


def _key(prints: Prints) -> str:
    return hashlib.sha256(prints.model.encode() + prints.photos.tobytes()).hexdigest()


def _file(desk: Desk, model: str) -> Path:
    return desk.pictures.folder / "map" / f"{model[:16]}-{MOST}.npz"


def _read(file: Path, prints: Prints) -> Layout | None:
    """A map that was kept, if there is one that may be read and that still fits."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            if int(kept["version"]) != _VERSION or str(kept["model"]) != prints.model:
                return None
            photos, positions = kept["photos"], kept["positions"]
            near = Near(kept["places"].astype(np.int64), kept["cosines"].astype(np.float32))
    except (OSError, ValueError, KeyError, EOFError):
        return None
    except Exception:  # zipfile's and zlib's own, on a damaged file
        return None
    fits = (
        positions.shape == (len(photos), 2)
        and near.places.shape == near.cosines.shape
        and len(near.places) == len(photos)
        and bool(np.isfinite(positions).all())
        and (not near.places.size or (near.places.min() >= 0 and near.places.max() < len(photos)))
        and bool((np.diff(photos) > 0).all())
    )
    if not fits:
        return None
    return Layout(photos.astype(np.int64), positions.astype(np.float32), "t-SNE", near)


def _write(file: Path, model: str, made: Layout) -> None:
    """Keep a map, whole or not at all; where that cannot be, it is made again next time."""
    assert made.near is not None
    part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as to:
            np.savez(
                to,
                version=_VERSION,
                model=model,
                photos=made.photos,
                positions=made.positions,
                places=made.near.places.astype(np.int32),
                cosines=made.near.cosines,
            )
        part.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
