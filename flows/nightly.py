"""The parent flow: one night of the whole loop."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import State

from flows.night_run import NightRequest, run_night
from flows.parameters import (
    FinetuneSteps,
    Force,
    JointSteps,
    NightSeed,
    Overrides,
    PresetName,
    TrainingScenes,
    UnseenScenes,
    Views,
    merged,
)


@flow
def nightly(
    preset: PresetName = "tiny",
    seed: NightSeed = None,
    training_scenes: TrainingScenes = None,
    unseen_scenes: UnseenScenes = None,
    finetune_steps: FinetuneSteps = None,
    joint_steps: JointSteps = None,
    views: Views = None,
    overrides: Overrides = {},  # noqa: B006  Prefect copies defaults into the form
    force: Force = False,
) -> State[Any]:
    """Collect, check, train in four phases, evaluate against the champion, and promote if it is better."""
    changed = merged(
        overrides,
        training_scenes=training_scenes,
        unseen_scenes=unseen_scenes,
        finetune_steps=finetune_steps,
        joint_steps=joint_steps,
        views=views,
    )
    return run_night(NightRequest(preset, seed, changed, force))
