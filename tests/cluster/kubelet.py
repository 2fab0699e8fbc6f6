"""A node for tests: runs the containers of pods as processes of this machine, with their limits and their logs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.cluster.api_server import ApiServer, now, stamp

FINALIZER = "tests/kubelet"
UNITS = {"Mi": 2**20, "Gi": 2**30}


@dataclass
class Kubelet:
    """The one node."""

    api: ApiServer
    folder: Path
    gpus: int = 0
    missing_images: frozenset[str] = frozenset({"registry.example/missing:1"})
    further: dict[str, str] = field(default_factory=dict)
    """Variables that every container has, as from its image."""
    lost: bool = False
    """A lost node runs on, but nobody hears from it, nor it from anybody."""
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    readers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    killed_for_memory: set[str] = field(default_factory=set)

    async def look(self) -> None:
        """One round over all pods."""
        if self.lost:
            return
        for pod in self.api.all("pods"):
            name = pod["metadata"]["name"]
            if pod["metadata"].get("deletionTimestamp"):
                await self._end(name, float(pod["spec"].get("terminationGracePeriodSeconds", 30)))
                self.api.remove("pods", name)
            elif pod["status"]["phase"] == "Pending":
                await self._admit(pod)
            elif name in self.running:
                await self._watch(pod)
        for name in self.running.keys() - {p["metadata"]["name"] for p in self.api.all("pods")}:
            await self._end(name, 0.0)

    async def close(self) -> None:
        """Kill everything."""
        for name in list(self.running):
            await self._end(name, 0.0)

    async def _admit(self, pod: dict[str, Any]) -> None:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
        if gpus_of(pod) > self.gpus - sum(gpus_of(self.api.one("pods", other)) for other in self.running):
            message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
            self.api.condition("pods", name, "PodScheduled", "Unschedulable", message, true=False)
        elif container["image"] in self.missing_images:
            message = f'Back-off pulling image "{container["image"]}": not found'
            self._wait(name, "ImagePullBackOff", message)
        elif secret := self._missing_secret(container):
            self._wait(name, "CreateContainerConfigError", f'secret "{secret}" not found')
        else:
            await self._start(name, pod, container)

    def _missing_secret(self, container: dict[str, Any]) -> str | None:
        wanted = [e["secretRef"] for e in container.get("envFrom", []) if not e["secretRef"].get("optional")]
        return next((ref["name"] for ref in wanted if self.api.one("secrets", ref["name"]) is None), None)

    def _wait(self, name: str, reason: str, message: str) -> None:
        waiting = {"name": "task", "state": {"waiting": {"reason": reason, "message": message}}}
        self.api.change("pods", name, {"spec": {"nodeName": "node-1"}, "status": {"containerStatuses": [waiting]}})

    async def _start(self, name: str, pod: dict[str, Any], container: dict[str, Any]) -> None:
        place = self.folder / name
        mounted = {}
        for volume in pod["spec"]["volumes"]:
            mounted[volume["name"]] = place / volume["name"]
            mounted[volume["name"]].mkdir(parents=True, exist_ok=True)
            if "configMap" in volume:
                held = self.api.one("configmaps", volume["configMap"]["name"])
                if held is None:
                    return  # as kubelet does: the mount is tried again
                for file, text in held["data"].items():
                    (mounted[volume["name"]] / file).write_text(text)
        paths = {m["mountPath"]: str(mounted[m["name"]]) for m in container["volumeMounts"]}
        # The program is the image's own, even where it lies in a folder of a volume's name here, as /tmp.
        command = [container["command"][0], *(_mapped(word, paths) for word in container["command"][1:])]
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=mounted["home"],
            env={"PATH": os.environ["PATH"], **self.further, **self._environment(pod, container)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self.running[name] = process
        self.api.emulator.logs[name] = []
        self.readers[name] = asyncio.create_task(self._read(name, process))
        state = {"name": "task", "state": {"running": {"startedAt": now()}}}
        self.api.change(
            "pods", name, {"spec": {"nodeName": "node-1"}, "status": {"phase": "Running", "containerStatuses": [state]}}
        )

    def _environment(self, pod: dict[str, Any], container: dict[str, Any]) -> dict[str, str]:
        plain = {e["name"]: e["value"] for e in container["env"] if "value" in e}
        index = pod["metadata"]["labels"].get("batch.kubernetes.io/job-completion-index")
        if index is not None:
            plain["JOB_COMPLETION_INDEX"] = index
        for source in container.get("envFrom", []):
            held = self.api.one("secrets", source["secretRef"]["name"])
            plain |= (held or {}).get("stringData", {})
        return plain

    async def _read(self, name: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.api.emulator.logs[name].append((stamp(), line.decode().rstrip("\n")))

    async def _watch(self, pod: dict[str, Any]) -> None:
        name, process = pod["metadata"]["name"], self.running[pod["metadata"]["name"]]
        if process.returncode is None:
            self._hold_to_memory(name, process, pod["spec"]["containers"][0]["resources"]["limits"]["memory"])
            return
        await self.readers.pop(name)
        del self.running[name]
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        reason = "Completed" if code == 0 else "OOMKilled" if name in self.killed_for_memory else "Error"
        left = {"exitCode": code, "reason": reason, "finishedAt": now()}
        status = {"containerStatuses": [{"name": "task", "state": {"terminated": left}}]}
        self.api.change("pods", name, {"status": {"phase": "Failed" if code else "Succeeded", **status}})

    def _hold_to_memory(self, name: str, process: asyncio.subprocess.Process, limit: str) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(process.pid).memory_info().rss > int(limit[:-2]) * UNITS[limit[-2:]]:
                self.killed_for_memory.add(name)
                os.killpg(process.pid, signal.SIGKILL)

    async def _end(self, name: str, grace: float) -> None:
        process = self.running.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM if grace else signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), min(grace, 1.0) or 5.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        self.readers.pop(name).cancel()
        shutil.rmtree(self.folder / name, ignore_errors=True)


def _mapped(word: str, paths: dict[str, str]) -> str:
    """A word of the command with the container's paths as this machine's."""
    return next(
        (word.replace(inside, outside, 1) for inside, outside in paths.items() if word.startswith(inside)), word
    )


def gpus_of(pod: dict[str, Any] | None) -> int:
    """How many GPUs a pod holds."""
    limits = pod["spec"]["containers"][0]["resources"]["limits"] if pod else {}
    return int(limits.get("nvidia.com/gpu", 0))
