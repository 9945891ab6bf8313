"""Small pictures of photos, as text that a page can hold."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from resight.errors import UnreadablePhoto
from resight.photos.decode import Pixels, read_image
from resight.photos.photo import Photo

SIDE = 220  # pixels of the longest side


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture.

    Attributes:
        uri: as a data: URI; "" where the photo can no longer be read.
        words: what stands below it.
        state: "right", "wrong" or "".
        file: the photo's file, shown when pointed at.
    """

    uri: str
    words: str = ""
    state: str = ""
    file: str = ""


def picture(photo: Photo, words: str = "", state: str = "") -> Picture:
    """A photo's part within its box, made small."""
    try:
        pixels = read_image(photo.path, channels=3, box=photo.box, at_least=SIDE)
    except UnreadablePhoto:
        return Picture("", words, state, str(photo.path))
    return Picture(small_uri(pixels), words, state, str(photo.path))


def small_uri(pixels: Pixels) -> str:
    """A picture, uint8 (H, W, 3) or (H, W, 1), as the data: URI of a small JPEG file."""
    from PIL import Image

    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    held = io.BytesIO()
    image.save(held, "JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(held.getvalue()).decode("ascii")
