"""From a decision to a night: the events that tell of it, the automations that act on them, the books of all nights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.plan import PHASES, Stage
from flows.references import champion
from tasks.errors import BacksightError
from tasks.monitor.events import HOUR, Action, NightAsked, NightEnded, Rule, Window
from tasks.monitor.log import DecisionLog, Logged
from tasks.monitor.policy import TriggerPolicy
from tasks.spec import REGISTERED

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.events.schemas.automations import AutomationCore

    from flows.parameters import Settings
    from flows.record import Line
    from tasks.preset import Preset
    from tasks.store import ArtefactStore

EVENTS = {Action.RETRAIN: "backsight.retraining.confirmed", Action.COLLECT: "backsight.collection.wanted"}
"""Action of a decision -> the Prefect event that tells of it."""

FOLLOWS = {Action.RETRAIN: "nightly", Action.COLLECT: "collect"}
"""Action -> the deployment that an automation starts on its event."""

MINED = "mining"
"""Ref `latest/mining`: the champion's newest evaluation in training scenes, from which failures are mined."""


def decisions(store: ArtefactStore) -> DecisionLog:
    """The log of all decisions on when to train."""
    return DecisionLog(store, REGISTERED)


def tell(logged: Logged) -> bool:
    """Emit the event of a decision that starts something; whether there was one to emit."""
    from prefect.events import emit_event

    event = EVENTS.get(logged.decision.action)
    if event is None:
        return False
    payload = {
        "decision": logged.id,
        "number": logged.number,
        "rule": logged.decision.rule.name,
        "reason": logged.decision.reason,
        "preset": logged.facts.get("preset") or "tiny",
        "overrides": logged.facts.get("overrides", {}),
        "seed": seed_of(logged),
    }
    resource = {"prefect.resource.id": f"backsight.champion.{REGISTERED}", "prefect.resource.name": REGISTERED}
    return emit_event(event, resource, payload=payload, id=event_id(logged)) is not None


def event_id(logged: Logged) -> UUID:
    """The id of a decision's event: one and the same however often it is sent."""
    from uuid import NAMESPACE_URL, uuid5

    return uuid5(NAMESPACE_URL, logged.id)


def has_arrived(logged: Logged, client: SyncPrefectClient) -> bool:
    """Whether Prefect has the event of a decision."""
    from prefect.events.filters import EventFilter, EventIDFilter

    return client.read_events(EventFilter(id=EventIDFilter(id=[event_id(logged)])), limit=1).total > 0


def outstanding(store: ArtefactStore, at: float) -> Logged | None:
    """The last decision that starts something, where nothing has come of it by `at`: it may wait for a lost event.

    None where its night has begun or newer walks were collected, and where it is older than a lost retraining.
    """
    head = decisions(store).head()
    for logged in decisions(store).entries():
        decided = logged.decision
        if at - decided.event.at > logged.policy.lost_hours * HOUR:
            break
        if decided.rule is Rule.CONFIRMED and decided.action is Action.RETRAIN:
            flight = head.decision.after.flight if head else None
            return logged if flight == decided.after.flight else None
        if isinstance(decided.event, Window) and decided.action is Action.COLLECT:
            judged, newest = decided.event.data, store.ref("latest", Stage.COLLECT)
            return logged if newest in (judged, store.manifest(judged).inputs.get("raw")) else None
    return None


def seed_of(logged: Logged) -> int:
    """The seed of a collection that a decision asks for: another one each time, or the walks would be known ones."""
    return int(logged.decision.event.at) % 2**31


def hard_settings(store: ArtefactStore, preset: Preset) -> Settings:
    """The changed keys by which a night walks to where the champion failed; none unless asked for and known."""
    plan, newest = preset.monitor.mining, store.ref("latest", MINED)
    if plan.share == 0 or newest is None or not store.complete(newest):
        return {}
    others = sum(weight for stratum, weight in preset.collect.strata.items() if stratum != "hard")
    return {
        "collect.mined_from": newest,
        "collect.mined_scenes": plan.scenes,
        "collect.mined_views": plan.views,
        "collect.strata.hard": round(plan.share / (1 - plan.share) * others, 6),
    }


