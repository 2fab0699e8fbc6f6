"""A whole cluster for tests in one process: API, controllers and one node that runs pods as processes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from flows.launch.cluster_api import ClusterApi
from flows.launch.kubeconfig import Connection
from tasks.spec import HOUSE
from tests.cluster.api_server import ApiServer, Denial, Rights, Thread, granted
from tests.cluster.controllers import Controllers
from tests.cluster.kubelet import Kubelet

ACCOUNTS = HOUSE / "infra" / "kubernetes" / "base" / "accounts.yaml"
FLOW_RUN = granted(ACCOUNTS, "backsight-flow", "backsight-tasks")
"""What a flow run may ask in the stages' namespace."""
ROUND = 0.03
"""Seconds between two rounds of the controllers."""


@dataclass
class SmallCluster:
    """Started by `start`; everything that runs in it is dead after `stop`."""

    folder: Path
    namespace: str = "backsight-tasks"
    served: tuple[str, ...] = ()
    """Further kinds that the API serves: `jobsets`, `workloads`."""
    further: dict[str, str] = field(default_factory=dict)
    """Variables that every container has, as from its image."""
    rights: Rights = FLOW_RUN
    """What its API lets anybody ask: by default what a flow run may."""
    thread: Thread = field(init=False)
    api: ApiServer = field(init=False)
    node: Kubelet = field(init=False)
    controllers: Controllers = field(init=False)

    def start(self) -> SmallCluster:
        """Returns when the API answers."""
        self.thread = Thread(self.namespace, self.served, self._work)
        self.api = self.thread.start()
        self.api.emulator.rights = self.rights
        self.api.put("secrets", "backsight-s3", {"stringData": {"BACKSIGHT_S3_SECRET_KEY": "not to be shown"}})
        return self

    def stop(self) -> None:
        """Returns when nothing of it runs."""
        self.thread.stop()

    def client(self) -> ClusterApi:
        """A client as a launcher has it, without long waits."""
        where = Connection(self.api.url, False, lambda: "token", "the test's cluster")
        return ClusterApi(where, self.namespace, patience=0.01)

    def deny(self, method: str, plural: str, status: int, reason: str, message: str) -> None:
        """From now on the API refuses such requests."""
        self.api.emulator.denials.append(Denial(method, plural, status, reason, message))

    def disrupt(self, pod: str, reason: str, message: str) -> None:
        """Take a pod's place away, as an eviction does."""
        self.api.condition("pods", pod, "DisruptionTarget", reason, message)
        process = self.node.running.get(pod)
        if process is not None:
            process.kill()

    async def _work(self, api: ApiServer) -> None:
        self.controllers = Controllers(api)
        self.node = Kubelet(api, self.folder, further=self.further)
        try:
            while True:
                self.controllers.look()
                await self.node.look()
                await asyncio.sleep(ROUND)
        finally:
            await self.node.close()
