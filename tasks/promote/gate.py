"""The promotion gate: pure functions from two systems' scores on the same views to a verdict with its reasons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from tasks.promote.guards import Finding, State, judge_guards
from tasks.promote.sample import Contestant, order_of, scene_scores
from tasks.promote.sequential import Course, Design, SceneScores, follow, reserve_for
from tasks.promote.spec import GuardName, Policy
from tasks.spec import Frozen
from tasks.summary import METRICS, Estimate, over_scenes, replicate


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


class Stop(StrEnum):
    """Why the gate looked no further."""

    WIN = "win"
    LOSS = "loss"
    FUTILITY = "futility"
    """Even a lucky rest of the sample would not have been enough."""
    END = "end"
    """The sample was used up."""


class Look(Frozen):
    """What the test knew after some scenes."""

    scenes: int
    evidence: float = Field(description="ln of the evidence that the challenger gains more than the minimum.")
    against: float = Field(description="ln of the evidence that it does not.")
    gain: float | None = Field(description="Mean gain a pair, beyond the minimum.")
    low: float | None = Field(description="Its lower bound at the night's level.")


class Trial(Frozen):
    """The course of the sequential test, as far as it went."""

    order: tuple[str, ...] = Field(description="Scenes in the order in which they were looked at.")
    planned: int = Field(description="Scenes that it might have looked at.")
    level: float = Field(description="Chance of a false promotion that this night may take.")
    needed: float = Field(description="ln of the evidence that a promotion needs.")
    reserve: float = Field(0.0, description="Share that the typical view had to save, for what the sample hides.")
    looks: tuple[Look, ...]
    stop: Stop

    @model_validator(mode="before")
    @classmethod
    def of_earlier_versions(cls, values: Any) -> Any:
        """Verdicts of earlier versions were reached with a limit on what one scene counts."""
        return {name: v for name, v in values.items() if name != "limit"} if isinstance(values, dict) else values


class Decision(Frozen):
    """The gate's answer. Gains are signed so that more is better for the challenger."""

    ruling: Ruling
    reason: str
    gain: Estimate | None = Field(default=None, description="In the primary metric, on the scenes looked at.")
    guards: dict[GuardName, Estimate] = Field(default_factory=dict)
    states: dict[GuardName, State] = Field(default_factory=dict)
    trial: Trial | None = None
    sealed: Estimate | None = Field(default=None, description="Gain on the sealed scenes, where they were opened.")


@dataclass(frozen=True)
class Match:
    """A challenger and its rival, fit to be compared."""

    challenger: Contestant
    rival: Contestant
    policy: Policy
    seed: int

    def first(self, scenes: Sequence[str]) -> Match:
        """The same match on the views of some scenes."""
        rows = np.flatnonzero(np.isin(self.challenger.plan.scene, list(scenes)))
        return Match(self.challenger.at(rows), self.rival.at(rows), self.policy, self.seed)

    def guards(self, order: Sequence[str]) -> list[Finding]:
        """All guards on these views."""
        return judge_guards(self.challenger, self.rival, self.policy, order, self.seed)

    def gain(self) -> Estimate:
        """What the challenger gains in the primary metric, with an interval for the eye."""
        draws = over_scenes(self.challenger.plan, self.policy.resamples, self.policy.confidence, self.seed)
        name = self.policy.primary
        mine, theirs = (replicate(name, c.plan, c.scores, draws) for c in (self.challenger, self.rival))
        return draws.estimate(METRICS[name].better * (mine - theirs))


def decide(challenger: Contestant, rival: Contestant, policy: Policy, seed: int) -> Decision:
    """Judge a challenger against its rival, paired by view, clustered by scene, with as few scenes as it takes."""
    if obstacle := incomparable(challenger, rival):
        return Decision(ruling=Ruling.REFUSE, reason=obstacle)
    if unsound := broken(challenger, rival):
        return unsound
    order = order_of(challenger.plan.scene.tolist(), seed)[: policy.maximum_scenes]
    if too_few := short_of(len(order), policy):
        return Decision(ruling=Ruling.INCONCLUSIVE, reason=too_few)
    match = Match(challenger, rival, policy, seed).first(order)
    scores = scene_scores(policy.primary, match.challenger, match.rival, order)
    if not scores.pairs.any():
        reason = f"{METRICS[policy.primary].label} is undefined on these views, so nothing can be compared."
        return Decision(ruling=Ruling.INCONCLUSIVE, reason=reason)
    design = design_for(policy, len(order))
    course = follow(scores, design)
    look, stop = ending(course)
    seen = order[: int(course.scenes[look])]
    findings = match.first(seen).guards(seen) if stop is Stop.WIN else []
    if stop is Stop.WIN and len(seen) < len(order) and weakest(findings) is State.UNPROVEN:
        # The guards ask for more than the win did: what is left of the sample is theirs.
        look, seen = len(course.scenes) - 1, order
        findings = match.guards(seen)
    trial = Trial(
        order=tuple(seen),
        planned=len(order),
        level=design.level,
        needed=-math.log(design.level),
        reserve=design.reserve,
        looks=looks_of(course, look),
        stop=stop,
    )
    gain = match.first(seen).gain()
    ruling, reason = rule(trial, gain, minimum(scores, policy), findings, policy, rival.name)
    return Decision(
        ruling=ruling,
        reason=reason,
        gain=gain,
        guards={finding.guard: finding.gain for finding in findings},
        states={finding.guard: finding.state for finding in findings},
        trial=trial,
    )


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


