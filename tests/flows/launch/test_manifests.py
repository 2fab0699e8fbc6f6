"""The Kubernetes objects of a job: as they were read and found right (golden), and what holds for all of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flows.launch import Job
from flows.launch.manifests import Attempt, Place, meeting_point, record, workload
from flows.launch.resources import StageResources, Toleration, for_spec, read_table
from tasks.collect.spec import CollectSpec
from tasks.errors import UsageError
from tasks.preset import load_preset
from tests.flows.launch.benches import ActSpec

GOLDEN = Path(__file__).parent / "golden"
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
IMAGES = {"trainer": "registry.example/trainer@sha256:" + "a" * 64, "collector": "registry.example/collector:1"}
GPU = (Toleration(key="nvidia.com/gpu"),)
NIGHT: dict[str, Any] = {"queue": "train", "priority": "backsight-night"}

SHAPES = {
    "one_pod": (StageResources(cpu=2, memory_gib=4, queue="cpu", priority="backsight-night"), True),
    "shards": (
        StageResources(image="collector", gpus=1, pods=40, disruptions=6, tolerations=GPU, queue="collect"),
        True,
    ),
    "jobset": (
        StageResources(cpu=24, memory_gib=192, shm_gib=32, gpus=8, pods=4, gang=True, tolerations=GPU, **NIGHT),
        True,
    ),
    "nodes_without_jobset": (StageResources(gpus=8, pods=2, gang=True, tolerations=GPU, **NIGHT), False),
}


def attempt(resources: StageResources, name: str = "act-0123456789abcdef", number: int = 1) -> Attempt:
    job = Job(name, ActSpec(script="pass"), resources=resources, owner="5f1c", environment={"BACKSIGHT_PARENT": "r1"})
    command = ("python", "-m", "tasks.act", "--spec", "/etc/backsight/spec.json")
    return Attempt(job, number, Place(images=IMAGES), command)


def objects(made: Attempt, jobset: bool) -> list[dict[str, Any]]:
    found = [record(made, {"backsight.dev/key": "k"}), workload(made, "uid-1", jobset)]
    return found + ([meeting_point(made, "uid-1")] if made.together and not jobset else [])


def pod_template(made: dict[str, Any]) -> dict[str, Any]:
    spec = made["spec"]
    inner = spec["replicatedJobs"][0]["template"]["spec"] if made["kind"] == "JobSet" else spec
    return dict(inner["template"])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_objects_are_those_that_were_read_and_found_right(shape: str) -> None:
    resources, jobset = SHAPES[shape]
    made = yaml.safe_dump_all(objects(attempt(resources), jobset), sort_keys=False)
    path = GOLDEN / f"{shape}.yaml"
    if os.environ.get("BACKSIGHT_WRITE_GOLDEN"):
        path.write_text(made)
    assert list(yaml.safe_load_all(made)) == list(yaml.safe_load_all(path.read_text()))


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,51}[a-z0-9])?", fullmatch=True)


@given(NAMES, st.integers(1, 999), st.integers(1, 5), st.booleans(), st.booleans(), st.integers(0, 8))
def test_every_object_keeps_the_rules_of_a_restricted_namespace(
    name: str, number: int, pods: int, gang: bool, jobset: bool, gpus: int
) -> None:
    made = attempt(StageResources(pods=pods, gang=gang, gpus=gpus), name, number)
    for found in objects(made, jobset):
        assert DNS_LABEL.fullmatch(found["metadata"]["name"])
        assert all(len(value) <= 63 for value in found["metadata"]["labels"].values())
    template = pod_template(workload(made, "uid-1", jobset))
    pod, container = template["spec"], template["spec"]["containers"][0]
    assert (
        pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    )
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert set(container["resources"]["limits"]) >= {"cpu", "memory", "ephemeral-storage"}
    assert not any("hostPath" in volume for volume in pod["volumes"])


def test_equal_jobs_give_equal_objects() -> None:
    resources, jobset = SHAPES["jobset"]
    assert objects(attempt(resources), jobset) == objects(attempt(resources), jobset)


@pytest.mark.parametrize(("gpus", "told"), [(1, "0"), (0, None)])
def test_a_collection_with_gpus_draws_on_the_one_that_its_pod_was_given(gpus: int, told: str | None) -> None:
    spec = CollectSpec(plan=load_preset("tiny").collect, seed=1)
    job = Job("collect-1", spec, resources=StageResources(image="collector", gpus=gpus))
    made = workload(Attempt(job, 1, Place(images=IMAGES), ("python",)), "uid", False)
    variables = {v["name"]: v.get("value") for v in pod_template(made)["spec"]["containers"][0]["env"]}
    assert variables.get("BACKSIGHT_HABITAT_GPU") == told


def test_a_spec_that_no_config_map_holds_is_refused() -> None:
    job = Job("act-1", ActSpec(script="#" * 1_000_000))
    with pytest.raises(UsageError, match="a ConfigMap holds"):
        record(Attempt(job, 1, Place(images=IMAGES), ("python",)), {})


def test_a_stage_without_an_image_says_which_variable_names_it() -> None:
    made = Attempt(Job("act-1", ActSpec(script="")), 1, Place(), ("python",))
    with pytest.raises(UsageError, match="BACKSIGHT_LAUNCH_IMAGE_TRAINER"):
        workload(made, "uid", False)


def test_the_table_has_a_row_for_every_stage_of_every_preset() -> None:
    from flows.plan import NIGHT as STEPS

    table = read_table()
    for preset in ("tiny", "small", "full"):
        assert all(table.row(preset, stage).queue for stage in [*(step.stage for step in STEPS), "monitor"])


def test_a_trainings_nodes_follow_from_its_ranks_and_shards_from_the_plan() -> None:
    from tasks.train.spec import TrainSpec

    phase = load_preset("tiny").training.joint
    row = StageResources(gpus=8)

    def nodes(ranks: int) -> tuple[int, int, bool]:
        found = for_spec(row, TrainSpec(stage="joint", dataset="dataset/" + "0" * 64, phase=phase, ranks=ranks))
        return found.pods, found.gpus, found.gang

    assert [nodes(1), nodes(4), nodes(8), nodes(32)] == [(1, 1, False), (1, 4, False), (1, 8, False), (4, 8, True)]
    with pytest.raises(UsageError, match="multiple of 8"):
        nodes(12)
    plan = load_preset("tiny").collect
    assert for_spec(StageResources(pods=1000), CollectSpec(plan=plan)).pods < 1000


def test_a_pod_may_start_where_less_is_free_than_it_may_take() -> None:
    def asked(**changed: float) -> tuple[str, str]:
        job = workload(attempt(StageResources(cpu=2, **changed)), "uid", jobset_served=False)
        resources = job["spec"]["template"]["spec"]["containers"][0]["resources"]
        assert {**resources["requests"], "cpu": ""} == {**resources["limits"], "cpu": ""}
        return resources["requests"]["cpu"], resources["limits"]["cpu"]

    assert asked() == asked(least_cpu=4) == ("2000m", "2000m")
    assert asked(least_cpu=0.5) == ("500m", "2000m")


def test_a_broken_table_names_the_key(tmp_path: Path) -> None:
    path = tmp_path / "resources.yaml"
    path.write_text("default: {collect: {cpus: 2}}")
    with pytest.raises(UsageError, match="cpus"):
        read_table(path)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_objects_are_valid_and_keep_the_clusters_policy(shape: str) -> None:
    from infra.policy import pod_rules
    from infra.policy.validity import invalid

    resources, jobset = SHAPES[shape]
    made = objects(attempt(resources), jobset)
    assert [sentence for found in made for sentence in invalid(found)] == []
    rules = (
        pod_rules.no_latest,
        pod_rules.unprivileged,
        pod_rules.restricted,
        pod_rules.bounded,
        pod_rules.no_literal_secrets,
    )
    assert [sentence for rule in rules for sentence in rule(made)] == []
