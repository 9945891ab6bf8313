"""The last things asked for, kept in memory; may be shared by threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Latest(Generic[Key, Value]):
    """So many values by their keys; the one not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._known: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Value | None:
        """The value of a key, if it is still here."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def keep(self, key: Key, value: Value) -> None:
        """Keep a value, and let go of what is too much."""
        with self._lock:
            self._known[key] = value
            while len(self._known) > self.most:
                self._known.popitem(last=False)
