"""The promotion gate: pure functions from two systems' scores on the same views to a verdict with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from tasks.promote.spec import MetricName, Policy
from tasks.scores import PlanRows, Scores
from tasks.spec import Frozen
from tasks.summary import METRICS, Estimate, Resampling, over_scenes, replicate


class Ruling(StrEnum):
    """What the gate says of a challenger."""

    PROMOTE = "promote"
    """Better by the policy's measure, and no guard lost."""
    KEEP = "keep"
    """Shown not to be better: the champion stays."""
    REFUSE = "refuse"
    """Must not be promoted: a guard is lost, or the evaluations are unsound or cannot be compared."""
    INCONCLUSIVE = "inconclusive"
    """The sample cannot tell: the champion stays."""


@dataclass(frozen=True)
class Contestant:
    """One side of the comparison."""

    name: str
    """As a sentence names it: "the champion", "the slot_mean baseline"."""
    plan: PlanRows
    scores: Scores
    grid: int
    labels: str


class Decision(Frozen):
    """The gate's answer. Gains are signed so that more is better for the challenger."""

    ruling: Ruling
    reason: str
    gain: Estimate | None = Field(default=None, description="In the primary metric.")
    guards: dict[MetricName, Estimate] = Field(default_factory=dict)


def decide(challenger: Contestant, rival: Contestant, policy: Policy, seed: int) -> Decision:
    """Judge a challenger against its rival, paired by view, with intervals from the bootstrap over scenes."""
    if obstacle := incomparable(challenger, rival):
        return Decision(ruling=Ruling.REFUSE, reason=obstacle)
    if unsound := broken(challenger, rival):
        return unsound
    draws = over_scenes(challenger.plan, policy.resamples, policy.confidence, seed)
    if draws.scenes < policy.minimum_scenes:
        wanted = policy.minimum_scenes
        reason = f"{draws.scenes} scenes were measured and the policy wants {wanted}: collect more held-out scenes."
        return Decision(ruling=Ruling.INCONCLUSIVE, reason=reason)
    gain = paired_gain(policy.primary, challenger, rival, draws)
    guards = {name: paired_gain(name, challenger, rival, draws) for name in policy.guards}
    ruling, reason = rule(gain, guards, policy, rival.name)
    return Decision(ruling=ruling, reason=reason, gain=gain, guards=guards)


def incomparable(challenger: Contestant, rival: Contestant) -> str | None:
    """Why two evaluations cannot be paired, if they cannot."""
    if challenger.labels != rival.labels:
        return (
            f"The challenger was measured against labels '{challenger.labels}' and {rival.name} against "
            f"'{rival.labels}': evaluate both with the same code."
        )
    if challenger.grid != rival.grid:
        return (
            f"The challenger predicts {challenger.grid} x {challenger.grid} cells and {rival.name} {rival.grid} x "
            f"{rival.grid}: they come from different presets; register this one under another name."
        )
    if not challenger.plan.same_as(rival.plan):
        return f"The challenger and {rival.name} were not asked about the same views: evaluate both on one dataset."
    return None


def broken(challenger: Contestant, rival: Contestant) -> Decision | None:
    """The decision where predictions are no numbers: a broken challenger is refused, a broken rival proves nothing."""
    views = len(challenger.plan.scene)
    if lost := challenger.scores.broken(challenger.plan):
        reason = f"The challenger predicts no number (NaN) in {lost} of {views} views: look at its training curve."
        return Decision(ruling=Ruling.REFUSE, reason=reason)
    if lost := rival.scores.broken(rival.plan):
        reason = f"The scores of {rival.name} are no numbers (NaN) in {lost} of {views} views: evaluate it again."
        return Decision(ruling=Ruling.INCONCLUSIVE, reason=reason)
    return None


def paired_gain(name: str, challenger: Contestant, rival: Contestant, draws: Resampling) -> Estimate:
    """What the challenger gains over its rival in a metric."""
    mine = replicate(name, challenger.plan, challenger.scores, draws)
    theirs = replicate(name, rival.plan, rival.scores, draws)
    return draws.estimate(METRICS[name].better * (mine - theirs))


def rule(gain: Estimate, guards: dict[MetricName, Estimate], policy: Policy, rival: str) -> tuple[Ruling, str]:
    """The ruling that the intervals give, and its reason in a sentence."""
    label = METRICS[policy.primary].label
    if gain.low is None or gain.high is None:
        return Ruling.INCONCLUSIVE, f"{label} is undefined on these views, so nothing can be compared."
    told = f"{label} gain over {rival} {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    if gain.high <= policy.minimum_gain:
        return Ruling.KEEP, f"{told}: not better by more than {policy.minimum_gain:g}."
    margins = policy.guards
    if failed := [n for n, g in guards.items() if g.high is not None and g.high < -margins[n]]:
        return Ruling.REFUSE, f"{told}, but the guard {guarded(failed[0], guards, margins)} is lost."
    if gain.low <= policy.minimum_gain:
        return Ruling.INCONCLUSIVE, f"{told}: the interval does not lie above {policy.minimum_gain:g}."
    if unproven := [n for n, g in guards.items() if g.low is None or g.low <= -margins[n]]:
        return Ruling.INCONCLUSIVE, f"{told}, but the guard {guarded(unproven[0], guards, margins)} is not proven."
    return Ruling.PROMOTE, f"{told}, above {policy.minimum_gain:g}; all guards hold."


def guarded(name: MetricName, guards: dict[MetricName, Estimate], margins: dict[MetricName, float]) -> str:
    """A guard, its interval and its margin in words."""
    gain = guards[name]
    found = "undefined" if gain.low is None else f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
    return f"{METRICS[name].label} ({found}, may lose {margins[name]:g})"
