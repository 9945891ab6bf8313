"""What each set asks of a method: batches to learn from, a part to choose knobs on, the figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from comparison_losses import DIM, RATES, Batch, Method, Trained, learn
from digit_sets import Characters, characters, digits, drawn_glyphs
from numpy.typing import NDArray
from photo_sets import TRAINING, Head, Maps, PhotoData

from resight.evaluate.few_shot import n_way_k_shot, one_enrolled
from resight.evaluate.metrics import Figure, retrieval
from resight.evaluate.open_set import open_set_figures
from resight.evaluate.protocols import nearest_photos, open_set
from resight.learn.augment import Enlarge
from resight.learn.data import PhotoLoader, PhotoSet
from resight.learn.embedder import create_embedder
from resight.learn.half import computes_bfloat16
from resight.learn.learner import embed
from resight.learn.sampler import PKSampler
from resight.learn.virtual import TURNS, VirtualIndividuals, distinct_turns, glyph_augmentation
from resight.photos.digits import embedded_digits
from resight.photos.letters import random_character

Vectors = NDArray[np.float32]
Figures = dict[str, Figure]
ONE, SHOT, R1 = "unseen, one enrolled: rank-1", "20-way one-shot error", "R@1 of test digits"
KNOWN, AUROC, MEAN, OPEN = (
    "R@1 of known cows",
    "AUROC known or new",
    "geometric mean of BAKS and BAUS",
    "rank-1 of ten further cows",
)
TOP1, MAP = "top-1", "mAP"


@dataclass(frozen=True)
class Model:
    """What has been learned: places of photos to vectors, and how the training went."""

    embed: Callable[[NDArray[np.int64]], Vectors]
    trained: Trained


class DigitsTask:
    """Learn ten digits, be asked about characters that were not there."""

    name, headline = "digits", ONE
    second_knob, rates = "rate", RATES
    figures = (ONE, SHOT, R1)

    def __init__(self, quick: bool) -> None:
        self.steps = 60 if quick else 400
        self.steps_to_choose = self.steps // 3
        data = embedded_digits() if quick else digits()
        self.unseen: Characters = drawn_glyphs() if quick else characters()
        # Beside some digits, held back, the knobs are chosen.
        held = np.zeros(len(data.train_labels), bool)
        held[np.random.default_rng(0).permutation(len(held))[: 400 if quick else 2000]] = True
        self.train = PhotoSet.of(data.train_pixels[~held], data.train_labels[~held])
        self.held_labels = data.train_labels[held].astype(str)
        self.test, self.test_labels = data.test_pixels, data.test_labels.astype(str)
        self.letters, self.letter_names = _letters()
        # One row of pixels for whatever is embedded: tests, unseen characters, letters, held ones.
        parts = [self.test, self.unseen.pixels, self.letters, data.train_pixels[held]]
        self.pixels = np.concatenate(parts)
        ends = np.cumsum([len(part) for part in parts])
        self.at_test, self.at_unseen, self.at_letters, self.at_held = (
            np.arange(start, stop) for start, stop in zip([0, *ends], ends, strict=False)
        )
        self.words = f"{len(self.train):,} digits to learn from, {len(self.test):,} to test, "
        self.words += f"{len(set(self.unseen.labels))} unseen characters ({self.unseen.source})"

    def fit(
        self, method: Method, knob: float, rate: float, seed: int, steps: int, choosing: bool
    ) -> Model:
        """Train; the knobs are chosen on made-up letters, so this is the same either way."""
        torch.manual_seed(seed)
        count = len(self.train.names)
        sampler = PKSampler(self.train.labels.numpy(), individuals=count, photos=24, seed=seed)
        augment = glyph_augmentation(self.train)
        if method.closed:
            turns = distinct_turns(self.train.names)
            augment[0] = VirtualIndividuals(turns, real=0.25, turned=0.75)
        net = create_embedder("drawing", dim=DIM).to(memory_format=torch.channels_last)
        augment = [Enlarge(net.sees), *augment]
        batches = PhotoLoader(self.train, sampler, augment=augment, seed=seed)
        net.half_precision = computes_bfloat16(torch.device("cpu"))
        loss = method.make(knob, TURNS * count)
        trained = learn(net, loss, batches, steps=steps, rate=rate)

        def of(at: NDArray[np.int64]) -> Vectors:
            return embed(net, torch.from_numpy(self.pixels[at])[:, None]).numpy()

        return Model(of, trained)

    def watch(self, model: Model) -> tuple[float, float | None]:
        """Rank-1 of letters of no alphabet, one enrolled beside digits; there is no threshold."""
        found = one_enrolled(
            model.embed(self.at_held),
            self.held_labels,
            model.embed(self.at_letters),
            self.letter_names,
            repeats=5,
            resamples=0,
        )
        return found.rank_1.value, None

    def measure(self, model: Model, threshold: float | None) -> Figures:
        gallery, new = model.embed(self.at_test), model.embed(self.at_unseen)
        unseen = self.unseen
        one = one_enrolled(gallery, self.test_labels, new, unseen.labels, repeats=5)
        few = n_way_k_shot(
            new,
            unseen.labels,
            ways=min(20, len(set(unseen.labels))),
            drawers=unseen.drawers,
            within=unseen.alphabets,
        )
        right = few.accuracy
        error = Figure(1 - right.value, 1 - right.high, 1 - right.low, right.n)
        return {
            ONE: one.rank_1,
            SHOT: error,
            R1: retrieval(gallery, self.test_labels).rank_1,
        }

    def images(self, at: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """The pixels, for methods that learn nothing."""
        return iter(self.pixels[np.asarray(at)])


class PhotoTask:
    """Photographs: a head learns on the maps of a frozen body."""

    batch = (48, 4)
    second_knob, rates = "rate", RATES

    def __init__(self, data: PhotoData, folder: Path) -> None:
        self.data, self.name = data, data.name
        self.folder = folder
        self.steps = self.steps_to_choose = 300
        self.open = data.name == "holstein"
        self.figures = (KNOWN, AUROC, MEAN, OPEN) if self.open else (TOP1, MAP)
        self.headline = self.figures[0]
        count = len(set(data.labels[data.at(*TRAINING)]))
        self.words = f"{len(data.at(*TRAINING)):,} photos of {count} individuals to learn from, "
        self.words += f"{len(data.at('ask')):,} asked; knobs: {data.chosen_by}"
        self._maps: Maps | None = None

    @property
    def maps(self) -> Maps:
        if self._maps is None:
            self._maps = Maps(self.data, self.folder)
        return self._maps

    def fit(
        self, method: Method, knob: float, rate: float, seed: int, steps: int, choosing: bool
    ) -> Model:
        torch.manual_seed(seed)
        at = self.data.at(*(("fit",) if choosing else TRAINING))
        names, labels = np.unique(self.data.labels[at], return_inverse=True)
        net = Head(self.maps.plain.shape[1:], DIM)
        batches = MapBatches(self.maps, at, labels, self.batch, seed)
        loss = method.make(knob, len(names))
        trained = learn(net, loss, batches, steps=steps, rate=rate)
        return Model(lambda places: self._embed(net, places), trained)

    def untrained(self) -> Model:
        """The body as it comes: its maps, less their mean over the training photos."""
        mean = self.maps.of(self.data.at(*TRAINING)).mean(0)
        return Model(
            lambda places: (self.maps.of(places) - mean).flatten(1).numpy(), Trained(0.0, 0, 1.0)
        )

    def _embed(self, net: torch.nn.Module, places: NDArray[np.int64]) -> Vectors:
        with torch.no_grad():
            blocks = [places[at : at + 128] for at in range(0, len(places), 128)]
            return torch.cat([net(self.maps.of(block)) for block in blocks]).numpy()

    def watch(self, model: Model) -> tuple[float, float | None]:
        """R@1 of known individuals, and the threshold that best tells known from new."""
        data = self.data
        catalogue, asked = data.at("fit"), data.at("watch")
        place, score = nearest_photos(model.embed(asked), model.embed(catalogue))
        return self.judge(asked, catalogue[place], score)

    def judge(
        self, asked: NDArray[np.int64], nearest: NDArray[np.int64], score: Vectors
    ) -> tuple[float, float | None]:
        """The same from answers: which photo was nearest to each asked one, how near."""
        data, catalogue = self.data, self.data.at("fit")
        names, answers = data.labels[asked], data.labels[nearest]
        known = np.isin(names, data.labels[catalogue])
        value = float((names == answers)[known].mean())
        if known.all():
            return value, None
        tried = np.unique(np.quantile(score, np.linspace(0.01, 0.99, 50)))
        enrolled = set(data.labels[catalogue].tolist())
        means = []
        for threshold in tried.tolist():
            found = open_set_figures(
                score, answers, names, enrolled, threshold=threshold, resamples=0
            )
            means.append(found.geometric_mean.value if found.geometric_mean else 0.0)
        return value, float(tried[int(np.argmax(means))])

    def measure(self, model: Model, threshold: float | None) -> Figures:
        data = self.data
        catalogue, asked = data.at(*TRAINING), data.at("ask")
        gallery, queries = model.embed(catalogue), model.embed(asked)
        names, asked_names = data.labels[catalogue], data.labels[asked]
        known = np.isin(asked_names, names)
        found = retrieval(queries[known], asked_names[known], gallery, names)
        if not self.open:
            return {TOP1: found.rank_1, MAP: found.mean_ap}
        told = open_set(queries, asked_names, gallery, names, threshold=threshold)
        beside = data.at("open_gallery", "beside")
        further = data.at("open_query")
        rank_1 = retrieval(
            model.embed(further),
            data.labels[further],
            np.concatenate([gallery, queries, model.embed(beside)]),
            np.concatenate([names, asked_names, data.labels[beside]]),
        ).rank_1
        assert told.geometric_mean is not None
        return {KNOWN: found.rank_1, AUROC: told.auroc, MEAN: told.geometric_mean, OPEN: rank_1}


class MapBatches:
    """Batches of maps: P individuals with K photos each, warped or as they are."""

    def __init__(
        self,
        maps: Maps,
        at: NDArray[np.int64],
        labels: NDArray[np.int64],
        batch: tuple[int, int],
        seed: int,
    ) -> None:
        self.maps, self.at, self.labels = maps, at, labels
        self.sampler = PKSampler(labels, individuals=batch[0], photos=batch[1], seed=seed)
        self.rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        for places in self.sampler:
            chosen = np.array(places)
            maps = self.maps.a_copy(self.at[chosen], self.rng)
            yield maps, torch.from_numpy(self.labels[chosen].astype(np.int64))


def _letters(count: int = 60, each: int = 6) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Made-up letters, each drawn by several hands."""
    rng = np.random.default_rng(3)
    made = [random_character(rng) for _ in range(count)]
    drawn = [letter.draw(rng) for letter in made for _ in range(each)]
    return np.stack(drawn), np.repeat([f"letter {i}" for i in range(count)], each)
