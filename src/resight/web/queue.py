"""The queue: what waits for a decision, the answer beside it, the decision, and its undoing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from resight.catalogue import Done
from resight.catalogue.meanwhile import DecidedMeanwhile
from resight.errors import ResightError
from resight.web.answers import answer_for
from resight.web.desk import Desk, OfDesk, OfTab, OfWho
from resight.web.shapes import (
    AnswerOut,
    Decided,
    Decision,
    Item,
    PhotoId,
    PhotoOut,
    Queue,
    Undo,
)

router = APIRouter(prefix="/api", tags=["review"])

# What the key for undo takes back; of what came in by hundreds, the history page does.
DECISIONS = (
    *("name", "not-same", "later", "junk", "move", "merge", "split", "rename", "describe"),
    *("take-out", "best-photo", "forget"),
)
Ids = Annotated[str, Query(pattern=r"^(\d{1,9}(,\d{1,9})*)?$", max_length=5000)]


@router.get("/queue")
def queue(
    desk: OfDesk,
    tab: OfTab,
    count: Annotated[int, Query(ge=0, le=20)] = 3,
    have: Ids = "",
) -> Queue:
    """The next that wait for a decision and are in nobody else's hands.

    They are lent to who asks (by the header X-Resight-Tab), for a minute and a half; `have` are
    numbers of photos that it has already, and keeps.
    """
    mine = _numbers(have)
    desk.leases.keep_only(tab, mine)
    lent = desk.leases.others(tab)
    items = [
        Item.of(one)
        for one in desk.catalogue.waiting(count, skip=lent | set(mine))
        if one.photos and desk.leases.take(tab, [photo.id for photo in one.photos])
    ]
    return Queue(
        items=items,
        waiting=desk.catalogue.counts().waiting,
        others=desk.leases.holders(tab),
    )


@router.get("/answers")
def answers(desk: OfDesk, photos: Ids) -> AnswerOut:
    """Who is on these photos of the catalogue, all of one individual."""
    return answer_for(desk, _some(photos))


@router.get("/photos/{photo}")
def photo(desk: OfDesk, photo: PhotoId) -> PhotoOut:
    """What is known of a photo."""
    return PhotoOut.of(desk.catalogue.shown([photo])[0])


@router.post("/decisions")
def decide(desk: OfDesk, who: OfWho, said: Decision) -> Decided:
    """Say who is on photos, who is not, that they are junk, or that it is for later."""
    try:
        done = _decide(desk, who, said)
    except DecidedMeanwhile:
        if not _is_so(desk, who, said):
            raise
        done = Done(None, "nothing to do: it is so already")
    now = {one.id: one.last_word for one in desk.catalogue.shown(said.photos)}
    return Decided(action=done.action, summary=done.summary, last_words=now)


@router.post("/undo")
def undo(desk: OfDesk, who: OfWho, which: Undo) -> Decided:
    """Take back an action, or the last decision of who asks."""
    action = which.action
    if action is None:
        last = desk.catalogue.last_action(who)
        if last is None:
            raise ResightError(f"there is nothing of {who} to take back")
        action, verb, summary = last
        if verb not in DECISIONS:
            raise ResightError(
                f"the last thing that {who} did is no decision ({summary}); the history takes "
                "it back"
            )
    done = desk.catalogue.undo(action, who=who)
    return Decided(action=done.action, summary=done.summary)


@router.post("/redo")
def redo(desk: OfDesk, who: OfWho) -> Decided:
    """Do again what was taken back last."""
    done = desk.catalogue.redo(who=who)
    return Decided(action=done.action, summary=done.summary)


@router.get("/names")
def names(desk: OfDesk, part: Annotated[str, Query(max_length=200)] = "") -> list[str]:
    """Names that have this in them, those that begin so first."""
    return desk.catalogue.names(part, count=12)


def _decide(desk: Desk, who: str, said: Decision) -> Done:
    book, photos = desk.catalogue, list(said.photos)
    if said.what == "later":
        return book.later(photos, seen=said.seen, who=who)
    if said.what == "junk":
        return book.junk(photos, seen=said.seen, who=who)
    if said.individual is None:
        raise ResightError(f"{said.what}: who? Give the individual's name")
    if said.what == "not the same":
        return book.not_same(
            photos,
            individual=said.individual,
            shown=said.shown,
            probability=said.probability,
            seen=said.seen,
            who=who,
        )
    return book.name(
        photos,
        said.individual,
        alone=True,
        known=said.what == "same",
        shown=said.shown,
        probability=said.probability,
        seen=said.seen,
        who=who,
    )


def _is_so(desk: Desk, who: str, said: Decision) -> bool:
    """Whether what is said is so already: a decision that was sent twice, by a bad line."""
    shown = desk.catalogue.shown(said.photos)
    if said.what in ("same", "new"):
        return all(one.individual == said.individual and one.state == "in" for one in shown)
    if said.what == "junk":
        return all(one.state == "junk" for one in shown)
    # These may be said again; only the same person's last word on each is the same saying.
    for photo in said.photos:
        last = desk.catalogue.decisions(photo)[-1]
        if (last.who, last.what, last.individual) != (who, said.what, said.individual):
            return False
        if last.undone:
            return False
    return True


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")] if text else []


def _some(text: str) -> list[int]:
    numbers = list(dict.fromkeys(_numbers(text)))
    if not numbers:
        raise ResightError("no photos given; give one at least")
    return numbers
