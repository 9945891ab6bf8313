"""Draw a glyph: what is drawn is asked about while it is, and one drawing is enough to enrol it."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path
from typing import Annotated

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from resight.catalogue import Answer
from resight.catalogue.checks import checked_name
from resight.errors import ResightError
from resight.evaluate.map import beside
from resight.fingerprint.model import Card
from resight.photos.decode import Pixels, read_image
from resight.photos.look import like_mnist
from resight.photos.strokes import SIDE, draw_paths
from resight.web.desk import Desk, OfDesk, OfWho, page
from resight.web.layout import MOST, layout
from resight.web.shapes import Given, Name, PhotoOut
from resight.web.uploads import receive
from resight.web.words import in_words, percent

router = APIRouter()
NEAREST = 8
TOP = 5
_MOST_STROKES, _MOST_POINTS = 100, 20_000

Place = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Path_ = Annotated[
    list[Annotated[list[Place], Field(min_length=2, max_length=2)]],
    Field(min_length=1, max_length=5000),
]


class Drawing(Given):
    """A drawing: either the pen's ways, or the picture that was made of one."""

    strokes: Annotated[list[Path_], Field(min_length=1, max_length=_MOST_STROKES)] | None = Field(
        default=None, description="Of each stroke the points [x, y], y downward, of any size."
    )
    pixels: Annotated[str, Field(max_length=1100)] | None = Field(
        default=None, description="28 × 28 bytes, row by row, white on black, as base64."
    )


class Named(Drawing):
    """A drawing, and what it is called."""

    name: Name


class Guess(BaseModel):
    """What a drawing may be."""

    individual: str | None = Field(description="None: something new.")
    probability: float
    percent: str
    words: str
    photo: PhotoOut | None


class NearPhoto(PhotoOut):
    """A photo near a drawing."""

    distance: float


class Drawn(BaseModel):
    """What is said of a drawing."""

    pixels: str = Field(description="What the model is given: 28 × 28 bytes as base64.")
    guesses: list[Guess] = Field(description="The likeliest first.")
    sentence: str
    calibrated: bool = Field(description="Whether the probabilities were measured, or guessed.")
    basis: str
    near: list[NearPhoto]
    place: list[float] | None = Field(description="x and y on the map, see `MapOut`.")


class Pictured(BaseModel):
    """A picture as the model sees it."""

    pixels: str = Field(description="28 × 28 bytes as base64.")


class Kept(BaseModel):
    """A drawing that is enrolled."""

    action: int | None
    summary: str
    photo: int


@router.get("/draw", include_in_schema=False, response_class=HTMLResponse)
def draw_page(request: Request, desk: OfDesk) -> HTMLResponse:
    """The canvas; or, where the model is for photographs, why there is none."""
    return page(
        request,
        "draw.html",
        active="/draw",
        counts=desk.catalogue.counts(),
        why_not=why_not(desk.catalogue.card),
        side=SIDE,
    )


@router.post("/api/draw/ask", tags=["draw"])
async def ask(desk: OfDesk, drawing: Drawing) -> Drawn:
    """What is this drawing? Nothing is kept."""
    pixels = _pixels(desk, drawing)
    return await to_thread.run_sync(lambda: _drawn(desk, pixels), limiter=desk.pictures.limiter)


@router.post("/api/draw/picture", tags=["draw"])
async def picture(
    desk: OfDesk, file: Annotated[UploadFile, File(description="Of one glyph; it is not kept.")]
) -> Pictured:
    """Bring a picture of a glyph, pen on paper or chalk on a board, to what the model takes."""
    _may_draw(desk)

    def look() -> Pictured:
        import tempfile

        with tempfile.TemporaryDirectory(prefix="resight-") as folder:
            path = receive(file.file, file.filename or "", Path(folder)).path
            grey = read_image(path, channels=1, at_least=256)[..., 0]
        # Paper is more than ink: what the edge shows is the ground.
        edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
        middle = (int(grey.min()) + int(grey.max())) / 2
        made = like_mnist(grey, white_on_black=bool(np.median(edge) < middle))
        if not made.any():
            raise ResightError("that picture is of one grey: there is nothing drawn on it")
        return Pictured(pixels=_text(made))

    return await to_thread.run_sync(look, limiter=desk.pictures.limiter)


@router.post("/api/draw/enrol", tags=["draw"])
async def enrol(desk: OfDesk, who: OfWho, drawing: Named) -> Kept:
    """Enrol a drawing under a name, new or known; it is a photo of the catalogue then."""
    pixels = _pixels(desk, drawing)
    name = checked_name(drawing.name)

    def keep() -> Kept:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        file.seek(0)
        came = receive(file, f"drawn {name}.png", desk.uploads)
        try:
            done = desk.catalogue.enrol(name, [came.path], who=who)
        except BaseException:
            if came.fresh and not desk.catalogue.kept_files([came.path]):
                came.path.unlink(missing_ok=True)
            raise
        (number,) = desk.catalogue.numbers([came.path])
        if done.action is None:
            return Kept(action=None, summary=f"this very drawing is {name} already", photo=number)
        return Kept(action=done.action, summary=f"enrolled a drawing: {name}", photo=number)

    return await to_thread.run_sync(keep, limiter=desk.pictures.limiter)


