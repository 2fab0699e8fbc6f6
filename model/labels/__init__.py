"""The geometric truth of a batch, from depth and pose alone (docs/labels.md): made here, never stored."""

from model.labels.covisibility import CO_VISIBLE, NO_CLASS, OCCLUDED, OUT_OF_VIEW, Correspondence, correspond
from model.labels.goals import FuturePath, ThingMask, floor_path
from model.labels.targets import build_targets

LABEL_VERSION = "1"
"""Raised by hand when the *meaning* of a label changes; caches add the digest of the code itself."""

__all__ = [
    "CO_VISIBLE",
    "LABEL_VERSION",
    "NO_CLASS",
    "OCCLUDED",
    "OUT_OF_VIEW",
    "Correspondence",
    "FuturePath",
    "ThingMask",
    "build_targets",
    "correspond",
    "floor_path",
]
