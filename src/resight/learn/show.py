"""Pictures of batches and of results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from resight.learn.data import PhotoSet

# Blue and orange of Okabe and Ito's palette, told apart by every kind of colour vision; wrong
# ones are crossed too.
RIGHT, WRONG = "#0072B2", "#D55E00"


def batch_figure(
    pixels: Tensor,
    labels: Tensor,
    names: tuple[str, ...],
    individuals: int = 8,
    photos: int = 8,
    path: str | Path | None = None,
) -> Figure:
    """A training batch, a row an individual.

    Args:
        pixels: (B, C, H, W), uint8 or floats in [0, 1].
        labels: (B,) integers; those beyond `names` are virtual individuals.
        names: of the individuals.
        individuals, photos: rows and columns at most.
        path: also write it there.
    """
    rows = labels.unique()
    # Some of each kind: virtual individuals have the larger labels.
    rows = rows[torch.linspace(0, len(rows) - 1, min(individuals, len(rows))).long()]
    groups = [torch.nonzero(labels == row)[:photos, 0] for row in rows]
    # As many columns as most rows fill: a real individual may have more photos than virtual ones.
    columns = sorted(map(len, groups))[len(groups) // 2]
    groups = [group[:columns] for group in groups]
    figure, axes = _grid(len(rows), columns)
    for row, (label, group) in enumerate(zip(rows.tolist(), groups, strict=True)):
        for column, at in enumerate(group.tolist()):
            _show(axes[row][column], pixels[at])
        name = names[label] if label < len(names) else "virtual"
        axes[row][0].set_title(_short(name), fontsize=8, loc="left")
    return _done(figure, path)


def results_figure(
    photos: PhotoSet,
    embeddings: Tensor,
    queries: int = 6,
    nearest: int = 6,
    seed: int = 0,
    path: str | Path | None = None,
) -> Figure:
    """Queries and the photos nearest to each, framed if right, framed and crossed if wrong.

    Args:
        photos: the n photos.
        embeddings: (n, d) unit vectors.
        queries, nearest: rows, and neighbours a row.
        seed: of the choice of queries.
        path: also write it there.
    """
    n = len(photos)
    chosen = np.random.default_rng(seed).choice(n, min(queries, n), replace=False)
    similarity = embeddings[chosen] @ embeddings.T
    similarity[torch.arange(len(chosen)), chosen] = -2  # not itself
    best = similarity.topk(min(nearest, n - 1), dim=1)
    figure, axes = _grid(len(chosen), 1 + best.indices.shape[1])
    for row, query in enumerate(chosen):
        label = int(photos.labels[query])
        _show(axes[row][0], photos.pixels[query])
        axes[row][0].set_title(f"{_short(photos.names[label])}?", fontsize=8)
        for column, (at, cosine) in enumerate(
            zip(best.indices[row].tolist(), best.values[row].tolist(), strict=True), start=1
        ):
            axis = axes[row][column]
            right = int(photos.labels[at]) == label
            _show(axis, photos.pixels[at])
            axis.set_title(
                f"{_short(photos.names[int(photos.labels[at])])} {1 - cosine:.2f}", fontsize=7
            )
            _frame(axis, right)
    return _done(figure, path)


def _grid(rows: int, columns: int) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * 0.9 + 0.2, rows * 1.15 + 0.2), dpi=120)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    return figure, axes


def _show(axis: Any, pixels: Tensor) -> None:
    picture = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels
    image = picture.clamp(0, 1).permute(1, 2, 0).numpy()
    if image.shape[2] == 1:
        axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    else:
        axis.imshow(image)


def _frame(axis: Any, right: bool) -> None:
    axis.axis("on")
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set(color=RIGHT if right else WRONG, linewidth=2.5)
    if not right:
        axis.plot([0, 1], [0, 1], transform=axis.transAxes, color=WRONG, linewidth=1.5)


def _short(name: str, longest: int = 14) -> str:
    from resight.evaluate.drawing import shortened

    return shortened(name, longest)


def _done(figure: Figure, path: str | Path | None) -> Figure:
    figure.tight_layout(pad=0.3, h_pad=0.6)
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
    return figure
