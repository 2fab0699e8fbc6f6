"""The two sides that are held against each other, as they are read and changed: Prefect's server and the cluster."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flows.launch import cluster_api as api
from flows.launch.cluster_api import ClusterApi
from flows.launch.cluster_record import Record
from flows.launch.manifests import JOB_LABEL
from flows.launch.pods import read_job, read_pod
from flows.reconcile.decide import UNFINISHED, Act, FlowJob, Run, StageJob
from tasks.errors import BacksightError

if TYPE_CHECKING:
    import httpx

RUN_LABEL = "prefect.io/flow-run-id"
PAGE = 200
ANSWER_SECONDS = 20.0

BECOMES = {Act.CRASH: "CRASHED", Act.RESCHEDULE: "SCHEDULED", Act.SETTLE: "CANCELLED"}


@dataclass
class Prefect:
    """Prefect's server, through the few requests that are needed."""

    url: str
    pool: str
    auth: str | None = None
    """`user:password` of its basic authentication."""

    @cached_property
    def client(self) -> httpx.Client:
        """The connections."""
        import httpx

        headers = {"Authorization": f"Basic {base64.b64encode(self.auth.encode()).decode()}"} if self.auth else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=ANSWER_SECONDS)

    def unfinished(self) -> list[Run]:
        """The runs of the pool that are on their way."""
        wanted = {
            "flow_runs": {"state": {"type": {"any_": list(UNFINISHED)}}},
            "work_pools": {"name": {"any_": [self.pool]}},
        }
        return self._runs(wanted)

    def named(self, ids: Collection[str]) -> list[Run]:
        """The runs of these ids that there are."""
        known = sorted(ids)
        groups = [known[i : i + PAGE] for i in range(0, len(known), PAGE)]
        return [run for group in groups for run in self._runs({"flow_runs": {"id": {"any_": group}}})]

    def set_state(self, run: str, act: Act, reason: str) -> None:
        """Put a run into the state that an act asks for."""
        kind = BECOMES[act]
        details = {"scheduled_time": datetime.now(UTC).isoformat()} if kind == "SCHEDULED" else {}
        state = {"type": kind, "message": f"Reconciled with the cluster: {reason}.", "state_details": details}
        self._post(f"/flow_runs/{run}/set_state", {"state": state, "force": True})

    def _runs(self, wanted: dict[str, Any]) -> list[Run]:
        found: list[Run] = []
        while True:
            page = self._post("/flow_runs/filter", {**wanted, "limit": PAGE, "offset": len(found), "sort": "ID_DESC"})
            found += [_run(told) for told in page if told.get("state")]
            if len(page) < PAGE:
                return found

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        import httpx

        try:
            answer = self.client.post(path, json=body)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise BacksightError(f"Prefect at {self.url} does not answer: {said}") from error
        return answer.json()


def _run(told: dict[str, Any]) -> Run:
    state = told["state"]
    return Run(told["id"], state["type"], datetime.fromisoformat(state["timestamp"]).timestamp())


@dataclass
class Cluster:
    """The cluster's two namespaces: that of the flow runs and that of the stages."""

    services: ClusterApi
    tasks: ClusterApi

    def flow_jobs(self) -> list[FlowJob]:
        """The Jobs of flow runs. One whose pods have all ended, but which has not, may still make another."""
        pods: dict[str, list[bool]] = {}
        for pod in self.services.list(api.PODS, {RUN_LABEL: ""}):
            pods.setdefault(pod["metadata"]["labels"][RUN_LABEL], []).append(read_pod(pod).phase not in _ENDED)
        found = []
        for job in self.services.list(api.JOBS, {RUN_LABEL: ""}):
            run = job["metadata"]["labels"][RUN_LABEL]
            alive = not read_job(job).over or any(pods.get(run, []))
            found.append(FlowJob(job["metadata"]["name"], run, alive))
        return found

    def stage_jobs(self) -> list[StageJob]:
        """The attempts at stages."""
        records = map(Record, self.tasks.list(api.CONFIG_MAPS, {JOB_LABEL: ""}))
        return [StageJob(r.name, r.owner, r.ending is None, r.started) for r in records]

    def end_run(self, name: str) -> None:
        """Delete the Job of a flow run, with its pods."""
        self.services.delete(api.JOBS, name)

    def forget(self, name: str) -> None:
        """Delete the record of an ended attempt, with all that it owns."""
        self.tasks.delete(api.CONFIG_MAPS, name)


_ENDED = frozenset({"Succeeded", "Failed"})


def owners(flow_jobs: Iterable[FlowJob], stage_jobs: Iterable[StageJob]) -> set[str]:
    """Ids of the runs that the cluster's objects name."""
    return {job.run for job in flow_jobs} | {stage.owner for stage in stage_jobs if stage.owner}
