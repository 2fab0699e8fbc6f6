"""Every rule has a manifest that breaks it, and the same manifest without the fault breaks nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.policy.check import PRODUCTION, RULES, broken

GOOD: list[dict[str, Any]] = list(yaml.safe_load_all((Path(__file__).parent / "good.yaml").read_text()))

Fault = Callable[[dict[str, dict[str, Any]]], None]


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    first: dict[str, Any] = pod(objects)["containers"][0]
    return first


GONE = {"matchLabels": {"app": "gone"}}
BUDGET = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"minAvailable": 1, "selector": GONE}}

FAULTS: list[tuple[str, str, Fault]] = [
    ("no-latest", "no version", lambda o: container(o).update(image="backsight/flow:latest")),
    ("no-latest", "no version", lambda o: container(o).update(image="registry.example.com:5000/backsight/flow")),
    ("no-bitnami", "Bitnami", lambda o: container(o).update(image="docker.io/bitnami/redis:7.2")),
    ("by-digest", "digest", lambda o: container(o).update(image="backsight/flow:0.1.0")),
    ("by-digest", "digest", lambda o: o["ConfigMap"]["data"].update(BACKSIGHT_LAUNCH_IMAGE_TRAINER="trainer:1")),
    ("unprivileged", "privileged", lambda o: container(o)["securityContext"].update(privileged=True)),
    ("unprivileged", "hostNetwork", lambda o: pod(o).update(hostNetwork=True)),
    ("unprivileged", "hostPath", lambda o: pod(o)["volumes"].append({"name": "n", "hostPath": {"path": "/"}})),
    ("unprivileged", "port of the node", lambda o: container(o)["ports"][0].update(hostPort=80)),
    ("restricted", "runAsNonRoot", lambda o: pod(o)["securityContext"].pop("runAsNonRoot")),
    ("restricted", "runAsNonRoot", lambda o: pod(o)["securityContext"].update(runAsUser=0)),
    ("restricted", "seccompProfile", lambda o: pod(o)["securityContext"].pop("seccompProfile")),
    ("restricted", "Escalation", lambda o: container(o)["securityContext"].pop("allowPrivilegeEscalation")),
    ("restricted", "capabilities", lambda o: container(o)["securityContext"]["capabilities"].update(add=["NET_ADMIN"])),
    ("restricted", "readOnly", lambda o: container(o)["securityContext"].update(readOnlyRootFilesystem=False)),
    ("restricted", "as root", lambda o: container(o)["securityContext"].update(runAsUser=0)),
    ("bounded", "limits.memory", lambda o: container(o)["resources"]["limits"].pop("memory")),
    ("bounded", "requests.cpu", lambda o: container(o).pop("resources")),
    ("bounded", "sizeLimit", lambda o: pod(o)["volumes"][0].update(emptyDir={})),
    ("probed", "readinessProbe", lambda o: container(o).pop("readinessProbe")),
    ("probed", "livenessProbe", lambda o: container(o).pop("livenessProbe")),
    ("ending", "activeDeadlineSeconds", lambda o: o["Job"]["spec"].pop("activeDeadlineSeconds")),
    ("ending", "ttlSecondsAfterFinished", lambda o: o["Job"]["spec"].pop("ttlSecondsAfterFinished")),
    ("no-literal-secrets", "PASSWORD", lambda o: container(o)["env"].append({"name": "PASSWORD", "value": "x"})),
    ("no-literal-secrets", "no secret", lambda o: o["ConfigMap"].update(kind="Secret", data={})),
    ("unique-names", "twice", lambda o: container(o)["env"].append(dict(container(o)["env"][0]))),
    ("unique-names", "twice", lambda o: container(o)["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"})),
    ("least-rights", "wildcard", lambda o: o["Role"]["rules"][0].update(verbs=["*"])),
    ("least-rights", "secrets", lambda o: o["Role"]["rules"][0].update(resources=["secrets"], apiGroups=[""])),
    ("least-rights", "escalate", lambda o: o["Role"]["rules"][0]["verbs"].append("escalate")),
    ("least-rights", "cluster-admin", lambda o: o["RoleBinding"]["roleRef"].update(name="cluster-admin")),
    ("least-rights", "pods/exec", lambda o: o["Role"]["rules"][0].update(resources=["pods/exec"], apiGroups=[""])),
    (
        "least-rights",
        "Group",
        lambda o: o["RoleBinding"]["subjects"].append({"kind": "Group", "name": "system:masters"}),
    ),
    ("no-idle-tokens", "no rights", lambda o: o["RoleBinding"].update(subjects=[])),
    ("no-idle-tokens", "does not say", lambda o: pod(o).pop("automountServiceAccountToken")),
    ("no-idle-tokens", "of its own", lambda o: pod(o).update(serviceAccountName="default")),
    ("walled", "enforce", lambda o: o["Namespace"]["metadata"]["labels"].clear()),
    ("walled", "denies all", lambda o: o["NetworkPolicy"]["spec"].update(policyTypes=["Ingress"])),
    ("placed", "(none)", lambda o: o["Service"]["metadata"].pop("namespace")),
    ("placed", "elsewhere", lambda o: o["Service"]["metadata"].update(namespace="elsewhere")),
    ("closed-services", "LoadBalancer", lambda o: o["Service"]["spec"].update(type="LoadBalancer")),
    ("services-reached", "Service worker", lambda o: o["Service"]["spec"].update(selector={"tier": "back"})),
    ("selectors-meet", "selects no pod", lambda o: o["Service"]["spec"].update(selector={"app": "gone"})),
    ("selectors-meet", "port", lambda o: o["Service"]["spec"]["ports"][0].update(targetPort="gone")),
    ("selectors-meet", "own pods", lambda o: o["Deployment"]["spec"]["selector"]["matchLabels"].update(app="gone")),
    ("selectors-meet", "NetworkPolicy", lambda o: o["NetworkPolicy"]["spec"].update(podSelector=GONE)),
    ("selectors-meet", "Budget", lambda o: o["Service"].update(BUDGET)),
    ("known-names", "gone", lambda o: container(o)["envFrom"].append({"configMapRef": {"name": "gone"}})),
    ("known-names", "gone", lambda o: pod(o).update(priorityClassName="gone")),
    ("known-names", "gone", lambda o: o["RoleBinding"]["roleRef"].update(name="gone")),
    (
        "known-names",
        "gone",
        lambda o: pod(o)["volumes"].append({"name": "v", "persistentVolumeClaim": {"claimName": "gone"}}),
    ),
    ("valid", "unknown", lambda o: container(o).update(unknownField=1)),
    ("valid", "replicas", lambda o: o["Deployment"]["spec"].update(replicas="two")),
    ("valid", "selector", lambda o: o["Deployment"]["spec"].pop("selector")),
    ("valid", "no kind", lambda o: o["Role"].update(apiVersion="rbac.authorization.k8s.io/v1beta1")),
    ("valid", "parallelism", lambda o: pod(o).update(parallelism=1)),
    ("valid", "cohort", lambda o: o["ClusterQueue"]["spec"].update(cohort="old name")),
]


def test_what_is_good_breaks_nothing() -> None:
    assert broken(GOOD, production=True) == []


@pytest.mark.parametrize(("rule", "word", "fault"), FAULTS, ids=[f"{f[0]}-{i}" for i, f in enumerate(FAULTS)])
def test_a_fault_is_found_by_its_rule(rule: str, word: str, fault: Fault) -> None:
    objects = copy.deepcopy(GOOD)
    fault({found["kind"]: found for found in objects})
    problems = broken(objects, production=True)
    assert any(problem.startswith(f"{rule}: ") and word in problem for problem in problems), problems


def test_every_rule_has_a_fault() -> None:
    assert {rule for rule, _, _ in FAULTS} == {*RULES, *PRODUCTION, "valid"}
