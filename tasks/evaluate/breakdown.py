"""Figures of a score book cut by scene, by episode or by view, and how well probabilities are calibrated. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.evaluate.record import at_rows
from tasks.scores import Floats, PlanRows, ScoreBook, Scores
from tasks.summary import METRICS

BINS = 10
FEWEST = 5
"""Pairs below which a bin of the calibration curve says nothing."""


@dataclass(frozen=True)
class Group:
    """Some views of the plan with one system's figures on them."""

    name: str
    views: int
    figures: Mapping[str, float | None]


def grouped(book: ScoreBook, system: str, by: np.ndarray, metrics: Sequence[str]) -> list[Group]:
    """The views with equal `by` [V] together, worst mean KLD first."""
    found = [group(book, system, str(name), np.flatnonzero(by == name), metrics) for name in np.unique(by)]
    return sorted(found, key=lambda g: -(g.figures.get("kld") or 0.0))


def group(book: ScoreBook, system: str, name: str, rows: np.ndarray, metrics: Sequence[str]) -> Group:
    """One system on some views; no intervals, for that needs several scenes."""
    plan, scores = at_rows(book.plan, rows), at_rows(book.systems[system], rows)
    cluster, weights = np.zeros(len(rows), np.int64), np.ones((1, 1))
    values = {metric: float(METRICS[metric].compute(plan, scores, cluster, weights)[0]) for metric in metrics}
    return Group(name, len(rows), {metric: v if np.isfinite(v) else None for metric, v in values.items()})


@dataclass(frozen=True)
class Calibration:
    """What a system says of being in view, beside how often it is; one entry a bin with enough pairs."""

    said: Floats
    found: Floats
    count: Floats
    error: float
    """Expected calibration error: mean distance of the two, weighted by pairs."""


def calibration(plan: PlanRows, scores: Scores) -> Calibration:
    """Over all pairs that are certainly in view or certainly not; bins of equal width in the probability said."""
    pairs = plan.valid & plan.certain & np.isfinite(scores.none)
    said, seen = 1 - scores.none[pairs], plan.visible[pairs].astype(float)
    place = np.clip((said * BINS).astype(int), 0, BINS - 1)
    count = np.bincount(place, minlength=BINS).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, share = np.bincount(place, said, BINS) / count, np.bincount(place, seen, BINS) / count
    error = float(np.nansum(np.abs(mean - share) * count) / max(1.0, count.sum()))
    told = count >= FEWEST
    return Calibration(mean[told], share[told], count[told], error)
