"""Rendered manifests: how they are got, and the views on them that rules need."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import BacksightError

Manifest = dict[str, Any]

TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Kind -> where its pods' template lies."""
CLUSTER_WIDE = frozenset(
    {
        "Namespace",
        "PriorityClass",
        "ClusterRole",
        "ClusterRoleBinding",
        "ResourceFlavor",
        "ClusterQueue",
        "WorkloadPriorityClass",
    }
)


@dataclass(frozen=True)
class Pods:
    """A template from which something makes pods."""

    owner: Manifest
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def namespace(self) -> str:
        """Where the pods live."""
        return str(self.owner["metadata"].get("namespace", ""))

    @property
    def serves(self) -> bool:
        """Whether it runs until it is stopped."""
        return self.owner["kind"] in ("Deployment", "StatefulSet", "DaemonSet")

    def containers(self) -> list[dict[str, Any]]:
        """Its containers, those that run first included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    def where(self, container: dict[str, Any] | None = None) -> str:
        """Its name for a person."""
        return title(self.owner) + (f", container {container['name']}" if container else "")


def instance_labels(cluster: Manifest) -> dict[str, str]:
    """The labels of CloudNativePG's pods; what a Cluster lets them inherit its jobs do not get."""
    return {"cnpg.io/cluster": str(cluster["metadata"]["name"])}


def title(manifest: Manifest) -> str:
    """`Deployment backsight/prefect`."""
    metadata = manifest.get("metadata", {})
    place = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{manifest.get('kind')} {place}{metadata.get('name')}"


def pods(manifests: list[Manifest]) -> Iterator[Pods]:
    """Every template of pods in some manifests, those of a JobSet included."""
    for manifest in manifests:
        for found in templates(manifest):
            yield Pods(manifest, found.get("metadata", {}).get("labels", {}), found["spec"])


def templates(manifest: Manifest) -> list[dict[str, Any]]:
    """The templates in one manifest."""
    kind = manifest.get("kind")
    if kind == "Pod":
        return [manifest]
    if kind == "JobSet":
        return [job["template"]["spec"]["template"] for job in manifest["spec"]["replicatedJobs"]]
    if kind not in TEMPLATES:
        return []
    found = manifest
    for step in TEMPLATES[kind]:
        found = found[step]
    return [found]


def render(folder: Path) -> list[Manifest]:
    """What `kubectl kustomize` makes of an overlay."""
    import yaml

    if shutil.which("kubectl") is None:
        raise BacksightError("kubectl is not installed, so the manifests cannot be rendered.")
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise BacksightError(f"{folder} does not render: {' '.join(done.stderr.split())}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [manifest for manifest in yaml.load_all(done.stdout, loader) if manifest]
