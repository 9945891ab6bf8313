"""From a trained embedder to the one file that runs anywhere."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import resight
from resight.errors import ResightError
from resight.fingerprint.model import CARD_KEY, INPUT, OUTPUT, Card
from resight.learn.fold import settle_gains
from resight.learn.views import Network
from resight.photos.decode import Fit


def export_model(
    embedder: Network,
    path: str | Path,
    *,
    fit: Fit = "pad",
    fill: int = 0,
    training: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    licence: str = "",
    sound: dict[str, Any] | None = None,
) -> Card:
    """Write an embedder as one ONNX file with its card in the metadata.

    The graph takes uint8 (n, C, H, W) of any n and gives float32 (n, dim) unit vectors; the
    normalisation is inside. The file appears whole or not at all.

    Args:
        embedder: what was trained, or an `Ensemble`, `WithMirror` or `Views` of such; left as it
            was (its mode and device too).
        path: where to write, usually `NAME.onnx`.
        fit, fill: how photos of another shape are to be brought to `embedder.size`.
        training, metrics: what the card is to tell of them, as JSON values.
        licence: of the weights, where they did not start from nothing.
        sound: what is heard of recordings, as `Hearing.entry` gives it; None for photos.

    Returns:
        The card as written.

    Raises:
        ResightError: the file cannot be written, or the card would make no sense.
    """
    card = Card(
        size=embedder.size,
        channels=embedder.channels,
        dim=embedder.dim,
        fit=fit,
        fill=fill,
        body=embedder.name,
        training=training or {},
        metrics=metrics or {},
        licence=licence,
        sound=sound,
        version=resight.__version__,
    )
    Card.from_json(replace(card, content_hash="0" * 64).to_json())  # as a reader will check it
    graph = _graph(embedder)
    card = replace(card, content_hash=hashlib.sha256(graph.SerializeToString()).hexdigest())
    entry = graph.metadata_props.add()
    entry.key, entry.value = CARD_KEY, card.to_json()
    try:
        _write(Path(path), graph.SerializeToString())
    except OSError as error:
        raise ResightError(
            f"{path}: the model cannot be written here ({error.strerror or error}); "
            "make room, or choose another place"
        ) from error
    return card


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            part.chmod(0o644)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _graph(embedder: Network) -> Any:
    """The embedder as an ONNX graph (an `onnx.ModelProto`) that does not say where it was made."""
    import onnx

    # A copy, laid out in memory in one way: the graph shows it, and with it the hash.
    embedder = copy.deepcopy(embedder).cpu().eval().to(memory_format=torch.contiguous_format)
    settle_gains(embedder)
    sample = torch.zeros(2, embedder.channels, *embedder.size, dtype=torch.uint8)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            embedder,
            (sample,),
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            verbose=False,
        )
    assert program is not None
    graph: onnx.ModelProto = program.model_proto
    # Node by node, the exporter writes the lines of source that made it: paths of this machine,
    # which would also make the hash differ from one machine to the next.
    for node in graph.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.value_info, *graph.graph.input, *graph.graph.output):
        del value.metadata_props[:]
    for tensor in graph.graph.initializer:
        del tensor.metadata_props[:]
    del graph.metadata_props[:]
    del graph.graph.metadata_props[:]
    onnx.checker.check_model(graph)
    return graph


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells its progress to whoever listens; a caller has no use for it."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
