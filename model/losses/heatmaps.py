"""Terms on the distributions over G * G + 1 cells: P predicted, T true, one row a keyframe.

Rows of padded keyframes never count. Rows whose share is near the threshold (valid, but not `certain`) say where, if
they are visible, but not whether: they count only in the conditional part of `heatmap`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.special import xlogy

from model.batch import Batch, Prediction
from model.losses.masked import masked_mean

HELLINGER_EPS = 1e-4
"""Inside the root of the Hellinger distance, so that its gradient stays below 50 where two maps are equal."""


def heatmap(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean KL(T | P) over the valid keyframes, nats; for uncertain ones, given that they are visible."""
    logits, truth = _keyframe_logits(prediction), batch.targets.heatmap
    whole = divergence(truth, logits.log_softmax(-1))
    given_visible = divergence(truth[..., :-1], logits[..., :-1].log_softmax(-1))
    certain = batch.targets.certain
    near = batch.views.valid[:, :-1] & batch.targets.visible & ~certain
    return masked_mean(torch.where(certain, whole, given_visible), certain | near)


def goal(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean KL of the goal's map over the items whose goal says anything, nats."""
    log_p = prediction.logits[:, -1].float().log_softmax(-1)
    return masked_mean(divergence(batch.targets.goal, log_p), batch.targets.goal_valid)


def map_energy(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean of |P - T|^2 / |T|^2."""
    truth = batch.targets.heatmap
    difference = _keyframe_logits(prediction).softmax(-1) - truth
    return masked_mean(difference.square().sum(-1) / truth.square().sum(-1), batch.targets.certain)


def distinctness(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean over pairs i < j of an item's visible keyframes of (cos(P_i, P_j) - cos(T_i, T_j))^2."""
    counted = batch.targets.visible & batch.targets.certain
    difference = _cosines(_keyframe_logits(prediction).softmax(-1)) - _cosines(batch.targets.heatmap)
    pairs = (counted[:, :, None] & counted[:, None, :]).triu(1)
    return masked_mean(difference.square(), pairs)


def temporal_consistency(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean of (Hel(P_t, P_t+1) - Hel(T_t, T_t+1))^2 over the keyframes of items whose next frame is in the batch."""
    now = (batch.successor >= 0).nonzero()[:, 0]
    then = batch.successor[now]
    log_p = _keyframe_logits(prediction).log_softmax(-1)
    moved = _hellinger(((log_p[now] + log_p[then]) / 2).exp().sum(-1))
    truth = batch.targets.heatmap
    should = _hellinger((truth[now] * truth[then]).sqrt().sum(-1))
    certain = batch.targets.certain
    return masked_mean((moved - should).square(), certain[now] & certain[then])


def spatial_reasoning(prediction: Prediction, batch: Batch) -> Tensor:
    """Mean of ((H(P) - H(T)) / ln C)^2: as sharp as the truth, no sharper."""
    log_p, truth = _keyframe_logits(prediction).log_softmax(-1), batch.targets.heatmap
    predicted = -(log_p.exp() * log_p).sum(-1)
    true = -xlogy(truth, truth).sum(-1)
    return masked_mean(((predicted - true) / math.log(truth.shape[-1])).square(), batch.targets.certain)


def divergence(truth: Tensor, log_p: Tensor) -> Tensor:
    """[...] KL(T | P) of [..., C] distributions, nats; cells where T is 0 add nothing."""
    return (xlogy(truth, truth) - truth * log_p).sum(-1)


def _keyframe_logits(prediction: Prediction) -> Tensor:
    """[B, K, C] float32."""
    return prediction.logits[:, :-1].float()


def _cosines(maps: Tensor) -> Tensor:
    """[B, K, C] -> [B, K, K]."""
    unit = torch.nn.functional.normalize(maps, dim=-1)
    return unit @ unit.mT


def _hellinger(affinity: Tensor) -> Tensor:
    """Hellinger distance from the Bhattacharyya coefficient, smoothed at 0."""
    return ((1 - affinity).clamp_min(0) + HELLINGER_EPS).sqrt()
