"""The reconciler between a real Prefect server and an emulated cluster."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.launch.kubernetes import KubernetesLauncher
from flows.launch.manifests import Place
from flows.reconcile.decide import Act, Step
from flows.reconcile.loop import Reconciler
from flows.reconcile.sides import RUN_LABEL, Cluster, Prefect
from tests.cluster.api_server import granted
from tests.cluster.small_cluster import ACCOUNTS, SmallCluster
from tests.flows.launch.benches import ClusterBench, act
from tests.local_stack import LocalStack

numbers = itertools.count()
SLEEPS = "import time; print('ready', flush=True); time.sleep(60)"


@dataclass
class Bench:
    """Both sides, and a clock that a test may move."""

    api: str
    pool: str
    cluster: SmallCluster
    ahead: float = 0.0
    said: list[str] = field(default_factory=list)

    def reconciler(self) -> Reconciler:
        client = self.cluster.client()
        launcher = KubernetesLauncher(client, Place(self.cluster.namespace), poll=0.05)
        sides = Prefect(self.api, self.pool), Cluster(client, client), launcher
        return Reconciler(*sides, say=self.said.append, clock=lambda: time.time() + self.ahead)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = httpx.post(f"{self.api}{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def run(self, state: str) -> str:
        """A flow run of the pool in a state; its id."""
        flow = self.post("/flows/", {"name": f"flow-{self.pool}"})
        asked = {"name": "d", "flow_id": flow["id"], "work_pool_name": self.pool}
        deployment = self.post("/deployments/", asked)
        made = self.post(f"/deployments/{deployment['id']}/create_flow_run", {})
        before = ["RUNNING"] if state == "CANCELLING" else []
        for step in (*before, state):
            self.post(f"/flow_runs/{made['id']}/set_state", {"state": {"type": step}, "force": True})
        return str(made["id"])

    def state(self, run: str) -> str:
        return str(httpx.get(f"{self.api}/flow_runs/{run}").json()["state"]["type"])

    def flow_job(self, run: str, ended: bool = False) -> str:
        """The Job of a flow run; the emulated controllers leave a suspended one alone."""
        name = f"flow-{run[:8]}"
        conditions = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}] if ended else []
        body = {
            "metadata": {"labels": {RUN_LABEL: run}},
            "spec": {"suspend": True},
            "status": {"conditions": conditions},
        }
        self.cluster.api.put("jobs", name, body)
        return name


@pytest.fixture
def bench(stack: LocalStack, tmp_path: Path) -> Iterator[Bench]:
    pool = f"reconciled-{next(numbers)}"
    # One namespace stands for both here, so the account has its rights in either.
    rights = granted(ACCOUNTS, "backsight-flow", "backsight", "backsight-tasks")
    cluster = SmallCluster(tmp_path / "node", rights=rights).start()
    bench = Bench(stack.settings()["PREFECT_API_URL"], pool, cluster)
    bench.post("/work_pools/", {"name": pool, "type": "kubernetes", "base_job_template": {}})
    yield bench
    cluster.stop()


def test_zombies_end_and_the_living_are_left_alone(bench: Bench) -> None:
    zombie, crashed, alive, stuck = (bench.run(s) for s in ("RUNNING", "RUNNING", "RUNNING", "CANCELLING"))
    bench.flow_job(crashed, ended=True)
    bench.flow_job(alive)
    found = bench.reconciler()
    bench.ahead = 20
    assert found.turn() == []
    assert {(s.act, s.target) for s in found.turn()} == {
        (Act.CRASH, zombie),
        (Act.CRASH, crashed),
        (Act.SETTLE, stuck),
    }
    assert [bench.state(r) for r in (zombie, crashed, alive, stuck)] == ["CRASHED", "CRASHED", "RUNNING", "CANCELLED"]
    assert found.turn() == []


def test_a_run_whose_worker_died_is_taken_up_again(bench: Bench) -> None:
    run = bench.run("PENDING")
    found = bench.reconciler()
    bench.ahead = 50
    found.turn()
    assert [step.act for step in found.turn()] == [Act.RESCHEDULE]
    assert bench.state(run) == "SCHEDULED"


def test_orphans_go_a_cancelled_runs_pod_and_its_stage(bench: Bench) -> None:
    run = bench.run("CANCELLED")
    job = bench.flow_job(run)
    launcher = ClusterBench(bench.cluster).launcher()
    handle = launcher.start(act(SLEEPS, owner=run))
    found = bench.reconciler()
    bench.ahead = 20
    found.turn()
    assert found.turn() == [
        Step(Act.END_RUN, job, "its flow run is cancelled"),
        Step(Act.END_STAGE, "act-1-1", "the flow run that waited for it is cancelled"),
    ]
    for thread in found.ending.values():
        thread.join(20)
    assert bench.cluster.api.one("jobs", job) is None
    assert bench.cluster.api.all("pods") == [] and not bench.cluster.node.running
    ending = launcher.ending(handle)
    assert ending is not None and ending.state == "cancelled"
    assert found.turn() == []


def test_a_stage_waits_for_the_rerun_of_a_crashed_flow_run(bench: Bench) -> None:
    first, second = bench.run("CRASHED"), bench.run("RUNNING")
    bench.flow_job(second)
    launcher = ClusterBench(bench.cluster).launcher()
    handle = launcher.start(act(SLEEPS, owner=first))
    found = bench.reconciler()
    bench.ahead = 60
    assert found.turn() + found.turn() == []
    assert launcher.start(act(SLEEPS, owner=second)) == handle
    bench.ahead = 3600
    assert found.turn() + found.turn() == []
    launcher.cancel(handle)


@pytest.mark.parametrize("silent", ["cluster", "prefect"])
def test_a_silent_side_is_unknown_not_dead(bench: Bench, silent: str) -> None:
    run = bench.run("RUNNING")
    found = bench.reconciler()
    bench.ahead = 20
    found.turn()
    bench.cluster.api.emulator.silent = silent == "cluster"
    found.prefect.url = "http://127.0.0.1:9/api" if silent == "prefect" else found.prefect.url
    vars(found.prefect).pop("client", None)
    assert found.turn() == [] and "nothing is decided" in bench.said[-1]
    bench.cluster.api.emulator.silent, found.prefect.url = False, bench.api
    vars(found.prefect).pop("client", None)
    assert found.turn() == []
    assert bench.state(run) == "RUNNING"
    assert [step.target for step in found.turn()] == [run]


def test_the_loop_runs_until_it_is_told_to_stop(bench: Bench, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(
        "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n"
        f"clusters: [{{name: k, cluster: {{server: '{bench.cluster.api.url}'}}}}]\n"
    )
    environment = {
        **os.environ,
        "KUBECONFIG": str(config),
        "PREFECT_API_URL": bench.api,
        "BACKSIGHT_RECONCILE_POOL": bench.pool,
        "BACKSIGHT_RECONCILE_NAMESPACE": bench.cluster.namespace,
    }
    command = [sys.executable, "-m", "flows.reconcile"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None and f"reconciling pool {bench.pool}" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
