"""Learned keypoints: ALIKED finds and describes them, LightGlue matches them, through kornia.

On right whales they found hardly more than RootSIFT (docs/looking-closely.md), at a tenth of a
second a pair and more on a processor, so they compare two photos, and no shortlist. Their weights
are not ours to ship: whoever has them puts the two files into a folder. Both networks' code and
weights are under licences of their own (ALIKED BSD-3, LightGlue Apache-2.0).

This is the one file outside `learn` that asks for torch, and only when something is called.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from resight.compare.keypoints import LONGEST_SIDE, Keypoints
from resight.compare.matching import TOLERANCE, Match, Shape, agreement, no_match
from resight.errors import ResightError
from resight.photos.decode import Pixels

# Those whose descriptors LightGlue's weights for ALIKED take, the published pair first.
FINDERS = ("aliked-n16", "aliked-n16rot", "aliked-n32")
MATCHER = "aliked_lightglue"
MOST = 1024
_WHENCE = (
    f"{FINDERS[0]}.pth (github.com/Shiaoming/ALIKED, models/) and {MATCHER}.pth "
    "(github.com/cvg/LightGlue, releases)"
)


class LearnedKeypoints:
    """ALIKED and LightGlue, ready to compare photos.

        learned = LearnedKeypoints.load("weights/")
        first, second = learned.find(photo), learned.find(other)
        draw_match(photo, other, first, second, learned.match(first, second), path="match.png")

    Attributes:
        finder, matcher: the files that the weights come from.
        most: keypoints of a photo, the surest.
    """

    def __init__(
        self, finder: Path, matcher: Path, networks: tuple[Any, Any], most: int = MOST
    ) -> None:
        self.finder, self.matcher, self.most = finder, matcher, most
        self._find, self._match = networks

    @classmethod
    def load(cls, folder: str | Path | None = None, *, most: int = MOST) -> LearnedKeypoints:
        """Load both networks; nothing is downloaded.

        Args:
            folder: where their files lie, such as aliked-n16.pth and aliked_lightglue.pth; None for
                where torch keeps what it has downloaded.
            most: keypoints of a photo at most.

        Raises:
            ResightError: kornia or torch is not installed; a file is missing, broken, or holds
                weights of another network.
        """
        missing = [name for name in ("torch", "kornia") if find_spec(name) is None]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise ResightError(
                f"learned keypoints need {' and '.join(missing)}, which {verb} not installed: "
                f"pip install {' '.join(missing)}"
            )
        place = _hub() if folder is None else Path(folder)
        if not place.is_dir():
            raise ResightError(f"{place}: is no folder with weights; put there {_WHENCE}")
        finder = next((f for n in FINDERS if (f := place / f"{n}.pth").is_file()), None)
        matcher = next(iter(sorted(place.glob(f"{MATCHER}*.pth"))), None)
        if finder is None or matcher is None:
            lacks = [MATCHER] * (matcher is None) + [FINDERS[0]] * (finder is None)
            raise ResightError(
                f"{place}: there is no {' and no '.join(f'{n}.pth' for n in lacks)} in it; "
                f"the files are {_WHENCE}"
            )
        from kornia.feature import ALIKED, LightGlue

        find: Any = ALIKED(finder.stem, max_num_keypoints=most, detection_threshold=0.0)
        unnamed: Any = None  # a name would be downloaded
        glue: Any = LightGlue(unnamed, input_dim=128)
        _fill(find, _read(finder), finder)
        tensors = _read(matcher)
        # The published file names its layers by the first layout of its authors.
        for number in range(len(glue.transformers)):
            for kind in ("self_attn", "cross_attn"):
                old, new = f"{kind}.{number}.", f"transformers.{number}.{kind}."
                tensors = {
                    new + k.removeprefix(old) if k.startswith(old) else k: v
                    for k, v in tensors.items()
                }
        _fill(glue, tensors, matcher)
        return cls(finder, matcher, (find, glue), most)

    def find(self, image: Pixels) -> Keypoints:
        """The keypoints of a photo, the surest first; descriptors are float32 (k, 128).

        Args:
            image: uint8 (H, W), (H, W, 1) or (H, W, 3) RGB; looked at with at most 512 pixels a
                side.

        Raises:
            ValueError: not such an image.
        """
        import cv2
        import torch

        shape = image.shape
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
            raise ValueError(f"a photo is uint8 (H, W), (H, W, 1 or 3), not {image.dtype} {shape}")
        if not image.size:
            raise ValueError(f"nothing to find on a photo of shape {shape}")
        colour = image if image.ndim == 3 else image[..., None]
        colour = np.ascontiguousarray(np.broadcast_to(colour, (*shape[:2], 3)))
        scale = min(1.0, LONGEST_SIDE / max(shape[:2]))
        # Its windows are some pixels wide: what is smaller than they are has no keypoints.
        width, height = (max(8, round(side * scale)) for side in (shape[1], shape[0]))
        if (height, width) != shape[:2]:
            colour = cv2.resize(colour, (width, height), interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(colour.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            (found,) = self._find(pixels)
        order = torch.argsort(found.keypoint_scores, descending=True, stable=True)[: self.most]
        places = found.keypoints[order].double().numpy()
        stretch = np.array([shape[1] / width, shape[0] / height])
        places = np.ascontiguousarray((places + 0.5) * stretch - 0.5, np.float32)
        nothing = np.zeros(len(places), np.float32)
        descriptors = np.ascontiguousarray(found.descriptors[order].float().numpy())
        return Keypoints(places, nothing, nothing.copy(), descriptors, (shape[0], shape[1]))

    def match(
        self,
        first: Keypoints,
        second: Keypoints,
        *,
        tolerance: float = TOLERANCE,
        shape: Shape = "similarity",
        seed: int = 0,
    ) -> Match:
        """Compare two photos; as `resight.compare.match`, with LightGlue instead of the ratio test.

        `Match.ratios` is 1 less LightGlue's confidence in each pair: the lower the surer.

        Args:
            first, second: from `find`.
            tolerance, shape, seed: as for `match`.
        """
        import torch

        if not len(first) or not len(second):
            return no_match()
        sides = [
            {
                "keypoints": torch.from_numpy(points.places)[None],
                "descriptors": torch.from_numpy(points.descriptors)[None],
                "image_size": torch.tensor([points.size[::-1]]).float(),
            }
            for points in (first, second)
        ]
        with torch.inference_mode():
            found = self._match({"image0": sides[0], "image1": sides[1]})
        pairs = found["matches"][0].numpy().astype(np.int64).reshape(-1, 2)
        ratios = (1 - found["scores"][0].float().numpy()).clip(0, 1).astype(np.float32)
        return agreement(first, second, pairs, ratios, tolerance=tolerance, shape=shape, seed=seed)


def _hub() -> Path:
    """Where torch keeps what it downloads."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _read(file: Path) -> dict[str, Any]:
    """The tensors of a file; no code in it is run."""
    import torch

    try:
        held = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(held, dict) or not all(torch.is_tensor(v) for v in held.values()):
            raise TypeError("it holds no tensors with names")
    except Exception as error:  # torch has a dozen kinds for a damaged file
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ResightError(f"{file}: not a readable file of weights ({words[:120]})") from error
    return held


def _fill(network: Any, tensors: dict[str, Any], file: Path) -> None:
    """Put weights into a network: all that it learned, and nothing else."""
    learned = dict(network.named_parameters())
    learned |= {n: b for n, b in network.named_buffers() if n.rpartition(".")[2].startswith("run")}
    lacking = [name for name in learned if name not in tensors]
    try:
        if lacking:
            raise RuntimeError(f"{lacking[0]} is not in it")
        said = network.load_state_dict(tensors, strict=False)
        if strange := [name for name in said.unexpected_keys if "confidence" not in name]:
            raise RuntimeError(f"nobody knows its {strange[0]}")
    except RuntimeError as error:  # also where a shape differs
        words = " ".join(str(error).split()).partition(":\t")[0][-160:]
        kind = type(network).__name__
        raise ResightError(f"{file}: these are no weights of {kind} ({words})") from error
    network.eval()
