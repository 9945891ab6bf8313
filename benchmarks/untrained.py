"""A model that nobody trained: the mean of the last map of EfficientNet-Lite0, of ImageNet.

    python benchmarks/untrained.py holstein frozen.onnx
    python benchmarks/looking_closely.py holstein frozen.onnx
    python benchmarks/photographs.py holstein frozen.onnx --shortlist 0

The *frozen body* of the other pages. Its card tells of no training, so all photos may teach what a
match is worth beside it.
"""

import argparse
from pathlib import Path

from photo_sets import BODY
from torch import nn

from resight.learn.embedder import create_embedder
from resight.learn.export import export_model
from resight.learn.weights import licence_of

# Cows as the comparison's heads see them; whales' photos as they come.
SIZES = {"holstein": (240, 144), "right_whale": (224, 224)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=sorted(SIZES))
    parser.add_argument("model", type=Path)
    options = parser.parse_args()
    net = create_embedder(BODY, channels=3, size=SIZES[options.set], pretrained=True)
    net.dim, net.head = net.head[0].in_features, nn.Identity()
    export_model(net, options.model, fit="stretch", licence=licence_of(BODY, True))
    print(f"{options.model}: {net.dim} numbers, {net.size[0]}×{net.size[1]}")


if __name__ == "__main__":
    main()
