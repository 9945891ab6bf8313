"""What all pages of one running review share."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse

from resight.catalogue import Catalogue
from resight.catalogue.checks import checked_name
from resight.errors import ResightError
from resight.web.jobs import Jobs
from resight.web.leases import Leases
from resight.web.pictures import Pictures

WHO_COOKIE = "resight_who"
PAGE_COOKIE = "resight_page"
TOKEN_HEADER = "x-resight-page"
TAB_HEADER = "x-resight-tab"


@dataclass
class Desk:
    """The catalogue under review, and what lies beside it.

    Attributes:
        catalogue: open.
        name: what to call it on a page.
        reviewer: who decides where a browser has not said.
        uploads: the folder that dropped photos are written to.
        pictures: thumbnails and large views.
        leases: which photos are in whose hands.
        nav: the pages that there are: (path, word).
        watched: the folder that new photos are taken from, or None.
        memory: room for what a page computes once: by name, (the catalogue's revision, value).
        jobs: what is computed beside the pages.
        other_rooms: makes the pages that were not needed for the first one.
        answered: set once the first page has been sent.
    """

    catalogue: Catalogue
    name: str
    reviewer: str
    uploads: Path
    pictures: Pictures
    leases: Leases
    nav: list[tuple[str, str]] = field(default_factory=list)
    watched: Path | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    jobs: Jobs = field(default_factory=Jobs)
    other_rooms: Callable[[], None] = lambda: None
    answered: threading.Event = field(default_factory=threading.Event)


def desk_of(request: Request) -> Desk:
    """The desk of this application, for `Depends`."""
    desk: Desk = request.app.state.desk
    return desk


def who_of(request: Request) -> str:
    """Who is at the browser: as the cookie says, else the reviewer that the review began with."""
    said = unquote(request.cookies.get(WHO_COOKIE, ""))
    if said:
        try:
            return checked_name(said, "your name")
        except ResightError:
            pass
    return desk_of(request).reviewer


def tab_of(request: Request) -> str:
    """Which tab of whom asks: photos are lent to tabs."""
    return f"{request.headers.get(TAB_HEADER, '')[:64]}\n{who_of(request)}"


OfDesk = Annotated[Desk, Depends(desk_of)]
OfWho = Annotated[str, Depends(who_of)]
OfTab = Annotated[str, Depends(tab_of)]


def page(request: Request, template: str, *, active: str = "", **context: Any) -> HTMLResponse:
    """A page: `templates/<template>` with what `base.html` needs, and `context`.

    Args:
        request: that is answered.
        template: its file's name.
        active: path of the entry of the navigation that it belongs to.
        context: what the template shows; everything in it is escaped.
    """
    desk = desk_of(request)
    token = request.cookies.get(PAGE_COOKIE, "")
    fresh = len(token) != 43
    if fresh:
        token = secrets.token_urlsafe(32)
    text = request.app.state.templates.get_template(template).render(
        desk=desk,
        who=who_of(request),
        active=active,
        page_token=token,
        static=f"/static/{request.app.state.version}",
        **context,
    )
    response = HTMLResponse(text, headers={"Cache-Control": "no-store"})
    if fresh:
        response.set_cookie(PAGE_COOKIE, token, httponly=True, samesite="strict")
    return response


def remember_who(response: Any, name: str) -> None:
    """Let a browser know who is at it, for a year."""
    response.set_cookie(WHO_COOKIE, quote(name), max_age=31_536_000, samesite="strict")
