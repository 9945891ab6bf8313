"""The history: who did what and when, each with the way back; and all of it as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from resight.catalogue.export import harmless
from resight.catalogue.past import Event
from resight.web.desk import Desk, OfDesk, page
from resight.web.shapes import EventOut

router = APIRouter()
PER_PAGE = 50
Before = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


@router.get("/history", include_in_schema=False, response_class=HTMLResponse)
def history_page(
    request: Request,
    desk: OfDesk,
    before: Before = None,
    individual: Annotated[str | None, Query(max_length=200)] = None,
    photo: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> HTMLResponse:
    """What people have done, the newest first; all of it, or to one individual or photo."""
    events = _events(desk, before, individual, photo)
    more = len(events) > PER_PAGE
    return page(
        request,
        "history.html",
        active="/history",
        events=events[:PER_PAGE],
        older=events[PER_PAGE - 1].action if more else None,
        individual=individual,
        photo=photo,
    )


@router.get("/api/history", tags=["review"])
def history(
    desk: OfDesk,
    before: Before = None,
    count: Annotated[int, Query(ge=1, le=500)] = PER_PAGE,
) -> list[EventOut]:
    """What people have done, the newest first."""
    return [_out(event) for event in desk.catalogue.events(count, before=before)]


@router.get("/history.csv", include_in_schema=False)
def history_csv(desk: OfDesk) -> StreamingResponse:
    """All of it, the oldest first, as a table."""
    events = desk.catalogue.history()
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in desk.name)
    return StreamingResponse(
        _lines(events),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name[:60]}-history.csv"'},
    )


def _events(
    desk: Desk, before: int | None, individual: str | None, photo: int | None
) -> list[Event]:
    if individual is None and photo is None:
        return desk.catalogue.events(PER_PAGE + 1, before=before)
    events = desk.catalogue.history(photo=photo, individual=individual if photo is None else None)
    return [one for one in events[::-1] if before is None or one.action < before][: PER_PAGE + 1]


def _lines(events: list[Event]) -> Iterator[str]:
    columns = ("action", "at", "who", "verb", "summary", "undone", "undoes")
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(columns)
    for event in events:
        row: dict[str, Any] = event.to_dict()
        table.writerow([harmless(row[c]) if isinstance(row[c], str) else row[c] for c in columns])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _out(event: Event) -> EventOut:
    return EventOut(
        action=event.action,
        at=event.at,
        who=event.who,
        verb=event.verb,
        summary=event.summary,
        undone=event.undone,
        undoes=event.undoes,
    )
