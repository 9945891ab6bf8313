"""The figures: how well fingerprints find their like, and how sure each figure is.

Every figure comes with a 95 % percentile bootstrap interval over individuals: individuals, not
photos, are drawn again, because photos of one individual stand or fall together.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import ResightError
from resight.evaluate.ranking import Floats, Ints, Labels, rank_matches

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value with its 95 % interval.

    Attributes:
        value: measured on all photos.
        low, high: ends of the interval; NaN where it takes more than one individual, or when no
            resamples were asked for.
        n: individuals that were resampled.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if math.isnan(self.low):
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON; None where there is no interval."""
        ends = (None if math.isnan(end) else end for end in (self.low, self.high))
        return {"value": self.value, **dict(zip(("low", "high"), ends, strict=True)), "n": self.n}


def table(title: str, figures: dict[str, Figure | None], notes: Sequence[str] = ()) -> str:
    """Lay figures out in lines for people."""
    width = max(map(len, figures))
    lines = [title, *(f"  {name:<{width}}  {figure}" for name, figure in figures.items() if figure)]
    return "\n".join([*lines, *(f"  {note}" for note in notes)])


def at_least(least: int, value: Any, what: str) -> None:
    """Refuse a count that is no whole number, or too small."""
    if not isinstance(value, int | np.integer) or int(value) < least:
        raise ResightError(f"{what} must be a whole number, {least} or more, got {value!r}")


def resamples_of(strata: Sequence[int], resamples: int, seed: int) -> Iterator[Array]:
    """Draw individuals with replacement, each stratum by itself.

    Args:
        strata: number of individuals in each stratum.
        resamples: how many draws.
        seed: of the random numbers.

    Yields:
        how often each individual was drawn, float64 (sum(strata),).
    """
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.concatenate(
            [np.bincount(rng.integers(0, n, n), minlength=n) for n in strata]
        ).astype(np.float64)


def with_intervals(
    statistic: Callable[[Array], Sequence[float] | Array],
    strata: Sequence[int],
    n: Sequence[int],
    resamples: int = 1000,
    seed: int = 0,
) -> list[Figure]:
    """Bootstrap several figures at once.

    Args:
        statistic: from the weights of the individuals, (sum(strata),), to the values, (f,).
        strata: individuals in each stratum; they are drawn apart.
        n: for each value, the individuals that it rests on; with one there is no interval.
        resamples: 0 for none.
        seed: the same seed gives the same intervals.
    """
    at_least(0, resamples, "resamples")
    values = np.asarray(statistic(np.ones(sum(strata))), np.float64)
    low = high = np.full(len(values), np.nan)
    if resamples:
        drawn = np.array([statistic(weights) for weights in resamples_of(strata, resamples, seed)])
        low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return [
        Figure(float(value), *((float(a), float(b)) if of > 1 else (math.nan, math.nan)), of)
        for value, a, b, of in zip(values, low, high, n, strict=True)
    ]


