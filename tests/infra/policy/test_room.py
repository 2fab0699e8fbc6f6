"""Whether the cloud's nodes and Kueue's queues have room for what the table of stages asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.launch.resources import StageResources, nodes_for, read_table
from flows.plan import PHASES
from tasks.preset import load_preset

HOUSE = Path(__file__).parents[3]
KUEUE = HOUSE / "infra" / "kubernetes" / "components" / "kueue"
PRESETS = sorted(path.stem for path in (HOUSE / "tasks" / "presets").glob("*.yaml"))
TYPES = {
    "m7i.8xlarge": (32, 128),
    "m6i.8xlarge": (32, 128),
    "g6.4xlarge": (16, 64),
    "g5.4xlarge": (16, 64),
    "p5.48xlarge": (192, 2048),
}
"""Cores and GiB of AWS's types of machine that the node groups are made of."""
FOR_PODS = 0.88
"""The part of a node that pods get: kubelet keeps a tenth of the disk free, and some memory for the system."""
UNITS = {"": 1.0, "m": 1e-3, "Gi": 1.0, "Ti": 1024.0}

Amounts = dict[str, float]


def objects(file: str, kind: str) -> dict[str, dict[str, Any]]:
    """Kueue's objects of a kind, by their names."""
    found = yaml.safe_load_all((KUEUE / file).read_text())
    return {o["metadata"]["name"]: o for o in found if o["kind"] == kind}


def amount(quantity: str) -> float:
    """A quantity in cores, pieces or GiB."""
    number, unit = re.fullmatch(r"([\d.]+)(m|Gi|Ti|)", quantity).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def groups() -> dict[str, dict[str, Any]]:
    """The cloud's node groups as they are by default."""
    text = (HOUSE / "infra" / "terraform" / "variables.tf").read_text()
    lines = re.findall(r"^    (\w+) += \{ (instance_types = .*) \}$", text, re.M)
    return {name: yaml.safe_load("{" + re.sub(r" =", ":", fields) + "}") for name, fields in lines}


def asked() -> Iterator[tuple[str, str, StageResources]]:
    """What every stage of every preset asks for."""
    table = read_table()
    for preset in PRESETS:
        ranks = load_preset(preset).training.ranks
        for stage in table.default:
            row = table.row(preset, stage)
            yield preset, stage, row.model_copy(update=nodes_for(ranks, row.gpus)) if stage in PHASES else row


def of_a_pod(row: StageResources) -> Amounts:
    """What one pod asks for, by Kubernetes' names."""
    plain = {"cpu": row.least_cpu or row.cpu, "memory": row.memory_gib, "ephemeral-storage": row.scratch_gib}
    return {**plain, "nvidia.com/gpu": float(row.gpus)} if row.gpus else plain


ROWS = [pytest.param(*found, id=f"{found[0]}-{found[1]}") for found in asked()]


@pytest.mark.parametrize(("preset", "stage", "row"), ROWS)
def test_a_stages_queue_admits_all_of_its_pods(preset: str, stage: str, row: StageResources) -> None:
    local = objects("queues.yaml", "LocalQueue")[row.queue or ""]
    (group,) = objects("queues.yaml", "ClusterQueue")[local["spec"]["clusterQueue"]]["spec"]["resourceGroups"]
    (flavour,) = group["flavors"]
    quota = {entry["name"]: amount(entry["nominalQuota"]) for entry in flavour["resources"]}
    assert quota.keys() == set(group["coveredResources"])
    for name, each in of_a_pod(row).items():
        assert each * row.pods <= quota[name], name
    taints = objects("flavours.yaml", "ResourceFlavor")[flavour["name"]]["spec"].get("nodeTaints", [])
    tolerated = {(t.key, t.effect) for t in row.tolerations if t.operator == "Exists"}
    assert {(t["key"], t["effect"]) for t in taints} <= tolerated


@pytest.mark.parametrize(("preset", "stage", "row"), ROWS)
def test_a_node_of_the_queues_kind_holds_a_stages_pod(preset: str, stage: str, row: StageResources) -> None:
    local = objects("queues.yaml", "LocalQueue")[row.queue or ""]
    (quotas,) = objects("queues.yaml", "ClusterQueue")[local["spec"]["clusterQueue"]]["spec"]["resourceGroups"]
    flavour = objects("flavours.yaml", "ResourceFlavor")[quotas["flavors"][0]["name"]]
    group = groups()[flavour["spec"]["nodeLabels"]["backsight.dev/nodes"]]
    for machine in group["instance_types"]:
        cores, memory = TYPES[machine]
        node = {"cpu": cores, "memory": memory, "ephemeral-storage": group["disk_gib"]}
        for name, each in of_a_pod(row).items():
            if name == "nvidia.com/gpu":
                assert each <= group["gpus"] and each * row.pods <= group["gpus"] * group["most"]
            else:
                assert each <= FOR_PODS * node[name], (machine, name)
