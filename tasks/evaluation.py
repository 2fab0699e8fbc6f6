"""The published evaluation: its record (`metrics.json`) and how others read it from the store."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.errors import DataError
from tasks.scores import PlanRows, ScoreBook, read_scores
from tasks.spec import Frozen, ManifestId, canonical
from tasks.summary import Estimate

if TYPE_CHECKING:
    from tasks.store import ArtefactStore

MODEL = "model"
"""Name of the checkpoint's own rows among the systems."""

Figures = dict[str, Estimate]

COST = "cost"
"""Refs `cost/<evaluation>` hold what an answer costs: measured on one machine, so no part of the evaluation itself."""


class Evaluation(Frozen):
    """Figures of the model and the baselines on one plan of views."""

    dataset: ManifestId
    checkpoint: ManifestId
    split: str
    labels: str = Field(description="Version of the rule that made the targets; only equal ones compare.")
    plan: str = Field(description="Digest of the views and keyframes: equal for evaluations that can be paired.")
    grid: int = Field(description="Cells a side of the heatmaps.")
    keyframes: int
    views: int
    scenes: int
    pairs: int
    confidence: float
    chance: float = Field(description="Frame identity of a blind guess.")
    systems: dict[str, Figures]
    differences: dict[str, Figures] = Field(description="Model minus baseline, paired by view.")
    strata: dict[str, dict[str, Figures]] = Field(description="Stratum -> system -> figures.")
    navigation: dict[str, Figures] = Field(
        default_factory=dict, description="Agent -> measures of its walks in a closed loop, where they were asked for."
    )

    @property
    def model(self) -> Figures:
        """The checkpoint's own figures."""
        return self.systems[MODEL]


def plan_digest(plan: PlanRows) -> str:
    """Digest of who the views and keyframes are, without what is true of them."""
    rows = [plan.scene.tolist(), plan.episode.tolist(), plan.frame.tolist(), plan.keyframes.tolist()]
    return hashlib.sha256(canonical(rows)).hexdigest()


def read_evaluation(store: ArtefactStore, evaluation: ManifestId) -> Evaluation:
    """The record behind a manifest id. `DataError` where the artefact is of another kind."""
    manifest = store.manifest(evaluation)
    if manifest.kind != "evaluation":
        raise DataError(f"{evaluation} is a {manifest.kind}, not an evaluation: give what `evaluate` published.")
    return Evaluation.model_validate_json(store.read(manifest.blobs["metrics.json"]))


def read_cost(store: ArtefactStore, evaluation: ManifestId) -> dict[str, float]:
    """`latency` in seconds a view, `latency_p95`, `memory` in bytes; empty where they were not measured."""
    held = store.ref(COST, evaluation.partition("/")[2])
    return {} if held is None else {name: float(value) for name, value in json.loads(held).items()}


def read_book(store: ArtefactStore, evaluation: ManifestId) -> ScoreBook:
    """The per-view scores behind a manifest id."""
    return read_scores(store.fetch(store.manifest(evaluation).blobs["views.parquet"]))
