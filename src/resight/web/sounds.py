"""Recordings to listen to: the sound of a photo that is one, as browsers play it."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Response

from resight.catalogue.browse import Shown
from resight.errors import ResightError
from resight.photos.sound import heard_as_wav, is_sound
from resight.web.desk import OfDesk
from resight.web.pictures import box_of
from resight.web.shapes import PhotoId

router = APIRouter()

_KEPT = 4  # sounds, 6 MB at most each: a player asks for one in several pieces
_AT_ONCE = threading.BoundedSemaphore(2)


@router.get(
    "/sounds/{photo}",
    tags=["photos"],
    response_class=Response,
    responses={
        200: {"content": {"audio/wav": {}}},
        206: {"content": {"audio/wav": {}}, "description": "The bytes that were asked for."},
        416: {"description": "There are no such bytes."},
    },
)
async def sound(
    desk: OfDesk,
    photo: PhotoId,
    wanted: Annotated[str | None, Header(alias="range", max_length=100)] = None,
) -> Response:
    """A recording as WAV: its box, or all of it; a minute at most, loud, one channel."""

    def listen() -> bytes:
        shown = desk.catalogue.shown([photo])[0]
        if not is_sound(shown.path):
            raise ResightError(f"{shown.path.name}: is a photo, and makes no sound")
        with _AT_ONCE:
            return _wav(shown)

    made = await to_thread.run_sync(listen, limiter=desk.pictures.limiter)
    headers = {
        "Accept-Ranges": "bytes",
        # The address has the content's hash in it, so the browser may keep it.
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    if wanted is None or (part := _part(wanted, len(made))) is None:
        return Response(made, media_type="audio/wav", headers=headers)
    first, last = part
    if first > last:
        return Response(
            status_code=416, headers=headers | {"Content-Range": f"bytes */{len(made)}"}
        )
    headers["Content-Range"] = f"bytes {first}-{last}/{len(made)}"
    return Response(made[first : last + 1], 206, media_type="audio/wav", headers=headers)


def _part(wanted: str, length: int) -> tuple[int, int] | None:
    """First and last byte of a range (RFC 9110, 14.1.2); None where it is none, or several."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", wanted.strip())
    if found is None or found.groups() == ("", ""):
        return None
    begin, end = found.groups()
    if not begin:  # the last so many
        return (max(length - int(end), 0), length - 1) if int(end) else (1, 0)
    last = min(int(end), length - 1) if end else length - 1
    return (int(begin), last) if int(begin) < length else (1, 0)


@lru_cache(maxsize=_KEPT)
def _wav(shown: Shown) -> bytes:
    return heard_as_wav(shown.path, box_of(shown))
