"""The map of fingerprints: where each photo lies, and whose names are doubted."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from resight.catalogue.gallery import Rows
from resight.catalogue.prints import Prints
from resight.catalogue.search import Vectors
from resight.errors import ResightError
from resight.evaluate.doubts import Doubt, Near, doubts, outliers
from resight.web.desk import Desk, OfDesk, OfWho, page
from resight.web.jobs import JobOut
from resight.web.layout import MOST, kept_layout, layout
from resight.web.queue import Ids, _some
from resight.web.shapes import MOST_TOGETHER, Given, Name, PhotoId, PhotoOut
from resight.web.whose import say_whose

router = APIRouter()
DOUBTED = 30
NEAREST = 10


class MapOut(BaseModel):
    """A map: a column a property, a row a photo."""

    photos: list[int] = Field(description="Numbers of the photos.")
    x: list[float] = Field(description="From -1 (left) to 1, but for a few far out.")
    y: list[float] = Field(description="From -1 (below) to 1, likewise.")
    who: list[int] = Field(description="Place of each one's individual in `names`; -1: nobody yet.")
    names: list[str] = Field(description="Of the individuals, those with the most photos first.")
    way: str = Field(description='"t-SNE", or "plane" (two main directions) until that is made.')
    drawn: int
    total: int = Field(description="Photos that there are: of very many, not all are drawn.")
    job: JobOut | None = Field(description="The work that lays the map out.")


class Doubted(BaseModel):
    """A photo whose name the fingerprints doubt."""

    photo: PhotoOut
    individual: str = Field(description="Whom its nearest photos show.")
    nearest: PhotoOut = Field(description="The nearest of those.")
    own: PhotoOut = Field(description="The nearest of the individual's that it is named after.")
    words: str


class Outlier(BaseModel):
    """A photo that is like no other."""

    photo: PhotoOut
    words: str


class Doubts(BaseModel):
    """What to look at."""

    ready: bool = Field(description="False while the neighbours are looked for.")
    doubts: list[Doubted]
    outliers: list[Outlier]


class Neighbour(PhotoOut):
    """A photo near another."""

    distance: float = Field(description="Cosine distance, from 0 to 2.")


class Whose(Given):
    """Who is on photos, named or not."""

    photos: Annotated[list[PhotoId], Field(min_length=1, max_length=MOST_TOGETHER)]
    individual: Name
    known: bool = Field(description="Whether the individual is to be there already, or to be new.")
    seen: dict[PhotoId, Annotated[int, Field(ge=0)]] | None = Field(
        default=None, max_length=MOST_TOGETHER, description="See `Decision`."
    )


class Said(BaseModel):
    """What came of it: one action, or two where some had a name before and some had none."""

    actions: list[int] = Field(description="Their numbers, to take them back by, the last first.")
    summary: str


@router.get("/map", include_in_schema=False, response_class=HTMLResponse)
def map_page(request: Request, desk: OfDesk) -> HTMLResponse:
    """The map's page; where the photos lie is fetched by it."""
    return page(request, "map.html", active="/map", counts=desk.catalogue.counts(), most=MOST)


@router.get("/api/map", tags=["map"])
async def map_of(desk: OfDesk) -> MapOut:
    """Where each photo lies: at once by a plane, and while you wait by t-SNE."""
    return await to_thread.run_sync(lambda: _map(desk), limiter=desk.pictures.limiter)


@router.get("/api/map/progress", tags=["map"])
def progress(desk: OfDesk) -> JobOut | None:
    """How far the map is laid out; null where nothing has been to do."""
    return JobOut.of(desk.jobs.get("map"))


@router.get("/api/map/doubts", tags=["map"])
async def map_doubts(desk: OfDesk) -> Doubts:
    """Photos whose names the fingerprints doubt, and photos that are like no other."""
    return await to_thread.run_sync(lambda: _doubts(desk), limiter=desk.pictures.limiter)


@router.get("/api/map/near", tags=["map"])
def near(desk: OfDesk, photo: PhotoId) -> list[Neighbour]:
    """The photos that are most like this one, among those of the map."""
    prints = desk.catalogue.prints(MOST)
    vector = _vector(desk, prints, photo)
    cosines = prints.vectors @ vector
    cosines[prints.photos == photo] = -np.inf
    best = np.argsort(-cosines, kind="stable")[: min(NEAREST, len(cosines))]
    best = best[np.isfinite(cosines[best])]
    shown = desk.catalogue.shown(prints.photos[best].tolist())
    return [
        Neighbour(**PhotoOut.of(one).model_dump(), distance=max(0.0, 1 - float(cosines[place])))
        for one, place in zip(shown, best, strict=True)
    ]


