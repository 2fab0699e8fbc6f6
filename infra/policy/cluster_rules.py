"""Rules on what stands around pods: rights, walls, and whether names that are spoken of exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.policy.manifests import CLUSTER_WIDE, Manifest, Pods, instance_labels, pods, title

PLANNED = {
    ("backsight", "Secret"): [
        "backsight-s3",
        "backsight-prefect",
        "backsight-redis",
        "postgres-superuser",
        "postgres-prefect",
        "postgres-mlflow",
    ],
    ("backsight-tasks", "Secret"): ["backsight-s3", "backsight-signing"],
}
"""What is made outside the manifests: `python -m infra.cluster.secrets` makes these."""
OTHERS_MAKE = ("prefect.io/flow-run-id",)
"""Labels of pods that no manifest shows: Prefect's worker makes flow runs."""


def least_rights(manifests: list[Manifest]) -> Iterator[str]:
    """No rights without bounds, on secrets, to run commands in pods, or to widen one's own rights."""
    for manifest in manifests:
        if manifest["kind"] in ("Role", "ClusterRole"):
            for rule in manifest.get("rules", []):
                yield from (f"{title(manifest)}: {reason}" for reason in excessive(rule))
        if manifest["kind"].endswith("RoleBinding"):
            if manifest["roleRef"]["name"] in ("cluster-admin", "admin", "edit"):
                yield f"{title(manifest)}: binds {manifest['roleRef']['name']}"
            for subject in manifest.get("subjects", []):
                if subject["kind"] != "ServiceAccount":
                    yield f"{title(manifest)}: gives rights to {subject['kind']} {subject['name']}"


def excessive(rule: Mapping[str, Any]) -> Iterator[str]:
    """Why a rule allows too much."""
    resources, verbs = rule.get("resources", []), rule.get("verbs", [])
    if "*" in [*rule.get("apiGroups", []), *resources, *verbs]:
        yield "has a wildcard"
    for resource in resources:
        if resource in (
            "secrets",
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "serviceaccounts/token",
            "nodes/proxy",
        ):
            yield f"gives {resource}"
    for verb in ("escalate", "bind", "impersonate"):
        if verb in verbs:
            yield f"may {verb}"


def no_idle_tokens(manifests: list[Manifest]) -> Iterator[str]:
    """A pod always has an account of its own, and its token of the cluster's API only where that has rights."""
    bound = {
        (subject.get("namespace"), subject["name"])
        for manifest in manifests
        if manifest["kind"].endswith("RoleBinding")
        for subject in manifest.get("subjects", [])
    }
    for group in pods(manifests):
        account = group.spec.get("serviceAccountName", "default")
        if account == "default":
            yield f"{group.where()}: has no service account of its own"
        if group.spec.get("automountServiceAccountToken") is None:
            yield f"{group.where()}: does not say automountServiceAccountToken"
        elif group.spec["automountServiceAccountToken"] and (group.namespace, account) not in bound:
            yield f"{group.where()}: mounts a token of {account}, which has no rights"


def walled(manifests: list[Manifest]) -> Iterator[str]:
    """Namespaces are `restricted`, and closed to traffic but for what is allowed."""
    for manifest in manifests:
        if manifest["kind"] == "Namespace":
            labels = manifest["metadata"].get("labels", {})
            for mode in ("enforce", "warn", "audit"):
                if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                    yield f"{title(manifest)}: pod-security.kubernetes.io/{mode} is not restricted"
            if not any(denies_all(other, manifest["metadata"]["name"]) for other in manifests):
                yield f"{title(manifest)}: has no NetworkPolicy that denies all ingress and egress"


def denies_all(manifest: Manifest, namespace: str) -> bool:
    """Whether a manifest closes a namespace both ways."""
    if manifest["kind"] != "NetworkPolicy" or manifest["metadata"].get("namespace") != namespace:
        return False
    spec = manifest["spec"]
    both = set(spec.get("policyTypes", [])) == {"Ingress", "Egress"}
    return spec["podSelector"] == {} and both and not spec.get("ingress") and not spec.get("egress")


def placed(manifests: list[Manifest]) -> Iterator[str]:
    """Objects name their namespace, which is one of those that are made here, and none is there twice."""
    made = {m["metadata"]["name"] for m in manifests if m["kind"] == "Namespace"}
    seen = set()
    for manifest in manifests:
        namespace = manifest["metadata"].get("namespace")
        if manifest["kind"] not in CLUSTER_WIDE and namespace not in made:
            yield f"{title(manifest)}: its namespace {namespace or '(none)'} is not made here"
        if (title(manifest)) in seen:
            yield f"{title(manifest)}: is there twice"
        seen.add(title(manifest))


