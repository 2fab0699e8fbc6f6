"""The night as data: its stages, their order, their specs. Pure: no server is asked, nothing is launched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from tasks.spec import ManifestId, StageSpec

if TYPE_CHECKING:
    from tasks.preset import Preset


class Stage(StrEnum):
    """The stages of the loop; each has a flow and a deployment of this name."""

    COLLECT = "collect"
    VALIDATE = "validate"
    GEOMETRY = "geometry"
    PRETRAIN = "pretrain"
    FINETUNE = "finetune"
    JOINT = "joint"
    EVALUATE = "evaluate"
    PROMOTE = "promote"


PHASES = (Stage.GEOMETRY, Stage.PRETRAIN, Stage.FINETUNE, Stage.JOINT)
"""The training stages, each of which goes on from the one before."""

PRODUCT = {
    Stage.COLLECT: "dataset",
    Stage.VALIDATE: "dataset",
    **dict.fromkeys(PHASES, "checkpoint"),
    Stage.EVALUATE: "evaluation",
    Stage.PROMOTE: "verdict",
}
"""Which of a stage's outputs the stages after it read."""

Inputs = Mapping[str, ManifestId | None]


def stage_spec(stage: Stage, preset: Preset, seed: int, inputs: Inputs) -> StageSpec:
    """What a stage is asked under a preset and a seed, given its inputs by parameter name.

    Nothing in a validation follows from the seed, and in an evaluation all from its plan's own: what one night, or the
    monitor, has found of a dataset is known to all others.
    """
    from tasks.collect.spec import CollectSpec
    from tasks.evaluate.spec import EvaluateSpec
    from tasks.promote.spec import PromoteSpec
    from tasks.validate.spec import ValidateSpec

    match stage:
        case Stage.COLLECT:
            return CollectSpec(seed=seed, plan=preset.collect)
        case Stage.VALIDATE:
            return ValidateSpec(dataset=inputs["dataset"], thresholds=preset.validation)
        case Stage.EVALUATE:
            return EvaluateSpec(dataset=inputs["dataset"], checkpoint=inputs["checkpoint"], plan=preset.evaluate)
        case Stage.PROMOTE:
            return PromoteSpec(
                seed=seed, evaluation=inputs["evaluation"], champion=inputs.get("champion"), policy=preset.promote
            )
        case _:
            return train_spec(stage, preset, seed, inputs)


def train_spec(phase: Stage, preset: Preset, seed: int, inputs: Inputs) -> StageSpec:
    """What a training phase is asked."""
    from tasks.train.spec import TrainSpec

    return TrainSpec(
        stage=phase.value,
        seed=seed,
        dataset=inputs["dataset"],
        init=inputs.get("init"),
        network=preset.network,
        phase=getattr(preset.training, phase.value),
        ranks=preset.training.ranks,
    )


@dataclass(frozen=True)
class Step:
    """One stage's turn in the night."""

    name: str
    stage: Stage
    sources: Mapping[str, str]
    """Parameter of the stage -> name of the step (or `champion`) whose product it takes."""


CHAMPION = "champion"
RIVAL = "evaluate-champion"

NIGHT = (
    Step("collect", Stage.COLLECT, {}),
    Step("validate", Stage.VALIDATE, {"dataset": "collect"}),
    Step("geometry", Stage.GEOMETRY, {"dataset": "validate"}),
    Step("pretrain", Stage.PRETRAIN, {"dataset": "validate", "init": "geometry"}),
    Step("finetune", Stage.FINETUNE, {"dataset": "validate", "init": "pretrain"}),
    Step("joint", Stage.JOINT, {"dataset": "validate", "init": "finetune"}),
    Step("evaluate", Stage.EVALUATE, {"dataset": "validate", "checkpoint": "joint"}),
    Step(RIVAL, Stage.EVALUATE, {"dataset": "validate", "checkpoint": CHAMPION}),
    Step("promote", Stage.PROMOTE, {"evaluation": "evaluate", "champion": RIVAL}),
)


@dataclass(frozen=True)
class Night:
    """How far a night has come. Each product is the manifest that a step published, by the step's name."""

    preset: Preset
    seed: int
    champion: ManifestId | None = None
    """The champion's checkpoint when the night began."""
    products: Mapping[str, ManifestId] = field(default_factory=dict)

    def next_step(self) -> Step | None:
        """The first step whose product is missing; None = the night is over."""
        return next((step for step in NIGHT if step.name not in self.products and not self.needless(step)), None)

    def needless(self, step: Step) -> bool:
        """The champion is measured only where there is one, and where it is another than the challenger."""
        return step.name == RIVAL and (self.champion is None or self.challenger_is_champion)

    @property
    def challenger_is_champion(self) -> bool:
        """Whether training gave the very checkpoint that is champion: then its verdict is known."""
        return self.champion is not None and self.products.get("joint") == self.champion

    def inputs(self, step: Step) -> dict[str, ManifestId | None]:
        """The manifests that a step reads, by parameter."""
        known = {**self.products, CHAMPION: self.champion}
        return {parameter: known.get(source) for parameter, source in step.sources.items()}

    def spec(self, step: Step) -> StageSpec:
        """What a step is asked."""
        return stage_spec(step.stage, self.preset, self.seed, self.inputs(step))

    def after(self, step: Step, product: ManifestId) -> Self:
        """The night once a step has published its product."""
        return replace(self, products={**self.products, step.name: product})


def night_seed(scheduled: datetime) -> int:
    """The seed of a night that was given none: its local date, like 20261123, so that a rerun is the same night."""
    return int(f"{scheduled.astimezone():%Y%m%d}")
