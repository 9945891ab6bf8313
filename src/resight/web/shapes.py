"""What goes over the wire, in both directions: the types of the endpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from resight.catalogue.browse import Shown, Waiting
from resight.catalogue.schema import LONGEST_NAME
from resight.photos.sound import is_sound

MOST_TOGETHER = 500  # photos of one decision
PhotoId = Annotated[int, Field(ge=1, le=2**31 - 1)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Given(BaseModel):
    """What comes in: a key that nobody knows is refused, since it is a slip."""

    model_config = ConfigDict(extra="forbid")


class PhotoOut(BaseModel):
    """A photo of the catalogue; its picture is at /pictures/{id}/{160, 320, 640 or 1600}."""

    id: int
    file: str = Field(description="The file's name, without its folder.")
    version: str = Field(description="Changes when the picture does; for the address's ?v=.")
    individual: str | None
    encounter: str | None
    taken_at: str | None = Field(
        description="2025-05-01T17:30:00, by the camera's clock, which knows no zone."
    )
    side: str | None
    place: str | None
    box: str = Field(description='"left,top,right,bottom" of a part, or "".')
    last_word: int = Field(description="Number of the last decision on it; for `seen`.")
    sound: bool = Field(description="Whether it is a recording: its sound is at /sounds/{id}.")

    @classmethod
    def of(cls, photo: Shown) -> PhotoOut:
        """Of a photo as the catalogue shows it."""
        return cls(
            id=photo.id,
            file=photo.path.name,
            version=photo.content_hash[:8],
            individual=photo.individual,
            encounter=photo.encounter,
            taken_at=photo.taken_at.isoformat() if photo.taken_at else None,
            side=photo.side,
            place=photo.place,
            box=photo.box,
            last_word=photo.last_word,
            sound=is_sound(photo.path),
        )


class Item(BaseModel):
    """What waits for one decision: a photo, or all of an encounter."""

    photos: list[PhotoOut]
    encounter: str | None
    put_off: bool

    @classmethod
    def of(cls, waiting: Waiting) -> Item:
        """Of what the catalogue has waiting."""
        photos = [PhotoOut.of(photo) for photo in waiting.photos]
        return cls(photos=photos, encounter=photos[0].encounter, put_off=waiting.put_off)


class Queue(BaseModel):
    """The next of the queue."""

    items: list[Item]
    waiting: int = Field(description="Photos without a name, in all.")
    others: list[str] = Field(description="Who else has photos of the queue in hand.")


class CandidatePhoto(PhotoOut):
    """A photo of a candidate."""

    distance: float
    same_side: bool


class CandidateOut(BaseModel):
    """Somebody offered."""

    individual: str | None = Field(description="None: somebody new.")
    probability: float | None
    percent: str
    words: str
    distance: float | None
    in_set: bool = Field(description="Whether it is in the set that holds the truth with 95 %.")
    photos: list[CandidatePhoto]


class AnswerOut(BaseModel):
    """Who it is, as far as the catalogue knows."""

    individual: str | None
    new: bool
    words: str
    calibrated: bool
    basis: str
    set_words: str | None
    left_out: list[str]
    candidates: list[CandidateOut]
    suggested_name: str


class Decided(BaseModel):
    """What came of a decision."""

    action: int | None = Field(description="Its number, to take it back by; None: nothing to do.")
    summary: str
    last_words: dict[int, int] = Field(
        default_factory=dict, description="Of the photos, for the next `seen`."
    )


class Decision(Given):
    """What a person says of photos."""

    what: Literal["same", "new", "not the same", "later", "junk"]
    photos: Annotated[list[PhotoId], Field(min_length=1, max_length=MOST_TOGETHER)]
    individual: Name | None = Field(
        default=None, description="Whom they show (same, new), or do not (not the same)."
    )
    seen: dict[PhotoId, Annotated[int, Field(ge=0)]] | None = Field(
        default=None,
        max_length=MOST_TOGETHER,
        description="`last_word` of each photo as it was shown; a later decision is then refused.",
    )
    shown: list[dict[str, Any]] | None = Field(
        default=None, max_length=20, description="The candidates that the person saw."
    )
    probability: Probability | None = None


class Undo(Given):
    """What to take back."""

    action: PhotoId | None = Field(
        default=None, description="Its number; by default the last decision of who asks."
    )


class Vectors(Given):
    """Fingerprints to ask about."""

    vectors: Annotated[list[list[float]], Field(min_length=1, max_length=100)]
    together: bool = Field(default=False, description="All of one individual: one answer.")
    top: Annotated[int, Field(ge=1, le=20)] = 3


class EventOut(BaseModel):
    """Something that somebody did."""

    action: int
    at: datetime
    who: str
    verb: str
    summary: str
    undone: bool
    undoes: int | None


class Problem(BaseModel):
    """What went wrong, in words."""

    error: str
    who: str | None = Field(default=None, description="Who decided meanwhile, if that is it.")
