"""The application: its pages and endpoints on one catalogue, and the guard before them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from functools import cache as once
from importlib.metadata import version
from pathlib import Path
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from resight.catalogue import Catalogue
from resight.catalogue.journal import computer_user
from resight.catalogue.meanwhile import DecidedMeanwhile
from resight.errors import ResightError
from resight.web.desk import Desk, page
from resight.web.guard import Guard
from resight.web.leases import Leases
from resight.web.pictures import Pictures
from resight.web.shapes import Problem

HERE = Path(__file__).parent


def create_app(
    place: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    reviewer: str | None = None,
    token: str | None = None,
    hosts: Collection[str] = (),
    any_address: bool = False,
    secure: bool = False,
    uploads: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    watched: str | os.PathLike[str] | None = None,
) -> FastAPI:
    """Make the review of a catalogue; it is opened here, and closed when the server stops.

    Args:
        place: of the catalogue: its file or its database's URL.
        model: its model's file, where it has been moved.
        reviewer: who decides where a browser has not said; by default the computer's user.
        token: what must be shown by whoever comes; needed beyond loopback.
        hosts: names that it answers to beside those of loopback.
        any_address: it answers to any IP address too.
        secure: it is reached over TLS, which a reverse proxy speaks for it.
        uploads: the folder for photos that are dropped onto a page; by default beside the
            catalogue ("whales-photos" for whales.db).
        cache: the folder for thumbnails; by default beside the catalogue ("whales.db.pictures").
        watched: a folder that new photos are taken from.

    Raises:
        UnusableCatalogue: see `Catalogue.open`.
        ResightError: there is no folder `watched`.
    """
    if watched is not None and not Path(watched).is_dir():
        raise ResightError(f"{watched}: no such folder; make it, then begin the review")
    catalogue = Catalogue.open(place, model=model)
    here, name = _beside(catalogue)
    desk = Desk(
        catalogue=catalogue,
        name=name,
        reviewer=reviewer or computer_user(),
        uploads=Path(uploads) if uploads else here / f"{name}-photos",
        pictures=Pictures(
            Path(cache) if cache else here / f"{name}.pictures", catalogue.card.hearing
        ),
        leases=Leases(),
        watched=Path(watched).absolute() if watched else None,
    )
    app = FastAPI(
        title="Resight review",
        version=version("resight"),
        description="Enrol, ask and decide, by the verbs of a Resight catalogue.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan(desk),
        responses={
            400: {"model": Problem, "description": "Not possible; why, in words."},
            409: {"model": Problem, "description": "Somebody has decided meanwhile."},
        },
    )
    app.state.desk = desk
    app.state.templates = templates()
    app.state.version = assets_version()
    _routes(app, desk)
    _errors(app)
    app.add_middleware(_FirstPage, desk=desk)
    app.add_middleware(
        Guard,
        token=token,
        hosts=hosts,
        any_address=any_address,
        uploads=("/api/photos", "/api/ask/photo", "/api/draw/picture"),
        open_to_all=("/healthz",),
        secure=secure,
    )
    return app


def _routes(app: FastAPI, desk: Desk) -> None:
    from resight.web import pages, queue

    for room in (pages, queue):
        app.include_router(room.router)
    # The version is in the path, so that what a script imports is as new as the script.
    app.mount(f"/static/{app.state.version}", _Static(directory=HERE / "static"), name="static")
    desk.nav = [
        ("/", "Queue"),
        ("/groups", "Groups"),
        ("/individuals", "Individuals"),
        ("/map", "Map"),
        ("/draw", "Draw"),
        ("/quality", "Quality"),
        ("/history", "History"),
    ]
    desk.other_rooms = _other_rooms(app)


def _other_rooms(app: FastAPI) -> Callable[[], None]:
    """What opens all rooms but those of the first page, once: it is a third of the start's work."""
    lock = threading.Lock()
    described = app.openapi
    opened = False

    def other_rooms() -> None:
        nonlocal opened
        with lock:
            if opened:
                return
            from resight.web import (
                draw,
                groups,
                history,
                individuals,
                map,
                photos,
                quality,
                sounds,
                wall,
            )

            for room in (groups, photos, sounds, wall, individuals, map, draw, quality, history):
                app.include_router(room.router)
            opened = True

    def openapi() -> dict[str, Any]:
        other_rooms()
        return described()

    app.openapi = openapi  # type: ignore[method-assign]
    return other_rooms


def _errors(app: FastAPI) -> None:
    def answer(request: Request, status: int, words: str, who: str | None = None) -> Response:
        if request.url.path.startswith("/api/") or "text/html" not in request.headers.get(
            "accept", ""
        ):
            return JSONResponse({"error": words, "who": who}, status)
        made = page(request, "error.html", words=words, status=status)
        made.status_code = status
        return made

    def ours(request: Request, error: Exception) -> Response:
        if isinstance(error, DecidedMeanwhile):
            return answer(request, 409, str(error), error.who)
        return answer(request, 400, str(error))

    def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = "There is no such page." if error.status_code == 404 else str(error.detail)
        return answer(request, error.status_code, words)

    app.add_exception_handler(ResightError, ours)
    app.add_exception_handler(HTTPException, http)


def _lifespan(desk: Desk) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        from resight.web.watch import warm, watch

        stop = [desk.jobs.end, warm(desk)]
        if desk.watched is not None:
            stop.append(watch(desk, desk.watched))
        try:
            yield
        finally:
            for end in stop:
                end()
            desk.catalogue.close()

    return lifespan


def _beside(catalogue: Catalogue) -> tuple[Path, str]:
    """The folder that a catalogue's own folders go into, and what to call it."""
    if catalogue.path is not None:
        return catalogue.path.parent, catalogue.path.stem
    return Path.cwd(), "resight-review"


class _FirstPage:
    """Opens the other rooms for whoever asks for one, and tells when the first page was sent."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self.app, self.desk, self.all_open = app, desk, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if not self.all_open and path != "/" and not path.startswith(("/static/", "/api/queue")):
            await to_thread.run_sync(self.desk.other_rooms)
            self.all_open = True
        await self.app(scope, receive, send)
        self.desk.answered.set()


class _Static(StaticFiles):
    """Files of the package; their address has the version in it, so a browser may keep them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, with how long it may be kept."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "private, max-age=31536000"
        return response


@once
def templates() -> Any:
    """The pages' templates; all that they show is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = lambda count: f"{count:,}"
    made.filters["day"] = lambda at: f"{at.day} {at:%b %Y}"
    made.filters["moment"] = lambda at: f"{at.astimezone():%d %b %Y, %H:%M}"
    return made


@once
def assets_version() -> str:
    """Changes when a file of `static` does."""
    digest = hashlib.sha256()
    for file in sorted((HERE / "static").rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:10]
