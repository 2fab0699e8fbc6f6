"""The deployments that a worker serves: one a stage, and the nightly loop with its schedule."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import available_timezones

from infra.local.prefect_worker import POOL

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

NIGHTLY = "nightly"
CRON = "0 2 * * *"
"""Two in the morning, in the machine's own time zone."""

TAG = "backsight"


def deployments() -> Iterator[RunnerDeployment]:
    """All deployments, not yet registered."""
    from prefect.flows import EntrypointType
    from prefect.schedules import Cron

    from flows.nightly import nightly
    from flows.stages import FLOWS

    # With a command of its own the worker starts the engine at once, without a first process that resolves a workspace.
    settings = {"command": f"{sys.executable} -m prefect.engine"}
    common: dict[str, Any] = {
        "work_pool_name": POOL,
        "job_variables": settings,
        "entrypoint_type": EntrypointType.MODULE_PATH,
    }
    for stage, stage_flow in FLOWS.items():
        yield cast("RunnerDeployment", stage_flow.to_deployment(str(stage), tags=[TAG, "stage"], **common))
    schedule = Cron(CRON, timezone=local_timezone(), slug="night")
    yield cast("RunnerDeployment", nightly.to_deployment(NIGHTLY, tags=[TAG, "night"], schedule=schedule, **common))


def deploy() -> list[str]:
    """Register all deployments with the server; their names. Doing it again changes nothing."""
    names = []
    for deployment in deployments():
        deployment.apply()
        names.append(f"{deployment.flow_name}/{deployment.name}")
    return names


def local_timezone() -> str:
    """The machine's time zone by its IANA name; UTC where it does not say."""
    zone = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return zone if zone in available_timezones() else "UTC"
