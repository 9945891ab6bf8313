"""Small real ONNX models with a card, for tests that need fingerprints and no training."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from resight.fingerprint.model import CARD_KEY, Card


def make_model(
    path: Path,
    *,
    size: tuple[int, int] = (28, 28),
    channels: int = 1,
    dim: int = 32,
    seed: int = 0,
    card: Card | str | None = None,
    metadata: bool = True,
    weights: np.ndarray | None = None,
) -> Path:
    """Write a seeded random projection of the pixels, normalised, as a model file.

    Different seeds give different weights and so different `content_hash`es. `card` puts another
    card in (a string as it stands), `metadata=False` none.
    """
    inputs = channels * size[0] * size[1]
    rng = np.random.default_rng(seed)
    if weights is None:
        weights = rng.standard_normal((inputs, dim)) / np.sqrt(inputs)
    bias = rng.standard_normal(dim) * 0.05  # a black picture has a direction too
    constants = {
        "scale": np.array(1 / 255, np.float32),
        "weights": weights.astype(np.float32),
        "bias": bias.astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"], axis=1),
        helper.make_node("Mul", ["flat", "scale"], ["light"]),
        helper.make_node("Gemm", ["light", "weights", "bias"], ["projected"]),
        helper.make_node("LpNormalization", ["projected"], ["fingerprints"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "projection",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", channels, *size])],
        [helper.make_tensor_value_info("fingerprints", TensorProto.FLOAT, ["n", dim])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    if metadata:
        if card is None:
            card = Card(
                size=size,
                channels=channels,
                dim=dim,
                body="random projection",
                training={"photos": 0},
                licence="Apache-2.0",
                version="0.1.0",
            )
        if isinstance(card, Card) and not card.content_hash:
            card = replace(card, content_hash=hashlib.sha256(model.SerializeToString()).hexdigest())
        text = card if isinstance(card, str) else card.to_json()
        helper.set_model_props(model, {CARD_KEY: text})
    onnx.save(model, path)
    return path
