"""The adaptive scheduler: from a phase's history and the data's quality to the next phase's numbers. Pure.

Off unless `adaptive.enabled`. `leave` says when a phase has nothing more to give; `adapt` changes the loss weights, the
sampling weights of the strata and the learning rate of the phase that follows. Every change is bounded, and comes with
its cause. The same history and quality give the same decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt
from statistics import fmean, variance
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from model.training.config import PhaseConfig
    from model.training.history import History


class AdaptiveConfig(BaseModel):
    """Bounds of everything that the scheduler may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, description="Whether the scheduler may change anything.")
    window: int = Field(6, ge=3, description="Records that are compared with as many before them.")
    least_gain: float = Field(0.01, ge=0, lt=1, description="Share of the loss whose fall is worth going on for.")
    confidence: float = Field(1.64, gt=0, description="Standard errors by which the fall must miss that share.")
    earliest: float = Field(0.5, ge=0, le=1, description="Share of the steps before which no phase is left.")
    pull: float = Field(0.5, ge=0, le=2, description="How strongly terms that lag behind gain weight; 0 = not at all.")
    weight: tuple[float, float] = Field((0.5, 2.0), description="Least and most that a loss weight is multiplied by.")
    stratum: tuple[float, float] = Field((0.5, 2.0), description="Least and most that a stratum's weight becomes.")
    rate: tuple[float, float] = Field((0.5, 1.0), description="Least and most that the learning rate is multiplied by.")

    @model_validator(mode="after")
    def _bounds_hold_one(self) -> Self:
        """Each pair of bounds must allow to change nothing."""
        for name in ("weight", "stratum", "rate"):
            low, high = getattr(self, name)
            if not 0 < low <= 1 <= high:
                raise ValueError(f"adaptive.{name} {low}..{high} must be positive and hold 1, which changes nothing")
        return self


@dataclass(frozen=True)
class Quality:
    """What the quality report says of the data that the next phase learns from."""

    accepted: Mapping[str, float] = field(default_factory=dict)
    """Stratum -> share of its episodes that passed; strata that are not named passed whole."""


@dataclass(frozen=True)
class Change:
    """One number that was changed, and why."""

    what: str
    """Path in the phase's config: `losses.heatmap`, `strata.loop`, `lr`."""
    before: float
    after: float
    cause: str

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Plateau:
    """How the newest records compare with those before them."""

    flat: bool
    gain: float
    """Fall of the mean loss, as a share of it."""
    error: float
    """Standard error of the gain."""


def plateau(config: AdaptiveConfig, losses: Sequence[float]) -> Plateau | None:
    """Whether the loss has stopped falling by `least_gain` a window; None while there are too few records to say."""
    if len(losses) < 2 * config.window:
        return None
    before, after = losses[-2 * config.window : -config.window], losses[-config.window :]
    level = abs(fmean(before)) or 1.0
    gain = (fmean(before) - fmean(after)) / level
    error = sqrt((variance(before) + variance(after)) / config.window) / level
    return Plateau(gain + config.confidence * error < config.least_gain, gain, error)


def leave(config: AdaptiveConfig, history: History, steps: int) -> str | None:
    """Why a phase of `steps` updates is to be left now; None = go on. History holds the records so far."""
    if not config.enabled or not history.steps or history.steps[-1] < config.earliest * steps:
        return None
    found = plateau(config, history.loss)
    if found is None or not found.flat:
        return None
    return (
        f"the loss fell by {found.gain:.2%} (standard error {found.error:.2%}) over the last {config.window} records, "
        f"less than {config.least_gain:.2%}"
    )


def adapt(
    config: AdaptiveConfig, phase: PhaseConfig, before: History | None, quality: Quality
) -> tuple[PhaseConfig, tuple[Change, ...]]:
    """The next phase's config, and what was changed in it; `before` is the history of the phase that came before."""
    if not config.enabled:
        return phase, ()
    lags = lagging(before, tuple(phase.losses)) if before else {}
    weights = {name: bounded(lag**config.pull, config.weight) for name, lag in lags.items()}
    changes = [
        Change(f"losses.{name}", phase.losses[name], phase.losses[name] * factor, f"progress lags by {lags[name]:.2f}")
        for name, factor in sorted(weights.items())
        if phase.losses[name] > 0 and abs(factor - 1) > 1e-9
    ]
    changes += strata_changes(config, phase, lags, quality)
    changes += rate_change(config, phase, before)
    return applied(phase, changes), tuple(changes)


def lagging(history: History, terms: Sequence[str]) -> dict[str, float]:
    """Term -> what is left of its first value, compared with the mean over the terms; 1 = progresses like the others.

    The relative inverse training rate of Z. Chen et al., "GradNorm", ICML 2018. Terms that the history does not hold,
    or that began at zero, say nothing.
    """
    left = {}
    for name in terms:
        values = history.terms.get(name, [])
        if len(values) >= 4 and (start := fmean(values[:2])) > 1e-9:
            left[name] = max(fmean(values[-2:]), 0.0) / start
    mean = fmean(left.values()) if left else 0.0
    return {name: share / mean for name, share in left.items()} if mean > 0 and len(left) > 1 else {}


def strata_changes(
    config: AdaptiveConfig, phase: PhaseConfig, lags: Mapping[str, float], quality: Quality
) -> list[Change]:
    """Strata that teach what lags are drawn more often, strata whose data was often rejected less often."""
    from model.losses import LOSSES, STRATA

    # A term that all strata teach says nothing about which to draw.
    telling = {name: lag for name, lag in lags.items() if set(LOSSES[name].strata) != set(STRATA)}
    found = []
    for stratum in STRATA:
        own = {name: lag for name, lag in telling.items() if stratum in LOSSES[name].strata}
        lag, passed = fmean(own.values()) if own else 1.0, quality.accepted.get(stratum, 1.0)
        now = phase.strata.get(stratum, 1.0)
        # A stratum that was switched off stays so.
        after = 0.0 if now == 0 else bounded(now * lag**config.pull * passed, config.stratum)
        if abs(after - now) > 1e-9:
            cause = f"what it teaches lags by {lag:.2f} ({', '.join(sorted(own)) or 'nothing'}), {passed:.0%} passed"
            found.append(Change(f"strata.{stratum}", now, after, cause))
    return found


def rate_change(config: AdaptiveConfig, phase: PhaseConfig, before: History | None) -> list[Change]:
    """After a phase whose loss rose towards its end the rate is lowered."""
    found = plateau(config, before.loss) if before else None
    if found is None or found.gain > -config.confidence * found.error or found.gain >= 0:
        return []
    factor = bounded(1 + found.gain, config.rate)
    cause = f"the loss rose by {-found.gain:.2%} at the end of the phase before"
    return [Change("lr", phase.lr, phase.lr * factor, cause)] if factor != 1 else []


def applied(phase: PhaseConfig, changes: Sequence[Change]) -> PhaseConfig:
    """The config with the changes made, checked anew."""
    values = phase.model_dump()
    for change in changes:
        section, _, name = change.what.partition(".")
        if name:
            values[section] = {**values[section], name: change.after}
        else:
            values[section] = change.after
    return type(phase).model_validate(values)


def bounded(value: float, bounds: tuple[float, float]) -> float:
    """The value, kept within bounds."""
    return min(max(value, bounds[0]), bounds[1])
