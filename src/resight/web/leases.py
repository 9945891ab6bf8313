"""Which photos are in whose hands, so that two people on one queue get different ones.

A lease is a courtesy and runs out; what makes sure that nobody decides twice unknowingly is
`resight.catalogue.meanwhile`, in the transaction of the decision.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

SECONDS = 90.0


class Leases:
    """Photos lent to tabs, for a while; usable from several threads."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._lent: dict[int, tuple[str, float]] = {}

    def others(self, tab: str) -> set[int]:
        """The photos that are in the hands of other tabs."""
        with self._lock:
            self._forget()
            return {photo for photo, (whose, _) in self._lent.items() if whose != tab}

    def take(self, tab: str, photos: Iterable[int]) -> bool:
        """Lend photos to a tab, or go on lending them; False, and nothing lent, if one is away."""
        photos = list(photos)
        with self._lock:
            self._forget()
            if any(self._lent.get(photo, (tab, 0))[0] != tab for photo in photos):
                return False
            until = self._now() + SECONDS
            self._lent |= dict.fromkeys(photos, (tab, until))
            return True

    def keep_only(self, tab: str, photos: Iterable[int]) -> None:
        """Give back all that a tab has but these, and go on lending these."""
        kept, until = set(photos), self._now() + SECONDS
        with self._lock:
            for photo in [p for p, (whose, _) in self._lent.items() if whose == tab]:
                if photo in kept:
                    self._lent[photo] = (tab, until)
                else:
                    del self._lent[photo]

    def holders(self, tab: str) -> list[str]:
        """Who else has photos in hand."""
        with self._lock:
            self._forget()
            names = {whose.partition("\n")[2] for whose, _ in self._lent.values() if whose != tab}
        return sorted(names)

    def _forget(self) -> None:
        now = self._now()
        for photo in [photo for photo, (_, until) in self._lent.items() if until < now]:
            del self._lent[photo]
