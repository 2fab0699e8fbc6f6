"""Runs tasks as Jobs and JobSets of a Kubernetes cluster; all state is in the cluster, so any process can follow it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from flows.launch import cluster_api as api
from flows.launch import manifests
from flows.launch.cluster_api import ClusterApi, Object
from flows.launch.cluster_diagnosis import Circumstances, Obstacle, conclude, culprit, obstacle, out_of_memory
from flows.launch.cluster_record import ENDING, Record, first_notes
from flows.launch.contract import Cause, Ending, Handle, Job, JobState, Notice, Report
from flows.launch.diagnosis import Diagnosis, Remains
from flows.launch.manifests import ATTEMPT_LABEL, JOB_LABEL, NODE, OWNER_LABEL, Attempt, Place
from flows.launch.pod_logs import LOGS_A_LOOK, PodLogs, last_lines
from flows.launch.pods import JobFacts, Pod, read_events, read_job, read_pod
from flows.launch.results import ending_text, result_line
from flows.launch.timed_lines import Shares
from tasks.errors import BacksightError
from tasks.spec import Outcome, StageResult, StageSpec

KEPT_ATTEMPTS = 3
MADE_WITHIN = 60.0
"""Seconds within which a record has its Job: one that is older and has none is over."""

JobSetUse = Literal["auto", "always", "never"]


def module_command(spec: StageSpec) -> tuple[str, ...]:
    """What a task's container runs."""
    return ("python", "-m", f"tasks.{spec.task}")


