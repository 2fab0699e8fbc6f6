"""From a job to the Kubernetes objects that run it: pure functions, the same job gives the same objects.

One pod is a plain Job; a stage that is dealt out an Indexed Job; a training over several nodes a JobSet where its API
is served, else an Indexed Job with a headless Service by which the ranks meet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.launch.contract import Job
from flows.launch.resources import StageResources
from flows.launch.restricted import CONTAINER_SECURITY, POD_SECURITY
from tasks.errors import UsageError

Manifest = dict[str, Any]

GROUP = "backsight.dev"
JOB_LABEL, ATTEMPT_LABEL, STAGE_LABEL, OWNER_LABEL = (
    f"{GROUP}/{name}" for name in ("job", "attempt", "stage", "flow-run")
)
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"
GPU = "nvidia.com/gpu"
CONTAINER = "task"
NODE = "node"
"""Name of the replicated job in a JobSet."""
MEETING_PORT = 29500
HOME = "/home/backsight"
SURROUNDINGS = {
    "HOME": HOME,
    # Libraries ask who they are, and the image need not know the user by name.
    "USER": "backsight",
    "BACKSIGHT_PROGRESS": "json",
    "PYTHONUNBUFFERED": "1",
}
"""Variables of every task in a container."""

SPEC_FILE = "spec.json"
SPEC_FOLDER = "/etc/backsight"
KEYS_FOLDER = "/etc/backsight-signing"
KEY_FILES = {"BACKSIGHT_SIGNING_KEY": "model.key", "BACKSIGHT_PUBLIC_KEY": "model.pub"}
"""Variable that names a key's file -> the file in the Secret."""
MOST_SPEC_BYTES = 900_000
"""A ConfigMap holds a MiB, its names and labels included."""
KEPT_SECONDS = 86_400
"""A finished Job's pods stay this long, for those who come to read their logs."""
SECRET_NAME = re.compile(
    r"(^|_)(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIALS?|ACCESS_KEY|PRIVATE_KEY|API_KEY)(_|$)", re.IGNORECASE
)


@dataclass(frozen=True)
class Place:
    """Where in a cluster tasks run, and by which names they find what the platform gives them."""

    namespace: str = "backsight-tasks"
    service_account: str | None = "backsight-task"
    images: Mapping[str, str] = field(default_factory=dict)
    """`collector`, `trainer` -> image reference."""
    pull_policy: str = "IfNotPresent"
    secrets: tuple[str, ...] = ("backsight-s3",)
    """Secrets whose keys become variables of every task."""
    signing: str = "backsight-signing"
    """Secret with the files `model.key` and `model.pub`, which `promote` alone gets to see."""
    platform: str = "backsight-platform"
    """ConfigMap with MLFLOW_TRACKING_URI."""
    queues: bool = True
    """Whether Jobs carry Kueue's labels."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job: everything that its objects follow from."""

    job: Job
    number: int
    place: Place
    command: tuple[str, ...]
    """What the container runs; the spec is the file `SPEC_FOLDER/SPEC_FILE`."""

    @property
    def name(self) -> str:
        """Name of all its objects."""
        return f"{self.job.name}-{self.number}"

    @property
    def labels(self) -> dict[str, str]:
        """By these its objects are found."""
        owner = {OWNER_LABEL: self.job.owner} if self.job.owner else {}
        return {
            "app.kubernetes.io/name": "backsight-task",
            "app.kubernetes.io/part-of": "backsight",
            "app.kubernetes.io/component": self.job.spec.stage,
            JOB_LABEL: self.job.name,
            ATTEMPT_LABEL: str(self.number),
            STAGE_LABEL: self.job.spec.stage,
            **owner,
        }

    @property
    def resources(self) -> StageResources:
        """What each of its pods gets."""
        return self.job.resources

    @property
    def deadline(self) -> int:
        """Whole seconds of running after which the cluster ends it."""
        return max(1, round(self.job.deadline or self.resources.deadline_hours * 3600))

    @property
    def together(self) -> bool:
        """Whether its pods are the nodes of one training."""
        return self.resources.gang and self.resources.pods > 1


def record(attempt: Attempt, annotations: Mapping[str, str]) -> Manifest:
    """The ConfigMap that holds the spec. It outlives the Job, which it owns: deleting it deletes everything."""
    spec = attempt.job.spec.model_dump_json()
    if len(spec.encode()) > MOST_SPEC_BYTES:
        raise UsageError(
            f"The spec of {attempt.job.spec.stage} has {len(spec.encode())} bytes, a ConfigMap holds "
            f"{MOST_SPEC_BYTES}: name fewer scenes or hard views."
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**_metadata(attempt), "annotations": dict(annotations)},
        "immutable": True,
        "data": {SPEC_FILE: spec},
    }


