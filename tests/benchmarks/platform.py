"""What the platform costs beside the work: planning and keys of 1,000 shards, a pod's overhead, flow runs a minute.

`backsight bench platform [--json] [--runs N]`. Prints; judges nothing. A pod's overhead is that of our side (requests
of the API, waiting between looks) on an emulated cluster whose pods are processes here; scheduling and image pulls come
on top in a real one. The flow runs are empty ones, on a local stack of its own with its Postgres.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from flows.launch import Job
from flows.launch.kubernetes import KubernetesLauncher
from flows.launch.manifests import Attempt, Place, record, workload
from flows.launch.resources import StageResources, for_spec, read_table
from tests.cluster.small_cluster import SmallCluster
from tests.flows.launch.benches import ClusterBench, act
from tests.local_stack import LocalStack

SHARDS = 1_000
JOBS = 10


def planning() -> dict[str, float]:
    """Seconds for a collection of 1,000 shards: its schedule, its key, the name of each shard, its objects."""
    from tasks.collect.schedule import shards_of
    from tasks.collect.shelf import StoreShelf
    from tasks.collect.spec import CollectPlan, CollectSpec, SplitPlan
    from tasks.spec import code_version, stage_key

    few = SplitPlan(scenes=0)
    plan = CollectPlan(
        train=SplitPlan(scenes=SHARDS * 6, episodes=6), val_seen=few, val_unseen=few, sealed=few, scenes_per_shard=6
    )
    spec = CollectSpec(plan=plan, seed=7)
    begun, busy = time.perf_counter(), time.process_time()
    shards = shards_of(plan, 7)
    key = stage_key(spec, code_version("collect"))
    # No store is asked for a name.
    shelf = StoreShelf(None, plan, 7)  # type: ignore[arg-type]
    names = {shelf.name(shard) for shard in shards}
    planned, worked = time.perf_counter() - begun, time.process_time() - busy
    begun = time.perf_counter()
    row = read_table().row("full", "collect").model_copy(update={"pods": SHARDS})
    job = Job(f"collect-{key[:16]}", spec, resources=for_spec(row, spec))
    attempt = Attempt(job, 1, Place(images={"collector": "c@sha256:1"}), ("python", "-m", "tasks.collect"))
    size = len(json.dumps([record(attempt, {}), workload(attempt, "uid", False)]))
    built = time.perf_counter() - begun
    assert len(names) == len(shards) == SHARDS
    figures = {"1,000 shards (36,000 walks) planned and keyed, s": planned, "of which CPU, s": worked}
    return {**figures, "their Job built, s": built, "its objects, kB": size / 1e3}


def launching() -> dict[str, float]:
    """Seconds that our side adds to a pod, and requests of the cluster's API that it takes."""
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as folder:
        cluster = SmallCluster(Path(folder)).start()
        try:
            launcher = ClusterBench(cluster).launcher(poll=0.05)
            taken = [launched(launcher, cluster, number) for number in range(JOBS)]
            many = pods_at_once(launcher, 20)
        finally:
            cluster.stop()
    return {
        "start of a Job, ms": 1e3 * statistics.median(start for start, _, _ in taken),
        "one pod from start to end known, s": statistics.median(whole for _, whole, _ in taken),
        "API requests a pod": statistics.median(requests for _, _, requests in taken),
        "20 pods from start to end known, s": many,
    }


def launched(launcher: KubernetesLauncher, cluster: SmallCluster, number: int) -> tuple[float, float, int]:
    """Seconds to start, seconds until the end was known, requests."""
    before, begun = len(cluster.api.emulator._requests), time.perf_counter()
    handle = launcher.start(act("answer()", f"act-{number}"))
    started = time.perf_counter() - begun
    list(launcher.follow(handle))
    return started, time.perf_counter() - begun, len(cluster.api.emulator._requests) - before


def pods_at_once(launcher: KubernetesLauncher, pods: int) -> float:
    """Seconds for an Indexed Job of so many pods that do nothing."""
    begun = time.perf_counter()
    resources = StageResources(pods=pods, cpu=0.1, memory_gib=0.125)
    list(launcher.follow(launcher.start(act("answer()", "many", resources=resources))))
    return time.perf_counter() - begun


def orchestrating(runs: int) -> dict[str, float]:
    """Flow runs a minute that Prefect on Postgres takes, one client after the other, without the work in them."""
    with tempfile.TemporaryDirectory(prefix="backsight-bench-") as folder:
        stack = LocalStack(Path(folder) / "home")
        try:
            stack.up()
            api = stack.settings()["PREFECT_API_URL"]
            with httpx.Client(base_url=api, timeout=60) as client:
                bare = states_a_minute(client, runs)
        finally:
            stack.down()
    return {"flow runs through their states, a minute": bare}


def states_a_minute(client: httpx.Client, runs: int) -> float:
    """Runs that are made and go through Pending, Running and Completed, as their engine tells the server."""

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    flow = post("/flows/", {"name": "bench"})
    begun = time.perf_counter()
    for _ in range(runs):
        made = post("/flow_runs/", {"flow_id": flow["id"], "state": {"type": "SCHEDULED"}})
        for state in ("PENDING", "RUNNING", "COMPLETED"):
            post(f"/flow_runs/{made['id']}/set_state", {"state": {"type": state}})
    return 60 * runs / (time.perf_counter() - begun)


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=200, help="flow runs that are measured (default: 200)")
    options = parser.parse_args(argv)
    found = {**planning(), **launching(), **orchestrating(options.runs)}
    lines = (f"{name:<48} {value:10.3f}" for name, value in found.items())
    print(json.dumps(found) if options.json else "\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
