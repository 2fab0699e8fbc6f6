"""The overlays as they render, and what launchers make, under the same rules."""

from __future__ import annotations

import re
import shutil
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.launch.resources import read_table
from flows.pools import kubernetes_template
from infra.cluster.secrets import missing
from infra.policy import __main__ as command
from infra.policy.check import broken
from infra.policy.cluster_rules import PLANNED
from infra.policy.derive import KINDS
from infra.policy.manifests import CLUSTER_WIDE, Manifest, pods, render
from infra.policy.pod_rules import images

HOUSE = Path(__file__).parents[3]
OVERLAYS = HOUSE / "infra" / "kubernetes" / "overlays"

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl, which renders the overlays, is not installed here"
)


@cache
def rendered(name: str) -> list[Manifest]:
    return render(OVERLAYS / name)


@needs_kubectl
@pytest.mark.parametrize("name", ["kind", "production"])
def test_overlays_break_no_rule(name: str) -> None:
    assert broken(rendered(name), production=name == "production") == []


@needs_kubectl
def test_kind_needs_no_extension_and_nothing_from_outside() -> None:
    groups = {manifest["apiVersion"].rpartition("/")[0] for manifest in rendered("kind")}
    assert all(group == "" or group.endswith("k8s.io") or "." not in group for group in groups)
    version = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]["version"]
    assert {image for _, image in images(rendered("kind"))} == {
        f"backsight/{name}:{version}" for name in ("flow", "services", "collector", "trainer")
    }


@needs_kubectl
def test_a_small_night_fits_a_kind_node_of_four_cores_and_sixteen_gibibytes() -> None:
    """All services, the night's flow run, its stage's flow run and the stage, besides the cluster's own pods."""
    services = [resources_asked(group.spec, group.owner["spec"].get("replicas", 1)) for group in pods(rendered("kind"))]
    flow_run = kubernetes_template()["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    stages = [row.least_cpu or row.cpu for row in read_table().default.values()]
    cores = sum(cores for cores, _ in services) + 2 * resources_asked(flow_run)[0] + max(stages)
    memory = sum(memory for _, memory in services) + 2 * resources_asked(flow_run)[1]
    assert cores <= 4 - 1.5, "kube-system of kind asks for 0.95 cores, JobSet's controller for 0.5"
    assert memory + max(row.memory_gib for row in read_table().default.values()) <= 16 - 3


def resources_asked(pod: dict[str, Any], replicas: int = 1) -> tuple[float, float]:
    """Cores and GiB that the scheduler sets aside."""
    first = [amounts(container) for container in pod.get("initContainers", [])]
    rest = [amounts(container) for container in pod["containers"]]
    cores, memory = (max(sum(a[i] for a in rest), *(a[i] for a in first), 0.0) for i in range(2))
    return replicas * cores, replicas * memory


def amounts(container: dict[str, Any]) -> tuple[float, float]:
    """Cores and GiB that one container asks for."""
    cpu, memory = (str(container["resources"]["requests"][name]) for name in ("cpu", "memory"))
    cores = float(cpu.removesuffix("m")) / (1000 if cpu.endswith("m") else 1)
    return cores, float(memory[:-2]) / {"Mi": 1024, "Gi": 1}[memory[-2:]]


@needs_kubectl
def test_kinds_only_node_can_be_drained_and_production_keeps_an_api_pod() -> None:
    def budgets(name: str) -> list[str]:
        return [m["metadata"]["name"] for m in rendered(name) if m["kind"] == "PodDisruptionBudget"]

    assert (budgets("kind"), budgets("production")) == ([], ["prefect"])


@needs_kubectl
@pytest.mark.parametrize("name", ["kind", "production"])
def test_redis_has_the_disk_for_its_log_of_writes(name: str) -> None:
    """Up to twice its memory before it is written anew, and then once more beside it."""
    (redis,) = (m for m in rendered(name) if m["kind"] == "StatefulSet" and m["metadata"]["name"] == "redis")
    (container,) = redis["spec"]["template"]["spec"]["containers"]
    memory = next(v["value"] for v in container["env"] if v["name"] == "REDIS_MEMORY")
    (claim,) = redis["spec"]["volumeClaimTemplates"]
    disk = float(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))
    assert 3 * float(memory[:-2]) / {"mb": 1024, "gb": 1}[memory[-2:]] <= disk


@needs_kubectl
def test_what_serves_keeps_its_images_init() -> None:
    """A `command` would take the place of tini, and a first process without a handler of its own ignores SIGTERM."""
    serving = [group for name in ("kind", "production") for group in pods(rendered(name)) if group.serves]
    assert serving and not [group.where(c) for group in serving for c in group.containers() if "command" in c]


@needs_kubectl
def test_no_stage_pushes_out_the_flow_run_that_watches_it() -> None:
    values = {m["metadata"]["name"]: m for m in rendered("kind") if m["kind"] == "PriorityClass"}
    pod = kubernetes_template()["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    watching = values[pod["priorityClassName"]]
    stages = {row.priority for rows in (read_table().default, *read_table().presets.values()) for row in rows.values()}
    assert stages <= {*values, None}
    assert all(values[name]["value"] < watching["value"] for name in stages | {"backsight-hot"} if name)
    assert watching["preemptionPolicy"] == "Never"


@needs_kubectl
def test_production_takes_its_settings_from_one_place() -> None:
    text = str(rendered("production"))
    assert "from-settings" not in text
    assert not [m for m in rendered("production") if m["metadata"]["name"] == "settings"]
    store = next(m for m in rendered("production") if m["kind"] == "ObjectStore")
    assert store["spec"]["configuration"]["destinationPath"].startswith("s3://")


@needs_kubectl
def test_stand_ins_name_every_kind_of_an_extension_for_a_dry_run_without_operators() -> None:
    text = (HOUSE / "infra" / "kubernetes" / "stand-ins" / "definitions.yaml").read_text()
    named = {
        (f"{found['spec']['group']}/{version['name']}", found["spec"]["names"]["kind"]): found["spec"]["scope"]
        for found in yaml.safe_load_all(text)
        for version in found["spec"]["versions"]
        if found["metadata"]["name"] == f"{found['spec']['names']['plural']}.{found['spec']['group']}"
    }
    used = {
        (m["apiVersion"], m["kind"]): "Cluster" if m["kind"] in CLUSTER_WIDE else "Namespaced"
        for m in rendered("production")
        if f"{m['apiVersion']}/{m['kind']}" not in KINDS
    }
    assert named == used


def test_images_are_built_on_one_base_by_its_digest() -> None:
    files = sorted((HOUSE / "images").glob("*/Containerfile"))
    bases = {file.parent.name: re.findall(r"^ARG BASE=(.+)$", file.read_text(), re.M) for file in files}
    assert bases.pop("base") == []
    assert len({tuple(found) for found in bases.values()}) == 1
    assert re.fullmatch(r"debian:bookworm-slim@sha256:[0-9a-f]{64}", next(iter(bases.values()))[0])


def test_the_script_makes_the_secrets_that_manifests_speak_of() -> None:
    made = {(s["metadata"]["namespace"], s["metadata"]["name"]) for s in missing({}, "backsight")}
    assert made == {(namespace, name) for (namespace, _), names in PLANNED.items() for name in names}


def test_a_missing_kubectl_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert command.main([]) == 0
    assert "NOT CHECKED" in capsys.readouterr().out
