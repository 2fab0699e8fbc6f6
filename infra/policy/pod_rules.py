"""Rules on pods: images, rights, resources, probes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from infra.policy.manifests import Manifest, Pods, pods, title

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
"""What Pod Security `restricted` allows."""
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|AUTH_STRING|PRIVATE_KEY")
NAMES_A_SECRET = re.compile(r"_SECRET_(NAME|KEY)$")
"""Variables that say where a secret lies, not what it is."""


def images(manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    """(where, reference) of every image, those of database clusters included."""
    for group in pods(manifests):
        for container in group.containers():
            yield group.where(container), str(container.get("image", ""))
    for manifest in manifests:
        if name := manifest.get("spec", {}).get("imageName"):
            yield title(manifest), name
        for key, value in manifest.get("data", {}).items() if manifest["kind"] == "ConfigMap" else ():
            if key.startswith("BACKSIGHT_LAUNCH_IMAGE_"):
                yield f"{title(manifest)}, {key}", value


def no_latest(manifests: list[Manifest]) -> Iterator[str]:
    """An image without a version is another one tomorrow."""
    for where, image in images(manifests):
        tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
        if not DIGEST.search(image) and tag in ("", "latest"):
            yield f"{where}: image {image or '(none)'} has no version: give a tag other than latest, or a digest"


def by_digest(manifests: list[Manifest]) -> Iterator[str]:
    """In production an image is what its digest says, whoever moves its tag."""
    for where, image in images(manifests):
        if not DIGEST.search(image):
            yield f"{where}: image {image} is not named by its digest"


def no_bitnami(manifests: list[Manifest]) -> Iterator[str]:
    """Bitnami's images moved away in August 2025: what still pulls is old."""
    for where, image in images(manifests):
        if "bitnami" in image.lower():
            yield f"{where}: image {image} is Bitnami's, which gets no updates"


def unprivileged(manifests: list[Manifest]) -> Iterator[str]:
    """Nothing runs privileged, or with the node's namespaces, paths or ports."""
    for group in pods(manifests):
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if group.spec.get(field):
                yield f"{group.where()}: {field} shares the node's"
        for volume in group.spec.get("volumes", []):
            if kinds := set(volume) - {"name"} - VOLUMES:
                yield f"{group.where()}: volume {volume['name']} is a {kinds.pop()}"
        for container in group.containers():
            context = container.get("securityContext", {})
            if context.get("privileged"):
                yield f"{group.where(container)}: is privileged"
            if any("hostPort" in port for port in container.get("ports", [])):
                yield f"{group.where(container)}: takes a port of the node"


def restricted(manifests: list[Manifest]) -> Iterator[str]:
    """Pod Security `restricted`, and no writing to the image."""
    for group in pods(manifests):
        whole = group.spec.get("securityContext", {})
        if not whole.get("runAsNonRoot") or whole.get("runAsUser", 1) == 0:
            yield f"{group.where()}: securityContext.runAsNonRoot is not set"
        if whole.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield f"{group.where()}: securityContext.seccompProfile is not RuntimeDefault"
        for container in group.containers():
            yield from lax(group, container)


def lax(group: Pods, container: dict[str, Any]) -> Iterator[str]:
    """What one container is allowed too much."""
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{group.where(container)}: allowPrivilegeEscalation is not false"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context.get("capabilities", {}).get("add"):
        yield f"{group.where(container)}: capabilities do not drop ALL"
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{group.where(container)}: readOnlyRootFilesystem is not true: give it an emptyDir for what it writes"
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield f"{group.where(container)}: runs as root"


def bounded(manifests: list[Manifest]) -> Iterator[str]:
    """Every container asks for what it needs and has a limit of memory and disk; emptyDirs have a size."""
    for group in pods(manifests):
        for container in group.containers():
            resources = container.get("resources", {})
            lacking = [f"requests.{name}" for name in ("cpu", "memory") if name not in resources.get("requests", {})]
            lacking += [
                f"limits.{name}" for name in ("memory", "ephemeral-storage") if name not in resources.get("limits", {})
            ]
            if lacking:
                yield f"{group.where(container)}: lacks {', '.join(lacking)}"
        for volume in group.spec.get("volumes", []):
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                yield f"{group.where()}: emptyDir {volume['name']} has no sizeLimit"


def probed(manifests: list[Manifest]) -> Iterator[str]:
    """What serves says when it is ready; who answers over HTTP also says that it lives."""
    for group in pods(manifests):
        for container in group.spec["containers"] if group.serves else ():
            if "readinessProbe" not in container:
                yield f"{group.where(container)}: has no readinessProbe"
            if container.get("ports") and "livenessProbe" not in container:
                yield f"{group.where(container)}: has no livenessProbe"


def ending(manifests: list[Manifest]) -> Iterator[str]:
    """A Job ends, one way or the other, and goes away."""
    for manifest in manifests:
        if manifest["kind"] in ("Job", "CronJob"):
            of_cron = manifest["kind"] == "CronJob"
            spec = manifest["spec"]["jobTemplate"]["spec"] if of_cron else manifest["spec"]
            wanted = ("activeDeadlineSeconds", *(() if of_cron else ("ttlSecondsAfterFinished",)))
            for field in wanted:
                if field not in spec:
                    yield f"{title(manifest)}: {field} is not set"


def no_literal_secrets(manifests: list[Manifest]) -> Iterator[str]:
    """Secrets come by reference: neither Secret objects nor values of variables stand in a manifest."""
    for manifest in manifests:
        if manifest["kind"] == "Secret":
            yield f"{title(manifest)}: a Secret in a manifest is no secret"
    for group in pods(manifests):
        for container in group.containers():
            for variable in container.get("env", []):
                name = variable["name"]
                if SECRET_NAME.search(name) and not NAMES_A_SECRET.search(name) and "value" in variable:
                    yield f"{group.where(container)}: {name} has its value in the manifest: use secretKeyRef"


def unique_names(manifests: list[Manifest]) -> Iterator[str]:
    """Names that occur twice: the server warns, and the last one wins silently."""
    for group in pods(manifests):
        yield from twice(group.where(), "container", [container["name"] for container in group.containers()])
        yield from twice(group.where(), "volume", [volume["name"] for volume in group.spec.get("volumes", [])])
        for container in group.containers():
            where = group.where(container)
            ports = container.get("ports", [])
            yield from twice(where, "variable", [variable["name"] for variable in container.get("env", [])])
            yield from twice(where, "mount", [mount["mountPath"] for mount in container.get("volumeMounts", [])])
            yield from twice(where, "port", [f"{p['containerPort']}/{p.get('protocol', 'TCP')}" for p in ports])
            yield from twice(where, "port", [p["name"] for p in ports if "name" in p])


def twice(where: str, what: str, names: list[str]) -> Iterator[str]:
    """A sentence for each name that occurs more than once."""
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where}: {what} {name} occurs twice"
