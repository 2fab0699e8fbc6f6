"""What passes between the loader, the network, the losses and the metrics, with shapes, units and frames.

Letters: B items, K keyframes, S = K + 1 views (the keyframes in order of time, then the current view, last),
H x W pixels, G x G heatmap cells, N = P x P patch tokens of a view, L instruction tokens.
A distribution over C = G * G + 1 cells lists the grid row by row (y outer, x inner), then the *none* bin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import torch
    from torch import Tensor

NO_TURN = -100
"""Value of `Targets.turn` where the next waypoint is visible, so that no turn is to be named."""


@dataclass(frozen=True)
class TensorRecord:
    """Base of the records below: moves all its tensors at once."""

    def to(self, device: torch.device | str) -> Self:
        """The same record with every tensor (also in nested records) on `device`."""
        moved = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: v.to(device) for n, v in moved.items() if hasattr(v, "to")})


@dataclass(frozen=True)
class Views(TensorRecord):
    """S views of B items: K keyframes, then the current view at index -1."""

    rgb: Tensor
    """[B, S, 3, H, W] float32 in 0..1, not normalised."""
    depth: Tensor
    """[B, S, H, W] float32, z-depth in metres; 0 = invalid."""
    pose: Tensor
    """[B, S, 4, 4] float32, camera-to-world, OpenCV camera (x right, y down, z forward)."""
    intrinsics: Tensor
    """[B, S, 3, 3] float32, pixels; pixel centres at +0.5."""
    valid: Tensor
    """[B, S] bool; False = padding. The current view is always valid."""


@dataclass(frozen=True)
class Text(TensorRecord):
    """Tokenised instructions (or questions, in pretraining)."""

    ids: Tensor
    """[B, L] int64, right-padded."""
    mask: Tensor
    """[B, L] bool; True = a real token."""


@dataclass(frozen=True)
class Targets(TensorRecord):
    """The geometric truth (docs/labels.md), computed from depth and pose, never stored."""

    heatmap: Tensor
    """[B, K, C] float32 distributions; a padded keyframe's row is all none."""
    visible: Tensor
    """[B, K] bool: co-visible share a_k >= 1 %."""
    certain: Tensor
    """[B, K] bool: valid keyframe and not (0.5 % <= a_k < 2 %): counts in the visibility loss and metric."""
    share: Tensor
    """[B, K] float32: a_k, the co-visible share of the valid pixels of the current view."""
    classes: Tensor
    """[B, K, G, G] int64 majority class of a cell: 0 out of view, 1 occluded, 2 co-visible; -100 = no valid pixel."""
    covisible: Tensor
    """[B, K, G, G] float32: share of a cell's valid pixels that are co-visible."""
    cell_depth: Tensor
    """[B, G, G] float32: median valid z-depth of the current view's cells, metres; 0 = none valid."""
    match: Tensor
    """[B, K, N] int64: for each patch of the current view the patch of keyframe k that saw its centre; -1 = none."""
    goal: Tensor
    """[B, C] float32: the next waypoint (or, in pretraining, the thing that the text names) in the current view."""
    goal_valid: Tensor
    """[B] bool: whether `goal` says anything."""
    turn: Tensor
    """[B] int64: first turn where the waypoint is not visible: 0 left, 1 right, 2 around; NO_TURN otherwise."""


@dataclass(frozen=True)
class Batch(TensorRecord):
    """One training or evaluation batch."""

    views: Views
    text: Text
    targets: Targets
    successor: Tensor
    """[B] int64: index in this batch of the item whose current view is the next frame, with the same keyframes;
    -1 = none."""
    row: Tensor
    """[B] int64: row of the item in the plan of views that the loader walks (names episode, frame, keyframes)."""


@dataclass(frozen=True)
class Geometry(TensorRecord):
    """What a geometry encoder says of S views."""

    tokens: Tensor
    """[B, S, n, D] patch tokens on the encoder's own square grid, row by row."""
    points: Tensor
    """[B, S, N, 3] patch centres in the *current* camera's frame (OpenCV), metres (vggt: up to scale)."""
    points_valid: Tensor
    """[B, S, N] bool."""
    depth: Tensor
    """[B, S, H, W] z-depth."""
    depth_conf: Tensor
    """[B, S, H, W], >= 1 (1 + exp)."""
    pose_enc: Tensor
    """[B, S, 9] world-to-camera translation, quaternion xyzw, field of view (h, w) in radians. The world is the
    *current* camera's frame: that view is always valid, so keyframes may be swapped or padded."""
    pose_drafts: Tensor
    """[B, S, R, 9] the same before the last of R + 1 refinements; R = 0 where nothing is refined."""
    world_points: Tensor
    """[B, S, H, W, 3] in the *current* camera's frame."""
    world_points_conf: Tensor
    """[B, S, H, W], >= 1."""


@dataclass(frozen=True)
class Prediction(TensorRecord):
    """What the network says of a batch."""

    logits: Tensor
    """[B, K + 1, C]: a row a keyframe, then the goal query; softmax over C gives the distribution P."""
    classes: Tensor
    """[B, K, 3, G, G] logits of the dense classes."""
    turn: Tensor
    """[B, 3] logits of the first turn."""
    current_tokens: Tensor
    """[B, N, E] unit-length features of the current view for cross-frame alignment."""
    keyframe_tokens: Tensor
    """[B, K, N, E] the same of the keyframes."""
    geometry: tuple[Geometry, ...]
    """Of the first geometry encoder, where its points are used, then of the others whose geometry is being trained."""
