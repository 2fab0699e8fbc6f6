"""Runs the trigger over many synthetic histories and counts what an on-call engineer would ask about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.monitor.events import DAY, HOUR, Action, Event, NightAsked, NightEnded, Rule, Window
from tasks.monitor.histories import Noise, Scenario, windows
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.trigger import FIRST, decide


@dataclass
class Outcome:
    """What one history led to."""

    fired: list[float] = field(default_factory=list)
    """Times at which a retraining was started, whatever had asked for it."""
    by_drift: list[float] = field(default_factory=list)
    """Those that drift had asked for."""
    most_in_flight: int = 0
    most_hours: float = 0.0
    """Most GPU-hours started within any window of the budget's length."""
    rules: Counter[Rule] = field(default_factory=Counter)


@dataclass(frozen=True)
class World:
    """What happens outside the trigger."""

    scheduled: bool = False
    """Whether a night asks to begin every day, an hour after the window."""
    heals: bool = False
    """Whether a retraining brings a champion that knows the new data."""


def play(policy: TriggerPolicy, history: Sequence[Window], world: World, draw: np.random.Generator) -> Outcome:
    """One history through the trigger; retrainings take a drawn time, within what the policy reserves."""
    outcome, state = Outcome(), FIRST
    running: list[tuple[float, str, float]] = []
    costs: list[tuple[float, float]] = []
    for event in _merged(history, world):
        while running and running[0][0] <= event.at:
            at, name, hours = running.pop(0)
            state = decide(policy, state, NightEnded(at, name, hours, promoted=world.heals)).after
        decision = decide(policy, state, event)
        state = decision.after
        outcome.rules[decision.rule] += 1
        if decision.action is Action.RETRAIN:
            assert state.flight is not None
            hours = float(draw.uniform(0.3, 1.0)) * policy.retraining_hours
            running.append((event.at + hours * HOUR, state.flight.name, hours))
            costs.append((event.at, hours))
            outcome.fired.append(event.at)
            if decision.rule is Rule.CONFIRMED:
                outcome.by_drift.append(event.at)
            outcome.most_in_flight = max(outcome.most_in_flight, len(running))
    outcome.most_hours = most_within(costs, policy.budget_days * DAY)
    return outcome


def _merged(history: Sequence[Window], world: World) -> Iterator[Event]:
    for number, window in enumerate(history):
        yield window
        if world.scheduled:
            yield NightAsked(window.at + HOUR, f"night-{number}")


def most_within(costs: Sequence[tuple[float, float]], span: float) -> float:
    """The largest sum of costs whose times lie within any half-open window of length `span`."""
    best = total = 0.0
    first = 0
    for at, cost in costs:
        total += cost
        while costs[first][0] <= at - span:
            total -= costs[first][1]
            first += 1
        best = max(best, total)
    return best


def most_in(times: Sequence[float], span: float) -> int:
    """The largest number of times within any half-open window of length `span`."""
    return int(most_within([(at, 1.0) for at in times], span))


@dataclass(frozen=True)
class Row:
    """One line of the table: what was asked, what came out, and whether it is what was promised."""

    scenario: str
    asked: str
    got: str
    met: bool


Judge = Callable[[Scenario, list[Outcome], list[np.ndarray]], tuple[str, bool]]


def run(policy: TriggerPolicy, noise: Noise, seeds: int, first_seed: int = 0) -> list[Row]:
    """The whole table over `seeds` histories of each kind."""
    rows, everything = [], []
    for scenario, world, asked, judge in cases():
        outcomes, losses = [], []
        for seed in range(first_seed, first_seed + seeds):
            draw = np.random.default_rng([seed, scenario.nights, scenario.start])
            truth = scenario.truth(draw)
            outcomes.append(play(policy, windows(scenario, truth, noise, draw), world, draw))
            losses.append(truth.loss)
        got, met = judge(scenario, outcomes, losses)
        rows.append(Row(f"{scenario.name}, {scenario.nights} nights", asked, got, met))
        everything += outcomes
    most = max(outcome.most_in_flight for outcome in everything)
    rows.append(Row("all of them", "never two in flight", f"at most {most}", most <= 1))
    hours = max(outcome.most_hours for outcome in everything)
    said = f"at most {hours:.1f} of {policy.budget_hours:g} GPU-hours in {policy.budget_days:g} days"
    rows.append(Row("all of them", "never above budget", said, hours <= policy.budget_hours))
    return rows


