"""The review: pages where people decide, and endpoints for other programs.

`create_app` makes the application; `resight review` serves it. Everything that is decided goes
through the verbs of `resight.catalogue.Catalogue`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resight.web.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name != "create_app":  # imported when asked for: FastAPI takes half a second
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from resight.web.app import create_app

    return create_app