def workload(attempt: Attempt, record_uid: str, jobset_served: bool) -> Manifest:
    """The Job or JobSet; owned by the record."""
    owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": attempt.name, "uid": record_uid}]
    made = _jobset(attempt) if attempt.together and jobset_served else _job(attempt)
    made["metadata"]["ownerReferences"] = owners
    return made


def meeting_point(attempt: Attempt, record_uid: str) -> Manifest:
    """The headless Service by which the pods of an Indexed Job find its first one."""
    owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": attempt.name, "uid": record_uid}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_metadata(attempt), "ownerReferences": owners},
        "spec": {
            "clusterIP": "None",
            # The ranks meet while their pods are not ready yet.
            "publishNotReadyAddresses": True,
            "selector": {JOB_LABEL: attempt.job.name, ATTEMPT_LABEL: str(attempt.number)},
            "ports": [{"name": "meeting", "port": MEETING_PORT, "targetPort": MEETING_PORT}],
        },
    }


def _metadata(attempt: Attempt, queued: bool = False) -> dict[str, Any]:
    queue = attempt.resources.queue if queued and attempt.place.queues else None
    labels = {**attempt.labels, **({KUEUE_QUEUE: queue} if queue else {})}
    return {"name": attempt.name, "namespace": attempt.place.namespace, "labels": labels}


def _job(attempt: Attempt) -> Manifest:
    """A plain Job for one pod, an Indexed Job for several."""
    spec = _job_spec(attempt)
    spec["ttlSecondsAfterFinished"] = KEPT_SECONDS
    if attempt.together:
        # Ranks cannot go on without one of them, and a Job cannot start all of them anew: the next attempt does.
        spec |= {"backoffLimit": 0, "podFailurePolicy": _policy(disrupted="FailJob")}
        meeting = f"{attempt.name}-0.{attempt.name}"
        spec["template"] = _template(attempt, meeting, subdomain=attempt.name)
    elif attempt.resources.pods > 1:
        del spec["backoffLimit"]
        spec |= {"backoffLimitPerIndex": attempt.resources.disruptions, "maxFailedIndexes": 0}
        spec["podFailurePolicy"] = _policy(disrupted="Count")
    else:
        spec["podFailurePolicy"] = _policy(disrupted="Count")
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(attempt, queued=True), "spec": spec}


def _job_spec(attempt: Attempt) -> dict[str, Any]:
    pods = attempt.resources.pods
    several = {"completionMode": "Indexed"} if pods > 1 else {}
    return {
        "parallelism": pods,
        "completions": pods,
        **several,
        # Each lost place may cost one restart; a task that fails by itself is not tried again, see _policy.
        "backoffLimit": attempt.resources.disruptions,
        "activeDeadlineSeconds": attempt.deadline,
        "podReplacementPolicy": "Failed",
        "template": _template(attempt),
    }


def _policy(disrupted: str) -> dict[str, Any]:
    """Rules in order: a disruption (eviction, preemption, a lost node) first, for its pods leave with a code too."""
    return {
        "rules": [
            {"action": disrupted, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "FailJob", "onExitCodes": {"containerName": CONTAINER, "operator": "NotIn", "values": [0]}},
        ]
    }


def _jobset(attempt: Attempt) -> Manifest:
    """Training over several nodes: all start anew when one is taken away, and a failure of their own ends them.

    Where its peers notice the loss, and leave, before the node that was taken away has ended, that counts as a failure.
    """
    inner = _job_spec(attempt)
    inner |= {
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": _policy(disrupted="FailJob")["rules"][:1]},
        "template": _template(attempt, f"{attempt.name}-{NODE}-0-0.{attempt.name}"),
    }
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": _metadata(attempt, queued=True),
        "spec": {
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "failurePolicy": {
                "maxRestarts": attempt.resources.disruptions,
                "restartStrategy": "BlockingRecreate",
                "rules": [
                    {"name": "disrupted", "action": "RestartJobSet", "onJobFailureReasons": ["PodFailurePolicy"]},
                    {"name": "failed", "action": "FailJobSet"},
                ],
            },
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "replicatedJobs": [
                {
                    "name": NODE,
                    "replicas": 1,
                    "template": {"metadata": {"labels": attempt.labels}, "spec": inner},
                }
            ],
        },
    }


def _template(attempt: Attempt, meeting: str | None = None, subdomain: str | None = None) -> dict[str, Any]:
    place, resources = attempt.place, attempt.resources
    optional: dict[str, Any] = {}
    if place.service_account:
        optional["serviceAccountName"] = place.service_account
    if resources.priority:
        optional["priorityClassName"] = resources.priority
    if resources.tolerations:
        optional["tolerations"] = [t.model_dump(exclude_none=True) for t in resources.tolerations]
    if resources.node_labels:
        optional["nodeSelector"] = dict(resources.node_labels)
    if subdomain:
        optional["subdomain"] = subdomain
    if resources.gang:
        optional["topologySpreadConstraints"] = [_one_a_node(attempt)]
    return {
        "metadata": {"labels": attempt.labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": resources.grace_seconds,
            "securityContext": POD_SECURITY,
            "containers": [_container(attempt, meeting)],
            "volumes": _volumes(attempt),
            **optional,
        },
    }


