"""Resight: train a fingerprint from photos grouped by individual, and ask who this is.

Nothing heavy is imported before it is used: `import resight` costs milliseconds, and what only
needs fingerprints never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resight.catalogue import Answer, Candidate, Catalogue, Match, Searched
    from resight.fingerprint import Card, Fingerprinter, Fingerprints, Model, load_model
    from resight.photos import Photo, photos_by_individual

__version__ = "0.1.0"

_HOME = {
    "Answer": "catalogue",
    "Candidate": "catalogue",
    "Card": "fingerprint",
    "Catalogue": "catalogue",
    "Fingerprinter": "fingerprint",
    "Fingerprints": "fingerprint",
    "Match": "catalogue",
    "Model": "fingerprint",
    "Photo": "photos",
    "Searched": "catalogue",
    "load_model": "fingerprint",
    "photos_by_individual": "photos",
}

__all__ = [
    "Answer",
    "Candidate",
    "Card",
    "Catalogue",
    "Fingerprinter",
    "Fingerprints",
    "Match",
    "Model",
    "Photo",
    "Searched",
    "__version__",
    "load_model",
    "photos_by_individual",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"resight.{_HOME[name]}"), name)
    raise AttributeError(f"module 'resight' has no attribute {name!r}")
