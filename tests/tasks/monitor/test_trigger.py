"""The trigger's rules one by one, and what must hold whatever it hears."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.monitor.events import DAY, HOUR, Action, Decision, Event, NightAsked, NightEnded, Rule, State, Window
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.simulate import most_within
from tasks.monitor.trigger import FIRST, decide

POLICY = TriggerPolicy()
CALM = {"drift": 0.02, "drift_p": 0.6, "loss": 0.001, "loss_se": 0.02}
BAD = {"drift": 0.7, "drift_p": 0.001, "loss": 0.12, "loss_se": 0.02}
BENIGN = {"drift": 0.7, "drift_p": 0.001, "loss": 0.001, "loss_se": 0.02}


def window(day: float, **what: object) -> Window:
    """A window of so many days after the first; its data and views are its own."""
    own: dict[str, object] = {"data": f"data {day}", "views": f"views {day}", "episodes": 200}
    return Window(at=1e9 + day * DAY, **{**own, **what})  # type: ignore[arg-type]


def heard(*events: Event, policy: TriggerPolicy = POLICY, state: State = FIRST) -> list[Decision]:
    decisions = []
    for event in events:
        decisions.append(decide(policy, state, event))
        state = decisions[-1].after
    return decisions


def rules(decisions: list[Decision]) -> list[Rule]:
    return [decision.rule for decision in decisions]


def test_drift_proposes_and_performance_confirms() -> None:
    decisions = heard(window(0, **CALM), window(1, **BAD), window(2, **BAD))
    assert rules(decisions) == [Rule.QUIET, Rule.QUIET, Rule.CONFIRMED]
    last = decisions[-1]
    assert last.action is Action.RETRAIN and last.after.flight is not None and all(c.met for c in last.checks)
    assert "12.0% of pck10 is lost" in last.reason


def test_drift_without_loss_starts_nothing() -> None:
    decisions = heard(*(window(day, **BENIGN) for day in range(9)))
    assert set(rules(decisions[1:])) == {Rule.PROPOSED}
    assert all(d.action is Action.NONE for d in decisions)


def test_loss_without_drift_starts_nothing() -> None:
    decisions = heard(*(window(day, **{**CALM, "loss": 0.3}) for day in range(9)))
    assert set(rules(decisions)) == {Rule.QUIET}


def test_drift_whose_loss_nobody_measured_says_so() -> None:
    decisions = heard(*(window(day, drift=0.7, drift_p=0.001) for day in range(3)))
    assert decisions[-1].rule is Rule.NOT_MEASURED


def test_a_loss_that_may_be_an_accident_does_not_confirm() -> None:
    assert heard(*(window(d, **{**BAD, "loss_se": 0.2}) for d in range(3)))[-1].rule is Rule.PROPOSED


def test_the_same_views_measured_again_are_one_measurement() -> None:
    noisy = {**BAD, "loss": 0.06, "loss_se": 0.03}
    assert heard(*(window(d, **noisy, views="same") for d in range(5)))[-1].rule is Rule.PROPOSED
    assert Rule.CONFIRMED in rules(heard(*(window(d, **noisy) for d in range(5))))


def test_a_proposal_stands_above_the_lower_threshold_and_falls_below_it() -> None:
    between = {**BENIGN, "drift": 0.15}
    decisions = heard(
        *(window(d, **BENIGN) for d in range(2)),
        *(window(d, **between) for d in range(2, 6)),
        *(window(d, **CALM) for d in range(6, 8)),
    )
    assert [d.after.proposed for d in decisions] == [False, True, True, True, True, True, True, False]
    assert not any(d.after.proposed for d in heard(*(window(d, **between) for d in range(9))))


def test_bad_data_asks_for_collection_and_is_no_evidence() -> None:
    first = heard(window(0, passed=False, fault="40 % of the walks are blurred", **BAD))[-1]
    assert (first.action, first.rule) == (Action.COLLECT, Rule.QUALITY) and "blurred" in first.reason
    assert first.after.sights == () and first.after.episodes == 0
    soon = heard(window(0.1, passed=False), state=first.after)[-1]
    assert (soon.action, soon.rule) == (Action.NONE, Rule.QUALITY_RESTS)
    stuck = heard(*(window(d, passed=False) for d in range(5)))
    assert rules(stuck)[3:] == [Rule.QUALITY_STUCK] * 2
    assert heard(window(9, **CALM), window(10, passed=False), state=stuck[-1].after)[-1].action is Action.COLLECT


def test_too_few_new_episodes_ask_for_more() -> None:
    few = [window(d, **BAD, episodes=10) for d in range(3)]  # type: ignore[arg-type]
    decisions = heard(*(replace(w, episodes=10) for w in few))
    assert (decisions[1].action, decisions[1].rule) == (Action.COLLECT, Rule.FEW_EPISODES)
    many = heard(*(replace(w, episodes=40) for w in few))
    assert many[-1].rule is Rule.CONFIRMED


def fire(policy: TriggerPolicy = POLICY) -> State:
    """The state with a retraining in flight since day 1."""
    return heard(window(0, **BAD), window(1, **BAD), policy=policy)[-1].after


def test_one_retraining_at_a_time() -> None:
    state = fire()
    decisions = heard(window(1.2, **BAD), NightAsked(1e9 + 1.3 * DAY, "night"), state=state)
    assert rules(decisions) == [Rule.IN_FLIGHT, Rule.IN_FLIGHT]
    assert "wanted < 1" in decisions[0].reason


def test_a_rest_follows_and_grows_while_nothing_is_gained() -> None:
    state = fire()
    assert state.flight is not None
    ended = heard(NightEnded(1e9 + 1.2 * DAY, state.flight.name, 3.0, False), state=state)[-1]
    assert ended.after.spent == ((1e9 + DAY, 3.0),)
    days = []
    state, day = ended.after, 2.0
    while len(days) < 4:
        decision = heard(window(day, **BAD), state=state)[-1]
        state = decision.after
        if decision.action is Action.RETRAIN:
            assert state.flight is not None
            days.append(day)
            state = heard(NightEnded(1e9 + (day + 0.2) * DAY, state.flight.name, 3.0, False), state=state)[-1].after
        else:
            assert decision.rule is Rule.COOLDOWN
        day += 1
    assert [round(b - a) for a, b in itertools.pairwise(days)] == [21, 41, 61]


def test_a_new_champion_is_accused_of_nothing() -> None:
    state = fire()
    assert state.flight is not None
    after = heard(NightEnded(1e9 + 1.2 * DAY, state.flight.name, 3.0, True), state=state)[-1].after
    assert after.sights == () and not after.proposed and after.flight is None


def test_another_champion_is_accused_of_nothing_however_it_came() -> None:
    decisions = heard(window(0, **BAD, champion="old"), window(1, **BAD, champion="new"))
    assert decisions[-1].rule is Rule.QUIET and "another champion" in decisions[-1].notes[0]
    assert heard(window(0, **BAD, champion="old"), window(1, **BAD, champion="old"))[-1].rule is Rule.CONFIRMED


def test_a_retraining_that_falls_silent_is_given_up_and_its_hours_count() -> None:
    late = heard(window(2.5, **CALM), state=fire())[-1]
    assert late.after.flight is None and "given up as lost" in late.notes[0]
    assert sum(hours for _, hours in late.after.spent) == POLICY.retraining_hours


def test_scheduled_nights_leave_budget_to_drift() -> None:
    state, started = FIRST, 0
    for day in range(20):
        decision = heard(NightAsked(1e9 + day * DAY, f"night {day}"), state=state)[-1]
        state = decision.after
        if decision.action is Action.RETRAIN:
            started += 1
            end = NightEnded(1e9 + day * DAY + HOUR, f"night {day}", 8.0, False)
            state = heard(end, state=state)[-1].after
        else:
            assert decision.rule is Rule.BUDGET
    assert started == int(POLICY.budget_hours * (1 - POLICY.reserve) // 8)
    assert heard(window(20, **BAD), window(21, **BAD), state=state)[-1].rule is Rule.CONFIRMED


def test_a_night_by_hand_always_begins_and_blocks_others() -> None:
    beside = heard(NightAsked(1e9 + 1.1 * DAY, "mine", "hand"), state=fire())[-1]
    assert beside.action is Action.RETRAIN and beside.after.flight == fire().flight
    alone = heard(NightAsked(1e9, "mine", "hand"))[-1]
    assert heard(NightAsked(1e9 + HOUR, "night"), state=alone.after)[-1].rule is Rule.IN_FLIGHT


def test_the_night_that_was_decided_takes_over_its_flight() -> None:
    begun = heard(NightAsked(1e9 + 1.01 * DAY, "nightly abc", "monitor"), state=fire())[-1]
    assert (begun.action, begun.rule) == (Action.RETRAIN, Rule.STARTED)
    assert begun.after.flight is not None and begun.after.flight.name == "nightly abc"
    assert len(begun.after.spent) == 1


def test_an_event_that_arrives_twice_starts_one_night() -> None:
    """The same night, retried, goes on."""
    begun = heard(NightAsked(1e9 + 1.01 * DAY, "nightly abc", "monitor"), state=fire())[-1].after
    assert heard(NightAsked(1e9 + 1.02 * DAY, "nightly def", "monitor"), state=begun)[-1].rule is Rule.IN_FLIGHT
    again = heard(NightAsked(1e9 + 1.03 * DAY, "nightly abc", "monitor"), state=begun)[-1]
    assert again.rule is Rule.STARTED and again.after == replace(begun, last=again.after.last)


def test_a_gap_makes_old_evidence_void() -> None:
    decisions = heard(window(0, **BAD), window(40, **BAD))
    assert decisions[-1].rule is Rule.QUIET and "gap of 40.0 days" in decisions[-1].notes[0]


def test_one_window_from_the_past_is_not_counted_but_a_clock_that_went_back_is_believed() -> None:
    state = heard(window(500, **BAD))[-1].after
    back = heard(*(window(d, **BAD) for d in range(5)), state=state)
    assert rules(back) == [Rule.CLOCK_BACK, Rule.CLOCK_BACK, Rule.CLOCK_RESET, Rule.QUIET, Rule.CONFIRMED]
    once = heard(window(499, **BAD), window(501, **BAD), state=state)
    assert rules(once) == [Rule.CLOCK_BACK, Rule.CONFIRMED]


def test_a_clock_that_ran_ahead_frees_no_budget() -> None:
    policy = POLICY.model_copy(update={"budget_hours": 8.0, "reserve": 0.0, "cooldown_days": 0.0})
    state = heard(NightAsked(1e9, "first"), NightEnded(1e9 + HOUR, "first", 8.0, False), policy=policy)[-1].after
    ahead = heard(window(400, **CALM), *(window(d, **CALM) for d in (1, 1.1, 1.2)), policy=policy, state=state)
    assert ahead[-1].rule is Rule.CLOCK_RESET
    assert heard(NightAsked(1e9 + 2 * DAY, "second"), policy=policy, state=ahead[-1].after)[-1].rule is Rule.BUDGET


def test_the_same_data_twice_is_no_evidence() -> None:
    decisions = heard(*(window(d, **BAD, data="same") for d in range(4)))
    assert rules(decisions) == [Rule.QUIET, *[Rule.DUPLICATE] * 3]


def test_without_a_reference_nothing_is_decided() -> None:
    decision = heard(window(0, blank="there is no champion yet"))[-1]
    assert decision.rule is Rule.NOT_COMPARED and decision.reason == "there is no champion yet"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"drift_exit": 0.3}, "drift_exit 0.3 must lie below drift_enter 0.2"),
        ({"loss_exit": 0.1}, "loss_exit 0.1 must lie below loss_enter"),
        ({"votes": 4}, "votes 4 exceeds windows 3"),
        ({"retraining_hours": 100.0}, "no retraining could ever start"),
        ({"cooldown_days": 99.0}, "exceeds longest_cooldown_days"),
        ({"lost_hours": 1000.0}, "lost_hours 1000.0 exceeds budget_days"),
        ({"alpha": 0.0}, "alpha"),
    ],
)
def test_bounds_that_contradict_each_other_are_refused(fields: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TriggerPolicy(**fields)  # type: ignore[arg-type]


share = st.floats(0, 1)
looks = st.builds(
    lambda gap, **what: (gap, what),
    gap=st.one_of(st.floats(0.01, 3), st.floats(-40, 40)),
    drift=st.none() | share,
    drift_p=share,
    loss=st.none() | st.floats(-0.5, 0.9),
    loss_se=st.floats(0, 0.2),
    passed=st.booleans(),
    episodes=st.integers(0, 300),
)
nights = st.tuples(st.floats(0.01, 2), st.sampled_from(["schedule", "monitor"]))
policies = st.builds(
    TriggerPolicy,
    votes=st.just(1),
    windows=st.integers(1, 3),
    cooldown_days=st.floats(0, 3),
    budget_hours=st.floats(8, 40),
    budget_days=st.floats(2, 30),
    reserve=st.floats(0, 0.9),
    minimum_episodes=st.integers(1, 50),
)


@settings(max_examples=200, deadline=None)
@given(policy=policies, steps=st.lists(looks | nights, max_size=40), hours=st.floats(0.1, 8))
def test_never_two_in_flight_never_above_budget_and_bad_data_never_trains(
    policy: TriggerPolicy, steps: list, hours: float
) -> None:
    """Retrainings take `hours`; where the clock jumps it does so for all, and what is then given up was killed."""
    state, clock, running = FIRST, 1e9, []
    jumped, costs = False, []
    for number, (gap, what) in enumerate(steps):
        clock += gap * DAY
        jumped |= gap < 0
        while running and running[0][0] <= clock:
            end, name = running.pop(0)
            state = decide(policy, state, NightEnded(end, name, hours, promoted=False)).after
        if isinstance(what, str):
            event: Event = NightAsked(clock, f"night {number}", what)
        else:
            event = Window(at=clock, data=f"data {number}", **what)
        decision = decide(policy, state, event)
        if any("given up" in note for note in decision.notes):
            running.clear()
        if isinstance(event, Window) and decision.action is Action.RETRAIN:
            assert event.passed and all(check.met for check in decision.checks)
        if decision.action is Action.RETRAIN and decision.rule is not Rule.STARTED:
            assert decision.after.flight is not None and not running
            running.append((clock + hours * HOUR, decision.after.flight.name))
            costs.append((clock, hours))
        elif decision.rule is Rule.STARTED:
            running = [(end, decision.after.flight.name) for end, _ in running]  # type: ignore[union-attr]
        state = decision.after
    if not jumped:
        assert most_within(costs, policy.budget_days * DAY) <= policy.budget_hours + 1e-9
