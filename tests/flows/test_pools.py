"""The work pool of each profile, and that the same deployments go to any of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.launch.settings import LaunchSettings, Profile
from flows.pools import pool_of
from infra.local.prefect_worker import POOL
from tasks.errors import UsageError
from tests.local_stack import LocalStack

IMAGES = {f"BACKSIGHT_LAUNCH_IMAGE_{k}": f"registry.example/{k.lower()}:1" for k in ("FLOW", "COLLECTOR", "TRAINER")}


def settings(monkeypatch: pytest.MonkeyPatch, profile: str, **changed: str) -> LaunchSettings:
    for name, value in {**IMAGES, **changed}.items():
        monkeypatch.setenv(name, value)
    return LaunchSettings.load(profile)


def test_each_profile_has_a_pool_of_its_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = [pool_of(settings(monkeypatch, profile), tmp_path) for profile in Profile]
    assert [(pool.name, pool.type) for pool in found] == [
        (POOL, "process"),
        ("container", "docker"),
        ("cluster", "kubernetes"),
    ]


def test_flow_runs_elsewhere_get_the_settings_but_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BACKSIGHT_S3_SECRET_KEY", "not to be shown")
    pool = pool_of(settings(monkeypatch, "cluster", BACKSIGHT_LAUNCH_QUEUES="false"), tmp_path)
    told = pool.job_variables["env"]
    assert told == {"BACKSIGHT_PROFILE": "cluster", "BACKSIGHT_LAUNCH_QUEUES": "false", **IMAGES}
    assert "not to be shown" not in json.dumps([pool.template, dict(pool.job_variables)])


def test_a_profile_without_images_says_which_to_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BACKSIGHT_LAUNCH_IMAGE_FLOW", "f:1")
    with pytest.raises(UsageError, match="set BACKSIGHT_LAUNCH_IMAGE_COLLECTOR and BACKSIGHT_LAUNCH_IMAGE_TRAINER"):
        pool_of(LaunchSettings.load("cluster"), tmp_path)


def test_a_flow_runs_pod_keeps_the_rules_of_a_restricted_namespace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    template = pool_of(settings(monkeypatch, "cluster"), tmp_path).template
    assert template is not None
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert (
        pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    )
    for container in pod["containers"]:
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] and container["resources"]["limits"]


def backsight(stack: LocalStack, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", *words]
    return subprocess.run(command, env={**stack.environment(), **IMAGES}, capture_output=True, text=True)


def deployed(stack: LocalStack) -> dict[str, str]:
    api = stack.settings()["PREFECT_API_URL"]
    found: list[dict[str, Any]] = httpx.post(f"{api}/deployments/filter", json={}).json()
    ours = [deployment for deployment in found if "backsight" in deployment["tags"]]
    return {deployment["name"]: deployment["work_pool_name"] for deployment in ours}


def test_the_same_deployments_go_to_the_pool_of_the_profile(stack: LocalStack) -> None:
    cluster = backsight(stack, "deploy", "--profile", "cluster")
    there = deployed(stack)
    local = backsight(stack, "deploy")
    assert (cluster.returncode, local.returncode) == (0, 0), cluster.stderr + local.stderr
    assert cluster.stdout == local.stdout
    assert there and set(there.values()) == {"cluster"}
    assert deployed(stack) == dict.fromkeys(there, POOL)
