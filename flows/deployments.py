"""The deployments that a worker serves: one a stage, the nightly loop and the monitor with their schedules.

With them come the automations that start a deployment on an event of the monitor.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints
from zoneinfo import available_timezones

from flows.launch.settings import LaunchSettings
from flows.pools import WorkPool, pool_of
from flows.retraining import register_automations
from tasks.errors import BacksightError
from tasks.settings import home

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.actions import DeploymentScheduleCreate

CRON = "0 2 * * *"
"""Two in the morning, in the machine's own time zone."""

WATCH_CRON = "0 6 * * *"
"""Six in the morning: the monitor looks at what was collected last."""

TAG = "backsight"


@dataclass(frozen=True)
class Deployment:
    """A flow as the worker serves it. Flow and deployment carry the same name."""

    flow: Flow[..., Any]
    tags: tuple[str, ...]
    schedules: list[DeploymentScheduleCreate] = field(default_factory=list)

    @property
    def name(self) -> str:
        """`<flow>/<deployment>`."""
        return f"{self.flow.name}/{self.flow.name}"

    @property
    def entrypoint(self) -> str:
        """The flow's place in the installed package."""
        return f"{self.flow.fn.__module__}.{self.flow.fn.__name__}"


def deployments() -> Iterator[Deployment]:
    """All deployments, not yet registered."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule

    from flows.monitor import monitor
    from flows.nightly import nightly
    from flows.promotion import approval, approval_expiry
    from flows.stages import FLOWS

    for stage_flow in FLOWS.values():
        yield Deployment(stage_flow, (TAG, "stage"))
    for people_flow in (approval, approval_expiry):
        yield Deployment(people_flow, (TAG, "people"))
    nights = CronSchedule(cron=CRON, timezone=local_timezone())
    yield Deployment(nightly, (TAG, "night"), [DeploymentScheduleCreate(schedule=nights, active=True, slug="night")])
    looks = CronSchedule(cron=WATCH_CRON, timezone=local_timezone())
    yield Deployment(monitor, (TAG, "monitor"), [DeploymentScheduleCreate(schedule=looks, active=True, slug="look")])


def deploy(settings: LaunchSettings | None = None) -> list[str]:
    """Register all deployments with the server, for the pool of a profile; their names. Again changes nothing.

    The automations that follow the monitor's decisions are registered with them.
    """
    from prefect.client.orchestration import get_client

    pool = pool_of(settings or LaunchSettings.load(), home())
    names = []
    with get_client(sync_client=True) as client:
        provide(client, pool)
        for deployment in deployments():
            register(client, deployment, pool)
            names.append(deployment.name)
        register_automations(client)
    return names


def provide(client: SyncPrefectClient, pool: WorkPool) -> None:
    """Make a pool, or bring its template up to date. Raises `BacksightError` for one that only `backsight up` makes."""
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    try:
        there = client.read_work_pool(pool.name)
    except ObjectNotFound as error:
        if pool.template is None:
            raise BacksightError(
                f"There is no work pool '{pool.name}': start its worker with `backsight up`."
            ) from error
        client.create_work_pool(WorkPoolCreate(name=pool.name, type=pool.type, base_job_template=pool.template))
        return
    if there.type != pool.type:
        raise BacksightError(
            f"The work pool '{pool.name}' is of type {there.type}, not {pool.type}: "
            f"delete it (`prefect work-pool delete {pool.name}`), or deploy with another profile."
        )
    if pool.template is not None and there.base_job_template != pool.template:
        client.update_work_pool(pool.name, WorkPoolUpdate(base_job_template=pool.template))


def register(client: SyncPrefectClient, deployment: Deployment, pool: WorkPool) -> None:
    """Make a deployment, or bring the one of its name up to date."""
    client.create_deployment(
        flow_id=client.create_flow(deployment.flow),
        name=deployment.flow.name,
        version=deployment.flow.version,
        description=deployment.flow.description,
        tags=list(deployment.tags),
        schedules=deployment.schedules,
        entrypoint=deployment.entrypoint,
        work_pool_name=pool.name,
        job_variables=dict(pool.job_variables),
        parameter_openapi_schema=form(deployment.flow),
        enforce_parameter_schema=True,
        pull_steps=[],
    )


def form(flow: Flow[..., Any]) -> dict[str, Any]:
    """The schema from which Prefect's page draws the form, with the titles and help texts of `flows.parameters`.

    Prefect's own schema keeps the bounds of an annotated parameter but writes its name and docstring over the texts.
    """
    schema = flow.parameters.model_dump()
    for name, annotation in get_type_hints(flow.fn, include_extras=True).items():
        for told in getattr(annotation, "__metadata__", ()):
            texts = {"title": told.title, "description": told.description}
            schema["properties"][name] |= {key: text for key, text in texts.items() if text}
    return schema


def local_timezone() -> str:
    """The machine's time zone by its IANA name; UTC where it does not say."""
    zone = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return zone if zone in available_timezones() else "UTC"
