"""The parameters of the flows: titles, bounds and help texts of the form on Prefect's page, and what they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from tasks.spec import MANIFEST_ID

LATEST = "latest"

Setting = bool | int | float | str
Settings = dict[str, Setting]

PresetName = Annotated[
    str,
    Field(title="Preset", min_length=1, description="Name of a preset (tiny, ...), or the path of a YAML file."),
]
NightSeed = Annotated[
    int | None,
    Field(title="Seed", ge=0, lt=2**31, description="Everything random follows from it. None: the night's date."),
]
StageSeed = Annotated[
    int,
    Field(title="Seed", ge=0, lt=2**31, description="Everything random in the stage follows from it."),
]
Force = Annotated[
    bool,
    Field(title="Force", description="Do the work even where the outcome is known already."),
]
Overrides = Annotated[
    Settings,
    Field(
        title="Other settings",
        description='Any key of the preset with its value, such as {"training.joint.batch": 8}.',
    ),
]
TrainingScenes = Annotated[
    int | None,
    Field(
        title="Training scenes",
        ge=1,
        le=100_000,
        description="Buildings whose walks the network learns from. None: as the preset says.",
    ),
]
UnseenScenes = Annotated[
    int | None,
    Field(
        title="Held-out scenes",
        ge=2,
        le=10_000,
        description="Buildings that only the evaluation sees. None: as the preset says.",
    ),
]
Steps = Annotated[
    int | None,
    Field(title="Steps", ge=1, le=10_000_000, description="Updates of the weights. None: as the preset says."),
]
FinetuneSteps = Annotated[
    int | None,
    Field(
        title="Finetune steps",
        ge=1,
        le=10_000_000,
        description="Updates of the weights in the phase `finetune`. None: as the preset says.",
    ),
]
JointSteps = Annotated[
    int | None,
    Field(
        title="Joint steps",
        ge=1,
        le=10_000_000,
        description="Updates of the weights in the phase `joint`. None: as the preset says.",
    ),
]
Views = Annotated[
    int | None,
    Field(title="Views", ge=1, le=1_000_000, description="Views that are measured. None: as the preset says."),
]

REFERENCE = rf"^{LATEST}$|{MANIFEST_ID}"
DatasetReference = Annotated[
    str,
    Field(
        title="Dataset",
        pattern=REFERENCE,
        description="Manifest id `dataset/<digest>`, or `latest`: what the stage before published last.",
    ),
]
CheckpointReference = Annotated[
    str,
    Field(
        title="Checkpoint",
        pattern=REFERENCE,
        description="Manifest id `checkpoint/<digest>`, or `latest`: what the phase before published last.",
    ),
]
EvaluationReference = Annotated[
    str,
    Field(
        title="Evaluation",
        pattern=REFERENCE,
        description="Manifest id `evaluation/<digest>`, or `latest`: the one that was published last.",
    ),
]
RivalReference = Annotated[
    str | None,
    Field(
        title="The champion's evaluation",
        pattern=REFERENCE,
        description="Manifest id `evaluation/<digest>`, or `latest`: the champion's on these views. None: a baseline.",
    ),
]

KEYS = {
    "training_scenes": "collect.train.scenes",
    "unseen_scenes": "collect.val_unseen.scenes",
    "finetune_steps": "training.finetune.steps",
    "joint_steps": "training.joint.steps",
    "views": "evaluate.views",
}
"""Parameter of a flow -> the key of the preset that it sets."""


def merged(overrides: Mapping[str, Setting], **named: Setting | None) -> Settings:
    """All changed keys of the preset; a parameter with a name of its own wins over the free ones."""
    return {**overrides, **{KEYS.get(name, name): value for name, value in named.items() if value is not None}}