def _one_a_node(attempt: Attempt) -> dict[str, Any]:
    """Nodes of a training on machines of their own where there are enough."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {JOB_LABEL: attempt.job.name, ATTEMPT_LABEL: str(attempt.number)}},
    }


def _container(attempt: Attempt, meeting: str | None) -> dict[str, Any]:
    limits = _limits(attempt.resources)
    least = min(attempt.resources.least_cpu or attempt.resources.cpu, attempt.resources.cpu)
    return {
        "name": CONTAINER,
        "image": _image(attempt),
        "imagePullPolicy": attempt.place.pull_policy,
        "command": list(attempt.command),
        "workingDir": HOME,
        "env": [{"name": name, "value": value} for name, value in _variables(attempt, meeting).items()]
        + [_from_config_map(attempt.place.platform, "MLFLOW_TRACKING_URI")],
        "envFrom": _secrets(attempt),
        "resources": {"requests": {**limits, "cpu": _millicores(least)}, "limits": limits},
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            *([{"name": "keys", "mountPath": KEYS_FOLDER, "readOnly": True}] if _signs(attempt) else []),
            {"name": "spec", "mountPath": SPEC_FOLDER, "readOnly": True},
            {"name": "home", "mountPath": HOME},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }


def _image(attempt: Attempt) -> str:
    kind = attempt.resources.image
    image = attempt.place.images.get(kind)
    if not image:
        raise UsageError(
            f"No image is named for {attempt.job.spec.stage}: set BACKSIGHT_LAUNCH_IMAGE_{kind.upper()} to the "
            f"{kind}'s image, by its digest."
        )
    return image


def _variables(attempt: Attempt, meeting: str | None) -> dict[str, str]:
    """The task's plain variables. Raises `UsageError` for one that looks like a secret: those come by reference."""
    if secret := next((name for name in attempt.job.environment if SECRET_NAME.search(name)), None):
        raise UsageError(
            f"{secret} looks like a secret and would stand readable in the cluster's objects: put it into the Secret "
            f"{attempt.place.secrets[0] if attempt.place.secrets else 'of the tasks'} instead."
        )
    pods = attempt.resources.pods
    own = {**SURROUNDINGS, "BACKSIGHT_HOME": f"{HOME}/state"}
    if _signs(attempt):
        own |= {name: f"{KEYS_FOLDER}/{file}" for name, file in KEY_FILES.items()}
    if attempt.resources.gpus and attempt.job.spec.task == "collect":
        own["BACKSIGHT_HABITAT_GPU"] = "0"  # the one that the pod was given; habitat-sim would draw on the CPU
    if meeting:
        own |= {"BACKSIGHT_NODES": str(pods), "MASTER_ADDR": meeting, "MASTER_PORT": str(MEETING_PORT)}
    elif pods > 1:
        own["BACKSIGHT_SHARES"] = str(pods)
    return {**attempt.job.environment, **own}


def _from_config_map(name: str, key: str) -> dict[str, Any]:
    return {"name": key, "valueFrom": {"configMapKeyRef": {"name": name, "key": key, "optional": True}}}


def _secrets(attempt: Attempt) -> list[dict[str, Any]]:
    return [{"secretRef": {"name": name}} for name in attempt.place.secrets]


def _limits(resources: StageResources) -> dict[str, str]:
    limits = {
        "cpu": _millicores(resources.cpu),
        "memory": mebibytes(resources.memory_gib),
        "ephemeral-storage": mebibytes(resources.scratch_gib),
    }
    return {**limits, GPU: str(resources.gpus)} if resources.gpus else limits


def _millicores(cores: float) -> str:
    return f"{round(cores * 1000)}m"


def mebibytes(gib: float) -> str:
    """A quantity as Kubernetes writes it."""
    return f"{round(gib * 1024)}Mi"


def _signs(attempt: Attempt) -> bool:
    """Whether its task signs what it publishes for use."""
    return attempt.job.spec.task == "promote"


def _volumes(attempt: Attempt) -> list[dict[str, Any]]:
    resources = attempt.resources
    # Readable for the task's group: a volume of a Secret belongs to root.
    keys = {"name": "keys", "secret": {"secretName": attempt.place.signing, "defaultMode": 0o440}}
    return [
        *([keys] if _signs(attempt) else []),
        {"name": "spec", "configMap": {"name": attempt.name}},
        {"name": "home", "emptyDir": {"sizeLimit": mebibytes(resources.scratch_gib)}},
        {"name": "tmp", "emptyDir": {"sizeLimit": mebibytes(resources.scratch_gib)}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": mebibytes(resources.shm_gib)}},
    ]
