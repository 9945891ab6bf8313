"""Learning from recordings: augmentation, the body, what is held back, and a whole training."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learning import one_thread  # noqa: F401
from resight.errors import ResightError
from resight.fingerprint import Fingerprinter
from resight.learn.data import PhotoSet
from resight.learn.embedder import create_embedder
from resight.learn.hearing import (
    Background,
    Masks,
    Shift,
    held_recordings,
    load_windows,
    plan_hearing,
    sound_augmentation,
    whole_recordings,
)
from resight.learn.sound_body import SoundBody
from resight.learn.train import train_folder, train_photos
from resight.photos import Photo, photos_by_individual
from resight.photos.made_voices import make_recordings
from resight.photos.sound import BANDS, Hearing

LABELS = torch.arange(8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_shift_moves_calls_in_time_and_hardly_in_pitch() -> None:
    pixels = torch.zeros(8, 1, BANDS, 128)
    pixels[:, :, 20, 60:68] = 1
    moved, labels = Shift()(pixels, LABELS, seeded())
    assert labels is LABELS
    rows, columns = moved.sum((1, 3)).argmax(1), moved.sum((1, 2)).argmax(1)
    assert (rows - 20).abs().max() <= 2
    assert (columns - 64).abs().max() > 8
    assert (columns - 64).abs().max() <= 40
    # Nothing is turned: what was in one band spreads to its neighbours only.
    lit = (moved.sum((1, 3)) > 0.01).sum(1)
    assert lit.max() <= 3


def test_another_background_hides_what_is_quiet() -> None:
    pixels = torch.zeros(400, 1, BANDS, 32)
    pixels[:, :, :8] = 0.9  # 45 dB above the background
    pixels[:, :, 8:16] = 0.05
    labels = torch.zeros(400, dtype=torch.long)
    mixed, _ = Background(gain=0, noise=15, share=1)(pixels, labels, seeded())
    assert mixed.min() >= 0
    assert mixed.max() <= 1
    loud, quiet, none = (mixed[:, :, a:b].mean((1, 2, 3)) for a, b in ((0, 8), (8, 16), (16, 64)))
    assert (0.9 - loud).max() == pytest.approx(15 / 50, abs=0.05)  # by as much as noise came
    contrast = quiet - none
    assert contrast.min() < 0.02
    assert contrast.max() > 0.02
    same, _ = Background(gain=0, share=0)(pixels, labels, seeded())
    torch.testing.assert_close(same, pixels)


def test_masks_leave_out_whole_bands_and_moments() -> None:
    pixels = torch.ones(200, 1, BANDS, 128)
    kept, _ = Masks(share=1)(pixels, torch.zeros(200), seeded())
    bands, moments = (kept.amax(3)[:, 0] == 0).sum(1), (kept.amax(2)[:, 0] == 0).sum(1)
    assert 0 < bands.float().mean() <= 0.12 * BANDS
    assert bands.max() <= 0.12 * BANDS + 1
    assert 0 < moments.float().mean() <= 0.2 * 128
    lost = (bands * 128 + moments * BANDS - bands * moments).float()
    assert torch.equal((kept == 0).sum((1, 2, 3)).float(), lost)


def test_the_same_seed_gives_the_same_batch() -> None:
    pixels = torch.rand(8, 1, BANDS, 128)
    for step in sound_augmentation():
        one, other = (step(pixels, LABELS, seeded(3))[0] for _ in range(2))
        assert torch.equal(one, other)


def test_the_body_forgets_when_and_knows_how_high() -> None:
    torch.manual_seed(0)
    body = SoundBody().eval()
    early, late, high = torch.zeros(3, 1, 1, BANDS, 256).unbind(0)
    early[..., 20:24, 64:96] = 1
    late[..., 20:24, 128:160] = 1
    high[..., 4:8, 64:96] = 1
    with torch.no_grad():
        one, other, another = (body(picture) for picture in (early, late, high))
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert (one - another).norm() > 10 * (one - other).norm() + 1e-3
    assert create_embedder("sound", channels=1, size=(BANDS, 128), dim=8).name == "sound"


@given(st.integers(0, 10_000), st.lists(st.integers(1, 5), min_size=12, max_size=30))
def test_no_recording_is_on_both_sides(seed: int, each: list[int]) -> None:
    places = [place for place, count in enumerate(each) for _ in range(count)]
    names = [f"V{place % 3}" for place in places]
    photos = PhotoSet.of(np.zeros((len(places), 1, 8, 8), np.uint8), names)
    used, held, recordings = held_recordings(photos, places, 0.3, seed)
    taught = {places[i] for i in used.tolist()}
    assert len(held) == len(recordings)
    assert not taught & set(recordings)
    assert taught | set(recordings) == set(places)
    assert len({names[places.index(r)] for r in recordings}) >= 2  # whoever is alone is right


def test_windows_of_a_recording_are_one_vector() -> None:
    vectors = torch.nn.functional.normalize(torch.randn(6, 4), dim=1)
    found, numbers = whole_recordings(vectors, [7, 7, 2, 9, 9, 9])
    assert numbers == [2, 7, 9]
    torch.testing.assert_close(found[0], vectors[2])
    torch.testing.assert_close(found[2], torch.nn.functional.normalize(vectors[3:].sum(0), dim=0))


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings") / "calls"
    make_recordings(folder, individuals=8, days=2, recordings=3, noise=10, seconds=1.6)
    return folder


def test_a_mixed_folder_is_refused_in_a_line(calls: Path) -> None:
    photos = [*photos_by_individual(calls)[:3], Photo(Path("a.jpg"), "Luna")]
    with pytest.raises(ResightError, match="3 recordings and 1 photo"):
        plan_hearing(photos, None, None, None)
    with pytest.raises(ResightError, match="are photos"):
        plan_hearing(photos[3:], None, None, (50, 8000))
    with pytest.raises(ResightError, match="for photos"):
        plan_hearing(photos[:3], 96, None, None)
    with pytest.raises(ResightError, match="nothing can be heard"):
        plan_hearing(photos[:3], None, None, (8000, 50))


def test_broken_recordings_are_told_and_the_rest_is_heard(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    photos = [Photo(tmp_path / "broken.wav", "Luna"), *photos_by_individual(calls)[:2]]
    pixels, places, bad = load_windows(photos, Hearing())
    assert pixels.shape[1:] == (1, BANDS, 128)
    assert set(places) == {1, 2}
    assert "broken.wav" in str(bad[0])


def test_a_folder_of_recordings_is_trained_on(calls: Path, tmp_path: Path) -> None:
    out = tmp_path / "calls.onnx"
    card = train_folder(calls, out, epochs=24, progress=False)
    assert card.hearing == Hearing()
    assert card.training["kind"] == "sound"
    assert card.training["photos"] == 48 - 10
    assert card.training["held_back"] == 10  # a fifth, two of five voices
    assert len(card.training["photos_seen"]) == 48 - 10
    assert card.metrics["R@1"] >= 0.85
    photos = photos_by_individual(calls)
    found = Fingerprinter(out)(photos)
    assert not found.unreadable
    similar = found.vectors @ found.vectors.T
    np.fill_diagonal(similar, -1)
    who = np.array([photo.individual for photo in photos])
    assert (who[similar.argmax(1)] == who).mean() >= 0.9
    with pytest.raises(ResightError, match="recordings are not turned"):
        train_photos(photos, out, looks=True, progress=False)


@pytest.mark.slow
def test_voices_in_noise_as_loud_as_they(tmp_path: Path) -> None:
    """Sixty voices, forty of them trained on, at 0 dB: the benchmark's first row."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    from sound import measure

    found = measure(tmp_path / "alike", noise=0)
    assert found.known.value >= 0.95
    assert found.unseen.value >= 0.85
    hard = measure(tmp_path / "various", noise=0, variety=1)
    # By the mean spectrum these cannot be told apart.
    assert hard.plain.value < 0.6
    assert hard.known.value >= hard.plain.value + 0.2
