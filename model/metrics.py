"""Per-view scores of predicted maps against the truth, in float64 numpy; means and intervals are made from these later.

V views, K keyframes, C = G * G + 1 cells (the none bin last). Pairs to which a score does not apply hold NaN: padded
keyframes everywhere, invisible ones where a map is compared with a map. Map scores look at the grid alone,
renormalised, so that they say where and leave to `kld` and `none` whether.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.labels import NO_CLASS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FLOOR = 1e-9
"""Least probability that a divergence charges for: a truth in an impossible cell costs 20.7 nats, not infinity."""


@dataclass(frozen=True)
class ViewScores:
    """Scores of each pair; NaN where one does not apply."""

    kld: Floats
    """[V, K] KL(T | P) over the cells and the none bin, nats; all valid pairs."""
    cc: Floats
    """[V, K] Pearson's correlation of the two grids; visible pairs."""
    nss: Floats
    """[V, K] the predicted grid's z-score at the true grid's mode; visible pairs."""
    distance: Floats
    """[V, K] from the predicted grid's mode to the true one's, as a share of the grid's diagonal; visible pairs.

    PCK@a is the share of pairs with distance <= a."""
    none: Floats
    """[V, K] predicted probability of the none bin; valid pairs. Average precision and Brier score come from it."""
    identity: Floats
    """[V, K] 1 where, of all targets of the view's keyframes, P_k is nearest (cosine) to T_k, else 0; visible pairs."""


def view_scores(predicted: Floats, truth: Floats, valid: Bools, visible: Bools) -> ViewScores:
    """Scores of `predicted` [V, K, C] against `truth` [V, K, C]; `valid`, `visible` [V, K]."""
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    seen = valid & visible
    grid, true_grid = _conditional(predicted), _conditional(truth)
    return ViewScores(
        kld=_where(valid, divergence(truth, predicted)),
        cc=_where(seen, correlation(grid, true_grid)),
        nss=_where(seen, saliency_at_mode(grid, true_grid)),
        distance=_where(seen, mode_distance(grid, true_grid)),
        none=_where(valid, predicted[..., -1]),
        identity=_where(seen, frame_identity(predicted, truth, valid)),
    )


def divergence(truth: Floats, predicted: Floats) -> Floats:
    """[...] KL(T | P) of [..., C] distributions, nats; P is floored at `FLOOR`."""
    # A cell without truth adds 0, but NaN where the prediction is NaN, so that a broken map cannot score well.
    ratio = np.log(np.maximum(truth, np.finfo(np.float64).tiny)) - np.log(np.maximum(predicted, FLOOR))
    return np.where(truth > 0, truth * ratio, 0.0 * predicted).sum(axis=-1)


def correlation(left: Floats, right: Floats) -> Floats:
    """[...] Pearson's correlation over the last axis; 0 where one of the two is constant."""
    left, right = (side - side.mean(axis=-1, keepdims=True) for side in (left, right))
    scale = np.sqrt((left**2).sum(axis=-1) * (right**2).sum(axis=-1))
    return (left * right).sum(axis=-1) / np.where(scale > 0, scale, 1.0)


def saliency_at_mode(grid: Floats, true_grid: Floats) -> Floats:
    """[...] z-score of the grid at the true mode (normalised scanpath saliency, one fixation); 0 for a flat grid."""
    at_mode = np.take_along_axis(grid, true_grid.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    spread = grid.std(axis=-1)
    return (at_mode - grid.mean(axis=-1)) / np.where(spread > 0, spread, 1.0)


def mode_distance(grid: Floats, true_grid: Floats) -> Floats:
    """[...] distance between the modes of two [..., G * G] grids, as a share of the grid's diagonal."""
    side = math.isqrt(grid.shape[-1])
    places = [np.stack(np.divmod(g.argmax(axis=-1), side), axis=-1) for g in (grid, true_grid)]
    return np.linalg.norm(places[0] - places[1], axis=-1) / (side * math.sqrt(2))


def frame_identity(predicted: Floats, truth: Floats, valid: Bools) -> Floats:
    """[V, K] 1 where argmax over the valid k' of cos(P_k, T_k') is k, ties going to the first, else 0."""
    cosines = _unit(predicted) @ np.swapaxes(_unit(truth), -1, -2)
    nearest = np.where(valid[:, None, :], cosines, -np.inf).argmax(axis=-1)
    return (nearest == np.arange(truth.shape[1])).astype(np.float64)


def identity_chance(valid: Bools, visible: Bools) -> float:
    """Frame identity of a blind guess: the mean of 1 / (valid keyframes of the view) over the visible pairs."""
    counted = valid & visible
    choices = np.broadcast_to(valid.sum(axis=1, keepdims=True), valid.shape)
    return float((1 / choices[counted]).mean()) if counted.any() else math.nan


def class_confusion(predicted: NDArray[np.int64], truth: NDArray[np.int64]) -> Floats:
    """[V, 3, 3] cells by true class (row) and predicted class (column), both [V, K, G, G].

    Cells without a true class are left out. The mean over classes of diagonal / (row + column - diagonal), counts
    summed over the views first, is the 3-class mIoU.
    """
    views = np.broadcast_to(np.arange(len(truth)).reshape(-1, 1, 1, 1), truth.shape)
    counted = truth != NO_CLASS
    flat = (views[counted] * 3 + truth[counted]) * 3 + predicted[counted]
    return np.bincount(flat, minlength=len(truth) * 9).reshape(-1, 3, 3).astype(np.float64)


def _conditional(maps: Floats) -> Floats:
    """[..., C] -> [..., G * G] with sum 1: the grid given that the place is in view; zeros stay zeros."""
    grid = maps[..., :-1]
    total = grid.sum(axis=-1, keepdims=True)
    return grid / np.where(total > 0, total, 1.0)


def _unit(maps: Floats) -> Floats:
    return maps / np.linalg.norm(maps, axis=-1, keepdims=True)


def _where(counted: Bools, values: Floats) -> Floats:
    return np.where(counted, values, np.nan)
