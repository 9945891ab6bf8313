"""Recordings as pictures: the log-mel spectrogram, with a column every hundredth of a second.

A recording is a photo like any other: its picture has one row for each band of frequencies, the
highest on top, and as many columns as it has hundredths of a second. Level is told above the
recording's own background, so how loud it was recorded does not matter. A photo's `box` is a
part of that picture: (begin, 0, end, 64) in hundredths of a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import UnreadablePhoto
from resight.photos.dates import sensible

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]
Floats = NDArray[np.float32]

SOUNDS = frozenset({".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff"})
BANDS = 64
COLUMNS = 100  # a second
RANGE = 50.0  # decibels above the background that are shown; what is louder is white
MOST_SECONDS = 600
MOST_HEARD = 60  # seconds that a player gets
SHORTEST = 0.05  # seconds
_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "MP3", "OGG", "AIFF")
_RATES = (400, 500_000)
_BACKGROUND = 0.2  # share of the picture's cells that are background, at the least
_DEPTH = 60.0  # decibels below the loudest that background is looked for
_AROUND = 1.0  # seconds around a part that help to tell its background
LOUDEST = 1e9  # a sample; 1 is the most that files of whole numbers have
_BLOCK = 1 << 20  # samples, of all channels together, that are read at a time
_MOMENT = re.compile(r"(?<!\d)(\d{8})[_T-](\d{6})(?!\d)")


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a model hears: the same wherever its file goes, since its card has it.

    Attributes:
        low, high: Hz, the lowest and highest frequency; 64 bands lie between, evenly on the mel
            scale.
        window: columns (hundredths of a second) that the network sees at a time; a multiple of 32.
        most: how many windows speak for a recording; of a long one the loudest.
    """

    low: float = 50.0
    high: float = 8000.0
    window: int = 128
    most: int = 24

    def __post_init__(self) -> None:
        for number in (self.low, self.high, self.window, self.most):
            if not isinstance(number, int | float) or isinstance(number, bool):
                raise ValueError(f"what is heard is told in numbers, not {number!r}")
        if not 5 <= self.low < self.high / 1.5 <= 170_000:
            raise ValueError(f"from {self.low:g} to {self.high:g} Hz nothing can be heard")
        if not (32 <= self.window <= 1024 and self.window % 32 == 0 and 1 <= self.most <= 1000):
            raise ValueError(f"a window of {self.window} columns, {self.most} of them, is none")

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Hearing:
        """As a model's card has it; raises ValueError or TypeError where that makes no sense."""
        return cls(**entry)

    def entry(self) -> dict[str, Any]:
        """For a model's card."""
        return asdict(self)


USUAL = Hearing()


def is_sound(path: object) -> bool:
    """Whether a file is a recording, by its name."""
    if not isinstance(path, str | os.PathLike):
        return False
    return os.path.splitext(os.fspath(path))[1].lower() in SOUNDS  # noqa: PTH122 (thousands)


