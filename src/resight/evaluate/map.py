"""The map: fingerprints laid out in the plane by t-SNE, so that like photos lie together.

Distances within a heap of points mean something, distances between heaps little, and axes
nothing (van der Maaten and Hinton, "Visualizing Data using t-SNE", 2008). It is a picture to look
at; decisions are made on the fingerprints.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError
from resight.evaluate.drawing import draw_map
from resight.evaluate.ranking import Floats, similarity_blocks, unit_vectors

__all__ = ["Map", "draw_map"]

_FEWEST = 5  # photos that t-SNE needs; fewer are laid out by their two main directions
_EXACT_UP_TO = 20_000  # photos; above, the neighbours are searched for approximately
_STEPS = (250, 500)  # of t-SNE, the first with its neighbours drawn together
_TOLD = 25  # steps between two words on how far it is

# Told how far a map is, 0 to 1, and where its photos lie by now, float64 (n, 2); True stops it.
Progress = Callable[[float, NDArray[np.float64]], bool]


class Map:
    """A t-SNE map that new photos can be placed into.

    Attributes:
        positions: float64 (n, 2), one place for each fitted fingerprint.
    """

    def __init__(self, positions: NDArray[np.float64], vectors: Floats) -> None:
        self.positions = positions
        self._vectors = vectors

    @classmethod
    def fit(
        cls,
        vectors: Floats,
        *,
        seed: int = 0,
        perplexity: float = 30,
        progress: Progress | None = None,
    ) -> "Map":
        """Lay out fingerprints; the same ones with the same seed give the same map.

        Args:
            vectors: fingerprints, float32 (n, d). On unit vectors Euclidean distance orders
                photos as the cosine does, so that is what t-SNE is given.
            seed: of the random numbers.
            perplexity: how many neighbours a photo minds, roughly; made smaller for small sets
                (at most a third of the others).
            progress: see `Progress`; told the plane of `flat` first.

        Raises:
            ResightError: fingerprints that are not finite, or a perplexity under 1.
        """
        vectors = unit_vectors(vectors, "map")
        if not perplexity >= 1:
            raise ResightError(f"perplexity must be 1 or more, got {perplexity}")
        n = len(vectors)
        start = _by_main_directions(vectors)
        if n < _FEWEST or (progress is not None and progress(0.0, start)):
            return cls(start, vectors)

        from openTSNE import TSNE

        done = 0

        def step(_: int, __: float, positions: Any) -> bool:
            nonlocal done
            done += _TOLD
            return progress is not None and progress(
                min(done / sum(_STEPS), 1.0), np.array(positions, np.float64)
            )

        # Equal photos start a hair apart, else nothing would ever part them.
        start = start / max(float(start[:, 0].std()), 1e-12) * 1e-4
        start += np.random.default_rng(seed).normal(0, 1e-6, start.shape)
        tsne = TSNE(
            perplexity=min(perplexity, (n - 1) / 3),
            metric="euclidean",
            neighbors="exact" if n <= _EXACT_UP_TO else "auto",
            initialization=start,
            n_jobs=1 if n <= 2000 else 2,  # small sets gain nothing from threads
            random_state=seed,
            early_exaggeration_iter=_STEPS[0],
            n_iter=_STEPS[1],
            callbacks=None if progress is None else [step],
            callbacks_every_iters=_TOLD,
        )
        embedding = tsne.fit(vectors)
        return cls(np.array(embedding, np.float64), vectors)

    @staticmethod
    def flat(vectors: Floats) -> NDArray[np.float64]:
        """Lay out fingerprints by their two main directions alone, at once: float64 (n, 2)."""
        return _by_main_directions(unit_vectors(vectors, "map"))

    def place(self, vectors: Floats) -> NDArray[np.float64]:
        """Place further fingerprints into the map as it stands (`beside`).

        Args:
            vectors: float32 (m, d).

        Returns:
            float64 (m, 2).

        Raises:
            ResightError: fingerprints that are not finite, or of another model.
        """
        if np.ndim(vectors) == 2 and len(vectors) == 0:
            return np.empty((0, 2))
        vectors = unit_vectors(vectors, "map")
        width = self._vectors.shape[1]
        if vectors.shape[1] != width:
            raise ResightError(
                f"the map was made of fingerprints of {width} numbers, these have "
                f"{vectors.shape[1]}: they come from different models"
            )
        return beside(vectors, self._vectors, self.positions)


def beside(
    vectors: Floats, others: Floats, positions: NDArray[Any], *, k: int = 8
) -> NDArray[np.float64]:
    """Place fingerprints into a finished map, each between those that it is most like.

    The mean of the k nearest ones' places, weighted by exp(-(d - d1) / s): d their distance, d1
    that of the nearest, s an eighth of d1, so that seven others a third farther away weigh less
    than the nearest alone. So it lies on the one that it is much more like than all others, and
    among those that it is as unlike as all others.

    Args:
        vectors: float32 (m, d), of length 1.
        others: float32 (n, d), of length 1, n at least 1: those that are on the map.
        positions: (n, 2), their places.
        k: how many to go by.

    Returns:
        float64 (m, 2).
    """
    k = min(k, len(others))
    positions = np.asarray(positions, np.float64)
    placed = np.empty((len(vectors), 2))
    for part, cosines in similarity_blocks(vectors, others):
        near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        distance = np.maximum(1 - np.take_along_axis(cosines, near, axis=1).astype(np.float64), 0)
        first = distance.min(axis=1, keepdims=True)
        weights = np.exp(-(distance - first) / np.maximum(first / 8, 1e-3))
        weights /= weights.sum(axis=1, keepdims=True)
        placed[part] = np.einsum("mk,mkd->md", weights, positions[near])
    return placed


def _by_main_directions(vectors: Floats) -> NDArray[np.float64]:
    """Places (n, 2) of fingerprints in the plane of their two main directions."""
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1]
    if axes.shape[1] < 2:
        axes = np.pad(axes, ((0, 0), (0, 1)))
    # A direction's sign is arbitrary: let its largest part be positive.
    signs = np.sign(np.take_along_axis(axes, np.abs(axes).argmax(0)[None], 0))
    return np.asarray(centred @ (axes * np.where(signs == 0, 1, signs)), np.float64)
