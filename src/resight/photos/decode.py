"""Safe decoding: whatever a file holds, upright 8-bit pixels come out or an UnreadablePhoto."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from resight.errors import UnreadablePhoto
from resight.photos.readers import reader_of
from resight.photos.sound import is_sound, sound_picture

Pixels = NDArray[np.uint8]
Source = str | os.PathLike[str] | Image.Image | NDArray[np.generic]
Box = tuple[int, int, int, int]
Fit = Literal["pad", "stretch", "crop"]

# What cameras, scanners and the web write. Not EPS and the like, which run other programs.
COMMON = ("PNG", "JPEG", "GIF", "BMP", "PPM")  # at hand as soon as Pillow is
OTHERS = ("TIFF", "WEBP", "JPEG2000", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
MAX_PIXELS = 125_000_000  # what cameras and telephones write; decoded, 375 MB
IN_MEMORY = "a picture in memory"

# What Pillow warns of (great size, odd EXIF) is either harmless or refused below, in words.
warnings.filterwarnings("ignore", module=r"PIL\.")


def read_image(
    source: Source,
    *,
    channels: int,
    max_pixels: int = MAX_PIXELS,
    box: Box | None = None,
    at_least: int | None = None,
) -> Pixels:
    """Read a picture as upright 8-bit pixels; of a recording, its spectrogram (`sound_picture`).

    - EXIF turns and mirrors are undone. Of several frames (GIF, TIFF) the first is taken.
    - What is transparent is laid over white, for one channel and for three.
    - 16-bit grey is scaled by the range of its type (65535 becomes 255), never clipped or
      stretched; 1-bit pictures and arrays of bool become 0 and 255; CMYK, YCbCr, HSV and palettes
      become RGB. Colour to grey is ITU-R 601-2 luma. Colour profiles are not applied.
    - Floating-point and 32-bit pixels are refused: what white is in them is not known.

    Args:
        source: a path, a PIL image, or an array of uint8, uint16 or bool of shape (H, W),
            (H, W, 1), (H, W, 3) or (H, W, 4), the fourth channel being opacity.
        channels: 1 for grey, 3 for RGB.
        max_pixels: a larger picture is refused, from its header, before anything is decoded.
        box: (left, top, right, bottom) of the part to take, in pixels of the upright picture.
        at_least: when only a small version is needed: a JPEG file may be decoded at a half, a
            quarter or an eighth, with both sides at least that many pixels long. Several times
            faster for photos from a camera. No effect together with `box`.

    Returns:
        uint8 (H, W, channels).

    Raises:
        UnreadablePhoto: names the file and says what is wrong with it; nothing else is raised,
            whatever the bytes.
    """
    if channels not in (1, 3):
        raise ValueError(f"channels is 1 or 3, not {channels}")
    name = _name(source)
    try:
        if isinstance(source, np.ndarray):
            pixels = _from_array(name, source, channels, max_pixels)
        elif isinstance(source, Image.Image):
            pixels = _from_pil(name, source, channels, max_pixels, owned=False)
        elif is_sound(source):
            grey = sound_picture(os.fspath(source), box=box)[:, :, None]
            return np.repeat(grey, channels, axis=2)
        elif (reader := reader_of(source)) is not None:
            check_file(name, name)
            made = np.asarray(reader(Path(name)))
            pixels = _from_array(name, made, channels, max_pixels)
        elif isinstance(source, str | os.PathLike):
            with opened(source, max_pixels=max_pixels) as picture:
                if at_least is not None and box is None and picture.format in ("JPEG", "MPO"):
                    picture.draft(None, (at_least, at_least))
                pixels = _from_pil(name, picture, channels, max_pixels, owned=True)
        else:
            kind = type(source).__name__  # type: ignore[unreachable]
            raise UnreadablePhoto(name, f"a {kind} is not a path, a PIL image or an array")
        return pixels if box is None else _cut(name, pixels, box)
    except UnreadablePhoto:
        raise
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        raise UnreadablePhoto(name, _in_words(error)) from None


@contextmanager
def opened(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """A file's picture before it is decoded: its header has been read, and its size is allowed.

    Raises:
        UnreadablePhoto: whatever goes wrong, here or while the picture is used.
    """
    name = _name(path)
    try:
        check_file(name, os.fspath(path))
        with _open(os.fspath(path)) as picture:
            _check_size(name, *picture.size, max_pixels)
            yield picture
    except UnreadablePhoto:
        raise
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        raise UnreadablePhoto(name, _in_words(error)) from None


def fit_image(image: Pixels, size: tuple[int, int], *, fit: Fit = "pad", fill: int = 0) -> Pixels:
    """Bring a picture to the size that a model takes, antialiased.

    Args:
        image: uint8 (H, W, C) with C 1 or 3.
        size: (height, width) wanted.
        fit: "pad" keeps the whole picture and its proportions and fills the margins; "crop" keeps
            the proportions and cuts what stands over, evenly; "stretch" keeps neither.
        fill: grey level of the margins, 0 to 255.

    Returns:
        uint8 (C, height, width); a picture that already has the size passes untouched.
    """
    height, width = size
    high, wide, channels = image.shape
    if (high, wide) == (height, width):
        return np.ascontiguousarray(image.transpose(2, 0, 1))
    if fit not in ("pad", "stretch", "crop"):
        raise ValueError(f"fit is pad, stretch or crop, not {fit!r}")
    part = (0.0, 0.0, float(wide), float(high))
    to_height, to_width = height, width
    if fit == "crop":
        scale = max(height / high, width / wide)
        over_x = max((wide - width / scale) / 2, 0.0)
        over_y = max((high - height / scale) / 2, 0.0)
        part = (over_x, over_y, wide - over_x, high - over_y)
    elif fit == "pad":
        scale = min(height / high, width / wide)
        to_height = min(max(round(high * scale), 1), height)
        to_width = min(max(round(wide * scale), 1), width)
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    small = np.asarray(
        picture.resize((to_width, to_height), Image.Resampling.BILINEAR, part, reducing_gap=3.0)
    ).reshape(to_height, to_width, channels)
    if (to_height, to_width) == (height, width):
        return np.ascontiguousarray(small.transpose(2, 0, 1))
    result = np.full((channels, height, width), fill, np.uint8)
    top, left = (height - to_height) // 2, (width - to_width) // 2
    result[:, top : top + to_height, left : left + to_width] = small.transpose(2, 0, 1)
    return result


def _name(source: object) -> str:
    if isinstance(source, Image.Image):
        return str(getattr(source, "filename", "") or IN_MEMORY)
    if isinstance(source, str | os.PathLike):
        return os.fspath(source) or "''"
    return IN_MEMORY


def check_file(name: str, path: str, what: str = "a photo") -> None:
    """Refuse what would block or is no file at all, before it is opened."""
    status = os.stat(path)  # noqa: PTH116 (a Path costs as much as a small file)
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise UnreadablePhoto(name, f"a folder, not {what}")
    if not stat.S_ISREG(mode):
        raise UnreadablePhoto(name, "a device or pipe, not a file")
    if status.st_size == 0:
        raise UnreadablePhoto(name, "the file is empty")


def _open(path: str) -> Image.Image:
    try:
        return Image.open(path, formats=COMMON)
    except UnidentifiedImageError:
        if _is_heif(path):
            return _open_heif(path)
        Image.init()  # 0.1 s once, and which of the others there are depends on Pillow's build
        return Image.open(path, formats=[kind for kind in OTHERS if kind in Image.OPEN])


def _is_heif(path: str) -> bool:
    """HEIC and HEIF, as telephones write it; AVIF begins in the same way, and Pillow reads it."""
    with open(path, "rb") as file:  # noqa: PTH123
        start = file.read(12)
    return start[4:8] == b"ftyp" and start[8:] in _HEIF_BRANDS


def _open_heif(path: str) -> Image.Image:
    try:
        import pillow_heif
    except ImportError:
        raise UnreadablePhoto(
            path, "a HEIC picture, and what reads those is not installed: pip install pillow-heif"
        ) from None
    if "HEIF" not in Image.OPEN:
        pillow_heif.register_heif_opener(thumbnails=False)
    # mif1 may be either.
    return Image.open(path, formats=("HEIF", "AVIF") if "AVIF" in Image.OPEN else ("HEIF",))


def _check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise UnreadablePhoto(name, "the picture has no pixels")
    if width * height > max_pixels:
        raise UnreadablePhoto(
            name,
            f"{width} × {height} pixels are more than the {max_pixels:,} that are read; "
            "make it smaller",
        )


def _from_pil(
    name: str, picture: Image.Image, channels: int, max_pixels: int, *, owned: bool
) -> Pixels:
    _check_size(name, *picture.size, max_pixels)
    picture.load()
    try:
        if owned:
            ImageOps.exif_transpose(picture, in_place=True)
        else:
            picture = ImageOps.exif_transpose(picture)
    except Exception:  # broken EXIF beside sound pixels: read it as it stands
        pass
    mode = picture.mode
    if mode.startswith("I;16"):
        picture = Image.fromarray(_to_8_bits(np.asarray(picture)))
    elif mode == "I":
        # Pillow keeps 16-bit PGM files so; real 32-bit values have no known white.
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadablePhoto(name, "32-bit pixels; save it with 8 or 16 bits")
        picture = Image.fromarray(_to_8_bits(values.astype(np.uint16)))
    elif mode == "F":
        raise UnreadablePhoto(name, "floating-point pixels; save it with 8 or 16 bits")
    elif mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        opaque = Image.new("RGBA", picture.size, "white")
        if mode in ("La", "PA"):
            picture = picture.convert("LA" if mode == "La" else "RGBA")
        picture = Image.alpha_composite(opaque, picture.convert("RGBA"))
    if channels == 1:
        grey = picture if picture.mode in ("1", "L", "RGB", "RGBA") else picture.convert("RGB")
        return np.array(grey.convert("L"))[:, :, None]
    return np.array(picture.convert("RGB"))


def _from_array(name: str, values: NDArray[np.generic], channels: int, max_pixels: int) -> Pixels:
    shape = values.shape
    if values.ndim not in (2, 3) or (values.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise UnreadablePhoto(
            name, f"an array of shape {shape}; give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        )
    _check_size(name, shape[1], shape[0], max_pixels)
    if values.dtype == np.bool_:
        pixels = values.astype(np.uint8) * np.uint8(255)
    elif values.dtype.kind == "u" and values.dtype.itemsize == 2:
        pixels = _to_8_bits(values)
    elif values.dtype == np.uint8:
        pixels = values.astype(np.uint8)  # a copy: what comes out is the caller's to change
    else:
        raise UnreadablePhoto(name, f"an array of {values.dtype}; give uint8, 0 to 255")
    depth = 1 if pixels.ndim == 2 else pixels.shape[2]
    if depth == channels:
        return pixels.reshape(*shape[:2], channels)
    if depth == 1:
        return np.repeat(pixels.reshape(*shape[:2], 1), channels, axis=2)
    return _from_pil(name, Image.fromarray(pixels), channels, max_pixels, owned=True)


def _to_8_bits(values: NDArray[np.generic]) -> Pixels:
    """uint16 to uint8 by the range of the type, rounded: 65535 / 257 = 255."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _cut(name: str, pixels: Pixels, box: Box) -> Pixels:
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise UnreadablePhoto(name, f"the box {box} does not lie within {width} × {height} pixels")
    return pixels[top:bottom, left:right]


def _in_words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, UnidentifiedImageError):
        return (
            "not a picture, or of a kind that is not read (PNG, JPEG, TIFF, WebP, GIF, BMP, PNM, "
            "JPEG 2000, AVIF and HEIC are)"
        )
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the {MAX_PIXELS:,} that are read; make it smaller"
    if isinstance(error, MemoryError):
        return "too large for this machine's memory"
    if "truncated" in str(error).lower():
        return "cut short: the end of the file is missing or damaged"
    detail = " ".join(str(error).split()) or type(error).__name__
    return f"damaged, or of a kind that is not read ({detail[:120]})"
