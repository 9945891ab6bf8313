"""The questions that are put to fingerprints, each as one call that returns its figures.

- `closed_set`: every query's individual is in the gallery.
- `unseen_individuals`: the same, among individuals that training never saw (`split_individuals`
  makes such a split).
- `open_set`: known and new individuals ask, and the answer may be "new".
- `n_way_k_shot`: a few individuals with a few photos each, drawn again and again.
- `one_enrolled`: one photo of somebody new is enrolled beside many others; is it found again?

Similarity is the cosine. Ties are pessimistic everywhere: equally similar is not yet found.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError
from resight.evaluate.few_shot import FewShot, OneEnrolled, n_way_k_shot, one_enrolled
from resight.evaluate.metrics import Retrieval, retrieval
from resight.evaluate.nearest import mark, nearest
from resight.evaluate.open_set import OpenSet, open_set_figures
from resight.evaluate.ranking import (
    Floats,
    Ints,
    Labels,
    encode,
    listed,
    same_width,
    similarity_blocks,
    unit_vectors,
)

__all__ = [
    "FewShot",
    "OneEnrolled",
    "OpenSet",
    "Retrieval",
    "closed_set",
    "n_way_k_shot",
    "nearest_photos",
    "one_enrolled",
    "open_set",
    "split_individuals",
    "unseen_individuals",
]


def closed_set(
    queries: Floats,
    query_labels: Labels,
    gallery: Floats | None = None,
    gallery_labels: Labels | None = None,
    **options: Any,
) -> Retrieval:
    """Measure retrieval where everybody who asks is in the gallery.

    Without a gallery every photo asks all the others. Takes the options of
    `resight.evaluate.metrics.retrieval`.

    Raises:
        ResightError: a query's individual is not in the gallery (that is an open set).
    """
    if gallery is not None and gallery_labels is not None:
        known = set(listed(gallery_labels))
        strangers = [label for label in listed(query_labels) if label not in known]
        if strangers:
            raise ResightError(
                f"{len(strangers)} queries are of individuals that the gallery lacks "
                f"(first: {strangers[0]!r}); measure them as an open set"
            )
    return retrieval(queries, query_labels, gallery, gallery_labels, **options)


def split_individuals(labels: Labels, share: float = 0.2, seed: int = 0) -> tuple[Ints, Ints]:
    """Split photos so that no individual is on both sides.

    Args:
        labels: (n,) individuals.
        share: of the individuals that go to the second side, at least one on each side.
        seed: of the draw.

    Returns:
        positions of the photos on the first side (to learn from) and on the second (to ask).
    """
    codes: dict[Hashable, int] = {}
    own = encode(labels, codes, len(labels), "photos")
    if len(codes) < 2:
        raise ResightError("a split by individual needs two individuals or more")
    if not 0 < share < 1:
        raise ResightError(f"the share of individuals must lie between 0 and 1, got {share}")
    away = min(max(1, round(share * len(codes))), len(codes) - 1)
    drawn = np.random.default_rng(seed).permutation(len(codes))[:away]
    second = np.isin(own, drawn)
    return np.flatnonzero(~second), np.flatnonzero(second)


def unseen_individuals(
    vectors: Floats,
    labels: Labels,
    seen: Sequence[Hashable] | set[Hashable] | NDArray[Any],
    *,
    groups: Labels | None = None,
    **options: Any,
) -> Retrieval:
    """Measure retrieval among the individuals that training never saw, leaving each photo out.

    Args:
        vectors: fingerprints, float32 (n, d).
        labels: (n,) individuals.
        seen: individuals that training saw; their photos are left out altogether.
        groups: (n,) encounters, see `resight.evaluate.metrics.retrieval`.
        **options: of `resight.evaluate.metrics.retrieval`.
    """
    names, trained = listed(labels), set(listed(seen))
    keep = [place for place, name in enumerate(names) if name not in trained]
    if not keep:
        raise ResightError("training saw every individual, so none is left to ask")
    encounters = None if groups is None else listed(groups)
    of_kept = None if encounters is None else [encounters[place] for place in keep]
    return retrieval(
        np.asarray(vectors)[keep], [names[place] for place in keep], query_groups=of_kept, **options
    )


def open_set(
    queries: Floats,
    query_labels: Labels,
    gallery: Floats,
    gallery_labels: Labels,
    *,
    threshold: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> OpenSet:
    """Measure the answer "known, and who" or "new" by each query's nearest photo in the gallery.

    Where a photo of another individual is as near as the query's own, the answer is the other.

    Args:
        queries, query_labels: fingerprints (q, d) and true individuals (q,).
        gallery, gallery_labels: fingerprints (g, d) and individuals (g,) of the catalogue.
        threshold: cosine similarity below which the answer is "new".
        resamples, seed: of the bootstrap.
    """
    queries, gallery = unit_vectors(queries, "queries"), unit_vectors(gallery, "gallery")
    codes: dict[Hashable, int] = {}
    of_gallery = encode(gallery_labels, codes, len(gallery), "gallery")
    own = encode(query_labels, codes, len(queries), "queries")
    same_width(queries, gallery)
    photos = mark(np.concatenate([queries, gallery]), np.concatenate([own, of_gallery]))
    asked, enrolled = np.split(np.arange(len(photos.who)), [len(queries)])
    found = nearest(photos, asked, enrolled, apart=False)
    return open_set_figures(
        found.score,
        photos.who[found.at],
        photos.who[asked],
        np.unique(photos.who[enrolled]),
        threshold=threshold,
        resamples=resamples,
        seed=seed,
    )


def nearest_photos(queries: Floats, gallery: Floats) -> tuple[Ints, Floats]:
    """Find each query's nearest photo: its position and cosine (q,); of equals, the first."""
    queries, gallery = unit_vectors(queries, "queries"), unit_vectors(gallery, "gallery")
    place = np.empty(len(queries), np.int64)
    score = np.empty(len(queries), np.float32)
    for part, cells in similarity_blocks(queries, gallery):
        place[part] = cells.argmax(axis=1)
        score[part] = cells[np.arange(len(cells)), place[part]]
    return place, score
