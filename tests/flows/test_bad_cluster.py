"""What a cluster can refuse: one sentence each in the flow's own log, as Prefect's server keeps it, within a minute."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.spec import HOUSE
from tests.cluster.small_cluster import SmallCluster
from tests.local_stack import LocalStack

SENTENCES = {
    "no permission": "The cluster does not permit POST backsight-tasks/jobs: jobs.batch is forbidden",
    "no GPU node": "No node has room for collect, which asks for 1 cores, 2 GiB, 1 GPUs for each of 1 pods: 0/1 nodes",
    "wrong image": "The image registry.example/missing:1 of collect cannot be had",
    "quota exceeded": "The namespace's quota has no room for collect: exceeded quota: night",
    "JobSet not installed": "geometry needs 2 nodes, and JobSet is not installed: install it",
    "kubeconfig that points nowhere": "The cluster at http://127.0.0.1:9 does not answer",
    "S3 unreachable from pods": "The artefact store at 127.0.0.1:9 does not answer",
}
WARNING = 30


@dataclass(frozen=True)
class Told:
    """What a flow run's log has from warnings upwards, and how long the flow run took."""

    lines: list[str]
    seconds: float


def kubeconfig(folder: Path, name: str, server: str) -> dict[str, str]:
    path = folder / f"{name.replace(' ', '-')}.kubeconfig"
    context = {"name": "c", "context": {"cluster": "k"}}
    cluster = {"name": "k", "cluster": {"server": server}}
    path.write_text(json.dumps({"current-context": "c", "contexts": [context], "clusters": [cluster]}))
    return {"KUBECONFIG": str(path)}


def table(folder: Path, gpus: int) -> dict[str, str]:
    row = {"cpu": 1, "memory_gib": 2, "gpus": gpus, "grace_seconds": 1}
    path = folder / f"resources-{gpus}.yaml"
    path.write_text(json.dumps({"default": {"collect": {"image": "collector", **row}, "geometry": row}}))
    return {"BACKSIGHT_LAUNCH_RESOURCES": str(path)}


@contextmanager
def clusters(folder: Path, store: dict[str, str]) -> Iterator[dict[str, SmallCluster]]:
    """A sound one, and those that are not."""
    with ExitStack() as held:
        found = {}
        for name in ("sound", "no permission", "quota exceeded", "S3 unreachable from pods"):
            image = {"PYTHONPATH": str(HOUSE), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
            found[name] = SmallCluster(folder / name, further=image).start()
            held.callback(found[name].stop)
            found[name].api.put("secrets", "backsight-s3", {"stringData": store})
        forbidden = 'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot create resource "jobs"'
        found["no permission"].deny("POST", "jobs", 403, "Forbidden", forbidden)
        found["quota exceeded"].controllers.quota = "exceeded quota: night, requested: cpu=1, limited: cpu=0"
        nowhere = {**store, "BACKSIGHT_S3_ENDPOINT": "127.0.0.1:9"}
        found["S3 unreachable from pods"].api.put("secrets", "backsight-s3", {"stringData": nowhere})
        yield found


def cases(folder: Path, found: dict[str, SmallCluster], smoke: Path) -> list[tuple[str, dict[str, str], str, Any]]:
    image = "BACKSIGHT_LAUNCH_IMAGE_COLLECTOR"
    plain = {**table(folder, 0), image: "c:test", "BACKSIGHT_LAUNCH_JOBSET": "auto"}
    changed: dict[str, dict[str, str]] = {
        "no GPU node": table(folder, 1),
        "wrong image": {image: "registry.example/missing:1"},
        "JobSet not installed": {**table(folder, 1), "BACKSIGHT_LAUNCH_JOBSET": "always"},
        "kubeconfig that points nowhere": kubeconfig(folder, "nowhere", "http://127.0.0.1:9"),
    }
    made = []
    for name in SENTENCES:
        where = kubeconfig(folder, name, found.get(name, found["sound"]).api.url)
        work: tuple[str, dict[str, Any]] = ("collect", {"preset": str(smoke), "seed": 11})
        if name == "JobSet not installed":
            work = ("geometry", {"preset": str(smoke), "dataset": f"dataset/{'0' * 64}"})
        made.append((name, {**plain, **where, **changed.get(name, {})}, *work))
    return made


@pytest.fixture(scope="module")
def told(stack: LocalStack, smoke: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """Case -> what the flow's log says."""
    folder, platform = tmp_path_factory.mktemp("bad"), stack.settings()
    store = {name: value for name, value in platform.items() if "_S3_" in name}
    environment = {
        **stack.environment(),
        **platform,
        "BACKSIGHT_PROFILE": "cluster",
        "BACKSIGHT_LAUNCH_IMAGE_TRAINER": "t:test",
        "BACKSIGHT_LAUNCH_PATIENCE": "1",
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
        "PYTHONPATH": str(HOUSE),
    }
    with clusters(folder, store) as found:
        (folder / "cases.json").write_text(json.dumps(cases(folder, found, smoke)))
        command = [sys.executable, str(Path(__file__).with_name("bad_cluster.py")), str(folder / "cases.json")]
        done = subprocess.run(command, env=environment, cwd=HOUSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout.splitlines()[-1])
    return {name: Told(log(platform["PREFECT_API_URL"], run["run"]), run["seconds"]) for name, run in runs.items()}


def log(api: str, run: str) -> list[str]:
    """Warnings and errors in a flow run's log; it reaches the server a moment after they were said."""
    wanted = {"logs": {"flow_run_id": {"any_": [run]}, "level": {"ge_": WARNING}}}
    for _ in range(50):
        if lines := [entry["message"] for entry in httpx.post(f"{api}/logs/filter", json=wanted).json()]:
            return lines
        time.sleep(0.1)
    return []


@pytest.mark.parametrize("name", SENTENCES)
def test_each_is_one_sentence_in_the_flows_own_log_within_a_minute(told: dict[str, Told], name: str) -> None:
    lines = [line for line in told[name].lines if SENTENCES[name] in line]
    assert lines, told[name].lines
    assert all("\n" not in line and "Traceback" not in line for line in told[name].lines)
    assert told[name].seconds < 60
