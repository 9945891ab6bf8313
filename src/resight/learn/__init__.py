"""Learning a fingerprint: losses and mining, sampling, the embedder, augmentation, the learner.

Needs the `train` extra (torch, fastai, timm). The losses, the sampler, the embedder and the
augmentation are plain torch and work without fastai.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resight.learn.augment import Enlarge, Pen, Recentre, Warp
    from resight.learn.data import PhotoLoader, PhotoSet
    from resight.learn.embedder import Embedder, create_embedder
    from resight.learn.ensemble import Ensemble
    from resight.learn.export import export_model
    from resight.learn.guards import CollapseGuard, WarmUp
    from resight.learn.learner import ReidLearner, reid_learner, with_miner
    from resight.learn.losses import ContrastiveLoss, SupConLoss, TripletLoss
    from resight.learn.memory import CrossBatchMemory
    from resight.learn.resume import Resume
    from resight.learn.sampler import PKSampler
    from resight.learn.train import train_folder, train_photos
    from resight.learn.views import Views, WithMirror
    from resight.learn.virtual import (
        Turned,
        VirtualIndividuals,
        distinct_turns,
        glyph_augmentation,
    )
    from resight.learn.whitening import whiten

_HOME = {
    "CollapseGuard": "guards",
    "ContrastiveLoss": "losses",
    "CrossBatchMemory": "memory",
    "Embedder": "embedder",
    "Enlarge": "augment",
    "Ensemble": "ensemble",
    "PKSampler": "sampler",
    "Pen": "augment",
    "PhotoLoader": "data",
    "PhotoSet": "data",
    "Recentre": "augment",
    "ReidLearner": "learner",
    "Resume": "resume",
    "SupConLoss": "losses",
    "TripletLoss": "losses",
    "Turned": "virtual",
    "Views": "views",
    "VirtualIndividuals": "virtual",
    "WarmUp": "guards",
    "Warp": "augment",
    "WithMirror": "views",
    "create_embedder": "embedder",
    "distinct_turns": "virtual",
    "export_model": "export",
    "glyph_augmentation": "virtual",
    "reid_learner": "learner",
    "train_folder": "train",
    "train_photos": "train",
    "whiten": "whitening",
    "with_miner": "learner",
}

__all__ = [
    "CollapseGuard",
    "ContrastiveLoss",
    "CrossBatchMemory",
    "Embedder",
    "Enlarge",
    "Ensemble",
    "PKSampler",
    "Pen",
    "PhotoLoader",
    "PhotoSet",
    "Recentre",
    "ReidLearner",
    "Resume",
    "SupConLoss",
    "TripletLoss",
    "Turned",
    "Views",
    "VirtualIndividuals",
    "WarmUp",
    "Warp",
    "WithMirror",
    "create_embedder",
    "distinct_turns",
    "export_model",
    "glyph_augmentation",
    "reid_learner",
    "train_folder",
    "train_photos",
    "whiten",
    "with_miner",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"resight.learn.{_HOME[name]}"), name)
    raise AttributeError(f"module 'resight.learn' has no attribute {name!r}")
