"""Chapman's estimate: how many there are, by who was seen on two occasions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resight.errors import ResightError

ENOUGH_RECAPTURES = 7


@dataclass(frozen=True, slots=True)
class Chapman:
    """How many individuals there are, by two occasions.

    Attributes:
        first: how many were seen on the first.
        second: how many on the second.
        both: how many on both: the recaptures.
        estimate: of the number of individuals.
        error: its standard error.
        low, high: the interval, which never falls below the number of individuals seen.
        level: how often such an interval holds the true number, where the assumptions hold.
    """

    first: int
    second: int
    both: int
    estimate: float
    error: float
    low: float
    high: float
    level: float


def chapman(first: int, second: int, both: int, *, level: float = 0.95) -> Chapman:
    """Chapman's estimate of the number of individuals from two occasions.

    N = (n1 + 1)(n2 + 1) / (m2 + 1) - 1, with the variance
    (n1 + 1)(n2 + 1)(n1 - m2)(n2 - m2) / ((m2 + 1)² (m2 + 2)): Seber, "The Estimation of Animal
    Abundance", 2nd edition (1982), section 3.1.1. The interval is log-normal in the number of those
    never seen (Rexstad and Burnham, "User's Guide for Interactive Program CAPTURE", 1991).

    It holds for a closed population (nobody is born, dies, comes or goes in between), whose members
    are all as likely to be photographed, and never mistaken for another.

    Args:
        first: n1, individuals seen on the first occasion.
        second: n2, on the second.
        both: m2, on both.
        level: of the interval, between 0 and 1.

    Raises:
        ResightError: nobody was seen on both, so that there is nothing to estimate by; or numbers
            that cannot be.
    """
    from statistics import NormalDist

    if not 0 < level < 1:
        raise ResightError(f"the level of an interval lies between 0 and 1, and {level} does not")
    if both < 0 or both > min(first, second):
        raise ResightError(f"{both} cannot have been seen both times, of {first} and {second}")
    if both == 0:
        raise ResightError(
            f"nobody was seen both times ({first} and {second} individuals): without recaptures "
            "there is no estimate; take longer occasions, or more photos"
        )
    product = (first + 1) * (second + 1)
    estimate = product / (both + 1) - 1
    variance = product * (first - both) * (second - both) / ((both + 1) ** 2 * (both + 2))
    seen = first + second - both
    unseen = estimate - seen
    low = high = float(seen)
    if unseen > 0:
        z = NormalDist().inv_cdf(0.5 + level / 2)
        spread = math.exp(z * math.sqrt(math.log(1 + variance / unseen**2)))
        low, high = seen + unseen / spread, seen + unseen * spread
    return Chapman(first, second, both, estimate, math.sqrt(variance), low, high, level)