def why_not(card: Card) -> str | None:
    """Why nothing can be drawn for a model; None where it can."""
    if card.channels == 1 and card.size == (SIDE, SIDE):
        return None
    high, wide = card.size
    kind = "in colour" if card.channels == 3 else "in grey"
    return (
        f"This catalogue's model takes photographs of {wide} × {high} pixels {kind}: a drawing "
        "would say nothing to it. Drawing is for a catalogue of glyphs, whose model takes "
        f"{SIDE} × {SIDE} pixels in grey."
    )


def _may_draw(desk: Desk) -> None:
    if why := why_not(desk.catalogue.card):
        raise ResightError(why)


def _pixels(desk: Desk, drawing: Drawing) -> Pixels:
    """uint8 (28, 28), white on black."""
    _may_draw(desk)
    if (drawing.strokes is None) == (drawing.pixels is None):
        raise ResightError("a drawing is either strokes or pixels: give one of the two")
    if drawing.pixels is not None:
        try:
            data = base64.b64decode(drawing.pixels, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if len(data) != SIDE * SIDE:
            raise ResightError(f"pixels are {SIDE} × {SIDE} bytes as base64")
        made = np.frombuffer(data, np.uint8).reshape(SIDE, SIDE).copy()
    else:
        strokes = drawing.strokes or []
        if sum(map(len, strokes)) > _MOST_POINTS:
            raise ResightError(f"more than {_MOST_POINTS:,} points; draw something simpler")
        made = draw_paths([np.array(path, np.float64) for path in strokes])
    if not made.any():
        raise ResightError("there is nothing drawn yet")
    return made


def _drawn(desk: Desk, pixels: Pixels) -> Drawn:
    book = desk.catalogue
    vectors, _, _ = book.fingerprint(pixels[None])
    empty = not book.counts().individuals
    answer = None if empty else book.identify_vectors(vectors, top=TOP)[0]
    prints = book.prints(MOST)
    place, near = None, []
    if len(prints):
        made, _ = layout(desk, prints)
        place = beside(vectors, prints.vectors, made.positions)[0].round(4).tolist()
        cosines = prints.vectors @ vectors[0]
        best = np.argsort(-cosines, kind="stable")[:NEAREST]
        near = [
            NearPhoto(**PhotoOut.of(one).model_dump(), distance=max(0.0, 1 - float(cosines[at])))
            for one, at in zip(book.shown(prints.photos[best].tolist()), best, strict=True)
        ]
    guesses = [] if answer is None else _guesses(desk, answer)
    basis = answer.basis if answer else None
    return Drawn(
        pixels=_text(pixels),
        guesses=guesses,
        sentence=_sentence(guesses),
        calibrated=basis is not None and basis.calibrated,
        basis=basis.words() if basis else "The catalogue has no individual yet.",
        near=near,
        place=place,
    )


def _guesses(desk: Desk, answer: Answer) -> list[Guess]:
    """The candidates and "something new", the likeliest first; guessed where not calibrated."""
    numbers = [one.photos[0].photo for one in answer.candidates]
    photos = [PhotoOut.of(one) for one in desk.catalogue.shown(numbers)]
    found = [
        (one.individual, one.probability or 0.0, photo)
        for one, photo in zip(answer.candidates, photos, strict=True)
    ]
    offered: list[tuple[str | None, float, PhotoOut | None]] = [*found]
    if answer.p_new is not None:
        offered.append((None, answer.p_new, None))
    offered.sort(key=lambda one: -one[1])
    return [
        Guess(
            individual=who,
            probability=sure,
            percent=percent(sure),
            words=in_words(sure),
            photo=photo,
        )
        for who, sure, photo in offered
    ]


def _sentence(guesses: list[Guess]) -> str:
    if not guesses:
        return "Nothing is enrolled yet: give this a name."
    called = [one.individual or "something new" for one in guesses]
    best = guesses[0]
    if best.probability < 0.5 and len(guesses) > 1:
        second = guesses[1]
        return f"Hard to say: {called[0]} ({best.percent}) or {called[1]} ({second.percent})."
    if best.individual is None:
        return f"Something new: {best.words} ({best.percent})."
    return f"{called[0]}: {best.words} ({best.percent})."


def _text(pixels: Pixels) -> str:
    return base64.b64encode(pixels.tobytes()).decode()
