"""A decision in words: what `backsight monitor explain` prints and MLflow and Prefect keep."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.monitor.events import DAY, Action, Decision, NightAsked, NightEnded, State, Window
from tasks.monitor.log import Logged
from tasks.monitor.policy import TriggerPolicy
from tasks.monitor.trigger import used_hours

HEADS = {
    Action.RETRAIN: "retraining starts",
    Action.COLLECT: "a collection is asked for",
    Action.NONE: "nothing is started",
}


def when(at: float) -> str:
    """A time, to the minute."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


def line(decision: Decision) -> str:
    """One decision in one line."""
    notes = f" [{'; '.join(decision.notes)}]" if decision.notes else ""
    return f"{when(decision.event.at)}  {decision.action:<8} {decision.rule.name:<18} {decision.reason}{notes}"


def heard(decision: Decision) -> str:
    """What the decision is about."""
    event = decision.event
    if isinstance(event, Window):
        return f"window of {when(event.at)} on {event.data}"
    if isinstance(event, NightAsked):
        return f"night '{event.name}' ({event.cause}) of {when(event.at)}"
    assert isinstance(event, NightEnded)
    return f"end of '{event.name}' at {when(event.at)}"


def explain(logged: Logged) -> str:
    """Why it did or did not fire, with every number that was looked at."""
    decision = logged.decision
    lines = [
        f"{HEADS[decision.action]}: {decision.reason}",
        "",
        f"rule     {decision.rule.value}",
        f"heard    {heard(decision)}",
    ]
    for check in decision.checks:
        lines.append(f"  {'met ' if check.met else 'NOT '} {check.name}: {check.value:.4g}, wanted {check.bound}")
    lines += [f"note     {note}" for note in decision.notes]
    lines += [f"drift    {told}" for told in logged.facts.get("drift", ())]
    lines += [f"read     {name}: {id}" for name, id in logged.inputs.items()]
    lines += remembered(logged.policy, decision.after, decision.event.at)
    lines.append(f"record   decision {logged.number}, {logged.id}")
    return "\n".join(lines)


def remembered(policy: TriggerPolicy, state: State, at: float) -> list[str]:
    """The state that the decision left."""
    flight = f"{state.flight.name} since {when(state.flight.since)}" if state.flight else "nothing"
    rest = max(0.0, state.rest_until - at) / DAY
    proposal = "confirmed" if state.confirmed else "open" if state.proposed else "none"
    used = used_hours(policy, state, at)
    return [
        f"state    proposal {proposal}, in flight {flight}, {rest:.1f} days of rest left,",
        f"         {state.episodes} new episodes, {used:.2f} of {policy.budget_hours:g} GPU-hours spent",
    ]


def markdown(logged: Logged) -> str:
    """The same for a page."""
    decision = logged.decision
    rows = [
        f"| {check.name} | {check.value:.4g} | {check.bound} | {'yes' if check.met else '**no**'} |"
        for check in decision.checks
    ]
    table = ["| bound | value | wanted | met |", "| --- | ---: | --- | --- |", *rows] if rows else []
    drift = [f"- {told}" for told in logged.facts.get("drift", ())]
    parts = [f"### {HEADS[decision.action]}", f"{decision.reason}.", f"Rule: {decision.rule.value}."]
    return "\n\n".join([*parts, "\n".join(table), "\n".join(drift), f"`{logged.id}`"])