def short_of(scenes: int, policy: Policy) -> str | None:
    """Why so few scenes decide nothing, if they are too few."""
    measured = f"{scenes} scenes were measured"
    if scenes < policy.minimum_scenes:
        return f"{measured} and the policy wants {policy.minimum_scenes}: collect more held-out scenes."
    if scenes < policy.fewest_scenes:
        return (
            f"{measured}, but alpha {policy.alpha:g} over {policy.nights} nights cannot be kept with fewer than "
            f"{policy.fewest_scenes}: collect more held-out scenes, or share alpha among fewer nights."
        )
    return None


def design_for(policy: Policy, scenes: int) -> Design:
    """The test that a policy asks for on a sample of this size."""
    return Design(
        level=policy.level,
        keep_level=policy.keep_alpha,
        reserve=reserve_for(scenes) if policy.reserve is None else policy.reserve,
        minimum_gain=policy.minimum_gain,
        first=max(policy.minimum_scenes, policy.look_every),
        every=policy.look_every,
    )


def ending(course: Course) -> tuple[int, Stop]:
    """The look at which one course ends, and why."""
    last = len(course.scenes) - 1
    reasons = np.flatnonzero(course.won | course.lost | course.hopeless)
    look = int(reasons[0]) if reasons.size else last
    if course.won[look]:
        return look, Stop.WIN
    if course.lost[look]:
        return look, Stop.LOSS
    # At the last look there is no rest of the sample to give up.
    return look, Stop.END if look == last else Stop.FUTILITY


def weakest(findings: Sequence[Finding]) -> State:
    """The state of all guards together: lost where one is, else unproven where one is."""
    states = {finding.state for finding in findings}
    return next((state for state in (State.LOST, State.UNPROVEN) if state in states), State.HOLDS)


def looks_of(course: Course, last: int) -> tuple[Look, ...]:
    """The looks of one course up to the last that was taken."""
    return tuple(
        Look(
            scenes=int(course.scenes[look]),
            evidence=float(course.evidence[look]),
            against=float(course.against[look]),
            gain=finite(course.gain[look]),
            low=finite(course.low[look]),
        )
        for look in range(last + 1)
    )


def finite(value: float) -> float | None:
    """A number for JSON, which knows no infinity."""
    return float(value) if math.isfinite(value) else None


def minimum(scores: SceneScores, policy: Policy) -> float:
    """The minimum gain in the metric's own unit: a share of the rival's mean error."""
    return policy.minimum_gain * float(scores.rival.sum() / scores.pairs.sum())


def rule(
    trial: Trial, gain: Estimate, least: float, findings: Sequence[Finding], policy: Policy, rival: str
) -> tuple[Ruling, str]:
    """The ruling that a trial and the guards give, and its reason in a sentence."""
    told = f"{METRICS[policy.primary].label} gain over {rival} {signed(gain)} on {seen(trial)}"
    odds = f"evidence {ratio(trial.looks[-1].evidence)} : 1, needed {ratio(trial.needed)} : 1"
    if trial.stop is not Stop.WIN:
        if trial.stop is Stop.LOSS or (gain.high is not None and gain.high <= least):
            least_share = f" by more than {policy.minimum_gain:g} of its error" if policy.minimum_gain else ""
            return Ruling.KEEP, f"{told}: not better{least_share}."
        why = "no rest of the sample would do" if trial.stop is Stop.FUTILITY else "the sample is used up"
        return Ruling.INCONCLUSIVE, f"{told}: not proven ({odds}; {why})."
    if lost := [f for f in findings if f.state is State.LOST]:
        return Ruling.REFUSE, f"{told}, but the guard {lost[0].told()} is lost."
    if unproven := [f for f in findings if f.state is State.UNPROVEN]:
        return Ruling.INCONCLUSIVE, f"{told}, but the guard {unproven[0].told()} is not proven."
    return Ruling.PROMOTE, f"{told} ({odds}); all guards hold."


def signed(gain: Estimate) -> str:
    """A gain with its interval."""
    if gain.value is None:
        return "undefined"
    spread = "" if gain.low is None or gain.high is None else f" [{gain.low:+.4f}, {gain.high:+.4f}]"
    return f"{gain.value:+.4f}{spread}"


def seen(trial: Trial) -> str:
    """How much of the sample was looked at."""
    used = len(trial.order)
    return f"{used} scenes" if used == trial.planned else f"{used} of {trial.planned} scenes"


def ratio(logarithm: float) -> str:
    """`1,200` from its logarithm."""
    return f"{math.exp(logarithm):,.0f}" if logarithm < 20 else f"1e{logarithm / math.log(10):.0f}"
