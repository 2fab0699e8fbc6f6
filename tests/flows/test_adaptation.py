"""From a changed world to a new verdict by itself, on a real stack: walks, decision, event, automation, night."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.plan import PRODUCT, Night
from flows.references import champion
from model.training.ranks import World
from tasks.collect.collect import collect
from tasks.evaluate.evaluate import evaluate
from tasks.evaluation import read_evaluation
from tasks.preset import load_preset
from tasks.promote.gate import Ruling
from tasks.promote.promote import promote
from tasks.promote.settle import read_verdict
from tasks.settings import StoreSettings
from tasks.spec import REGISTERED, ManifestId, StageSpec
from tasks.stage import StageOutcome, execute
from tasks.store import ArtefactStore, open_store
from tasks.train.train import Meeting
from tasks.train.train import work_of as train_work
from tasks.validate.validate import validate
from tests.local_stack import FINAL, LocalStack, wait_for
from tests.promotions import aliased

SEED = 7
LEARNT = Path(__file__).parent.parent / "presets" / "learnt.yaml"
"""The preset of the smallest night whose network learns enough to have something to lose."""

SITE = {"buildings": "halls", "hfov": [35.0, 45.0], "turns": [45.0, 60.0], "forward_step": 0.5}
"""Where walks are collected later: larger, darker buildings of concrete, by a robot of longer strides and lens."""

SITE_SEED = 20_261_123
"""Of the walks there that the monitor looks at; the night that follows collects its own, of its day."""

PATIENCE = 5400
"""Seconds that a night may take on a machine that has other work."""


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack that nothing else has left its nights in."""
    stack = LocalStack(tmp_path_factory.mktemp("adaptation") / "home")
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


@pytest.fixture
def store(own: LocalStack, monkeypatch: pytest.MonkeyPatch) -> ArtefactStore:
    """Its store, and its servers configured for this process too."""
    for name, value in {**own.environment(), **own.settings()}.items():
        monkeypatch.setenv(name, value)
    return open_store(StoreSettings.load())


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The preset with the changed world in the place of the usual one."""
    values = yaml.safe_load(LEARNT.read_text())
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump({**values, "collect": {**values["collect"], **SITE}}))
    return path


def crowned(store: ArtefactStore) -> ManifestId:
    """A night in ordinary homes, carried out in this process: its network wins against the mean map and is champion."""
    night = Night(load_preset(LEARNT), SEED)
    while step := night.next_step():
        spec = night.spec(step)
        night = night.after(step, execute(spec, work_of(spec)).outputs[PRODUCT[step.stage]])
    verdict = read_verdict(store, night.products["promote"])
    assert verdict.decision.ruling is Ruling.PROMOTE, verdict.decision.reason
    assert champion(store) == night.products["joint"]
    return night.products["joint"]


def work_of(spec: StageSpec) -> Callable[..., StageOutcome]:
    """What a stage's task does."""
    works: dict[str, Callable[..., StageOutcome]] = {
        "collect": collect,
        "validate": validate,
        "evaluate": evaluate,
        "promote": promote,
    }
    return works[spec.task] if spec.task in works else train_work(Meeting(World()))


def looked(stack: LocalStack, preset: Path, seed: int) -> str:
    """What the monitor explains of its look at fresh walks of a preset."""
    collected = stack.backsight("run", "collect", "--preset", str(preset), "--seed", str(seed), "--watch")
    assert collected.returncode == 0, collected.stdout + collected.stderr
    watched = stack.backsight("run", "monitor", "--preset", str(preset), "--watch")
    assert watched.returncode == 0, watched.stdout + watched.stderr
    told = stack.backsight("monitor", "explain").stdout
    print(told)
    return told


def started(stack: LocalStack) -> list[Mapping[str, Any]]:
    """All flow runs that an automation has made."""
    wanted = {"flow_runs": {"created_by": {"type_": ["AUTOMATION"]}}}
    return list(stack.prefect("flow_runs/filter", wanted))


def ended(stack: LocalStack, run: str) -> Mapping[str, Any] | None:
    """A flow run, once it has ended."""
    found = stack.prefect("flow_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    return next((run for run in found if run["state_type"] in FINAL), None)


@pytest.mark.skipif(
    "BACKSIGHT_SLOW_TESTS" not in os.environ,
    reason="five minutes of a core for two nights and two looks: BACKSIGHT_SLOW_TESTS=1 runs it",
)
def test_walks_in_another_world_lead_to_a_night_in_it_and_to_its_verdict(
    own: LocalStack, store: ArtefactStore, site: Path
) -> None:
    reigning = crowned(store)
    assert own.backsight("deploy").returncode == 0
    quiet = looked(own, LEARNT, SEED + 1)
    assert quiet.startswith("nothing is started"), "another night in the usual world is no reason to train"
    assert "drifted windows of the last 1: 0" in quiet

    told = looked(own, site, SITE_SEED)
    assert told.startswith("retraining starts") and "is lost" in told and "NOT " not in told
    (night,) = wait_for(lambda: started(own), 300)
    end = wait_for(lambda: ended(own, night["id"]), PATIENCE)
    assert end["state_type"] == "COMPLETED", end["state"]["message"]
    assert night["parameters"]["preset"] == str(site) and end["state"]["message"].find("not begun") < 0

    children = {"flow_runs": {"parent_flow_run_id": {"any_": [night["id"]]}}}
    stages = {run["name"].split()[0]: run for run in own.prefect("flow_runs/filter", children)}
    assert {"joint", "evaluate", "promote"} <= set(stages)
    assert {run["state_type"] for run in stages.values()} == {"COMPLETED"}

    challenger = read_evaluation(store, stages["promote"]["parameters"]["evaluation"]).checkpoint
    id = store.ref("verdict", challenger.partition("/")[2])
    assert id is not None
    verdict = read_verdict(store, id)
    print(verdict.decision.ruling, verdict.decision.reason)
    assert (verdict.checkpoint, verdict.champion) == (challenger, reigning)
    better = verdict.decision.ruling is Ruling.PROMOTE
    registered = aliased(own.settings()["MLFLOW_TRACKING_URI"], REGISTERED)
    assert registered["champion"] == champion(store) == (challenger if better else reigning)

    books = own.backsight("monitor", "explain", "--last", "4").stdout
    print(books)
    rules = [line.split()[5] for line in books.splitlines()]
    assert rules == ["ENDED", "STARTED", "CONFIRMED", "QUIET"]
    assert re.search(rf"STARTED .* begins as {night['id']}", books)
    assert re.search(rf"ENDED .*: {'a' if better else 'no'} new champion", books)
    assert len(started(own)) == 1, "one look fires once"
