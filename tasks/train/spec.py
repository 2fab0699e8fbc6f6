"""What training is asked: a phase, its numbers, the data and the checkpoint to start from."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from model.config import NetworkConfig
from model.training.config import PhaseConfig
from tasks.spec import ManifestId, StageSpec


class TrainSpec(StageSpec):
    """Train one phase on a validated dataset and publish a checkpoint."""

    task: ClassVar[str] = "train"

    stage: Literal["geometry", "pretrain", "finetune", "joint"] = Field(description="The phase.")
    dataset: ManifestId
    init: ManifestId | None = Field(None, description="Checkpoint of the phase before; none = fresh weights.")
    network: NetworkConfig = NetworkConfig()
    phase: PhaseConfig
    ranks: int = Field(1, ge=1, le=4096, description="Processes that train side by side; each takes its own batch.")
