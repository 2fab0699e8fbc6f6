"""What the gate is asked: the challenger's evaluation, the champion's, and the policy that judges them."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tasks.spec import REGISTERED, Frozen, ManifestId, RegisteredName, StageSpec

PrimaryName = Literal["kld", "kld_visible", "cc", "pck05", "pck10", "pck20", "brier", "identity"]
"""Metrics that are means over pairs, as an error that is never negative: what scenes can be compared by."""

GuardName = Literal[
    "kld",
    "kld_visible",
    "cc",
    "nss",
    "pck05",
    "pck10",
    "pck20",
    "ap_none",
    "brier",
    "identity",
    "miou",
    "worst_stratum",
    "latency",
    "memory",
]
"""Metrics by their own scale, or one of `SHARES`."""

SHARES = ("worst_stratum", "latency", "memory")
"""Guards whose margin is a share of the rival's figure: 0.25 = a quarter more error, seconds or bytes."""

MOST_GAIN, BETTORS = 1.98, 3
"""Largest factor by which one scene can raise a bettor's wealth, and their number (`tasks.promote.sequential`)."""


class Policy(Frozen):
    """When a challenger takes the champion's place.

    Gains are signed so that more is better, whatever the metric: for `kld` and `brier` a gain is a fall.
    """

    primary: PrimaryName = Field("kld", description="Metric that the challenger must better.")
    minimum_gain: float = Field(
        0.0, ge=0.0, lt=1.0, description="Share of the champion's error that a promotion must save, proven."
    )
    guards: dict[GuardName, float] = Field(
        default={"ap_none": 0.02, "brier": 0.02, "worst_stratum": 0.5},
        description="Guard -> loss that is still tolerated; the gate wants proof that the loss is smaller.",
    )
    alpha: float = Field(
        0.05, gt=0.0, le=0.5, description="Chance of one false promotion, or more, in all the nights together."
    )
    nights: int = Field(60, ge=1, le=10_000, description="Nights in a row that share alpha evenly.")
    guard_alpha: float = Field(0.05, gt=0.0, le=0.5, description="Chance that a guard errs in one night.")
    keep_alpha: float = Field(0.05, gt=0.0, le=0.5, description="Chance that a better challenger is called worse.")
    reserve: float | None = Field(
        None,
        ge=0.0,
        le=0.5,
        description="Share of the rival's error that the typical view must save beyond the minimum, for losses too "
        "rare for the sample to show; default: one over the square root of the sample's scenes, from .125 to .5.",
    )
    minimum_scenes: int = Field(5, ge=2, description="With fewer held-out scenes nothing is decided.")
    look_every: int = Field(4, ge=1, description="Scenes between two looks of the gate.")
    maximum_scenes: int = Field(1000, ge=2, description="Scenes after which the gate does not look on.")
    confidence: float = Field(0.95, ge=0.8, lt=1.0, description="Two-sided coverage of the interval that is shown.")
    resamples: int = Field(4000, ge=1000, le=100_000, description="Bootstrap resamples of the scenes.")
    people: Literal["auto", "ask", "never"] = Field(
        "auto", description="What follows a win: the move (auto), a question to a person (ask), or nothing (never)."
    )
    answer_hours: float = Field(24.0, gt=0.0, le=24 * 90, description="With `ask`: no answer by then means no.")
    first: Literal["slot_mean", "train_mean", "centre", "uniform"] = Field(
        "slot_mean", description="Baseline that the challenger must beat where there is no champion yet."
    )

    sealed: bool = Field(False, description="Whether a winner must also gain on the sealed scenes, opened for it.")
    sealed_openings: int = Field(40, ge=1, description="Looks at the sealed scenes, champions' included, in all.")

    @model_validator(mode="before")
    @classmethod
    def of_earlier_versions(cls, values: Any) -> Any:
        """Verdicts of earlier versions hold a key `limit` that said nothing."""
        unset = isinstance(values, dict) and "limit" in values and values["limit"] is None
        return {name: value for name, value in values.items() if name != "limit"} if unset else values

    @property
    def level(self) -> float:
        """Chance of a false promotion that one night may take: any `nights` in a row together take at most alpha."""
        return self.alpha / self.nights

    @model_validator(mode="after")
    def bounds_agree(self) -> Self:
        """Refuse bounds that contradict each other."""
        if self.primary in self.guards:
            raise ValueError(f"'{self.primary}' is the primary metric and a guard as well: name it once")
        if negative := [name for name, margin in self.guards.items() if margin < 0]:
            raise ValueError(f"the margin of guard '{negative[0]}' is negative: give the loss that is still tolerated")
        if endless := [name for name, margin in self.guards.items() if not math.isfinite(margin)]:
            raise ValueError(f"the margin of guard '{endless[0]}' is no number: leave the guard out to tolerate all")
        if self.minimum_scenes > self.maximum_scenes:
            raise ValueError(
                f"minimum_scenes {self.minimum_scenes} exceeds maximum_scenes {self.maximum_scenes}: nothing could be "
                "decided"
            )
        if (needed := self.fewest_scenes) > self.maximum_scenes:
            raise ValueError(
                f"alpha {self.alpha:g} over {self.nights} nights needs {needed} scenes at the very least, but "
                f"maximum_scenes is {self.maximum_scenes}: nothing could ever be promoted"
            )
        return self

    @property
    def fewest_scenes(self) -> int:
        """Scenes below which not even a challenger that wins each of them by the limit can be promoted."""
        return math.ceil(math.log(BETTORS / self.level) / math.log(MOST_GAIN))


class PromoteSpec(StageSpec):
    """Decide whether a challenger becomes the champion, and move the alias if it does."""

    task: ClassVar[str] = "promote"

    stage: str = "promote"
    evaluation: ManifestId
    champion: ManifestId | None = Field(None, description="The champion's evaluation on the same views.")
    policy: Policy = Policy()
    registered: RegisteredName = Field(REGISTERED, description="Registered model's name.")
