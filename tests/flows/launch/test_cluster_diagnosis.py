"""From what a cluster says to a sentence and a decision: single cases, as the real controllers word them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flows.launch.cluster_diagnosis import LOST_PATIENCE, Circumstances, Obstacle, culprit, obstacle
from flows.launch.contract import Cause
from flows.launch.pods import JobFacts, Left, Pod, Told, read_job, read_pod
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
    assert found(pods=[replace(PENDING, waiting=Told("ContainerCreating"))]) is None


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
