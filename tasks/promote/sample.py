"""What the gate compares: two systems' scores on the same views, scene by scene in an order that nobody chose."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from tasks.promote.sequential import SceneScores, log_ratio
from tasks.scores import Bools, Floats, PlanRows, Scores


@dataclass(frozen=True)
class Contestant:
    """One side of the comparison."""

    name: str
    """As a sentence names it: "the champion", "the slot_mean baseline"."""
    plan: PlanRows
    scores: Scores
    grid: int
    labels: str
    cost: Mapping[str, float] = field(default_factory=dict)
    """`latency` in seconds a view and `memory` in bytes; empty for baselines, and where it was not measured."""
    baseline: bool = False

    def at(self, rows: np.ndarray) -> Contestant:
        """The same contestant on some of the views."""
        plan = replace(self.plan, **{f.name: getattr(self.plan, f.name)[rows] for f in fields(PlanRows)})
        scores = replace(self.scores, **{f.name: getattr(self.scores, f.name)[rows] for f in fields(Scores)})
        return replace(self, plan=plan, scores=scores)


Errors = Callable[[PlanRows, Scores], tuple[Floats, Bools]]


def all_pairs(plan: PlanRows, scores: Scores) -> tuple[Floats, Bools]:
    """KLD of every keyframe."""
    return scores.kld, plan.valid


def visible_pairs(plan: PlanRows, scores: Scores) -> tuple[Floats, Bools]:
    """KLD of the keyframes whose place is in view."""
    return scores.kld, plan.valid & plan.visible


def uncorrelated(plan: PlanRows, scores: Scores) -> tuple[Floats, Bools]:
    """What the correlation lacks to 1."""
    return 1 - scores.cc, plan.valid & plan.visible


def missed(share: float) -> Errors:
    """1 where the mode lies farther than `share` of the diagonal from the target's."""

    def errors(plan: PlanRows, scores: Scores) -> tuple[Floats, Bools]:
        return (~(scores.distance <= share)).astype(float), plan.valid & plan.visible

    return errors


def squared(plan: PlanRows, scores: Scores) -> tuple[Floats, Bools]:
    """Squared error of the predicted probability of being in view."""
    return (1 - scores.none - plan.visible) ** 2, plan.valid & plan.certain


def confused(plan: PlanRows, scores: Scores) -> tuple[Floats, Bools]:
    """1 where the prediction resembles another keyframe's target more."""
    return 1 - scores.identity, plan.valid & plan.visible


ERRORS: dict[str, Errors] = {
    "kld": all_pairs,
    "kld_visible": visible_pairs,
    "cc": uncorrelated,
    "pck05": missed(0.05),
    "pck10": missed(0.10),
    "pck20": missed(0.20),
    "brier": squared,
    "identity": confused,
}
"""Metric (`spec.PrimaryName`) -> each pair's error, and whether it counts."""


def order_of(scenes: Sequence[str], seed: int) -> list[str]:
    """The scenes in the order in which the gate looks at them: fixed by the seed, blind to all scores."""
    return sorted(set(scenes), key=lambda scene: hashlib.sha256(f"{seed}:{scene}".encode()).digest())


def scene_scores(
    metric: str, challenger: Contestant, rival: Contestant, order: Sequence[str], among: Bools | None = None
) -> SceneScores:
    """Both systems' errors in a metric of `ERRORS`, summed over each scene of `order`; `among` [V] leaves views out."""
    place = {scene: number for number, scene in enumerate(order)}
    row = np.array([place.get(scene, -1) for scene in challenger.plan.scene.tolist()])
    shown = (row >= 0) if among is None else (row >= 0) & among

    def summed(contestant: Contestant) -> tuple[Floats, Bools]:
        errors, counted = ERRORS[metric](contestant.plan, contestant.scores)
        return np.where(counted, errors, 0.0).sum(axis=1)[shown], counted[shown]

    def by_scene(values: Floats) -> Floats:
        return np.asarray(np.bincount(row[shown], values, len(order)), dtype=np.float64)

    (mine, counted), (theirs, _) = summed(challenger), summed(rival)
    views = by_scene(np.any(counted, axis=1).astype(np.float64))
    return SceneScores(
        pairs=by_scene(counted.sum(axis=1)),
        rival=by_scene(theirs),
        challenger=by_scene(mine),
        # A view without a counted pair has no error on either side, hence a log ratio of 0.
        ratio=by_scene(log_ratio(theirs, mine)) / np.maximum(views, 1),
    )