@router.get("/api/map/photos", tags=["map"])
def some_photos(desk: OfDesk, photos: Ids) -> list[PhotoOut]:
    """What is known of some photos."""
    return [PhotoOut.of(one) for one in desk.catalogue.shown(_some(photos))]


@router.post("/api/map/whose", tags=["map"])
def whose(desk: OfDesk, who: OfWho, said: Whose) -> Said:
    """Say who is on photos: those without a name get it, those of somebody else are moved.

    To somebody new, photos of one individual are split off it. All of it is done, or nothing.
    """
    done = say_whose(
        desk.catalogue, said.photos, said.individual, known=said.known, seen=said.seen, who=who
    )
    return Said(
        actions=[one.action for one in reversed(done) if one.action is not None],
        summary="; ".join(one.summary for one in done),
    )


def _map(desk: Desk) -> MapOut:
    prints = desk.catalogue.prints(MOST)
    made, job = layout(desk, prints)
    ids, first, counts = np.unique(prints.individuals, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    order = order[ids[order] > 0]
    rank = np.full(len(ids), -1, np.int64)
    rank[order] = np.arange(len(order))
    places = np.round(made.positions.astype(np.float64), 4)
    return MapOut.model_construct(
        photos=prints.photos.tolist(),
        x=places[:, 0].tolist(),
        y=places[:, 1].tolist(),
        who=rank[np.searchsorted(ids, prints.individuals)].tolist(),
        names=[prints.names[i] for i in ids[order].tolist()],
        way=made.way,
        drawn=len(prints),
        total=prints.total,
        job=JobOut.of(job),
    )


def _doubts(desk: Desk) -> Doubts:
    prints = desk.catalogue.prints(MOST)
    kept = kept_layout(desk, prints)
    if kept is None or kept.near is None:
        return Doubts(ready=len(prints) < 2, doubts=[], outliers=[])
    revision = desk.catalogue.revision()
    known = desk.memory.get("doubts")
    if known is None or known[0] != (revision, id(kept.near)):
        known = ((revision, id(kept.near)), _found(desk, prints, kept.photos, kept.near))
        desk.memory["doubts"] = known
    result: Doubts = known[1]
    return result


def _found(desk: Desk, prints: Prints, photos: Rows, near: Near) -> Doubts:
    """The doubts about a map's photos, by their names of now."""
    at = np.searchsorted(prints.photos, photos)
    at[at == len(prints)] = 0
    here = prints.photos[at] == photos
    who = np.where(here, prints.individuals[at], 0)
    encounters = np.where(here, prints.encounters[at], 0)
    # A "no" of a person outlives the doubt.
    place_of = {photo: place for place, photo in enumerate(photos.tolist())}
    apart = {
        (place_of[one], int(who[place_of[other]]))
        for pair in prints.apart.tolist()
        for one, other in (pair, pair[::-1])
        if one in place_of and other in place_of
    }
    doubted = doubts(near, prints.take(at), who, encounters, apart=apart, most=DOUBTED)
    lonely = [one for one in outliers(near, encounters) if here[one[0]]]
    wanted = {int(photos[p]) for one in doubted for p in (one.place, one.nearest, one.own)}
    wanted |= {int(photos[place]) for place, _ in lonely}
    shown = {one.id: PhotoOut.of(one) for one in desk.catalogue.shown(sorted(wanted))}
    return Doubts(
        ready=True,
        doubts=[
            Doubted(
                photo=shown[int(photos[one.place])],
                individual=prints.names[one.other],
                nearest=shown[int(photos[one.nearest])],
                own=shown[int(photos[one.own])],
                words=_in_words(one, prints.names[one.other], prints.names[int(who[one.place])]),
            )
            for one in doubted
        ],
        outliers=[
            Outlier(
                photo=shown[int(photos[place])],
                words=f"The photo most like it is {1 - cosine:.2f} away.",
            )
            for place, cosine in lonely
        ],
    )


def _in_words(one: Doubt, other: str, own: str) -> str:
    many = f"{one.agreeing} of the {one.asked} photos" if one.asked > 1 else "the photo"
    are = "are" if one.agreeing > 1 else "is"
    return (
        f"Named {own}, but {many} most like it {are} {other}'s: {1 - one.cosine:.2f} away, and the "
        f"nearest of {own} {1 - one.own_cosine:.2f}."
    )


def _vector(desk: Desk, prints: Prints, photo: int) -> Vectors:
    place = int(np.searchsorted(prints.photos, photo))
    if place < len(prints) and prints.photos[place] == photo:
        return prints.take(np.array([place]))[0]
    everything = desk.catalogue.prints()
    place = int(np.searchsorted(everything.photos, photo))
    if place == len(everything) or everything.photos[place] != photo:
        raise ResightError(f"photo {photo}: has no fingerprint here")
    return everything.take(np.array([place]))[0]
