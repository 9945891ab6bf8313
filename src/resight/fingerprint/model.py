"""The model file: one ONNX graph that carries its card, and nothing that runs code when opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.errors import UnusableModel
from resight.photos.decode import Fit
from resight.photos.sound import BANDS, Hearing
from resight.photos.stream import usable_processors

if TYPE_CHECKING:
    import onnxruntime

CARD_KEY = "resight.card"
INPUT = "pixels"
OUTPUT = "fingerprints"
FORMAT = 1
_FITS = ("pad", "stretch", "crop")


def name_key(name: str) -> str:
    """What a card keeps of an individual's name: 16 characters of its SHA-256, case apart."""
    return hashlib.sha256(name.strip().casefold().encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Card:
    """What a model file says of itself.

    Attributes:
        size: (height, width) of the pixels that the graph takes.
        channels: 1 (grey) or 3 (RGB).
        dim: length of a fingerprint.
        fit: how a photo of another shape is brought to `size`: "pad", "stretch" or "crop".
        fill: grey level, 0 to 255, of the margins that "pad" adds.
        body: name of the network's body.
        training: summary of what it was trained on and how (JSON values).
        metrics: what it was measured to reach (JSON values).
        licence: licence of the weights.
        version: version of Resight that wrote the file.
        content_hash: SHA-256, in hex, of the serialised graph before the card is put in.
        sound: of a model for recordings, what it hears: see `Hearing`; None for photos.
        format: number of the file's format; this version of Resight reads up to `FORMAT`.
    """

    size: tuple[int, int]
    channels: int
    dim: int
    fit: Fit = "pad"
    fill: int = 0
    body: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    version: str = ""
    content_hash: str = ""
    sound: dict[str, Any] | None = None
    format: int = FORMAT

    @property
    def drawings(self) -> bool:
        """Whether it was trained on drawings, which have strokes instead of spots."""
        return self.training.get("kind") == "drawings"

    @property
    def photos_seen(self) -> frozenset[str]:
        """The photos trained on, by the first 16 characters of their files' SHA-256, if told."""
        told = self.training.get("photos_seen")
        return frozenset(str(one)[:16] for one in told) if isinstance(told, list) else frozenset()

    def has_seen(self, individuals: Iterable[str | None]) -> list[bool] | None:
        """Whether it was trained on each of these, by their names; None if that is not told."""
        told = self.training.get("individuals_seen")
        if not isinstance(told, list) or not told:
            return None
        keys = frozenset(map(str, told))
        return [name is not None and name_key(name) in keys for name in individuals]

    def to_json(self) -> str:
        """The card as the JSON text that stands in the file's metadata."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card and check it; keys that this version does not know are passed over.

        Raises:
            UnusableModel: not JSON, a missing or senseless entry, or a newer format.
        """
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as error:  # the latter of thousands of brackets
            raise UnusableModel(f"the card is not JSON ({error})") from None
        if not isinstance(entries, dict):
            raise UnusableModel("the card is not a JSON object")
        number = entries.get("format", FORMAT)
        if _whole(number) and number > FORMAT:
            raise UnusableModel(
                f"the model has format {number} and this Resight reads up to {FORMAT}; "
                "upgrade it with: pip install -U resight"
            )
        missing = {"size", "channels", "dim", "content_hash"} - entries.keys()
        if missing:
            raise UnusableModel(f"the card lacks {', '.join(sorted(missing))}")
        known = {f.name for f in fields(cls)}
        card = {key: value for key, value in entries.items() if key in known}
        if isinstance(card["size"], list):
            card["size"] = tuple(card["size"])
        result = cls(**card)
        result._check()
        return result

    @property
    def hearing(self) -> Hearing | None:
        """What a model for recordings hears; None for photos."""
        return None if self.sound is None else Hearing.of(self.sound)

    def _check(self) -> None:
        sides = self.size
        sound = {
            "size": isinstance(sides, tuple)
            and len(sides) == 2
            and all(_whole(side) and 1 <= side <= 8192 for side in sides),
            "channels": _whole(self.channels) and self.channels in (1, 3),
            "dim": _whole(self.dim) and 1 <= self.dim <= 65536,
            "fit": self.fit in _FITS,
            "fill": _whole(self.fill) and 0 <= self.fill <= 255,
            "training": isinstance(self.training, dict),
            "metrics": isinstance(self.metrics, dict),
            "content_hash": isinstance(self.content_hash, str) and len(self.content_hash) >= 16,
            "format": _whole(self.format) and self.format >= 1,
        }
        sound |= {
            key: isinstance(getattr(self, key), str) for key in ("body", "licence", "version")
        }
        try:
            sound["sound"] = (heard := self.hearing) is None or (1, self.size) == (
                self.channels,
                (BANDS, heard.window),
            )
        except (TypeError, ValueError):
            sound["sound"] = False
        for key, good in sound.items():
            if not good:
                raise UnusableModel(f"the card's {key} makes no sense: {getattr(self, key)!r}")


@dataclass(frozen=True)
class Model:
    """A model file, opened: the ONNX Runtime session and the card."""

    path: Path
    card: Card
    session: onnxruntime.InferenceSession

    @property
    def id(self) -> str:
        """Sixteen hex digits that name the weights: two files with one id give one fingerprint."""
        return self.card.content_hash[:16]


def load_model(path: str | Path, *, threads: int | None = None) -> Model:
    """Open a model file that `resight train` wrote.

    Args:
        path: the `.onnx` file.
        threads: threads that compute one batch; all processors by default.

    Raises:
        UnusableModel: missing, not ONNX, without our card, of a newer format, or with inputs and
            outputs other than the card says.
    """
    import onnxruntime

    path = Path(path)
    if not path.exists():
        raise UnusableModel(f"{path}: no such model file; train one with: resight train")
    if not path.is_file():
        raise UnusableModel(f"{path}: not a file; give the .onnx file that resight train wrote")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_processors()
    options.inter_op_num_threads = 1
    # Threads that wait by spinning take the processor from those that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is said by us, in one line
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # onnxruntime's errors share no base class of their own
        raise UnusableModel(
            f"{path}: not an ONNX model that can be run (broken, cut short, or another kind of "
            "file); give the .onnx file that resight train wrote"
        ) from None
    text = session.get_modelmeta().custom_metadata_map.get(CARD_KEY)
    if text is None:
        raise UnusableModel(
            f"{path}: an ONNX model, but not one of Resight's (it has no card); "
            "train or export one with: resight train"
        )
    try:
        card = Card.from_json(text)
        _check_graph(session, card)
    except UnusableModel as error:
        raise UnusableModel(f"{path}: {error}") from None
    return Model(path, card, session)


def _check_graph(session: onnxruntime.InferenceSession, card: Card) -> None:
    for what, name, kind, ends, wanted in (
        ("input", INPUT, "tensor(uint8)", session.get_inputs(), (card.channels, *card.size)),
        ("output", OUTPUT, "tensor(float)", session.get_outputs(), (card.dim,)),
    ):
        if [end.name for end in ends] != [name]:
            raise UnusableModel(f"the graph's {what}s are {[end.name for end in ends]}, not {name}")
        end = ends[0]
        if end.type != kind:
            raise UnusableModel(f"{name} is {end.type}, not {kind}")
        shape = list(end.shape)
        if not shape or isinstance(shape[0], int) or shape[1:] != list(wanted):
            asked = ["n", *wanted]
            raise UnusableModel(
                f"the graph's {what} has shape {shape}, where the card says {asked}"
            )


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
