"""What the evaluation is asked: which views of which split, and how wide the intervals are."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.spec import Frozen, ManifestId, StageSpec, free


class NavigationPlan(Frozen):
    """Walks in a closed loop: the agent goes where the model's waypoint maps lead it. Needs habitat-lab."""

    episodes: int = Field(0, ge=0, le=100_000, description="Episodes of the split, over all its scenes; 0 = none.")
    steps: int = Field(300, ge=10, le=10_000, description="Actions after which an episode ends.")
    success_distance: float = Field(
        1.0, gt=0.1, le=10.0, description="Metres from the goal at which a stop succeeds; R2R-CE's are 3."
    )


class EvaluationPlan(Frozen):
    """The views that every model is measured on. Together with the dataset it fixes them, whatever the model."""

    split: Literal["val_seen", "val_unseen", "sealed"] = Field(
        "val_unseen", description="Split of the dataset whose scenes are measured."
    )
    views: int = Field(240, ge=1, le=1_000_000, description="Current views, spread evenly over the split's episodes.")
    keyframes: int = Field(6, ge=1, le=256, description="Earlier frames that each view is asked about.")
    batch: int = Field(16, ge=1, le=4096, description="Views predicted at once.")
    shard_views: int = free(
        64, ge=1, le=1_000_000, description="Views after which the scores so far are kept; whole batches."
    )
    baseline_views: int = Field(
        240, ge=1, le=1_000_000, description="Views of the train split that the mean maps are learnt from."
    )
    bootstrap: int = Field(2000, ge=100, le=100_000, description="Resamples of the scenes behind each interval.")
    confidence: float = Field(0.95, gt=0.5, lt=1.0, description="Two-sided coverage of the intervals.")
    seed: int = Field(0, ge=0, lt=2**31, description="Draws the views; champion and challenger need the same.")
    navigation: NavigationPlan = NavigationPlan()


class EvaluateSpec(StageSpec):
    """Measure one checkpoint and the baselines on the held-out views of a validated dataset."""

    task: ClassVar[str] = "evaluate"

    stage: str = "evaluate"
    dataset: ManifestId
    checkpoint: ManifestId
    plan: EvaluationPlan = EvaluationPlan()
    permit: ManifestId | None = Field(None, description="The gate's opening of the sealed split; needed for it alone.")
