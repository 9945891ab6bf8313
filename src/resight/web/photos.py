"""Pictures out, photos in: thumbnails and match lines; adding, enrolling and asking."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel, Field

from resight.catalogue import Enrolled
from resight.errors import ResightError, UnreadablePhoto
from resight.photos.photo import Photo
from resight.web.answers import TOP, told
from resight.web.desk import Desk, OfDesk, OfWho
from resight.web.lines import Lines, match_lines
from resight.web.pictures import SIZES
from resight.web.shapes import AnswerOut, PhotoId, Vectors
from resight.web.uploads import MOST_FILES, as_photo, receive

router = APIRouter()

Files = Annotated[list[UploadFile], File(description="Photos; each its own part of the form.")]
Text = Annotated[str | None, Form(max_length=200)]
BoxText = Annotated[
    str | None,
    Form(pattern=r"^\d{1,6},\d{1,6},\d{1,6},\d{1,6}$", description='"left,top,right,bottom".'),
]


class Refused(BaseModel):
    """A photo that did not come in, and why."""

    file: str
    reason: str


class Received(BaseModel):
    """What came of photos that were sent."""

    added: int = Field(description="New in the catalogue.")
    already: int = Field(description="There before.")
    named: int = Field(description="There before without a name, which they have now.")
    junk: int = Field(description="Passed over: somebody has said that they are junk.")
    refused: list[Refused]
    action: int | None = Field(description="The action's number, to take it back by.")


@router.get(
    "/pictures/{photo}/{size}",
    tags=["photos"],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def picture(desk: OfDesk, photo: PhotoId, size: int) -> Response:
    """A photo as JPEG, its longer side at most 160, 320, 640 or 1600 pixels."""
    if size not in SIZES:
        raise ResightError(f"pictures are of {', '.join(map(str, SIZES))} pixels, not {size}")

    def look() -> bytes:
        return desk.pictures.jpeg(desk.catalogue.shown([photo])[0], size)

    # In threads of their own: a wall of pictures shall not keep a decision waiting.
    made = await to_thread.run_sync(look, limiter=desk.pictures.limiter)
    # The address has the content's hash in it, so the browser may keep it.
    return Response(
        made,
        media_type="image/jpeg",
        headers={"Cache-Control": "private, max-age=31536000, immutable"},
    )


@router.get("/api/lines", tags=["photos"])
def lines(
    desk: OfDesk,
    first: PhotoId,
    second: PhotoId,
) -> Lines:
    """Which places of two photos are the same, to draw lines between."""
    one, other = desk.catalogue.shown([first, second])
    return match_lines(desk, one, other)


@router.post("/api/photos", tags=["photos"])
def bring_in(
    desk: OfDesk,
    who: OfWho,
    files: Files,
    individual: Annotated[
        str | None, Form(max_length=200, description="Whose photos they are, if that is known.")
    ] = None,
    encounter: Text = None,
    side: Text = None,
    place: Text = None,
    box: BoxText = None,
    vector: Annotated[
        str | None,
        Form(max_length=100_000, description="The fingerprint of the one photo, as a JSON list."),
    ] = None,
) -> Received:
    """Add photos, with a name (enrol) or for the queue.

    With a box, that part of each picture is meant. With a vector, of one photo, the model is not
    needed.
    """
    _few(files)
    came: list[Photo] = []
    refused: list[Refused] = []
    fresh: list[Path] = []
    for file in files:
        try:
            one = receive(file.file, file.filename or "", desk.uploads)
        except UnreadablePhoto as error:
            refused.append(Refused(file=error.source, reason=error.reason))
            continue
        fresh += [one.path] if one.fresh else []
        came.append(as_photo(one.path, encounter))
    try:
        done = _written(desk, who, came, individual, side, place, box, vector)
    finally:  # a file that the catalogue does not point to is nobody's
        for path in set(fresh) - desk.catalogue.kept_files(fresh):
            path.unlink(missing_ok=True)
    refused += [Refused(file=Path(e.source).name, reason=e.reason) for e in done.unreadable]
    return Received(
        added=done.added,
        already=done.already,
        named=done.named,
        junk=len(done.junk),
        refused=refused,
        action=done.action,
    )


@router.post("/api/ask", tags=["programs"])
def ask(desk: OfDesk, asked: Vectors) -> list[AnswerOut]:
    """Who is it? For fingerprints that are made already."""
    import numpy as np

    vectors = np.array(asked.vectors, np.float64) if _even(asked.vectors) else asked.vectors
    answers = desk.catalogue.identify_vectors(vectors, top=asked.top, together=asked.together)
    return [told(desk, answer, set()) for answer in answers]


@router.post("/api/ask/photo", tags=["programs"])
def ask_photo(
    desk: OfDesk,
    file: Annotated[UploadFile, File(description="The photo; it is not kept.")],
    box: BoxText = None,
) -> AnswerOut:
    """Who is on a photo? Nothing is added to the catalogue."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="resight-") as folder:
        path = receive(file.file, file.filename or "", Path(folder)).path
        answer = desk.catalogue.identify([Photo(path, box=_box(box))], top=TOP)[0]
    return told(desk, answer, set())


def _written(
    desk: Desk,
    who: str,
    photos: list[Photo],
    individual: str | None,
    side: str | None,
    place: str | None,
    box: str | None,
    vector: str | None,
) -> Enrolled:
    if not photos:
        return Enrolled((), 0, 0)
    known = [
        replace(
            photo,
            individual=individual or None,
            side=side or None,
            place=place or None,
            box=_box(box),
        )
        for photo in photos
    ]
    vectors = None if vector is None else [_vector(vector)]
    if individual:
        return desk.catalogue.enrol_many(known, vectors=vectors, who=who)
    return desk.catalogue.add(known, vectors=vectors, who=who)


def _few(files: list[UploadFile]) -> None:
    if len(files) > MOST_FILES:
        raise ResightError(f"{len(files)} photos at once are too many; send {MOST_FILES} at most")


def _box(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    left, top, right, bottom = map(int, text.split(","))
    return left, top, right, bottom


def _vector(text: str) -> list[float]:
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError):
        numbers = None
    if not isinstance(numbers, list) or not all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in numbers
    ):
        raise ResightError("a vector is a JSON list of numbers, such as [0.6, 0.8]")
    return [float(one) for one in numbers]


def _even(rows: list[list[float]]) -> bool:
    return len({len(row) for row in rows}) == 1
