"""What a cluster says of a job, read once into plain facts: its pods, its end, its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flows.launch.manifests import CONTAINER

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"


@dataclass(frozen=True)
class Told:
    """A machine's word and the sentence beside it."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Left:
    """How a container ended."""

    exit_code: int
    reason: str
    message: str
    """What kubelet kept of the end of its log."""
    at: float


@dataclass(frozen=True)
class Pod:
    """One pod."""

    name: str
    index: int
    phase: str
    created: float
    node: str | None = None
    unscheduled: Told | None = None
    """Why no node takes it."""
    waiting: Told | None = None
    """Why its container does not start."""
    mounted: bool = False
    """Whether all that it mounts is there: kubelet fetches the image after that."""
    running: bool = False
    left: Left | None = None
    disrupted: Told | None = None
    """Who took its place away, and why."""
    deleted: float | None = None
    """When its deletion was to be done."""

    @property
    def failed(self) -> bool:
        """Whether it ended badly."""
        return self.phase == "Failed"

    @property
    def has_log(self) -> bool:
        """Whether its container has started."""
        return self.running or self.left is not None


@dataclass(frozen=True)
class JobFacts:
    """One Job or JobSet."""

    suspended: bool
    started: float | None
    succeeded: bool
    failed: Told | None
    ended: float | None
    taken_up: bool
    """Whether its controller has acted on it."""

    @property
    def over(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.succeeded or self.failed is not None


def read_pod(pod: Mapping[str, Any]) -> Pod:
    """A pod from the API's object."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    state = next((c.get("state") or {} for c in _containers(status) if c["name"] == CONTAINER), {})
    return Pod(
        name=meta["name"],
        index=int((meta.get("labels") or {}).get(INDEX_LABEL) or 0),
        phase=status.get("phase") or "Pending",
        created=seconds(meta.get("creationTimestamp")) or 0.0,
        node=spec.get("nodeName"),
        unscheduled=_told(conditions.get("PodScheduled"), "False"),
        waiting=_waiting(state.get("waiting")),
        mounted=conditions.get("PodReadyToStartContainers", {}).get("status") == "True",
        running="running" in state,
        left=_left(state.get("terminated")),
        disrupted=_disruption(conditions.get("DisruptionTarget"), status),
        deleted=seconds(meta.get("deletionTimestamp")),
    )


def read_job(job: Mapping[str, Any]) -> JobFacts:
    """A Job or a JobSet from the API's object."""
    status = job.get("status") or {}
    held = {c["type"]: c for c in status.get("conditions") or [] if c.get("status") == "True"}
    failed, done = held.get("Failed"), held.get("Complete") or held.get("Completed")
    # A JobSet has no start of its own: that of its pods stands for it.
    end = failed or done or {}
    return JobFacts(
        suspended=bool((job.get("spec") or {}).get("suspend")),
        started=seconds(status.get("startTime")),
        succeeded=done is not None and failed is None,
        failed=_told(failed, "True"),
        ended=seconds(status.get("completionTime")) or seconds(end.get("lastTransitionTime")),
        taken_up=bool(status),
    )


def read_events(events: Iterable[Mapping[str, Any]], names: Iterable[str], since: float = 0.0) -> list[Told]:
    """Warnings about objects of these names, the latest last. Older ones tell of an earlier object of the name."""
    wanted = set(names)
    about = [
        (said, e)
        for e in events
        if e.get("type") == "Warning"
        and (e.get("involvedObject") or {}).get("name") in wanted
        and (said := seconds(e.get("lastTimestamp") or e.get("eventTime")) or since) >= since
    ]
    about.sort(key=lambda told: told[0])
    return [Told(str(e.get("reason") or ""), " ".join(str(e.get("message") or "").split())) for _, e in about]


def seconds(stamp: str | None) -> float | None:
    """Unix time of a stamp of the API."""
    if not stamp:
        return None
    moment = datetime.fromisoformat(stamp)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _containers(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(status.get("containerStatuses") or [])


def _told(condition: Mapping[str, Any] | None, status: str) -> Told | None:
    if condition is None or condition.get("status") != status:
        return None
    return Told(str(condition.get("reason") or ""), " ".join(str(condition.get("message") or "").split()))


def _waiting(waiting: Mapping[str, Any] | None) -> Told | None:
    if waiting is None:
        return None
    return Told(str(waiting.get("reason") or ""), " ".join(str(waiting.get("message") or "").split()))


def _left(terminated: Mapping[str, Any] | None) -> Left | None:
    if terminated is None:
        return None
    return Left(
        int(terminated.get("exitCode") or 0),
        str(terminated.get("reason") or ""),
        str(terminated.get("message") or ""),
        seconds(terminated.get("finishedAt")) or 0.0,
    )


def _disruption(condition: Mapping[str, Any] | None, status: Mapping[str, Any]) -> Told | None:
    """The condition that says so, or the older reasons that kubelet and the node controller leave."""
    if told := _told(condition, "True"):
        return told
    if status.get("reason") in ("Evicted", "NodeLost", "Preempting", "Terminated", "NodeShutdown"):
        return Told(str(status["reason"]), " ".join(str(status.get("message") or "").split()))
    return None
