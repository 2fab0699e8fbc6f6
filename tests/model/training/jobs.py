"""Small training jobs on the box world, and an observer that writes everything down."""

from __future__ import annotations

from pathlib import Path

from model.data.walks import DatasetFiles
from model.training.checkpoint import CheckpointFiles
from model.training.config import PhaseConfig
from model.training.engine import Step
from model.training.history import Record
from model.training.keeping import Kept
from model.training.run import TrainingJob
from tests.published import NETWORK

LOSSES = {"heatmap": 1.0, "distinctness": 0.3, "temporal_consistency": 0.6}


def job(
    data: Path,
    folder: Path,
    name: str = "finetune",
    resume: tuple[Path, ...] = (),
    init: CheckpointFiles | None = None,
    **changes: object,
) -> TrainingJob:
    """A phase of a few steps with the smallest network."""
    numbers = {"steps": 4, "batch": 4, "losses": LOSSES, "workers": 0, "log_every": 1, "lr": 3e-3, **changes}
    return TrainingJob(name, PhaseConfig(**numbers), NETWORK, 0, DatasetFiles.inside(data), folder, init, resume)


class Notes:
    """Everything that training said."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.records: list[Record] = []
        self.kept_at: list[int] = []
        self.rolled_back_to: list[int] = []

    def stepped(self, step: Step) -> None:
        self.steps.append(step)

    def recorded(self, record: Record) -> None:
        self.records.append(record)

    def kept(self, state: Kept) -> None:
        self.kept_at.append(state.step)

    def rolled_back(self, reason: str, step: int) -> None:
        self.rolled_back_to.append(step)
