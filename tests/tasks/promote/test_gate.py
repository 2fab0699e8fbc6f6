"""The gate's rulings, each with its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.promote.gate import Decision, Ruling, Stop, decide
from tasks.promote.guards import Finding, State
from tasks.promote.sample import ERRORS, Contestant, order_of, scene_scores
from tasks.promote.spec import Policy
from tasks.scores import PlanRows, Scores
from tasks.summary import Estimate
from tests.score_books import plan_rows, scores

PLAN = plan_rows(scenes=24)
POLICY = Policy(resamples=1000)


def contestant(system: Scores, plan: PlanRows = PLAN, name: str = "the champion", grid: int = 16) -> Contestant:
    return Contestant(name, plan, system, grid, "rule-1")


def judge(challenger: Scores, champion: Scores, policy: Policy = POLICY, seed: int = 0) -> Decision:
    return decide(contestant(challenger, name="the challenger"), contestant(champion), policy, seed)


def test_a_clearly_better_challenger_is_promoted_before_the_sample_is_used_up() -> None:
    decision = judge(scores(PLAN, 0.1, 1), scores(PLAN, 0.6, 2))
    assert decision.ruling is Ruling.PROMOTE
    assert decision.gain is not None and decision.gain.low > 0
    assert decision.states == {"ap_none": "holds", "brier": "holds", "worst_stratum": "holds"}
    trial = decision.trial
    assert trial is not None and trial.stop is Stop.WIN
    assert len(trial.order) == trial.looks[-1].scenes < trial.planned == 24
    assert trial.looks[-1].evidence >= trial.needed > trial.looks[-2].evidence


def test_a_clearly_worse_challenger_leaves_the_champion() -> None:
    decision = judge(scores(PLAN, 0.6, 1), scores(PLAN, 0.1, 2))
    assert decision.ruling is Ruling.KEEP
    assert "not better" in decision.reason


def test_an_equal_challenger_is_given_up_early() -> None:
    decision = judge(scores(PLAN, 0.3, 1), scores(PLAN, 0.3, 2))
    assert decision.ruling in (Ruling.INCONCLUSIVE, Ruling.KEEP)
    assert decision.trial is not None and len(decision.trial.order) < decision.trial.planned


def test_the_same_predictions_gain_nothing() -> None:
    decision = judge(scores(PLAN, 0.3, 1), scores(PLAN, 0.3, 1))
    assert decision.ruling is Ruling.KEEP
    assert decision.gain == Estimate(value=0.0, low=0.0, high=0.0)


def test_a_lost_guard_refuses_a_better_challenger() -> None:
    better = scores(PLAN, 0.1, 1)
    careless = replace(better, none=np.where(PLAN.valid, np.where(PLAN.visible, 0.9, 0.1), np.nan))
    decision = judge(careless, scores(PLAN, 0.3, 2))
    assert decision.ruling is Ruling.REFUSE
    assert "guard" in decision.reason and "AP none" in decision.reason
    assert decision.states["ap_none"] is State.LOST


def test_an_unproven_guard_uses_the_whole_sample_and_stops_the_promotion() -> None:
    decision = judge(scores(PLAN, 0.1, 1), scores(PLAN, 0.6, 2), Policy(resamples=1000, guards={"latency": 0.1}))
    assert decision.ruling is Ruling.INCONCLUSIVE
    assert "seconds a view (undefined, not measured" in decision.reason
    assert decision.trial is not None and len(decision.trial.order) == 24


@pytest.mark.parametrize(("seconds", "ruling"), [(1.05, Ruling.PROMOTE), (1.2, Ruling.REFUSE)])
def test_a_slower_challenger_is_refused_beyond_the_margin(seconds: float, ruling: Ruling) -> None:
    fast, slow = (contestant(scores(PLAN, error, 1)) for error in (0.6, 0.1))
    policy = Policy(resamples=1000, guards={"latency": 0.1, "memory": 0.0})
    slow, fast = (replace(side, cost={"latency": s, "memory": 1e9}) for side, s in ((slow, seconds), (fast, 1.0)))
    assert decide(slow, fast, policy, 0).ruling is ruling


def test_a_baseline_costs_nothing_that_could_be_lost() -> None:
    rival = replace(contestant(scores(PLAN, 0.6, 2)), baseline=True)
    policy = Policy(resamples=1000, guards={"latency": 0.1})
    assert decide(contestant(scores(PLAN, 0.1, 1)), rival, policy, 0).ruling is Ruling.PROMOTE


def test_one_ruined_stratum_refuses_a_model_that_is_better_overall() -> None:
    champion, challenger = scores(PLAN, 0.6, 2), scores(PLAN, 0.05, 1)
    loop = (PLAN.stratum == "loop")[:, None]
    few = (np.arange(len(PLAN.stratum)) % 12 == 1)[:, None]
    plan = replace(PLAN, stratum=np.where(few[:, 0], "rare", PLAN.stratum))
    assert not (few & ~loop).any()
    lopsided = replace(challenger, kld=np.where(few & PLAN.valid, 2 * champion.kld, challenger.kld))
    decision = decide(contestant(lopsided, plan), contestant(champion, plan), POLICY, 0)
    assert decision.ruling is Ruling.REFUSE
    assert "worst stratum" in decision.reason and "rare" in decision.reason


def test_a_gain_below_the_wanted_one_is_not_enough() -> None:
    decision = judge(scores(PLAN, 0.25, 1), scores(PLAN, 0.3, 2), Policy(resamples=1000, minimum_gain=0.5))
    assert decision.ruling is Ruling.KEEP


def test_scenes_are_looked_at_in_an_order_that_knows_no_scores() -> None:
    scenes = PLAN.scene.tolist()
    assert order_of(scenes, 1) == order_of(scenes[::-1], 1) != order_of(scenes, 2)
    assert sorted(order_of(scenes, 1)) == sorted(set(scenes))


@pytest.mark.parametrize(("scenes", "reason"), [(3, "the policy wants 5"), (9, "cannot be kept with fewer than 12")])
def test_too_few_scenes_decide_nothing(scenes: int, reason: str) -> None:
    plan = plan_rows(scenes=scenes)
    decision = decide(contestant(scores(plan, 0.1, 1), plan), contestant(scores(plan, 0.9, 2), plan), POLICY, 0)
    assert decision.ruling is Ruling.INCONCLUSIVE
    assert f"{scenes} scenes were measured" in decision.reason and reason in decision.reason


def test_no_number_is_refused_in_the_challenger_and_proves_nothing_in_the_champion() -> None:
    sound = scores(PLAN, 0.3, 1)
    kld = sound.kld.copy()
    kld[7, 0] = np.nan
    decision = judge(replace(sound, kld=kld), sound)
    assert decision.ruling is Ruling.REFUSE
    assert "(NaN) in 1 of 288 views" in decision.reason
    assert judge(sound, replace(sound, kld=kld)).ruling is Ruling.INCONCLUSIVE


OTHER = plan_rows(24, seed=3)


@pytest.mark.parametrize(
    ("rival", "reason"),
    [
        (replace(contestant(scores(PLAN, 0.3)), grid=32), "16 x 16 cells and the champion 32 x 32"),
        (replace(contestant(scores(PLAN, 0.3)), labels="rule-2"), "labels 'rule-1' and the champion against 'rule-2'"),
        (contestant(scores(OTHER, 0.3), OTHER), "not asked about the same views"),
    ],
)
def test_evaluations_that_cannot_be_paired_are_refused(rival: Contestant, reason: str) -> None:
    decision = decide(contestant(scores(PLAN, 0.1, 1)), rival, POLICY, 0)
    assert decision.ruling is Ruling.REFUSE
    assert reason in decision.reason


@pytest.mark.parametrize("metric", sorted(ERRORS))
def test_errors_summed_by_scene_are_the_reported_metric(metric: str) -> None:
    from tasks.summary import METRICS, over_scenes, replicate

    side = contestant(scores(PLAN, 0.3, 1))
    sums = scene_scores(metric, side, side, sorted(set(PLAN.scene.tolist())))
    mean = sums.challenger.sum() / sums.pairs.sum()
    reported = replicate(metric, PLAN, side.scores, over_scenes(PLAN, 1000, 0.95, 0))[0]
    assert mean == pytest.approx(reported if METRICS[metric].better < 0 else 1 - reported)


def test_a_metric_that_no_view_defines_decides_nothing() -> None:
    plan = replace(PLAN, visible=np.zeros_like(PLAN.visible))
    side = contestant(scores(plan, 0.3, 1), plan)
    decision = decide(side, side, Policy(resamples=1000, primary="pck10"), 0)
    assert decision.ruling is Ruling.INCONCLUSIVE and "undefined" in decision.reason


@pytest.mark.parametrize(
    ("low", "high", "state"), [(-0.01, 0.3, State.HOLDS), (-0.3, 0.1, State.UNPROVEN), (-0.3, -0.05, State.LOST)]
)
def test_a_guard_is_known_where_its_whole_interval_lies_on_one_side(low: float, high: float, state: State) -> None:
    assert Finding(guard="brier", gain=Estimate(value=0.0, low=low, high=high), margin=0.02).state is state


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"primary": "brier"}, "primary metric and a guard"),
        ({"guards": {"ap_none": -0.1}}, "is negative"),
        ({"guards": {"ap_none": float("inf")}}, "is no number"),
        ({"minimum_gian": 1}, "Extra inputs"),
        ({"minimum_scenes": 1}, "greater than or equal to 2"),
        ({"minimum_scenes": 30, "maximum_scenes": 20}, "exceeds maximum_scenes"),
        ({"maximum_scenes": 10}, "needs 12 scenes at the very least"),
        ({"primary": "nss"}, "Input should be"),
        ({"alpha": 0.0}, "greater than 0"),
    ],
)
def test_contradictory_policies_are_refused(policy: dict, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Policy(**policy)
