"""Terms on cells, patches and classes: visibility of a cell, its steps on surfaces, alignment across frames, turns."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from model.batch import NO_TURN, Batch, Prediction
from model.labels import CO_VISIBLE, NO_CLASS
from model.losses.masked import weighted_mean
from model.matching import similarities

SURFACE_STEP = 0.05
"""Relative depth step between neighbouring cells at which they count as one surface by only 1/e."""


def visibility_classes(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean cross-entropy of out of view / occluded / co-visible over all cells with a class."""
    return _mean_cross_entropy(prediction.classes.movedim(2, -1), batch.targets.classes, NO_CLASS)


def turn(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean cross-entropy of the first turn over the items that have one to name."""
    return _mean_cross_entropy(prediction.turn, batch.targets.turn, NO_TURN)


def cross_frame_alignment(prediction: Prediction, batch: Batch) -> Tensor:
    """InfoNCE: each matched patch of the current view against all patches of that keyframe, temperature 0.07.

    The other patches of the same keyframe are the negatives; other keyframes may show the same place, so they are not.
    """
    logits = similarities(prediction.current_tokens, prediction.keyframe_tokens)
    return _mean_cross_entropy(logits, batch.targets.match, -1)


def spatial_consistency(prediction: Prediction, batch: Batch) -> Tensor:
    """Co-visibility may step between neighbouring cells of one surface only where the truth steps.

    Weighted mean over horizontal and vertical neighbours of max(0, |dS| - |dC|)^2, with S and C the predicted
    and true co-visible shares and weights exp(-|d log D| / 0.05); squared, so that its gradient also ends at the truth.
    """
    predicted = prediction.classes.float().softmax(2)[:, :, CO_VISIBLE]
    true, depth = batch.targets.covisible, batch.targets.cell_depth
    measured = (depth > 0)[:, None] & batch.views.valid[:, :-1, None, None]
    log_depth = depth.clamp_min(1e-3).log()[:, None]
    excess, weights = [], []
    for axis in (-2, -1):
        step = (predicted.diff(dim=axis).abs() - true.diff(dim=axis).abs()).clamp_min(0)
        size = measured.shape[axis]
        both = measured.narrow(axis, 1, size - 1) & measured.narrow(axis, 0, size - 1)
        excess.append(step.square().flatten())
        weights.append((both * torch.exp(-log_depth.diff(dim=axis).abs() / SURFACE_STEP)).flatten())
    return weighted_mean(torch.cat(excess), torch.cat(weights))


def _mean_cross_entropy(logits: Tensor, classes: Tensor, absent: int) -> Tensor:
    """Mean over the entries of `classes` [...] other than `absent`; 0 where there is none. `logits` [..., C]."""
    total = cross_entropy(logits.float().flatten(0, -2), classes.flatten(), ignore_index=absent, reduction="sum")
    return total / (classes != absent).sum().clamp_min(1)
