"""From what a cluster says to one sentence: why a job waits, when to give up, and how it ended. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flows.launch.contract import Cause, JobState
from flows.launch.diagnosis import Diagnosis, Remains, diagnose
from flows.launch.manifests import KUEUE_QUEUE
from flows.launch.pods import JobFacts, Left, Pod, Told
from flows.launch.resources import StageResources

SOON, PULL_PATIENCE = 5.0, 40.0
"""Seconds: a reason that comes and goes by itself is not told before; an image that cannot be had is given up after."""
SLOW = 30.0
"""Seconds in which a container is to start: of a registry that does not answer kubelet says nothing for minutes."""
LOST_PATIENCE = 60.0
"""Seconds beyond its grace that a pod on a silent node has before it counts as lost."""

NO_IMAGE = ("ErrImagePull", "ImagePullBackOff")
NEVER_AN_IMAGE = ("InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
NO_START = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
STARTING = ("ContainerCreating", "PodInitializing")
NOT_MADE = ("FailedCreate", "JobCreationFailed", "HeadlessServiceCreationFailed")
"""How the controllers of Jobs and of JobSets say that the API refuses what they are to make."""
NEVER_ADMITTED, ADMITTED_LATER = (
    ("maximum capacity", "untolerated taint", "unavailable in ClusterQueue"),
    "unused quota",
)
"""What Kueue says of a flavour that will not do however long one waits, and of one that will when others have left."""
OF_A_JOBSET = ("FailedJobs", "FailJobSetFailurePolicyAction", "ReachedMaxRestarts")
LOST = ("DeletionByTaintManager", "DeletionByPodGC", "NodeLost")


@dataclass(frozen=True)
class Circumstances:
    """What is known of a job that has not ended."""

    stage: str
    image: str
    resources: StageResources
    job: JobFacts
    pods: Sequence[Pod]
    warnings: Sequence[Told]
    """Events about the job and its pods."""
    age: float
    """Seconds since it was launched."""
    now: float
    queue_says: str | None = None
    """Kueue's own account, where it has one."""
    underway: bool = False
    """Whether some of its pods work or have worked already, and need not wait for the others."""


@dataclass(frozen=True)
class Obstacle:
    """Why a job does not run: a sentence, and whether waiting can still help."""

    cause: Cause
    sentence: str
    patience: float | None = None
    """Seconds of this after which the job is given up; None = as long as the launcher waits for a place."""


def obstacle(c: Circumstances) -> Obstacle | None:
    """What keeps a job from running, if anything does."""
    for pod in c.pods:
        if found := _lost(c, pod) or _container(c, pod):
            return found
    if refused := _refused(c) or _unmounted(c):
        return refused
    unscheduled = next((p.unscheduled for p in c.pods if p.unscheduled and p.phase == "Pending"), None)
    if unscheduled and c.age > SOON:
        patience = math.inf if c.underway else None  # one share after the other is slow, and no reason to end them
        return Obstacle(Cause.UNSCHEDULABLE, _no_room(c, unscheduled), patience)
    if c.job.suspended and c.age > SOON:
        said = f": {c.queue_says}" if c.queue_says else ""
        queue = c.resources.queue or "its queue"
        if any(words in said for words in NEVER_ADMITTED) and ADMITTED_LATER not in said:
            return Obstacle(
                Cause.QUOTA,
                f"The queue '{queue}' can never hold {c.stage}{said}; give the queue larger quotas, or the stage "
                f"another queue or smaller pods in the table of resources (label {KUEUE_QUEUE}).",
            )
        return Obstacle(
            Cause.UNSCHEDULABLE,
            f"{c.stage} waits in the queue '{queue}' until there is room{said} (label {KUEUE_QUEUE}).",
            patience=math.inf,
        )
    if not c.job.taken_up and not c.pods and c.age > 20.0:
        return Obstacle(
            Cause.REFUSED,
            f"No controller has taken {c.stage} up: the cluster knows its kind of object, but nothing acts on it; "
            "install JobSet's controller, or set BACKSIGHT_LAUNCH_JOBSET=never.",
            patience=25.0,
        )
    return _slow(c)


def _container(c: Circumstances, pod: Pod) -> Obstacle | None:
    if pod.waiting is None:
        return None
    reason, message = pod.waiting.reason, pod.waiting.message
    if reason in NEVER_AN_IMAGE or reason in NO_IMAGE:
        patience = 0.0 if reason in NEVER_AN_IMAGE else PULL_PATIENCE
        return Obstacle(
            Cause.IMAGE,
            f"The image {c.image} of {c.stage} cannot be had ({reason}: {short(message)}): "
            "correct its name, push it, or load it onto the nodes.",
            patience,
        )
    if reason in NO_START:
        return Obstacle(
            Cause.REFUSED,
            f"The container of {c.stage} cannot start ({reason}: {short(message)}): "
            "the namespace lacks a Secret or ConfigMap that it needs, or the image its command.",
            PULL_PATIENCE,
        )
    return None


def _slow(c: Circumstances) -> Obstacle | None:
    """A container that is long in starting. Its image may be large: waiting can help, so it is told and no more."""
    starting = [pod for pod in c.pods if pod.waiting and pod.waiting.reason in STARTING]
    slow = next((pod for pod in starting if c.now - pod.created > SLOW), None)
    if slow is None:
        return None
    what = f"fetches the image {c.image}" if slow.mounted else f"prepares its volumes and the image {c.image}"
    return Obstacle(
        Cause.IMAGE,
        f"The container of {c.stage} is long in starting: the node {slow.node or 'of its pod'} {what}; "
        "where that does not end, see whether the nodes reach the image's registry.",
        patience=math.inf,
    )


