"""What one training phase is asked to do: the numbers of its optimiser, its losses, its items and its cadence."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, NonNegativeFloat, PositiveFloat, model_validator

from model.training.adaptive import AdaptiveConfig

Precision = Literal["fp32", "bf16", "fp16"]
"""Arithmetic of the matrix products; weights and optimiser state stay float32 (autocast)."""


FREE: dict[str, JsonValue] = {"identity": False}
"""Marks what changes how the work is done but not its outcome: stages leave it out of their keys."""


class KeyframeMix(BaseModel):
    """How often a training item's keyframes are drawn in each manner; the shares need not sum to one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uniform: NonNegativeFloat = Field(0.5, description="Evenly spaced over the past frames.")
    random: NonNegativeFloat = Field(0.5, description="Any past frames, each as likely as another.")

    @model_validator(mode="after")
    def _draws_something(self) -> Self:
        if self.uniform + self.random == 0:
            raise ValueError("at least one manner of drawing keyframes needs a share above 0")
        return self


class PhaseConfig(BaseModel):
    """Numbers of one phase. Counts of items are per rank; a step is one update of the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(ge=1, description="Updates of the weights.")
    batch: int = Field(16, ge=1, description="Items a rank takes through the network at a time.")
    accumulation: int = Field(1, ge=1, description="Batches whose gradients are averaged into one update.")
    pairs: bool = Field(True, description="Items come in twos: consecutive current frames, same keyframes.")
    history: int = Field(1, ge=1, description="Least number of past frames of an item's current view.")

    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="muon = Muon for the matrices between hidden features, AdamW for the rest."
    )
    lr: PositiveFloat = Field(1e-3, description="Peak learning rate.")
    lr_end: float = Field(0.0, ge=0, le=1, description="Share of the peak that the cosine ends at.")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the rate climbs to its peak.")
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: NonNegativeFloat = 0.05
    clip: NonNegativeFloat = Field(1.0, description="Largest gradient norm; 0 = not clipped.")
    clip_by: Literal["global", "module"] = Field("global", description="One norm over all, or one for each module.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the averaged weights that are published; 0 = none.")

    losses: dict[str, NonNegativeFloat] = Field(description="Weight of each loss term by name.", min_length=1)
    trainable: tuple[str, ...] = Field((), description="Prefixes of the parameters that are trained; none = all.")
    keyframes: KeyframeMix = KeyframeMix()
    foreign_instructions: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the items that are told another building's instruction, and have no way ahead to learn.",
    )
    strata: dict[str, NonNegativeFloat] = Field({}, description="How much more often a stratum is drawn; 1 if unnamed.")
    adaptive: AdaptiveConfig = AdaptiveConfig()
    shuffle_shards: int = Field(0, ge=0, description="Shards whose items are mixed at a time; 0 = all of them.")

    precision: Precision = "fp32"
    zero: Literal[0, 1, 2, 3] = Field(1, description="DeepSpeed ZeRO stage.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto = the GPU where there is one.")
    spike: float = Field(20.0, gt=1, description="An update whose loss is above so many running medians is left out.")
    patience: int = Field(3, ge=1, description="Updates left out in a row before training goes back.")
    rollbacks: int = Field(2, ge=0, description="Returns to the last checkpoint before training gives up.")

    workers: int = Field(
        1,
        ge=0,
        description="Loader processes of each rank; 0 = none, the rank loads by itself.",
        json_schema_extra=FREE,
    )
    log_every: int = Field(10, ge=1)
    checkpoint_every: int = Field(
        0,
        ge=0,
        description="Steps between resumable checkpoints; 0 = only when told to stop.",
        json_schema_extra=FREE,
    )

    @model_validator(mode="after")
    def _pairs_fill_a_batch(self) -> Self:
        if self.pairs and self.batch % 2:
            raise ValueError(f"batch is {self.batch}, but items come in pairs: make it even, or set pairs to false")
        if self.ema and self.zero == 3:
            raise ValueError("ema needs whole weights on each rank, which ZeRO stage 3 splits: use stage 0, 1 or 2")
        if self.optimizer == "muon" and self.zero:
            raise ValueError(f"muon needs whole matrices on each rank, which ZeRO stage {self.zero} cuts: use stage 0")
        return self
