"""Voices told apart in noise: made recordings, trained on and asked about.

    python benchmarks/sound.py                        # some ten minutes on two cores
    python benchmarks/sound.py --noise 0 --seeds 0 1 2

Sixty made voices (`resight.photos.made_voices`) are recorded on four days. Forty of them are
trained on, by what the first three days have of them; all that the first three days have is the
gallery; the fourth day asks. Noise is white and as loud as said against a voice while it calls.
With variety 1 callers have kinds of calls and moods, and microphones differ more.
Beside it stands what takes no learning: the mean spectrum of the loud windows, its mean over all
recordings taken away, compared by its cosine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resight.evaluate.metrics import Figure, retrieval
from resight.fingerprint import Fingerprinter
from resight.learn.train import train_photos
from resight.photos import Photo
from resight.photos.hear import hear
from resight.photos.made_voices import make_recordings
from resight.photos.sound import USUAL


@dataclass(frozen=True)
class Measured:
    """R@1 of recordings of the last day, asked of all voices' earlier days.

    Attributes:
        known: of voices that were trained on.
        unseen: of the others.
        plain, plain_unseen: the same by the mean spectrum.
        training: seconds, of this process.
    """

    known: Figure
    unseen: Figure
    plain: Figure
    plain_unseen: Figure
    training: float


def measure(
    folder: Path,
    *,
    noise: float | None,
    variety: float = 0.0,
    individuals: int = 60,
    trained: int = 40,
    days: int = 4,
    recordings: int = 3,
    epochs: int | None = None,
    seed: int = 0,
) -> Measured:
    """Make recordings, train on some, and ask."""
    photos = make_recordings(
        folder / "calls",
        individuals=individuals,
        days=days,
        recordings=recordings,
        noise=noise,
        variety=variety,
        seed=seed,
    )
    names = sorted({str(photo.individual) for photo in photos})
    dates = sorted({photo.date.date() for photo in photos if photo.date})
    asks = np.array([photo.date is not None and photo.date.date() == dates[-1] for photo in photos])
    known = np.array([names.index(str(photo.individual)) < trained for photo in photos])
    teach = [photo for photo, here in zip(photos, known & ~asks, strict=True) if here]
    begun = time.process_time()
    model = folder / "calls.onnx"
    train_photos(teach, model, epochs=epochs, valid_share=0, seed=seed, progress=False)
    spent = time.process_time() - begun
    vectors = Fingerprinter(model)(photos).vectors
    plain = mean_spectra(photos)
    who = [str(photo.individual) for photo in photos]
    return Measured(
        known=rank_1(vectors, who, asks & known, ~asks),
        unseen=rank_1(vectors, who, asks & ~known, ~asks),
        plain=rank_1(plain, who, asks & known, ~asks),
        plain_unseen=rank_1(plain, who, asks & ~known, ~asks),
        training=spent,
    )


def rank_1(
    vectors: NDArray[np.float32],
    who: list[str],
    asks: NDArray[np.bool_],
    gallery: NDArray[np.bool_],
) -> Figure:
    """R@1 with its interval."""
    names = np.array(who)
    return retrieval(vectors[asks], names[asks], vectors[gallery], names[gallery], ks=[1]).rank_1


def mean_spectra(photos: list[Photo]) -> NDArray[np.float32]:
    """float32 (n, 64) unit vectors: how loud each band is, against all recordings' mean."""
    spectra = np.zeros((len(photos), 64))
    for some in hear(((photo.path, photo.box) for photo in photos), USUAL):
        for place, windows in some:
            assert isinstance(windows, np.ndarray)
            spectra[place] = windows.mean(axis=(0, 2))
    spectra -= spectra.mean(axis=0)
    return (spectra / np.linalg.norm(spectra, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", type=float, nargs="+", default=[0, -10])
    parser.add_argument("--variety", type=float, nargs="+", default=[0, 1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    print(
        "| signal to noise | variety | seed | trained on: R@1 | never trained on: R@1 "
        "| mean spectrum: R@1 | of the others | training, processor time |\n"
        "|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    for noise in options.noise:
        for variety, seed in product(options.variety, options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                found = measure(Path(folder), noise=noise, variety=variety, seed=seed)
            cells = (found.known, found.unseen, found.plain, found.plain_unseen)
            print(
                f"| {noise:g} dB | {variety:g} | {seed} | {' | '.join(map(str, cells))} "
                f"| {found.training:.0f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main()
