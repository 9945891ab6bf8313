"""The comparison where the body learns, too: the recipe for photographs, made short and small.

As `resight train` has it with ArcFace: the head first, then all of it, half of the individuals
mirrored, fingerprints of both looks. But every loss gets batches of four photos of each individual,
photos are smaller, epochs fewer, and nothing is whitened afterwards. For each loss its knob is
chosen, and a share of the recipe's learning rate for the body.
"""

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from comparison_losses import Method, Trained, spread
from comparison_tasks import MEAN, Figures, Model, PhotoTask, Vectors
from numpy.typing import NDArray
from photo_sets import BODY, TRAINING, PhotoData

from resight.learn.arcface import ArcFaceLoss
from resight.learn.data import PhotoSet
from resight.learn.learner import embed
from resight.learn.one import fit_epochs
from resight.learn.photographs import MARGIN, FineTuning
from resight.learn.plan import Plan
from resight.learn.sampler import PKSampler
from resight.learn.views import WithMirror
from resight.photos.photo import Photo
from resight.photos.sources import load_pixels

DIM = 256
INDIVIDUALS, PHOTOS = 8, 4
BATCH = INDIVIDUALS * PHOTOS
EPOCHS, EPOCHS_TO_CHOOSE = 12, 6
SIZE = 160, 96  # of cows' faces, a quarter of the pixels that the recipe shows


class BodyTask(PhotoTask):
    """Photographs: body and head learn."""

    second_knob, rates = "a share of the body's rate", (0.4, 1.0)

    def __init__(self, data: PhotoData) -> None:
        super().__init__(replace(data, size=SIZE), Path())
        self.name = f"{data.name}-body"
        self.figures = tuple(name for name in self.figures if name != MEAN)
        self.steps, self.steps_to_choose = (
            epochs * len(data.at(*parts)) // BATCH
            for epochs, parts in ((EPOCHS, TRAINING), (EPOCHS_TO_CHOOSE, ("fit",)))
        )
        self._pixels: NDArray[np.uint8] | None = None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        if self._pixels is None:
            photos = [Photo(path) for path in self.data.paths]
            self._pixels, _, _ = load_pixels(photos, self.data.size, 3, fit="stretch")
        return self._pixels

    def fit(
        self, method: Method, knob: float, rate: float, seed: int, steps: int, choosing: bool
    ) -> Model:
        """Train; `rate` is a share of the recipe's."""
        at = self.data.at(*(("fit",) if choosing else TRAINING))
        train = PhotoSet.of(self.pixels[at], self.data.labels[at])
        classes = 2 * len(train.names)  # with the mirrored ones
        torch.manual_seed(seed)
        # Ours has its margin led in while the head learns; the comparison's other one has none.
        loss = (
            ArcFaceLoss(classes, DIM, margin=MARGIN, scale=knob)
            if method.name == "ArcFace"
            else method.make(knob, classes)
        )
        plan = Plan(
            kind="photos",
            body=BODY,
            pretrained=True,
            size=self.data.size,
            channels=3,
            fit="stretch",
            dim=DIM,
            loss="arcface",
        )
        begun = time.perf_counter()
        with TemporaryDirectory() as folder:
            # fastai validates; nothing is chosen by it.
            few = train.take(range(min(BATCH, len(train))))
            tuning = FineTuning(train, few, plan, loss=loss, seed=seed, path=Path(folder))
            loader = tuning.learn.dls.train
            together = min(INDIVIDUALS, len(train.names))
            loader.batches = PKSampler(
                train.labels.numpy(), individuals=together, photos=PHOTOS, seed=seed
            )
            tuning.learn_head()
            epochs = max(1, round(steps / len(loader)))
            tuning.rate *= rate
            fit_epochs(tuning.learn, epochs, 0, False, [], tuning.fit)
        took = time.perf_counter() - begun
        net = WithMirror(tuning.learn.model)

        def of(places: NDArray[np.int64]) -> Vectors:
            return embed(net, torch.from_numpy(self.pixels[places])).numpy()

        some = np.random.default_rng(0).permutation(len(at))[:200]
        apart = spread(torch.from_numpy(of(at[some])), train.labels[torch.from_numpy(some)])
        return Model(of, Trained(took, epochs * len(loader), apart))

    def measure(self, model: Model, threshold: float | None) -> Figures:
        """Without what a threshold decides: it was chosen on a shorter training."""
        found = super().measure(model, threshold)
        return {name: found[name] for name in self.figures}
