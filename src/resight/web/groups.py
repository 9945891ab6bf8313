"""Proposed groups: photos without a name that may show one individual, confirmed or taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from resight.catalogue.group import Group, Grouping
from resight.catalogue.proposals import Proposal
from resight.errors import ResightError
from resight.web.desk import Desk, OfDesk, OfWho, page
from resight.web.jobs import Job, JobOut
from resight.web.shapes import MOST_TOGETHER, Decided, Given, Name, PhotoId, PhotoOut

router = APIRouter()
SHOWN = 60  # groups on a page: the largest first
SOON = 0.2  # seconds that the answer waits for what may be there by then


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
    current: bool = Field(
        description="Whether nothing has been decided since they were looked for. If not, they are "
        "being looked for; the groups are then those found before, without the photos decided on."
    )
    job: JobOut | None = Field(description="How far the looking is.")


@dataclass(frozen=True)
class Found:
    """What was found last.

    Attributes:
        revision: of the catalogue that it was found in.
        last_word: number of the last decision then.
        grouping: what is proposed.
    """

    revision: int
    last_word: int
    grouping: Grouping


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
    """Propose individuals for the photos without a name, the largest groups first.

    They are looked for beside the pages, in minutes where there are very many; ask again until
    `current`.
    """
    found, job = _found(desk)
    if job is not None and job.error:
        if desk.catalogue.counts().waiting:
            raise ResightError(job.error)
        return Groups(groups=[], total=0, loners=0, why=[], current=True, job=None)
    if found is None:
        return Groups(groups=[], total=0, loners=0, why=[], current=False, job=JobOut.of(job))
    groups, current = found.grouping.groups, job is None
    shown: list[GroupOut] = []
    for start in range(0, len(groups), SHOWN):  # those that are decided on make room for others
        shown = _undecided(desk, found, groups[start : start + SHOWN])
        if shown:
            break
    return Groups(
        groups=shown,
        total=len(groups) if current else len(shown),
        loners=len(found.grouping.loners),
        why=list(found.grouping.why),
        current=current,
        job=JobOut.of(job),
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


def _found(desk: Desk) -> tuple[Found | None, Job | None]:
    """What was found last; and the looking, where something has been decided since."""
    revision = desk.catalogue.revision()
    found: Found | None = desk.memory.get("groups")
    if found is not None and found.revision == revision:
        return found, None

    def look(job: Job) -> int:
        job.result = revision
        last_word = desk.catalogue.last_word()
        grouping = desk.catalogue.group(progress=job.tell)
        desk.memory["groups"] = Found(revision, last_word, grouping)
        return revision

    job = desk.jobs.get("groups")
    if job is None or not job.done or not (job.error and job.result == revision):
        job = desk.jobs.start("groups", "Reading", look)
    if job.wait(SOON) and job.result == revision:
        found = desk.memory.get("groups")
        return (found, job) if job.error else (found, None)
    return found, job


def _undecided(desk: Desk, found: Found, some: Sequence[Group]) -> list[GroupOut]:
    """Groups with the photos on which nobody has decided since they were found."""
    ids = [one.id for group in some for one in group.photos]
    there = {
        one.id: PhotoOut.of(one)
        for one in desk.catalogue.shown(ids, even_gone=True)
        if one.last_word <= found.last_word and one.individual is None and one.state == "in"
    }
    left = [(group, [there[one.id] for one in group.photos if one.id in there]) for group in some]
    return [
        GroupOut(number=group.number, name=group.name, known=group.known, photos=photos)
        for group, photos in left
        if len(photos) >= (1 if group.known else 2)
    ]
