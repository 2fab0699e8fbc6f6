"""The work pool of each profile: its type, and the template by which its worker starts flow runs. Pure data."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.launch.restricted import CONTAINER_SECURITY, POD_SECURITY
from flows.launch.settings import LaunchSettings, Profile
from infra.local.prefect_worker import POOL
from tasks.errors import UsageError

ENGINE = "-m prefect.engine"
"""With a command of its own the worker starts the engine at once, not a first process that resolves a workspace."""

SERVICES = "backsight"
"""Namespace of the platform's own services and of the flow runs."""

SOCKET = "/var/run/docker.sock"


@dataclass(frozen=True)
class WorkPool:
    """A pool as Prefect's server knows it, and what deployments add for its flow runs."""

    name: str
    type: str
    template: dict[str, Any] | None = None
    """None = made and kept by somebody else (`backsight up`)."""
    job_variables: Mapping[str, Any] = field(default_factory=dict)


def pool_of(settings: LaunchSettings, home: Path) -> WorkPool:
    """The pool of the settings' profile; a `UsageError` where the flow runs' image is not named."""
    match settings.profile:
        case Profile.LOCAL:
            return WorkPool(POOL, "process", None, {"command": f"{sys.executable} -m flows.engine"})
        case Profile.CONTAINER:
            image = _flow_image(settings)
            variables = {**settings.variables(), "BACKSIGHT_HOME": str(home)}
            started = {"image": image, "command": f"python {ENGINE}", "env": variables}
            return WorkPool("container", "docker", docker_template(home), started)
        case Profile.CLUSTER:
            # The worker's own command lets go of a run whose pod is moved, and another pod takes it up again.
            started = {"image": _flow_image(settings), "env": settings.variables()}
            return WorkPool("cluster", "kubernetes", kubernetes_template(), started)


def _flow_image(settings: LaunchSettings) -> str:
    missing = [k for k in ("flow", "collector", "trainer") if getattr(settings, f"image_{k}") is None]
    if missing or settings.image_flow is None:
        variables = " and ".join(f"BACKSIGHT_LAUNCH_IMAGE_{kind.upper()}" for kind in missing)
        raise UsageError(f"The profile {settings.profile} needs its images by name: set {variables}.")
    return settings.image_flow


def _variables(**properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of what a deployment or a run may set, with what every worker's configuration has."""
    common = {
        "name": {"type": "string", "title": "Name"},
        "command": {"type": "string", "title": "Command"},
        "env": {"type": "object", "title": "Environment", "additionalProperties": {"type": "string"}},
        "labels": {"type": "object", "title": "Labels", "additionalProperties": {"type": "string"}},
        "image": {"type": "string", "title": "Image"},
    }
    return {"type": "object", "properties": {**common, **properties}, "required": ["image"]}


CONFIGURED = {name: "{{ %s }}" % name for name in ("command", "env", "labels", "name")}  # noqa: UP031  braces are Prefect's


def kubernetes_template() -> dict[str, Any]:
    """Flow runs as Jobs: they only launch and watch, so they are small; one whose node is lost is started again."""
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "{{ name }}-", "namespace": SERVICES, "labels": "{{ labels }}"},
        "spec": {
            "backoffLimit": 2,
            "ttlSecondsAfterFinished": 3600,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "Count", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": "prefect-job", "operator": "NotIn", "values": [0]},
                    },
                ]
            },
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": "backsight-flow-run"}},
                "spec": _flow_pod(),
            },
        },
    }
    return {
        "job_configuration": {
            **CONFIGURED,
            "namespace": SERVICES,
            "job_manifest": manifest,
            "pod_watch_timeout_seconds": 300,
            "stream_output": False,
        },
        "variables": _variables(),
    }


def _flow_pod() -> dict[str, Any]:
    limits = {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"}
    return {
        "restartPolicy": "Never",
        # Prefect's worker refuses a template without these two here, where Kubernetes does not look at them.
        "completions": 1,
        "parallelism": 1,
        "serviceAccountName": "backsight-flow",
        "priorityClassName": "backsight-flow",
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        # A cancelled run ends its stage first, which has up to 120 s to save its work.
        "terminationGracePeriodSeconds": 150,
        "securityContext": POD_SECURITY,
        "containers": [
            {
                "name": "prefect-job",
                "image": "{{ image }}",
                "imagePullPolicy": "IfNotPresent",
                "args": "{{ command }}",
                "env": "{{ env }}",
                "envFrom": [
                    {"configMapRef": {"name": "backsight-platform"}},
                    {"secretRef": {"name": "backsight-s3"}},
                ],
                "resources": {"requests": {**limits, "cpu": "200m", "memory": "512Mi"}, "limits": limits},
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
    }


def docker_template(home: Path) -> dict[str, Any]:
    """Flow runs as containers of this machine, with its network, its stack's addresses, and the engine's socket."""
    socket = Path(SOCKET)
    groups = [str(socket.stat().st_gid)] if socket.exists() else []
    return {
        "job_configuration": {
            **CONFIGURED,
            "image": "{{ image }}",
            "network_mode": "host",
            "auto_remove": True,
            "stream_output": True,
            "image_pull_policy": "IfNotPresent",
            "mem_limit": "1g",
            "volumes": [f"{home}:{home}", f"{SOCKET}:{SOCKET}"],
            "container_create_kwargs": {
                # As whoever owns the home, whose secrets nobody else may read.
                "user": f"{os.getuid()}:{os.getgid()}",
                "group_add": groups,
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges"],
            },
        },
        "variables": _variables(),
    }
