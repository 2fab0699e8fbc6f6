"""What the monitor is asked: the newest data, what to compare it with, and the policy that decides."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.monitor.policy import TriggerPolicy
from tasks.spec import REGISTERED, Frozen, ManifestId, RegisteredName, StageSpec


class DriftPlan(Frozen):
    """How the newest data is compared with the champion's training data."""

    scenes: int = Field(48, ge=2, le=10_000, description="Scenes of each side that are looked at, drawn by `seed`.")
    views: int = Field(4, ge=1, le=1000, description="Views of each walk whose features are averaged.")
    permutations: int = Field(999, ge=99, le=100_000, description="Shuffles of whole scenes behind each p-value.")
    embeddings: bool = Field(True, description="Whether the champion's encoders look at the pictures too.")
    seed: int = Field(0, ge=0, lt=2**31, description="Draws scenes, views and shuffles.")


class MiningPlan(Frozen):
    """Whether the next night walks to where the champion failed."""

    share: float = Field(0.0, ge=0, le=0.9, description="Share of `hard` in the next night's training walks; 0 = no.")
    scenes: int = Field(8, ge=1, le=10_000, description="Worst scenes that are taken.")
    views: int = Field(3, ge=1, le=1000, description="Worst views in each of them.")


class MonitorPlan(Frozen):
    """The section `monitor` of a preset."""

    drift: DriftPlan = DriftPlan()
    trigger: TriggerPolicy = TriggerPolicy()
    mining: MiningPlan = MiningPlan()


class MonitorSpec(StageSpec):
    """`python -m tasks.monitor`: gives {"decision": ...}."""

    task: ClassVar[str] = "monitor"

    stage: Literal["monitor"] = "monitor"
    at: float = Field(gt=0, description="When the newest data is looked at, unix seconds.")
    dataset: ManifestId = Field(description="The newest collected data, validated if it passed.")
    checkpoint: ManifestId | None = Field(None, description="The champion; none = there is none yet.")
    reference: ManifestId | None = Field(None, description="The champion's training data.")
    evaluation: ManifestId | None = Field(None, description="The champion's evaluation on the newest data.")
    baseline: ManifestId | None = Field(None, description="The evaluation by which the champion was promoted.")
    plan: MonitorPlan = MonitorPlan()
    registered: RegisteredName = Field(REGISTERED, description="Registered model's name.")
    preset: str = Field("", description="Preset of the night that a decision to train again starts.")
    overrides: dict[str, bool | int | float | str] = Field({}, description="Changed keys of that preset.")
