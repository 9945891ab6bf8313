"""The model file: its card, and the files that are not ours."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resight.errors import UnusableModel
from resight.fingerprint import Card, load_model

models = pytest.importorskip("models", reason="needs the onnx package (the train extra)")

CARD = Card(size=(28, 28), channels=1, dim=32, content_hash="0123456789abcdef" * 4)


def refused(path: Path, words: str) -> None:
    with pytest.raises(UnusableModel, match=words) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_model_opens(tiny_model: Path, tiny_rgb_model: Path) -> None:
    model = load_model(tiny_model)
    assert model.card.size == (28, 28)
    assert (model.card.channels, model.card.dim) == (1, 32)
    assert model.id == model.card.content_hash[:16]
    assert model.path == tiny_model
    (vectors,) = model.session.run(None, {"pixels": np.zeros((3, 1, 28, 28), np.uint8)})
    assert vectors.shape == (3, 32)
    rgb = load_model(str(tiny_rgb_model), threads=1)
    assert (rgb.card.size, rgb.card.channels, rgb.card.dim) == ((48, 64), 3, 16)
    assert rgb.id != model.id


names = st.text(max_size=20)


@given(
    st.builds(
        Card,
        size=st.tuples(st.integers(1, 8192), st.integers(1, 8192)),
        channels=st.sampled_from([1, 3]),
        dim=st.integers(1, 65536),
        fit=st.sampled_from(["pad", "stretch", "crop"]),
        fill=st.integers(0, 255),
        body=names,
        training=st.dictionaries(names, st.integers() | names),
        metrics=st.dictionaries(names, st.floats(0, 1)),
        licence=names,
        version=names,
        content_hash=st.text("0123456789abcdef", min_size=16, max_size=64),
    )
)
def test_cards_come_back_as_they_went(card: Card) -> None:
    assert Card.from_json(card.to_json()) == card


def test_a_card_of_another_time() -> None:
    entries = json.loads(CARD.to_json())
    assert Card.from_json(json.dumps(entries | {"colour": "blue"})) == CARD
    del entries["format"], entries["licence"]
    assert Card.from_json(json.dumps(entries)) == CARD
    with pytest.raises(UnusableModel, match=r"format 2 .* up to 1; upgrade"):
        Card.from_json(json.dumps({"format": 2, "everything": "else"}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", [28]),
        ("size", 28),
        ("size", [0, 28]),
        ("size", [28.0, 28]),
        ("size", [10**6, 28]),
        ("channels", 2),
        ("channels", True),
        ("dim", 0),
        ("dim", "32"),
        ("fit", "squeeze"),
        ("fit", None),
        ("fit", ["pad"]),
        ("fill", 256),
        ("content_hash", "short"),
        ("content_hash", None),
        ("training", []),
        ("body", 3),
        ("format", 0),
        ("format", "1"),
    ],
)
def test_senseless_cards(key: str, value: object) -> None:
    with pytest.raises(UnusableModel, match=f"the card's {key} makes no sense"):
        Card.from_json(json.dumps(asdict(CARD) | {key: value}))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"size": [28, 28]}'])
def test_what_is_no_card(text: str) -> None:
    with pytest.raises(UnusableModel, match="card"):
        Card.from_json(text)


def test_files_that_are_no_models(tmp_path: Path, tiny_model: Path) -> None:
    refused(tmp_path / "missing.onnx", "no such model file; train one")
    refused(tmp_path, "not a file")
    bad = tmp_path / "bad.onnx"
    for data in (b"", b"some text", bytes(1000), tiny_model.read_bytes()[:3000]):
        bad.write_bytes(data)
        refused(bad, "not an ONNX model that can be run|has no card")


def test_models_that_are_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    models.make_model(path, metadata=False)
    refused(path, "not one of Resight's")
    models.make_model(path, card="{")
    refused(path, "card is not JSON")
    models.make_model(path, card='{"format": 99}')
    refused(path, "upgrade it with")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": (28, 32)}, r"input has shape \['n', 1, 28, 28\]"),
        ({"channels": 3}, "input has shape"),
        ({"dim": 64}, r"output has shape \['n', 32\]"),
    ],
)
def test_a_card_that_does_not_fit_the_graph(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = models.make_model(tmp_path / "m.onnx", card=replace(CARD, **change))
    refused(path, words)


def test_graphs_of_another_make(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    def save(source: str, kind: int, shape: list[object]) -> Path:
        graph = helper.make_graph(
            [helper.make_node("Cast", [source], ["fingerprints"], to=TensorProto.FLOAT)],
            "g",
            [helper.make_tensor_value_info(source, kind, shape)],
            [helper.make_tensor_value_info("fingerprints", TensorProto.FLOAT, shape)],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        helper.set_model_props(model, {"resight.card": CARD.to_json()})
        onnx.save(model, tmp_path / "g.onnx")
        return tmp_path / "g.onnx"

    refused(save("photos", TensorProto.UINT8, ["n", 1, 28, 28]), "inputs are .*photos.*not pixels")
    refused(save("pixels", TensorProto.DOUBLE, ["n", 1, 28, 28]), r"tensor\(double\)")
    refused(save("pixels", TensorProto.UINT8, [4, 1, 28, 28]), r"input has shape \[4, 1, 28, 28\]")
    refused(save("pixels", TensorProto.UINT8, ["n", 1, 28, 28]), "output has shape")
