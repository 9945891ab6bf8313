"""The photographs that the comparison measures with, and what a frozen body sees on them.

    python benchmarks/photo_sets.py holstein fit.csv
    python benchmarks/photo_sets.py right_whale fit.csv --decision

writes a table, for `resight train`, of the photos to learn from where knobs are chosen or the
decision is measured: without the individuals and days that are kept apart. With `--decision` it is
also without the whales that decision.py holds out and without a sixth of the others, whose photos
calibrate as newcomers.

A training of half a minute on two cores cannot move a network's weights far enough to gain by it.
So six of the seven stages of EfficientNet-Lite0, learned on ImageNet, stay as they are: they look
at every photo once (and at some warped copies of the training photos), their maps are kept in a
file, and each training learns a head on those maps.
"""

import argparse
import csv
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from decision import held_out
from digit_sets import DATA
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from resight.learn.augment import Warp
from resight.learn.embedder import Embedder, create_embedder
from resight.photos.photo import Photo
from resight.photos.sources import find_photos, load_pixels

BODY = "tf_efficientnet_lite0"
KEPT = 6  # stages that stay as they are
COPIES = 4  # warped copies of each training photo
TRAINING = ("fit", "apart", "watch")
WARP = Warp(turn=0.10, scale=0.10, stretch=0.06, slant=0.06, shift=0.05, bend=0)


@dataclass(frozen=True)
class PhotoData:
    """Photos, who is on them, and which part each plays.

    Attributes:
        name: of the set.
        paths: n files.
        labels: (n,) str, the individuals.
        part: (n,) str: "fit", "apart" and "watch" make up the training part; knobs are chosen after
            training on "fit" by asking "watch", where the individuals of "apart" are new. "ask" are
            the queries that are measured; "open_gallery" and "open_query" show individuals that
            training never saw; "beside" are only in galleries.
        size: height and width in pixels that the network sees.
        chosen_by: how "watch" was taken, in words.
        days: n dates, "" where none is known: photos of one individual and day are near-copies.
    """

    name: str
    paths: list[Path]
    labels: NDArray[np.str_]
    part: NDArray[np.str_]
    size: tuple[int, int]
    chosen_by: str
    days: list[str] = field(default_factory=list)

    def encounters(self, positions: NDArray[np.int64]) -> list[str | None] | None:
        """The days of some photos, None where unknown; None for a set without."""
        return [self.days[i] or None for i in positions.tolist()] if self.days else None

    def at(self, *parts: str) -> NDArray[np.int64]:
        """Positions of the photos of these parts."""
        return np.flatnonzero(np.isin(self.part, parts))


