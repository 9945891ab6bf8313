"""Recordings as pictures: right bands, right columns, whatever the loudness; hostile files."""

from __future__ import annotations

import io
import struct
import wave
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from resight.errors import UnreadablePhoto
from resight.photos import Photo, read_image
from resight.photos.decode import Source
from resight.photos.examine import examine
from resight.photos.header import read_header
from resight.photos.hear import hear
from resight.photos.sound import (
    BANDS,
    USUAL,
    Hearing,
    heard_as_wav,
    is_sound,
    mel_filters,
    recorded_at,
    sound_picture,
    sound_size,
    windows,
)

RATE = 16_000


def tone(hertz: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def noise(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def written(path: Path, sound: np.ndarray, rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, sound, rate, **options)
    return path


def row_of(hertz: float, hearing: Hearing = USUAL) -> int:
    """Where a tone belongs, by O'Shaughnessy's formula and 64 even steps; 0 is the top row."""
    mel = [2595 * np.log10(1 + f / 700) for f in (hearing.low, hertz, hearing.high)]
    return BANDS - round((mel[1] - mel[0]) / (mel[2] - mel[0]) * (BANDS + 1))


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
@pytest.mark.parametrize("hertz", [150, 440, 1000, 3000, 7000])
def test_a_pure_tone_lights_its_band(tmp_path: Path, hertz: int, rate: int) -> None:
    picture = sound_picture(written(tmp_path / "a.wav", tone(hertz, rate=rate), rate))
    assert picture.shape == (BANDS, 100)
    inner = picture[:, 5:-5].astype(int).sum(axis=1)
    assert abs(int(inner.argmax()) - row_of(hertz)) <= 1
    assert inner.max() > 10 * np.median(inner)


def test_frequencies_of_a_bat_and_of_an_elephant_are_chosen(tmp_path: Path) -> None:
    bat = written(tmp_path / "bat.wav", tone(45_000, rate=250_000), 250_000)
    heard = Hearing(low=10_000, high=120_000)
    rows = sound_picture(bat, hearing=heard)[:, 5:-5].astype(int).sum(axis=1)
    assert abs(int(rows.argmax()) - row_of(45_000, heard)) <= 1
    elephant = written(tmp_path / "elephant.wav", tone(20, 3.0, 1000), 1000)
    heard = Hearing(low=8, high=300)
    rows = sound_picture(elephant, hearing=heard)[:, 50:-50].astype(int).sum(axis=1)
    assert abs(int(rows.argmax()) - row_of(20, heard)) <= 1


@given(st.integers(1, 60))
@settings(max_examples=10, deadline=None)
def test_a_shift_in_time_is_a_shift_of_columns(columns: int) -> None:
    """Shifted by whole hundredths of a second, with the rest as it was, columns are the same."""
    import tempfile

    sound = noise(1.6)
    with tempfile.TemporaryDirectory() as folder:
        early = sound_picture(written(Path(folder, "a.wav"), sound))
        moved = np.roll(sound, columns * RATE // 100)
        late = sound_picture(written(Path(folder, "b.wav"), moved))
    kept = slice(5, 160 - columns - 5)
    difference = early[:, kept].astype(int) - np.roll(late, -columns, axis=1)[:, kept]
    assert np.abs(difference).max() <= 2  # the background is that of the whole


def test_loudness_does_not_matter_and_channels_are_averaged(tmp_path: Path) -> None:
    sound = tone(700) * np.linspace(0, 1, RATE) + noise()
    one = sound_picture(written(tmp_path / "a.wav", sound, subtype="FLOAT"))
    quiet = sound_picture(written(tmp_path / "b.wav", sound / 300, subtype="FLOAT"))
    eight = sound_picture(
        written(tmp_path / "c.wav", np.repeat(sound[:, None], 8, axis=1), subtype="FLOAT")
    )
    assert np.abs(one.astype(int) - quiet).max() <= 1
    assert np.abs(one.astype(int) - eight).max() <= 1


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_every_kind_is_read_and_gives_the_same_picture(tmp_path: Path, name: str) -> None:
    sound = tone(900, 1.5) + 0.3 * noise(1.5)
    exact = sound_picture(written(tmp_path / "exact.wav", sound, subtype="FLOAT")).astype(int)
    path = written(tmp_path / name, sound)
    picture = sound_picture(path).astype(int)
    width = min(picture.shape[1], exact.shape[1])
    assert abs(picture.shape[1] - exact.shape[1]) <= 12  # MP3 pads
    assert np.corrcoef(picture[:, :width].sum(1), exact[:, :width].sum(1))[0, 1] > 0.95
    assert is_sound(path)
    assert is_sound(str(path).upper())


def test_a_part_is_what_the_whole_shows_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.flac", tone(500, 6.0) * np.repeat([0, 1, 0], 2 * RATE) + noise(6))
    whole = sound_picture(path)
    assert whole.shape == (BANDS, 600)
    assert sound_size(path) == (600, BANDS)
    part = sound_picture(path, box=(150, 0, 330, BANDS))
    assert part.shape == (BANDS, 180)
    assert np.abs(part.astype(int) - whole[:, 150:330]).mean() < 4
    assert read_image(path, channels=3, box=(150, 0, 330, BANDS)).shape == (BANDS, 180, 3)
    for box in [(0, 0, 606, BANDS), (5, 0, 5, BANDS), (-1, 0, 5, BANDS), (0, 0, 5, BANDS + 1)]:
        with pytest.raises(UnreadablePhoto, match="does not lie within"):
            sound_picture(path, box=box)


@given(hnp.arrays(np.uint8, st.tuples(st.just(BANDS), st.integers(1, 500))))
@settings(max_examples=40, deadline=None)
def test_windows_are_parts_in_order_and_bounded(picture: np.ndarray) -> None:
    hearing = Hearing(window=64, most=5)
    cut = windows(picture, hearing)
    assert cut.dtype == np.uint8
    assert cut.shape[1:] == (BANDS, 64)
    assert 1 <= len(cut) <= 5
    if picture.shape[1] > 64:
        places = []
        for one in cut:
            starts = [
                at
                for at in range(picture.shape[1] - 63)
                if np.array_equal(picture[:, at : at + 64], one)
            ]
            assert starts
            places.append(starts)
        assert all(min(a) <= max(b) for a, b in pairwise(places))
    else:
        assert cut.sum(dtype=np.int64) == picture.sum(dtype=np.int64)


def test_windows_of_silence_do_not_speak() -> None:
    picture = np.zeros((BANDS, 1000), np.uint8)
    picture[20:30, 300:420] = 200
    cut = windows(picture, USUAL)
    assert len(cut) <= 4
    assert all(one.any() for one in cut)


def test_filters_cover_what_is_heard_and_nothing_else() -> None:
    filters = mel_filters(RATE, 2048, 50, 8000)
    assert filters.shape == (1025, BANDS)
    assert np.allclose(filters.sum(axis=0), 1, atol=1e-5)
    half = mel_filters(8000, 2048, 50, 8000)  # nothing above 4 kHz
    assert (half[:, -10:].sum(axis=0) == 0).all()
    assert (half[:, :20].sum(axis=0) > 0.99).all()


def test_the_name_tells_when(tmp_path: Path) -> None:
    path = written(tmp_path / "SM4_20250414_053000.wav", noise(0.3))
    assert recorded_at(path) == datetime(2025, 4, 14, 5, 30)
    assert read_header(path).told.taken_at == datetime(2025, 4, 14, 5, 30)
    for name in ("a.wav", "20259914_053000.wav", "120250414_0530001.wav", "30250414_053000.wav"):
        assert recorded_at(name) is None


def hostile(folder: Path) -> dict[str, Path]:
    """Files that cost a line each."""
    good = io.BytesIO()
    soundfile.write(good, noise(2.0), RATE, format="WAV")
    wav = good.getvalue()
    flac = io.BytesIO()
    soundfile.write(flac, noise(2.0), RATE, format="FLAC")
    bomb = bytearray(flac.getvalue())
    bomb[21] |= 0x0F  # of STREAMINFO: 2^36 - 1 samples
    bomb[22:26] = b"\xff\xff\xff\xff"
    slow = bytearray(wav)
    slow[24:28] = struct.pack("<I", 1)
    made = {
        "empty.wav": b"",
        "zero.wav": b"\0" * 1000,
        "words.wav": b"this is no recording at all, however long it is" * 50,
        "truncated.wav": wav[: len(wav) // 2],
        "truncated.flac": flac.getvalue()[: len(flac.getvalue()) // 2],
        "header only.wav": wav[:44],
        "slow.wav": bytes(slow),
        "bomb.flac": bytes(bomb),
        "picture.wav": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    }
    files = {}
    for name, content in made.items():
        files[name] = folder / name
        files[name].write_bytes(content)
    numbers = noise(1.0)
    for name, value in (("nan.wav", np.nan), ("infinite.wav", np.inf), ("huge.wav", 1e30)):
        spoilt = numbers.copy()
        spoilt[5000] = value
        files[name] = written(folder / name, spoilt, subtype="FLOAT")
    files["silent.wav"] = written(folder / "silent.wav", np.zeros(RATE))
    files["short.wav"] = written(folder / "short.wav", noise(0.01))
    files["long.wav"] = folder / "long.wav"
    with wave.open(str(files["long.wav"]), "wb") as out:  # three hours of little
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(1000)
        out.writeframes(b"\x80\x90" * (3 * 3600 * 500))
    files["gone.wav"] = folder / "gone.wav"
    files["folder.wav"] = folder / "folder.wav"
    files["folder.wav"].mkdir()
    return files


def test_hostile_recordings_cost_a_line_each(tmp_path: Path) -> None:
    files = hostile(tmp_path)
    found = examine([Photo(path, "somebody") for path in files.values()])
    assert found.facts == [None] * len(files)
    told = {Path(one.where).name: one.what for one in found.problems}
    assert set(told) == set(files)
    assert all("\n" not in words and len(words) < 200 for words in told.values())
    for name, words in {
        "truncated.wav": "cut short",
        "nan.wav": "no sound",
        "infinite.wav": "no sound",
        "huge.wav": "no sound",
        "silent.wav": "silent",
        "short.wav": "twentieth",
        "long.wav": "180 minutes",
        "bomb.flac": "minutes are more",
        "slow.wav": "samples a second",
        "gone.wav": "no such file",
        "empty.wav": "empty",
        "folder.wav": "not a file",
    }.items():
        assert words in told[name], (name, told[name])


def test_a_part_of_hours_is_read_without_the_rest(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        silence = (200 * noise(60.0)[: 8000 * 60]).astype("<i2").tobytes()
        for _ in range(120):
            out.writeframes(silence)
    tracemalloc.start()
    picture = sound_picture(path, box=(600_000, 0, 600_200, BANDS))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert picture.shape == (BANDS, 200)
    assert most < 20e6  # of 115 MB


def test_hearing_many_keeps_order_and_tells_the_bad(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{n}.wav", noise(0.5 + n / 4, n)) for n in range(6)]
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    sources: list[Source] = [*paths[:3], broken, tmp_path / "a.jpg", *paths[3:]]
    sources.append(sound_picture(paths[0]))
    heard = [one for some in hear(((s, None) for s in sources), USUAL) for one in some]
    assert [place for place, _ in heard] == list(range(9))
    assert isinstance(heard[3][1], UnreadablePhoto)
    assert "not a recording" in str(heard[4][1])
    assert np.array_equal(np.asarray(heard[8][1]), np.asarray(heard[0][1]))


def test_a_browser_gets_wav(tmp_path: Path) -> None:
    path = written(tmp_path / "a.flac", np.stack([tone(500, 3.0), tone(500, 3.0)], axis=1) / 50)
    with wave.open(io.BytesIO(heard_as_wav(path, (100, 0, 200, BANDS)))) as made:
        assert (made.getnchannels(), made.getframerate(), made.getnframes()) == (1, RATE, RATE)
        samples = np.frombuffer(made.readframes(RATE), "<i2")
    assert 31_000 < np.abs(samples).max() <= 32_000
    fast = written(tmp_path / "bat.wav", tone(45_000, 10.0, 250_000), 250_000)
    with wave.open(io.BytesIO(heard_as_wav(fast))) as made:
        assert made.getframerate() == 48_000
        assert made.getnframes() <= 61 * 48_000
