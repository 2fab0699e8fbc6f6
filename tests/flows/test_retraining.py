"""What follows a decision of the monitor, on a real stack: its event, the automation, the night that this starts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flows.retraining import EVENTS, FOLLOWS, decisions, event_id, outstanding
from tasks.monitor.events import HOUR, Action, NightAsked, NightEnded, Rule, Window
from tasks.monitor.policy import TriggerPolicy
from tasks.settings import StoreSettings
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, Manifest, open_store
from tests.local_stack import FINAL, LocalStack, flow_run_id, wait_for

TELL = """
import json, sys
from flows.cli.prefect_client import use_prefect
use_prefect()
from flows.retraining import tell
from tasks.monitor.events import Action, Decision, Rule, State, Window
from tasks.monitor.log import Logged
from tasks.monitor.policy import TriggerPolicy
for digit, action, rule in (("0", Action.RETRAIN, Rule.CONFIRMED), ("1", Action.COLLECT, Rule.QUALITY)):
    decision = Decision(action, rule, "a test asks for it", Window(1795460404.5, "walks"), State())
    assert tell(Logged("decision/" + 64 * digit, 0, decision, TriggerPolicy(), {}, json.loads(sys.argv[1])))
"""
WORLD = {"collect.buildings": "halls"}
POLICY = TriggerPolicy(votes=1, windows=1, pool=1)


def costly(data: str, at: float) -> Window:
    """A look at data that has drifted and that the champion loses by."""
    return Window(at, data, episodes=200, drift=0.6, drift_p=0.002, loss=0.1, loss_se=0.01)


def dataset(store: ArtefactStore, name: str, **what: Any) -> ManifestId:
    """Walks that nobody can read, but everybody can name."""
    return store.publish(Manifest(kind="dataset", blobs={"index.parquet": store.put_blob(name.encode())}, **what))


def test_a_decision_waits_for_its_night_until_that_begins_or_time_is_up(store: ArtefactStore) -> None:
    assert outstanding(store, 1e9) is None
    decided = decisions(store).tell(POLICY, costly("walks", 1e9))
    decisions(store).tell(POLICY, NightAsked(1e9 + HOUR, "of the clock"))
    assert outstanding(store, 1e9 + 24 * HOUR) == decided
    assert outstanding(store, 1e9 + 25 * HOUR) is None
    decisions(store).tell(POLICY, NightAsked(1e9 + 2 * HOUR, "of the event", "monitor"))
    assert outstanding(store, 1e9 + 3 * HOUR) is None


def test_a_wish_for_walks_waits_until_there_are_newer_ones(store: ArtefactStore) -> None:
    raw = dataset(store, "raw")
    judged = dataset(store, "judged", inputs={"raw": raw})
    store.set_ref("latest", "collect", raw)
    wish = decisions(store).tell(POLICY, Window(1e9, judged, passed=False, fault="its pictures are black"))
    assert wish.decision.rule is Rule.QUALITY and outstanding(store, 1e9 + HOUR) == wish
    store.set_ref("latest", "collect", dataset(store, "newer"))
    assert outstanding(store, 1e9 + HOUR) is None


def deployment(stack: LocalStack, name: str) -> str:
    """The id of a deployment."""
    (found,) = stack.prefect("deployments/filter", {"deployments": {"name": {"any_": [name]}}})
    return str(found["id"])


def by_automation(stack: LocalStack, name: str, overrides: dict[str, Any]) -> dict[str, Any] | None:
    """The flow run of a deployment that an automation has made with these changed keys, once it has ended."""
    wanted = {"deployment_id": {"any_": [deployment(stack, name)]}, "created_by": {"type_": ["AUTOMATION"]}}
    made = stack.prefect("flow_runs/filter", {"flow_runs": wanted})
    return next((r for r in made if r["parameters"]["overrides"] == overrides and r["state_type"] in FINAL), None)


def test_decisions_start_a_night_or_a_collection_under_their_preset_and_changed_keys(
    stack: LocalStack, smoke: Path
) -> None:
    """One of the keys is in no preset, so that what is started ends where it begins."""
    for _ in range(2):
        assert stack.backsight("deploy").returncode == 0
    names = [automation["name"] for automation in stack.prefect("automations/filter", {})]
    assert sorted(names) == sorted(f"{EVENTS[action]} -> {FOLLOWS[action]}" for action in EVENTS)

    keys = {**WORLD, "collect.walls": "'brick' & {{ stone }}", "collect.steps": 23}
    told = subprocess.run(
        [sys.executable, "-c", TELL, json.dumps({"preset": str(smoke), "overrides": keys})],
        env=stack.environment(),
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    for action, own in ((Action.RETRAIN, {}), (Action.COLLECT, {"seed": 1795460404})):
        run = wait_for(lambda name=FOLLOWS[action]: by_automation(stack, name, keys), 300)
        given = {key: value for key, value in run["parameters"].items() if value is not None}
        assert given == {"preset": str(smoke), "overrides": keys, **own}
        assert run["state_type"] == "FAILED" and "walls" in run["state"]["message"]


def looked(stack: LocalStack, *words: str) -> str:
    """What a look of the monitor has logged."""
    done = stack.backsight("run", "monitor", *words, "--watch")
    assert done.returncode == 0, done.stdout + done.stderr
    return str(wait_for(lambda: whole_log(stack, flow_run_id(done.stdout)), 60))


def whole_log(stack: LocalStack, run: str) -> str | None:
    """All that a flow run has logged, once its last words have reached the server: they come after its final state."""
    logs = stack.prefect("logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200})
    told = "\n".join(str(log["message"]) for log in logs)
    return told if "Finished in state" in told else None


def test_the_next_look_sends_the_event_that_an_earlier_one_left_unsent(
    stack: LocalStack, smoke: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the monitor had died right after its decision. A third look finds that the event is there."""
    for name, value in {**stack.environment(), **stack.settings()}.items():
        monkeypatch.setenv(name, value)
    store = open_store(StoreSettings.load())
    log, head = decisions(store), decisions(store).head()
    if head and head.decision.after.flight:
        log.tell(POLICY, NightEnded(time.time(), head.decision.after.flight.name, 0.0, False))
    judged = dataset(
        store, f"judged at {time.time()}", meta={"quality": {"passed": True, "reasons": [], "rejected": 0}}
    )
    keys = {**WORLD, "collect.walls": "wood"}
    left = log.tell(POLICY, costly(judged, time.time()), facts={"preset": str(smoke), "overrides": keys})
    assert left.decision.rule is Rule.CONFIRMED, left.decision.reason

    assert stack.backsight("deploy").returncode == 0
    assert f"Decision {left.number} was left without its event" in looked(stack, "--set", f"dataset={judged}")
    wait_for(lambda: by_automation(stack, FOLLOWS[Action.RETRAIN], keys), 300)
    wait_for(lambda: stack.prefect("events/filter", {"filter": {"id": {"id": [str(event_id(left))]}}})["total"], 60)
    assert "was left without its event" not in looked(stack, "--set", f"dataset={judged}")
    log.tell(POLICY, NightEnded(time.time(), left.decision.after.flight.name, 0.0, False))  # type: ignore[union-attr]
