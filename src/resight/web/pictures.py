"""Thumbnails and large views of photos: made once, kept beside the catalogue.

A picture is known by its photo's bytes, its box and its size, so it never grows old. Whatever the
folder holds may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from pathlib import Path

import numpy as np
from anyio import CapacityLimiter

from resight.catalogue.browse import Shown
from resight.errors import UnreadablePhoto
from resight.photos.decode import Box, Pixels, read_image
from resight.photos.sound import USUAL, Hearing, is_sound, sound_picture

# Longer sides, in pixels: of a strip, a card, a wall on a fine screen, and the view that one zooms.
SIZES = (160, 320, 640, 1600)
_QUALITY = 85
_THREADS = 8  # that wait for pictures
_AT_ONCE = 2  # pictures that are decoded at a time: each may take 150 MB for a moment


class Pictures:
    """JPEG files of photos, at some sizes.

    Args:
        folder: where they are kept; made when the first comes.
        hearing: which frequencies recordings are shown with.

    Attributes:
        folder: that.
        limiter: of the threads that pictures are asked for in.
    """

    def __init__(self, folder: Path, hearing: Hearing | None = None) -> None:
        self.folder = folder
        self.hearing = hearing or USUAL
        self.limiter = CapacityLimiter(_THREADS)
        self._decoding = threading.BoundedSemaphore(_AT_ONCE)

    def jpeg(self, photo: Shown, size: int) -> bytes:
        """The picture of a photo, its box cut out, its longer side at most so many pixels.

        Raises:
            UnreadablePhoto: the file is away or damaged.
        """
        if size not in SIZES:
            raise ValueError(f"there are pictures of {SIZES} pixels, not {size}")
        file = self._file(photo, size)
        with contextlib.suppress(OSError):
            return file.read_bytes()
        with self._decoding:
            pixels = self.pixels(photo, size)
        made = _as_jpeg(pixels, size)
        part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(made)
            part.replace(file)
        except OSError:  # a full disk, a folder that is not ours: the picture is shown all the same
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return made

    def pixels(self, photo: Shown, at_least: int | None = None) -> Pixels:
        """uint8 (H, W, 3) of a photo, its box cut out; decoded smaller where that is quicker."""
        if is_sound(photo.path):
            return self._spectrogram(photo)
        return read_image(photo.path, channels=3, box=box_of(photo), at_least=at_least)

    def _spectrogram(self, photo: Shown) -> Pixels:
        """Of a recording; enlarged, as 64 bands are few for a page, and with its noise darker."""
        from PIL import Image

        bands = sound_picture(photo.path, box=box_of(photo), hearing=self.hearing)
        high, wide = bands.shape
        size = (wide * max(1, min(4, SIZES[-1] // wide)), high * 4)
        large = np.asarray(Image.fromarray(bands).resize(size, Image.Resampling.BICUBIC))
        light = (255 * (large / 255) ** 0.8).astype(np.uint8)
        return np.repeat(light[:, :, None], 3, axis=2)

    def _file(self, photo: Shown, size: int) -> Path:
        box = f"-{photo.box.replace(',', '_')}" if photo.box else ""
        if is_sound(photo.path):
            box += f"-{self.hearing.low:g}-{self.hearing.high:g}Hz"
        return self.folder / photo.content_hash[:2] / f"{photo.content_hash}{box}-{size}.jpg"


def box_of(photo: Shown) -> Box | None:
    """A photo's box as numbers."""
    if not photo.box:
        return None
    left, top, right, bottom = map(int, photo.box.split(","))
    return left, top, right, bottom


def _as_jpeg(pixels: Pixels, size: int) -> bytes:
    from PIL import Image

    height, width = pixels.shape[:2]
    if not pixels.size:
        raise UnreadablePhoto("a picture in memory", "the picture has no pixels")
    picture = Image.fromarray(pixels)
    scale = size / max(height, width)
    if scale < 1:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = picture.resize(small, Image.Resampling.LANCZOS, reducing_gap=3.0)
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=_QUALITY, optimize=True)
    return file.getvalue()
