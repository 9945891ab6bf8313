"""Fingerprinting on a Ray cluster: blocks of photos to workers, each with the model in memory."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resight.errors import ResightError
from resight.fingerprint.block import Done
from resight.fingerprint.careful import CarefulWorker, forget_tries
from resight.fingerprint.fingerprinter import Fingerprinter
from resight.fingerprint.table import Held
from resight.photos.stream import usable_processors

LOCAL = "local"
_STORE = 512 << 20  # bytes of memory for the listing, on a Ray of our own; the rest goes to disk
_LEAST = 16
_STARTS = 3  # Ray gives itself half a minute, too little for a busy machine


def on_ray(
    address: str,
    model: Path,
    held: Held,
    lacking: Iterable[tuple[list[str], list[str]]],
    *,
    workers: int | None = None,
    block: int,
) -> Iterator[Done]:
    """Do blocks of photos on a cluster; what became of them, as they are finished.

    The vectors go from the worker into the table's folder, and never through this process. What a
    worker that dies was at is done by another (see `CarefulWorker`).

    Args:
        address: see `fill_table`.
        model: the model file; it is sent to the workers.
        held: what the table holds; it is sent to them too.
        lacking: paths and versions, in blocks.
        workers: how many processes; as many as the cluster has processors by default.
        block: photos in a block, at most. Few photos make smaller ones, that all have some.

    Raises:
        ResightError: Ray is not installed, is not there, or its workers fail.
    """
    with _connected(address) as ray:
        import pyarrow as pa

        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        names = ("path", "version")
        listing = [ray.put(pa.table(list(some), names=names)) for some in lacking]
        if not listing:
            return
        if len(listing) < 8 * count:
            photos = pa.concat_tables(ray.get(listing))
            size = min(block, max(_LEAST, -(-len(photos) // (8 * count))))
            listing = [ray.put(photos[at : at + size]) for at in range(0, len(photos), size)]
        shared = [ray.put(model.read_bytes()), ray.put(held)]
        done = ray.data.from_arrow_refs(listing).map_batches(
            _Worker,
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(count, len(listing))),
            num_cpus=1,
            fn_constructor_kwargs={"shared": shared, "run": held.next_run},
        )
        try:
            for row in done.iter_rows():
                yield Done(row["photos"], row["known"], row["worker"])
            forget_tries(held.folder)
        except ray.exceptions.RayError as error:
            raise ResightError(f"Ray at {address}: {_last_line(error)}") from None


class _Worker:
    """A process of the cluster."""

    def __init__(self, shared: list[Any], run: int) -> None:
        import ray

        model, held = ray.get(shared)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            file.write(model)
            file.flush()
            # One processor each, as Ray counts them.
            fingerprinter = Fingerprinter(file.name, threads=1)
        self.work = CarefulWorker(fingerprinter, held, run)

    def __call__(self, listing: Any) -> dict[str, list[int]]:
        done = self.work(listing["path"].to_pylist(), listing["version"].to_pylist())
        return {"photos": [done.photos], "known": [done.known], "worker": [done.worker]}


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, for as long as the block runs; one of our own is stopped after it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    try:
        import ray
        import ray.data
    except ImportError:
        raise ResightError(
            "--ray needs Ray, which is not installed; get it with: pip install 'resight[ray]'"
        ) from None
    if ray.is_initialized():  # by who calls us
        yield ray
        return
    _begin(ray, address)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        yield ray
    finally:
        ray.shutdown()


def _begin(ray: Any, address: str) -> None:
    own = address == LOCAL
    here: dict[str, Any] = {}
    if own:
        here = {"num_cpus": usable_processors(), "object_store_memory": _STORE}
        here |= {"include_dashboard": False}
    for left in reversed(range(_STARTS if own else 1)):
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR", **here)
            return
        except Exception as error:  # a plain one where it starts too slowly
            ray.shutdown()
            if not left:
                what = "cannot be started" if own else "cannot be reached"
                remedy = "try again" if own else "see that it runs, or give --ray local"
                words = f"Ray at {address}: {what} ({_last_line(error)}); {remedy}"
                raise ResightError(words) from None


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
