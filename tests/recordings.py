"""What the tests of sound share: a model that hears without having learned, and recordings."""

from __future__ import annotations

from pathlib import Path

from models import make_model
from resight.fingerprint import Card
from resight.photos.sound import BANDS, Hearing

HEARING = Hearing(window=64)


def hearing_model(path: Path) -> Path:
    """A model file for recordings: windows of 64 columns to 16 numbers, by a random projection."""
    size = (BANDS, HEARING.window)
    card = Card(size=size, channels=1, dim=16, fit="stretch", sound=HEARING.entry(), body="random")
    return make_model(path, size=size, dim=16, seed=3, card=card)
