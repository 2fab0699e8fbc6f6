"""The gate's rulings, each with its reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.promote.gate import Contestant, Decision, Ruling, decide, rule
from tasks.promote.spec import Policy
from tasks.scores import PlanRows, Scores
from tasks.summary import Estimate
from tests.score_books import plan_rows, scores

PLAN = plan_rows(scenes=10)
POLICY = Policy(resamples=1000)


def contestant(system: Scores, plan: PlanRows = PLAN, name: str = "the champion", grid: int = 16) -> Contestant:
    return Contestant(name, plan, system, grid, "rule-1")


def judge(challenger: Scores, champion: Scores, policy: Policy = POLICY) -> Decision:
    return decide(contestant(challenger, name="the challenger"), contestant(champion), policy, 0)


def test_a_clearly_better_challenger_is_promoted() -> None:
    decision = judge(scores(PLAN, 0.1, 1), scores(PLAN, 0.6, 2))
    assert decision.ruling is Ruling.PROMOTE
    assert decision.gain is not None and decision.gain.low > 0
    assert set(decision.guards) == {"ap_none", "brier"}


def test_a_clearly_worse_challenger_leaves_the_champion() -> None:
    decision = judge(scores(PLAN, 0.6, 1), scores(PLAN, 0.1, 2))
    assert decision.ruling is Ruling.KEEP
    assert "not better" in decision.reason


def test_an_equal_challenger_is_not_promoted() -> None:
    assert judge(scores(PLAN, 0.3, 1), scores(PLAN, 0.3, 2)).ruling in (Ruling.INCONCLUSIVE, Ruling.KEEP)


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


def test_a_gain_below_the_wanted_one_is_not_enough() -> None:
    decision = judge(scores(PLAN, 0.1, 1), scores(PLAN, 0.3, 2), Policy(resamples=1000, minimum_gain=5.0))
    assert decision.ruling is Ruling.KEEP


def test_too_few_scenes_decide_nothing() -> None:
    plan = plan_rows(scenes=3)
    decision = decide(contestant(scores(plan, 0.1, 1), plan), contestant(scores(plan, 0.9, 2), plan), POLICY, 0)
    assert decision.ruling is Ruling.INCONCLUSIVE
    assert "3 scenes were measured and the policy wants 5" in decision.reason


def test_no_number_is_refused_in_the_challenger_and_proves_nothing_in_the_champion() -> None:
    sound = scores(PLAN, 0.3, 1)
    kld = sound.kld.copy()
    kld[7, 0] = np.nan
    decision = judge(replace(sound, kld=kld), sound)
    assert decision.ruling is Ruling.REFUSE
    assert "(NaN) in 1 of 120 views" in decision.reason
    assert judge(sound, replace(sound, kld=kld)).ruling is Ruling.INCONCLUSIVE


@pytest.mark.parametrize(
    ("rival", "reason"),
    [
        (replace(contestant(scores(PLAN, 0.3)), grid=32), "16 x 16 cells and the champion 32 x 32"),
        (replace(contestant(scores(PLAN, 0.3)), labels="rule-2"), "labels 'rule-1' and the champion against 'rule-2'"),
        (contestant(scores(plan_rows(10, seed=3), 0.3), plan_rows(10, seed=3)), "not asked about the same views"),
    ],
)
def test_evaluations_that_cannot_be_paired_are_refused(rival: Contestant, reason: str) -> None:
    decision = decide(contestant(scores(PLAN, 0.1, 1)), rival, POLICY, 0)
    assert decision.ruling is Ruling.REFUSE
    assert reason in decision.reason


bounds = st.tuples(*[st.floats(-1, 1)] * 3).map(sorted).map(lambda b: Estimate(low=b[0], value=b[1], high=b[2]))


@given(gain=bounds, guard=bounds, margin=st.floats(0, 0.5), least=st.floats(0, 0.5))
def test_promotion_needs_the_whole_interval_and_every_guard(
    gain: Estimate, guard: Estimate, margin: float, least: float
) -> None:
    policy = Policy(minimum_gain=least, guards={"brier": margin})
    ruling, _ = rule(gain, {"brier": guard}, policy, "the champion")
    assert (ruling is Ruling.PROMOTE) == (gain.low > least and guard.low > -margin)
    assert (ruling is Ruling.KEEP) == (gain.high <= least)
    if guard.high < -margin and ruling is not Ruling.KEEP:
        assert ruling is Ruling.REFUSE


def test_an_undefined_primary_decides_nothing() -> None:
    ruling, reason = rule(Estimate(value=None), {}, Policy(), "the champion")
    assert ruling is Ruling.INCONCLUSIVE and "undefined" in reason


@pytest.mark.parametrize(
    "policy", [{"primary": "brier"}, {"guards": {"ap_none": -0.1}}, {"minimum_gian": 1}, {"minimum_scenes": 1}]
)
def test_contradictory_policies_are_refused(policy: dict) -> None:
    with pytest.raises(ValidationError):
        Policy(**policy)


def test_false_promotions_stay_rare_with_few_clustered_scenes() -> None:
    plan = plan_rows(scenes=8, views=4)
    wins = sum(
        decide(contestant(scores(plan, 0.3, s), plan), contestant(scores(plan, 0.3, 9000 + s), plan), POLICY, s).ruling
        is Ruling.PROMOTE
        for s in range(100)
    )
    assert wins <= 8
