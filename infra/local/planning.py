"""Which services a stack has, and on which ports."""

from __future__ import annotations

from collections.abc import Callable

from infra.local import mlflow_server, ports, postgres, prefect_server, prefect_worker, processes, s3_server
from infra.local.credentials import ACCESS_KEY, SECRET_KEY, keys_of
from infra.local.layout import Layout
from infra.local.service import Say, Service, StackPlan
from infra.local.state import State

SERVICES: dict[str, Callable[[StackPlan], Service]] = {
    "postgres": postgres.service,
    "s3": s3_server.service,
    "prefect": prefect_server.service,
    "mlflow": mlflow_server.service,
    "worker": prefect_worker.service,
}
"""In an order in which each comes after those that it needs."""

WANTED_PORTS = {"prefect": 4200, "mlflow": 5000, "s3": 9000}
RELEASE = 2.0
"""Seconds that a service's own port gets to be released by its dead process."""


def services(plan: StackPlan) -> list[Service]:
    """The services of a stack, each after those that it needs."""
    return [build(plan) for build in SERVICES.values()]


def last_plan(layout: Layout, state: State) -> StackPlan:
    """The plan with the ports that were used last, or are wanted; whether they are free is not looked at."""
    records = {name: state.get(name) for name in WANTED_PORTS}
    used = {name: (record.port if record else None) or WANTED_PORTS[name] for name, record in records.items()}
    return StackPlan(layout, used, keys_of(layout.stack_env))


def next_plan(layout: Layout, state: State, say: Say) -> StackPlan:
    """The plan in which running services keep their ports, and stopped ones get theirs back, or the next free one."""
    last = last_plan(layout, state)
    chosen = {name: port for name, port in last.ports.items() if runs(state, name)}
    for name in [name for name in WANTED_PORTS if name not in chosen]:
        if state.get(name) is not None:
            ports.becomes_free(last.ports[name], RELEASE)
        chosen[name] = ports.next_free(last.ports[name], chosen.values())
        if chosen[name] != last.ports[name]:
            say(f"{name}: port {last.ports[name]} is taken, using {chosen[name]}")
    return StackPlan(layout, chosen, last.keys)


def runs(state: State, service: str) -> bool:
    """Whether the recorded process of a service is alive."""
    record = state.get(service)
    return record is not None and processes.is_alive(record.pid, record.created)


def settings_of(plan: StackPlan) -> dict[str, str]:
    """What `tasks.settings` needs to find this stack."""
    return {
        "PREFECT_API_URL": f"{plan.url('prefect')}/api",
        "MLFLOW_TRACKING_URI": plan.url("mlflow"),
        "BACKSIGHT_S3_ENDPOINT": f"{ports.LOOPBACK}:{plan.ports['s3']}",
        ACCESS_KEY: plan.keys.access,
        SECRET_KEY: plan.keys.secret,
        "BACKSIGHT_S3_BUCKET": s3_server.BUCKET,
        "BACKSIGHT_S3_SECURE": "false",
    }
