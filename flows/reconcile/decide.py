"""What to do where Prefect and the cluster disagree: pure functions over two readings, for unknown is not dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

RUNNING, PENDING, CANCELLING = "RUNNING", "PENDING", "CANCELLING"
UNFINISHED = (PENDING, RUNNING, CANCELLING)
CRASHED = "CRASHED"
FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", CRASHED})

SETTLING = 10.0
"""Seconds that a state must be old before anything is made of it: the cluster's own word may still be under way."""
SUBMITTING = 45.0
"""Seconds between a worker taking a run and its Job being there."""
CANCELLING_FOR = 300.0
"""Seconds that a cancelled run has to end its stage, which may save its work first."""
ADOPTION = 600.0
"""Seconds that a stage runs on after its flow run crashed, for a rerun to find it."""
REMEMBERED = 7 * 86_400.0
"""Seconds after which the record of an ended attempt goes."""


class Act(StrEnum):
    """What is done."""

    CRASH = "crash"
    """The run is marked as crashed: nothing runs for it."""
    RESCHEDULE = "reschedule"
    """Its worker died before it had made a Job: another one may take it."""
    SETTLE = "settle"
    """The run that was being cancelled is cancelled: nothing runs for it any more."""
    END_RUN = "end-run"
    """The flow run's Job is deleted: Prefect is done with it."""
    END_STAGE = "end-stage"
    """The stage is ended: nobody waits for it."""
    FORGET = "forget"
    """The record of an old attempt is deleted."""


@dataclass(frozen=True, order=True)
class Step:
    """One thing to do."""

    act: Act
    target: str
    """Id of a flow run, or name of an object."""
    reason: str


@dataclass(frozen=True)
class Run:
    """A flow run as Prefect has it."""

    id: str
    state: str
    since: float
    """Unix time of the state."""


@dataclass(frozen=True)
class FlowJob:
    """The Job of a flow run."""

    name: str
    run: str
    alive: bool
    """Whether it has a pod, or may still make one. A pod whose node is silent counts as alive."""


@dataclass(frozen=True)
class StageJob:
    """An attempt at a stage."""

    name: str
    owner: str | None
    running: bool
    started: float


@dataclass(frozen=True)
class Reading:
    """What both sides say at one moment; only made where both have answered every question."""

    at: float
    runs: Mapping[str, Run] = field(default_factory=dict)
    """All unfinished runs of the pool, and those that the jobs name. One that is missing was deleted."""
    flow_jobs: tuple[FlowJob, ...] = ()
    stage_jobs: tuple[StageJob, ...] = ()


def decide(before: Reading | None, now: Reading) -> list[Step]:
    """What two readings in a row both ask for; the first reading alone decides nothing."""
    return sorted(set(suspicions(before)) & set(suspicions(now))) if before else []


def suspicions(reading: Reading) -> Iterator[Step]:
    """What one reading asks for."""
    jobs: dict[str, list[FlowJob]] = {}
    for job in reading.flow_jobs:
        jobs.setdefault(job.run, []).append(job)
    for run in reading.runs.values():
        yield from _about_run(run, reading.at - run.since, jobs.get(run.id, []))
    for job in reading.flow_jobs:
        yield from _about_flow_job(job, reading)
    for stage in reading.stage_jobs:
        yield from _about_stage(stage, reading)


def _about_run(run: Run, age: float, jobs: list[FlowJob]) -> Iterator[Step]:
    alive = any(job.alive for job in jobs)
    if run.state == RUNNING and not alive and age > SETTLING:
        yield Step(Act.CRASH, run.id, "its pod is gone")
    elif run.state == PENDING and jobs and not alive and age > SETTLING:
        yield Step(Act.CRASH, run.id, "its pod ended before the run began")
    elif run.state == PENDING and not jobs and age > SUBMITTING:
        yield Step(Act.RESCHEDULE, run.id, "its worker made no Job for it")
    elif run.state == CANCELLING and not alive and age > SETTLING:
        yield Step(Act.SETTLE, run.id, "its pod is gone")


def _about_flow_job(job: FlowJob, reading: Reading) -> Iterator[Step]:
    if not job.alive:
        return
    run = reading.runs.get(job.run)
    if run is None:
        yield Step(Act.END_RUN, job.name, "its flow run was deleted")
    elif run.state in FINAL and reading.at - run.since > SETTLING:
        yield Step(Act.END_RUN, job.name, f"its flow run is {run.state.lower()}")
    elif run.state == CANCELLING and reading.at - run.since > CANCELLING_FOR:
        yield Step(Act.END_RUN, job.name, "its flow run was cancelled and does not end")


def _about_stage(stage: StageJob, reading: Reading) -> Iterator[Step]:
    if not stage.running:
        if reading.at - stage.started > REMEMBERED:
            yield Step(Act.FORGET, stage.name, "it ended long ago")
        return
    if stage.owner is None:
        return
    run = reading.runs.get(stage.owner)
    if run is None:
        yield Step(Act.END_STAGE, stage.name, "the flow run that waited for it was deleted")
    elif run.state in FINAL and reading.at - run.since > (ADOPTION if run.state == CRASHED else SETTLING):
        yield Step(Act.END_STAGE, stage.name, f"the flow run that waited for it is {run.state.lower()}")