def holstein() -> PhotoData | None:
    """Cows' faces: trained to 3 April 2025, asked from 14 April; ten further cows kept apart."""
    root = DATA / "holstein"
    if not root.is_dir():
        return None
    paths, labels, parts, days = [], [], [], []
    with (root / "days.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            date = row["date"]
            paths.append(root / row["path"])
            labels.append(row["identity"])
            days.append(date)
            if not date or "2025-04-03" < date < "2025-04-14":
                parts.append("beside")
            elif date <= "2025-04-03":
                parts.append("fit" if date <= "2025-04-01" else "watch")
            else:
                parts.append("ask")
    for part in ("open_gallery", "open_query"):
        for path in find_photos(root / part):
            paths.append(path)
            labels.append(f"open {path.parent.name}")
            days.append("")
            parts.append(part)
    names, roles = np.array(labels), np.array(parts, "<U12")
    early = np.unique(names[roles == "fit"])
    apart = np.random.default_rng(0).permutation(early)[:12]
    roles[(roles == "fit") & np.isin(names, apart)] = "apart"
    words = "trained to 1 April but for 12 cows, watched on 2 and 3 April"
    return PhotoData("holstein", paths, names, roles, (240, 144), words, days)


def right_whale() -> PhotoData | None:
    """Right whales' heads, by the published split; every individual is known."""
    root = DATA / "right_whale"
    if not root.is_dir():
        return None
    with (root / "split.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([row["identity"] for row in rows])
    parts = np.array(["ask" if row["split"] == "test" else "fit" for row in rows], "<U12")
    rng = np.random.default_rng(0)
    for who in np.unique(labels):
        of = rng.permutation(np.flatnonzero((labels == who) & (parts == "fit")))
        if len(of) >= 3:
            parts[of[: len(of) // 4]] = "watch"
    paths = [root / "photos" / row["Image"] for row in rows]
    words = "a quarter of the training photos of each whale with three or more"
    return PhotoData("right_whale", paths, labels, parts, (192, 192), words)


class Maps:
    """What the frozen stages see: float16 (photos, views, C, H, W) in a file, made once."""

    def __init__(self, data: PhotoData, folder: Path) -> None:
        self.data = data
        words = f"{data.name} {data.size} {KEPT} {WARP} {len(data.paths)}"
        key = hashlib.sha256(words.encode()).hexdigest()[:12]
        plain, warped = (folder / f"{data.name}-{key}-{kind}.npy" for kind in ("plain", "warped"))
        folder.mkdir(parents=True, exist_ok=True)
        self.trained_on = data.at(*TRAINING)
        if not (plain.is_file() and warped.is_file()):
            self._look(plain, warped)
        self.plain = np.load(plain, mmap_mode="r")
        self.warped = np.load(warped, mmap_mode="r")
        self.row = np.full(len(data.paths), -1)
        self.row[self.trained_on] = np.arange(len(self.trained_on))

    def of(self, positions: Sequence[int] | NDArray[np.int64]) -> Tensor:
        """Maps of photos as they are: float32 (n, C, H, W)."""
        return torch.from_numpy(self.plain[np.asarray(positions)]).float()

    def a_copy(self, positions: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        """Maps of training photos, each of the photo as it is or of one of its warped copies."""
        view = rng.integers(0, COPIES + 1, len(positions))
        rows = np.empty((len(positions), *self.plain.shape[1:]), np.float16)
        rows[view == COPIES] = self.plain[positions[view == COPIES]]
        other = view < COPIES
        rows[other] = self.warped[self.row[positions[other]], view[other]]
        return torch.from_numpy(rows).float()

    def _look(self, plain: Path, warped: Path) -> None:
        data = self.data
        photos = [Photo(path) for path in data.paths]
        pixels, _, _ = load_pixels(photos, data.size, 3, fit="stretch")
        see = Trunk(create_embedder(BODY, channels=3, size=data.size, pretrained=True)).session()
        generator = torch.Generator().manual_seed(0)
        shape = see(pixels[:1]).shape[1:]
        views = _Whole(warped, (len(self.trained_on), COPIES, *shape))
        with _Whole(plain, (len(pixels), *shape)) as to, views as copies:
            for at in _blocks(len(pixels), 64):
                to[at] = see(pixels[at])
            for at in _blocks(len(self.trained_on), 16):
                part = torch.from_numpy(pixels[self.trained_on[at]]).float() / 255
                part = part.repeat_interleave(COPIES, 0)
                seen = see(_other_light(_warped(part, generator), generator))
                copies[at] = seen.reshape(-1, COPIES, *shape)


class Trunk(nn.Module):
    """The stages that stay as they are: uint8 (B, 3, H, W) to maps."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        body = embedder.body
        self.size = embedder.size
        self.mean, self.std = embedder.mean, embedder.std
        self.stages = nn.Sequential(body.conv_stem, body.bn1, *body.blocks[:KEPT])
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        return self.stages((pixels.float() / 255 - self.mean) / self.std)

    def session(self):
        """The trunk on ONNX Runtime, several times as fast as it is here."""
        sample = torch.zeros(2, 3, *self.size, dtype=torch.uint8)
        program = torch.onnx.export(
            self,
            (sample,),
            dynamo=True,
            input_names=["pixels"],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            verbose=False,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(
            program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return lambda pixels: session.run(None, {"pixels": pixels})[0].astype(np.float16)


class Head(nn.Module):
    """What is learned: a linear map from all cells of a map to unit vectors of length `dim`.

    Where something lies is kept, as these photos are cropped and upright: a mean over the cells,
    as usual, was found far worse (see docs/comparison.md).
    """

    def __init__(self, shape: tuple[int, ...], dim: int) -> None:
        super().__init__()
        features = int(np.prod(shape))
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(features, affine=False),
            nn.Dropout(0.3),
            nn.Linear(features, dim, bias=False),
            nn.BatchNorm1d(dim),
        )

    def forward(self, maps: Tensor) -> Tensor:
        with torch.autocast(maps.device.type, torch.bfloat16, enabled=self.training):
            out = self.layers(maps)
        return F.normalize(out.float(), dim=1)


class _Whole:
    """An array in a file that appears when all of it is written."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.part = path, path.with_name(f"{path.name}.{os.getpid()}.part")
        self.shape = shape

    def __enter__(self) -> NDArray[np.float16]:
        return np.lib.format.open_memmap(self.part, "w+", np.float16, self.shape)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.part.replace(self.path)
        else:
            self.part.unlink(missing_ok=True)


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(at, min(at + size, count)) for at in range(0, count, size))


def _warped(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Warped, with the photo's own edge drawn out where the warp looks past it."""
    border = [side // 6 for side in pixels.shape[-2:]]
    padded = F.pad(pixels, (border[1], border[1], border[0], border[0]), mode="reflect")
    out, _ = WARP(padded, torch.zeros(len(pixels)), generator)
    return out[..., border[0] : -border[0], border[1] : -border[1]]


def _other_light(pixels: Tensor, generator: torch.Generator) -> NDArray[np.uint8]:
    """Brighter or darker, harder or softer, a little more of one colour: uint8."""
    draw = torch.randn(len(pixels), 5, 1, 1, generator=generator).clamp(-2, 2)
    gamma, contrast = (0.25 * draw[:, :1]).exp(), (0.2 * draw[:, 1:2]).exp()
    tint = (0.06 * draw[:, 2:5]).exp()
    grey = pixels.mean((1, 2, 3), keepdim=True)
    out = ((pixels**gamma - grey) * contrast + grey) * tint
    return (out.clamp(0, 1) * 255).round().byte().numpy()


PHOTO_SETS = {"holstein": holstein, "right_whale": right_whale}


def main() -> None:
    """Write the table of the part to learn from."""
    parser = argparse.ArgumentParser(description="Write a table of the photos to learn from.")
    parser.add_argument("set", choices=sorted(PHOTO_SETS))
    parser.add_argument("table", type=Path)
    parser.add_argument("--decision", action="store_true", help="of the whales, see above")
    options = parser.parse_args()
    data = PHOTO_SETS[options.set]()
    if data is None:
        parser.error(f"{options.set}: its photos are not here")
    unseen: set[str] = set()
    if options.decision and options.set == "right_whale":
        away = held_out(data.labels)
        others = np.setdiff1d(data.labels, away)
        unseen = {*away, *np.random.default_rng(1).permutation(others)[: len(others) // 6]}
    with options.table.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["path", "identity", "date"])
        for i in data.at("fit").tolist():
            if data.labels[i] in unseen:
                continue
            day = data.days[i] if data.days else ""
            out.writerow([data.paths[i].resolve(), data.labels[i], day])


if __name__ == "__main__":
    main()
