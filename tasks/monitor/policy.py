"""When the platform may train again: the bounds of the trigger, checked against each other."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tasks.spec import Frozen

WatchedMetric = Literal["kld", "kld_visible", "cc", "nss", "pck05", "pck10", "pck20", "ap_none", "brier", "identity"]


class TriggerPolicy(Frozen):
    """Drift proposes, performance confirms; the rest bounds how often and at which cost. Bounds that contradict each
    other are refused."""

    drift_enter: float = Field(0.2, gt=0, lt=2, description="Effect size from which a window counts as drifted.")
    drift_exit: float = Field(0.12, ge=0, description="A proposal stands while windows stay above this.")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="Corrected p-value up to which drift is no accident.")
    votes: int = Field(2, ge=1, le=100, description="Drifted windows that make a proposal ...")
    windows: int = Field(3, ge=1, le=100, description="... among so many of the latest.")
    metric: WatchedMetric = Field("pck10", description="Figure of the evaluation that says what drift costs.")
    loss_enter: float = Field(0.025, gt=0, lt=1, description="Share of the score whose loss confirms a proposal.")
    loss_exit: float = Field(0.01, ge=0, description="A confirmation stands while the loss stays above this.")
    confidence: float = Field(0.99, gt=0.5, lt=1, description="One-sided certainty that anything is lost at all.")
    pool: int = Field(10, ge=1, le=100, description="Drifted windows whose losses are averaged, at most.")
    memory_days: float = Field(14.0, gt=0, description="Windows older than this are no evidence any more.")
    cooldown_days: float = Field(10.0, ge=0, description="Rest after a retraining that drift has asked for.")
    backoff: float = Field(2.0, ge=1, le=10, description="The rest grows so much each time that nothing was gained.")
    longest_cooldown_days: float = Field(60.0, ge=0, description="The rest never grows beyond this.")
    minimum_episodes: int = Field(100, ge=1, description="New validated episodes that a retraining needs.")
    budget_hours: float = Field(60.0, gt=0, description="GPU-hours of all retrainings within `budget_days`.")
    budget_days: float = Field(30.0, gt=0, description="Length of the sliding window of the budget.")
    retraining_hours: float = Field(8.0, gt=0, description="GPU-hours that one retraining may take.")
    reserve: float = Field(0.5, ge=0, lt=1, description="Share of the budget that scheduled nights leave to drift.")
    lost_hours: float = Field(24.0, gt=0, description="A retraining silent for so long counts as lost.")
    collect_hours: float = Field(12.0, ge=0, description="Rest between two collections that the monitor asks for.")
    collections: int = Field(3, ge=1, description="Collections in a row after which a person has to look.")

    @model_validator(mode="after")
    def bounds_agree(self) -> Self:
        """Refuse a policy that could never fire, or never come to rest."""
        pairs = [("drift_exit", "drift_enter"), ("loss_exit", "loss_enter")]
        for low, high in pairs:
            if getattr(self, low) >= getattr(self, high):
                raise ValueError(
                    f"{low} {getattr(self, low)} must lie below {high} {getattr(self, high)}: there is no hysteresis"
                )
        if self.votes > self.windows:
            raise ValueError(f"votes {self.votes} exceeds windows {self.windows}: drift could never propose")
        if self.retraining_hours > self.budget_hours:
            raise ValueError(
                f"retraining_hours {self.retraining_hours} exceeds budget_hours {self.budget_hours}: "
                "no retraining could ever start"
            )
        if self.cooldown_days > self.longest_cooldown_days:
            raise ValueError(
                f"cooldown_days {self.cooldown_days} exceeds longest_cooldown_days {self.longest_cooldown_days}"
            )
        if self.budget_days * 24 < self.lost_hours:
            raise ValueError(f"lost_hours {self.lost_hours} exceeds budget_days: a lost retraining would cost nothing")
        return self