def automation(action: Action, deployment: UUID) -> AutomationCore:
    """Starts a deployment on a decision's event, under the preset and the changed keys that the event names.

    A collection also gets the event's seed; a night's is its date.
    """
    from prefect.events.actions import RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    parameters = {
        "preset": {"__prefect_kind": "jinja", "template": "{{ event.payload.preset }}"},
        "overrides": as_json("event.payload.overrides | tojson"),
    }
    if action is Action.COLLECT:
        parameters["seed"] = as_json("event.payload.seed")
    return AutomationCore(
        name=f"{EVENTS[action]} -> {FOLLOWS[action]}",
        description=f"Starts {FOLLOWS[action]} when the monitor has decided so. Made by `backsight deploy`.",
        enabled=True,
        trigger=EventTrigger(
            expect={EVENTS[action]},
            match=ResourceSpecification({"prefect.resource.id": f"backsight.champion.{REGISTERED}"}),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            RunDeployment(source="selected", deployment_id=deployment, parameters=parameters),
        ],
    )


def as_json(expression: str) -> dict[str, Any]:
    """A parameter that is read as JSON from what the expression gives of the event."""
    return {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": f"{{{{ {expression} }}}}"}}


def register_automations(client: SyncPrefectClient) -> None:
    """Make the automations, or bring those of their names up to date. The deployments are to be there already."""
    for action, name in FOLLOWS.items():
        wanted = automation(action, client.read_deployment_by_name(f"{name}/{name}").id)
        there = client.read_automations_by_name(wanted.name)
        if there:
            client.update_automation(there[0].id, wanted)
        else:
            client.create_automation(wanted)


def cause_of(run: FlowRun) -> str:
    """Who asked for a night: the schedule, the monitor's automation, or a person."""
    if run.auto_scheduled:
        return "schedule"
    return "monitor" if run.created_by is not None and run.created_by.type == "AUTOMATION" else "hand"


@dataclass(frozen=True)
class Booking:
    """One night in the books of the trigger."""

    store: ArtefactStore
    policy: TriggerPolicy
    name: str
    champion: str | None
    """Who was champion when the night began."""

    def close(self, lines: Sequence[Line], ranks: int) -> Logged:
        """Enter the night's end with what it has cost."""
        promoted = champion(self.store) != self.champion
        return decisions(self.store).tell(
            self.policy, NightEnded(time.time(), self.name, gpu_hours(lines, ranks), promoted)
        )


def book(store: ArtefactStore, policy: TriggerPolicy, run: FlowRun) -> tuple[Booking | None, str]:
    """Enter a night's beginning; no booking where it may not begin, with the reason."""
    asked = NightAsked(time.time(), str(run.id), cause_of(run))
    logged = decisions(store).tell(policy, asked)
    if logged.decision.action is not Action.RETRAIN:
        return None, f"{logged.decision.rule.value}: {logged.decision.reason}"
    return Booking(store, policy, asked.name, champion(store)), logged.decision.reason


def gpu_hours(lines: Sequence[Line], ranks: int) -> float:
    """What a night has cost: seconds of the stages that use the accelerators, times those that each uses."""
    return sum(line.seconds * users for line, users in _used(lines, ranks)) / HOUR


def _used(lines: Sequence[Line], ranks: int) -> Iterator[tuple[Line, int]]:
    for line in lines:
        if line.step in PHASES:
            yield line, ranks
        elif line.step.startswith(Stage.EVALUATE):
            yield line, 1


def close_quietly(booking: Booking, lines: Sequence[Line], ranks: int, warn: Any) -> None:
    """Enter a night's end where an error is on its way already: it must not be hidden by another."""
    try:
        booking.close(lines, ranks)
    except BacksightError as error:
        warn("The night's end could not be entered in the books: %s", error)
