"""The trigger as a pure state machine: (policy, state, event) -> decision, which holds the next state.

Drift proposes: `votes` of the last `windows` windows drifted by `drift_enter`; the proposal stands while as many stay
above `drift_exit`. Performance confirms: the mean loss over the drifted windows is at least `loss_enter` and its
one-sided interval excludes zero; that stands until the mean falls below `loss_exit`. A confirmed proposal fires where
nothing is in flight, the rest is over, there is new data, and the budget holds. No clock is read and nothing is drawn.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import sqrt
from statistics import NormalDist

from tasks.monitor.events import (
    DAY,
    DECIDED,
    HOUR,
    Action,
    Check,
    Decision,
    Event,
    Flight,
    NightAsked,
    NightEnded,
    Rule,
    Sight,
    State,
    Window,
)
from tasks.monitor.policy import TriggerPolicy

FIRST = State()

KEPT = 64
"""Costs remembered from before the budget's window."""


def decide(policy: TriggerPolicy, state: State, event: Event) -> Decision:
    """The decision on one event."""
    if isinstance(event, NightEnded):
        return ended(policy, state, event)
    if isinstance(event, NightAsked):
        state, notes = settled(policy, state, event.at)
        return noted(asked(policy, state, event), notes)
    return looked(policy, state, event)


def noted(decision: Decision, notes: tuple[str, ...]) -> Decision:
    """The decision with notes before its own."""
    return replace(decision, notes=notes + decision.notes) if notes else decision


def settled(policy: TriggerPolicy, state: State, at: float) -> tuple[State, tuple[str, ...]]:
    """The state when time has come to `at`: a lost retraining is given up, and the oldest costs are forgotten."""
    notes: tuple[str, ...] = ()
    flight = state.flight
    if flight is not None and at - flight.since > policy.lost_hours * HOUR:
        notes = (f"{flight.name} has not ended within {policy.lost_hours:g} h: given up as lost, its hours count",)
        state = rested(policy, replace(state, flight=None), flight.cause, at, promoted=False)
    return state, notes


def looked(policy: TriggerPolicy, state: State, window: Window) -> Decision:
    """The decision on a window."""
    notes: tuple[str, ...] = ()
    if state.last is not None and window.at <= state.last and window.data != state.data:
        backward = (*state.backward, window.at)
        if len(backward) < policy.windows:
            reason = f"the window is {(state.last - window.at) / HOUR:.1f} h before the last one"
            return Decision(Action.NONE, Rule.CLOCK_BACK, reason, window, replace(state, backward=backward))
        state = turned_back(policy, state, window.at)
        reason = f"{policy.windows} windows in a row came from before the last one: their clock is taken for true"
        state = replace(state, last=window.at, data=window.data, backward=())
        return Decision(Action.NONE, Rule.CLOCK_RESET, reason, window, state)
    if window.data == state.data:
        return Decision(Action.NONE, Rule.DUPLICATE, "this data was judged before", window, state)
    state, notes = settled(policy, state, window.at)
    if state.last is not None and window.at - state.last > policy.memory_days * DAY:
        notes += (f"gap of {(window.at - state.last) / DAY:.1f} days: older evidence is forgotten",)
    state = replace(state, last=window.at, data=window.data, backward=())
    if window.champion and window.champion != state.champion:
        if state.champion:
            notes += ("there is another champion: older evidence is forgotten",)
            state = forgotten(state)
        state = replace(state, champion=window.champion)
    if not window.passed:
        return noted(unfit(policy, state, window), notes)
    state = replace(state, collections=0, episodes=state.episodes + window.episodes)
    if window.drift is None:
        reason = window.blank or "there is no reference"
        return noted(Decision(Action.NONE, Rule.NOT_COMPARED, reason, window, state), notes)
    return noted(judged(policy, seen(policy, state, window), window), notes)


