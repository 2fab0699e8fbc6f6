"""From per-view scores to the figures that are reported: one weighted pass serves values, intervals and differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.bootstrap import interval, resample
from tasks.scores import Bools, Floats, PlanRows, Scores
from tasks.spec import Frozen

CHUNK = 4_000_000
"""Weights (resamples x pairs) handled at once by the ranking metrics: bounds their memory to about 100 MB."""


class Estimate(Frozen):
    """A figure and its interval over scenes; None = undefined (no such pairs), or too few scenes for an interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Metric:
    """How a figure is named, which way is better, and how it is computed.

    `compute(plan, scores, cluster, weights)` answers [R] values: one for each row of `weights` [R, clusters], where
    `cluster` [V] says which scene a view belongs to.
    """

    label: str
    better: int
    """+1 more is better, -1 less is better, 0 neither."""
    compute: Callable[[PlanRows, Scores, np.ndarray, Floats], Floats]


def ratio(values: Floats, counted: Bools, cluster: np.ndarray, weights: Floats) -> Floats:
    """Weighted mean [R] of `values` [V, K] over the pairs in `counted`, NaN where nothing is counted."""
    size = weights.shape[1]
    total = np.bincount(cluster, np.where(counted, values, 0.0).sum(axis=1), size)
    count = np.bincount(cluster, counted.sum(axis=1), size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ total) / (weights @ count))


