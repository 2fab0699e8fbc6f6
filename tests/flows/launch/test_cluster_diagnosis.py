"""From what a cluster says to a sentence and a decision: single cases, as the real controllers word them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from flows.launch.cluster_diagnosis import LOST_PATIENCE, SLOW, Circumstances, Obstacle, culprit, obstacle
from flows.launch.contract import Cause
from flows.launch.pods import JobFacts, Left, Pod, Told, read_events, read_job, read_pod, seconds
from flows.launch.resources import StageResources

PENDING = Pod("p-0", 0, "Pending", 0.0)
JOB = JobFacts(suspended=False, started=0.0, succeeded=False, failed=None, ended=None, taken_up=True)
CALM = Circumstances(
    "collect", "c:1", StageResources(gpus=1, queue="collect"), JOB, [PENDING], [], age=30.0, now=1000.0
)


def found(**changed: object) -> Obstacle | None:
    return obstacle(replace(CALM, **changed))  # type: ignore[arg-type]


def test_a_pod_that_is_on_its_way_is_no_obstacle() -> None:
    assert found() is None
    assert found(pods=[replace(PENDING, waiting=Told("ContainerCreating"), created=990.0)]) is None


@pytest.mark.parametrize(
    ("changed", "cause", "said"),
    [
        ({"pods": [replace(PENDING, waiting=Told("ErrImagePull", "no such host"))]}, Cause.IMAGE, "no such host"),
        ({"pods": [replace(PENDING, waiting=Told("InvalidImageName", "C:1"))]}, Cause.IMAGE, "c:1"),
        (
            {"pods": [replace(PENDING, waiting=Told("CreateContainerConfigError", 'secret "s" not found'))]},
            Cause.REFUSED,
            'secret "s"',
        ),
        ({"pods": [replace(PENDING, unscheduled=Told("Unschedulable", "0/3 nodes"))]}, Cause.UNSCHEDULABLE, "1 GPUs"),
        (
            {"warnings": [Told("FailedMount", 'secret "backsight-signing" not found')]},
            Cause.REFUSED,
            "backsight-signing",
        ),
        ({"pods": [], "warnings": [Told("FailedCreate", "exceeded quota: q")]}, Cause.QUOTA, "exceeded quota: q"),
        (
            {"pods": [], "warnings": [Told("FailedCreate", "no PriorityClass with name backsight-night was found")]},
            Cause.REFUSED,
            "backsight-night",
        ),
        ({"pods": [], "job": replace(JOB, suspended=True)}, Cause.UNSCHEDULABLE, "queue 'collect'"),
        ({"pods": [], "job": replace(JOB, taken_up=False)}, Cause.REFUSED, "JobSet's controller"),
        ({"pods": [replace(PENDING, deleted=1000.0 - LOST_PATIENCE - 1)]}, Cause.NODE_LOST, "stopped answering"),
    ],
)
def test_each_obstacle_is_one_sentence(changed: dict[str, object], cause: Cause, said: str) -> None:
    told = found(**changed)
    assert told is not None and told.cause is cause and said in told.sentence and "\n" not in told.sentence


@pytest.mark.parametrize(
    ("says", "for_ever"),
    [
        (
            "insufficient quota for nvidia.com/gpu in flavor a, current podset request (200) > maximum capacity (100)",
            False,
        ),
        ("untolerated taint {nvidia.com/gpu true NoSchedule <nil>} in flavor a", False),
        ("insufficient unused quota for cpu in flavor a, 2 more needed", True),
        ("untolerated taint {x} in flavor a, insufficient unused quota for cpu in flavor b, 2 more needed", True),
        (None, True),
    ],
)
def test_a_queue_that_could_never_hold_a_stage_is_not_waited_for_for_ever(says: str | None, for_ever: bool) -> None:
    told = found(pods=[], job=replace(JOB, suspended=True), queue_says=says)
    assert told is not None and (told.patience == math.inf) is for_ever and (says or "queue") in told.sentence
    assert ("can never hold" in told.sentence) is not for_ever


@pytest.mark.parametrize("reason", ["JobCreationFailed", "HeadlessServiceCreationFailed"])
def test_what_jobsets_controller_may_not_make_is_told_as_of_any_job(reason: str) -> None:
    refused = Told(reason, 'job "x-node-0" creation failed with error: jobs.batch is forbidden: exceeded quota: tasks')
    told = found(pods=[], warnings=[refused])
    assert told is not None and told.cause is Cause.QUOTA and "exceeded quota: tasks" in told.sentence


def test_a_mount_that_came_about_later_ends_nothing_while_the_image_is_fetched() -> None:
    """Kubelet's first look often comes before the ConfigMap: the event stays for an hour."""
    early = [Told("FailedMount", "failed to sync configmap cache: timed out waiting for the condition")]
    pulling = replace(PENDING, waiting=Told("ContainerCreating"), mounted=True, created=995.0)
    assert found(pods=[pulling], warnings=early) is None
    lacking = found(pods=[pulling, replace(pulling, mounted=False)], warnings=early)
    assert lacking is not None and lacking.cause is Cause.REFUSED


