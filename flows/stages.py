"""One flow a stage: what a person may set on Prefect's page, handed to `flows.stage_run`."""

from __future__ import annotations

from typing import Any

from prefect import Flow, flow
from prefect.states import State

from flows.parameters import (
    LATEST,
    CheckpointReference,
    DatasetReference,
    EvaluationReference,
    Force,
    Overrides,
    PresetName,
    RivalReference,
    StageSeed,
    Steps,
    TrainingScenes,
    UnseenScenes,
    Views,
    merged,
)
from flows.plan import Stage
from flows.stage_run import StageRequest, run_stage


@flow
def collect(
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    training_scenes: TrainingScenes = None,
    unseen_scenes: UnseenScenes = None,
    overrides: Overrides = {},  # noqa: B006  Prefect copies defaults into the form
    force: Force = False,
) -> State[Any]:
    """Walk through buildings in the simulator and publish what the camera saw as a dataset."""
    changed = merged(overrides, training_scenes=training_scenes, unseen_scenes=unseen_scenes)
    return run_stage(StageRequest(Stage.COLLECT, preset, changed, seed, {}, force))


@flow
def validate(
    dataset: DatasetReference = LATEST,
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    overrides: Overrides = {},  # noqa: B006
    force: Force = False,
) -> State[Any]:
    """Check a collected dataset against the quality gate and publish the part that passed."""
    return run_stage(StageRequest(Stage.VALIDATE, preset, overrides, seed, {"dataset": dataset}, force))


@flow
def geometry(
    dataset: DatasetReference = LATEST,
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    steps: Steps = None,
    overrides: Overrides = {},  # noqa: B006
    force: Force = False,
) -> State[Any]:
    """First training phase: the geometry encoders learn depth, points and poses from scratch."""
    return _train(Stage.GEOMETRY, {"dataset": dataset}, preset, seed, steps, overrides, force)


@flow
def pretrain(
    dataset: DatasetReference = LATEST,
    init: CheckpointReference = LATEST,
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    steps: Steps = None,
    overrides: Overrides = {},  # noqa: B006
    force: Force = False,
) -> State[Any]:
    """Second training phase: the whole network learns to find what a text names in a view."""
    return _train(Stage.PRETRAIN, {"dataset": dataset, "init": init}, preset, seed, steps, overrides, force)


@flow
def finetune(
    dataset: DatasetReference = LATEST,
    init: CheckpointReference = LATEST,
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    steps: Steps = None,
    overrides: Overrides = {},  # noqa: B006
    force: Force = False,
) -> State[Any]:
    """Third training phase: the network learns the heatmaps of its keyframes."""
    return _train(Stage.FINETUNE, {"dataset": dataset, "init": init}, preset, seed, steps, overrides, force)


@flow
def joint(
    dataset: DatasetReference = LATEST,
    init: CheckpointReference = LATEST,
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    steps: Steps = None,
    overrides: Overrides = {},  # noqa: B006
    force: Force = False,
) -> State[Any]:
    """Last training phase: all losses at once; its checkpoint is the night's challenger."""
    return _train(Stage.JOINT, {"dataset": dataset, "init": init}, preset, seed, steps, overrides, force)


@flow
def evaluate(
    dataset: DatasetReference = LATEST,
    checkpoint: CheckpointReference = LATEST,
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    views: Views = None,
    overrides: Overrides = {},  # noqa: B006
    force: Force = False,
) -> State[Any]:
    """Measure a checkpoint and the baselines on scenes that training has not seen."""
    inputs = {"dataset": dataset, "checkpoint": checkpoint}
    return run_stage(StageRequest(Stage.EVALUATE, preset, merged(overrides, views=views), seed, inputs, force))


@flow
def promote(
    evaluation: EvaluationReference = LATEST,
    champion: RivalReference = LATEST,
    preset: PresetName = "tiny",
    seed: StageSeed = 0,
    overrides: Overrides = {},  # noqa: B006
    force: Force = False,
) -> State[Any]:
    """Judge a challenger against the champion, write the verdict, and move the alias if it won."""
    inputs = {"evaluation": evaluation, "champion": champion}
    return run_stage(StageRequest(Stage.PROMOTE, preset, overrides, seed, inputs, force))


def _train(
    phase: Stage,
    inputs: dict[str, str],
    preset: str,
    seed: int,
    steps: int | None,
    overrides: Overrides,
    force: bool,
) -> State[Any]:
    changed = merged(overrides, **{f"training.{phase}.steps": steps})
    return run_stage(StageRequest(phase, preset, changed, seed, inputs, force))


FLOWS: dict[Stage, Flow[..., Any]] = {
    Stage.COLLECT: collect,
    Stage.VALIDATE: validate,
    Stage.GEOMETRY: geometry,
    Stage.PRETRAIN: pretrain,
    Stage.FINETUNE: finetune,
    Stage.JOINT: joint,
    Stage.EVALUATE: evaluate,
    Stage.PROMOTE: promote,
}