def average_precision(score: Floats, positive: Bools, cluster: np.ndarray, weights: Floats) -> Floats:
    """Weighted average precision [R] of N scored pairs, sum over thresholds of (recall step) x precision.

    Equal scores form one threshold, so a constant score gets the base rate. NaN where there is no positive, and for
    all resamples where a score is not a number: a ranking of such scores would look sound.
    """
    if np.isnan(score).any():
        return np.full(len(weights), np.nan)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, len(score) > 0))
    rows = max(1, CHUNK // max(1, len(score)))
    parts = [
        precision_sums(block, positive[order], cluster[order], ends)
        for block in np.split(weights, range(rows, len(weights), rows))
    ]
    return np.concatenate(parts)


def precision_sums(weights: Floats, positive: Bools, cluster: np.ndarray, ends: np.ndarray) -> Floats:
    """The sum of `average_precision` for pairs sorted by falling score; `ends` are the last pairs of equal scores."""
    each = weights[:, cluster]
    hits = np.cumsum(each * positive, axis=1)[:, ends]
    asked = np.cumsum(each, axis=1)[:, ends]
    steps = np.diff(hits, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(asked > 0, hits / asked, 0.0)
        found = hits[:, -1] if ends.size else np.zeros(len(weights))
        return np.asarray((steps * precision).sum(axis=1) / found)


def on_visible(name: str) -> Callable[[PlanRows, Scores, np.ndarray, Floats], Floats]:
    """Mean of a score over the pairs whose place is in view."""

    def mean(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
        return ratio(getattr(scores, name), plan.valid & plan.visible, cluster, weights)

    return mean


def kld_all(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
    """Mean KLD over all keyframes, seen or not."""
    return ratio(scores.kld, plan.valid, cluster, weights)


def pck(share: float) -> Callable[[PlanRows, Scores, np.ndarray, Floats], Floats]:
    """Share of visible pairs whose mode lies within `share` of the diagonal from the target's."""

    def within(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
        return ratio((scores.distance <= share).astype(float), plan.valid & plan.visible, cluster, weights)

    return within


def nearer(metres: float) -> Callable[[PlanRows, Scores, np.ndarray, Floats], Floats]:
    """Share of visible pairs whose mode shows a place within so many metres of the target's."""

    def within(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
        counted = plan.valid & plan.visible
        near = np.where(np.isnan(scores.metres), np.nan, scores.metres <= metres)
        return ratio(near, counted, cluster, weights)

    return within


def precision_of(none: bool) -> Callable[[PlanRows, Scores, np.ndarray, Floats], Floats]:
    """Average precision of the pairs that are out of view (`none`) or in view."""

    def average(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
        pairs = plan.valid & plan.certain
        score = scores.none[pairs] if none else 1 - scores.none[pairs]
        positive = ~plan.visible[pairs] if none else plan.visible[pairs]
        return average_precision(score, positive, np.broadcast_to(cluster[:, None], pairs.shape)[pairs], weights)

    return average


def brier(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
    """Mean squared error of the predicted probability of being in view."""
    return ratio((1 - scores.none - plan.visible) ** 2, plan.valid & plan.certain, cluster, weights)


def base_rate(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
    """Share of pairs that are in view: what the average precision of a blind guess would be."""
    return ratio(plan.visible.astype(float), plan.valid & plan.certain, cluster, weights)


def miou(plan: PlanRows, scores: Scores, cluster: np.ndarray, weights: Floats) -> Floats:
    """Mean intersection over union of the three classes; classes that occur nowhere do not count."""
    table = np.zeros((weights.shape[1], 9))
    np.add.at(table, cluster, scores.confusion.reshape(-1, 9))
    confusion = (weights @ table).reshape(-1, 3, 3)
    hit = np.diagonal(confusion, axis1=1, axis2=2)
    union = confusion.sum(axis=1) + confusion.sum(axis=2) - hit
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(union > 0, hit / union, np.nan)
        return np.asarray(np.nansum(each, axis=1) / np.isfinite(each).sum(axis=1))


METRICS: dict[str, Metric] = {
    "kld": Metric("KLD all", -1, kld_all),
    "kld_visible": Metric("KLD visible", -1, on_visible("kld")),
    "cc": Metric("CC", +1, on_visible("cc")),
    "nss": Metric("NSS", +1, on_visible("nss")),
    "pck05": Metric("PCK .05", +1, pck(0.05)),
    "pck10": Metric("PCK .1", +1, pck(0.10)),
    "pck20": Metric("PCK .2", +1, pck(0.20)),
    "inside": Metric("in mask", +1, on_visible("inside")),
    "sauc": Metric("sAUC", +1, on_visible("auc")),
    "metres": Metric("metres", -1, on_visible("metres")),
    "acc05": Metric("within .5 m", +1, nearer(0.5)),
    "acc10": Metric("within 1 m", +1, nearer(1.0)),
    "ap_none": Metric("AP none", +1, precision_of(none=True)),
    "ap_visible": Metric("AP visible", +1, precision_of(none=False)),
    "brier": Metric("Brier", -1, brier),
    "base_rate": Metric("base rate", 0, base_rate),
    "identity": Metric("identity", +1, on_visible("identity")),
    "miou": Metric("mIoU", +1, miou),
}


@dataclass(frozen=True)
class Resampling:
    """The scenes of a plan and the weights that every figure of it is computed with, so that differences are paired."""

    cluster: np.ndarray
    """[V] index of the view's scene."""
    weights: Floats
    """[1 + R, scenes]"""
    confidence: float

    @property
    def scenes(self) -> int:
        """Number of clusters."""
        return self.weights.shape[1]

    def estimate(self, replicates: Floats) -> Estimate:
        """The value (first replicate) and its interval (the others)."""
        if not np.isfinite(replicates[0]):
            return Estimate(value=None)
        bounds = interval(replicates[1:], self.scenes, self.confidence)
        low, high = bounds or (None, None)
        return Estimate(value=float(replicates[0]), low=low, high=high)

    def mean(self, values: Floats) -> Estimate:
        """The mean of `values` [V], with its interval."""
        total, count = np.bincount(self.cluster, values, self.scenes), np.bincount(self.cluster, minlength=self.scenes)
        return self.estimate((self.weights @ total) / (self.weights @ count))


def over_scenes(plan: PlanRows, resamples: int, confidence: float, seed: int) -> Resampling:
    """Resample whole scenes: views of one building are not independent of each other."""
    return by_scene(plan.scene, resamples, confidence, seed)


def by_scene(scene: NDArray[np.str_], resamples: int, confidence: float, seed: int) -> Resampling:
    """The same for whatever has a scene: `scene` [V]."""
    names, cluster = np.unique(scene, return_inverse=True)
    return Resampling(cluster, resample(len(names), resamples, seed), confidence)


def replicate(name: str, plan: PlanRows, scores: Scores, draws: Resampling) -> Floats:
    """A metric [1 + R]: on the sample, then on each resample."""
    return METRICS[name].compute(plan, scores, draws.cluster, draws.weights)


def summarise(plan: PlanRows, scores: Scores, draws: Resampling) -> dict[str, Estimate]:
    """Every metric of one system."""
    return {name: draws.estimate(replicate(name, plan, scores, draws)) for name in METRICS}


def difference(name: str, plan: PlanRows, left: Scores, right: Scores, draws: Resampling) -> Estimate:
    """Metric of `left` minus metric of `right` on the same views, with a paired interval over scenes."""
    return draws.estimate(replicate(name, plan, left, draws) - replicate(name, plan, right, draws))
