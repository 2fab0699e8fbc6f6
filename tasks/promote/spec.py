"""What the gate is asked: the challenger's evaluation, the champion's, and the policy that judges them."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from tasks.spec import Frozen, ManifestId, StageSpec

MetricName = Literal[
    "kld", "kld_visible", "cc", "nss", "pck05", "pck10", "pck20", "ap_none", "brier", "identity", "miou"
]


class Policy(Frozen):
    """When a challenger takes the champion's place.

    Gains are signed so that more is better, whatever the metric: for `kld` and `brier` a gain is a fall.
    """

    primary: MetricName = Field("kld", description="Metric that the challenger must better.")
    minimum_gain: float = Field(0.0, ge=0.0, description="Gain in the primary metric that is worth a promotion.")
    guards: dict[MetricName, float] = Field(
        default={"ap_none": 0.02, "brier": 0.02},
        description="Metric -> loss that is still tolerated; the gate wants proof that the loss is smaller.",
    )
    confidence: float = Field(0.95, ge=0.8, lt=1.0, description="Two-sided coverage of the intervals that decide.")
    resamples: int = Field(4000, ge=1000, le=100_000, description="Bootstrap resamples of the scenes.")
    minimum_scenes: int = Field(5, ge=2, description="With fewer held-out scenes nothing is decided.")
    people: Literal["auto", "ask", "never"] = Field(
        "auto", description="What follows a win: the move (auto), a question to a person (ask), or nothing (never)."
    )
    answer_hours: float = Field(24.0, gt=0.0, le=24 * 90, description="With `ask`: no answer by then means no.")
    first: Literal["slot_mean", "train_mean", "centre", "uniform"] = Field(
        "slot_mean", description="Baseline that the challenger must beat where there is no champion yet."
    )

    @model_validator(mode="after")
    def primary_is_no_guard(self) -> Self:
        """A metric cannot both have to rise and be allowed to fall."""
        if self.primary in self.guards:
            raise ValueError(f"'{self.primary}' is the primary metric and a guard as well: name it once")
        if negative := [name for name, margin in self.guards.items() if margin < 0]:
            raise ValueError(f"the margin of guard '{negative[0]}' is negative: give the loss that is still tolerated")
        return self


class PromoteSpec(StageSpec):
    """Decide whether a challenger becomes the champion, and move the alias if it does."""

    task: ClassVar[str] = "promote"

    stage: str = "promote"
    evaluation: ManifestId
    champion: ManifestId | None = Field(None, description="The champion's evaluation on the same views.")
    policy: Policy = Policy()
    registered: str = Field("backsight", pattern=r"^[a-z][a-z0-9-]{0,62}$", description="Registered model's name.")