def turned_back(policy: TriggerPolicy, state: State, at: float) -> State:
    """The state under a clock that went back: no time in it lies ahead, nothing that was spent is forgotten."""
    flight = state.flight and replace(state.flight, since=min(state.flight.since, at))
    return replace(
        state,
        sights=(),
        proposed=False,
        confirmed=False,
        flight=flight,
        spent=tuple((min(when, at), hours) for when, hours in state.spent),
        rest_until=min(state.rest_until, at + max(state.rest_days, policy.cooldown_days) * DAY),
        collected=None if state.collected is None else min(state.collected, at),
    )


def unfit(policy: TriggerPolicy, state: State, window: Window) -> Decision:
    """Data below the gate: a collection, unless one was asked for lately or they were of no use. Never training."""
    told = window.fault or "the quality gate was not passed"
    if state.collections >= policy.collections:
        reason = f"{told}; {state.collections} collections in a row did not better it"
        return Decision(Action.NONE, Rule.QUALITY_STUCK, reason, window, state)
    if rests(policy, state, window.at):
        return Decision(Action.NONE, Rule.QUALITY_RESTS, told, window, state)
    state = replace(state, collected=window.at, collections=state.collections + 1)
    return Decision(Action.COLLECT, Rule.QUALITY, told, window, state)


def rests(policy: TriggerPolicy, state: State, at: float) -> bool:
    """Whether a collection was asked for too short a while ago for another."""
    return state.collected is not None and at - state.collected < policy.collect_hours * HOUR


def seen(policy: TriggerPolicy, state: State, window: Window) -> State:
    """The state with a window's evidence: proposal and confirmation with their hysteresis."""
    assert window.drift is not None
    real = window.drift_p <= policy.alpha
    sight = Sight(
        window.at,
        high=real and window.drift >= policy.drift_enter,
        low=real and window.drift >= policy.drift_exit,
        loss=window.loss,
        loss_se=window.loss_se,
        views=window.views,
    )
    most = max(policy.windows, policy.pool)
    fresh = tuple(s for s in state.sights if window.at - s.at <= policy.memory_days * DAY)
    sights = (*fresh, sight)[-most:]
    latest = sights[-policy.windows :]
    votes = sum(s.low if state.proposed else s.high for s in latest)
    proposed = votes >= policy.votes
    confirmed = proposed and holds(policy, sights, state.confirmed and state.proposed)
    return replace(state, sights=sights, proposed=proposed, confirmed=confirmed)


def pooled(policy: TriggerPolicy, sights: tuple[Sight, ...]) -> tuple[float, float, int]:
    """(mean loss, its standard error, measurements) over the drifted windows; of equal views the newest counts."""
    drifted = [s for s in sights if s.low and s.loss is not None][-policy.pool :]
    by_views = {s.views or f"at {s.at}": s for s in drifted}
    count = len(by_views)
    if count == 0:
        return 0.0, 0.0, 0
    total = sum(s.loss for s in by_views.values() if s.loss is not None)
    return total / count, sqrt(sum(s.loss_se**2 for s in by_views.values())) / count, count


def holds(policy: TriggerPolicy, sights: tuple[Sight, ...], before: bool) -> bool:
    """Whether performance confirms, given whether it did before."""
    mean, error, count = pooled(policy, sights)
    if count == 0:
        return False
    if before:
        return mean >= policy.loss_exit
    return mean >= policy.loss_enter and mean - quantile(policy.confidence) * error > 0


@cache
def quantile(confidence: float) -> float:
    """How many standard errors a one-sided confidence is worth."""
    return NormalDist().inv_cdf(confidence)


def used_hours(policy: TriggerPolicy, state: State, at: float) -> float:
    """GPU-hours spent and reserved within the budget's window that ends at `at`."""
    return sum(hours for when, hours in state.spent if when > at - policy.budget_days * DAY)


