"""The wall of faces: everybody, in some order, found by a part of a name."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from resight.catalogue.browse import Shown, natural
from resight.catalogue.faces import Face, Faces
from resight.web.desk import Desk, OfDesk, page
from resight.web.shapes import PhotoOut

router = APIRouter()
AT_ONCE = 96  # faces that come together; it divides by 2, 3, 4, 6 and 8, the rows of a wall
Order = Literal["name", "photos", "seen", "new"]
ORDERS = {"name": "Name", "photos": "Most photos", "seen": "Seen last", "new": "Newest"}
_KEYS: dict[str, Callable[[Face], Any]] = {
    "name": lambda face: (natural(face.name), face.id),
    "photos": lambda face: (-face.photos, natural(face.name), face.id),
    "seen": lambda face: (-(face.last or datetime.min).toordinal(), natural(face.name), face.id),
    "new": lambda face: -face.id,
}
_looking = threading.Lock()
Part = Annotated[str, Query(max_length=200)]
Skip = Annotated[int, Query(ge=0, le=10_000_000)]


class FaceOut(BaseModel):
    """An individual, and the photo that it is shown by."""

    id: int
    name: str
    photos: int
    encounters: int
    last: str | None = Field(description="When it was seen last: 2025-05-01.")
    photo: PhotoOut | None


class Wall(BaseModel):
    """Some of everybody."""

    total: int = Field(description="How many have this in their names.")
    faces: list[FaceOut]


@router.get("/individuals", include_in_schema=False, response_class=HTMLResponse)
def wall_page(
    request: Request, desk: OfDesk, part: Part = "", order: Order = "name"
) -> HTMLResponse:
    """The wall, with the first faces in it."""
    return page(
        request,
        "individuals.html",
        active="/individuals",
        orders=ORDERS,
        everybody=len(everybody(desk, "name")),
        **_some(desk, part, order, 0),
    )


@router.get("/individuals/faces", include_in_schema=False, response_class=HTMLResponse)
def more_faces(
    request: Request, desk: OfDesk, part: Part = "", order: Order = "name", skip: Skip = 0
) -> HTMLResponse:
    """The next faces, to be put into the wall."""
    return page(request, "faces.html", **_some(desk, part, order, skip))


@router.get("/api/individuals", tags=["individuals"])
def individuals(
    desk: OfDesk,
    part: Part = "",
    order: Order = "name",
    skip: Skip = 0,
    count: Annotated[int, Query(ge=1, le=1000)] = AT_ONCE,
) -> Wall:
    """Everybody, or those who have this in their names; some at a time."""
    found = _some(desk, part, order, skip, count)
    return Wall(
        total=found["total"],
        faces=[
            FaceOut(
                id=face.id,
                name=face.name,
                photos=face.photos,
                encounters=face.encounters,
                last=face.last.date().isoformat() if face.last else None,
                photo=PhotoOut.of(photo) if photo else None,
            )
            for face, photo in found["faces"]
        ],
    )


def _some(desk: Desk, part: str, order: str, skip: int, count: int = AT_ONCE) -> dict[str, Any]:
    """What `faces.html` shows: faces with their photos, how many there are, and what comes next."""
    found = everybody(desk, order)
    plain = part.strip().casefold()
    if plain:
        found = [face for face in found if plain in face.name.casefold()]
        # Who begins so comes first; among these and the others the order stays.
        found.sort(key=lambda face: not face.name.casefold().startswith(plain))
    some = found[skip : skip + count]
    photos: dict[int, Shown] = {
        one.id: one for one in desk.catalogue.shown([f.photo for f in some if f.photo is not None])
    }
    return {
        "faces": [(f, None if f.photo is None else photos[f.photo]) for f in some],
        "total": len(found),
        "part": part,
        "order": order,
        "next": skip + count if skip + count < len(found) else None,
    }


def everybody(desk: Desk, order: str) -> list[Face]:
    """All faces, in this order; after a decision only those that it touched are put elsewhere."""
    with _looking:
        kept: tuple[Faces, dict[str, list[Face]]] = desk.memory.get("wall", (None, {}))
        before, orders = kept
        now = desk.catalogue.faces_now(before)
        if now is not before:
            orders = {} if now.touched is None else _moved(orders, now, now.touched)
            desk.memory["wall"] = (now, orders)
        if order not in orders:
            orders[order] = sorted(now.everybody.values(), key=_KEYS[order])
        return orders[order]


def _moved(
    orders: dict[str, list[Face]], now: Faces, touched: frozenset[int]
) -> dict[str, list[Face]]:
    """The orders with some faces taken out and put back where they belong by now."""
    moved = {}
    for order, found in orders.items():
        moved[order] = [face for face in found if face.id not in touched]
        for number in touched & now.everybody.keys():
            insort(moved[order], now.everybody[number], key=_KEYS[order])
    return moved
