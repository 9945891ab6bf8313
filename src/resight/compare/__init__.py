"""Looking closely at two photos: keypoints, what matches, whether it fits, and the picture of it.

`find_keypoints` and `match` compare two photos, `one_against_many` a query with a whole gallery,
`KeypointCache` keeps what was found, and `draw_match` draws what convinces a person.
"""

from resight.compare.keypoints import KeypointCache, Keypoints, find_keypoints
from resight.compare.matching import Gallery, Match, match, match_many, one_against_many
from resight.compare.picture import draw_match

__all__ = [
    "Gallery",
    "KeypointCache",
    "Keypoints",
    "Match",
    "draw_match",
    "find_keypoints",
    "match",
    "match_many",
    "one_against_many",
]
