"""One individual: its photos, who may be the same, and all that is done to it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from resight.catalogue import Done
from resight.catalogue.browse_individuals import Portrait
from resight.errors import ResightError, UnusableCatalogue
from resight.web.answers import told
from resight.web.desk import Desk, OfDesk, OfWho, page
from resight.web.shapes import (
    MOST_TOGETHER,
    AnswerOut,
    Decided,
    Given,
    Name,
    PhotoId,
    PhotoOut,
)

router = APIRouter()
SHOWN = 400  # photos on a page, the newest first, unless all are asked for
ALIKE = 12
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Photos = Annotated[list[PhotoId], Field(min_length=1, max_length=MOST_TOGETHER)]
Seen = Annotated[
    dict[PhotoId, Annotated[int, Field(ge=0)]] | None,
    Field(
        max_length=MOST_TOGETHER,
        description="`last_word` of each photo as it was shown; a later decision is then refused.",
    ),
]


class Rename(Given):
    """Another name."""

    individual: Name
    new: Name


class Merge(Given):
    """Two that are one."""

    individual: Name = Field(description="Whose photos go to the other; its name goes.")
    into: Name


class Split(Given):
    """Photos that show another, who is new."""

    individual: Name
    photos: Photos
    new: Name
    seen: Seen = None


class TakeOut(Given):
    """Photos that are not of an individual."""

    individual: Name
    photos: Photos
    seen: Seen = None


class Move(Given):
    """Photos that show another, who is known."""

    photos: Photos
    to: Name
    seen: Seen = None


class Best(Given):
    """A photo that its individual is best known by."""

    photo: PhotoId


class Forget(Given):
    """Somebody without photos."""

    individual: Name


class PlaceOut(BaseModel):
    """Where encounters were: degrees, WGS 84."""

    latitude: float
    longitude: float
    encounters: int


class Like(BaseModel):
    """Who may be the same individual."""

    answer: AnswerOut
    numbers: dict[str, int] = Field(description="The candidates' own, by their names.")
    pairs: dict[int, PhotoOut] = Field(
        description="For each photo of a candidate, the individual's own that is nearest to it."
    )


@router.get("/individuals/called", include_in_schema=False)
def called(desk: OfDesk, name: Annotated[str, Query(max_length=200)]) -> RedirectResponse:
    """To the page of who is called so."""
    return RedirectResponse(f"/individuals/{desk.catalogue.number_of(name)}", 303)


# "int": fasthtml, which fastai imports, lets a part of a path that is text be empty.
@router.get("/individuals/{number:int}", include_in_schema=False, response_class=HTMLResponse)
def individual_page(
    request: Request, desk: OfDesk, number: Number, everything: Annotated[bool, Query()] = False
) -> HTMLResponse:
    """One individual, its photos by encounter."""
    one = desk.catalogue.portrait(number)
    photos = one.photos
    shown, count = [], 0
    for meeting in one.meetings:
        if count >= SHOWN and not everything:
            break
        shown.append(meeting)
        count += len(meeting.photos)
    face = next((photo for photo in photos if photo.id == one.best), None)
    first = min(photos, key=lambda photo: photo.id, default=None)
    return page(
        request,
        "individual.html",
        active="/individuals",
        one=one,
        face=face or first,
        facts=_facts(one),
        meetings=shown,
        left=len(photos) - count,
        suggested=desk.catalogue.suggested_name(),
    )


@router.get("/individuals/{number:int}/merge", include_in_schema=False, response_class=HTMLResponse)
def merge_page(request: Request, desk: OfDesk, number: Number) -> HTMLResponse:
    """Who may be the same, side by side; the page fetches it."""
    one = desk.catalogue.portrait(number)
    photos = [PhotoOut.of(photo).model_dump() for photo in one.photos[:SHOWN]]
    return page(request, "merge.html", active="/individuals", one=one, photos=photos)


@router.get("/api/individuals/{number}/alike", tags=["individuals"])
def alike(desk: OfDesk, number: Number) -> Like:
    """Who may be the same individual, by the fingerprints of all its photos; likeliest first."""
    one = desk.catalogue.portrait(number)
    sides = {photo.side for photo in one.photos if photo.side}
    try:
        found = desk.catalogue.alike(one.name, top=ALIKE)
    except UnusableCatalogue:
        raise ResightError("there is nobody else to compare it with") from None
    answer = told(desk, found.answer, sides)
    answer.candidates = [one for one in answer.candidates if one.individual is not None]
    mine = {photo.id: PhotoOut.of(photo) for photo in one.photos}
    names = [one.individual for one in answer.candidates if one.individual is not None]
    return Like(
        answer=answer,
        numbers={name: desk.catalogue.number_of(name) for name in names},
        pairs={theirs: mine[own] for theirs, own in found.pairs.items() if own in mine},
    )


@router.get("/api/places", tags=["individuals"])
def places(desk: OfDesk) -> list[PlaceOut]:
    """Where all encounters were, those near each other as one."""
    revision = desk.catalogue.revision()
    kept = desk.memory.get("places")
    if kept is None or kept[0] != revision:
        found = [
            PlaceOut(latitude=one.latitude, longitude=one.longitude, encounters=one.encounters)
            for one in desk.catalogue.places()
        ]
        desk.memory["places"] = kept = (revision, found)
    spots: list[PlaceOut] = kept[1]
    return spots


@router.post("/api/individuals/rename", tags=["individuals"])
def rename(desk: OfDesk, who: OfWho, said: Rename) -> Decided:
    """Give an individual another name."""
    return _decided(desk.catalogue.rename(said.individual, said.new, who=who))


@router.post("/api/individuals/merge", tags=["individuals"])
def merge(desk: OfDesk, who: OfWho, said: Merge) -> Decided:
    """Say that two individuals are one."""
    return _decided(desk.catalogue.merge(said.individual, into=said.into, who=who))


@router.post("/api/individuals/split", tags=["individuals"])
def split(desk: OfDesk, who: OfWho, said: Split) -> Decided:
    """Say that some photos of an individual show another, who is new."""
    done = desk.catalogue.split(
        said.individual, list(said.photos), new=said.new, seen=said.seen, who=who
    )
    return _decided(done, desk, said.photos)


@router.post("/api/individuals/take-out", tags=["individuals"])
def take_out(desk: OfDesk, who: OfWho, said: TakeOut) -> Decided:
    """Say that photos are not of this individual: they wait for a name again, and stay out."""
    done = desk.catalogue.take_out(said.individual, list(said.photos), seen=said.seen, who=who)
    return _decided(done, desk, said.photos)


@router.post("/api/individuals/move", tags=["individuals"])
def move(desk: OfDesk, who: OfWho, said: Move) -> Decided:
    """Say that photos show another, who is in the catalogue."""
    done = desk.catalogue.move(list(said.photos), said.to, seen=said.seen, who=who)
    return _decided(done, desk, said.photos)


@router.post("/api/individuals/best", tags=["individuals"])
def best(desk: OfDesk, who: OfWho, said: Best) -> Decided:
    """Choose the photo that its individual is best known by."""
    return _decided(desk.catalogue.best_photo(said.photo, who=who))


@router.post("/api/individuals/forget", tags=["individuals"])
def forget(desk: OfDesk, who: OfWho, said: Forget) -> Decided:
    """Let go of somebody who has no photos."""
    return _decided(desk.catalogue.forget(said.individual, who=who))


def _decided(done: Done, desk: Desk | None = None, photos: list[int] | None = None) -> Decided:
    now = desk.catalogue.shown(photos) if desk and photos else []
    return Decided(
        action=done.action, summary=done.summary, last_words={one.id: one.last_word for one in now}
    )


def _facts(one: Portrait) -> dict[str, Any]:
    """What the head of the page says of an individual."""
    photos = one.photos
    dates = sorted(meeting.at for meeting in one.meetings if meeting.at is not None)
    places = Counter(meeting.place for meeting in one.meetings if meeting.place)
    return {
        "photos": len(photos),
        "encounters": sum(meeting.name is not None for meeting in one.meetings),
        "sides": Counter(photo.side or "side not known" for photo in photos).most_common()
        if any(photo.side for photo in photos)
        else [],
        "first": dates[0] if dates else None,
        "last": dates[-1] if dates else None,
        "places": places.most_common(4),
    }
