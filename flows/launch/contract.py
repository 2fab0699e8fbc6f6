"""What every launcher does, whatever it runs a task on: start, follow, end with a diagnosis, cancel, re-attach."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from flows.launch.resources import StageResources
from tasks.errors import UsageError
from tasks.spec import StageResult, StageSpec

JOB_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?")
"""A DNS label with room for a suffix, so that the same name serves processes, containers and Kubernetes."""


class JobState(StrEnum):
    """How a job stands; all but `RUNNING` are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why a job did not succeed."""

    TASK = "task"
    """The task itself said what went wrong."""
    EXIT = "exit"
    """It left with a code and without a sentence."""
    OUT_OF_MEMORY = "out-of-memory"
    KILLED = "killed"
    """A signal from outside ended it."""
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    NO_RESULT = "no-result"
    """It left with code 0 but wrote no result."""
    IMAGE = "image"
    """Its container image cannot be had."""
    UNSCHEDULABLE = "unschedulable"
    """No machine has room for it, or none has what it asks for."""
    QUOTA = "quota"
    """What the namespace may use is used up."""
    REFUSED = "refused"
    """The platform does not let it start: a missing right, policy or piece of configuration."""
    EVICTED = "evicted"
    """The platform took its place away."""
    NODE_LOST = "node-lost"
    """The machine that it ran on stopped answering."""


@dataclass(frozen=True)
class Job:
    """One run of a task: what is asked, under which name, for how long at most."""

    name: str
    """Deterministic: two starts of the same work carry the same name."""
    spec: StageSpec
    force: bool = False
    deadline: float | None = None
    """Seconds from the start after which the job is ended."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to those of the launcher's own process, or to a container's. Never a secret."""
    resources: StageResources = field(default_factory=StageResources)
    """What a launcher that has machines to choose from gives it."""
    owner: str | None = None
    """Id of the flow run that waits for it."""

    def __post_init__(self) -> None:
        if not JOB_NAME.fullmatch(self.name):
            raise UsageError(f"A job cannot be named '{self.name}': use at most 53 of a-z, 0-9 and dash.")


@dataclass(frozen=True)
class Handle:
    """Names one attempt at a job, so that it can be found again by another process."""

    name: str
    attempt: int


@dataclass(frozen=True)
class LogLine:
    """A line that the task wrote."""

    text: str


@dataclass(frozen=True)
class Notice:
    """What the launcher itself has to say while the task is kept from running, in one sentence."""

    sentence: str


@dataclass(frozen=True)
class Progress:
    """How far the task is with one piece of its work (`tasks.progress`)."""

    label: str
    done: float
    total: float | None = None
    unit: str = ""
    eta_s: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


Report = LogLine | Progress | Notice


@dataclass(frozen=True)
class Ending:
    """How an attempt ended."""

    state: JobState
    seconds: float
    """Wall time from the start of the task's process to its end, its imports included."""
    cause: Cause | None = None
    diagnosis: str | None = None
    """One sentence saying what went wrong; None where nothing did."""
    exit_code: int | None = None
    result: StageResult | None = None


class Launcher(Protocol):
    """Runs jobs. All state lives where the jobs run, so any process can follow what another one started."""

    def start(self, job: Job) -> Handle:
        """Start a job. While one of this name runs, its handle is returned and nothing is started."""

    def attach(self, name: str) -> Handle | None:
        """The latest attempt under a name, running or ended; None where there was none."""

    def follow(self, handle: Handle) -> Iterator[Report]:
        """All that the attempt has written and goes on to write, until it ends. Enforces the deadline."""

    def ending(self, handle: Handle) -> Ending | None:
        """How the attempt ended; None while it runs."""

    def cancel(self, handle: Handle) -> None:
        """End the attempt; returns when none of its processes is left. Does nothing where it has ended."""