def closed_services(manifests: list[Manifest]) -> Iterator[str]:
    """No Service opens a port to the world: a gateway does, where one is wanted."""
    for manifest in manifests:
        if manifest["kind"] == "Service" and manifest["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{title(manifest)}: is a {manifest['spec']['type']}"


def selectors_meet(manifests: list[Manifest]) -> Iterator[str]:
    """Services, budgets and policies select pods that exist, and Services name ports that those have."""
    groups = list(pods(manifests))
    for manifest in manifests:
        kind, spec = manifest["kind"], manifest.get("spec", {})
        if kind == "Service" and spec.get("selector"):
            yield from service_meets(
                manifest, [g for g in groups if matches({"matchLabels": spec["selector"]}, g, manifest)]
            )
        if kind == "PodDisruptionBudget" and not any(matches(spec["selector"], g, manifest) for g in groups):
            yield f"{title(manifest)}: selects no pod"
        if kind == "NetworkPolicy" and not selects_some(spec["podSelector"], groups, manifest, manifests):
            yield f"{title(manifest)}: selects no pod"
        if kind in ("Deployment", "StatefulSet", "DaemonSet") and not any(
            matches(spec["selector"], g, manifest) for g in groups if g.owner is manifest
        ):
            yield f"{title(manifest)}: its selector does not select its own pods"


def service_meets(service: Manifest, chosen: list[Pods]) -> Iterator[str]:
    """Whether a Service leads anywhere."""
    if not chosen:
        yield f"{title(service)}: selects no pod"
    for port in service["spec"].get("ports", []) if chosen else ():
        target = port.get("targetPort", port["port"])
        open_ports = [p for g in chosen for c in g.spec["containers"] for p in c.get("ports", [])]
        if not any(target in (p.get("name"), p["containerPort"]) for p in open_ports):
            yield f"{title(service)}: no container has its port {target}"


def matches(selector: Mapping[str, Any], group: Pods, manifest: Manifest) -> bool:
    """Whether a selector of a manifest selects some pods."""
    return group.namespace == manifest["metadata"].get("namespace") and meets(selector, group.labels)


def meets(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels meet a selector."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for expression in selector.get("matchExpressions", []):
        value = labels.get(expression["key"])
        if expression["operator"] == "Exists" and value is None:
            return False
        if expression["operator"] == "In" and value not in expression["values"]:
            return False
    return True


def selects_some(selector: Mapping[str, Any], groups: list[Pods], policy: Manifest, manifests: list[Manifest]) -> bool:
    """Whether a policy is about something: our pods, all pods, flow runs, or the pods of a database cluster."""
    if not selector or any(e["key"] in OTHERS_MAKE for e in selector.get("matchExpressions", [])):
        return True
    if any(meets(selector, instance_labels(m)) for m in manifests if m["kind"] == "Cluster"):
        return True
    return any(matches(selector, group, policy) for group in groups)


def known_names(manifests: list[Manifest]) -> Iterator[str]:
    """ConfigMaps, Secrets, accounts, claims, priorities and roles that are spoken of are there."""
    there = {(m["metadata"].get("namespace"), m["kind"], m["metadata"]["name"]) for m in manifests}
    planned = {(namespace, kind, name) for (namespace, kind), names in PLANNED.items() for name in names}
    external = {
        (m["metadata"]["namespace"], "Secret", m["spec"]["target"]["name"])
        for m in manifests
        if m["kind"] == "ExternalSecret"
    }
    for owner, wanted in spoken_of(manifests):
        # Where secrets come from a manager, it must bring them all: the script is not run there.
        others = (external or planned) if wanted[1] == "Secret" else set()
        if wanted not in there and wanted not in others:
            yield f"{owner}: {wanted[1]} {wanted[2]} is not there"


def spoken_of(manifests: list[Manifest]) -> Iterator[tuple[str, tuple[str | None, str, str]]]:
    """(who, (namespace, kind, name)) of every reference."""
    for group in pods(manifests):
        where, namespace = group.where(), group.namespace
        if name := group.spec.get("serviceAccountName"):
            yield where, (namespace, "ServiceAccount", name)
        if name := group.spec.get("priorityClassName"):
            yield where, (None, "PriorityClass", name)
        for volume in group.spec.get("volumes", []):
            if "persistentVolumeClaim" in volume:
                yield where, (namespace, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
        for container in group.containers():
            for kind, name in references(container):
                yield group.where(container), (namespace, kind, name)
    for manifest in manifests:
        if manifest["kind"].endswith("RoleBinding"):
            reference = manifest["roleRef"]
            namespace_of_role = None if reference["kind"] == "ClusterRole" else manifest["metadata"].get("namespace")
            yield title(manifest), (namespace_of_role, reference["kind"], reference["name"])


def references(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(kind, name) of what a container's environment comes from, unless it is optional."""
    kinds = {
        "configMapKeyRef": "ConfigMap",
        "secretKeyRef": "Secret",
        "configMapRef": "ConfigMap",
        "secretRef": "Secret",
    }
    sources = [v["valueFrom"] for v in container.get("env", []) if "valueFrom" in v]
    for source in [*sources, *container.get("envFrom", [])]:
        for key, reference in source.items():
            if key in kinds and not reference.get("optional"):
                yield kinds[key], reference["name"]
