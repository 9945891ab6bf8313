"""The model file and the Fingerprinter: photos in, unit vectors out. No learning framework."""

from resight.fingerprint.fingerprinter import Fingerprinter, Fingerprints
from resight.fingerprint.model import Card, Model, load_model

__all__ = ["Card", "Fingerprinter", "Fingerprints", "Model", "load_model"]
