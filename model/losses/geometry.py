"""VGGT's terms, in its paper's form (Wang et al., CVPR 2025): camera, depth and points, by predicted confidence.

The truth is the simulator's, in metres and in the *current* camera's frame, which is the world of `Geometry`. VGGT
trains on scenes scaled to unit distance; walks with known poses have a true scale, and the maps that this network draws
depend on it, so here the scale is learnt too. Each term is a sum over the geometry encoders; an encoder without
weights (`sensors`) already tells the truth, and adds zero.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from model.batch import Batch, Geometry, Prediction, Views
from model.geometry import encode_poses, relative_pose, transform, unproject
from model.losses.masked import masked_mean

FIELD_OF_VIEW_WEIGHT = 0.5
CONFIDENCE_WEIGHT = 0.2
DRAFT_DECAY = 0.6
"""Weight of a refinement against the next one's (VGGT's training code): none passes a gradient to the one before."""


def camera(prediction: Prediction, batch: Batch) -> Tensor:
    """L1 on the camera encodings: translation (m) + quaternion + half the field of view (rad), means over the views,
    and over the refinements with more weight on later ones."""
    views = batch.views
    height, width = views.depth.shape[-2:]
    truth = encode_poses(views.pose, views.intrinsics, height, width)
    return _sum_over_encoders(prediction, lambda geometry: _camera(geometry, truth, views.valid))


def depth(prediction: Prediction, batch: Batch) -> Tensor:
    """Confidence-weighted L1 of depth (m) and of its differences between neighbouring pixels."""
    truth = batch.views.depth[..., None]
    valid = _measured(batch.views)
    return _sum_over_encoders(
        prediction, lambda geometry: _confident(geometry.depth[..., None], geometry.depth_conf, truth, valid)
    )


def points(prediction: Prediction, batch: Batch) -> Tensor:
    """The same of the point maps (m)."""
    truth = true_points(batch.views)
    valid = _measured(batch.views)
    return _sum_over_encoders(
        prediction, lambda geometry: _confident(geometry.world_points, geometry.world_points_conf, truth, valid)
    )


def true_points(views: Views) -> Tensor:
    """[B, S, H, W, 3] what each pixel sees, in the current camera's frame, metres."""
    local = unproject(views.depth, views.intrinsics)
    return transform(relative_pose(views.pose[:, -1:], views.pose), local.flatten(2, 3)).view_as(local)


def _sum_over_encoders(prediction: Prediction, term: Callable[[Geometry], Tensor]) -> Tensor:
    terms = [term(geometry) for geometry in prediction.geometry]
    # A network that reads no geometry and learns none gives none.
    return torch.stack(terms).sum() if terms else prediction.logits.new_zeros(())


def _camera(geometry: Geometry, truth: Tensor, valid: Tensor) -> Tensor:
    steps = torch.cat([geometry.pose_drafts, geometry.pose_enc[:, :, None]], dim=2).float()
    error = (steps - truth[:, :, None]).abs()
    parts = error[..., :3].mean(-1) + error[..., 3:7].mean(-1) + FIELD_OF_VIEW_WEIGHT * error[..., 7:].mean(-1)
    weights = DRAFT_DECAY ** torch.arange(parts.shape[2] - 1, -1, -1, device=parts.device)
    return masked_mean((parts * weights).sum(-1) / weights.sum(), valid)


def _confident(predicted: Tensor, confidence: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """mean(c |e|) + mean(c |grad e|) - 0.2 mean(log c) over the measured pixels, e the error map [B, S, H, W, D]."""
    confidence = confidence.float()
    error = torch.where(valid[..., None], predicted.float() - truth, 0.0)
    value = masked_mean(confidence * error.norm(dim=-1), valid)
    total = value - CONFIDENCE_WEIGHT * masked_mean(confidence.log(), valid)
    for axis in (2, 3):
        size = valid.shape[axis]
        both = valid.narrow(axis, 1, size - 1) & valid.narrow(axis, 0, size - 1)
        step = error.diff(dim=axis).abs().mean(-1)
        total = total + masked_mean(confidence.narrow(axis, 0, size - 1) * step, both)
    return total


def _measured(views: Views) -> Tensor:
    """[B, S, H, W] bool: pixels of valid views with a depth."""
    return (views.depth > 0) & views.valid[..., None, None]
