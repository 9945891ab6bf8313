"""A second look at a shortlist: the fingerprint's likeness and the keypoints' match as one score.

A fingerprint finds the few photos out of thousands that may show the same individual, in a
millisecond; keypoints tell those few apart, in a millisecond each. What each of the two is worth is
learned from labelled photos: the probability that a query shows an individual is

    1 / (1 + exp(-(cosine c + local log(1 + s) + offset)))

with c the likeness of its fingerprint to those of all photos of the individual, on the scale of a
cosine (`resight.likeness`), and s the score of the best match (`Match.score`) with any of them,
neither weight below 0. Another angle or light may match where the most similar photo does not:
asking both of one photo lost seven right whales of a hundred.

Fusing by calibrated scores is WildFusion's idea (Cermak, Picek, Adam, Neumann and Matas,
"WildFusion: individual animal identification with calibrated similarity fusion", ECCV workshops
2024), which averages scores that were calibrated one by one; learned together, as here, the surer
of the two counts for more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from resight.compare.drawings import DrawingCache, found_again
from resight.compare.keypoints import MOST, KeypointCache, Keypoints
from resight.compare.matching import match, numbered
from resight.errors import ResightError, UnreadablePhoto
from resight.likeness import likeness

if TYPE_CHECKING:
    from resight.fingerprint.model import Card

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# What is compared of two photos: their keypoints, or drawings as they are, uint8 (h, w).
Details = Keypoints | npt.NDArray[np.uint8]

SHORTLIST = 100  # a tenth of a second; most of what a weak fingerprint lost is found again
# Log odds a standard deviation of strangers' cosines, and a unit of log(1 + score): of photos,
# chosen on whales and cows (docs/tried.md), and of drawings; and of a stranger of whom neither says
# anything.
_USUAL, _USUAL_OF_DRAWINGS = (0.5, 4.0), (2.0, 3.0)
_USUAL_OFFSET = -5.0
# log(1 + score) of a drawing that is found again whole: beside cosines of the usual weight it is
# then worth a cosine or so (`drawings.WEIGHT`), at the weight that is usual of drawings.
_WHOLE_DRAWING = 4.0
_SPREAD = 10.0  # of the Gaussian prior on a weight, in log odds a standard deviation of its score


@dataclass(frozen=True)
class Close:
    """How photos of a shortlist are looked at: chosen on whales' and cows' photos.

    Attributes:
        most, upright: as for `find_keypoints`. Upright, as photos of one catalogue mostly are:
            described as they lie, places of different animals are mistaken for one another less.
        ratio, tolerance: as for `match`. A looser ratio than between two photos that were found
            alone, since the arrangement is checked, and heads turn.
    """

    most: int = MOST
    upright: bool = True
    ratio: float = 0.9
    tolerance: float = 0.05


CLOSE = Close()


@dataclass(frozen=True)
class Fusion:
    """What a likeness and a match are worth together; see the head of this file.

    Attributes:
        cosine: log odds that the likeness brings, a unit of it; 0 or more.
        local: log odds that the match brings, a unit of log(1 + score); 0 or more.
        offset: log odds of an individual with likeness 0 and no match.
        pairs, same: from how many times a query and an individual it was learned, and how many
            times the query shows the individual.
    """

    cosine: float
    local: float
    offset: float
    pairs: int = 0
    same: int = 0

    @classmethod
    def fit(cls, cosines: Any, locals_: Any, same: Any) -> Fusion:
        """Learn from queries, each with some individuals of whom one may be on it.

        `learn_fusion` makes them of labelled photos.

        Args:
            cosines: (n,) likeness of a query to an individual.
            locals_: (n,) scores of its best match with a photo of that one, 0 or more.
            same: bool (n,), whether the query shows that one.

        Raises:
            ValueError: shapes that do not fit, or scores that cannot be.
            ResightError: pairs of one kind only, from which nothing can be learned.
        """
        from scipy.optimize import minimize

        scores = np.stack(_checked(cosines, locals_), axis=1)
        wanted = np.asarray(same)
        if wanted.dtype != np.bool_ or wanted.shape != scores.shape[:1]:
            raise ValueError(f"same is bool {scores.shape[:1]}, not {wanted.dtype} {wanted.shape}")
        if not wanted.any() or wanted.all():
            kind = "different individuals" if not wanted.any() else "one individual"
            raise ResightError(
                f"all {len(wanted)} pairs that were compared show {kind}: what a match is worth "
                "cannot be learned from these; it takes individuals with photos of several "
                "encounters"
            )
        middle, spread = scores.mean(0), np.maximum(scores.std(0), 1e-9)
        features = np.column_stack([(scores - middle) / spread, np.ones(len(scores))])
        sign = np.where(wanted, -1.0, 1.0)

        def loss(weights: Floats) -> tuple[float, Floats]:
            away = sign * (features @ weights)
            slope = features.T @ (sign / (1 + np.exp(-away)))
            held = np.append(weights[:2], 0) / _SPREAD
            return float(np.logaddexp(0, away).sum() + held @ held / 2), slope + held / _SPREAD

        bounds = [(0, None), (0, None), (None, None)]
        found = minimize(loss, np.zeros(3), jac=True, method="L-BFGS-B", bounds=bounds).x
        weights = found[:2] / spread
        offset = float(found[2] - weights @ middle)
        cosine, local = map(float, weights)
        return cls(cosine, local, offset, len(wanted), int(wanted.sum()))

    @classmethod
    def guess(cls, strangers: Any, *, drawings: bool = False) -> Fusion:
        """What is usual, where there are no photos to learn it from that the model has not seen.

        The order that it makes is to be trusted more than its probabilities.

        Args:
            strangers: (n,) cosines of photos with the most similar ones of other individuals; how
                they spread tells what a unit of likeness is worth.
            drawings: strokes are compared, not keypoints.

        Raises:
            ValueError: none, or cosines that cannot be.
        """
        near, _ = _checked(strangers, 0.0)
        if not len(near):
            raise ValueError("there are no strangers to judge a cosine by")
        each, local = _USUAL_OF_DRAWINGS if drawings else _USUAL
        cosine = each / max(float(near.std()), 0.01)
        return cls(cosine, local, _USUAL_OFFSET - cosine * float(near.mean()))

    def odds(self, cosines: Any, locals_: Any = 0.0) -> Floats:
        """Log odds that a query shows each of some individuals: float64 (n,).

        Rises with both scores. Who was not looked at closely counts as somebody of whom nothing
        matches the query: so nobody gains by lying outside a shortlist, and the order of the others
        stays that of their likeness.

        Args:
            cosines: (n,) likeness to each.
            locals_: (n,) scores of the best matches, or one number for all.

        Raises:
            ValueError: shapes that do not fit, or scores that cannot be.
        """
        near, alike = _checked(cosines, locals_)
        return self.cosine * near + self.local * alike + self.offset

    def score(self, cosines: Any, locals_: Any = 0.0) -> Floats:
        """The probability that a query shows each of some individuals; as `odds`."""
        from scipy.special import expit

        return np.asarray(expit(self.odds(cosines, locals_)), np.float64)

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON, such as for a model's card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Fusion:
        """Read back; what is unknown is passed over.

        Raises:
            ResightError: something is missing, or is no number that it can be.
        """
        try:
            made = cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})
            numbers = np.array([made.cosine, made.local, made.offset], np.float64)
            good = np.isfinite(numbers).all() and numbers[:2].min() >= 0
        except (TypeError, ValueError):
            good = False
        if not good:
            raise ResightError(
                "what a match is worth (fusion) is not to be read: it has cosine and local, 0 or "
                "more, and offset; learn it again"
            )
        return made


@dataclass(frozen=True, eq=False)
class Looked:
    """A gallery's photos after a second look.

    Attributes:
        order: int64 (n,), positions of the gallery's photos: those of the likeliest individual
            first, of each the likeliest photo first.
        probability: float64 (n,), that the query shows the individual of each, by position.
        scores: float64 (n,), of the matches, by position; NaN for those not looked at.
        unreadable: the errors of photos of the shortlist that could not be looked at.
    """

    order: Ints
    probability: Floats
    scores: Floats
    unreadable: tuple[UnreadablePhoto, ...] = ()


def details_cache(
    card: Card, folder: str | Path | None = None, *, in_memory: int = 2000
) -> KeypointCache | DrawingCache:
    """What gives the details of photos' files: of a model of drawings the drawings, else keypoints.

    Args:
        card: of the model whose fingerprints they stand beside.
        folder, in_memory: where keypoints are kept, and of how many photos; see `KeypointCache`.
    """
    if card.drawings:
        return DrawingCache(card.size, card.fit, card.fill)
    return KeypointCache(folder, most=CLOSE.most, upright=CLOSE.upright, in_memory=in_memory)


def rerank(
    query: Details,
    cosines: Any,
    individuals: Iterable[Hashable],
    details_of: Callable[[int], Details],
    fusion: Fusion,
    *,
    shortlist: int = SHORTLIST,
    close: Close = CLOSE,
) -> Looked:
    """Rank a gallery's individuals, after a close look at the photos nearest to a query.

    Args:
        query: keypoints of the query, or a drawing.
        cosines: (n,) of its fingerprint with those of the gallery's photos.
        individuals: (n,) who is on each of these, anything hashable; they compete, each by the
            likeness to all of its photos and by its best match.
        details_of: gives the same of a photo by its position, such as
            `lambda i: cache.of(paths[i])`; asked for the shortlist alone.
        fusion: what likeness and match are worth.
        shortlist: how many photos to look at.
        close: how.

    Raises:
        ValueError: a shortlist below 0, cosines that cannot be, or not as many individuals.
    """
    near, _ = _checked(cosines, 0.0)
    if shortlist < 0:
        raise ValueError(f"a shortlist has 0 photos or more, not {shortlist}")
    names, who = numbered(individuals)
    if who.shape != near.shape:
        raise ValueError(f"{len(near)} photos, but {len(who)} individuals to which they belong")
    scores = np.full(len(near), np.nan)
    details, unreadable = {}, []
    for place in np.argsort(-near, kind="stable")[:shortlist].tolist():
        try:
            details[place] = details_of(place)
        except UnreadablePhoto as error:  # its fingerprint still speaks for it
            unreadable.append(error)
    scores[list(details)] = match_scores(query, list(details.values()), close)
    found = np.nan_to_num(scores)
    alike, best = likeness(near, who, len(names)), np.zeros(len(names))
    np.maximum.at(best, who, found)
    # Of equals the nearer by fingerprint comes first, then the first: `lexsort` keeps their order.
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((-alike, -fusion.odds(alike, best)))] = np.arange(len(names))
    order = np.lexsort((-near, -fusion.odds(near, found), rank[who]))
    probability = fusion.score(alike, best)[who]
    return Looked(order, probability, scores, tuple(unreadable))


def match_scores(query: Details, others: Sequence[Details], close: Close = CLOSE) -> Floats:
    """The scores of a query's matches with each of some photos: float64 (n,).

    Of keypoints each is `Match.score`; of drawings, one that is found again to a share s has
    exp(4 s) − 1.

    Raises:
        ValueError: drawings beside photos, or of different sizes.
    """
    points = [one for one in others if isinstance(one, Keypoints)]
    drawn = [one for one in others if not isinstance(one, Keypoints)]
    if isinstance(query, Keypoints) and not drawn:
        told = [match(query, one, ratio=close.ratio, tolerance=close.tolerance) for one in points]
        return np.array([one.score for one in told], np.float64)
    if not isinstance(query, Keypoints) and not points:
        found = found_again(query, np.stack(drawn)) if drawn else np.empty(0)
        return np.expm1(_WHOLE_DRAWING * found)
    raise ValueError("a drawing and a photo have nothing to compare")


def _checked(cosines: Any, locals_: Any) -> tuple[Floats, Floats]:
    """The cosines, and log(1 + score) of the matches, both float64 (n,)."""
    near, found = np.asarray(cosines, np.float64), np.asarray(locals_, np.float64)
    if near.ndim != 1 or found.shape not in ((), near.shape):
        raise ValueError(f"cosines and scores are both (n,), not {near.shape} and {found.shape}")
    if not np.isfinite(near).all() or not np.isfinite(found).all() or (found < 0).any():
        raise ValueError("cosines are finite, and scores of matches finite and not below 0")
    return near, np.broadcast_to(np.log1p(found), near.shape)