def judged(policy: TriggerPolicy, state: State, window: Window) -> Decision:
    """The decision on evidence that is fit to decide on."""
    latest = state.sights[-policy.windows :]
    votes = sum(s.low if state.proposed else s.high for s in latest)
    mean, error, count = pooled(policy, state.sights)
    lower = mean - quantile(policy.confidence) * error
    checks = [Check(f"drifted windows of the last {policy.windows}", votes, f">= {policy.votes}", state.proposed)]
    moved = f"drift {window.drift:.3f} (p {window.drift_p:.2g}{', ' + window.about if window.about else ''})"
    if not state.proposed:
        reason = f"{moved}; {votes} of the last {len(latest)} windows drifted, {policy.votes} are needed"
        return Decision(Action.NONE, Rule.QUIET, reason, window, state, tuple(checks))
    checks.append(Check("loss of the score", mean, f">= {policy.loss_enter:g}", mean >= policy.loss_enter))
    checks.append(Check("lower end of the loss", lower, "> 0", lower > 0))
    cost = f"{mean:.1%} of {policy.metric} is lost (at least {lower:.1%}, from {count} measurements)"
    if not state.confirmed:
        if count == 0:
            return Decision(Action.NONE, Rule.NOT_MEASURED, f"{moved}; no loss is known", window, state, tuple(checks))
        return Decision(Action.NONE, Rule.PROPOSED, f"{moved}; {cost}", window, state, tuple(checks))
    return fired(policy, state, window, f"{moved}; {cost}", checks)


def fired(policy: TriggerPolicy, state: State, window: Window, why: str, checks: list[Check]) -> Decision:
    """A confirmed proposal against the bounds on how often and at which cost."""
    at = window.at
    used = used_hours(policy, state, at)
    bounds = [
        (Rule.IN_FLIGHT, Check("retrainings in flight", float(state.flight is not None), "< 1", state.flight is None)),
        (
            Rule.COOLDOWN,
            Check("days of rest left", max(0.0, state.rest_until - at) / DAY, "<= 0", at >= state.rest_until),
        ),
        (
            Rule.FEW_EPISODES,
            Check(
                "new episodes",
                state.episodes,
                f">= {policy.minimum_episodes}",
                state.episodes >= policy.minimum_episodes,
            ),
        ),
        (
            Rule.BUDGET,
            Check(
                f"GPU-hours of {policy.budget_days:g} days with this one",
                used + policy.retraining_hours,
                f"<= {policy.budget_hours:g}",
                used + policy.retraining_hours <= policy.budget_hours,
            ),
        ),
    ]
    checks += [check for _, check in bounds]
    broken = next((pair for pair in bounds if not pair[1].met), None)
    if broken is None:
        name = f"{DECIDED}{at:.0f}"
        state = launched(policy, state, Flight(name, "monitor", at, policy.retraining_hours))
        return Decision(Action.RETRAIN, Rule.CONFIRMED, why, window, state, tuple(checks))
    rule, check = broken
    said = f"{why}; but {check.name}: {check.value:.3g}, wanted {check.bound}"
    if rule is Rule.FEW_EPISODES:
        if rests(policy, state, at):
            return Decision(Action.NONE, Rule.FEW_EPISODES_RESTS, said, window, state, tuple(checks))
        return Decision(Action.COLLECT, rule, said, window, replace(state, collected=at), tuple(checks))
    return Decision(Action.NONE, rule, said, window, state, tuple(checks))


def launched(policy: TriggerPolicy, state: State, flight: Flight) -> State:
    """The state with a retraining in flight, whose hours are taken from the budget at once.

    Old costs are kept for a while beyond the budget's window: should a clock that ran ahead go back, they count again.
    """
    since = flight.since - policy.budget_days * DAY
    old = [cost for cost in state.spent if cost[0] <= since][-KEPT:]
    recent = [cost for cost in state.spent if cost[0] > since]
    return replace(state, flight=flight, episodes=0, spent=(*old, *recent, (flight.since, flight.hours)))


