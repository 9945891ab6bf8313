"""The living catalogue: individuals, their photos and fingerprints, and who a new photo shows."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resight.catalogue.answer import (
        Answer,
        Answers,
        Basis,
        Candidate,
        CandidateSet,
        Match,
        Searched,
    )
    from resight.catalogue.catalogue import Catalogue
    from resight.catalogue.contents import Individual
    from resight.catalogue.enrol import Enrolled
    from resight.catalogue.journal import Done
    from resight.catalogue.past import Decision, Event
    from resight.catalogue.where import Filters

# Imported when asked for: SQLAlchemy alone takes a quarter of a second.
_HOMES = {
    "Catalogue": "catalogue",
    "Decision": "past",
    "Done": "journal",
    "Event": "past",
    "Filters": "where",
    "Individual": "contents",
    "Enrolled": "enrol",
    "Answer": "answer",
    "Answers": "answer",
    "Basis": "answer",
    "Candidate": "answer",
    "CandidateSet": "answer",
    "Match": "answer",
    "Searched": "answer",
}

__all__ = [
    "Answer",
    "Answers",
    "Basis",
    "Candidate",
    "CandidateSet",
    "Catalogue",
    "Decision",
    "Done",
    "Enrolled",
    "Event",
    "Filters",
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
