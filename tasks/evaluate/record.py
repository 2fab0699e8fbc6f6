"""From a score book to the published record: figures of every system, paired differences, strata."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

import numpy as np

from tasks.evaluate.spec import EvaluateSpec
from tasks.evaluation import MODEL, Evaluation, Figures, plan_digest
from tasks.scores import PlanRows, ScoreBook, Scores
from tasks.summary import METRICS, difference, over_scenes, summarise

Columns = TypeVar("Columns", PlanRows, Scores)

BASELINE = "slot_mean"
"""The baseline that says anything: all that can be known from a keyframe's index alone."""


def record(book: ScoreBook, spec: EvaluateSpec, grid: int, labels: str, chance: float) -> Evaluation:
    """The evaluation of one plan. `chance` is the frame identity of a blind guess."""
    asked, plan = spec.plan, book.plan
    draws = over_scenes(plan, asked.bootstrap, asked.confidence, asked.seed)
    model, baseline = book.systems[MODEL], book.systems[BASELINE]
    against = {m: difference(m, plan, model, baseline, draws) for m in METRICS if METRICS[m].better}
    return Evaluation(
        dataset=spec.dataset,
        checkpoint=spec.checkpoint,
        split=asked.split,
        labels=labels,
        plan=plan_digest(plan),
        grid=grid,
        keyframes=asked.keyframes,
        views=len(plan.scene),
        scenes=draws.scenes,
        pairs=int(plan.valid.sum()),
        confidence=asked.confidence,
        chance=chance,
        systems={name: summarise(plan, scores, draws) for name, scores in book.systems.items()},
        differences={BASELINE: against},
        strata=strata(book, asked.bootstrap, asked.confidence, asked.seed),
    )


def strata(book: ScoreBook, resamples: int, confidence: float, seed: int) -> dict[str, dict[str, Figures]]:
    """Figures of the model and of the baseline for each manner of walking."""
    found = {}
    for name in np.unique(book.plan.stratum).tolist():
        rows = np.flatnonzero(book.plan.stratum == name)
        plan = at_rows(book.plan, rows)
        draws = over_scenes(plan, resamples, confidence, seed)
        found[name] = {
            system: summarise(plan, at_rows(book.systems[system], rows), draws) for system in (MODEL, BASELINE)
        }
    return found


def at_rows(columns: Columns, rows: np.ndarray) -> Columns:
    """The same columns at some views."""
    return replace(columns, **{f.name: getattr(columns, f.name)[rows] for f in fields(columns)})