def _unmounted(c: Circumstances) -> Obstacle | None:
    """A Secret or ConfigMap that a volume names but nobody has made: kubelet says so in events alone.

    The events stay when the mount has come about at the second try, while a large image is fetched.
    """
    told = next((w for w in reversed(c.warnings) if w.reason == "FailedMount"), None)
    if told is None or c.age <= SOON or any(pod.running for pod in c.pods):
        return None
    if c.pods and all(pod.mounted for pod in c.pods):
        return None
    return Obstacle(
        Cause.REFUSED, f"The pod of {c.stage} lacks something that it mounts: {short(told.message)}", PULL_PATIENCE
    )


def _refused(c: Circumstances) -> Obstacle | None:
    """What the API does not let the controller make: it tries for ever, and says so in events alone."""
    told = next((w for w in reversed(c.warnings) if w.reason in NOT_MADE), None)
    if told is None or c.pods:
        return None
    message = short(told.message)
    if "exceeded quota" in told.message:
        return Obstacle(
            Cause.QUOTA,
            f"The namespace's quota has no room for {c.stage}: {message}; end other work there, or raise the quota.",
        )
    return Obstacle(Cause.REFUSED, f"The cluster lets no pod of {c.stage} be made: {message}", patience=PULL_PATIENCE)


def _lost(c: Circumstances, pod: Pod) -> Obstacle | None:
    """A pod that was deleted but cannot go, for its node does not answer: it would hang for ever."""
    if pod.deleted is None or pod.left is not None or c.now < pod.deleted + LOST_PATIENCE:
        return None
    return Obstacle(Cause.NODE_LOST, _lost_sentence(c.stage, pod), patience=0.0)


def _lost_sentence(stage: str, pod: Pod) -> str:
    said = f" ({short(pod.disrupted.message)})" if pod.disrupted and pod.disrupted.message else ""
    return (
        f"The node {pod.node or 'of its pod'} on which {stage} ran stopped answering{said}: "
        "run it again; what it had published is kept."
    )


def _no_room(c: Circumstances, told: Told) -> str:
    r = c.resources
    gpus = f", {r.gpus} GPUs" if r.gpus else ""
    asked = f"{r.cpu:g} cores, {r.memory_gib:g} GiB{gpus} for each of {r.pods} pods"
    return f"No node has room for {c.stage}, which asks for {asked}: {short(told.message)}"


def conclude(
    stage: str, job: JobFacts | None, pods: Sequence[Pod], remains: Remains, together: bool = False
) -> Diagnosis:
    """How a job that is over ended. `remains` are those of its culprit (`culprit`), or of its pod that succeeded."""
    if remains.stopped_for is not None:
        return diagnose(remains)
    if job is not None and job.failed and _too_late(job.failed, remains):
        return diagnose(replace(remains, stopped_for=Cause.DEADLINE, has_result=False))
    if (job is not None and job.succeeded) or (job is None and remains.has_result and remains.said is None):
        return diagnose(remains)
    pod = culprit(pods, together)
    if pod is None:
        return Diagnosis(JobState.FAILED, Cause.KILLED, _no_pod(stage, job))
    if pod.disrupted and not (pod.left and pod.left.reason == "OOMKilled"):
        return _disrupted(stage, pod)
    return diagnose(remains)


def culprit(pods: Sequence[Pod], together: bool = False) -> Pod | None:
    """The pod whose failure ended the job: the first that left by itself, else the last that lost its place.

    Pods that work `together` leave when one of them loses its place, and often before it: there that one is it.
    """
    bad = [pod for pod in pods if pod.failed]
    own = [pod for pod in bad if pod.disrupted is None and pod.left is not None]
    if own and not (together and any(pod.disrupted for pod in pods)):
        return min(own, key=lambda pod: pod.left.at if pod.left else 0.0)
    taken = [pod for pod in (pods if together else bad) if pod.disrupted]
    return max(taken or bad, key=lambda pod: (pod.left.at if pod.left else 0.0, pod.created), default=None)


def out_of_memory(left: Left | None) -> bool:
    """Whether the kernel ended a container for its memory."""
    return left is not None and left.reason == "OOMKilled"


def _too_late(failed: Told, remains: Remains) -> bool:
    """A JobSet names the Job that failed and not why; where that Job is gone, the clock tells."""
    by_clock = remains.deadline is not None and remains.seconds >= remains.deadline
    return failed.reason == "DeadlineExceeded" or (failed.reason in OF_A_JOBSET and by_clock)


def _disrupted(stage: str, pod: Pod) -> Diagnosis:
    assert pod.disrupted is not None
    if pod.disrupted.reason in LOST:
        return Diagnosis(JobState.FAILED, Cause.NODE_LOST, _lost_sentence(stage, pod))
    where = f" from {pod.node}" if pod.node else ""
    return Diagnosis(
        JobState.FAILED,
        Cause.EVICTED,
        f"{stage} was evicted{where} ({pod.disrupted.reason}: {short(pod.disrupted.message)}): "
        "give it more disk or memory, a higher priority, or run it again.",
    )


def _no_pod(stage: str, job: JobFacts | None) -> str:
    if job is None:
        return f"The Job of {stage} is gone without a word: somebody deleted it; run it again."
    said = f" ({job.failed.reason}: {short(job.failed.message)})" if job.failed else ""
    return f"{stage} failed and left no pod{said}: they were deleted by somebody or with their node; run it again."


def short(message: str, most: int = 300) -> str:
    """A message on one line, cut where it goes on for ever."""
    text = " ".join(message.split()) or "no reason given"
    return text if len(text) <= most else f"{text[: most - 1]}…"
