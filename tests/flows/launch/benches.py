"""The platforms on which the launcher contract is tested, each behind the same few words."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import psutil
import pytest

from flows.launch import Ending, Handle, Job, Launcher, Report
from flows.launch.cluster_api import CONFIG_MAPS, PODS, ClusterApi
from flows.launch.container import JOB as CONTAINER_JOB
from flows.launch.container import ContainerLauncher
from flows.launch.engine import connect
from flows.launch.kubeconfig import connection
from flows.launch.kubernetes import KubernetesLauncher
from flows.launch.manifests import STAGE_LABEL, Place
from flows.launch.process import MARK, ProcessLauncher
from flows.launch.resources import StageResources
from tasks.spec import StageSpec
from tests.cluster.small_cluster import SmallCluster

PROBES = Path(__file__).parent
ACT = (PROBES / "probes" / "act.py").read_text()

SMALL = StageResources(cpu=0.25, memory_gib=0.125, scratch_gib=0.25, shm_gib=0.0625, grace_seconds=1)
HOG = "held = [bytearray(2**24) for _ in range(64)]; import time; time.sleep(60)"
"""Takes a GiB, which no container of `SMALL` has."""


class ActSpec(StageSpec):
    task: ClassVar[str] = "act"
    stage: str = "act"
    script: str


KILL_OTHERS = (
    "import os; [os.kill(int(p), 9) for p in os.listdir('/proc') if p.isdigit() and int(p) not in (1, os.getpid())]"
)
OURS = {STAGE_LABEL: ActSpec.model_fields["stage"].default}


def act(script: str, name: str = "act-1", environment: Mapping[str, str] | None = None, **more: Any) -> Job:
    """A job whose task runs a script."""
    resources = more.pop("resources", SMALL)
    return Job(name, ActSpec(script=script), resources=resources, environment=environment or {}, **more)


def ran(launcher: Launcher, asked: Job) -> tuple[list[Report], Ending]:
    """All that is reported of a job from its start, and its ending."""
    handle = launcher.start(asked)
    reports = list(launcher.follow(handle))
    ending = launcher.ending(handle)
    assert ending is not None
    return reports, ending


class Bench(Protocol):
    """One platform."""

    hog: str
    """A script that runs out of memory."""

    def launcher(self) -> Launcher:
        """A new launcher, which knows no more than another process would."""

    def job(self, script: str, name: str = "act-1", **more: Any) -> Job:
        """A job whose task runs a script."""

    def kill(self, handle: Handle) -> None:
        """End the task by SIGKILL from outside."""

    def left(self) -> list[str]:
        """What runs on the platform."""


@dataclass
class ProcessBench:
    """Child processes of this machine."""

    folder: Path
    hog: str = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29)); bytearray(2**30)"

    def launcher(self) -> Launcher:
        return ProcessLauncher(self.folder / "jobs", package="probes", poll=0.02, grace=1.0)

    def job(self, script: str, name: str = "act-1", **more: Any) -> Job:
        return act(script, name, {"PYTHONPATH": str(PROBES)}, **more)

    def kill(self, handle: Handle) -> None:
        mark = str(self.folder / "jobs" / handle.name / str(handle.attempt))
        for process in marked(self.folder):
            if process.environ()[MARK] == mark and process.cmdline()[0] != "/bin/sh":
                process.kill()

    def left(self) -> list[str]:
        return [str(process) for process in marked(self.folder)]


@dataclass
class ClusterBench:
    """A cluster that `tests.cluster` emulates over kmock; its pods really run, as processes."""

    cluster: SmallCluster
    hog: str = HOG

    def launcher(self, **changed: Any) -> KubernetesLauncher:
        place = Place(self.cluster.namespace, images={"trainer": "backsight/trainer:test", "collector": "c:test"})
        command = (sys.executable, "-c", ACT)
        settings: dict[str, Any] = {"place": place, "poll": 0.05, "command": lambda spec: command, **changed}
        return KubernetesLauncher(self.cluster.client(), **settings)

    def job(self, script: str, name: str = "act-1", **more: Any) -> Job:
        return act(script, name, **more)

    def kill(self, handle: Handle) -> None:
        for name, process in self.cluster.node.running.items():
            if name.startswith(f"{handle.name}-{handle.attempt}-"):
                process.kill()

    def left(self) -> list[str]:
        pods = [p["metadata"]["name"] for p in self.cluster.api.all("pods")]
        alive = [
            p for p in pods if (self.cluster.api.one("pods", p) or {})["status"]["phase"] in ("Pending", "Running")
        ]
        return alive + list(self.cluster.node.running)


@dataclass
class ContainerBench:
    """A container engine: Docker, or Podman behind the same API."""

    address: str
    image: str
    hog: str = HOG

    def launcher(self, **changed: Any) -> ContainerLauncher:
        command = (str(Path(sys.executable).resolve()), "-c", ACT)
        settings: dict[str, Any] = {"images": {"trainer": self.image}, "address": self.address, **changed}
        return ContainerLauncher(**{"poll": 0.05, "command": lambda spec: command, **settings})

    def job(self, script: str, name: str = "act-1", **more: Any) -> Job:
        return act(script, name, **more)

    def kill(self, handle: Handle) -> None:
        self._client().containers.get(f"backsight-{handle.name}-{handle.attempt}").kill()

    def left(self) -> list[str]:
        return [container.name for container in self._client().containers.list(filters={"label": CONTAINER_JOB})]

    def sweep(self) -> None:
        """Remove what earlier tests have left behind in ended containers."""
        for container in self._client().containers.list(all=True, filters={"label": CONTAINER_JOB}):
            container.remove(v=True, force=True)

    def _client(self) -> Any:
        return connect(self.address)


@dataclass
class RealClusterBench:
    """The cluster that $KUBECONFIG names, with an image that has `python3`; touches no other stage's work there."""

    namespace: str
    image: str
    hog: str = HOG

    def prepare(self) -> None:
        """Make the namespace where it is not there, and wait until pods can be made in it; tests tell of failures."""
        wanted = {"name": self.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": wanted})
        subprocess.run(["kubectl", "create", "--filename", "-"], input=namespace, text=True)
        account = ("serviceaccount/default", "--for=create", "--timeout=60s")
        subprocess.run(["kubectl", "--namespace", self.namespace, "wait", *account])

    def launcher(self, **changed: Any) -> KubernetesLauncher:
        place = Place(self.namespace, None, {"trainer": self.image}, secrets=(), queues=False)
        # Not as the pod's first process, to which nobody inside can send SIGKILL.
        command = ("sh", "-c", 'python3 -c "$0" "$@"; exit $?', ACT)
        settings: dict[str, Any] = {"place": place, "poll": 0.5, "command": lambda spec: command, **changed}
        return KubernetesLauncher(self._client(), **settings)

    def job(self, script: str, name: str = "act-1", **more: Any) -> Job:
        return act(script, name, **more)

    def kill(self, handle: Handle) -> None:
        pod = self._client().list(PODS, OURS)[0]["metadata"]["name"]
        command = ["kubectl", "--namespace", self.namespace, "exec", pod, "--", "python3", "-c", KILL_OTHERS]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, 137):  # the pod's end may take whoever brings it about with it
            self.launcher().cancel(handle)
            pytest.skip(f"did not run: nobody may send a process of this cluster a signal: {done.stderr.strip()}")

    def left(self) -> list[str]:
        pods = self._client().list(PODS, OURS)
        return [p["metadata"]["name"] for p in pods if p["status"]["phase"] in ("Pending", "Running")]

    def sweep(self) -> None:
        """Delete all attempts, and wait until their pods are gone."""
        client = self._client()
        for record in client.list(CONFIG_MAPS, OURS):
            client.delete(CONFIG_MAPS, record["metadata"]["name"])
        while client.list(PODS, OURS):
            time.sleep(0.5)

    def _client(self) -> ClusterApi:
        return ClusterApi(connection(), self.namespace)


def marked(folder: Path) -> list[psutil.Process]:
    """The processes of all attempts below a folder."""
    everyone = psutil.process_iter(["environ", "status"])
    ours = [p for p in everyone if str(folder) in (p.info["environ"] or {}).get(MARK, "")]
    return [p for p in ours if p.info["status"] != psutil.STATUS_ZOMBIE]