def cases() -> Iterator[tuple[Scenario, World, str, Judge]]:
    """Every kind of history with what is promised of it."""
    yield Scenario("no drift", 365), World(), "<= 1 false retraining a year", _false_a_year
    yield Scenario("step", 60, start=30), World(), "within 3 windows in >= 95 %", _within_three
    yield Scenario("ramp", 120, start=30), World(), "before 5 % is lost in >= 90 %", _before_five
    yield Scenario("threshold", 365), World(), "<= 2 firings in any 30 days", _twice_a_month
    yield Scenario("benign drift", 365), World(), "drift without loss: <= 4 a year on average", _benign
    yield Scenario("storm", 120), World(scheduled=True), "budget and flight hold", _storm
    yield Scenario("storm", 121), World(scheduled=True, heals=True), "budget and flight hold", _storm


def _false_a_year(scenario: Scenario, outcomes: list[Outcome], _: list[np.ndarray]) -> tuple[str, bool]:
    counts = np.array([len(o.by_drift) for o in outcomes])
    share = float(np.mean(counts <= 1))
    return f"mean {counts.mean():.3f}, most {counts.max()}; at most 1 in {share:.1%} of the years", share >= 0.99


def _within_three(scenario: Scenario, outcomes: list[Outcome], _: list[np.ndarray]) -> tuple[str, bool]:
    # A window of night n lies at (n + 1) days, give or take an hour; the third drifted one at start + 3.
    begin, limit = (scenario.start + 0.5) * DAY, (scenario.start + 3.5) * DAY
    hit = [any(begin < at <= limit for at in o.by_drift) for o in outcomes]
    early = float(np.mean([any(at <= begin for at in o.by_drift) for o in outcomes]))
    return f"{np.mean(hit):.1%} (fired before it: {early:.1%})", bool(np.mean(hit) >= 0.95)


def _before_five(scenario: Scenario, outcomes: list[Outcome], losses: list[np.ndarray]) -> tuple[str, bool]:
    hit, lost = [], []
    for outcome, loss in zip(outcomes, losses, strict=True):
        after = [at for at in outcome.by_drift if at > (scenario.start + 0.5) * DAY]
        night = round(after[0] / DAY) - 1 if after else len(loss) - 1
        lost.append(float(loss[night]))
        hit.append(bool(after) and loss[night] < 0.05)
    return f"{np.mean(hit):.1%} (lost by then: median {np.median(lost):.1%})", bool(np.mean(hit) >= 0.90)


def _twice_a_month(scenario: Scenario, outcomes: list[Outcome], _: list[np.ndarray]) -> tuple[str, bool]:
    most = np.array([most_in(o.by_drift, 30 * DAY) for o in outcomes])
    mean = np.mean([len(o.by_drift) for o in outcomes]) / scenario.nights * 30
    return f"at most {most.max()}; {mean:.2f} a month on average", bool(most.max() <= 2)


def _benign(scenario: Scenario, outcomes: list[Outcome], _: list[np.ndarray]) -> tuple[str, bool]:
    mean = float(np.mean([len(o.by_drift) for o in outcomes]))
    return f"{mean:.2f} a year on average", mean <= 4


def _storm(scenario: Scenario, outcomes: list[Outcome], _: list[np.ndarray]) -> tuple[str, bool]:
    drift, night = (np.mean([len(o.by_drift) for o in outcomes]), np.mean([len(o.fired) for o in outcomes]))
    held = all(o.most_in_flight <= 1 for o in outcomes)
    return f"{night:.1f} retrainings on average, {drift:.1f} of them by drift", held
