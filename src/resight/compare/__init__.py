"""Looking closely at two photos: keypoints, what matches, whether it fits, and the picture of it.

`find_keypoints` and `match` compare two photos, `one_against_many` a query with a whole gallery,
`KeypointCache` keeps what was found, `rerank` looks closely at a shortlist that fingerprints found,
and `draw_match` draws what convinces a person. Of drawings, which have strokes instead of spots,
`found_again` tells how much of one is found in the other (`DrawingCache` reads them).
"""

from resight.compare.drawings import DrawingCache, found_again
from resight.compare.fuse import CLOSE, Close, Details, Fusion, Looked, match_scores, rerank
from resight.compare.keypoints import KeypointCache, Keypoints, find_keypoints
from resight.compare.matching import Gallery, Match, match, match_many, one_against_many
from resight.compare.pairs import Pairs, best_of_each, labelled_pairs, learn_fusion
from resight.compare.picture import draw_match

__all__ = [
    "CLOSE",
    "Close",
    "Details",
    "DrawingCache",
    "Fusion",
    "Gallery",
    "KeypointCache",
    "Keypoints",
    "Looked",
    "Match",
    "Pairs",
    "best_of_each",
    "draw_match",
    "find_keypoints",
    "found_again",
    "labelled_pairs",
    "learn_fusion",
    "match",
    "match_many",
    "match_scores",
    "one_against_many",
    "rerank",
]