def sound_picture(
    path: str | os.PathLike[str], *, box: Box | None = None, hearing: Hearing = USUAL
) -> Pixels:
    """The picture of a recording, or of a part, of which no more is read than is needed.

    Channels are averaged. A column is the power spectrum of the `2 / low` seconds (25 ms at
    least) about it under a Hann window, summed into triangles that are even on the mel scale of
    O'Shaughnessy (1987), in decibels. The background is the level that a fifth of the cells lie
    under, here and a second around; 0 is background and 255 is 50 dB above it. Bands beyond what
    the file can hold are background.

    Args:
        path: WAV, FLAC, MP3, Ogg or AIFF, as its bytes tell.
        box: the part, (begin, 0, end, 64).
        hearing: which frequencies.

    Returns:
        uint8 (64, columns).

    Raises:
        UnreadablePhoto: whatever is wrong with it, in words.
    """
    name = os.fspath(path)
    with _opened(name) as file:
        rate, columns = file.samplerate, columns_of(file)
        first, last = _part(name, box, columns)
        if last - first > MOST_SECONDS * COLUMNS:
            raise UnreadablePhoto(
                name,
                f"{(last - first) / COLUMNS / 60:.0f} minutes are more than the "
                f"{MOST_SECONDS // 60} that are heard at once; cut it, or say in a table from "
                "when to when (begin, end)",
            )
        if rate / 2 <= hearing.low:
            raise UnreadablePhoto(
                name, f"at {rate:,} samples a second it has nothing above {hearing.low:g} Hz"
            )
        margin = round(_AROUND * COLUMNS) if box is not None else 0
        begin, end = max(first - margin, 0), min(last + margin, columns)
        power = np.concatenate(list(_mel_power(name, file, begin, end, hearing)))
    if not power.any():
        raise UnreadablePhoto(name, "silent from beginning to end")
    level = 10 * np.log10(np.maximum(power, power.max() * 10 ** (-_DEPTH / 10)))
    # Bands beyond what the file can hold would all be background, and the others never.
    held = power.any(axis=0)
    background = np.quantile(level[:, held], _BACKGROUND)
    picture = np.rint(np.clip((level - background) / RANGE, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(picture.T[::-1, first - begin : last - begin])


def windows(picture: Pixels, hearing: Hearing) -> Pixels:
    """The windows of a recording that speak for it.

    They overlap by half. Left out are those with less than half as much above the background as
    the one with most, and of more than `hearing.most` the quietest. A recording that is shorter
    than a window stands in the middle of one.

    Args:
        picture: uint8 (64, columns), see `sound_picture`.
        hearing: how many columns a window has.

    Returns:
        uint8 (n, 64, window), n ≥ 1, in the order of time.
    """
    width = hearing.window
    if picture.shape[1] <= width:
        empty = width - picture.shape[1]
        return np.pad(picture, ((0, 0), (empty // 2, empty - empty // 2)))[None]
    last = picture.shape[1] - width
    starts = np.unique(np.linspace(0, last, -(-last // (width // 2)) + 1).round().astype(int))
    total = np.concatenate(([0], picture.sum(axis=0, dtype=np.int64).cumsum()))
    loud = total[starts + width] - total[starts]
    heard = np.flatnonzero(2 * loud >= loud.max())
    heard = heard[np.argsort(-loud[heard], kind="stable")[: hearing.most]]
    return np.stack([picture[:, start : start + width] for start in starts[np.sort(heard)]])


def sound_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Columns and bands of a recording's picture, from its header.

    Raises:
        UnreadablePhoto: whatever is wrong with it, in words.
    """
    with _opened(os.fspath(path)) as file:
        return columns_of(file), BANDS


def columns_of(file: Any) -> int:
    """How many columns an open file's picture has; at least one."""
    return max(1, round(int(file.frames) * COLUMNS / int(file.samplerate)))


def recorded_at(path: str | os.PathLike[str]) -> datetime | None:
    """When, by the name that recorders give their files: 20250414_053000.wav."""
    found = _MOMENT.search(Path(path).stem)
    if found is None:
        return None
    try:
        moment = datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S")
    except ValueError:
        return None
    return moment if sensible(moment) else None


def heard_as_wav(path: str | os.PathLike[str], box: Box | None = None) -> bytes:
    """The sound of a recording, or of a part of it, as a WAV that every browser plays.

    One channel, 16 bits, brought to full loudness, its own rate (one below 3 kHz or above 48 kHz
    is played at 3 or 48, so that infrasound and ultrasound are heard: slower or faster, as bat
    detectors do). At most a minute of it.

    Raises:
        UnreadablePhoto: whatever is wrong with it, in words.
    """
    import io
    import wave

    name = os.fspath(path)
    with _opened(name) as file:
        first, last = _part(name, box, columns_of(file))
        rate = int(file.samplerate)
        # At a bat detector's rate a minute would be far too much; slowed down, it is one.
        last = min(last, first + MOST_HEARD * COLUMNS * min(rate, 48_000) // rate + 1)
        begin, end = (round(column * rate / COLUMNS) for column in (first, last))
        sound = np.concatenate([block for _, block in _blocks(name, file, begin, end)])
    loudest = float(np.abs(sound).max()) or 1.0
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(min(max(rate, 3000), 48_000))
        out.writeframes(np.rint(sound / loudest * 32_000).astype("<i2").tobytes())
    return made.getvalue()


@contextmanager
def _opened(name: str) -> Iterator[Any]:
    """A recording whose header has been read and makes sense."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: without its library
        raise UnreadablePhoto(
            name,
            "a recording, and what reads those is not installed: pip install 'resight[sound]'",
        ) from None
    from resight.photos.decode import check_file

    try:
        check_file(name, name, "a recording")
        _check_whole(name)
        with soundfile.SoundFile(name) as file:
            if file.format not in _FORMATS:
                raise UnreadablePhoto(name, f"{file.format} is not read; WAV and FLAC are")
            if not _RATES[0] <= file.samplerate <= _RATES[1]:
                raise UnreadablePhoto(
                    name,
                    f"{file.samplerate:,} samples a second are no sound; "
                    f"{_RATES[0]} to {_RATES[1]:,} are read",
                )
            if file.frames < SHORTEST * file.samplerate:
                raise UnreadablePhoto(name, "no sound in it, or less than a twentieth of a second")
            yield file
    except UnreadablePhoto:
        raise
    except Exception as error:  # libsndfile has an error for each of a hundred slips
        raise UnreadablePhoto(name, _in_words(error)) from None


def _check_whole(name: str) -> None:
    """A WAV tells its length; libsndfile passes over what is missing."""
    with open(name, "rb") as file:  # noqa: PTH123
        start = file.read(12)
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        told = int.from_bytes(start[4:8], "little")
        # Programs that write into a pipe do not know yet, and leave nothing or everything.
        if told not in (0, 0xFFFFFFFF) and told + 8 > os.stat(name).st_size + 1:  # noqa: PTH116
            raise UnreadablePhoto(name, "cut short: the end of the file is missing")


def _part(name: str, box: Box | None, columns: int) -> tuple[int, int]:
    if box is None:
        return 0, columns
    first, top, last, bottom = box
    if columns < last <= columns + SHORTEST * COLUMNS:  # rounded, by whoever marked it
        last = columns
    if not (0 <= first < last <= columns and 0 <= top < bottom <= BANDS):
        raise UnreadablePhoto(
            name, f"the box {box} does not lie within its {columns} × {BANDS} columns and bands"
        )
    return first, last


def _blocks(name: str, file: Any, begin: int, end: int) -> Iterator[tuple[int, Floats]]:
    """The samples from begin to end, channels averaged, in blocks: where each begins, and it."""
    size = max(_BLOCK // file.channels, 1)
    if begin:
        file.seek(begin)
    at = begin
    while at < end:
        block = file.read(min(size, end - at), dtype="float32", always_2d=True)
        if not len(block):
            if end - at > file.samplerate // 10:  # MP3 and Ogg may end a little early
                raise UnreadablePhoto(name, "cut short: the end of the file is missing or damaged")
            return
        mono = block.mean(axis=1)
        if not np.abs(mono).max() <= LOUDEST:  # NaN is not, either
            raise UnreadablePhoto(name, "samples that are no sound (NaN, infinite, or huge)")
        yield at, mono
        at += len(block)


def _mel_power(name: str, file: Any, first: int, last: int, hearing: Hearing) -> Iterator[Floats]:
    """Power in each band, float32 (n, 64), of the columns from first to last, in blocks."""
    from scipy.fft import next_fast_len, rfft

    rate = int(file.samplerate)
    span = max(round(max(2 / hearing.low, 0.025) * rate) // 2, 2) * 2
    size = next_fast_len(2 * span, real=True)
    filters = mel_filters(rate, size, hearing.low, hearing.high)
    hann = np.hanning(span + 1)[:-1].astype(np.float32)
    # The window of column c is centred half a column after its beginning.
    starts = np.rint((np.arange(first, last) + 0.5) * rate / COLUMNS).astype(np.int64) - span // 2
    begin = max(int(starts[0]), 0)
    waiting, at = np.zeros(begin - int(starts[0]), np.float32), int(starts[0])
    end = min(int(starts[-1]) + span, int(file.frames))
    done, at_once = 0, max(1, (1 << 20) // size)  # bounded memory, however long a window is

    def ready(samples: Floats, upto: int) -> Iterator[Floats]:
        nonlocal done
        while done < upto:
            some = starts[done : min(upto, done + at_once)]
            frames = samples[(some - at)[:, None] + np.arange(span)] * hann
            spectrum = rfft(frames, size)
            yield (spectrum.real**2 + spectrum.imag**2) @ filters
            done += len(some)

    for _, block in _blocks(name, file, begin, end):
        waiting = np.concatenate((waiting, block))
        yield from ready(waiting, int(np.searchsorted(starts + span, at + len(waiting), "right")))
        gone = int(starts[done]) - at if done < len(starts) else 0
        waiting, at = waiting[gone:], at + gone
    # Past the end there is silence.
    missing = int(starts[-1]) + span - at - len(waiting)
    yield from ready(np.pad(waiting, (0, max(missing, 0))), len(starts))


@lru_cache(maxsize=4)
def mel_filters(rate: int, size: int, low: float, high: float) -> Floats:
    """Triangles between neighbouring points that are even on the mel scale.

    A triangle that would fall between two frequencies of the spectrum takes the nearest.

    Args:
        rate: samples a second.
        size: samples of the Fourier transform.
        low, high: Hz, where the first begins and the last ends.

    Returns:
        float32 (size // 2 + 1, 64); all 0 for bands beyond half the rate.
    """
    edges = _hertz(np.linspace(_mel(low), _mel(high), BANDS + 2))
    there = np.arange(size // 2 + 1) * rate / size
    rising = (there[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - there[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.clip(np.minimum(rising, falling), 0, None)
    for band in np.flatnonzero(filters.sum(axis=0) == 0):
        if edges[band + 1] <= rate / 2:
            filters[np.abs(there - edges[band + 1]).argmin(), band] = 1.0
    # Per Hertz, so that wide bands are not louder for being wide.
    return (filters / np.maximum(filters.sum(axis=0), 1e-12)).astype(np.float32)


def _mel(hertz: float) -> float:
    return 2595 * float(np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mel / 2595) - 1), np.float64)


def _in_words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, MemoryError):
        return "too large for this machine's memory"
    detail = " ".join(str(error).split()).rpartition(": ")[2].rstrip(".")
    return f"not a recording, or damaged ({detail[:100] or type(error).__name__})"
