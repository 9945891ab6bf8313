"""Proposed groups: photos without a name that may show one individual, confirmed or taken apart."""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from resight.catalogue.group import Grouping
from resight.catalogue.proposals import Proposal
from resight.errors import ResightError
from resight.web.desk import Desk, OfDesk, OfWho, page
from resight.web.shapes import MOST_TOGETHER, Decided, Given, Name, PhotoId, PhotoOut

router = APIRouter()
SHOWN = 60  # groups on a page: the largest first
_grouping = threading.Lock()


class GroupOut(BaseModel):
    """Photos that may show one individual."""

    number: int
    name: str
    known: bool = Field(description="Whether that individual is in the catalogue.")
    photos: list[PhotoOut]


class Groups(BaseModel):
    """What is proposed; nothing is written."""

    groups: list[GroupOut]
    total: int
    loners: int = Field(description="Photos near no other.")
    why: list[str]


class Confirm(Given):
    """A group as a person leaves it."""

    photos: Annotated[list[PhotoId], Field(min_length=1, max_length=MOST_TOGETHER)]
    name: Name
    known: bool = Field(description="Whether the name is to be there already, or to be new.")


class Confirmed(BaseModel):
    """What was named, and what was not."""

    named: int
    already: int
    refused: list[str]
    action: int | None


class Apart(Given):
    """Photos that do not show the same individual."""

    photos: Annotated[list[PhotoId], Field(min_length=1, max_length=50)]
    other: PhotoId


@router.get("/groups", include_in_schema=False, response_class=HTMLResponse)
def groups_page(request: Request, desk: OfDesk) -> HTMLResponse:
    """Groups, once they are found: that may take a while, so the page fetches them."""
    return page(request, "groups.html", active="/groups", counts=desk.catalogue.counts())


@router.get("/api/groups", tags=["review"])
def groups(desk: OfDesk) -> Groups:
    """Propose individuals for the photos without a name, the largest groups first."""
    try:
        found = _found(desk)
    except ResightError:
        if desk.catalogue.counts().waiting:
            raise
        return Groups(groups=[], total=0, loners=0, why=[])
    shown = found.groups[:SHOWN]
    photos = {
        photo.id: photo
        for photo in desk.catalogue.shown([one.id for group in shown for one in group.photos])
    }
    return Groups(
        groups=[
            GroupOut(
                number=group.number,
                name=group.name,
                known=group.known,
                photos=[PhotoOut.of(photos[one.id]) for one in group.photos],
            )
            for group in shown
        ],
        total=len(found.groups),
        loners=len(found.loners),
        why=list(found.why),
    )


@router.post("/api/groups/confirm", tags=["review"])
def confirm(desk: OfDesk, who: OfWho, said: Confirm) -> Confirmed:
    """Name a group's photos; those that somebody has decided on meanwhile are left alone."""
    shown = desk.catalogue.shown(said.photos)
    proposals = [Proposal(1, said.name, said.known, one.id, one.content_hash) for one in shown]
    done = desk.catalogue.confirm_groups(proposals, who=who)
    return Confirmed(
        named=sum(done.named.values()),
        already=done.already,
        refused=list(done.refused),
        action=done.actions[-1] if done.actions else None,
    )


@router.post("/api/groups/apart", tags=["review"])
def apart(desk: OfDesk, who: OfWho, said: Apart) -> Decided:
    """Say that photos do not show whom another photo shows; no group holds both any more."""
    done = desk.catalogue.not_same(list(said.photos), said.other, who=who)
    return Decided(action=done.action, summary=done.summary)


def _found(desk: Desk) -> Grouping:
    """Found once for each state of the catalogue, by one thread at a time."""
    with _grouping:
        revision = desk.catalogue.revision()
        kept = desk.memory.get("groups")
        if kept is None or kept[0] != revision:
            kept = (revision, desk.catalogue.group())
            desk.memory["groups"] = kept
        grouping: Grouping = kept[1]
        return grouping
