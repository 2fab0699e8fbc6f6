"""What a challenger must not lose while it wins: proof of non-inferiority, guard by guard."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from tasks.promote.sample import ERRORS, Contestant, scene_scores
from tasks.promote.sequential import FEWEST_FOR_SPREAD, SceneScores, bounds
from tasks.promote.spec import SHARES, GuardName, Policy
from tasks.scores import Floats
from tasks.spec import Frozen
from tasks.summary import METRICS, Estimate, over_scenes, replicate

LABELS: dict[str, str] = {
    **{name: metric.label for name, metric in METRICS.items()},
    "worst_stratum": "worst stratum",
    "latency": "seconds a view",
    "memory": "memory",
}


class State(StrEnum):
    """What is known of a guard."""

    HOLDS = "holds"
    """Proven: the loss is no larger than the margin."""
    LOST = "lost"
    """Proven: the loss is larger."""
    UNPROVEN = "unproven"


class Finding(Frozen):
    """One guard on one sample. The gain is signed so that more is better; in shares for `SHARES`."""

    guard: GuardName
    gain: Estimate
    margin: float
    note: str = ""
    """Which stratum, or what is missing."""

    @property
    def state(self) -> State:
        """Where the whole interval lies."""
        if self.gain.high is not None and self.gain.high < -self.margin:
            return State.LOST
        if self.gain.low is not None and self.gain.low >= -self.margin:
            return State.HOLDS
        return State.UNPROVEN

    def told(self) -> str:
        """The guard, its interval and its margin in words."""
        gain, unit = self.gain, " of the rival's" if self.guard in SHARES else ""
        found = "undefined" if gain.value is None else f"{gain.value:+.4f}"
        if gain.low is not None and gain.high is not None and gain.low < gain.high:
            found += f" [{gain.low:+.4f}, {gain.high:+.4f}]"
        where = f", {self.note}" if self.note else ""
        return f"{LABELS[self.guard]} ({found}{where}, may lose {self.margin:g}{unit})"


def judge_guards(
    challenger: Contestant, rival: Contestant, policy: Policy, order: Sequence[str], seed: int
) -> list[Finding]:
    """All guards on the sample given. Their intervals err with chance guard_alpha / 2 on each side.

    So that the gate may ask twice, when the challenger wins and again with the whole sample.
    """
    confidence = 1 - policy.guard_alpha
    draws = over_scenes(challenger.plan, policy.resamples, confidence, seed)
    found = []
    for name, margin in policy.guards.items():
        if name == "worst_stratum":
            found.append(worst_stratum(challenger, rival, policy, order, margin))
        elif name in SHARES:
            if not rival.baseline:
                found.append(cost(name, challenger, rival, margin))
        elif name in ERRORS:
            found.append(mean(name, challenger, rival, policy, order, margin))
        else:
            mine = replicate(name, challenger.plan, challenger.scores, draws)
            theirs = replicate(name, rival.plan, rival.scores, draws)
            found.append(
                Finding(guard=name, gain=draws.estimate(METRICS[name].better * (mine - theirs)), margin=margin)
            )
    return found


def mean(
    name: GuardName, challenger: Contestant, rival: Contestant, policy: Policy, order: Sequence[str], margin: float
) -> Finding:
    """A metric that is a mean over pairs."""
    value, low, high = (float(b[-1]) for b in loss_bounds(scene_scores(name, challenger, rival, order), margin, policy))
    known = np.isfinite(value) and np.isfinite(low) and np.isfinite(high)
    gain = Estimate(value=value, low=low, high=high) if known else Estimate(value=None)
    return Finding(guard=name, gain=gain, margin=margin)


def loss_bounds(scores: SceneScores, margin: float, policy: Policy) -> tuple[Floats, Floats, Floats]:
    """Mean gain a pair and its bounds after each scene, exact where it is a loss of just the margin."""
    tolerated = scores.gains() + margin * scores.pairs
    value, low, high = bounds(tolerated, scores.pairs, policy.guard_alpha / 2)
    return value - margin, low - margin, high - margin


def worst_stratum(
    challenger: Contestant, rival: Contestant, policy: Policy, order: Sequence[str], margin: float
) -> Finding:
    """The primary metric in the stratum where least is proven; each must be proven, so none needs a stricter level."""
    found = []
    for stratum in np.unique(challenger.plan.stratum).tolist():
        scores = scene_scores(policy.primary, challenger, rival, order, challenger.plan.stratum == stratum)
        shown = scores.pairs > 0
        if shown.sum() < FEWEST_FOR_SPREAD or scores.rival.sum() == 0:
            continue
        tolerated = ((1 + margin) * scores.rival - scores.challenger)[shown]
        scale = scores.rival.sum() / scores.pairs.sum()
        mean, low, high = (
            float(b[-1]) / scale - margin for b in bounds(tolerated, scores.pairs[shown], policy.guard_alpha / 2)
        )
        found.append((low, stratum, Estimate(value=mean, low=low, high=high)))
    if not found:
        return Finding(
            guard="worst_stratum", gain=Estimate(value=None), margin=margin, note="no stratum has enough scenes"
        )
    _, stratum, gain = min(found, key=lambda entry: entry[0])
    return Finding(guard="worst_stratum", gain=gain, margin=margin, note=stratum)


def cost(name: GuardName, challenger: Contestant, rival: Contestant, margin: float) -> Finding:
    """What an answer costs, as a share of what the rival's does. Measured, not estimated: it has no interval."""
    mine, theirs = challenger.cost.get(name), rival.cost.get(name)
    if mine is None or not theirs:
        gain = Estimate(value=None)
        return Finding(guard=name, gain=gain, margin=margin, note="not measured: evaluate both anew")
    share = 1 - mine / theirs
    return Finding(guard=name, gain=Estimate(value=share, low=share, high=share), margin=margin)