def test_a_container_that_is_long_in_starting_is_told_and_waited_for() -> None:
    """A registry behind a wall: kubelet has nothing to say for minutes, the flow's log has it within one."""
    pod = replace(PENDING, node="n-1", waiting=Told("ContainerCreating"), mounted=True, created=1000.0 - SLOW - 1)
    told = found(pods=[pod])
    assert told is not None and told.patience == math.inf and "n-1 fetches the image c:1" in told.sentence


def test_shares_wait_for_one_another_as_long_as_some_work() -> None:
    waiting = replace(PENDING, unscheduled=Told("Unschedulable", "Insufficient nvidia.com/gpu"))
    alone, beside = found(pods=[waiting]), found(pods=[waiting], underway=True)
    assert alone is not None and alone.patience is None
    assert beside is not None and beside.patience == math.inf and beside.sentence == alone.sentence


def test_events_of_an_earlier_object_of_the_name_are_not_this_ones() -> None:
    def event(reason: str, **at: str | None) -> dict[str, object]:
        return {"type": "Warning", "involvedObject": {"name": "a-1"}, "reason": reason, **at}

    told = [
        event("New", lastTimestamp=None, eventTime="2026-11-23T10:00:30.250000Z"),
        event("Old", lastTimestamp="2026-11-23T09:59:59Z"),
        event("First", lastTimestamp="2026-11-23T10:00:00Z"),
    ]
    since = seconds("2026-11-23T10:00:00Z")
    assert since is not None
    assert [w.reason for w in read_events(told, ["a-1"], since)] == ["First", "New"]


def test_a_pod_that_is_being_deleted_in_time_is_not_lost() -> None:
    assert found(pods=[replace(PENDING, running=True, deleted=999.0)]) is None


def test_peers_that_left_when_one_was_taken_away_are_not_to_blame() -> None:
    """Its peers notice at once; it itself may still be saving its work."""
    peer = Pod("p-0", 0, "Failed", 0.0, left=Left(1, "Error", "connection closed by peer", 10.0))
    taken = Pod("p-1", 1, "Running", 0.0, running=True, disrupted=Told("EvictionByEvictionAPI", "drained"))
    assert culprit([peer, taken], together=True) == taken
    assert culprit([peer, taken]) == peer
    assert culprit([peer], together=True) == peer


def test_the_words_of_a_real_job_and_pod() -> None:
    """Status objects as Kubernetes 1.3x writes them."""
    job = read_job(
        {
            "spec": {"suspend": False},
            "status": {
                "startTime": "2026-11-23T10:00:00Z",
                "conditions": [
                    {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"},
                    {
                        "type": "Failed",
                        "status": "True",
                        "reason": "BackoffLimitExceeded",
                        "message": "Job has reached the specified backoff limit",
                        "lastTransitionTime": "2026-11-23T10:00:30Z",
                    },
                ],
            },
        }
    )
    assert job.over and job.failed is not None and job.ended is not None and job.started is not None
    assert job.failed.reason == "BackoffLimitExceeded" and job.ended - job.started == 30
    pod = read_pod(
        {
            "metadata": {
                "name": "x-1-abcde",
                "labels": {"batch.kubernetes.io/job-completion-index": "1"},
                "creationTimestamp": "2026-11-23T10:00:00Z",
            },
            "spec": {"nodeName": "node-7"},
            "status": {
                "phase": "Failed",
                "reason": "Evicted",
                "message": "The node was low on resource: ephemeral-storage.",
                "conditions": [
                    {"type": "PodScheduled", "status": "True"},
                    {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": "low"},
                ],
                "containerStatuses": [
                    {
                        "name": "task",
                        "state": {
                            "terminated": {"exitCode": 137, "reason": "Error", "finishedAt": "2026-11-23T10:00:20Z"}
                        },
                    }
                ],
            },
        }
    )
    assert (pod.index, pod.node, pod.failed) == (1, "node-7", True)
    assert pod.disrupted == Told("TerminationByKubelet", "low") and pod.left is not None and pod.left.exit_code == 137