def mean_figures(
    values: Array, individual: Ints, resamples: int = 1000, seed: int = 0
) -> list[Figure]:
    """Means over photos, with intervals over individuals.

    Args:
        values: (photos, f).
        individual: (photos,) code of each photo's individual, 0 … individuals - 1, all present.
        resamples: draws of the bootstrap, 0 for no intervals.
        seed: of the bootstrap.

    Returns:
        f figures.
    """
    counts = np.bincount(individual)
    sums = np.stack([np.bincount(individual, column) for column in values.T], axis=1)
    return with_intervals(
        lambda weights: (weights @ sums) / (weights @ counts),
        [len(counts)],
        [len(counts)] * values.shape[1],
        resamples,
        seed,
    )


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well queries find the other photos of their individual.

    Attributes:
        cmc: for each k, the share of queries with a match among their k nearest photos.
        mean_ap: mean average precision over the whole ranking (mAP).
        map_at_r: MAP@R.
        minp: mean inverse negative penalty (mINP).
        queries: queries asked.
        skipped: queries left out, for want of another photo to find.
        individuals: individuals among the queries asked.
    """

    cmc: dict[int, Figure]
    mean_ap: Figure
    map_at_r: Figure
    minp: Figure
    queries: int
    skipped: int
    individuals: int

    @property
    def rank_1(self) -> Figure:
        """Share of queries whose nearest photo is a match (R@1)."""
        return self.cmc[1]

    def figures(self) -> dict[str, Figure]:
        """All figures by name."""
        cmc = {f"R@{k}": figure for k, figure in self.cmc.items()}
        return {**cmc, "mAP": self.mean_ap, "MAP@R": self.map_at_r, "mINP": self.minp}

    def __str__(self) -> str:
        title = f"Retrieval: {self.queries} queries of {self.individuals} individuals"
        skipped = f"({self.skipped} queries without a match to find left out)"
        return table(title, {**self.figures()}, [skipped] if self.skipped else [])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **{name: figure.to_dict() for name, figure in self.figures().items()},
            "queries": self.queries,
            "skipped": self.skipped,
            "individuals": self.individuals,
        }


def retrieval(
    queries: Floats,
    query_labels: Labels,
    gallery: Floats | None = None,
    gallery_labels: Labels | None = None,
    *,
    query_groups: Labels | None = None,
    gallery_groups: Labels | None = None,
    ks: Sequence[int] = (1, 5, 10),
    resamples: int = 1000,
    seed: int = 0,
    block: int | None = None,
    threads: int | None = None,
) -> Retrieval:
    """Measure retrieval, exactly, in blocks of queries.

    A *match* is another photo of the query's individual. With a match's rank counted from 1 and
    R matches in the gallery: R@k asks for a match among the k nearest; AP is the mean, over the
    matches, of the precision at the rank of each; MAP@R sums these precisions only over matches
    ranked R or better, and divides by R (Musgrave, Belongie and Lim, "A Metric Learning Reality
    Check", 2020); INP is R / rank of the last match (Ye et al., "Deep Learning for Person
    Re-identification: A Survey and Outlook", 2021). Ties are pessimistic: of equally similar
    photos, those of other individuals come first.

    Args:
        queries: fingerprints, float32 (q, d); brought to length 1 where they are not.
        query_labels: (q,) individuals, anything hashable.
        gallery: fingerprints, float32 (g, d). None: the queries themselves, leaving each one out
            of its own gallery.
        gallery_labels: (g,) individuals.
        query_groups: (q,) encounters, None where there is none. A query's matches from its own
            encounter are ignored: neither right nor wrong.
        gallery_groups: (g,) encounters of the gallery.
        ks: the k of R@k; 1 is always among them.
        resamples: draws of the bootstrap; 0 leaves the intervals out.
        seed: of the bootstrap.
        block: queries at a time; the default holds 128 MB of similarities.
        threads: the default is one for each core.

    Raises:
        ResightError: shapes or lengths that do not fit, fingerprints that are not finite, or no
            query with anything to find.
    """
    if not all(isinstance(k, int | np.integer) and k >= 1 for k in ks):
        raise ResightError(
            f"k counts nearest photos, in whole numbers, and starts at 1, got {list(ks)}"
        )
    at_least(0, resamples, "resamples")  # not only once everything is ranked
    ks = sorted({1, *map(int, ks)})
    ranked = rank_matches(
        queries,
        query_labels,
        gallery,
        gallery_labels,
        query_groups=query_groups,
        gallery_groups=gallery_groups,
        block=block,
        threads=threads,
    )
    hits = [ranked.first <= k for k in ks]
    values = np.stack([*hits, ranked.ap, ranked.ap_at_r, ranked.inp], axis=1).astype(np.float64)
    *cmc, mean_ap, map_at_r, minp = mean_figures(values, ranked.individual, resamples, seed)
    return Retrieval(
        cmc=dict(zip(ks, cmc, strict=True)),
        mean_ap=mean_ap,
        map_at_r=map_at_r,
        minp=minp,
        queries=len(ranked.index),
        skipped=ranked.skipped,
        individuals=mean_ap.n,
    )
