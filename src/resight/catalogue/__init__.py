"""The living catalogue: individuals, their photos and fingerprints, and who a new photo shows."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resight.catalogue.catalogue import Catalogue
    from resight.catalogue.contents import Decision, Individual
    from resight.catalogue.enrol import Enrolled
    from resight.catalogue.identify import Answer, Answers, Candidate, Match, Searched

# Imported when asked for: SQLAlchemy alone takes a quarter of a second.
_HOMES = {
    "Catalogue": "catalogue",
    "Decision": "contents",
    "Individual": "contents",
    "Enrolled": "enrol",
    "Answer": "identify",
    "Answers": "identify",
    "Candidate": "identify",
    "Match": "identify",
    "Searched": "identify",
}

__all__ = [
    "Answer",
    "Answers",
    "Candidate",
    "Catalogue",
    "Decision",
    "Enrolled",
    "Individual",
    "Match",
    "Searched",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
