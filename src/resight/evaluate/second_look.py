"""What a second look at keypoints or strokes is worth, beside the fingerprint alone."""

from __future__ import annotations

from typing import Any, NamedTuple

from resight.evaluate.metrics import Figure


class SecondLook(NamedTuple):
    """The same queries by fingerprint alone, and after their shortlists were looked at closely.

    Attributes:
        alone, closely: R@1 of either.
        gain: their difference, query by query; so its interval tells whether there is one.
        learned: whether the weight of a match was learned from the gallery; else it is the usual.
        untrained: R@1 of some of them by keypoints alone, which nobody has trained (LNBNN).
        untrained_queries: how many.
    """

    alone: Figure
    closely: Figure
    gain: Figure
    learned: bool
    untrained: Figure | None = None
    untrained_queries: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "fingerprint R@1": self.alone.to_dict(),
            "closely R@1": self.closely.to_dict(),
            "gain": self.gain.to_dict(),
            "learned": self.learned,
            "keypoints alone R@1": self.untrained and self.untrained.to_dict(),
            "keypoints alone queries": self.untrained_queries,
        }
