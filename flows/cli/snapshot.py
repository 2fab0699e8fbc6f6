"""What Prefect's server knows of a flow run and its children at one moment: read from its API, shown by `watch`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

MOST_LINES = 200
"""Log lines that the server gives at a time."""

LOGGER = "prefect.flow_runs"
"""Of flows; the worker and the engine's parts use others."""

TALK = ("Beginning flow run", "View at", "Finished in state", "Beginning subflow run", "Engine execution exited")
"""How the engine's own log lines begin; they say what the states say already, the last with a traceback."""

UNTAKEN = frozenset({"Scheduled", "Late", "AwaitingRetry"})
"""States in which no worker has taken a run."""


@dataclass(frozen=True)
class Bar:
    """One progress artifact."""

    id: str
    percent: float
    description: str


@dataclass(frozen=True)
class Run:
    """One flow run."""

    id: str
    name: str
    flow: str
    state: str
    message: str
    final: bool
    succeeded: bool
    labels: dict[str, Any]
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """A flow run, its children in order of their start, and what the run has logged since the last look."""

    run: Run
    children: tuple[Run, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass
class Camera:
    """Takes snapshots of one flow run."""

    client: SyncPrefectClient
    run_id: UUID
    read: int = 0
    """Log lines read so far."""
    flows: dict[UUID, str] = field(default_factory=dict)

    def take(self) -> Snapshot:
        """How the run stands now."""
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
        from prefect.client.schemas.sorting import FlowRunSort

        run = self.client.read_flow_run(self.run_id)
        children = self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[self.run_id])),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        )
        bars = self._bars([run.id, *(child.id for child in children)])
        # The lines last: what a run has said before its final state is then in the same snapshot.
        said = run.state.message if run.state else None
        lines = tuple(line for line in self._lines() if line != said)
        return Snapshot(self._run(run, bars), tuple(self._run(child, bars) for child in children), lines)

    def _run(self, run: FlowRun, bars: dict[UUID, tuple[Bar, ...]]) -> Run:
        state = run.state
        return Run(
            id=str(run.id),
            name=run.name,
            flow=self._flow(run.flow_id),
            state=state.name if state and state.name else "Unknown",
            message=state.message or "" if state else "",
            final=state is not None and state.is_final(),
            succeeded=state is not None and state.is_completed(),
            labels=dict(run.labels),
            bars=bars.get(run.id, ()),
        )

    def _flow(self, flow_id: UUID) -> str:
        if flow_id not in self.flows:
            self.flows[flow_id] = self.client.read_flow(flow_id).name
        return self.flows[flow_id]

    def _bars(self, runs: Sequence[UUID]) -> dict[UUID, tuple[Bar, ...]]:
        from prefect.client.schemas.filters import (
            ArtifactFilter,
            ArtifactFilterFlowRunId,
            ArtifactFilterType,
        )
        from prefect.client.schemas.sorting import ArtifactSort

        found = self.client.read_artifacts(
            artifact_filter=ArtifactFilter(
                flow_run_id=ArtifactFilterFlowRunId(any_=list(runs)), type=ArtifactFilterType(any_=["progress"])
            ),
            sort=ArtifactSort.CREATED_DESC,
        )
        bars: dict[UUID, tuple[Bar, ...]] = {}
        for artifact in reversed(found):
            bar = Bar(str(artifact.id), float(str(artifact.data)), artifact.description or "")
            owner = cast(UUID, artifact.flow_run_id)
            bars[owner] = (*bars.get(owner, ()), bar)
        return bars

    def _lines(self) -> tuple[str, ...]:
        from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId, LogFilterLevel
        from prefect.client.schemas.sorting import LogSort

        fresh = self.client.read_logs(
            log_filter=LogFilter(flow_run_id=LogFilterFlowRunId(any_=[self.run_id]), level=LogFilterLevel(ge_=20)),
            sort=LogSort.TIMESTAMP_ASC,
            offset=self.read,
            limit=MOST_LINES,
        )
        self.read += len(fresh)
        return tuple(log.message for log in fresh if log.name == LOGGER and not log.message.startswith(TALK))
