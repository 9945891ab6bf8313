"""Made voices: recordings of callers that never lived, to try everything on.

Each has a voice of its own: a throat whose resonances (formants) lie elsewhere than others', a
pitch, a way to let it rise or fall, and roughness. No two calls are alike: pitch, length, loudness
and the formants themselves wander from call to call, and every recording has its own microphone,
distance and noise. With `variety`, all have the same few kinds of calls, as there are vowels, which
move the formants further than they differ from one caller to the next, and moods that move the
pitch: then the mean spectrum tells little. The same seed makes the same recordings.

For the benchmark, for demonstrations (`resight.photos.made_voices.make_recordings("calls")`) and
for tests; how well a model does here says nothing about real animals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resight.photos.photo import Photo

Floats = NDArray[np.float64]

RATE = 16_000
_FIRST_DAY = datetime(2025, 4, 3, 5, 30)
# By how much the kinds of calls move the formants: of all callers alike.
_KINDS = np.array(
    [[1.0, 1.0, 1.0, 1.0], [0.65, 1.35, 1.05, 1.0], [1.3, 0.8, 0.97, 1.0], [0.7, 0.7, 0.95, 1.0]]
)
_FORMANTS = np.array([600.0, 1500.0, 2600.0, 3700.0])  # Hz, of a throat of usual length


@dataclass(frozen=True, slots=True)
class Voice:
    """One individual: how it sounds, and nothing else that would tell it from another.

    Attributes:
        pitch: Hz, about which its calls lie.
        formants: Hz (4,), the resonances of its throat.
        widths: Hz (4,), how broad they are.
        bend: how far the pitch goes up (or down) during a call, in octaves.
        vibrato: Hz and depth, in octaves, of its tremor.
        rough: how much one period of the voice differs from the next, as a share.
        breath: the share of its sound that is noise.
    """

    pitch: float
    formants: Floats
    widths: Floats
    bend: float
    vibrato: tuple[float, float]
    rough: float
    breath: float


def new_voice(rng: np.random.Generator) -> Voice:
    """A voice."""
    throat = rng.uniform(0.8, 1.25)
    return Voice(
        pitch=float(np.exp(rng.uniform(np.log(110), np.log(420)))),
        formants=_FORMANTS * throat * rng.uniform(0.86, 1.16, 4),
        widths=rng.uniform(60, 200, 4),
        bend=float(rng.uniform(-0.4, 0.4)),
        vibrato=(float(rng.uniform(4, 14)), float(rng.uniform(0, 0.05))),
        rough=float(rng.uniform(0.002, 0.03)),
        breath=float(rng.uniform(0.02, 0.2)),
    )


def call(
    voice: Voice,
    rng: np.random.Generator,
    *,
    variety: float = 0.0,
    mood: float = 0.0,
    rate: int = RATE,
) -> Floats:
    """One call: float64 (n,) of root mean square 1; a quarter to six tenths of a second.

    The source is a train of pulses, the throat four resonators of two poles in a row (Klatt,
    1980).

    Args:
        voice: whose.
        rng: of what differs from call to call.
        variety: how much the kinds of calls differ, 0 to 1.
        mood: octaves by which the pitch is higher than usual.
        rate: samples a second.
    """
    from scipy.signal import lfilter

    count = int(rng.uniform(0.25, 0.6) * rate)
    time = np.arange(count) / rate
    along = time / time[-1]
    speed, depth = voice.vibrato
    octaves = (voice.bend + rng.normal(0, 0.06)) * (along - 0.5)
    octaves += depth * np.sin(2 * np.pi * (speed * time + rng.random()))
    pitch = voice.pitch * 2 ** (octaves + mood + rng.normal(0, 0.07 - 0.02 * variety))
    # From one period to the next the pitch jumps a little.
    cycle = np.cumsum(pitch) / rate
    pitch = pitch * (1 + voice.rough * rng.normal(size=int(cycle[-1]) + 2)[cycle.astype(int)])
    pulses = np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0.0)
    source = lfilter([1.0], [1.0, -0.9], pulses)  # the larynx is softer than a click
    source = source / source.std() + voice.breath * rng.normal(size=count)
    sound = source
    formants = voice.formants * np.exp(rng.normal(0, 0.03 * (1 - variety)))
    formants = formants * np.exp(rng.normal(0, 0.025, 4))
    if variety:
        formants = formants * _KINDS[rng.integers(len(_KINDS))] ** variety
    for centre, width in zip(formants, voice.widths, strict=True):
        radius = np.exp(-np.pi * width / rate)
        poles = [1.0, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2]
        sound = lfilter([sum(poles)], poles, sound)
    sound = np.diff(sound, prepend=0.0)  # from the lips into the air
    attack = np.minimum(along / rng.uniform(0.05, 0.2), 1) * np.minimum((1 - along) / 0.2, 1)
    sound = sound * np.sin(np.pi / 2 * attack) ** 2
    return np.asarray(sound / np.sqrt(np.mean(sound**2)), np.float64)


def recording(
    voice: Voice,
    rng: np.random.Generator,
    *,
    noise: float | None = 0.0,
    variety: float = 0.0,
    seconds: float = 2.5,
    rate: int = RATE,
) -> Floats:
    """A recording with some calls: float64 (n,), within -1 and 1.

    Args:
        voice: whose.
        rng: of the calls, the microphone, the distance and the noise.
        noise: signal-to-noise ratio in decibels, of the voice while it calls to white noise; None
            for no noise.
        variety: how much the kinds of calls, the moods and the microphones differ, 0 to 1.
        seconds: how long.
        rate: samples a second.
    """
    from scipy.signal import lfilter

    sound = np.zeros(int(seconds * rate))
    at = rng.uniform(0, 0.4)
    mood = rng.normal(0, 0.12 * variety) if variety else 0.0
    sounding = np.zeros(len(sound), bool)
    while True:
        one = call(voice, rng, variety=variety, mood=mood, rate=rate) * rng.uniform(0.7, 1.3)
        begin = int(at * rate)
        if begin + len(one) > len(sound):
            break
        sound[begin : begin + len(one)] = one
        sounding[begin : begin + len(one)] = True
        at += len(one) / rate + rng.uniform(0.1, 0.5)
    # A microphone that hears high or low notes better.
    colour = 0.35 * (1 + variety)
    sound = lfilter([1.0, -rng.uniform(-colour, colour)], [1.0], sound)
    if noise is not None:
        power = float(np.mean(sound[sounding] ** 2)) * 10 ** (-noise / 10)
        sound = sound + np.sqrt(power) * rng.normal(size=len(sound))
    return np.asarray(sound / np.abs(sound).max() * 10 ** rng.uniform(-1.5, -0.1), np.float64)


def make_recordings(
    folder: str | Path,
    *,
    individuals: int = 24,
    days: int = 4,
    recordings: int = 3,
    noise: float | None = 0.0,
    variety: float = 0.0,
    seconds: float = 2.5,
    seed: int = 0,
) -> list[Photo]:
    """Write recordings of made voices: `folder/V07/20250410_053000.flac`, a day a week.

    Args:
        folder: where to; made if it is not there.
        individuals: how many of them.
        days: how many days in the field.
        recordings: how many of each individual a day.
        noise: signal-to-noise ratio in decibels; None for no noise.
        variety: see `recording`.
        seconds: how long each is.
        seed: another seed, other voices.

    Returns:
        The recordings with individual and date, in the order of their paths.
    """
    import soundfile

    made = []
    for number in range(individuals):
        rng = np.random.default_rng([seed, number])
        voice = new_voice(rng)
        where = Path(folder) / f"V{number + 1:03d}"
        where.mkdir(parents=True, exist_ok=True)
        for day in range(days):
            moment = _FIRST_DAY + timedelta(days=7 * day, minutes=int(rng.integers(90)))
            for _ in range(recordings):
                path = where / f"{moment:%Y%m%d_%H%M%S}.flac"
                sound = recording(voice, rng, noise=noise, variety=variety, seconds=seconds)
                soundfile.write(path, sound, RATE, subtype="PCM_16")
                made.append(Photo(path, where.name, date=moment))
                moment += timedelta(seconds=int(rng.integers(10, 200)))
    return made
