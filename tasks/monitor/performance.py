"""What the champion has lost: its evaluation on the newest data against the one by which it was promoted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.errors import DataError
from tasks.evaluation import MODEL, read_book, read_evaluation
from tasks.monitor.policy import WatchedMetric
from tasks.spec import ManifestId
from tasks.store import ArtefactStore
from tasks.summary import METRICS, over_scenes, replicate

RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Loss:
    """The share of the reference score that is lost, by bootstrap over scenes."""

    metric: WatchedMetric
    before: float
    now: float
    value: float
    """Positive = worse."""
    error: float
    """Standard error."""
    views: str
    """Identity of the views it was measured on."""


def measured(store: ArtefactStore, newest: ManifestId, baseline: ManifestId, metric: WatchedMetric, seed: int) -> Loss:
    """The loss from `baseline` to `newest`, both evaluations of one checkpoint.

    On equal views it is paired; on others both sides' scenes are resampled. `DataError` where the two do not compare.
    """
    records = [read_evaluation(store, id) for id in (baseline, newest)]
    before, now = records
    for name in ("checkpoint", "labels", "grid", "keyframes"):
        if getattr(before, name) != getattr(now, name):
            raise DataError(f"The evaluations {baseline} and {newest} differ in {name}: they do not compare.")
    same = before.plan == now.plan
    curves = []
    for number, id in enumerate((baseline, newest)):
        book = read_book(store, id)
        draws = over_scenes(book.plan, RESAMPLES, CONFIDENCE, seed if same else seed + number)
        if draws.scenes < 2:
            raise DataError(f"{id} has {draws.scenes} scene: how sure a loss is cannot be said from one.")
        curves.append(replicate(metric, book.plan, book.systems[MODEL], draws))
    reference, found = curves
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = -METRICS[metric].better * (found - reference) / np.abs(reference)
    spread = lost[1:][np.isfinite(lost[1:])]
    if not np.isfinite(lost[0]) or len(spread) < RESAMPLES / 2:
        raise DataError(f"{metric} is not defined on the views of {newest} or {baseline}: choose another metric.")
    scenes = min(before.scenes, now.scenes)
    error = float(spread.std(ddof=1)) * (scenes / (scenes - 1)) ** 0.5
    return Loss(metric, float(reference[0]), float(found[0]), float(lost[0]), error, now.plan)