def asked(policy: TriggerPolicy, state: State, night: NightAsked) -> Decision:
    """Whether a night may begin. Nights by hand always may, and are counted where nothing else is in flight.

    A decision to retrain is good for one night: the first that comes of its event, and that again where it is retried.
    """
    flight = state.flight
    if night.cause == "monitor" and flight is not None and (flight.awaited or flight.name == night.name):
        state = replace(state, flight=replace(flight, name=night.name))
        return Decision(Action.RETRAIN, Rule.STARTED, f"{flight.name} begins as {night.name}", night, state)
    if night.cause == "hand":
        if flight is None:
            state = launched(policy, state, Flight(night.name, "hand", night.at, policy.retraining_hours))
            return Decision(Action.RETRAIN, Rule.BY_HAND, "a person asked for it", night, state)
        return Decision(Action.RETRAIN, Rule.BY_HAND, f"a person asked for it, beside {flight.name}", night, state)
    used, share = used_hours(policy, state, night.at), policy.budget_hours * (1 - policy.reserve)
    free = Check("retrainings in flight", float(flight is not None), "< 1", flight is None)
    fits = Check(
        f"GPU-hours of {policy.budget_days:g} days with this one",
        used + policy.retraining_hours,
        f"<= {share:g}",
        used + policy.retraining_hours <= share,
    )
    if not free.met:
        reason = f"{flight.name if flight else ''} is still in flight"
        return Decision(Action.NONE, Rule.IN_FLIGHT, reason, night, state, (free, fits))
    if not fits.met:
        reason = f"{used:.1f} GPU-hours are spent, and scheduled nights may take {share:g} in all"
        return Decision(Action.NONE, Rule.BUDGET, reason, night, state, (free, fits))
    state = launched(policy, state, Flight(night.name, night.cause, night.at, policy.retraining_hours))
    return Decision(Action.RETRAIN, Rule.SCHEDULED, "its time has come", night, state, (free, fits))


def ended(policy: TriggerPolicy, state: State, end: NightEnded) -> Decision:
    """What the end of a night leaves: its true cost, a rest where drift had asked for it, a new reference if it won."""
    flight = state.flight
    if flight is None or flight.name != end.name:
        reason = f"{end.name} is not in flight (it was a night beside another, or was given up as lost)"
        state = forgotten(state) if end.promoted else state
        return Decision(Action.NONE, Rule.UNKNOWN_END, reason, end, state)
    state = replace(state, flight=None, spent=charged(state.spent, flight, end.hours))
    state = rested(policy, state, flight.cause, end.at, end.promoted)
    came = "a new champion" if end.promoted else "no new champion"
    reason = f"{end.name} took {end.hours:.2f} GPU-hours: {came}"
    return Decision(Action.NONE, Rule.ENDED, reason, end, forgotten(state) if end.promoted else state)


def charged(spent: tuple[tuple[float, float], ...], flight: Flight, hours: float) -> tuple[tuple[float, float], ...]:
    """The costs with a retraining's true hours in the place of its reservation."""
    reserved = (flight.since, flight.hours)
    if reserved not in spent:
        return (*spent, (flight.since, hours))
    place = spent.index(reserved)
    return (*spent[:place], (flight.since, hours), *spent[place + 1 :])


def rested(policy: TriggerPolicy, state: State, cause: str, at: float, promoted: bool) -> State:
    """The state with the rest that follows a retraining which drift has asked for."""
    if cause != "monitor":
        return replace(state, rest_days=0.0) if promoted else state
    grown = state.rest_days * policy.backoff if state.rest_days else policy.cooldown_days
    days = policy.cooldown_days if promoted else min(grown, policy.longest_cooldown_days)
    return replace(state, rest_until=at + days * DAY, rest_days=0.0 if promoted else days)


def forgotten(state: State) -> State:
    """The state under a new champion, which no evidence speaks against yet."""
    return replace(state, sights=(), proposed=False, confirmed=False)