@dataclass
class KubernetesLauncher:
    """One ConfigMap an attempt, which owns a Job or JobSet; see `Launcher` for the contract."""

    cluster: ClusterApi
    place: Place
    known: Callable[[str], StageResult | None] = lambda key: None
    """The outcome that the artefact store holds under a stage's key."""
    command: Callable[[StageSpec], tuple[str, ...]] = module_command
    jobset: JobSetUse = "auto"
    poll: float = 2.0
    """Seconds between looks at a running job."""
    patience: float = 900.0
    """Seconds that a job may wait for a node before it is given up; a cluster that grows needs minutes to make one."""
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _jobsets: bool | None = None
    _seen: dict[Cause, float] = field(default_factory=dict)
    """Since when something keeps the followed job from running."""

    def start(self, job: Job) -> Handle:
        """Start a job. While one of this name runs, its handle is returned and nothing is started."""
        latest = self.attach(job.name)
        record = self._record(latest) if latest else None
        if latest and record and self._ending(record) is None:
            self._make(self._attempt(job, latest.attempt), record)
            self._adopt(record, job)
            return latest
        handle = Handle(job.name, latest.attempt + 1 if latest else 1)
        attempt = self._attempt(job, handle.attempt)
        made = self.cluster.create(api.CONFIG_MAPS, manifests.record(attempt, first_notes(attempt, self.clock())))
        record = Record(made) if made else self._record(handle)
        if record is None:
            raise BacksightError(f"The record of {attempt.name} vanished while it was made: start it again.")
        self._make(attempt, record)
        self._forget(job.name, handle.attempt - KEPT_ATTEMPTS)
        return handle

    def attach(self, name: str) -> Handle | None:
        """The latest attempt under a name, running or ended; None where there was none."""
        records = self.cluster.list(api.CONFIG_MAPS, {JOB_LABEL: name})
        attempts = [Record(r).handle.attempt for r in records]
        return Handle(name, max(attempts)) if attempts else None

    def follow(self, handle: Handle) -> Iterator[Report]:
        """All that the attempt has written and goes on to write, until it ends. The cluster keeps the deadline."""
        self._seen, told, logs = {}, "", None
        while (record := self._record(handle)) is not None:
            logs = logs or PodLogs(self.cluster, Shares(record.resources.pods))
            job, pods = self._job(handle), self._pods(handle)
            over = self._ending(record, job, pods) is not None
            yield from logs.reports(pods, to_the_end=over)
            if over:
                return
            hindrance = self._obstacle(record, job, pods)
            if hindrance and hindrance.sentence != told:
                told = hindrance.sentence
                yield Notice(told)
            if hindrance and self._hopeless(hindrance):
                self._stop(record, Diagnosis(JobState.FAILED, hindrance.cause, hindrance.sentence))
                return
            self.sleep(self.poll)

    def ending(self, handle: Handle) -> Ending | None:
        """How the attempt ended; None while it runs."""
        record = self._record(handle)
        if record is None:
            return Ending(JobState.FAILED, 0.0, Cause.KILLED, f"The record of {handle.name} was deleted: run it again.")
        return self._ending(record)

    def cancel(self, handle: Handle) -> None:
        """End the attempt; returns when none of its pods is left. Does nothing where it has ended."""
        record = self._record(handle)
        if record is not None and self._ending(record) is None:
            self._stop(record, Diagnosis(JobState.CANCELLED, Cause.CANCELLED))

    def _record(self, handle: Handle) -> Record | None:
        found = self.cluster.get(api.CONFIG_MAPS, f"{handle.name}-{handle.attempt}")
        return Record(found) if found else None

    def _job(self, handle: Handle) -> Object | None:
        name = f"{handle.name}-{handle.attempt}"
        job = self.cluster.get(api.JOBS, name)
        return job if job or not self._has_jobsets() else self.cluster.get(api.JOBSETS, name)

    def _pods(self, handle: Handle) -> list[Pod]:
        labels = {JOB_LABEL: handle.name, ATTEMPT_LABEL: str(handle.attempt)}
        return sorted((read_pod(p) for p in self.cluster.list(api.PODS, labels)), key=lambda p: (p.index, p.created))

    def _has_jobsets(self) -> bool:
        if self._jobsets is None:
            self._jobsets = self.jobset != "never" and self.cluster.serves(api.JOBSETS)
        return self._jobsets

    def _attempt(self, job: Job, number: int) -> Attempt:
        spec = f"{manifests.SPEC_FOLDER}/{manifests.SPEC_FILE}"
        force = ("--force",) if job.force else ()
        return Attempt(job, number, self.place, (*self.command(job.spec), "--spec", spec, *force))

    def _make(self, attempt: Attempt, record: Record) -> None:
        """Everything that the attempt needs and that is not there yet; where that fails, nothing of it stays."""
        try:
            use_jobset = attempt.together and self._has_jobsets()
            if attempt.together and self.jobset == "always" and not use_jobset:
                raise BacksightError(
                    f"{attempt.job.spec.stage} needs {attempt.resources.pods} nodes, and JobSet is not installed: "
                    "install it (jobset.x-k8s.io/v1alpha2), or set BACKSIGHT_LAUNCH_JOBSET=auto for an Indexed Job."
                )
            if attempt.together and not use_jobset:
                self.cluster.create(api.SERVICES, manifests.meeting_point(attempt, record.uid))
            kind = api.JOBSETS if use_jobset else api.JOBS
            self.cluster.create(kind, manifests.workload(attempt, record.uid, use_jobset))
        except api.Unreachable:
            raise
        except BacksightError:
            self.cluster.delete(api.CONFIG_MAPS, record.name)
            raise

    def _adopt(self, record: Record, job: Job) -> None:
        """Whoever starts what runs already becomes its owner: the reconciler ends what nobody waits for."""
        if job.owner and job.owner != record.owner:
            self.cluster.patch(api.CONFIG_MAPS, record.name, {"metadata": {"labels": {OWNER_LABEL: job.owner}}})

    def _forget(self, name: str, upto: int) -> None:
        for record in map(Record, self.cluster.list(api.CONFIG_MAPS, {JOB_LABEL: name})):
            if record.handle.attempt <= upto:
                self.cluster.delete(api.CONFIG_MAPS, record.name)

    def _obstacle(self, record: Record, job: Object | None, pods: list[Pod]) -> Obstacle | None:
        if pods and all(p.running or p.left for p in pods) and not any(p.deleted for p in pods):
            return None
        facts = read_job(job or {})
        names = [record.name, f"{record.name}-{NODE}-0", *(p.name for p in pods)]
        return obstacle(
            Circumstances(
                stage=record.stage,
                image=self.place.images.get(record.resources.image, "of its container"),
                resources=record.resources,
                job=facts,
                pods=[p for p in pods if not p.left],
                warnings=read_events(self.cluster.list(api.EVENTS, {}, "type=Warning"), names, record.made),
                age=self.clock() - record.started,
                now=self.clock(),
                queue_says=self._queue_says(record) if facts.suspended else None,
                underway=not record.resources.gang and any(p.running or (p.left and not p.failed) for p in pods),
            )
        )

    def _queue_says(self, record: Record) -> str | None:
        """Kueue's own words on a job that it holds back."""
        try:
            workloads = self.cluster.list(api.WORKLOADS, {})
        except api.Refused:
            return None  # without Kueue, or the right to read from it, the queue's name alone is told
        for workload in workloads:
            owners = {o.get("name") for o in workload["metadata"].get("ownerReferences") or []}
            conditions = (workload.get("status") or {}).get("conditions") or []
            said = next((c.get("message") for c in conditions if c.get("type") == "QuotaReserved"), None)
            if record.name in owners and said:
                return str(said)
        return None

    def _hopeless(self, hindrance: Obstacle) -> bool:
        """Whether the same kind of hindrance has lasted for longer than it may."""
        limit = self.patience if hindrance.patience is None else hindrance.patience
        if limit == math.inf:
            self._seen = {}  # what may last does not shorten the time of what follows it
            return False
        since = self._seen.get(hindrance.cause, self.clock())
        self._seen = {hindrance.cause: since}
        return self.clock() - since >= limit

    def _ending(self, record: Record, job: Object | None = None, pods: list[Pod] | None = None) -> Ending | None:
        if record.ending:
            return record.ending
        job = job or self._job(record.handle)
        if job is None and self.clock() - record.started < MADE_WITHIN:
            return None
        facts = read_job(job) if job else None
        if facts is not None and not facts.over:
            return None
        return self._note(record, self._concluded(record, facts, self._pods(record.handle) if pods is None else pods))

    def _concluded(self, record: Record, job: JobFacts | None, pods: list[Pod]) -> Ending:
        together = record.resources.gang
        job = self._why(record, job) if together else job
        bad = None if job and job.succeeded else culprit(pods, together)
        result = self._result(record, job, pods)
        began = (job.started if job else None) or record.started
        remains = Remains(
            stage=record.stage,
            seconds=max(0.0, ((job.ended if job else None) or self.clock()) - began),
            exit_code=bad.left.exit_code if bad and bad.left else 0,
            last_lines=last_lines(self.cluster, bad) if bad else [],
            said=result.error if result and result.outcome is Outcome.FAILED else None,
            has_result=result is not None,
            deadline=record.deadline,
            kernel_killed=out_of_memory(bad.left) if bad else False,
        )
        verdict = conclude(record.stage, job, pods, remains, together)
        return Ending(verdict.state, remains.seconds, verdict.cause, verdict.sentence, remains.exit_code, result)

    def _why(self, record: Record, job: JobFacts | None) -> JobFacts | None:
        """The facts of the Job within a JobSet that failed: the JobSet itself does not say why."""
        inner = self.cluster.get(api.JOBS, f"{record.name}-{NODE}-0") if job and job.failed else None
        facts = read_job(inner) if inner else None
        return facts if facts and facts.failed else job

    def _result(self, record: Record, job: JobFacts | None, pods: list[Pod]) -> StageResult | None:
        """What the task answered: the last line that is a result, or what the store holds under its key."""
        failed = job is not None and job.failed is not None
        bad = culprit(pods, record.resources.gang)
        asked = ([bad] if bad else []) if failed else [p for p in pods if p.left and p.left.exit_code == 0]
        for pod in asked[-LOGS_A_LOOK:]:
            found = (result_line(line) for line in reversed(last_lines(self.cluster, pod)))
            if (result := next(filter(None, found), None)) is not None:
                return result
        return None if failed else self.known(record.key)

    def _note(self, record: Record, ending: Ending) -> Ending:
        """Keep how it ended with the record, for the Job and its pods do not stay."""
        change = {"metadata": {"annotations": {ENDING: ending_text(ending)}}}
        self.cluster.patch(api.CONFIG_MAPS, record.name, change)
        return ending

    def _stop(self, record: Record, verdict: Diagnosis) -> None:
        """End the pods, then note the end: whoever reads it may rely on it that nothing runs any more."""
        seconds = max(0.0, self.clock() - record.started)
        for kind in (api.JOBS, *([api.JOBSETS] if self._has_jobsets() else [])):
            self.cluster.delete(kind, record.name)
        self._clear(record)
        sentence = verdict.sentence or f"{record.stage} was cancelled after {seconds:.0f} s."
        self._note(record, replace(Ending(verdict.state, seconds, verdict.cause), diagnosis=sentence))

    def _clear(self, record: Record) -> None:
        """Wait until no pod is left; those that outstay their grace (a node that is silent) are deleted for good."""
        since = self.clock()
        while pods := self._pods(record.handle):
            late = self.clock() - since > record.resources.grace_seconds + 5.0
            for pod in pods:
                if late or pod.deleted is None:
                    self.cluster.delete(api.PODS, pod.name, grace=0 if late else None)
            self.sleep(min(self.poll, 1.0))
